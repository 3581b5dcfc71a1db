"""A COPY that was begun where nobody can feed or drain it."""

from __future__ import annotations

import pytest
from conversation import Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    COPY_DONE,
    command_complete,
    copy_data,
    copy_response,
    error_response,
    message,
    ready_for_query,
    string,
)

from pgallop.errors import ProtocolError, UnsupportedClientFeatureError

FROM_STDIN = statement("COPY t FROM STDIN")
TO_STDOUT = statement("COPY t TO STDOUT")

FAILED = (
    error_response("57014", "COPY from stdin failed: COPY FROM STDIN cannot run"),
    ready_for_query(),
)
COPY_FAIL = message("f", string("COPY FROM STDIN cannot run in fetch() or execute()"))
SYNC = message("S")


@at_every_split
def test_copy_in(talk: Conversation) -> None:
    answer = talk.execute(FROM_STDIN)
    talk.written()
    talk.server(BIND_COMPLETE, copy_response("G", 0, 0))
    # The server has ignored the first Sync as a part of the copy.
    assert talk.written_bytes() == COPY_FAIL + SYNC
    assert not answer.done()
    talk.server(*FAILED)
    assert isinstance(answer.error, UnsupportedClientFeatureError)
    assert "COPY FROM STDIN cannot run in fetch() or execute()" in str(answer.error)
    assert talk.written_bytes() == b""
    assert not talk.session.requests


@at_every_split
def test_copy_in_of_a_script(talk: Conversation) -> None:
    answer = talk.simple("COPY t FROM STDIN; SELECT 1")
    talk.written()
    talk.server(copy_response("G", 1))
    assert talk.written_bytes() == COPY_FAIL
    talk.server(*FAILED)
    assert isinstance(answer.error, UnsupportedClientFeatureError)


@at_every_split
def test_copy_in_for_nobody(talk: Conversation) -> None:
    answer = talk.execute(FROM_STDIN)
    talk.abandon(answer)
    talk.written()
    talk.server(BIND_COMPLETE, copy_response("G"))
    assert talk.written_bytes() == COPY_FAIL + SYNC
    talk.server(*FAILED)
    assert answer.request.finished


@at_every_split
def test_copy_out(talk: Conversation) -> None:
    answer = talk.execute(TO_STDOUT)
    after = talk.execute(TO_STDOUT)
    talk.written()
    copied = (copy_response("H", 0), copy_data(b"1\n"), copy_data(b""), COPY_DONE)
    talk.server(BIND_COMPLETE, *copied, command_complete("COPY 1"))
    assert not answer.done()
    talk.server(ready_for_query())
    assert isinstance(answer.error, UnsupportedClientFeatureError)
    assert "COPY TO STDOUT" in str(answer.error)
    assert talk.written_bytes() == b""
    talk.server(BIND_COMPLETE, command_complete("COPY 0"), ready_for_query())
    assert after.result == ([], b"COPY 0")


@at_every_split
def test_copy_out_of_a_script(talk: Conversation) -> None:
    answer = talk.simple("SELECT; COPY t TO STDOUT; SELECT")
    talk.server(command_complete("SELECT 1"), copy_response("H", 0), copy_data(b"1\n"), COPY_DONE)
    talk.server(command_complete("COPY 1"), command_complete("SELECT 1"), ready_for_query())
    assert isinstance(answer.error, UnsupportedClientFeatureError)


@at_every_split
def test_copy_out_that_fails(talk: Conversation) -> None:
    answer = talk.execute(TO_STDOUT)
    talk.server(BIND_COMPLETE, copy_response("H", 0), copy_data(b"1\n"))
    talk.server(error_response("22012", "division by zero"), ready_for_query())
    assert isinstance(answer.error, UnsupportedClientFeatureError)


@pytest.mark.parametrize("extended", [True, False])
@at_every_split
def test_a_copy_that_its_statement_does_not_show(talk: Conversation, extended: bool) -> None:
    """No server does this. With others behind it on the wire there is no way out of it."""
    if extended:
        answer = talk.execute(statement("SELECT copy()"))
        talk.execute(TO_STDOUT)
    else:
        answer = talk.simple("SELECT copy()")
        talk.simple("SELECT 1")
    talk.written()
    begun = (BIND_COMPLETE, copy_response("G")) if extended else (copy_response("G"),)
    with pytest.raises(ProtocolError, match="began a COPY that its statement does not show"):
        talk.server(*begun)
    assert talk.written_bytes() == b""
    assert not answer.done()


@at_every_split
def test_alone_it_does_no_harm(talk: Conversation) -> None:
    answer = talk.simple("SELECT copy()")
    talk.written()
    talk.server(copy_response("G"))
    assert talk.written_bytes() == COPY_FAIL
    talk.server(*FAILED)
    assert isinstance(answer.error, UnsupportedClientFeatureError)


@pytest.mark.parametrize(
    "messages",
    [
        (BIND_COMPLETE, copy_response("W")),
        (BIND_COMPLETE, copy_data(b"x")),
        (BIND_COMPLETE, COPY_DONE),
        (copy_response("G"),),
        (BIND_COMPLETE, copy_response("G"), copy_data(b"x")),
        (BIND_COMPLETE, copy_response("G"), COPY_DONE),
        (BIND_COMPLETE, copy_response("G"), command_complete("COPY 0")),
        (BIND_COMPLETE, copy_response("G"), ready_for_query()),
        (BIND_COMPLETE, copy_response("G"), copy_response("G")),
        (BIND_COMPLETE, copy_response("H"), command_complete("COPY 0")),
        (BIND_COMPLETE, copy_response("H"), copy_response("G")),
        (BIND_COMPLETE, copy_response("H"), message("c", b"x")),
    ],
)
@at_every_split
def test_a_copy_out_of_place(talk: Conversation, messages: tuple[bytes, ...]) -> None:
    answer = talk.execute(FROM_STDIN)
    with pytest.raises(ProtocolError):
        talk.server(*messages)
    assert not answer.done()
