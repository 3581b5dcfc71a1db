"""Wherever a server ends, everybody is told: every prefix of what it has said, and then the end."""

from __future__ import annotations

from typing import Any

import pytest
from hostile.cut_connections import Recording, cut_at
from hostile.prefixes import EndedSession, places_of
from hostile.replay_server import Ending
from recorded import RECORDINGS, TOOL, traffic_of

from pgallop.errors import ConnectionDoesNotExistError


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_prefix(name: str) -> None:
    told = 0
    for place in places_of(name):
        session = EndedSession(name, place)
        assert not session.faults, f"{place} bytes: {session.faults}"
        told += session.told
    assert told > len(places_of(name)) / 2


@pytest.mark.parametrize("name", RECORDINGS)
def test_prefixes_of_what_was_abandoned(name: str) -> None:
    waiting = 0
    for place in places_of(name)[::7]:
        session = EndedSession(name, place, abandoned=True)
        assert not session.faults, f"{place} bytes: {session.faults}"
        waiting += session.waiting
    assert waiting > len(places_of(name)) / 14


@pytest.mark.parametrize("name", RECORDINGS)
def test_what_was_never_sent_may_be_tried_again(name: str) -> None:
    for batch in range(len(TOOL.PROGRAMS[name])):
        program = TOOL.Program(name)
        replay_batches(program, name, batch)
        answered = len(program.asked)
        program.ask()
        program.lost()
        assert len(program.asked) > answered
        for answer in program.asked[answered:]:
            assert isinstance(answer.error, ConnectionDoesNotExistError)
            assert answer.error.safe_to_retry
            assert answer.ended == 1


def replay_batches(program: Any, name: str, count: int) -> None:
    """Let the first `count` batches of the program be asked and answered."""
    for direction, data in traffic_of(name):
        if direction == "B":
            program.session.feed(data)
            continue
        if not program.session.requests:
            if count == 0:
                return
            count -= 1
        program.take()


@pytest.mark.parametrize("ending", ["close", "reset", "stall"])
async def test_prefixes_on_sockets(recording: Recording, replay_port: int, ending: Ending) -> None:
    places = [*recording.message_starts(), *range(0, recording.size, 61)]
    findings = await cut_at(replay_port, recording, ending, places)
    assert not findings.faults, "\n".join(findings.faults)
    assert findings.right == findings.cut == len(places)
    assert findings.overrun < 1.0  # `make hostile` is stricter
