"""Several Binds and Executes under one Sync, against a script."""

from __future__ import annotations

import pytest
from conversation import Answer, Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    EMPTY_QUERY_RESPONSE,
    INT4,
    PORTAL_SUSPENDED,
    TEXT,
    command_complete,
    copy_response,
    data_row,
    error_response,
    int4,
    message,
    ready_for_query,
)

from pgallop.errors import (
    CommitNotReplicated,
    ConnectionDoesNotExistError,
    DataError,
    DivisionByZeroError,
    ForeignKeyViolationError,
    InterfaceError,
    ProtocolError,
    SyntaxOrAccessError,
)
from pgallop.session.execute import Execute
from pgallop.session.pipeline import Pipeline
from pgallop.session.statement import Statement

BY_ID = statement(
    "SELECT id, name FROM users WHERE id < $1", (INT4,), (("id", INT4), ("name", TEXT))
)
ALL = statement("SELECT id FROM users", (), (("id", INT4),), b"s2")
INSERT = statement("INSERT INTO users VALUES ($1, $2)", (INT4, TEXT), (), b"s3")
EMPTY = statement("", name=b"s4")
COMMIT = statement("COMMIT", name=b"s5")

# A statement, its arguments, and perhaps whether one row is enough.
Call = tuple[Statement, tuple[object, ...]] | tuple[Statement, tuple[object, ...], bool]


def pipeline(talk: Conversation, *calls: Call) -> Answer:
    executes = [Execute(None, each, arguments, bool(rest)) for each, arguments, *rest in calls]
    return talk.submit(Pipeline(None, executes))


def kinds(lines: list[str]) -> list[str]:
    return [line.split()[1] for line in lines]


def inserted(number: int = 1) -> tuple[bytes, ...]:
    return BIND_COMPLETE, command_complete(f"INSERT 0 {number}")


@at_every_split
def test_three_statements(talk: Conversation) -> None:
    answer = pipeline(talk, (INSERT, (1, "Ada")), (BY_ID, (9,)), (ALL, ()))
    assert talk.written() == [
        "F Bind portal='' statement='s3' formats=[1] values=[4 bytes, 3 bytes] results=[]",
        "F Execute portal='' max_rows=0",
        "F Bind portal='' statement='s1' formats=[1] values=[4 bytes] results=[1]",
        "F Execute portal='' max_rows=0",
        "F Bind portal='' statement='s2' formats=[] values=[] results=[1]",
        "F Execute portal='' max_rows=0",
        "F Sync",
    ]
    talk.server(*inserted())
    assert answer.request.answered == 1
    talk.server(BIND_COMPLETE, data_row(int4(1), b"Ada"), data_row(int4(2), None))
    talk.server(command_complete("SELECT 2"))
    talk.server(BIND_COMPLETE, data_row(int4(7)), command_complete("SELECT 1"))
    assert not answer.done()
    talk.server(ready_for_query())
    assert answer.result is None
    request = answer.request
    assert request.answers() == [
        ([], b"INSERT 0 1", None),
        ([(1, "Ada"), (2, None)], b"SELECT 2", None),
        ([(7,)], b"SELECT 1", None),
    ]
    assert (request.answered, request.refusal, request.status) == (3, None, ord("I"))
    assert not talk.session.requests


@at_every_split
def test_one_statement(talk: Conversation) -> None:
    answer = pipeline(talk, (ALL, ()))
    alone = talk.written_bytes()
    talk.server(BIND_COMPLETE, data_row(int4(7)), command_complete("SELECT 1"), ready_for_query())
    assert answer.request.answers() == [([(7,)], b"SELECT 1", None)]
    other = talk.execute(ALL)
    assert talk.written_bytes() == alone
    talk.server(BIND_COMPLETE, command_complete("SELECT 0"), ready_for_query())
    assert other.result == ([], b"SELECT 0")


@at_every_split
def test_first_rows_and_empty_statements(talk: Conversation) -> None:
    answer = pipeline(talk, (ALL, (), True), (EMPTY, ()), (ALL, (), True))
    assert [line for line in talk.written() if "Execute" in line] == [
        "F Execute portal='' max_rows=1",
        "F Execute portal='' max_rows=0",
        "F Execute portal='' max_rows=1",
    ]
    one = (BIND_COMPLETE, data_row(int4(7)), PORTAL_SUSPENDED)
    talk.server(*one, BIND_COMPLETE, EMPTY_QUERY_RESPONSE, *one, ready_for_query("T"))
    assert answer.request.answers() == [([(7,)], b"", None), ([], b"", None), ([(7,)], b"", None)]
    assert answer.request.status == ord("T")


@at_every_split
def test_neighbours(talk: Conversation) -> None:
    before = talk.execute(ALL)
    answer = pipeline(talk, (ALL, ()), (ALL, ()))
    after = talk.execute(ALL)
    row = (BIND_COMPLETE, data_row(int4(1)), command_complete("SELECT 1"))
    talk.server(*row, ready_for_query("T"))
    talk.server(*row, error_response("22012", "division by zero"), ready_for_query("E"))
    talk.server(error_response("25P02", "aborted"), ready_for_query("E"))
    assert len(before.result[0]) == 1
    assert isinstance(answer.error, DivisionByZeroError)
    assert answer.request.status_before == ord("T")
    assert answer.request.status == ord("E")
    assert after.error.__cause__ is answer.error


# --- errors ---------------------------------------------------------------------------------------


@at_every_split
def test_refused_in_bind(talk: Conversation) -> None:
    answer = pipeline(talk, (ALL, ()), (BY_ID, (1,)), (ALL, ()))
    talk.server(BIND_COMPLETE, data_row(int4(1)), command_complete("SELECT 1"))
    talk.server(error_response("22P03", "incorrect binary data format"))
    assert not answer.done()
    talk.server(ready_for_query())
    request = answer.request
    assert answer.error is request.refusal
    assert answer.error.query == BY_ID.query
    assert (request.answered, request.bound) == (1, False)


@at_every_split
def test_refused_in_execute(talk: Conversation) -> None:
    answer = pipeline(talk, (BY_ID, (1,)), (ALL, ()))
    talk.server(BIND_COMPLETE, data_row(int4(1), None), error_response("22012", "zero"))
    talk.server(error_response("57014", "a second one"), ready_for_query())
    assert isinstance(answer.error, DivisionByZeroError)
    assert answer.request.refusal is answer.error
    assert (answer.request.answered, answer.request.bound) == (0, True)
    assert answer.request.answers() == []


@at_every_split
def test_refused_at_the_sync(talk: Conversation) -> None:
    """A deferred constraint: every statement had looked like a success."""
    answer = pipeline(talk, (INSERT, (1, "Ada")), (INSERT, (2, None)))
    talk.server(*inserted(), *inserted())
    assert not answer.done()
    talk.server(error_response("23503", "no such group"), ready_for_query())
    assert isinstance(answer.error, ForeignKeyViolationError)
    assert answer.error.query is None
    assert answer.request.answered == 2


@at_every_split
def test_a_cancellation_meant_for_another(talk: Conversation) -> None:
    answer = pipeline(talk, (ALL, ()), (ALL, ()))
    talk.send()
    talk.session.expose()
    talk.server(BIND_COMPLETE, error_response("57014", "canceling"), ready_for_query())
    assert answer.error.sqlstate == "57014"
    assert type(answer.error).__name__ == "CollateralCancelError"
    assert answer.request.refusal is answer.error.__cause__


@at_every_split
def test_a_commit_that_no_standby_has_confirmed(talk: Conversation) -> None:
    answer = pipeline(talk, (INSERT, (1, "Ada")), (INSERT, (2, "Grace")))
    warning = error_response("01000", "canceling wait", "WARNING", R="SyncRepWaitForLSN")
    notice = message("N", warning[5:])
    talk.server(*inserted(), *inserted(), notice, ready_for_query())
    assert isinstance(answer.error, CommitNotReplicated)
    assert answer.request.refusal is None
    assert answer.request.answered == 2
    # In the middle it is the COMMIT's.
    answer = pipeline(talk, (EMPTY, ()), (COMMIT, ()), (EMPTY, ()))
    empty = (BIND_COMPLETE, EMPTY_QUERY_RESPONSE)
    talk.server(*empty, BIND_COMPLETE, notice, command_complete("COMMIT"), *empty)
    talk.server(ready_for_query())
    assert answer.result is None
    errors = [error for _, _, error in answer.request.answers()]
    assert [type(error) for error in errors] == [type(None), CommitNotReplicated, type(None)]


@at_every_split
def test_rows_that_python_cannot_hold(talk: Conversation) -> None:
    """They are their statement's trouble; the others have theirs, and the server knows of none."""
    answer = pipeline(talk, (BY_ID, (9,)), (ALL, ()))
    talk.server(BIND_COMPLETE, data_row(int4(1), b"\xff"), data_row(int4(1), b"\xff"))
    talk.server(command_complete("SELECT 2"))
    talk.server(BIND_COMPLETE, data_row(int4(7)), command_complete("SELECT 1"), ready_for_query())
    assert answer.result is None
    (_, _, error), (rows, _, none) = answer.request.answers()
    assert isinstance(error, DataError)
    assert none is None
    assert rows == [(7,)]


@pytest.mark.parametrize(
    ("arguments", "kind", "words"),
    [
        ((1,), InterfaceError, "statement 2 of 3: the query expects 2 arguments, 1 given"),
        ((1, 2), DataError, r"statement 2 of 3: invalid input for query argument \$2 \(text\)"),
        (
            (2**31, ""),
            DataError,
            r"statement 2 of 3: invalid input for query argument \$1 \(int4\)",
        ),
    ],
)
@at_every_split
def test_arguments_that_do_not_fit(
    talk: Conversation, arguments: tuple[object, ...], kind: type[Exception], words: str
) -> None:
    executes = [Execute(None, *call) for call in ((ALL, ()), (INSERT, arguments), (ALL, ()))]
    request = Pipeline(Answer(), executes)
    with pytest.raises(kind, match=words) as raised:
        talk.session.submit(request)
    assert isinstance(raised.value.__cause__, kind)
    assert request.culprit == 1
    assert talk.written_bytes() == b""
    assert not talk.session.requests


@at_every_split
def test_arguments_that_do_not_fit_are_found_late(talk: Conversation) -> None:
    copy = talk.execute(statement("COPY t FROM STDIN", name=b"copy"))
    answer = pipeline(talk, (ALL, ()), (INSERT, ("one", "Ada")))
    assert kinds(talk.written()) == ["Bind", "Execute", "Sync"]
    talk.server(BIND_COMPLETE, command_complete("COPY 0"), ready_for_query())
    assert copy.result == ([], b"COPY 0")
    assert isinstance(answer.error, DataError)
    assert answer.request.culprit == 1
    assert answer.request.position < 0
    assert talk.written_bytes() == b""


# --- the caller goes, BEGIN comes along, the connection goes --------------------------------------


@at_every_split
def test_the_caller_goes(talk: Conversation) -> None:
    answer = pipeline(talk, (BY_ID, (9,)), (ALL, ()))
    stays = talk.execute(ALL)
    talk.abandon(answer)
    talk.server(BIND_COMPLETE, message("D", b"not even read"), command_complete("SELECT 1"))
    talk.server(BIND_COMPLETE, error_response("57014", "canceling"), ready_for_query())
    talk.server(BIND_COMPLETE, command_complete("SELECT 0"), ready_for_query())
    assert not answer.done()
    assert answer.request.finished
    assert answer.request.answered == 1
    assert stays.result == ([], b"SELECT 0")


@at_every_split
def test_begin_comes_along(talk: Conversation) -> None:
    request = Pipeline(None, [Execute(None, ALL, ()), Execute(None, ALL, ())])
    request.carry("BEGIN ISOLATION LEVEL SERIALIZABLE")
    answer = talk.submit(request)
    expected = ["Parse", "Bind", "Execute", "Bind", "Execute", "Bind", "Execute", "Sync"]
    assert kinds(talk.written()) == expected
    talk.server(message("1"), BIND_COMPLETE, command_complete("BEGIN"))
    talk.server(BIND_COMPLETE, command_complete("SELECT 0"))
    talk.server(BIND_COMPLETE, command_complete("SELECT 0"), ready_for_query("T"))
    assert answer.result is None
    assert request.begun
    assert len(request.answers()) == 2


@pytest.mark.parametrize("answered", [0, 1, 2])
@at_every_split
def test_begin_fails(talk: Conversation, answered: int) -> None:
    request = Pipeline(None, [Execute(None, ALL, ()), Execute(None, ALL, ())])
    request.carry("BEGIN")
    answer = talk.submit(request)
    talk.server(*(message("1"), BIND_COMPLETE)[:answered])
    talk.server(error_response("42601", "syntax error"), ready_for_query())
    assert isinstance(answer.error, SyntaxOrAccessError)
    assert answer.error.query is None
    assert not request.begun
    assert request.answers() == []


@at_every_split
def test_the_connection_is_lost(talk: Conversation) -> None:
    answer = pipeline(talk, (INSERT, (1, "Ada")), (INSERT, (2, "Grace")))
    talk.server(*inserted())
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(answer.error, ConnectionDoesNotExistError)
    assert not answer.error.safe_to_retry
    assert (answer.request.answered, answer.request.status) == (1, 0)


# --- servers that lie -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        (ready_for_query(),),
        (command_complete("SELECT 0"),),
        (data_row(int4(1)),),
        (BIND_COMPLETE, BIND_COMPLETE),
        (BIND_COMPLETE, ready_for_query()),
        (BIND_COMPLETE, copy_response("G")),
        (BIND_COMPLETE, copy_response("H")),
        (*inserted(), ready_for_query()),  # the second one was not answered
        (*inserted(), command_complete("SELECT 0")),
        (*inserted(), data_row(int4(1))),
        (*inserted(), BIND_COMPLETE, data_row()),
        (*inserted(), BIND_COMPLETE, data_row(int4(1), int4(2))),
        (*inserted(), BIND_COMPLETE, message("C", b"SELECT 1")),
        (*inserted(), BIND_COMPLETE, message("C", b"SELECT 1\0x")),
        (*inserted(), BIND_COMPLETE, message("s", b"x")),
        (*inserted(), message("2", b"x")),
        (*inserted(), *inserted(), BIND_COMPLETE),  # a third one was not asked for
        (*inserted(), *inserted(), command_complete("SELECT 0")),
        (*inserted(), *inserted(), data_row(int4(1))),
        (error_response("22012", "zero"), BIND_COMPLETE),
    ],
)
@at_every_split
def test_a_malformed_answer(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    answer = pipeline(talk, (INSERT, (1, "Ada")), (ALL, ()))
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()
