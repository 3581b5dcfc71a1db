"""However the network cuts what a server says, the same comes out: on sockets, and large values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

from conversation import Conversation, Cut, split_at, statement
from hostile.cut_connections import Recording, cut_at
from scripted_server import FAREWELL, WELCOME, ScriptedServer, expect, send, wait
from scripts import (
    BIND_COMPLETE,
    INT4,
    PARSE_COMPLETE,
    TEXT,
    command_complete,
    data_row,
    int4,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop

SEED = 1986
RECEPTION = 65536
PAUSE_SECONDS = 0.01

# Values that one reception cannot hold, beside such as many receptions could.
ROWS = [("a" * 200_000, 1), *[("b", i) for i in range(500)], ("c" * 70_000, None), ("", 2)]
COLUMNS = (("t", TEXT), ("i", INT4))
MESSAGES = [
    BIND_COMPLETE,
    *[data_row(t.encode(), None if i is None else int4(i)) for t, i in ROWS],
    command_complete("SELECT 503"),
    ready_for_query(),
]
ANSWER = b"".join(MESSAGES)
DESCRIPTION = b"".join(
    [PARSE_COMPLETE, parameter_description(), row_description(*COLUMNS), ready_for_query()]
)


def answered(cut: Cut) -> list[tuple[object, ...]]:
    """The rows that are made of the answer, cut in this way."""
    talk = Conversation(cut)
    answer = talk.execute(statement("SELECT", (), COLUMNS))
    talk.server(ANSWER)
    rows, command = answer.result
    assert command == b"SELECT 503"
    return [tuple(row) for row in rows]


def borders() -> Iterator[int]:
    """The places around the ends of messages and of receptions."""
    place = 0
    for message in MESSAGES:
        place += len(message)
        if len(message) > RECEPTION:
            yield from (place - len(message) + i for i in range(12))
            yield from (place - i for i in range(1, 12))
    for place in range(RECEPTION, len(ANSWER), RECEPTION):
        yield from range(place - 3, place + 3)


def test_large_values_are_cut_in_two() -> None:
    chance = random.Random(SEED)
    for place in {*borders(), *chance.sample(range(1, len(ANSWER)), 80)}:
        assert answered(split_at(place)) == ROWS, place


def test_large_values_are_cut_in_pieces() -> None:
    chance = random.Random(SEED)
    for size in (1_000, RECEPTION, RECEPTION + 1, 2 * RECEPTION):
        for _ in range(20):

            def cut(offset: int, data: bytes, size: int = size) -> Iterator[bytes]:
                places = [chance.randrange(size)]
                while places[-1] < len(data):
                    places.append(places[-1] + chance.randrange(1, size))
                yield from (data[i:j] for i, j in pairwise([0, *places]) if data[i:j])

            assert answered(cut) == ROWS


async def test_large_values_on_sockets() -> None:
    chance = random.Random(SEED)
    places = [3, len(BIND_COMPLETE) + 4, *chance.sample(range(1, len(ANSWER)), 10)]
    script = [*WELCOME, expect("Parse", "Describe", "Sync"), send(DESCRIPTION)]
    for place in places:
        script += [
            expect("Bind", "Execute", "Sync"),
            send(ANSWER[:place]),
            wait(PAUSE_SECONDS),
            send(ANSWER[place:]),
        ]
    with ScriptedServer([*script, *FAREWELL]) as server:
        async with pgallop.connect(
            host=server.host, port=server.port, user="ada", ssl="disable", timeout=5
        ) as conn:
            for _ in places:
                rows = await conn.fetch("SELECT t, i FROM large", timeout=5)
                assert [tuple(row) for row in rows] == ROWS


async def test_splits_on_sockets(recording: Recording, replay_port: int) -> None:
    places = range(1, recording.size, 23)
    findings = await cut_at(replay_port, recording, "split", places)
    assert not findings.faults, "\n".join(findings.faults)
    assert findings.right == findings.cut == len(places)
