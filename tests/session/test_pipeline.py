"""Several requests at once: the order of answers, neighbours, and who waits for whom."""

from __future__ import annotations

import pytest
from conversation import Answer, Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    TEXT,
    command_complete,
    copy_response,
    data_row,
    error_response,
    int2,
    int4,
    message,
    parameter_description,
    ready_for_query,
)

from pgallop.errors import (
    DataError,
    DivisionByZeroError,
    InFailedSQLTransactionError,
    InterfaceError,
    ProtocolError,
    UnsupportedClientFeatureError,
)
from pgallop.session.execute import Execute

ONE = statement("SELECT $1::int4 AS n", (INT4,), (("n", INT4),))
COPY = statement("COPY t FROM STDIN", name=b"copy")
INSERT = statement("INSERT INTO t VALUES ($1)", (TEXT,))


def row(number: int, status: str = "I") -> tuple[bytes, ...]:
    return (
        BIND_COMPLETE,
        data_row(int4(number)),
        command_complete("SELECT 1"),
        ready_for_query(status),
    )


def numbers(*answers: Answer) -> list[int]:
    return [record["n"] for answer in answers for record in answer.result[0]]


class Timer:
    """What `loop.call_later` returns."""

    def __init__(self) -> None:
        self.cancelled = 0

    def cancel(self) -> None:
        self.cancelled += 1


@at_every_split
def test_answers_come_in_order(talk: Conversation) -> None:
    first, second, third = (talk.execute(ONE, n) for n in (1, 2, 3))
    assert [line.split()[1] for line in talk.written()] == ["Bind", "Execute", "Sync"] * 3
    assert list(talk.session.requests) == [first.request, second.request, third.request]
    talk.server(*row(1))
    assert numbers(first) == [1]
    assert not second.done()
    talk.server(*row(2), *row(3))
    assert numbers(second, third) == [2, 3]
    assert talk.heads == [0]


@at_every_split
def test_kinds_of_requests_mix(talk: Conversation) -> None:
    prepared = talk.prepare("SELECT 1", b"s2", closes=(b"s0",))
    executed = talk.execute(ONE, 5)
    simple = talk.simple("BEGIN")
    again = talk.execute(ONE, 6)
    assert [line.split()[1] for line in talk.written()] == [
        *("Close", "Parse", "Describe", "Sync"),
        *("Bind", "Execute", "Sync"),
        "Query",
        *("Bind", "Execute", "Sync"),
    ]
    talk.server(CLOSE_COMPLETE, PARSE_COMPLETE, parameter_description(), NO_DATA, ready_for_query())
    talk.server(*row(5))
    talk.server(command_complete("BEGIN"), ready_for_query("T"))
    talk.server(*row(6, "T"))
    assert prepared.result.name == b"s2"
    assert numbers(executed, again) == [5, 6]
    assert simple.result == "BEGIN"
    statuses = [answer.request.status for answer in (prepared, executed, simple, again)]
    assert bytes(statuses) == b"IITT"
    assert talk.session.status == ord("T")


@pytest.mark.parametrize("failing", range(4))
@at_every_split
def test_one_fails_among_them(talk: Conversation, failing: int) -> None:
    answers = [talk.execute(ONE, n) for n in range(4)]
    for n in range(4):
        if n == failing:
            talk.server(BIND_COMPLETE, error_response("22012", "division"), ready_for_query())
        else:
            talk.server(*row(n))
    assert isinstance(answers.pop(failing).error, DivisionByZeroError)
    assert numbers(*answers) == [n for n in range(4) if n != failing]


@at_every_split
def test_one_fails_in_a_transaction(talk: Conversation) -> None:
    answers = [talk.execute(ONE, n) for n in range(4)]
    aborted = error_response("25P02", "current transaction is aborted")
    talk.server(*row(0, "T"))
    talk.server(BIND_COMPLETE, error_response("22012", "division"), ready_for_query("E"))
    talk.server(aborted, ready_for_query("E"), aborted, ready_for_query("E"))
    assert numbers(answers[0]) == [0]
    assert isinstance(answers[1].error, DivisionByZeroError)
    assert isinstance(answers[2].error, InFailedSQLTransactionError)
    assert isinstance(answers[3].error, InFailedSQLTransactionError)
    assert bytes([answer.request.status for answer in answers]) == b"TEEE"


@at_every_split
def test_one_is_asked_when_another_is_answered(talk: Conversation) -> None:
    first = talk.execute(ONE, 1)
    talk.server(*row(1)[:2])
    second = talk.execute(ONE, 2)
    talk.server(*row(1)[2:])
    third = talk.execute(ONE, 3)
    talk.server(*row(2), *row(3))
    assert numbers(first, second, third) == [1, 2, 3]


@at_every_split
def test_two_answers_to_one_question(talk: Conversation) -> None:
    answer = talk.execute(ONE, 1)
    with pytest.raises(ProtocolError, match="b'2' when nothing was asked of it"):
        talk.server(*row(1), *row(2))
    assert numbers(answer) == [1]


def test_a_thousand() -> None:
    talk = Conversation()
    answers = [talk.execute(ONE, n) for n in range(1000)]
    talk.server(*[data for n in range(1000) for data in row(n)])
    assert numbers(*answers) == list(range(1000))
    assert talk.heads == [0]


# --- callers that go ------------------------------------------------------------------------------


@pytest.mark.parametrize("gone", range(3))
@at_every_split
def test_a_caller_goes(talk: Conversation, gone: int) -> None:
    """The answer is read to its end, and what follows is not shifted."""
    answers = [talk.execute(ONE, n) for n in range(3)]
    talk.abandon(answers[gone])
    talk.server(*row(0), *row(1), *row(2))
    left = answers.pop(gone)
    assert not left.done()
    assert left.request.finished
    assert numbers(*answers) == [n for n in range(3) if n != gone]
    # Called when it becomes the head, and at the end.
    assert talk.heads == {0: [0], 1: [2, 0], 2: [1, 0]}[gone]


@at_every_split
def test_a_caller_goes_in_the_middle_of_the_rows(talk: Conversation) -> None:
    gone, stays = talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.server(BIND_COMPLETE, data_row(int4(1)))
    talk.abandon(gone)
    talk.server(data_row(int4(2)), command_complete("SELECT 2"), ready_for_query(), *row(2))
    assert not gone.done()
    assert numbers(stays) == [2]


@at_every_split
def test_rows_for_nobody_are_not_decoded(talk: Conversation) -> None:
    gone = talk.execute(ONE, 1)
    talk.abandon(gone)
    talk.server(BIND_COMPLETE, message("D", int2(99)), command_complete("SELECT 1"))
    talk.server(ready_for_query())
    assert gone.request.finished


@at_every_split
def test_the_protocol_holds_for_a_discarded_request(talk: Conversation) -> None:
    talk.abandon(talk.execute(ONE, 1))
    with pytest.raises(ProtocolError, match="illegal b'1' message"):
        talk.server(BIND_COMPLETE, PARSE_COMPLETE)


@at_every_split
def test_an_error_for_nobody(talk: Conversation) -> None:
    gone, stays = talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.abandon(gone)
    talk.server(error_response("57014", "canceling statement"), ready_for_query(), *row(2))
    assert not gone.done()
    assert numbers(stays) == [2]


@pytest.mark.parametrize("error", [(), (error_response("57014", "canceling statement"),)])
@at_every_split
def test_somebody_waits_for_the_end_of_a_discarded_request(
    talk: Conversation, error: tuple[bytes, ...]
) -> None:
    gone = talk.execute(ONE, 1)
    talk.abandon(gone)
    over = gone.request.waiter = Answer()
    talk.server(*(error or row(1)[:-1]), ready_for_query())
    assert over.result is None
    assert not gone.done()


@at_every_split
def test_a_waiter_that_was_cancelled_in_this_tick(talk: Conversation) -> None:
    gone, stays = talk.execute(ONE, 1), talk.execute(ONE, 2)
    gone.outcomes.append("cancelled")
    talk.server(*row(1), *row(2))
    assert gone.outcomes == ["cancelled"]
    assert numbers(stays) == [2]


@at_every_split
def test_timers_end_with_their_request(talk: Conversation) -> None:
    answered, gone, lost = (talk.execute(ONE, n) for n in range(3))
    timers = []
    for answer in (answered, gone, lost):
        answer.request.timer = Timer()
        timers.append(answer.request.timer)
    talk.server(*row(0))
    assert [timer.cancelled for timer in timers] == [1, 0, 0]
    talk.abandon(gone)
    assert [timer.cancelled > 0 for timer in timers] == [True, True, False]
    talk.session.lost(ConnectionResetError())
    assert [timer.cancelled > 0 for timer in timers] == [True, True, True]


# --- requests that have to be alone ---------------------------------------------------------------


def binds(lines: list[str]) -> list[str]:
    return [line.split("'")[3] for line in lines if line.startswith("F Bind")]


@at_every_split
def test_nothing_is_written_behind_a_copy(talk: Conversation) -> None:
    before = talk.execute(ONE, 1)
    copy = talk.execute(COPY)
    after = [talk.execute(ONE, 2), talk.execute(ONE, 3)]
    assert copy.request.alone
    assert binds(talk.written()) == ["s1", "copy"]
    assert list(talk.session.waiting) == [answer.request for answer in after]
    talk.server(*row(1))
    assert talk.written() == []
    talk.server(BIND_COMPLETE, error_response("42P01", "no table"), ready_for_query())
    assert binds(talk.written()) == ["s1", "s1"]
    assert not talk.session.waiting
    talk.server(*row(2), *row(3))
    assert copy.error.sqlstate == "42P01"
    assert numbers(before, *after) == [1, 2, 3]
    assert talk.heads == [0]


@at_every_split
def test_two_copies(talk: Conversation) -> None:
    requests = [COPY, ONE, COPY, ONE]
    answers = [talk.execute(each, *([7] if each is ONE else [])) for each in requests]
    done = (BIND_COMPLETE, command_complete("COPY 0"), ready_for_query())
    assert binds(talk.written()) == ["copy"]
    talk.server(*done)
    assert binds(talk.written()) == ["s1", "copy"]
    talk.server(*row(7))
    assert talk.written() == []
    talk.server(*done)
    assert binds(talk.written()) == ["s1"]
    talk.server(*row(7))
    assert numbers(answers[1], answers[3]) == [7, 7]


@at_every_split
def test_a_script_that_copies(talk: Conversation) -> None:
    talk.simple("CREATE TABLE t (); copy t from Stdin")
    waiting = talk.execute(ONE, 1)
    assert talk.written() == ["F Query sql='CREATE TABLE t (); copy t from Stdin'"]
    talk.server(command_complete("CREATE TABLE"), copy_response("G"))
    talk.server(error_response("57014", "COPY from stdin failed"), ready_for_query())
    assert [line.split()[1] for line in talk.written()] == ["CopyFail", "Bind", "Execute", "Sync"]
    talk.server(*row(1))
    assert numbers(waiting) == [1]


@at_every_split
def test_a_caller_goes_before_its_turn(talk: Conversation) -> None:
    talk.execute(COPY)
    first, second = talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.written()
    talk.abandon(first)
    talk.server(BIND_COMPLETE, command_complete("COPY 0"), ready_for_query())
    assert binds(talk.written()) == ["s1"]  # the second's
    assert first.request.finished
    assert not first.done()
    talk.server(*row(2))
    assert numbers(second) == [2]


@at_every_split
def test_an_argument_is_refused_when_its_turn_comes(talk: Conversation) -> None:
    talk.execute(COPY)
    bad, good, wrong = talk.execute(INSERT, 1), talk.execute(ONE, 2), talk.execute(ONE)
    talk.written()
    talk.server(BIND_COMPLETE, command_complete("COPY 0"), ready_for_query())
    assert isinstance(bad.error, DataError)
    assert isinstance(wrong.error, InterfaceError)
    assert binds(talk.written()) == ["s1"]
    talk.server(*row(2))
    assert numbers(good) == [2]


@at_every_split
def test_copies_are_refused_one_after_the_other(talk: Conversation) -> None:
    first = talk.execute(COPY)
    second = talk.execute(COPY)
    talk.written()
    begun = (BIND_COMPLETE, copy_response("G"))
    failed = (error_response("57014", "COPY from stdin failed"), ready_for_query())
    for answer in (first, second):
        talk.server(*begun)
        assert [line.split()[1] for line in talk.written()][-2:] == ["CopyFail", "Sync"]
        talk.server(*failed)
        assert isinstance(answer.error, UnsupportedClientFeatureError)


def test_a_request_is_submitted_when_its_predecessor_waits() -> None:
    talk = Conversation()
    talk.execute(COPY)
    request = Execute(Answer(), ONE, (1,))
    talk.session.submit(request)
    assert list(talk.session.waiting) == [request]
    assert request.status == 0
    assert not request.finished
