"""The same targets, driven by atheris: libFuzzer keeps each input that reaches new code.

It counts what plain Python does, so pgallop has to be interpreted. This runs in a process of its
own, for libFuzzer ends it.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from fuzz.grammar import Dice, mutations
from fuzz.target import MAX_SECONDS, MAX_SIZE, Target, examine

PACKAGE = "pgallop"


def load() -> Any:
    """atheris, which is not on all machines: there are wheels for Linux on x86-64 only."""
    return importlib.import_module("atheris")


def drive(name: str, seconds: int, seed: int, corpus: Path, artifacts: Path) -> None:
    """Run one target; ends the process, with 0 if nothing was found."""
    atheris = load()
    with atheris.instrument_imports(include=[PACKAGE]):
        from fuzz.targets import TARGETS
    target: Target = TARGETS[name]
    seeds = target.seeds()
    corpus.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(seeds):
        (corpus / f"seed{i}").write_bytes(data)

    def mutate(data: bytes, max_size: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, max_size))
        return mutations(Dice(str(seed)), target.grammar, [data], max_size)

    def run(data: bytes) -> None:
        examine(target, data)

    options = [
        f"-max_total_time={seconds}",
        f"-seed={seed % 2**31 or 1}",
        f"-max_len={MAX_SIZE}",
        f"-timeout={int(20 * MAX_SECONDS)}",
        f"-artifact_prefix={artifacts}/{name}-",
        "-rss_limit_mb=1024",
        "-print_final_stats=1",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run, custom_mutator=mutate)
    atheris.Fuzz()
