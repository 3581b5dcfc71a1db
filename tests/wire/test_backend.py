"""What a server sends: each parser with good messages, each prefix of them, and lies."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import INT4, TEXT, column, int4, string

from pgallop.errors import ProtocolError
from pgallop.limits import MAX_COLUMNS
from pgallop.wire import backend
from pgallop.wire.backend import Field
from pgallop.wire.reader import Reader

Parser = Callable[[Reader], object]

COLUMNS = column("id", INT4) + string("naïve") + pack("!IhIhih", 16384, -2, 2**32 - 1, 4, 9, 0)

# Per message: its parser, the bytes of a body, what is to come out.
GOOD: dict[str, tuple[Parser, bytes, object]] = {
    "AuthenticationOk": (backend.authentication, int4(0), (0, b"")),
    "AuthenticationMD5Password": (
        backend.authentication,
        int4(5) + b"salt",
        (5, b"salt"),
    ),
    "AuthenticationSASL": (
        backend.authentication,
        int4(10) + b"SCRAM-SHA-256\0\0",
        (10, b"SCRAM-SHA-256\0\0"),
    ),
    "Authentication with a negative code": (backend.authentication, int4(-1), (-1, b"")),
    "BackendKeyData": (backend.backend_key_data, int4(258) + b"\0\1\2\3", (258, b"\0\1\2\3")),
    "BackendKeyData of 3.2": (backend.backend_key_data, int4(1) + bytes(256), (1, bytes(256))),
    "ParameterStatus": (
        backend.parameter_status,
        b"TimeZone\0Europe/Z\xc3\xbcrich\0",
        ("TimeZone", "Europe/Zürich"),
    ),
    "ParameterStatus of nothing": (backend.parameter_status, b"\0\0", ("", "")),
    "ParameterStatus in another encoding": (
        backend.parameter_status,
        b"a\xff\0b\xfe\0",
        ("a\ufffd", "b\ufffd"),
    ),
    "ReadyForQuery": (backend.ready_for_query, b"I", ord("I")),
    "ReadyForQuery in a transaction": (backend.ready_for_query, b"T", ord("T")),
    "ReadyForQuery in a failed transaction": (backend.ready_for_query, b"E", ord("E")),
    "CommandComplete": (backend.command_complete, b"INSERT 0 1\0", "INSERT 0 1"),
    "CommandComplete in another encoding": (backend.command_complete, b"\xff\0", "\ufffd"),
    "ErrorResponse": (
        backend.error_fields,
        b"SERROR\0C42601\0Mgr\xc3\xbc\xc3\x9fe\0\0",
        {"S": "ERROR", "C": "42601", "M": "grüße"},
    ),
    "ErrorResponse without fields": (backend.error_fields, b"\0", {}),
    "ErrorResponse of fields unknown and in another encoding": (
        backend.error_fields,
        b"\xffx\0M\xe9t\xe9\0\0",
        {"\xff": "x", "M": "\ufffdt\ufffd"},
    ),
    "ErrorResponse that repeats a field": (backend.error_fields, b"Ma\0Mb\0\0", {"M": "b"}),
    "NotificationResponse": (
        backend.notification_response,
        int4(258) + b"ch\xc3\xa9\0payload\0",
        (258, "ché", "payload"),
    ),
    "NotificationResponse in another encoding": (
        backend.notification_response,
        int4(1) + b"a\xff\0\xfe\0",
        (1, "a\udcff", "\udcfe"),
    ),
    "ParameterDescription": (
        backend.parameter_description,
        b"\0\2" + int4(INT4) + b"\xff\xff\xff\xff",
        (INT4, 2**32 - 1),
    ),
    "ParameterDescription of none": (backend.parameter_description, b"\0\0", ()),
    "ParameterDescription of the most": (
        backend.parameter_description,
        b"\xff\xff" + int4(TEXT) * 65535,
        (TEXT,) * 65535,
    ),
    "RowDescription": (
        backend.row_description,
        b"\0\2" + COLUMNS,
        [
            Field("id", 0, 0, INT4, -1, -1, 1),
            Field("naïve", 16384, -2, 2**32 - 1, 4, 9, 0),
        ],
    ),
    "RowDescription of none": (backend.row_description, b"\0\0", []),
    "RowDescription in another encoding": (
        backend.row_description,
        b"\0\1" + column(b"a\xff", TEXT, 0),
        [Field("a\udcff", 0, 0, TEXT, -1, -1, 0)],
    ),
    "NegotiateProtocolVersion": (
        backend.negotiate_protocol_version,
        int4(196608) + int4(2) + b"_pq_.a\0_pq_.b\0",
        (196608, ["_pq_.a", "_pq_.b"]),
    ),
    "NegotiateProtocolVersion without options": (
        backend.negotiate_protocol_version,
        int4(0) + int4(0),
        (0, []),
    ),
}

PARSERS: dict[str, Parser] = {name.split()[0]: parse for name, (parse, _, _) in GOOD.items()}

# These end in data of any length.
OPEN_ENDED = (backend.authentication, backend.backend_key_data)


def _mutated() -> list[bytes]:
    """Every short good body with every byte set to the values that counts and lengths lie with."""
    bodies = [body for _, body, _ in GOOD.values() if len(body) < 100]
    return [
        body[:i] + bytes([lie]) + body[i + 1 :]
        for body in bodies
        for i in range(len(body))
        for lie in (0x00, 0x01, 0x7F, 0x80, 0xFF)
    ]


MUTATED = _mutated()


@pytest.mark.parametrize("name", GOOD)
def test_a_good_message(name: str) -> None:
    parse, body, expected = GOOD[name]
    result = parse(Reader(body))
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize("name", [name for name in GOOD if len(GOOD[name][1]) < 1000])
def test_each_prefix_of_a_message(name: str) -> None:
    parse, body, _ = GOOD[name]
    for size in range(len(body)):
        if parse is backend.authentication and size >= 4:
            assert parse(Reader(body[:size])) == (
                int.from_bytes(body[:4], "big", signed=True),
                body[4:size],
            )
        elif parse is backend.backend_key_data and size >= 8:
            assert parse(Reader(body[:size])) == (int.from_bytes(body[:4], "big"), body[4:size])
        else:
            with pytest.raises(ProtocolError):
                parse(Reader(body[:size]))


@pytest.mark.parametrize("name", [name for name in GOOD if GOOD[name][0] not in OPEN_ENDED])
@pytest.mark.parametrize("more", [b"\0", b"\0\0\0\0", b"X"])
def test_bytes_behind_a_message(name: str, more: bytes) -> None:
    parse, body, _ = GOOD[name]
    with pytest.raises(ProtocolError):
        parse(Reader(body + more))


@pytest.mark.parametrize(
    ("parse", "body", "words"),
    [
        (backend.parameter_description, b"\0\1", "ParameterDescription of 1 types in 0 bytes"),
        (backend.parameter_description, b"\0\1" + bytes(3), "of 1 types in 3 bytes"),
        (backend.parameter_description, b"\0\1" + bytes(8), "of 1 types in 8 bytes"),
        (backend.parameter_description, b"\xff\xff" + bytes(8), "of 65535 types in 8 bytes"),
        (backend.parameter_description, b"\x80\0" + bytes(8), "of 32768 types in 8 bytes"),
        (backend.row_description, b"\0\1", "RowDescription of 1 columns in 0 bytes"),
        (backend.row_description, b"\0\3" + COLUMNS, "of 3 columns in 46 bytes"),
        (backend.row_description, b"\0\1" + COLUMNS, "25 bytes are left over"),
        (backend.row_description, b"\0\0" + COLUMNS, "46 bytes are left over"),
        (backend.row_description, b"\xff\xff" + COLUMNS, "of 65535 columns"),
        (backend.row_description, b"\0\1" + b"x" * 40, "does not end"),
        (backend.row_description, b"\0\1" + b"x" * 18 + b"\0", "announced 4 bytes where 0 remain"),
        (backend.row_description, b"\0\1" + column("id", INT4, 2), "unknown format code 2"),
        (backend.row_description, b"\0\1" + column("id", INT4, -1), "unknown format code -1"),
        (backend.negotiate_protocol_version, int4(0) + int4(-1), "with -1 options"),
        (backend.negotiate_protocol_version, int4(0) + int4(-(2**31)), "with -2147483648 options"),
        (backend.negotiate_protocol_version, int4(0) + int4(1), "with 1 options"),
        (backend.negotiate_protocol_version, int4(0) + int4(2**31 - 1) + b"a\0", "2147483647"),
        (backend.negotiate_protocol_version, int4(0) + int4(2) + b"a\0", "does not end"),
        (backend.negotiate_protocol_version, int4(0) + int4(1) + b"a\0b\0", "left over"),
        (backend.backend_key_data, int4(1), "has 0 bytes, 4 to 256 expected"),
        (backend.backend_key_data, int4(1) + bytes(3), "has 3 bytes"),
        (backend.backend_key_data, int4(1) + bytes(257), "has 257 bytes"),
        (backend.ready_for_query, b"", "announced 1 bytes where 0 remain"),
        (backend.ready_for_query, b"\0", "unknown transaction status"),
        (backend.ready_for_query, b"i", "unknown transaction status"),
        (backend.ready_for_query, b"\xff", "unknown transaction status"),
        (backend.error_fields, b"", "announced 1 bytes where 0 remain"),
        (backend.error_fields, b"SERROR\0", "announced 1 bytes where 0 remain"),
        (backend.error_fields, b"SERROR", "does not end"),
        (backend.error_fields, b"SERROR\0\0Mx\0\0", "left over"),
        (backend.parameter_status, b"name\0value", "does not end"),
        (backend.parameter_status, b"name\0", "does not end"),
        (backend.parameter_status, b"name\0value\0\0", "left over"),
        (backend.command_complete, b"SELECT 1", "does not end"),
        (backend.command_complete, b"SELECT 1\0\0", "left over"),
        (backend.notification_response, int4(1) + b"channel\0payload", "does not end"),
        (backend.notification_response, b"\0\0\0", "announced 4 bytes where 3 remain"),
    ],
)
def test_a_lie(parse: Parser, body: bytes, words: str) -> None:
    with pytest.raises(ProtocolError, match=words):
        parse(Reader(body))


@given(st.sampled_from(sorted(PARSERS)), st.binary(max_size=80))
def test_any_bytes_parse_or_are_a_protocol_error(name: str, body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        PARSERS[name](Reader(body))


@pytest.mark.parametrize("name", PARSERS)
def test_a_changed_byte_is_read_or_refused(name: str) -> None:
    refused = 0
    for body in MUTATED:
        try:
            PARSERS[name](Reader(body))
        except ProtocolError:
            refused += 1
    assert refused > 0


def test_the_most_columns() -> None:
    one = column("", INT4, 1)
    most = pack("!H", MAX_COLUMNS) + one * MAX_COLUMNS
    assert len(backend.row_description(Reader(most))) == MAX_COLUMNS == 8192
    for more in (MAX_COLUMNS + 1, 65535):
        with pytest.raises(ProtocolError, match=f"{more} columns, {MAX_COLUMNS} are allowed"):
            backend.row_description(Reader(pack("!H", more) + one * more))
