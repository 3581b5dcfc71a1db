"""Query, with one or several statements, against a script."""

from __future__ import annotations

import pytest
from conversation import Conversation, at_every_split
from scripts import (
    EMPTY_QUERY_RESPONSE,
    INT4,
    command_complete,
    data_row,
    error_response,
    int4,
    message,
    ready_for_query,
    row_description,
)

from pgallop.errors import InterfaceError, PostgresSyntaxError, ProtocolError, UniqueViolationError
from pgallop.session.simple import SimpleQuery

ROW = (row_description(("id", INT4)), data_row(int4(1)), data_row(int4(2)))


@at_every_split
def test_one_statement(talk: Conversation) -> None:
    answer = talk.simple("CREATE TABLE grüße ()")
    assert talk.written_bytes() == b"Q\0\0\0\x1cCREATE TABLE gr\xc3\xbc\xc3\x9fe ()\0"
    talk.server(command_complete("CREATE TABLE"), ready_for_query())
    assert answer.result == "CREATE TABLE"
    assert not talk.session.requests


@at_every_split
def test_rows_are_dropped(talk: Conversation) -> None:
    answer = talk.simple("SELECT id FROM users")
    talk.server(*ROW, command_complete("SELECT 2"), ready_for_query())
    assert answer.result == "SELECT 2"


@at_every_split
def test_several_statements(talk: Conversation) -> None:
    answer = talk.simple("BEGIN; SELECT id FROM users; SELECT; INSERT ...")
    talk.server(command_complete("BEGIN"))
    talk.server(*ROW, command_complete("SELECT 2"))
    talk.server(row_description(), data_row(), command_complete("SELECT 1"))
    talk.server(command_complete("INSERT 0 5"))
    assert not answer.done()
    talk.server(ready_for_query("T"))
    assert answer.result == "INSERT 0 5"
    assert answer.request.status == ord("T")


@at_every_split
def test_nothing(talk: Conversation) -> None:
    answer = talk.simple("")
    assert talk.written() == ["F Query sql=''"]
    talk.server(EMPTY_QUERY_RESPONSE, ready_for_query())
    assert answer.result == ""


@at_every_split
def test_an_answer_of_nothing_at_all(talk: Conversation) -> None:
    """Poolers answer so what they keep for themselves."""
    answer = talk.simple("SET x = 1")
    talk.server(ready_for_query())
    assert answer.result == ""


@at_every_split
def test_a_syntax_error(talk: Conversation) -> None:
    answer = talk.simple("SELECT 1; SELCT 2")
    talk.server(error_response("42601", "syntax error", P="11"), ready_for_query())
    assert isinstance(answer.error, PostgresSyntaxError)
    assert answer.error.query == "SELECT 1; SELCT 2"


@pytest.mark.parametrize("rows", range(len(ROW) + 1))
@at_every_split
def test_an_error_in_the_second_statement(talk: Conversation, rows: int) -> None:
    answer = talk.simple("INSERT ...; SELECT ...")
    talk.server(command_complete("INSERT 0 1"), *ROW[:rows])
    talk.server(error_response("23505", "duplicate"), ready_for_query("E"))
    assert isinstance(answer.error, UniqueViolationError)
    assert answer.request.status == ord("E")


@at_every_split
def test_an_error_at_the_end(talk: Conversation) -> None:
    """A deferred constraint is checked at the commit behind the last statement."""
    answer = talk.simple("INSERT ...")
    talk.server(command_complete("INSERT 0 1"), error_response("23505", "late"), ready_for_query())
    assert isinstance(answer.error, UniqueViolationError)


@at_every_split
def test_a_query_that_cannot_be_sent(talk: Conversation) -> None:
    for query in ("SELECT 1;\0", "\ud800"):
        with pytest.raises(InterfaceError, match="the query"):
            talk.simple(query)
    assert talk.written_bytes() == b""
    assert not talk.session.requests


@pytest.mark.parametrize(
    "messages",
    [
        (message("C", b"SELECT"),),
        (message("C", b"SELECT\0\0"),),
        (data_row(int4(1)),),
        (*ROW, row_description()),
        (*ROW, ready_for_query()),
        (message("E", b""),),
        (error_response("22012", "division by zero"), command_complete("SELECT 1")),
    ],
)
@at_every_split
def test_a_malformed_answer(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    answer = talk.simple("SELECT 1")
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()


@pytest.mark.parametrize(
    ("sent", "shown"),
    [("11", "4"), ("8", "1"), ("1", "1"), ("0", "0"), ("x", "x"), ("٣", "٣"), ("9" * 5000, None)],
)
def test_positions_behind_a_begin(sent: str, shown: str | None) -> None:
    """They count in what was sent; what is none stays as it is, be it longer than int() takes."""
    talk = Conversation()
    request = SimpleQuery(None, "SELEC 1")
    request.carry("BEGIN")
    answer = talk.submit(request)
    talk.server(error_response("42601", "syntax error", P=sent), ready_for_query())
    assert answer.error.position == (sent if shown is None else shown)
