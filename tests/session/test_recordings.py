"""Conversations with a real PostgreSQL, replayed with every split, and held anew.

They were recorded once, by one build of pgallop. Every build has to write the same bytes and to
make the same values of the answers, which holds the compiled and the interpreted one together.
After a change of what is written, `python tools/record_session.py` records them again.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from conversation import Cut, one_byte_each, split_at

from pgallop.cli.server import EmbeddedServer
from pgallop.errors import InterfaceError, InternalClientError, PostgresError
from pgallop.wire.trace import Trace

ROOT = Path(__file__).parents[2]
RECORDINGS = sorted(path.stem for path in Path(__file__).parent.glob("recordings/*.json"))


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "record_session", ROOT / "tools" / "record_session.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(name: str) -> tuple[list[tuple[str, bytes]], list[str]]:
    """What travelled, by direction, and what came of it."""
    recording = read(name)
    traffic = [(piece["from"], bytes.fromhex(piece["bytes"])) for piece in recording["traffic"]]
    return traffic, recording["outcomes"]


def read(name: str) -> Any:
    path = Path(__file__).parent / "recordings" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def whole(offset: int, data: bytes) -> Iterator[bytes]:
    yield data


def replay(tool: ModuleType, name: str, traffic: list[tuple[str, bytes]], cut: Cut) -> list[str]:
    """The outcomes of the conversation `name` with what the server said, cut in this way."""
    program = tool.Program(name)
    session = program.session
    said = 0
    for direction, data in traffic:
        if direction == "F":
            if not session.requests:
                assert program.ask()
            assert session.writer.take() == data
        else:
            for piece in cut(said, data):
                session.feed(piece)
            said += len(data)
    assert not program.ask()
    outcomes: list[str] = program.outcomes
    return outcomes


def test_all_programs_are_recorded(tool: ModuleType) -> None:
    assert sorted(tool.PROGRAMS) == RECORDINGS


@pytest.mark.parametrize("name", RECORDINGS)
def test_whole_and_in_single_bytes(tool: ModuleType, name: str) -> None:
    traffic, outcomes = load(name)
    assert replay(tool, name, traffic, whole) == outcomes
    assert replay(tool, name, traffic, one_byte_each) == outcomes


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_split(tool: ModuleType, name: str) -> None:
    traffic, outcomes = load(name)
    size = sum(len(data) for direction, data in traffic if direction == "B")
    assert size > 1000
    for place in range(1, size):
        assert replay(tool, name, traffic, split_at(place)) == outcomes, place


@pytest.mark.parametrize("lie", [0x00, 0xFF])
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_byte_changed(tool: ModuleType, name: str, lie: int) -> None:
    """It goes on, or ends in an error of this driver: nothing else is raised, nothing is read that
    is not there.
    """
    traffic, outcomes = load(name)
    refused = 0
    for i, (direction, data) in enumerate(traffic):
        for place in range(len(data) if direction == "B" else 0):
            changed = data[:place] + bytes([lie]) + data[place + 1 :]
            try:
                follow(tool, name, [*traffic[:i], ("B", changed), *traffic[i + 1 :]], outcomes)
            except (InternalClientError, InterfaceError, PostgresError):
                refused += 1
    assert refused > 100


def follow(
    tool: ModuleType, name: str, traffic: list[tuple[str, bytes]], outcomes: list[str]
) -> None:
    """Replay what is not as it was recorded, until that shows."""
    program = tool.Program(name)
    session = program.session
    for direction, data in traffic:
        if direction == "B":
            session.feed(data)
            continue
        if not session.requests:
            program.report()
            if program.outcomes != outcomes[: len(program.outcomes)]:
                return
            program.ask()
        session.writer.take()


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_server_of_today_answers_alike(
    tool: ModuleType, server: EmbeddedServer, name: str
) -> None:
    recorded, today = read(name), tool.record(name, server.host, server.port)
    assert today["outcomes"] == recorded["outcomes"]
    written, recorded_written = (
        [piece["bytes"] for piece in recording["traffic"] if piece["from"] == "F"]
        for recording in (today, recorded)
    )
    assert written == recorded_written


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_trace_reads_it_all(name: str) -> None:
    trace, lines = Trace(), list[str]()
    for piece in read(name)["traffic"]:
        words = trace.feed(piece["from"], bytes.fromhex(piece["bytes"]))
        assert words == piece["words"]
        lines += words
    assert not [line for line in lines if "malformed" in line]
    # A ReadyForQuery answers the startup, each Query and each Sync, but for those that the server
    # has read as a part of a COPY: another one follows CopyFail.
    written = [line for line in lines if line.startswith("F")]
    asked = [line for line in written if line == "F Sync" or line.startswith("F Query")]
    again = [two for two in pairwise(written) if two[0][:10] == "F CopyFail" and two[1] == "F Sync"]
    answered = [line for line in lines if line.startswith("B ReadyForQuery")]
    assert len(answered) == 1 + len(asked) - len(again)
