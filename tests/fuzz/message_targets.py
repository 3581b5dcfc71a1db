"""Messages: the stream cut into them, each of their parsers, what is said before TLS, the trace."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable, Sequence
from typing import Any, cast

import scripts
from fuzz.grammar import Bytes, Messages, split_messages
from fuzz.session_targets import RECORDINGS, in_two, introductions, recordings, whole
from fuzz.target import Outcome, Target, Wrong, seen, somewhere

from pgallop import errors
from pgallop.errors import ProtocolError, UnsupportedClientFeatureError
from pgallop.session.session import Session
from pgallop.transport.refusal import SHOWN_CHARACTERS, read_refusal
from pgallop.wire import backend
from pgallop.wire.reader import Reader
from pgallop.wire.trace import Trace

# --- one parser: the type of its message, then a body ---------------------------------------------


def error(reader: Reader) -> str:
    """An error to its last word, under the statement that it concerns."""
    return str(errors.from_fields(backend.error_fields(reader), "SELECT *\n\tFRM üsers"))


def notice(reader: Reader) -> str:
    return str(errors.notice_from_fields(backend.error_fields(reader)))


PARSERS: dict[bytes, Callable[[Reader], Any]] = {
    b"R": backend.authentication,
    b"K": backend.backend_key_data,
    b"S": backend.parameter_status,
    b"Z": backend.ready_for_query,
    b"C": backend.command_complete,
    b"E": error,
    b"N": notice,
    b"A": backend.notification_response,
    b"t": backend.parameter_description,
    b"T": backend.row_description,
    b"v": backend.negotiate_protocol_version,
}


def parse_body(data: bytes) -> Outcome:
    parser = PARSERS.get(data[:1])
    if parser is None:
        return Outcome("no parser")
    return Outcome("parsed", parser(Reader(data[1:])))


def bodies() -> list[bytes]:
    more = [
        scripts.parameter_description(*range(300)),
        scripts.error_response("42601", "x", **dict.fromkeys("DHPpqWsctdnFLRv", "3")),
        scripts.notification_response(-1, "c" * 63, "é" * 100),
        scripts.negotiate_protocol_version(3 << 16, "a", "b"),
        scripts.backend_key_data(1, b"k" * 256),
    ]
    said = b"".join([seed[1:] for seed in recordings() + introductions()])
    messages = {message for message in [*split_messages(said), *more] if message[:1] in PARSERS}
    return sorted(message[:1] + message[5:] for message in messages)


# --- the stream, of which nothing is asked --------------------------------------------------------


def listen(data: bytes, parts: Sequence[bytes]) -> Outcome:
    """What a session hears that has asked nothing."""
    heard: list[object] = []
    session = Session(1 << 20)
    session.on_notice = lambda notice: heard.append(str(notice))
    session.on_notification = lambda *told: heard.append(told)
    kind = "heard"
    try:
        for part in parts:
            session.feed(part)
    except (ProtocolError, UnsupportedClientFeatureError) as error:
        kind = type(error).__name__
        heard.append(str(error))
    return Outcome(kind, [*heard, str(session.last_error), *sorted(session.parameters.items())])


def listen_twice(data: bytes) -> Outcome:
    outcome = listen(data, whole(data))
    singly = [data[i : i + 1] for i in range(len(data))] if len(data) < 100 else in_two(data)
    other = listen(data, singly)
    if seen(outcome) != seen(other):
        raise Wrong(f"whole: {seen(outcome)}, in pieces: {seen(other)}")
    return outcome


def asides() -> list[bytes]:
    return [
        scripts.notice_response("look out") * 3,
        scripts.notification_response(7, "news", "extra") + scripts.notice_response("x" * 200),
        scripts.parameter_status("TimeZone", "UTC") * 2 + scripts.parameter_status("b", "c"),
        scripts.error_response("57P01", "terminating connection", "FATAL"),
        scripts.notification_response(-1, "", ""),
    ]


# --- an error in the place of the answer to SSLRequest --------------------------------------------

# With our own words around what the server says.
MAX_SHOWN = SHOWN_CHARACTERS + 150


class Pieces:
    """As much of an event loop as `read_refusal` needs; the bytes arrive in these pieces."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self._parts = [part for part in parts if part]

    async def sock_recv(self, sock: object, size: int) -> bytes:
        if not self._parts:
            return b""
        part = self._parts.pop(0)
        if len(part) > size:
            self._parts.insert(0, part[size:])
        return part[:size]


def refuse(parts: Sequence[bytes]) -> str:
    """The error; it must be one line of printable characters that says how much it is worth."""
    loop = cast(asyncio.AbstractEventLoop, Pieces(parts))
    reading = read_refusal(loop, cast(socket.socket, None))
    try:
        reading.send(None)
    except StopIteration as stop:
        refusal: errors.PostgresError = stop.value
    else:
        raise Wrong("it waits for something else than bytes")
    shown = str(refusal)
    lines = shown.split("\n")
    if len(lines) > 2 or not all(map(str.isprintable, lines)) or len(shown) > MAX_SHOWN:
        raise Wrong(f"not to be shown: {shown!r}")
    if "unverified" not in lines[0]:
        raise Wrong(f"not marked: {shown!r}")
    return f"{type(refusal).__name__}: {shown}"


def refuse_twice(data: bytes) -> Outcome:
    outcome, other = refuse(whole(data)), refuse(in_two(data))
    if outcome != other:
        raise Wrong(f"whole: {outcome}, in pieces: {other}")
    return Outcome("refused", outcome)


def refusals() -> list[bytes]:
    error = scripts.error_response("53300", "sorry, too many clients already", "FATAL")
    return [
        error[1:],
        b"FATAL:  the database system is starting up\n\0",
        b"could not fork new process for connection: Cannot allocate memory\n\0",
        scripts.error_response("08P01", "x\n" * 400 + "\x1b[31m", "FATAL")[1:],
        b"",
    ]


# --- the trace, which never raises: flags, then what travels --------------------------------------


def follow(data: bytes) -> Outcome:
    flags = data[0] if data else 0
    direction = "F" if flags & 2 else "B"
    said = data[1:]
    place = somewhere(said)
    lines = Trace(startup=bool(flags & 1)).feed(direction, said)
    trace = Trace(startup=bool(flags & 1))
    again = trace.feed(direction, said[:place]) + trace.feed(direction, said[place:])
    if lines != again:
        raise Wrong(f"whole: {lines}, in two pieces: {again}")
    malformed = any("malformed" in line for line in lines)
    return Outcome("malformed" if malformed else "read", lines)


def traffic() -> list[bytes]:
    seeds: list[bytes] = []
    for path in sorted(RECORDINGS.glob("*.json")):
        frontend = b""
        for piece in json.loads(path.read_text(encoding="utf-8"))["traffic"]:
            said = bytes.fromhex(piece["bytes"])
            if piece["from"] == "F":
                frontend += said
            else:
                seeds.append(b"\0" + said)
        seeds.append(b"\3" + frontend)
        startup = int.from_bytes(frontend[:4])
        seeds.append(b"\2" + frontend[startup:])
    return seeds + [b"\0" + seed[1:] for seed in introductions()]


TARGETS = [
    Target(
        name="bodies",
        run=parse_body,
        raises=(ProtocolError,),
        seeds=bodies,
        grammar=Bytes(prefix=1),
        share=2,
    ),
    Target(
        name="stream",
        run=listen_twice,
        seeds=asides,
        grammar=Messages(),
        share=2,
    ),
    Target(
        name="refusal",
        run=refuse_twice,
        raises=(ProtocolError, ConnectionResetError),
        seeds=refusals,
        grammar=Bytes(),
    ),
    Target(
        name="trace",
        run=follow,
        seeds=traffic,
        grammar=Messages(prefix=1),
        share=2,
    ),
]
