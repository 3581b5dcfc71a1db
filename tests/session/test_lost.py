"""The connection ends: who is told what, and what may be tried again."""

from __future__ import annotations

import tracemalloc

import pytest
from conversation import Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    INT4,
    command_complete,
    data_row,
    error_response,
    int4,
    message,
    ready_for_query,
)

from pgallop.errors import (
    AdminShutdownError,
    CollateralCancelError,
    ConnectionDoesNotExistError,
    DivisionByZeroError,
    InFailedSQLTransactionError,
    InterfaceError,
    ProtocolError,
)

ONE = statement("SELECT 1", (), (("n", INT4),))
COPY = statement("COPY t FROM STDIN")
ANSWER = (BIND_COMPLETE, data_row(int4(1)), command_complete("SELECT 1"), ready_for_query())


@pytest.mark.parametrize("place", range(len(ANSWER)))
@at_every_split
def test_at_every_place_of_an_answer(talk: Conversation, place: int) -> None:
    answers = [talk.execute(ONE), talk.execute(ONE), talk.simple("x"), talk.prepare("y")]
    cause = ConnectionResetError("gone")
    talk.written()
    talk.server(*ANSWER[:place])
    talk.session.lost(cause)
    for answer in answers:
        assert isinstance(answer.error, ConnectionDoesNotExistError)
        assert str(answer.error) == "connection was closed in the middle of operation: gone"
        assert answer.error.__cause__ is cause
        assert not answer.error.safe_to_retry
    assert talk.session.broken is cause
    assert not talk.session.requests
    assert talk.heads == [0]


@at_every_split
def test_in_the_middle_of_a_message(talk: Conversation) -> None:
    answer = talk.execute(ONE)
    talk.server(*ANSWER[:1], ANSWER[1][:7])
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(answer.error, ConnectionDoesNotExistError)


def test_the_bytes_of_a_message_that_never_ended_are_not_kept() -> None:
    talk = Conversation()
    talk.execute(ONE)
    data = BIND_COMPLETE + message("D", bytes(5_000_000), length=10_000_000)
    tracemalloc.start()
    try:
        talk.session.feed(data)
        assert tracemalloc.get_traced_memory()[0] > 5_000_000
        talk.session.lost(ConnectionResetError("gone"))
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


@at_every_split
def test_what_was_answered_stays(talk: Conversation) -> None:
    first, second = talk.execute(ONE), talk.execute(ONE)
    talk.server(*ANSWER)
    talk.session.lost(ConnectionResetError("gone"))
    assert first.result[1] == b"SELECT 1"
    assert isinstance(second.error, ConnectionDoesNotExistError)


@at_every_split
def test_what_was_not_written_may_be_tried_again(talk: Conversation) -> None:
    copy = talk.execute(COPY)
    waiting = [talk.execute(ONE), talk.simple("x")]
    talk.written()
    talk.session.lost(ConnectionResetError("gone"))
    assert not copy.error.safe_to_retry
    assert [answer.error.safe_to_retry for answer in waiting] == [True, True]
    assert not talk.session.waiting


@at_every_split
def test_the_server_said_why(talk: Conversation) -> None:
    head, behind = talk.execute(ONE), talk.execute(ONE)
    talk.server(BIND_COMPLETE, error_response("57P01", "terminating connection", "FATAL"))
    assert not head.done()
    talk.session.lost(ConnectionResetError("gone"))
    for answer in (head, behind):
        assert isinstance(answer.error, ConnectionDoesNotExistError)
        assert isinstance(answer.error.__cause__, AdminShutdownError)
        assert "terminating connection" in str(answer.error)


@at_every_split
def test_an_error_without_its_end(talk: Conversation) -> None:
    answer = talk.execute(ONE)
    talk.server(BIND_COMPLETE, error_response("22012", "division by zero"))
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(answer.error, DivisionByZeroError)


@at_every_split
def test_an_error_in_a_failed_transaction_without_its_end(talk: Conversation) -> None:
    talk.simple("BEGIN")
    first, second = talk.execute(ONE), talk.execute(ONE)
    talk.server(command_complete("BEGIN"), ready_for_query("T"))
    talk.server(BIND_COMPLETE, error_response("22012", "division by zero"), ready_for_query("E"))
    talk.server(error_response("25P02", "current transaction is aborted"))
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(second.error, InFailedSQLTransactionError)
    assert second.error.__cause__ is first.error


@at_every_split
def test_a_neighbour_is_hit_and_has_no_end(talk: Conversation) -> None:
    gone, hit = talk.execute(ONE), talk.execute(ONE)
    talk.abandon(gone)
    talk.session.expose()
    talk.server(*ANSWER, BIND_COMPLETE, error_response("57014", "canceling statement"))
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(hit.error, CollateralCancelError)


@at_every_split
def test_a_success_without_its_end(talk: Conversation) -> None:
    """CommandComplete is no success: whether the commit behind it was one, nobody knows."""
    answer = talk.execute(ONE)
    talk.server(*ANSWER[:-1])
    talk.session.lost(ConnectionResetError("gone"))
    assert isinstance(answer.error, ConnectionDoesNotExistError)
    assert not answer.error.safe_to_retry


@at_every_split
def test_a_caller_that_has_gone_is_told_nothing(talk: Conversation) -> None:
    gone, stays = talk.execute(ONE), talk.execute(ONE)
    talk.abandon(gone)
    talk.session.lost(ConnectionResetError("gone"))
    assert not gone.done()
    assert gone.request.finished
    assert isinstance(stays.error, ConnectionDoesNotExistError)


@at_every_split
def test_it_ends_once(talk: Conversation) -> None:
    answer = talk.execute(ONE)
    first = ConnectionResetError("first")
    talk.session.lost(first)
    talk.session.lost(ConnectionResetError("second"))
    assert talk.session.broken is first
    assert answer.error.__cause__ is first
    assert talk.heads == [0]


@at_every_split
def test_nothing_is_taken_afterwards(talk: Conversation) -> None:
    cause = ConnectionResetError("gone")
    talk.session.lost(cause)
    for ask in ("execute", "simple", "prepare"):
        with pytest.raises(InterfaceError, match="connection is closed: gone") as raised:
            getattr(talk, ask)(ONE if ask == "execute" else "SELECT 1")
        assert raised.value.safe_to_retry
        assert raised.value.__cause__ is cause
    assert talk.written_bytes() == b""


@at_every_split
def test_when_nobody_waits(talk: Conversation) -> None:
    talk.session.lost(ConnectionResetError("gone"))
    assert talk.heads == [0]
    assert not talk.session.requests


@at_every_split
def test_the_head_is_told_what_its_answer_broke(talk: Conversation) -> None:
    """As the transport does it."""
    head, behind = talk.execute(ONE), talk.execute(ONE)
    with pytest.raises(ProtocolError) as raised:
        talk.server(BIND_COMPLETE, message("D", b""))
    talk.session.blame(raised.value)
    talk.session.lost(raised.value)
    assert head.error is raised.value
    assert isinstance(behind.error, ConnectionDoesNotExistError)
    assert behind.error.__cause__ is raised.value


@at_every_split
def test_nobody_is_to_blame(talk: Conversation) -> None:
    with pytest.raises(ProtocolError) as raised:
        talk.server(ready_for_query())
    talk.session.blame(raised.value)
    talk.session.lost(raised.value)
    assert talk.session.broken is raised.value


@at_every_split
def test_a_forked_child_answers_nobody(talk: Conversation) -> None:
    answer = talk.execute(ONE)
    talk.session.disown(InterfaceError("the connection belongs to the parent process"))
    assert not answer.done()
    with pytest.raises(InterfaceError, match="belongs to the parent process"):
        talk.execute(ONE)
    talk.session.lost(ConnectionResetError("gone"))
    assert not answer.done()
