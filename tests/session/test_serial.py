"""`Session.serial`: behind a Sync that is not answered a pooler may cut what comes in two."""

from __future__ import annotations

from conversation import Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    INT4,
    PARSE_COMPLETE,
    command_complete,
    data_row,
    int4,
    ready_for_query,
    row_description,
)

UNNAMED = statement("SELECT $1::int4", (INT4,), (("int4", INT4),), name=b"")


def answered(number: int) -> tuple[bytes, ...]:
    return (
        PARSE_COMPLETE,
        BIND_COMPLETE,
        row_description(("int4", INT4)),
        data_row(int4(number)),
        command_complete("SELECT 1"),
        ready_for_query(),
    )


@at_every_split
def test_one_at_a_time(talk: Conversation) -> None:
    talk.session.serial = True
    answers = [talk.execute(UNNAMED, n) for n in range(3)]
    for n, answer in enumerate(answers):
        syncs = [line for line in talk.written() if line.startswith("F Sync")]
        assert len(syncs) == 1
        assert not answer.done()
        talk.server(*answered(n))
        assert [tuple(row) for row in answer.result[0]] == [(n,)]
    assert talk.written() == []


@at_every_split
def test_scripts_as_well(talk: Conversation) -> None:
    talk.session.serial = True
    first, second = talk.simple("SELECT 1"), talk.simple("SELECT 2")
    assert len(talk.written()) == 1
    talk.server(command_complete("SELECT 1"), ready_for_query())
    assert first.done()
    assert len(talk.written()) == 1
    talk.server(command_complete("SELECT 1"), ready_for_query())
    assert second.done()


@at_every_split
def test_not_otherwise(talk: Conversation) -> None:
    first, second = talk.execute(UNNAMED, 1), talk.execute(UNNAMED, 2)
    assert len([line for line in talk.written() if line.startswith("F Sync")]) == 2
    talk.server(*answered(1), *answered(2))
    assert first.done()
    assert second.done()
