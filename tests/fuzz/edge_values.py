"""Values of each type that lie at its edges, and bytes that are legal but never written by us.

The seeds of `codec_targets` are made of them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from struct import pack
from typing import Any
from uuid import UUID

EAST = timezone(timedelta(hours=15, minutes=59, seconds=59))
TEXTS = ["", "Ada", "Grüße 😀", "'\"\\\t\n", "x" * 300]

EDGE_VALUES: dict[str, list[Any]] = {
    "bool": [True, False],
    "int2": [0, 1, -1, 2**15 - 1, -(2**15)],
    "int4": [0, 1, -1, 2**31 - 1, -(2**31)],
    "int8": [0, 1, -1, 2**63 - 1, -(2**63)],
    "oid": [0, 1, 2**31, 2**32 - 1],
    "float4": [0.0, -0.0, 1.5, 2.0**-149, 3.4028234663852886e38, float("inf"), float("nan")],
    "float8": [0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, float("-inf"), float("nan")],
    "numeric": [
        *map(Decimal, ("0", "1", "-1.50", "9999", "10000", "0.0001", "1E+20", "1E-40")),
        *map(Decimal, ("NaN", "Infinity", "-Infinity", "12345678901234567890.0123456789")),
    ],
    "text": TEXTS,
    "varchar": TEXTS,
    "bpchar": ["  padded  ", ""],
    "name": ["users", "x" * 63],
    "unknown": ["unknown"],
    "cstring": ["cstring"],
    "xml": ["<a>ü</a>", '<?xml version="1.0" encoding="latin1" standalone="yes"?><a/>'],
    "char": ["", "a", "\x7f", "\\200", "\\377"],
    "bytea": [b"", b"\0\xff", bytes(range(256))],
    "uuid": [UUID(int=0), UUID(int=2**128 - 1), UUID("12345678-1234-5678-1234-567812345678")],
    "date": [date(2000, 1, 1), date(1999, 12, 31), date(2024, 2, 29), date.min, date.max],
    "time": [time(), time(23, 59, 59, 999999)],
    "timetz": [time(tzinfo=UTC), time(23, 59, 59, 999999, EAST)],
    "timestamp": [datetime(2000, 1, 1), datetime(1969, 12, 31, 23), datetime.min, datetime.max],
    "timestamptz": [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 0, 1, EAST),
        datetime.min,
        datetime.max,
    ],
    "interval": [timedelta(), timedelta(1, 2, 3), timedelta(-1, 86399, 999999), timedelta.max],
    "json": [None, True, 1, -0.5, "é", [], {}, [1, [2, {"a": [None, "b"]}]]],
    "jsonb": [None, False, 10**30, 1e300, "\0", {"a": {"b": {"c": [[[]]]}}}],
    "int2vector": [[1, 2, 3], [-(2**15)]],
    "oidvector": [[1], [2**32 - 1, 0]],
}

RAW: dict[str, list[bytes]] = {
    # More digits than the type's own text has, digits far from the point.
    "numeric": [
        pack("!HhHH5H", 5, 1, 0x4000, 6, 0, 1, 9999, 5000, 0),
        pack("!HhHHH", 1, 32767, 0, 0, 9999),
        pack("!HhHHH", 1, -4096, 0, 16383, 1),
    ],
    "date": [pack("!i", 2**31 - 1), pack("!i", -(2**31)), pack("!i", 3_000_000)],
    "time": [pack("!q", 86_400_000_000)],
    "timestamp": [pack("!q", 2**63 - 1), pack("!q", -(2**63)), pack("!q", -(2**63) + 1)],
    "timestamptz": [pack("!q", 2**63 - 1), pack("!q", -(2**63)), pack("!q", 2**62)],
    "interval": [
        pack("!qii", 1, 2, 13),
        pack("!qii", -1, -2, -13),
        pack("!qii", 2**63 - 1, 2**31 - 1, 2**31 - 1),
        pack("!qii", -(2**63), -(2**31), -(2**31)),
    ],
    "json": [b" [1e999, 1E-999, 1.0] \n", b"[" * 300 + b"]" * 300, b'"\\ud800\\udc00\\ud800"'],
    "jsonb": [b"\1\t{}\r", b'\1{"a":1,"a":2}', b"\1NaN"],
    # A record of one int4, of none, of NULL, and of a record of a record.
    "record": [
        pack("!iIii", 1, 23, 4, 7),
        pack("!i", 0),
        pack("!iIi", 1, 25, -1),
        pack("!iIiiIiiIii", 1, 2249, 28, 1, 2249, 16, 1, 23, 4, 7),
    ],
    "void": [b""],
}

# How the server writes them.
TEXT_FORMS: dict[str, list[bytes]] = {
    "bool": [b"t", b"f"],
    "int2": [b"0", b"-32768"],
    "int4": [b"1", b"2147483647"],
    "int8": [b"-9223372036854775808"],
    "oid": [b"4294967295"],
    "float4": [b"-1.5", b"3.4028235e+38", b"1e-45", b"NaN", b"7.038531e-26"],
    "float8": [b"0.1", b"5e-324", b"-1.7976931348623157e+308", b"Infinity"],
    "numeric": [b"-1.500", b"1" + b"0" * 50, b"0.0000", b"NaN", b"-Infinity"],
    "text": [b"", "Grüße 😀".encode(), b"NULL", b'{"quoted\\", it is}'],
    "char": [b"", b"a", b"\\377"],
    "bytea": [b"\\x", b"\\x00ff", b"escaped\\\\\\000"],
    "uuid": [b"12345678-90ab-cdef-1234-567890abcdef"],
    "date": [b"2024-02-29", b"0044-03-15 BC", b"12024-01-01", b"-infinity"],
    "time": [b"23:59:59.999999", b"24:00:00"],
    "timetz": [b"00:00:00+05:30", b"23:59:59.5-15:59:59"],
    "timestamp": [b"2024-02-29 12:00:00.000001", b"0044-03-15 12:00:00 BC", b"infinity"],
    "timestamptz": [b"2024-02-29 12:00:00+00:19:32", b"1999-12-31 23:59:59.5-03:30"],
    "interval": [b"1 year 2 mons -3 days +04:05:06.7", b"00:00:00", b"-infinity", b"1 day"],
    "json": [b'{"a": [1, 2]}', b"null"],
    "jsonb": [b'[{"a": "b"}, 1.50]'],
    "int2vector": [b"1 -2 3", b""],
    "oidvector": [b"4294967295 1"],
    "record": [b'(1,"a b",,"","x""y\\\\")', b"(,)", b'("(1,2)")'],
}
