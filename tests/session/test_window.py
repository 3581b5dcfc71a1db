"""Cancelling: what is dropped, what may be hit, and what an error means in company."""

from __future__ import annotations

import pytest
from conversation import Answer, Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    command_complete,
    data_row,
    error_response,
    int4,
    message,
    parameter_description,
    ready_for_query,
)

from pgallop.errors import (
    CollateralCancelError,
    CommitNotReplicated,
    ConnectionDoesNotExistError,
    DivisionByZeroError,
    InFailedSQLTransactionError,
    PostgresSyntaxError,
    ProtocolError,
    QueryCanceledError,
    TransactionAborted,
)
from pgallop.session.session import HIGH_WATER

ONE = statement("SELECT $1::int4 AS n", (INT4,), (("n", INT4),))
PLAIN = statement("SELECT 7 AS n", (), (("n", INT4),))
COPY = statement("COPY t FROM STDIN", name=b"copy")

CANCELED = error_response("57014", "canceling statement due to user request")
BEGUN = (PARSE_COMPLETE, BIND_COMPLETE, command_complete("BEGIN"))
SYNC_REP = message(
    "N",
    b"SWARNING\0VWARNING\0C01000\0Mcanceling wait for synchronous replication\0"
    b"DThe transaction has already committed locally.\0RSyncRepWaitForLSN\0\0",
)


def row(number: int, status: str = "I") -> tuple[bytes, ...]:
    return (
        BIND_COMPLETE,
        data_row(int4(number)),
        command_complete("SELECT 1"),
        ready_for_query(status),
    )


def binds(talk: Conversation) -> int:
    return sum(line.startswith("F Bind") for line in talk.written())


# What was not sent is dropped


@pytest.mark.parametrize("gone", [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@at_every_split
def test_dropped_before_it_was_sent(talk: Conversation, gone: tuple[int, ...]) -> None:
    answers = [talk.execute(ONE, n) for n in range(3)]
    for n in gone:
        assert talk.session.discard(answers[n].request)
    stays = [n for n in range(3) if n not in gone]
    assert binds(talk) == len(stays)
    assert [answers[n].request.finished for n in gone] == [True] * len(gone)
    assert list(talk.session.requests) == [answers[n].request for n in stays]
    for n in stays:
        talk.server(*row(n))
    assert [answers[n].result[0][0]["n"] for n in stays] == stays
    assert not any(answers[n].done() for n in gone)


@at_every_split
def test_dropped_behind_what_was_sent(talk: Conversation) -> None:
    first = talk.execute(ONE, 1)
    talk.send()
    second, third = talk.execute(ONE, 2), talk.execute(ONE, 3)
    assert talk.session.discard(second.request)
    assert talk.session.discard(third.request)
    fourth = talk.execute(ONE, 4)
    assert not talk.session.discard(first.request)
    talk.server(*row(1), *row(4))
    assert binds(talk) == 2
    assert fourth.result[0][0]["n"] == 4
    assert talk.session.wanted == 0
    assert not talk.session.requests


@at_every_split
def test_a_dropped_copy_lets_the_others_go_on(talk: Conversation) -> None:
    copy, waits = talk.execute(COPY), talk.execute(ONE, 1)
    assert talk.session.discard(copy.request)
    assert binds(talk) == 1
    talk.server(*row(1))
    assert waits.result[0][0]["n"] == 1


@at_every_split
def test_dropped_while_it_waits(talk: Conversation) -> None:
    talk.execute(ONE, 1)
    talk.session.expose()
    waits = [talk.execute(ONE, n) for n in (2, 3)]
    assert talk.session.discard(waits[0].request)
    assert binds(talk) == 1
    talk.session.release()
    assert binds(talk) == 1
    talk.server(*row(1), *row(3))
    assert waits[1].result[0][0]["n"] == 3
    assert waits[0].request.finished


# The output is made up to the high-water mark


def test_the_high_water_mark() -> None:
    talk = Conversation()
    answers = [talk.execute(ONE, n) for n in range(20_000)]
    size = talk.session.writer.pos
    assert HIGH_WATER <= size < HIGH_WATER + 100
    written = len(talk.session.requests)
    assert written + len(talk.session.waiting) == 20_000
    talk.session.take()
    assert len(talk.session.requests) > written
    while talk.session.waiting:
        talk.session.take()
    for n in range(20_000):
        talk.session.feed(b"".join(row(n)))
    assert [answer.result[0][0]["n"] for answer in answers] == list(range(20_000))


# The cancel window


@at_every_split
def test_a_neighbour_is_hit(talk: Conversation) -> None:
    gone, hit, after = talk.execute(ONE, 1), talk.execute(ONE, 2), talk.execute(ONE, 3)
    talk.abandon(gone)
    talk.session.expose()
    talk.server(*row(1), BIND_COMPLETE, CANCELED, ready_for_query(), *row(3))
    assert isinstance(hit.error, CollateralCancelError)
    assert hit.error.sqlstate == "57014"
    assert type(hit.error.__cause__) is QueryCanceledError
    assert not hit.error.safe_to_retry
    assert hit.request.status_before == hit.request.status == ord("I")
    assert after.result[0][0]["n"] == 3


@at_every_split
def test_outside_the_window(talk: Conversation) -> None:
    """An administrator's, or statement_timeout: it is the caller's own."""
    first = talk.execute(ONE, 1)
    talk.send()
    talk.session.expose()
    behind = talk.execute(ONE, 2)
    talk.server(*row(1))
    talk.session.release()
    talk.server(BIND_COMPLETE, CANCELED, ready_for_query())
    assert first.result
    assert type(behind.error) is QueryCanceledError


@at_every_split
def test_nothing_new_is_written_in_the_window(talk: Conversation) -> None:
    gone = talk.execute(ONE, 1)
    talk.abandon(gone)
    talk.written()
    talk.session.expose()
    waits = talk.execute(ONE, 2)
    assert talk.written() == []
    talk.server(CANCELED, ready_for_query())
    assert talk.written() == []
    talk.session.release()
    assert binds(talk) == 1
    talk.server(*row(2))
    assert waits.result[0][0]["n"] == 2


@at_every_split
def test_the_one_that_was_meant(talk: Conversation) -> None:
    gone = talk.execute(ONE, 1)
    talk.abandon(gone)
    talk.session.expose()
    talk.server(BIND_COMPLETE, CANCELED, ready_for_query())
    assert gone.request.finished
    assert not gone.done()
    assert type(gone.request.error) is QueryCanceledError


# What made the transaction fail


@at_every_split
def test_the_cause_of_25p02(talk: Conversation) -> None:
    aborted = error_response("25P02", "current transaction is aborted")
    answers = [talk.simple("BEGIN"), *[talk.execute(ONE, n) for n in range(3)]]
    talk.server(command_complete("BEGIN"), ready_for_query("T"))
    talk.server(BIND_COMPLETE, error_response("22012", "division"), ready_for_query("E"))
    talk.server(aborted, ready_for_query("E"), aborted, ready_for_query("E"))
    _, first, second, third = answers
    assert isinstance(first.error, DivisionByZeroError)
    for answer in (second, third):
        assert isinstance(answer.error, InFailedSQLTransactionError)
        assert answer.error.__cause__ is first.error
    assert talk.session.failure is first.error
    end = talk.simple("ROLLBACK")
    talk.server(command_complete("ROLLBACK"), ready_for_query())
    assert end.result == "ROLLBACK"
    assert talk.session.failure is None


@at_every_split
def test_the_cause_is_an_abandoned_statement(talk: Conversation) -> None:
    aborted = error_response("25P02", "current transaction is aborted")
    gone, stays = talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.abandon(gone)
    talk.session.expose()
    talk.server(BIND_COMPLETE, CANCELED, ready_for_query("E"), aborted, ready_for_query("E"))
    assert isinstance(stays.error.__cause__, QueryCanceledError)


@at_every_split
def test_hit_inside_a_transaction(talk: Conversation) -> None:
    """It is no transaction of its own, so it is never run again (the statuses tell)."""
    talk.simple("BEGIN")
    gone, hit = talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.server(command_complete("BEGIN"), ready_for_query("T"))
    talk.abandon(gone)
    talk.session.expose()
    talk.server(*row(1, "T"), BIND_COMPLETE, CANCELED, ready_for_query("E"))
    assert isinstance(hit.error, CollateralCancelError)
    assert bytes([hit.request.status_before, hit.request.status]) == b"TE"


# A wait for a synchronous standby that was cancelled


@at_every_split
def test_committed_and_not_replicated(talk: Conversation) -> None:
    waits, after = talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.server(*row(1)[:-2], SYNC_REP, *row(1)[-2:], *row(2))
    assert isinstance(waits.error, CommitNotReplicated)
    assert waits.error.detail == "The transaction has already committed locally."
    assert not waits.error.safe_to_retry
    assert after.result[0][0]["n"] == 2
    assert talk.notices == ["canceling wait for synchronous replication"]


@at_every_split
def test_not_replicated_for_nobody(talk: Conversation) -> None:
    gone, after = talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.abandon(gone)
    talk.server(SYNC_REP, *row(1), *row(2))
    assert not gone.done()
    assert after.result[0][0]["n"] == 2


@at_every_split
def test_the_warning_when_nobody_asked(talk: Conversation) -> None:
    talk.server(SYNC_REP)
    assert talk.notices == ["canceling wait for synchronous replication"]


# The end of the connection


@at_every_split
def test_what_never_left_is_safe_to_retry(talk: Conversation) -> None:
    sent = talk.execute(ONE, 1)
    talk.send()
    unsent = talk.execute(ONE, 2)
    talk.session.lost(ConnectionResetError("gone"))
    for answer, safe in ((sent, False), (unsent, True)):
        assert isinstance(answer.error, ConnectionDoesNotExistError)
        assert answer.error.safe_to_retry is safe


# BEGIN in front


@at_every_split
def test_begin_in_front_of_a_statement(talk: Conversation) -> None:
    answer = talk.begin(talk.execute_request(ONE, 5))
    assert [line.split()[1] for line in talk.written()] == [
        *("Parse", "Bind", "Execute"),
        *("Bind", "Execute", "Sync"),
    ]
    talk.server(*BEGUN, *row(5, "T"))
    assert answer.result[0][0]["n"] == 5
    assert answer.result[1] == b"SELECT 1"


@at_every_split
def test_begin_in_front_of_a_preparation(talk: Conversation) -> None:
    answer = talk.begin(talk.prepare_request("SELECT 1", b"s9"))
    talk.server(*BEGUN, PARSE_COMPLETE, parameter_description(), NO_DATA, ready_for_query("T"))
    assert answer.result.name == b"s9"


@at_every_split
def test_begin_in_front_of_a_script(talk: Conversation) -> None:
    answer = talk.begin(talk.simple_request("SELEC 1"))
    assert talk.written() == ["F Query sql='BEGIN; SELEC 1'"]
    fields = b"SERROR\0C42601\0Msyntax error\0P8\0\0"
    talk.server(message("E", fields), ready_for_query())
    assert isinstance(answer.error, PostgresSyntaxError)
    assert answer.error.position == "1"
    assert answer.error.query == "SELEC 1"


@pytest.mark.parametrize("place", range(3))
@at_every_split
def test_begin_fails(talk: Conversation, place: int) -> None:
    """The server skips the rest up to the Sync."""
    answer = talk.begin(talk.execute_request(ONE, 5))
    talk.server(*BEGUN[:place], error_response("25000", "not now"), ready_for_query())
    assert answer.error.sqlstate == "25000"
    assert answer.request.status == ord("I")


@pytest.mark.parametrize("place", range(3))
@at_every_split
def test_an_illegal_reply_to_begin(talk: Conversation, place: int) -> None:
    talk.begin(talk.execute_request(ONE, 5))
    with pytest.raises(ProtocolError, match="answered BEGIN by an illegal b'n'"):
        talk.server(*BEGUN[:place], NO_DATA)


@pytest.mark.parametrize("place", range(4))
@at_every_split
def test_lost_in_the_beginning(talk: Conversation, place: int) -> None:
    ended: list[int] = []
    answer = talk.begin(talk.execute_request(ONE, 5), lambda request: ended.append(request.status))
    talk.send()
    talk.server(*BEGUN[:place])
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(answer.error, ConnectionDoesNotExistError)
    assert ended == [0]


# A transaction that nobody will end


@pytest.mark.parametrize("status", ["T", "E"])
@at_every_split
def test_what_comes_into_an_orphaned_transaction(talk: Conversation, status: str) -> None:
    """It is rolled back, whatever it was told."""
    gone, caught, after = talk.simple("BEGIN"), talk.execute(ONE, 1), talk.execute(ONE, 2)
    talk.abandon(gone)
    talk.server(command_complete("BEGIN"), ready_for_query(status))
    talk.session.orphaned = True
    talk.server(*row(1, status))
    assert isinstance(caught.error, TransactionAborted)
    assert not caught.error.safe_to_retry
    talk.server(*row(2))  # as behind the ROLLBACK
    assert after.result[0][0]["n"] == 2


@at_every_split
def test_in_front_of_those_who_wait(talk: Conversation) -> None:
    talk.execute(ONE, 1)
    talk.session.expose()
    waits = talk.execute(ONE, 2)
    first = talk.simple_request("ROLLBACK")
    first.waiter = Answer()
    talk.session.submit(first, True)
    assert list(talk.session.waiting) == [first, waits.request]
