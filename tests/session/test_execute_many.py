"""Bind and Execute for many rows of arguments, in pieces, against a script."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from conversation import Answer, Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
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
    ConnectionDoesNotExistError,
    DataError,
    DivisionByZeroError,
    ForeignKeyViolationError,
    InterfaceError,
    ProtocolError,
    SyntaxOrAccessError,
)
from pgallop.session.execute_many import PIECE, ExecuteMany
from pgallop.session.statement import Statement

INSERT = statement("INSERT INTO users VALUES ($1, $2)", (INT4, TEXT))
RETURNING = statement("SELECT $1", (INT4,), (("n", INT4),))
UNNAMED = statement("SELECT $1", (INT4,), (("n", INT4),), b"")
EMPTY = statement("")

INSERTED = (BIND_COMPLETE, command_complete("INSERT 0 1"))
LARGE = "x" * PIECE


def many(
    talk: Conversation, each: Statement, *rows: object, keeps: bool = True
) -> tuple[ExecuteMany, Answer, Iterator[Any]]:
    request, more = ExecuteMany(None, each, keeps), iter(rows)
    request.fill(more)
    return request, talk.submit(request), more


def write_on(talk: Conversation, request: ExecuteMany, more: Iterator[Any]) -> None:
    request.fill(more)
    talk.session.write_on(request, request.piece())


def names(lines: list[str]) -> list[str]:
    return [line.split()[1] for line in lines]


def returned(n: int) -> tuple[bytes, ...]:
    return BIND_COMPLETE, data_row(int4(n)), command_complete("SELECT 1")


@at_every_split
def test_two_rows(talk: Conversation) -> None:
    _, answer, _ = many(talk, INSERT, (1, "Ada"), [2, None])
    assert talk.written() == [
        "F Bind portal='' statement='s1' formats=[1] values=[4 bytes, 3 bytes] results=[]",
        "F Execute portal='' max_rows=0",
        "F Bind portal='' statement='s1' formats=[1] values=[4 bytes, NULL] results=[]",
        "F Execute portal='' max_rows=0",
        "F Sync",
    ]
    talk.server(*INSERTED, *INSERTED)
    assert not answer.done()
    talk.server(ready_for_query())
    assert answer.result == ([], b"INSERT 0 1")


@pytest.mark.parametrize("keeps", [True, False])
@at_every_split
def test_the_rows_of_all(talk: Conversation, keeps: bool) -> None:
    _, answer, _ = many(talk, RETURNING, (1,), (2,), keeps=keeps)
    talk.server(*returned(10), *returned(20), ready_for_query())
    assert answer.result == ([(10,), (20,)] if keeps else [], b"SELECT 1")


@at_every_split
def test_without_a_name(talk: Conversation) -> None:
    _, answer, _ = many(talk, UNNAMED, (1,), (2,))
    assert names(talk.written()) == [
        *("Parse", "Bind", "Describe", "Execute"),
        *("Bind", "Execute", "Sync"),
    ]
    described = row_description(("n", INT4))
    talk.server(PARSE_COMPLETE, BIND_COMPLETE, described, data_row(int4(10)))
    talk.server(command_complete("SELECT 1"), *returned(20), ready_for_query())
    assert answer.result[0] == [(10,), (20,)]


@at_every_split
def test_empty_statements(talk: Conversation) -> None:
    _, answer, _ = many(talk, EMPTY, (), ())
    talk.server(*(BIND_COMPLETE, EMPTY_QUERY_RESPONSE) * 2, ready_for_query())
    assert answer.result == ([], b"")


@at_every_split
def test_nothing_comes_between_the_pieces(talk: Conversation) -> None:
    request, answer, more = many(talk, INSERT, (1, LARGE), (2, LARGE), (3, ""))
    other = talk.execute(EMPTY)
    assert names(talk.written()) == ["Bind", "Execute"]
    talk.server(*INSERTED)  # all that was written is answered
    write_on(talk, request, more)
    write_on(talk, request, more)
    assert names(talk.written()) == ["Bind", "Execute"] * 2 + ["Sync", "Bind", "Execute", "Sync"]
    talk.server(*INSERTED, *INSERTED, ready_for_query())
    talk.server(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query())
    assert answer.result == ([], b"INSERT 0 1")
    assert other.result == ([], b"")


def test_room() -> None:
    """Who writes on is told when what was written has left."""
    talk = Conversation()
    request, _, _ = many(talk, INSERT, (1, LARGE), (2, LARGE))
    request.room = Answer()
    assert talk.session.has_room(request)
    assert not request.room.done()
    talk.send()
    assert request.room.done()


def test_room_when_the_output_is_full() -> None:
    talk = Conversation()
    request, _, more = many(talk, INSERT, *[(n, LARGE) for n in range(9)])
    written = 0
    while talk.session.has_room(request):
        write_on(talk, request, more)
        written += 1
    assert written < 5
    talk.send()
    assert talk.session.has_room(request)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((1,), InterfaceError, r"args\[1\]: the query expects 2 arguments, 1 given"),
        ((1, 2), DataError, r"args\[1\]: invalid input for query argument \$2 \(text\)"),
        ("ab", InterfaceError, r"args\[1\]: expected a sequence of arguments, got 'ab' \(str\)"),
        ({1: 2}, InterfaceError, r"args\[1\]: expected a sequence"),
        ({1, 2}, InterfaceError, r"args\[1\]: expected a sequence"),
        (iter((1, "")), InterfaceError, r"args\[1\]: expected a sequence"),
        (5, InterfaceError, r"args\[1\]: expected a sequence of arguments, got 5 \(int\)"),
    ],
)
def test_arguments_that_do_not_fit(arguments: object, kind: type[Exception], words: str) -> None:
    talk = Conversation()
    request = ExecuteMany(None, INSERT, False)
    with pytest.raises(kind, match=words):
        request.fill(iter([(1, "Ada"), arguments]))
    assert request.culprit == 1
    assert talk.written_bytes() == b""


@at_every_split
def test_one_of_them_fails(talk: Conversation) -> None:
    _, answer, _ = many(talk, INSERT, (1, ""), (2, ""), (3, ""))
    talk.server(*INSERTED, BIND_COMPLETE, error_response("22012", "zero"), ready_for_query())
    assert isinstance(answer.error, DivisionByZeroError)
    assert answer.error.__notes__ == ["in the execution with args[1]"]


@at_every_split
def test_the_sync_fails(talk: Conversation) -> None:
    _, answer, _ = many(talk, INSERT, (1, ""), (2, ""))
    talk.server(*INSERTED, *INSERTED, error_response("23503", "no group"), ready_for_query())
    assert isinstance(answer.error, ForeignKeyViolationError)
    assert not hasattr(answer.error, "__notes__")


@pytest.mark.parametrize("answered", [0, 1, 2])
@at_every_split
def test_begin_fails(talk: Conversation, answered: int) -> None:
    request = ExecuteMany(None, INSERT, False)
    request.fill(iter([(1, "")]))
    answer = talk.begin(request)
    talk.server(*(message("1"), BIND_COMPLETE)[:answered])
    talk.server(error_response("42601", "syntax error"), ready_for_query())
    assert isinstance(answer.error, SyntaxOrAccessError)
    assert not hasattr(answer.error, "__notes__")


@at_every_split
def test_parse_fails(talk: Conversation) -> None:
    _, answer, _ = many(talk, UNNAMED, (1,))
    talk.server(error_response("42601", "syntax error"), ready_for_query())
    assert isinstance(answer.error, SyntaxOrAccessError)
    assert not hasattr(answer.error, "__notes__")


@at_every_split
def test_an_error_in_the_middle_of_writing(talk: Conversation) -> None:
    """The rest is not written, only the Sync."""
    request, answer, _ = many(talk, INSERT, (1, LARGE), (2, LARGE))
    request.room = Answer()
    talk.server(BIND_COMPLETE, error_response("22012", "zero"))
    assert request.room.done()
    talk.written()
    talk.session.break_off(request)
    assert names(talk.written()) == ["Sync"]
    talk.server(ready_for_query())
    assert isinstance(answer.error, DivisionByZeroError)


@pytest.mark.parametrize("answered", [0, 1, 2])
@at_every_split
def test_broken_off(talk: Conversation, answered: int) -> None:
    """An error of ours, which the server answers by its own, undoes what was sent."""
    request, answer, _ = many(talk, INSERT, (1, LARGE), (2, LARGE))
    talk.written()
    talk.server(*INSERTED[:answered])
    request.fail(DataError("no such luck"))
    talk.session.break_off(request)
    assert names(talk.written()) == ["Parse", "Sync"]
    talk.server(*INSERTED[answered:], error_response("42601", "syntax error"), ready_for_query("E"))
    assert str(answer.error) == "no such luck"
    assert talk.session.failure is answer.error


@at_every_split
def test_the_caller_goes(talk: Conversation) -> None:
    request, answer, _ = many(talk, INSERT, (1, LARGE), (2, LARGE))
    request.room = Answer()
    other = talk.execute(EMPTY)
    talk.written()
    talk.abandon(answer)
    assert request.room.done()
    assert names(talk.written()) == ["Parse", "Sync", "Bind", "Execute", "Sync"]
    talk.server(*INSERTED, error_response("42601", "syntax error"), ready_for_query())
    talk.server(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query())
    assert not answer.done()
    assert other.result == ([], b"")


@at_every_split
def test_the_caller_goes_before_anything_was_sent(talk: Conversation) -> None:
    request, answer, _ = many(talk, INSERT, (1, LARGE), (2, LARGE))
    other = talk.execute(EMPTY)
    assert talk.session.discard(request)
    assert names(talk.written()) == ["Bind", "Execute", "Sync"]
    talk.server(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query())
    assert not answer.done()
    assert other.result == ([], b"")


@at_every_split
def test_a_neighbour_goes_before_the_last_piece_was_sent(talk: Conversation) -> None:
    """What is dropped stands behind a piece of a request of which an other was sent."""
    request, answer, more = many(talk, INSERT, (1, LARGE), (2, ""))
    assert names(talk.written()) == ["Bind", "Execute"]
    write_on(talk, request, more)
    gone, stays = talk.execute(EMPTY), talk.execute(EMPTY)
    assert talk.session.discard(gone.request)
    assert names(talk.written()) == ["Bind", "Execute", "Sync", "Bind", "Execute", "Sync"]
    talk.server(*INSERTED, *INSERTED, ready_for_query())
    talk.server(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query())
    assert answer.result == ([], b"INSERT 0 1")
    assert stays.result == ([], b"")


@at_every_split
def test_the_connection_is_lost(talk: Conversation) -> None:
    request, answer, more = many(talk, INSERT, (1, LARGE), (2, LARGE))
    request.room = Answer()
    talk.written()
    talk.server(*INSERTED)
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(answer.error, ConnectionDoesNotExistError)
    assert request.room.done()
    write_on(talk, request, more)  # which nobody takes
    talk.session.break_off(request)
    assert talk.written_bytes() == b""


# --- servers that lie -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        (ready_for_query(),),
        (command_complete("SELECT 0"),),
        (PARSE_COMPLETE,),
        (BIND_COMPLETE, BIND_COMPLETE),
        (BIND_COMPLETE, ready_for_query()),
        (BIND_COMPLETE, PORTAL_SUSPENDED),
        (BIND_COMPLETE, NO_DATA),
        (BIND_COMPLETE, copy_response("G")),
        (BIND_COMPLETE, copy_response("H")),
        (BIND_COMPLETE, data_row(int4(1))),  # INSERT returns none
        (*INSERTED, BIND_COMPLETE),  # a second one was not written yet
        (*INSERTED, ready_for_query()),  # and no Sync
        (error_response("22012", "zero"), ready_for_query()),
        (BIND_COMPLETE, message("C", b"INSERT 0 1")),
        (BIND_COMPLETE, message("C", b"INSERT 0 1\0x")),
        (message("2", b"x"),),
    ],
)
@pytest.mark.parametrize("keeps", [True, False])
@at_every_split
def test_a_malformed_answer(talk: Conversation, keeps: bool, messages: tuple[bytes, ...]) -> None:
    _, answer, _ = many(talk, INSERT, (1, LARGE), (2, LARGE), keeps=keeps)
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()


@pytest.mark.parametrize("messages", [(ready_for_query(),), (PARSE_COMPLETE,), INSERTED])
@at_every_split
def test_a_commit_of_what_was_broken_off(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    request, answer, _ = many(talk, INSERT, (1, LARGE), (2, LARGE))
    talk.server(*INSERTED)
    talk.session.break_off(request)
    with pytest.raises(ProtocolError):
        talk.server(*messages, ready_for_query())
    assert not answer.done()


@pytest.mark.parametrize(
    ("tags", "affected"),
    [
        (("INSERT 0 1", "INSERT 0 12"), 13),
        (("UPDATE 0", "UPDATE 5"), 5),
        (("CREATE TABLE", "DO"), 0),
        (("", "7"), 0),
        (("UPDATE 999999999999999999",) * 20, 20 * (10**18 - 1)),  # more than any integer in C
        (("UPDATE 9999999999999999999", "UPDATE 1"), 1),  # no count that the server has
        (("UPDATE -1", "UPDATE x1"), 0),
        (("\N{SUPERSCRIPT TWO}", "UPDATE \N{SUPERSCRIPT TWO}"), 0),
    ],
)
@at_every_split
def test_how_many_rows_it_was_about(
    talk: Conversation, tags: tuple[str, ...], affected: int
) -> None:
    request, answer, _ = many(talk, INSERT, *[(1, "Ada")] * len(tags))
    for tag in tags:
        talk.server(BIND_COMPLETE, command_complete(tag))
    talk.server(ready_for_query())
    assert answer.result == ([], tags[-1].encode())
    assert request.affected == affected
