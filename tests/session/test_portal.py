"""A portal, a number of rows at a time, against a script."""

from __future__ import annotations

import pytest
from conversation import Answer, Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    EMPTY_QUERY_RESPONSE,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    TEXT,
    command_complete,
    copy_response,
    data_row,
    error_response,
    int4,
    message,
    ready_for_query,
    row_description,
)

from pgallop.errors import (
    DataError,
    DivisionByZeroError,
    InterfaceError,
    InvalidCursorNameError,
    ProtocolError,
    UnsupportedClientFeatureError,
)
from pgallop.session.portal import ClosePortal, FetchPortal
from pgallop.session.statement import Statement

BY_ID = statement(
    "SELECT id, name FROM users WHERE id < $1", (INT4,), (("id", INT4), ("name", TEXT))
)
ALL = statement("SELECT id FROM users", (), (("id", INT4),), b"s2")
UNNAMED = statement("SELECT id FROM users", (), (("id", INT4),), b"")
COPY = statement("COPY t TO STDOUT", name=b"s3")


def fetch(
    talk: Conversation, each: Statement, limit: int, *args: object, opens: bool = True
) -> Answer:
    return talk.submit(FetchPortal(None, each, args, b"p1", limit, opens))


@at_every_split
def test_from_beginning_to_end(talk: Conversation) -> None:
    first = fetch(talk, BY_ID, 2, 9)
    assert talk.written() == [
        "F Bind portal='p1' statement='s1' formats=[1] values=[4 bytes] results=[1]",
        "F Execute portal='p1' max_rows=2",
        "F Sync",
    ]
    rows = data_row(int4(1), b"Ada"), data_row(int4(2), None)
    talk.server(BIND_COMPLETE, *rows, PORTAL_SUSPENDED, ready_for_query("T"))
    assert first.result[0] == [(1, "Ada"), (2, None)]
    assert first.request.suspended
    second = fetch(talk, BY_ID, 2, opens=False)
    assert talk.written() == ["F Execute portal='p1' max_rows=2", "F Sync"]
    talk.server(data_row(int4(3), b"Bo"), command_complete("SELECT 3"), ready_for_query("T"))
    assert second.result[0] == [(3, "Bo")]
    assert not second.request.suspended
    closed = talk.submit(ClosePortal(None, b"p1"))
    assert talk.written() == ["F Close portal='p1'", "F Sync"]
    talk.server(CLOSE_COMPLETE, ready_for_query("T"))
    assert closed.result is None


@at_every_split
def test_opened_only(talk: Conversation) -> None:
    answer = fetch(talk, ALL, -1)
    assert [line.split()[1] for line in talk.written()] == ["Bind", "Sync"]
    talk.server(BIND_COMPLETE, ready_for_query("T"))
    assert answer.result == ([], b"")


@pytest.mark.parametrize("description", [row_description(("id", INT4)), NO_DATA])
@pytest.mark.parametrize("limit", [-1, 5])
@at_every_split
def test_without_a_name(talk: Conversation, description: bytes, limit: int) -> None:
    answer = fetch(talk, UNNAMED, limit)
    expected = ["Parse", "Bind", "Describe", "Execute", "Sync"]
    if limit < 0:
        expected.remove("Execute")
    assert [line.split()[1] for line in talk.written()] == expected
    talk.server(PARSE_COMPLETE, BIND_COMPLETE, description)
    if limit >= 0:
        talk.server(EMPTY_QUERY_RESPONSE)
    talk.server(ready_for_query("T"))
    assert answer.result == ([], b"")


@at_every_split
def test_refused(talk: Conversation) -> None:
    answer = fetch(talk, ALL, 5)
    talk.server(BIND_COMPLETE, error_response("22012", "zero"), ready_for_query("E"))
    assert isinstance(answer.error, DivisionByZeroError)
    assert not answer.request.suspended


@at_every_split
def test_rows_that_python_cannot_hold(talk: Conversation) -> None:
    answer = fetch(talk, BY_ID, 2, 9)
    rows = (data_row(int4(1), b"\xff"),) * 2
    talk.server(BIND_COMPLETE, *rows, PORTAL_SUSPENDED, ready_for_query("T"))
    assert isinstance(answer.error, DataError)


@at_every_split
def test_a_copy(talk: Conversation) -> None:
    answer = fetch(talk, COPY, 5)
    talk.server(BIND_COMPLETE, copy_response("H"), message("d", b"1\n"), message("c"))
    talk.server(command_complete("COPY 1"), ready_for_query("T"))
    assert isinstance(answer.error, UnsupportedClientFeatureError)


def test_arguments_that_do_not_fit() -> None:
    talk = Conversation()
    with pytest.raises(InterfaceError, match="expects 1 argument, 0 given"):
        fetch(talk, BY_ID, 5)
    with pytest.raises(DataError, match=r"\$1"):
        fetch(talk, BY_ID, 5, "one")
    assert talk.written_bytes() == b""


@at_every_split
def test_the_caller_goes(talk: Conversation) -> None:
    answer = fetch(talk, ALL, 2)
    talk.abandon(answer)
    rows = (message("D", b"not even read"),) * 2
    talk.server(BIND_COMPLETE, *rows, PORTAL_SUSPENDED, ready_for_query("T"))
    assert answer.request.finished
    assert not answer.done()


OPENED = [
    (BIND_COMPLETE, ready_for_query()),
    (BIND_COMPLETE, *(data_row(int4(1)),) * 3),  # two were asked for
    (BIND_COMPLETE, PORTAL_SUSPENDED),  # without them
    (BIND_COMPLETE, data_row(int4(1)), PORTAL_SUSPENDED),
    (BIND_COMPLETE, message("s", b"x")),
    (BIND_COMPLETE, BIND_COMPLETE),
    (data_row(int4(1)),),
    (CLOSE_COMPLETE,),
]


@pytest.mark.parametrize("messages", OPENED)
@at_every_split
def test_a_malformed_answer(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    answer = fetch(talk, ALL, 2)
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()


@pytest.mark.parametrize("messages", [each[1:] for each in OPENED[:4]] + [OPENED[5], OPENED[7]])
@at_every_split
def test_a_malformed_continuation(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    answer = fetch(talk, ALL, 2, opens=False)
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()


@pytest.mark.parametrize(
    "message", [data_row(int4(1)), command_complete("SELECT 0"), PORTAL_SUSPENDED]
)
@at_every_split
def test_rows_that_nobody_asked_for(talk: Conversation, message: bytes) -> None:
    fetch(talk, ALL, -1)
    with pytest.raises(ProtocolError):
        talk.server(BIND_COMPLETE, message)


@at_every_split
def test_close_refused(talk: Conversation) -> None:
    closed = talk.submit(ClosePortal(None, b"p1"))
    talk.server(error_response("34000", "no such portal"), ready_for_query())
    assert isinstance(closed.error, InvalidCursorNameError)
