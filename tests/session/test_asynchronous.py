"""Notices, notifications and settings, which may come at any time; and what nobody asked for."""

from __future__ import annotations

import pytest
from conversation import MARK, Conversation, at_every_split, statement
from scripts import (
    BIND_COMPLETE,
    INT4,
    authentication,
    backend_key_data,
    command_complete,
    data_row,
    error_response,
    int4,
    message,
    notice_response,
    notification_response,
    parameter_status,
    ready_for_query,
)

from pgallop.errors import PostgresMessage, ProtocolError, UnsupportedClientFeatureError
from pgallop.limits import MAX_SETTINGS
from pgallop.session.session import Session

ONE = statement("SELECT 1", (), (("n", INT4),))
ANSWER = (BIND_COMPLETE, data_row(int4(1)), command_complete("SELECT 1"), ready_for_query())

ASYNCHRONOUS = (
    notice_response("careful"),
    notification_response(7, "ch", "hello"),
    parameter_status("TimeZone", "UTC"),
)


@pytest.mark.parametrize("place", range(len(ANSWER) + 1))
@at_every_split
def test_at_every_place_of_an_answer(talk: Conversation, place: int) -> None:
    answer = talk.execute(ONE)
    talk.server(*ANSWER[:place], *ASYNCHRONOUS)
    assert talk.notices == ["careful"]
    assert talk.notifications == [(7, "ch", "hello")]
    assert talk.session.parameters["TimeZone"] == "UTC"
    talk.server(*ANSWER[place:])
    assert [record["n"] for record in answer.result[0]] == [1]


@pytest.mark.parametrize("place", range(5))
@at_every_split
def test_at_every_place_of_a_startup(talk: Conversation, place: int) -> None:
    answer = talk.startup()
    welcome = (
        authentication(0),
        parameter_status("a", "b"),
        backend_key_data(1, b"1234"),
        ready_for_query(),
    )
    talk.server(*welcome[:place], *ASYNCHRONOUS, *welcome[place:])
    assert answer.result is None
    assert talk.notices == ["careful"]


@at_every_split
def test_when_nothing_goes_on(talk: Conversation) -> None:
    talk.server(*ASYNCHRONOUS, *ASYNCHRONOUS)
    assert talk.notices == ["careful"] * 2
    assert talk.notifications == [(7, "ch", "hello")] * 2
    assert talk.session.parameters["TimeZone"] == "UTC"
    assert talk.heads == []


def test_when_nobody_listens() -> None:
    session = Session()
    session.feed(b"".join(ASYNCHRONOUS))
    assert session.parameters == {"TimeZone": "UTC"}


@at_every_split
def test_a_notice_has_its_fields(talk: Conversation) -> None:
    heard: list[PostgresMessage] = []
    talk.session.on_notice = heard.append
    talk.server(notice_response("careful", "WARNING", "01000"))
    notice = next(notice for notice in heard if notice.message != MARK)
    assert (notice.severity, notice.sqlstate, notice.message) == ("WARNING", "01000", "careful")


@at_every_split
def test_a_setting_changes(talk: Conversation) -> None:
    talk.server(parameter_status("TimeZone", "UTC"), parameter_status("TimeZone", "Europe/Zürich"))
    assert talk.session.parameters["TimeZone"] == "Europe/Zürich"


def test_a_flood_of_settings() -> None:
    talk = Conversation()
    talk.server(*[parameter_status(f"s{i}", "1") for i in range(MAX_SETTINGS)])
    talk.server(parameter_status("s0", "2"))  # known, so no more of them
    with pytest.raises(ProtocolError, match=f"more than {MAX_SETTINGS} settings"):
        talk.server(parameter_status("one more", "1"))
    assert len(talk.session.parameters) == MAX_SETTINGS == 1000
    assert talk.session.parameters["s0"] == "2"


@pytest.mark.parametrize("encoding", ["UTF8", "UNICODE", "SQL_ASCII"])
@at_every_split
def test_encodings_that_are_as_good(talk: Conversation, encoding: str) -> None:
    talk.server(parameter_status("client_encoding", encoding))
    assert talk.session.parameters["client_encoding"] == encoding


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "", "utf8 "])
@at_every_split
def test_an_encoding_that_would_garble(talk: Conversation, encoding: str) -> None:
    answer = talk.simple(f"SET client_encoding = '{encoding}'")
    with pytest.raises(UnsupportedClientFeatureError, match=f"changed to {encoding}: pgallop"):
        talk.server(command_complete("SET"), parameter_status("client_encoding", encoding))
    assert not answer.done()


@pytest.mark.parametrize(
    "data",
    [
        message("N", b""),
        message("N", b"Mx\0"),
        message("N", b"Mx\0\0\0"),
        message("A", b"\0\0\0"),
        message("A", int4(1) + b"c\0p"),
        message("A", int4(1) + b"c\0p\0\0"),
        message("S", b""),
        message("S", b"a\0b"),
        message("S", b"a\0b\0c\0"),
        message("A", b"", -1),
        message("S", b"", 0),
    ],
)
@at_every_split
def test_a_malformed_one(talk: Conversation, data: bytes) -> None:
    answer = talk.execute(ONE)
    with pytest.raises(ProtocolError):
        talk.server(BIND_COMPLETE, data)
    assert not answer.done()


# --- what nobody asked for ------------------------------------------------------------------------


@at_every_split
def test_the_server_shuts_down(talk: Conversation) -> None:
    talk.server(error_response("57P01", "terminating connection", "FATAL"))
    error = talk.session.last_error
    assert error is not None
    assert error.sqlstate == "57P01"
    talk.session.lost(error)
    assert talk.session.broken is error


@pytest.mark.parametrize("tag", "RK123tTnDCIsZGHWdcVv")
@at_every_split
def test_an_answer_to_no_question(talk: Conversation, tag: str) -> None:
    with pytest.raises(ProtocolError, match=f"b'{tag}' when nothing was asked of it"):
        talk.server(message(tag, b"I"))


@at_every_split
def test_an_answer_to_no_question_after_one(talk: Conversation) -> None:
    answer = talk.execute(ONE)
    with pytest.raises(ProtocolError, match="b'Z' when nothing was asked of it"):
        talk.server(*ANSWER, ready_for_query())
    assert answer.done()


@pytest.mark.parametrize("body", [b"", b"S", b"Sx", b"Sx\0\0\0"])
@at_every_split
def test_a_malformed_farewell(talk: Conversation, body: bytes) -> None:
    with pytest.raises(ProtocolError):
        talk.server(message("E", body))
