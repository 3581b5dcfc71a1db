"""A slice of the fuzzing: the same inputs in both modes, which must come to the same.

`python -m fuzz.sliced` prints the digests of all outcomes, by target, as JSON.
"""

from __future__ import annotations

import json
import zlib
from functools import cache

from fuzz.grammar import Dice, mutations
from fuzz.target import MAX_SIZE, Outcome, examine, seen
from fuzz.targets import TARGETS

SEED = "1986"

# Less than a second each when pgallop is interpreted.
INPUTS = {
    "recordings": 1000,
    "startup": 4000,
    "pipeline": 1500,
    "copies": 1500,
    "values": 12000,
    "texts": 12000,
    "rows": 8000,
    "extensions": 8000,
    "extension_texts": 8000,
    "bodies": 25000,
    "stream": 8000,
    "refusal": 15000,
    "trace": 4000,
    "own_types": 8000,
    "own_type_texts": 8000,
    "dsn": 8000,
    "sql": 3000,
    "scram": 15000,
}


@cache
def inputs(name: str) -> list[bytes]:
    """The seeds themselves, then what is made of them."""
    target, dice = TARGETS[name], Dice(SEED)
    seeds = target.seeds()
    mutated = [mutations(dice, target.grammar, seeds, MAX_SIZE) for _ in range(INPUTS[name])]
    return seeds + mutated


def outcome(name: str, i: int) -> Outcome:
    """What comes of one of `inputs`; raises Finding where it does what none may."""
    return examine(TARGETS[name], inputs(name)[i])


@cache
def digests(name: str) -> list[int]:
    """A number for all that can be seen of each outcome."""
    return [
        zlib.crc32(seen(outcome(name, i)).encode("utf-8", "surrogatepass"))
        for i in range(len(inputs(name)))
    ]


if __name__ == "__main__":
    print(json.dumps({name: digests(name) for name in INPUTS}))
