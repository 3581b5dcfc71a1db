"""Conversations with a real PostgreSQL, replayed with every split, and held anew.

They were recorded once, by one build of pgallop. Every build has to write the same bytes and to
make the same values of the answers, which holds the compiled and the interpreted one together.
After a change of what is written, `python tools/record_session.py` records them again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conversation import one_byte_each, split_at
from recorded import (
    RECORDINGS,
    TOOL,
    Traffic,
    outcomes_of,
    random_cut,
    read,
    replay,
    said_in,
    traffic_of,
)

from pgallop.cli.server import EmbeddedServer
from pgallop.errors import InterfaceError, InternalClientError, PostgresError
from pgallop.wire.trace import Trace

RANDOM_CUTS = 100


@pytest.fixture(scope="module")
def server_to_record(bin_dir: Path | None) -> Iterator[EmbeddedServer]:
    with TOOL.server_to_record(bin_dir) as server:
        yield server


def test_all_programs_are_recorded() -> None:
    assert sorted(TOOL.PROGRAMS) == RECORDINGS


@pytest.mark.parametrize("name", RECORDINGS)
def test_whole_and_in_single_bytes(name: str) -> None:
    traffic, outcomes = traffic_of(name), outcomes_of(name)
    assert replay(name, traffic) == outcomes
    assert replay(name, traffic, one_byte_each) == outcomes


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_split(name: str) -> None:
    traffic, outcomes = traffic_of(name), outcomes_of(name)
    for place in range(1, said_in(traffic)):
        assert replay(name, traffic, split_at(place)) == outcomes, place


@pytest.mark.parametrize("name", RECORDINGS)
def test_many_splits(name: str) -> None:
    traffic, outcomes = traffic_of(name), outcomes_of(name)
    cut = random_cut(random.Random(name))
    for _ in range(RANDOM_CUTS):
        assert replay(name, traffic, cut) == outcomes


@pytest.mark.parametrize("lie", [0x00, 0xFF])
@pytest.mark.parametrize("name", RECORDINGS)
def test_every_byte_changed(name: str, lie: int) -> None:
    """It goes on, or ends in an error of this driver: nothing else is raised, nothing is read that
    is not there.
    """
    traffic, outcomes = traffic_of(name), outcomes_of(name)
    refused = 0
    for i, (direction, data) in enumerate(traffic):
        for place in range(len(data) if direction == "B" else 0):
            changed = data[:place] + bytes([lie]) + data[place + 1 :]
            try:
                follow(name, [*traffic[:i], ("B", changed), *traffic[i + 1 :]], outcomes)
            except (InternalClientError, InterfaceError, PostgresError):
                refused += 1
    assert refused > 10


def follow(name: str, traffic: Traffic, outcomes: list[str]) -> None:
    """Replay what is not as it was recorded, until that shows."""
    program = TOOL.Program(name)
    for direction, data in traffic:
        if direction == "F":
            if not program.session.requests:
                program.report()
                if program.outcomes != outcomes[: len(program.outcomes)]:
                    return
            program.take()
        elif data:
            program.session.feed(data)
        else:
            program.lost()


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_server_of_today_answers_alike(server_to_record: EmbeddedServer, name: str) -> None:
    recorded, today = read(name), TOOL.record(name, server_to_record.host, server_to_record.port)
    assert today["outcomes"] == recorded["outcomes"]
    # What is salted by the server can only be compared where it is not shown.
    shown = "words" if name in TOOL.SALTED else "bytes"
    assert written(today, shown) == written(recorded, shown)


def written(recording: Any, shown: str) -> list[Any]:
    return [piece[shown] for piece in recording["traffic"] if piece["from"] == "F"]


@pytest.mark.parametrize("name", RECORDINGS)
def test_the_trace_reads_it_all(name: str) -> None:
    trace, lines = Trace(), list[str]()
    for piece in read(name)["traffic"]:
        words = trace.feed(piece["from"], bytes.fromhex(piece["bytes"]))
        assert words == piece["words"]
        lines += words
    assert not [line for line in lines if "malformed" in line]
    # A ReadyForQuery answers the startup, each Query and each Sync, but for those that the server
    # has read as a part of a COPY: another one follows CopyFail. A FATAL error is the last answer.
    written = [line for line in lines if line.startswith("F")]
    asked = [line for line in written if line == "F Sync" or line.startswith("F Query")]
    again = [two for two in pairwise(written) if two[0][:10] == "F CopyFail" and two[1] == "F Sync"]
    answered = [line for line in lines if line.startswith("B ReadyForQuery")]
    if "severity='FATAL'" in lines[-1]:
        assert len(answered) < 1 + len(asked)
    else:
        assert len(answered) == 1 + len(asked) - len(again)
