"""Between connecting and the first ReadyForQuery."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from hostile.probe import Probe, run_script, said, startup
from scripted_server import Flood, Step, close, expect, flood, reset, stall, wait
from scripts import (
    AUTHENTICATION_OK,
    authentication,
    backend_key_data,
    error_response,
    int4,
    message,
    negotiate_protocol_version,
    notice_response,
    parameter_status,
    ready_for_query,
    string,
)

import pgallop
from pgallop import limits
from pgallop.errors import ConnectResetError, ConnectTimeoutError

OK = authentication(AUTHENTICATION_OK)
KEY = backend_key_data(7, b"key!")
UTF8 = parameter_status("client_encoding", "UTF8")
READY = ready_for_query()

LATE: dict[str, Any] = {"error": ConnectTimeoutError, "words": "no answer in time"}
IN_A_HURRY = {"timeout": 0.3}
RESET: dict[str, Any] = {
    "error": ConnectResetError,
    "words": "the connection was closed before",
}


def endless(piece: bytes) -> Step:
    """`piece`, again and again, as long as the client listens."""
    return Flood(lambda: itertools.repeat(piece * (1 + 16384 // len(piece))))


def settings(count: int, size: int = 1) -> Step:
    """So many ParameterStatus of different names."""

    def pieces() -> Iterator[bytes]:
        for i in range(count):
            yield parameter_status(f"setting.{i}", "x" * size)

    return Flood(pieces)


async def version(conn: pgallop.Connection) -> object:
    return tuple(conn.get_server_version())


async def pid(conn: pgallop.Connection) -> object:
    return conn.get_server_pid()


# What answers is no PostgreSQL, or nobody.
STRANGERS = [
    Probe(
        name="HTTP",
        script=startup(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", close()),
        words="announced a b'H' message of 1414811695 bytes",
    ),
    Probe(name="TLS", script=startup(b"\x15\3\1\0\2\2\x0a"), words="unknown type b'\\x15'"),
    Probe(
        name="SSH", script=startup(b"SSH-2.0-OpenSSH_9.2\r\n"), words="b'S' message of 1397239090"
    ),
    Probe(
        name="all bytes there are", script=startup(bytes(range(256)) * 20), words="type b'\\x00'"
    ),
    Probe(
        name="the error of a server that cannot fork, in the form of protocol 2",
        script=startup(b"Ecould not fork new process for connection\n\0", close()),
        words="announced a b'E' message",
    ),
    Probe(name="nobody", script=startup(stall()), options=IN_A_HURRY, **LATE),
    Probe(name="the end at once", script=[close()], **RESET),
    Probe(name="the end behind the StartupMessage", script=startup(close()), **RESET),
    Probe(
        name="a reset behind the StartupMessage",
        script=startup(reset()),
        error=ConnectResetError,
    ),
    Probe(name="the end behind AuthenticationOk", script=startup(OK, close()), **RESET),
    Probe(name="the end behind BackendKeyData", script=startup(OK, KEY, close()), **RESET),
    Probe(name="the end within a header", script=startup(OK[:3], close()), **RESET),
    Probe(name="the end within a message", script=startup(OK + UTF8[:-5], close()), **RESET),
    Probe(name="silence behind AuthenticationOk", script=startup(OK), options=IN_A_HURRY, **LATE),
    Probe(
        name="silence within a message",
        script=startup(OK + UTF8[:-5]),
        options=IN_A_HURRY,
        **LATE,
    ),
    Probe(
        name="one byte each 50 ms",
        script=startup(*[step for i in range(30) for step in (OK[i % 9 : i % 9 + 1], wait(0.05))]),
        options=IN_A_HURRY,
        **LATE,
    ),
]

# Every other endless thing ends with the deadline, and takes no memory until then.
ENDLESS = [
    Probe(
        name=f"endless {name}",
        script=startup(*before, endless(piece)),
        options=IN_A_HURRY,
        **LATE,
    )
    for name, before, piece in (
        ("NegotiateProtocolVersion", (), negotiate_protocol_version(196608)),
        ("notices", (), notice_response("look out")),
        ("notices behind AuthenticationOk", (OK,), notice_response("look out")),
        ("BackendKeyData", (OK,), KEY),
        ("ParameterStatus of one name", (OK,), parameter_status("a", "b" * 100)),
        ("notifications", (OK,), message("A", int4(7) + string("news") + string("x" * 100))),
    )
] + [
    Probe(name="endless AuthenticationOk", script=startup(endless(OK)), words="illegal b'R'"),
    Probe(
        name="endless ReadyForQuery",
        script=startup(OK, endless(READY)),
        words="nothing was asked",
        error=pgallop.InterfaceError,
        ask=run_script,
    ),
    Probe(
        name="300,000 settings",
        script=startup(OK, settings(300_000)),
        words="more than 1000 settings",
    ),
    Probe(
        name="1,000 settings of 60 KB each, which are kept",
        script=startup(OK, settings(999, 60_000), KEY, READY),
        error=None,
        megabytes=100.0,
        options={"timeout": 10},
        seconds=10.0,
        usable=True,
    ),
]

SETTINGS = [
    Probe(
        name="a setting without an end",
        script=startup(OK, message("S", b"server_version")),
        words="does not end within its message",
    ),
    Probe(
        name="a setting whose value has no end",
        script=startup(OK, message("S", b"server_version\x0018")),
        words="does not end within its message",
    ),
    Probe(name="an empty ParameterStatus", script=startup(OK, message("S")), words="does not end"),
    Probe(
        name="a setting of 1 MB",
        script=startup(OK, parameter_status("a", "b" * 1_000_000)),
        words="between 4 and",
    ),
    Probe(
        name="a setting that is not UTF-8",
        script=startup(OK, parameter_status(b"\xff", b"\xfe"), KEY, READY),
        error=None,
        usable=True,
    ),
    Probe(
        name="a server version that is none",
        script=startup(OK, parameter_status("server_version", "x" * 10_000), KEY, READY),
        ask=version,
        error=None,
        usable=True,
    ),
    Probe(
        name="client_encoding LATIN1",
        script=startup(OK, parameter_status("client_encoding", "LATIN1"), KEY, READY),
        error=pgallop.UnsupportedClientFeatureError,
        words="client_encoding was changed to LATIN1",
    ),
]


KEYS = [
    Probe(
        name=f"a BackendKeyData whose key has {size} bytes",
        script=startup(OK, backend_key_data(7, bytes(size)), READY),
        words=f"{size} bytes, 4 to {limits.MAX_SECRET_KEY_SIZE} expected",
    )
    for size in (0, 3, 257)
] + [
    Probe(
        name="an empty BackendKeyData",
        script=startup(OK, message("K"), READY),
        words="announced 4 bytes where 0 remain",
    ),
    Probe(
        name="two BackendKeyData",
        script=startup(OK, KEY, backend_key_data(8, b"other"), READY),
        ask=pid,
        error=None,
        value=8,
        usable=True,
    ),
    Probe(
        name="no BackendKeyData",
        script=startup(OK, READY),
        ask=pid,
        error=None,
        value=0,
        usable=True,
    ),
]


NEGOTIATION = [
    Probe(
        name=f"NegotiateProtocolVersion with {words} options",
        script=startup(message("v", int4(196608) + int4(count))),
        words=f"NegotiateProtocolVersion with {count} options",
    )
    for words, count in (("2^31-1", 2**31 - 1), ("-1", -1), ("one more than it has", 1))
] + [
    Probe(
        name="NegotiateProtocolVersion whose option has no end",
        script=startup(message("v", int4(196608) + int4(1) + b"_pq_.x")),
        words="does not end within its message",
    ),
    Probe(
        name="NegotiateProtocolVersion of 3 bytes",
        script=startup(message("v", b"\0\0\0")),
        words="announced 4 bytes where 3 remain",
    ),
    Probe(
        name="NegotiateProtocolVersion with bytes left over",
        script=startup(message("v", int4(196608) + int4(0) + b"x")),
        words="left over",
    ),
]

READINESS = [
    Probe(
        name=f"ReadyForQuery with the status {status!r}",
        script=startup(OK, KEY, message("Z", status)),
        words=words,
    )
    for status, words in (
        (b"X", "unknown transaction status b'X'"),
        (b"", "announced 1 bytes where 0 remain"),
        (b"\0", "unknown transaction status"),
        (b"T", "in a transaction"),
        (b"E", "in a transaction"),
    )
] + [
    Probe(name="ReadyForQuery before anything", script=startup(READY), words="illegal b'Z'"),
    Probe(
        name="two ReadyForQuery",
        script=startup(OK, KEY, READY + READY),
        ask=run_script,
        error=pgallop.InterfaceError,
        words="b'Z' when nothing was asked of it",
    ),
]

REFUSALS = [
    Probe(
        name="an error before authentication",
        script=startup(error_response("28000", "no entry for you", "FATAL"), close()),
        error=pgallop.InvalidAuthorizationSpecificationError,
        words="unverified",
    ),
    Probe(
        name="an error behind AuthenticationOk",
        script=startup(OK, error_response("3D000", "no database shop", "FATAL"), close()),
        error=pgallop.InvalidCatalogNameError,
        words="no database shop",
    ),
    Probe(
        name="an error that says the connection does not exist",
        script=startup(error_response("08003", "no such thing", "FATAL"), close()),
        error=pgallop.ConnectionDoesNotExistError,
        words="no such thing",
    ),
    Probe(
        name="an error before authentication, and no end of the connection",
        script=startup(error_response("28000", "no entry for you", "FATAL"), stall()),
        error=pgallop.InvalidAuthorizationSpecificationError,
        words="no entry for you",
    ),
    Probe(
        name="an error of 20 MB before authentication",
        script=startup(message("E", b"M", 20_000_000), flood(b"x" * 65536, 305)),
        words="announced a b'E' message of 20000000 bytes",
    ),
    Probe(
        name="an error of 60 KB before authentication",
        script=startup(error_response("28000", "x" * 60_000, "FATAL"), close()),
        error=pgallop.InvalidAuthorizationSpecificationError,
        words="unverified",
    ),
    Probe(
        name="an error without an end before authentication",
        script=startup(message("E", b"MHelp")),
        words="does not end within its message",
    ),
    Probe(
        name="an error without fields before authentication",
        script=startup(message("E", b"\0"), close()),
        error=pgallop.UnknownPostgresError,
        words="unverified",
    ),
    Probe(
        name="an error that is not UTF-8 before authentication",
        script=startup(message("E", b"SFATAL\0C28000\0M\xe9\xff\0\0"), close()),
        error=pgallop.InvalidAuthorizationSpecificationError,
        words="\N{REPLACEMENT CHARACTER}",
    ),
]

# In the place of the one byte that answers SSLRequest.
BEFORE_TLS = [
    Probe(
        name=f"in answer to SSLRequest: {name}",
        script=[expect("SSLRequest"), *said(*answer)],
        error=error,
        words=words,
        options={"ssl": "require", "timeout": 0.5},
    )
    for name, answer, error, words in (
        ("garbage", (b"\0",), pgallop.ProtocolError, "answered b'\\x00' when asked for TLS"),
        ("HTTP", (b"HTTP/1.1 400 Bad Request\r\n",), pgallop.ProtocolError, "answered b'H'"),
        ("no", (b"N",), pgallop.InterfaceError, "does not offer TLS"),
        ("silence", (), ConnectTimeoutError, "no answer in time"),
        ("the end", (close(),), ConnectResetError, "the connection was closed before"),
        ("yes, and clear text", (b"S" + OK + KEY + READY,), pgallop.CannotConnectError, "SSL"),
        ("yes, and silence", (b"S",), ConnectTimeoutError, "no answer in time"),
        (
            "yes, and the end",
            (b"S", close()),
            ConnectResetError,
            "the connection was closed before",
        ),
        (
            "an error of 2 GB",
            (b"E\x7f\xff\xff\xff", flood(b"x" * 65536, 1000)),
            pgallop.UnknownPostgresError,
            "unverified, said before TLS",
        ),
        (
            "an error that ends too early",
            (b"E" + int4(100) + b"MHelp\0", close()),
            ConnectResetError,
            "the connection was closed before",
        ),
        (
            "an error whose field has no end",
            (b"E" + int4(9) + b"MHelp",),
            pgallop.ProtocolError,
            "does not end within its message",
        ),
    )
]

PROBES = [
    *STRANGERS,
    *ENDLESS,
    *SETTINGS,
    *KEYS,
    *NEGOTIATION,
    *READINESS,
    *REFUSALS,
    *BEFORE_TLS,
]
