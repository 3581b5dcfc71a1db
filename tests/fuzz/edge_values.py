"""Values of each type that lie at its edges, and bytes that are legal but never written by us.

The seeds of `codec_targets` are made of them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from ipaddress import ip_address, ip_interface, ip_network
from struct import pack
from typing import Any
from uuid import UUID

from pgallop.values import (
    DATE_INFINITY,
    INTERVAL_INFINITY,
    TIMESTAMP_INFINITY,
    TIMESTAMPTZ_INFINITY,
    BitString,
    Box,
    Circle,
    Interval,
    Line,
    LineSegment,
    Path,
    Point,
    Polygon,
    Range,
)

NAN, INFINITY = float("nan"), float("inf")
EAST = timezone(timedelta(hours=15, minutes=59, seconds=59))
TEXTS = ["", "Ada", "Grüße 😀", "'\"\\\t\n", "x" * 300]

NOON = datetime(2024, 2, 29, 12)

# As the server writes them, and in its order, with gaps between them.
RANGES: dict[str, list[Any]] = {
    "int4range": [Range(None, -7), Range(1, 5), Range(2**31 - 1, None)],
    "int8range": [Range(-(2**63), -(2**62)), Range(2**63 - 2, 2**63 - 1)],
    "numrange": [Range(Decimal("1.50"), Decimal(2)), Range(Decimal(2), None, lower_inc=False)],
    "daterange": [Range(None, date(1, 1, 2)), Range(date(2024, 2, 29), date(2024, 3, 1))],
    "tsrange": [Range(NOON, NOON, upper_inc=True), Range(datetime(2025, 1, 1), None)],
    "tstzrange": [Range(None, NOON.replace(tzinfo=UTC), upper_inc=True)],
}

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
    "date": [
        *(DATE_INFINITY, -DATE_INFINITY, date(2000, 1, 1), date(1999, 12, 31), date(2024, 2, 29)),
        *(date.min, date.max),
    ],
    "time": [time(), time(23, 59, 59, 999999)],
    "timetz": [time(tzinfo=UTC), time(23, 59, 59, 999999, EAST)],
    "timestamp": [
        *(datetime(2000, 1, 1), datetime(1969, 12, 31, 23), datetime.min, datetime.max),
        *(TIMESTAMP_INFINITY, -TIMESTAMP_INFINITY),
    ],
    "timestamptz": [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(1970, 1, 1, 0, 0, 0, 1, EAST),
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        TIMESTAMPTZ_INFINITY,
        -TIMESTAMPTZ_INFINITY,
    ],
    "interval": [
        *(timedelta(), timedelta(1, 2, 3), timedelta(-1, 86399, 999999), timedelta.max),
        *(timedelta.min, Interval(months=1), Interval(days=1, hours=-1), Interval(hours=24)),
        *(INTERVAL_INFINITY, -INTERVAL_INFINITY),
    ],
    "json": [None, True, 1, -0.5, "é", [], {}, [1, [2, {"a": [None, "b"]}]]],
    "jsonb": [None, False, 10**30, 1e300, "\0", {"a": {"b": {"c": [[[]]]}}}],
    "jsonpath": ["$", 'strict $."a"[*]?(@ > "ü")'],
    "refcursor": ["<unnamed portal 1>", ""],
    "inet": [
        *map(ip_interface, ("0.0.0.0/0", "10.1.2.3/8", "::/127", "2001:db8::1/64")),
        *map(ip_address, ("255.255.255.255", "127.0.0.1", "::1", "::ffff:1.2.3.4")),
    ],
    "cidr": [*map(ip_network, ("0.0.0.0/0", "10.0.0.0/8", "1.2.3.4/32", "::/0", "ff00::/8"))],
    "macaddr": ["00:00:00:00:00:00", "08:00:2b:01:02:ff"],
    "macaddr8": ["00:00:00:00:00:00:00:00", "08:00:2b:ff:fe:01:02:03"],
    "xid": [0, 2**32 - 1],
    "cid": [0, 2**32 - 1],
    "xid8": [0, 1, 2**63, 2**64 - 1],
    "pg_lsn": [0, 2**32, 2**64 - 1],
    "tid": [(0, 0), (2**32 - 1, 2**16 - 1)],
    "pg_snapshot": [(1, 1, ()), (3, 2**63 - 1, (3, 5, 2**63 - 1))],
    "txid_snapshot": [(1, 1, ()), (3, 2**63 - 1, (3, 5, 2**63 - 1))],
    **RANGES,
    **{name.replace("range", "multirange"): [[], values] for name, values in RANGES.items()},
    "bit": [BitString(), BitString("1"), BitString("00000000"), BitString("101010101")],
    "varbit": [BitString("1" * 100), BitString.from_int(1, 17), BitString()],
    "point": [Point(0, -0.0), Point(5e-324, 1e300), Point(NAN, -INFINITY)],
    "line": [Line(1, 2, 3), Line(-1, 0, 0.1), Line(NAN, INFINITY, -INFINITY)],
    "lseg": [LineSegment((1, 2), (3, 4)), LineSegment((0, 0), (-0.0, NAN))],
    # The corners as the server has them.
    "box": [Box((3, 4), (1, 2)), Box((0, 0), (0, 0)), Box((INFINITY, 1e20), (-0.5, -INFINITY))],
    "path": [Path((1, 2)), Path((1, 2), (-0.0, NAN), is_closed=True)],
    "polygon": [Polygon((1, 2)), Polygon((0, 0), (1e-7, 0), (0, -INFINITY))],
    "circle": [Circle((1, 2), 3), Circle((-0.0, 1e300), 0), Circle((NAN, 0), INFINITY)],
    "int2vector": [[1, 2, 3], [-(2**15)]],
    "oidvector": [[1], [2**32 - 1, 0]],
}

RAW: dict[str, list[bytes]] = {
    # Corners that the server would exchange; a radius that circle(point, float8) lets pass.
    "box": [pack("!4d", 1, 2, 3, 4), pack("!4d", NAN, 0, 1, -0.0)],
    "circle": [pack("!3d", 0, 0, -1)],
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
        # Of types that come as text elsewhere: a regclass, 'a':3A 'b', !('a':*B | 'b').
        pack("!iIii", 1, 2205, 4, 1247),
        pack("!iIii2sHH2sH", 1, 3614, 14, 2, b"a", 1, 0xC003, b"b", 0),
        pack("!iIiiBBBBBBB2sBBB2s", 1, 3615, 18, 4, 2, 1, 2, 3, 1, 0, 0, b"b", 1, 4, 1, b"a"),
    ],
    "void": [b""],
    # The empty range, and one without a value that does not say so.
    "int4range": [b"\1", b"\2" + pack("!iiii", 4, 5, 4, 5)],
    "int4multirange": [pack("!iib", 2, 1, 1) + pack("!ib4i", 17, 2, 4, 5, 4, 5)],
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
    "jsonpath": [b'$."a"'],
    "refcursor": [b"<unnamed portal 1>"],
    "inet": [b"10.1.2.3/8", b"127.0.0.1", b"::ffff:1.2.3.4", b"2001:db8::1/64"],
    "cidr": [b"10.0.0.0/8", b"::/0"],
    "macaddr": [b"08:00:2b:01:02:ff"],
    "macaddr8": [b"08:00:2b:ff:fe:01:02:03"],
    "xid": [b"4294967295"],
    "cid": [b"0"],
    "xid8": [b"18446744073709551615"],
    "pg_lsn": [b"0/0", b"16/B374D848"],
    "tid": [b"(0,1)", b"(4294967295,65535)"],
    "pg_snapshot": [b"1:1:", b"10:20:10,14,15"],
    "txid_snapshot": [b"1:1:", b"10:20:10,14,15"],
    "bit": [b"101", b""],
    "varbit": [b"101010101"],
    "point": [b"(1,-0.5)", b"(NaN,-Infinity)"],
    "line": [b"{1,-2,3e+20}"],
    "lseg": [b"[(1,2),(3,4)]"],
    "box": [b"(3,4),(1,2)"],
    "path": [b"((1,2),(3,4))", b"[(1,2)]"],
    "polygon": [b"((1,2),(3,4),(-5e-07,6))"],
    "circle": [b"<(1,2),3>"],
    "int2vector": [b"1 -2 3", b""],
    "oidvector": [b"4294967295 1"],
    "int4range": [b"empty", b"[1,5)", b"(,)", b"(,-7)"],
    "int8range": [b"[9223372036854775806,9223372036854775807)"],
    "numrange": [b"(1.50,2]", b"[100000,)"],
    "daterange": [b"[2024-02-29,2024-03-01)", b"[-infinity,infinity]"],
    "tsrange": [b'["2024-02-29 12:00:00","2024-02-29 12:00:00.5"]'],
    "tstzrange": [b'(,"2024-02-29 12:00:00+00"]', b"[-infinity,infinity]"],
    "int4multirange": [b"{}", b"{(,-7),[1,5),[7,9)}"],
    "int8multirange": [b"{[9223372036854775806,9223372036854775807)}"],
    "nummultirange": [b"{(1.50,2],(2,3)}"],
    "datemultirange": [b"{[2024-02-29,2024-03-01)}", b"{(,)}"],
    "tsmultirange": [b'{["2024-02-29 12:00:00","2024-02-29 12:00:00.5"]}'],
    "tstzmultirange": [b'{(,"2024-02-29 12:00:00+00"],["2024-03-01 00:00:00+00",)}'],
    "record": [b'(1,"a b",,"","x""y\\\\")', b"(,)", b'("(1,2)")'],
}
