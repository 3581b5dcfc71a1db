"""Parse, Describe, Sync, against a script."""

from __future__ import annotations

import pytest
from conversation import Conversation, at_every_split
from scripts import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    TEXT,
    error_response,
    message,
    parameter_description,
    ready_for_query,
    row_description,
)

from pgallop.errors import (
    InterfaceError,
    PostgresSyntaxError,
    ProtocolError,
    UndefinedTableError,
)
from pgallop.wire.backend import Field

QUERY = "SELECT id, name FROM users WHERE id = $1"

DESCRIBED = (
    PARSE_COMPLETE,
    parameter_description(INT4),
    row_description(("id", INT4), ("name", TEXT)),
    ready_for_query(),
)


@at_every_split
def test_a_query(talk: Conversation) -> None:
    answer = talk.prepare(QUERY, b"s1")
    assert talk.written_bytes() == (
        b"P\0\0\0\x32s1\0SELECT id, name FROM users WHERE id = $1\0\0\0D\0\0\0\x08Ss1\0S\0\0\0\x04"
    )
    talk.server(*DESCRIBED)
    statement = answer.result
    assert (statement.query, statement.name) == (QUERY, b"s1")
    assert [codec.oid for codec in statement.parameters] == [INT4]
    assert statement.columns == (
        Field("id", 0, 0, INT4, -1, -1, 1),
        Field("name", 0, 0, TEXT, -1, -1, 1),
    )
    assert not statement.alone
    assert not talk.session.requests


@at_every_split
def test_a_statement_without_arguments_and_rows(talk: Conversation) -> None:
    answer = talk.prepare("CREATE TABLE t ()")
    talk.server(PARSE_COMPLETE, parameter_description(), NO_DATA, ready_for_query())
    statement = answer.result
    assert (statement.parameters, statement.columns) == ((), ())
    assert statement.decoder is None


@at_every_split
def test_a_query_of_no_columns(talk: Conversation) -> None:
    answer = talk.prepare("SELECT")
    talk.server(PARSE_COMPLETE, parameter_description(), row_description(), ready_for_query())
    assert answer.result.columns == ()


@at_every_split
def test_statements_that_are_closed_on_the_way(talk: Conversation) -> None:
    answer = talk.prepare(QUERY, b"s4", closes=(b"s1", b"s2"))
    assert talk.written() == [
        "F Close statement='s1'",
        "F Close statement='s2'",
        f"F Parse statement='s4' sql='{QUERY}' types=[]",
        "F Describe statement='s4'",
        "F Sync",
    ]
    talk.server(CLOSE_COMPLETE, CLOSE_COMPLETE, *DESCRIBED)
    assert answer.result.name == b"s4"


@at_every_split
def test_a_syntax_error(talk: Conversation) -> None:
    answer = talk.prepare("SELECT * FRM users")
    talk.server(error_response("42601", 'syntax error at or near "FRM"', P="10"), ready_for_query())
    error = answer.error
    assert isinstance(error, PostgresSyntaxError)
    assert str(error) == (
        'syntax error at or near "FRM"\nLINE 1: SELECT * FRM users\n                 ^'
    )
    assert not talk.session.requests


@pytest.mark.parametrize("before", range(3))
@at_every_split
def test_an_error_at_each_place(talk: Conversation, before: int) -> None:
    answer = talk.prepare(QUERY)
    talk.server(*DESCRIBED[:before], error_response("42P01", "no such table"))
    assert not answer.done()
    talk.server(ready_for_query("E"))
    assert isinstance(answer.error, UndefinedTableError)
    assert answer.error.query == QUERY
    assert answer.request.status == ord("E")


@at_every_split
def test_an_error_at_the_end(talk: Conversation) -> None:
    """ReadyForQuery alone is success."""
    answer = talk.prepare(QUERY)
    talk.server(*DESCRIBED[:-1], error_response("42P01", "gone"), ready_for_query())
    assert isinstance(answer.error, UndefinedTableError)


@at_every_split
def test_of_two_errors_the_first_counts(talk: Conversation) -> None:
    answer = talk.prepare(QUERY)
    talk.server(
        error_response("42P01", "first"), error_response("42601", "second"), ready_for_query()
    )
    assert answer.error.message == "first"


@at_every_split
def test_a_query_that_cannot_be_sent(talk: Conversation) -> None:
    for query in ("SELECT '\0'", "SELECT '\ud800'"):
        with pytest.raises(InterfaceError, match="the query"):
            talk.prepare(query, closes=(b"s0",))
    assert talk.written_bytes() == b""
    assert not talk.session.requests
    answer = talk.prepare(QUERY)
    talk.server(*DESCRIBED)
    assert answer.result.query == QUERY


@at_every_split
def test_copy_is_noticed(talk: Conversation) -> None:
    answer = talk.prepare("COPY t FROM STDIN")
    talk.server(PARSE_COMPLETE, parameter_description(), NO_DATA, ready_for_query())
    assert answer.result.alone


@pytest.mark.parametrize(
    "messages",
    [
        (message("1", b"x"),),
        (message("3", b"x"),),
        (PARSE_COMPLETE, message("t", b"\0\1")),
        (PARSE_COMPLETE, parameter_description(), message("n", b"x")),
        (PARSE_COMPLETE, parameter_description(), message("T", b"\0\1")),
        (PARSE_COMPLETE, parameter_description(), NO_DATA, message("Z", b"")),
        (PARSE_COMPLETE, parameter_description(), NO_DATA, message("Z", b"II")),
        (message("E", b"Sx"),),
        (BIND_COMPLETE,),
        (PARSE_COMPLETE, PARSE_COMPLETE),
    ],
)
@at_every_split
def test_a_malformed_answer(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    answer = talk.prepare(QUERY)
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()


@at_every_split
def test_more_statements_closed_than_were_to_be(talk: Conversation) -> None:
    talk.prepare(QUERY, b"s4", closes=(b"s1",))
    with pytest.raises(ProtocolError, match="closed a statement that was not to be closed"):
        talk.server(CLOSE_COMPLETE, CLOSE_COMPLETE, *DESCRIBED)
