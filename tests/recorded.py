"""The recorded conversations: what travelled, what came of it, and how to hold them again.

`tools/record_session.py` is `TOOL`, which knows the programs.
"""

from __future__ import annotations

import importlib.util
import json
import random
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from conversation import Cut

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "session" / "recordings"

RECORDINGS = sorted(path.stem for path in FOLDER.glob("*.json"))

# What travelled at a time, with F for what pgallop wrote and B for what the server said. Nothing
# from the server is its end.
Traffic = list[tuple[str, bytes]]


def load_tool() -> ModuleType:
    path = ROOT / "tools" / "record_session.py"
    spec = importlib.util.spec_from_file_location("record_session", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL: Any = load_tool()


@cache
def read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


@cache
def traffic_of(name: str) -> Traffic:
    return [(piece["from"], bytes.fromhex(piece["bytes"])) for piece in read(name)["traffic"]]


def said_in(traffic: Traffic) -> int:
    """How many bytes the server has said."""
    return sum(len(data) for direction, data in traffic if direction == "B")


def outcomes_of(name: str) -> list[str]:
    """What came of it, in words: of each request, and notices and notifications between them."""
    outcomes: list[str] = read(name)["outcomes"]
    return outcomes


def whole(offset: int, data: bytes) -> Iterator[bytes]:
    """Cut nowhere."""
    yield data


def random_cut(chance: random.Random) -> Cut:
    """Cut into a few pieces, into others each time."""

    def cut(offset: int, data: bytes) -> Iterator[bytes]:
        places = sorted(set(chance.choices(range(1, len(data)), k=chance.randrange(1, 30))))
        yield from (data[start:end] for start, end in pairwise([0, *places, len(data)]))

    return cut


def replay(name: str, traffic: Traffic, cut: Cut = whole) -> list[str]:
    """The outcomes of the conversation `name` with what the server said, cut in this way."""
    program = TOOL.Program(name)
    said = 0
    for direction, data in traffic:
        if direction == "F":
            assert program.take() == data
        elif not data:
            program.lost()
        else:
            for piece in cut(said, data):
                program.session.feed(piece)
            said += len(data)
    assert not program.ask()
    outcomes: list[str] = program.outcomes
    return outcomes
