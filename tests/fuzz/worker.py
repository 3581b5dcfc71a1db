"""The loop: inputs made and run, one after the other, in a process that may die of one.

The current input is in a shared file, so that whoever finds the process dead finds it there. Every
second the process prints what it has done so far, as a line of JSON, and each finding at once.
"""

from __future__ import annotations

import json
import mmap
import resource
import struct
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from fuzz.grammar import Dice, mutations
from fuzz.target import MAX_SIZE, Finding, Target, examine

# Inputs between two looks at the clock, and seconds until it is another target's turn.
BATCH = 64
TURN_SECONDS = 0.1

# Memory beyond what the process has when it begins, in bytes: more is a MemoryError, so the input
# that wants it is found.
MEMORY = 512 << 20

_HEADER = struct.Struct("<QII")


class Current(NamedTuple):
    """The last input, and its number, from 1 on."""

    number: int
    target: int
    data: bytes


class Slate:
    """The shared file with the input that is being run."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_HEADER.size + MAX_SIZE))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _HEADER.size + MAX_SIZE)
        self._count = 0

    def clear(self) -> None:
        _HEADER.pack_into(self._map, 0, 0, 0, 0)

    def write(self, target: int, data: bytes) -> None:
        self._count += 1
        _HEADER.pack_into(self._map, 0, self._count, target, len(data))
        self._map[_HEADER.size : _HEADER.size + len(data)] = data

    def read(self) -> Current:
        count, target, size = _HEADER.unpack_from(self._map)
        return Current(count, target, self._map[_HEADER.size : _HEADER.size + size])

    def close(self) -> None:
        self._map.close()


class Tally:
    """What was done to one target."""

    def __init__(self) -> None:
        self.inputs = 0
        self.seconds = 0.0
        self.kinds: Counter[str] = Counter()


class Worker:
    """Gives each of `targets` its turns until the time or the number of inputs is up."""

    def __init__(self, targets: Sequence[Target], seed: int, slate: Slate) -> None:
        self._targets = targets
        self._seeds = [target.seeds() for target in targets]
        self._dice = [Dice(f"{seed} {target.name}") for target in targets]
        self._slate = slate
        self._tallies = [Tally() for _ in targets]
        self._told_at = 0.0
        self.inputs = 0

    def run(self, seconds: float, inputs: int) -> None:
        limit_memory()
        tell(mode=mode())
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.inputs < inputs:
            for i, target in enumerate(self._targets):
                self._turn(i, min(end, time.monotonic() + TURN_SECONDS * target.share), inputs)
                self._tell(end)
        self._tell(0.0)

    def _turn(self, i: int, end: float, inputs: int) -> None:
        tally = self._tallies[i]
        start = now = time.monotonic()
        while now < end and self.inputs < inputs:
            for _ in range(min(BATCH, inputs - self.inputs)):
                self._one(i)
            now = time.monotonic()
        tally.seconds += now - start

    def _one(self, i: int) -> None:
        target, tally = self._targets[i], self._tallies[i]
        data = mutations(self._dice[i], target.grammar, self._seeds[i], MAX_SIZE)
        self._slate.write(i, data)
        self.inputs += 1
        tally.inputs += 1
        try:
            kind = examine(target, data).kind
        except Finding as finding:
            kind = finding.kind
            tell(finding=[target.name, finding.kind, finding.detail, data.hex()])
        tally.kinds[kind] += 1

    def _tell(self, end: float) -> None:
        now = time.monotonic()
        if now - self._told_at < 1 and now < end:
            return
        self._told_at = now
        tell(
            tallies={
                target.name: [tally.inputs, tally.seconds, tally.kinds]
                for target, tally in zip(self._targets, self._tallies, strict=True)
            },
            peak=peak_memory(),
        )


def mode() -> str:
    # Not imported above: what is to be instrumented for coverage may not be loaded by then.
    import pgallop

    return "compiled" if pgallop.__compiled__ else "interpreted"


def tell(**words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


def peak_memory() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
