"""The byte stream cut into messages, watched from outside through a session's notifications.

NotificationResponse may come at any time and needs no request, so it shows what the framing makes
of the bytes.
"""

from __future__ import annotations

from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import data_row, message, notice_response, notification_response

from pgallop.errors import PostgresMessage, ProtocolError
from pgallop.session.session import Session

# "Message Formats": all that a backend sends. And those that have values of any size in them.
BACKEND = "RK23CdcGHWDIEVvnNAtS1sZT"
LONG = "DdEN"

KIB64 = 1 << 16
MIB = 1 << 20
GIB = 1 << 30

LONGEST = dict.fromkeys(BACKEND, KIB64) | dict.fromkeys("Tt", MIB) | dict.fromkeys(LONG, GIB)


class Listener:
    """A session that keeps its notifications."""

    def __init__(self, *limit: int) -> None:
        self.session = Session(*limit)
        self.session.on_notification = self._hear
        self.heard: list[tuple[int, str, str]] = []

    def _hear(self, pid: int, channel: str, payload: str) -> None:
        self.heard.append((pid, channel, payload))


def header(tag: str, length: int) -> bytes:
    return tag.encode("latin-1") + pack("!i", length)


NOTIFICATIONS = [(1, "a", ""), (2, "", "payload"), (3, "b" * 30, "ü" * 10), (-1, "", "")]
STREAM = b"".join([notification_response(*each) for each in NOTIFICATIONS])


@pytest.mark.parametrize("place", range(1, len(STREAM)))
def test_a_split(place: int) -> None:
    listener = Listener()
    listener.session.feed(STREAM[:place])
    assert listener.heard == NOTIFICATIONS[: len(listener.heard)]
    listener.session.feed(STREAM[place:])
    assert listener.heard == NOTIFICATIONS


def test_single_bytes() -> None:
    listener = Listener()
    ends = []
    for i in range(len(STREAM)):
        before = len(listener.heard)
        listener.session.feed(STREAM[i : i + 1])
        ends += [i + 1] * (len(listener.heard) - before)
    assert listener.heard == NOTIFICATIONS
    # Each was handed over with its last byte and not later.
    sizes = [len(notification_response(*each)) for each in NOTIFICATIONS]
    assert [b - a for a, b in pairwise([0, *ends])] == sizes


@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_any_pieces(payloads: list[bytes], data: st.DataObject) -> None:
    """With empty ones among them, and of messages longer and shorter than the pieces."""
    payloads = [payload.replace(b"\0", b"") for payload in payloads]
    stream = b"".join([notification_response(7, "c", payload) for payload in payloads])
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    listener = Listener()
    for start, end in pairwise([0, *places, len(stream)]):
        listener.session.feed(stream[start:end])
    decoded = [payload.decode("utf-8", "surrogateescape") for payload in payloads]
    assert [payload for _, _, payload in listener.heard] == decoded


def test_a_long_message_in_pieces_of_a_socket() -> None:
    text = "0123456789abcdef" * 65536 * 3
    stream = notice_response(text) * 2 + STREAM
    listener = Listener()
    notices: list[PostgresMessage] = []
    listener.session.on_notice = notices.append
    for i in range(0, len(stream), 65536):
        listener.session.feed(stream[i : i + 65536])
    assert [notice.message for notice in notices] == [text] * 2
    assert listener.heard == NOTIFICATIONS


def test_no_bytes() -> None:
    listener = Listener()
    for piece in (b"", STREAM[:3], b"", STREAM[3:], b""):
        listener.session.feed(piece)
    assert listener.heard == NOTIFICATIONS


def test_what_came_before_a_fault_counts() -> None:
    listener = Listener()
    with pytest.raises(ProtocolError, match="unknown type"):
        listener.session.feed(STREAM + b"!\0\0\0\4")
    assert listener.heard == NOTIFICATIONS


# --- types ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", [chr(i) for i in range(256)])
def test_every_type_that_there_is_and_no_other(tag: str) -> None:
    session = Session()
    if tag in BACKEND:
        session.feed(header(tag, 5))  # it waits for the body
    else:
        with pytest.raises(ProtocolError, match="message of unknown type"):
            session.feed(header(tag, 4))


def test_something_else_than_a_server() -> None:
    with pytest.raises(ProtocolError, match=r"unknown type b'h': is this PostgreSQL\?"):
        Session().feed(b"http/1.1 400 Bad Request\r\n")


# --- lengths --------------------------------------------------------------------------------------

LIES = (0, 1, 2, 3, -1, -2, -4, -5, -(2**31), 2**31 - 1, GIB + 1)


@pytest.mark.parametrize("tag", BACKEND)
@pytest.mark.parametrize("length", LIES)
def test_a_length_that_cannot_be(tag: str, length: int) -> None:
    words = f"b'{tag}' message of {length} bytes, between 4 and {LONGEST[tag]} are allowed"
    for data in (header(tag, length), header(tag, length) + bytes(100)):
        with pytest.raises(ProtocolError, match=words):
            Session().feed(data)


@pytest.mark.parametrize("length", LIES)
def test_it_is_refused_with_the_fifth_byte_of_the_header(length: int) -> None:
    for tag in BACKEND:
        session = Session()
        data = header(tag, length)
        for i in range(4):
            session.feed(data[i : i + 1])
        with pytest.raises(ProtocolError, match="bytes, between 4 and"):
            session.feed(data[4:])


@pytest.mark.parametrize("length", LIES)
def test_it_is_refused_behind_good_messages(length: int) -> None:
    listener = Listener()
    with pytest.raises(ProtocolError, match="bytes, between 4 and"):
        listener.session.feed(STREAM + header("A", length) + bytes(20))
    assert listener.heard == NOTIFICATIONS


@pytest.mark.parametrize("tag", BACKEND)
def test_the_longest_message(tag: str) -> None:
    limit = LONGEST[tag]
    Session().feed(header(tag, limit))
    with pytest.raises(ProtocolError, match=f"between 4 and {limit} are allowed"):
        Session().feed(header(tag, limit + 1))


def test_the_limit_of_a_server_that_is_trusted() -> None:
    session = Session(KIB64)
    with pytest.raises(ProtocolError, match=f"of {KIB64 + 1} bytes, between 4 and {KIB64}"):
        session.feed(header("E", KIB64 + 1))
    session = Session(KIB64)
    session.trust(GIB)
    session.feed(header("E", GIB))


@pytest.mark.parametrize("tag", BACKEND)
def test_a_limit_of_ones_own(tag: str) -> None:
    Session(100).feed(header(tag, 100))
    with pytest.raises(ProtocolError, match="between 4 and 100 are allowed"):
        Session(100).feed(header(tag, 101))


def test_a_limit_that_is_met_exactly() -> None:
    payload = "x" * 86
    data = notification_response(1, "c", payload)
    assert len(data) == 1 + 4 + 4 + 2 + 87
    listener = Listener(97)
    listener.session.feed(data)
    assert listener.heard == [(1, "c", payload)]
    with pytest.raises(ProtocolError, match="of 97 bytes, between 4 and 96"):
        Listener(96).session.feed(data)


def test_a_limit_above_a_gibibyte() -> None:
    Session(2**31 - 1).feed(header("D", 2**31 - 1))
    with pytest.raises(ProtocolError, match=f"between 4 and {KIB64} are allowed"):
        Session(2**31 - 1).feed(header("Z", KIB64 + 1))


def test_a_header_reserves_no_memory() -> None:
    """A claimed gibibyte costs nothing until it arrives."""
    sessions = [Session() for _ in range(100)]
    for session in sessions:
        session.feed(header("D", GIB) + data_row(b"x" * 1000))
    with pytest.raises(ProtocolError):
        Session().feed(message("D", b"", -1))
