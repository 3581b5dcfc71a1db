"""A slice of the fuzzing with a fixed seed; `make fuzz` is the long run."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from fuzz.jobs import CHECKOUT
from fuzz.sliced import INPUTS, digests, inputs, outcome
from fuzz.target import seen
from fuzz.targets import TARGETS


def test_all_targets_have_a_slice() -> None:
    assert list(INPUTS) == list(TARGETS)


@pytest.mark.parametrize("name", INPUTS)
def test_nothing_is_found(name: str) -> None:
    assert len(set(digests(name))) > 100


@pytest.mark.once
def test_both_modes_come_to_the_same() -> None:
    process = subprocess.run(
        [sys.executable, "-P", "-m", "fuzz.sliced"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "tests")])},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    interpreted = json.loads(process.stdout)
    for name in INPUTS:
        pairs = enumerate(zip(digests(name), interpreted[name], strict=True))
        different = [i for i, (here, there) in pairs if here != there]
        assert not different, (
            f"{len(different)} of {name}, the first is {inputs(name)[different[0]]!r}: "
            f"{seen(outcome(name, different[0]))}"
        )
