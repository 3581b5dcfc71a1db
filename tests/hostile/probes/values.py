"""Values whose bytes are none of their type's, a column and a row each."""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack

from array_bytes import ONE, wire
from hostile.probe import Probe, fetch, fetch_value, value

import pgallop
from pgallop.codecs._oids import ARRAYS, OIDS


def broken(name: str, oid: int, data: bytes, words: str) -> Probe:
    """Bytes that no PostgreSQL sends: the server lies, and the connection is closed."""
    script = value(data, oid)
    return Probe(name=name, script=script, ask=fetch, words=words)


def undecodable(type_name: str, name: str, data: bytes, words: str = "") -> Probe:
    """A value that Python cannot hold, which is no lie: the column is named, and it goes on."""
    return Probe(
        name=f"{type_name}: {name}",
        script=value(data, OIDS[type_name]),
        ask=fetch,
        error=pgallop.DataError,
        words=words or f"column 'lie' ({type_name}) cannot be read",
        usable=True,
    )


def array(name: str, data: bytes, words: str, element: str = "int4") -> Probe:
    return broken(f"{element}[]: {name}", ARRAYS[element], data, words)


async def length(conn: pgallop.Connection) -> object:
    return len(await conn.fetchval("SELECT 1"))


WIDTHS = {
    "bool": 1,
    "int2": 2,
    "int4": 4,
    "int8": 8,
    "oid": 4,
    "float4": 4,
    "float8": 8,
    "uuid": 16,
    "date": 4,
    "time": 8,
    "timetz": 12,
    "timestamp": 8,
    "timestamptz": 8,
    "interval": 16,
    "point": 16,
    "line": 24,
    "lseg": 32,
    "box": 32,
    "circle": 24,
    "xid": 4,
    "cid": 4,
    "xid8": 8,
    "pg_lsn": 8,
    "tid": 6,
    "macaddr": 6,
    "macaddr8": 8,
}

SIZES = [
    broken(f"{name} of {size} bytes", OIDS[name], bytes(size), words)
    for name, width in WIDTHS.items()
    for size, words in (
        (width - 1, "bytes"),
        (width + 1, "bytes"),
    )
] + [
    broken("char of 2 bytes", OIDS["char"], b"xy", "has 2 bytes, which is not what its type char"),
    broken("char of no bytes", OIDS["char"], b"", "announced 1 bytes where 0 remain"),
]

ARRAY_COUNTS = [
    array("nothing", b"", "announced 4 bytes where 0 remain"),
    array("half a head", wire([])[:-1], "announced 4 bytes where 3 remain"),
    array("-1 dimensions", wire([], count=-1), "an array of -1 dimensions"),
    array("7 dimensions", wire([ONE], *[(1, 1)] * 7), "an array of 7 dimensions"),
    array("2^31-1 dimensions", wire([], count=2**31 - 1), "an array of 2147483647 dimensions"),
    array("2 flags", wire([], flags=2), "an array with the flags 2"),
    array("another type of elements", wire([ONE], (1, 1), oid=OIDS["int8"]), "type with OID 20"),
    array("a type of elements nobody knows", wire([ONE], (1, 1), oid=2**32 - 1), "OID 4294967295"),
    array(
        "2^28 elements in four bytes",
        wire([b"\0\0\0\0"[:0]], (2**28, 1)),
        "an array of 268435456 elements in 4 bytes",
    ),
    array("2^31-1 elements", wire([ONE], (2**31 - 1, 1)), "an array of 2147483647 elements"),
    array("-1 elements", wire([ONE], (-1, 1)), "an array of -1 elements"),
    array("-2^31 elements", wire([ONE], (-(2**31), 1)), "an array of -2147483648 elements"),
    array("-1 x -1 elements", wire([ONE], (-1, 1), (-1, 1)), "an array of -1 x -1 elements"),
    array("2^16 x 2^16 elements", wire([ONE], *[(2**16, 1)] * 2), "65536 x 65536"),
    array("2^11 in each of six dimensions", wire([ONE], *[(2**11, 1)] * 6), "2048 x 2048 x 2048"),
    array("2^31-1 in each of six dimensions", wire([ONE], *[(2**31 - 1, 1)] * 6), "2147483647 x"),
    array(
        "six dimensions whose product is 0 in 32 bits",
        wire([ONE], (2**16, 1), (2**16, 1), (1, 1), (1, 1), (1, 1), (1, 1)),
        "65536 x 65536 x 1",
    ),
    array("2^31-1 x 0 elements", wire([], (2**31 - 1, 1), (0, 1)), "2147483647 x 0"),
    array("one element announced, none there", wire([], (1, 1)), "an array of 1 elements in 0"),
    array("one announced, two there", wire([ONE, ONE], (1, 1)), "which is not what its type"),
    array(
        "a dimension without its lower bound",
        pack("!iiIi", 1, 0, OIDS["int4"], 1),
        "announced 4 bytes where 0 remain",
    ),
]

HEAD = pack("!iiIii", 1, 0, OIDS["int4"], 1, 1)

ARRAY_ELEMENTS = [
    array("an element of -2 bytes", HEAD + pack("!ii", -2, 7), "a field of -2 bytes"),
    array("an element of 2^31-1 bytes", HEAD + pack("!ii", 2**31 - 1, 7), "of 2147483647 bytes"),
    array("an element of 5 bytes where 4 are", HEAD + pack("!ii", 5, 7), "a field of 5 bytes"),
    array("an int of 3 bytes", HEAD + pack("!i", 3) + b"\0\0\1", "bytes"),
    array("an int of 5 bytes", HEAD + pack("!i", 5) + bytes(5), "element 0 of int4[] has 5 bytes"),
    array("an empty int", HEAD + pack("!i", 0), "announced 4 bytes where 0 remain"),
    array(
        "a uuid of 15 bytes",
        wire([b"u" * 15], (1, 1), oid=OIDS["uuid"]),
        "uuid of 15 bytes",
        "uuid",
    ),
    array(
        "jsonb of version 9",
        wire([b"\x09{}"], (1, 1), oid=OIDS["jsonb"]),
        "jsonb of version 9",
        "jsonb",
    ),
    array(
        "a digit of 10,000",
        wire([pack("!HhHHH", 1, 0, 0, 0, 10_000)], (1, 1), oid=OIDS["numeric"]),
        "a digit 10000",
        "numeric",
    ),
    broken(
        "int2vector of 2^28 elements",
        OIDS["int2vector"],
        wire([], (2**28, 0), oid=OIDS["int2"]),
        "an array of 268435456 elements",
    ),
    Probe(
        name="text[]: an element that is not UTF-8",
        script=value(wire([b"\xff"], (1, 1), oid=OIDS["text"]), ARRAYS["text"]),
        ask=fetch,
        error=pgallop.DataError,
        words="column 'lie' (text[]) cannot be read",
        usable=True,
    ),
    Probe(
        name="int4[]: a million NULLs, all of which are there",
        script=value(wire([None] * 1_000_000, (1_000_000, 1)), ARRAYS["int4"]),
        ask=length,
        error=None,
        value=1_000_000,
        usable=True,
        megabytes=48.0,
        block=1.0,
    ),
]


def numeric(count: int, weight: int, sign: int, scale: int, *digits: int) -> bytes:
    return pack(f"!HhHH{len(digits)}H", count, weight, sign, scale, *digits)


def numerics(count: int, data: bytes) -> bytes:
    """An array of so many numbers with these bytes."""
    head = pack("!iiIii", 1, 0, OIDS["numeric"], count, 1)
    return head + (pack("!i", len(data)) + data) * count


def number(name: str, data: bytes, words: str) -> Probe:
    return broken(f"numeric: {name}", OIDS["numeric"], data, words)


NUMERIC = [
    number("nothing", b"", "announced 2 bytes where 0 remain"),
    number("half a head", numeric(0, 0, 0, 0)[:-1], "announced 2 bytes where 1 remain"),
    number("65,535 digits in 2 bytes", numeric(65535, 0, 0, 0, 1), "of 65535 digits has 10 bytes"),
    number("two digits and one there", numeric(2, 0, 0, 0, 1), "of 2 digits has 10 bytes"),
    number("one digit and two there", numeric(1, 0, 0, 0, 1, 2), "of 1 digits has 12 bytes"),
    number("a digit of 10,000", numeric(1, 0, 0, 0, 10_000), "a digit 10000, which is above 9999"),
    number("a digit of 65,535", numeric(2, 0, 0, 4, 1, 65_535), "a digit 65535"),
    number("the sign 0x1234", numeric(1, 0, 0x1234, 0, 1), "the sign 0x1234 and 1 digits"),
    number("the sign 0xffff", numeric(0, 0, 0xFFFF, 0), "the sign 0xffff and 0 digits"),
    number("NaN with a digit", numeric(1, 0, 0xC000, 0, 1), "the sign 0xc000 and 1 digits"),
    number("the scale 16,384", numeric(1, 0, 0, 16_384, 1), "the scale 16384"),
    number("the scale 65,535", numeric(1, 0, 0, 65_535, 1), "the scale 65535"),
    Probe(
        name="numeric: the largest weight and the largest scale",
        script=value(numeric(1, 32_767, 0, 16_383, 9_999), OIDS["numeric"]),
        ask=fetch,
        error=None,
        usable=True,
    ),
    Probe(
        name="numeric[]: 2,000 times 10^131068",
        script=value(numerics(2000, numeric(1, 32_767, 0, 16_383, 1)), ARRAYS["numeric"]),
        ask=length,
        error=None,
        value=2000,
        usable=True,
    ),
    Probe(
        name="numeric[]: 2,000 zeros of the largest weight",
        script=value(numerics(2000, numeric(0, 32_767, 0, 16_383)), ARRAYS["numeric"]),
        ask=length,
        error=None,
        value=2000,
        usable=True,
    ),
    Probe(
        name="numeric: the smallest weight",
        script=value(numeric(1, -32_768, 0, 16_383, 9_999), OIDS["numeric"]),
        ask=fetch,
        error=None,
        usable=True,
    ),
]

DAYS = [
    undecodable("date", "a day before year 1", pack("!i", -(2**31) + 1), "date"),
    undecodable("date", "a day behind year 9999", pack("!i", 2**31 - 2), "date"),
    undecodable("timestamp", "a moment before year 1", pack("!q", -(2**63) + 1), "timestamp"),
    undecodable("timestamp", "a moment behind year 9999", pack("!q", 2**63 - 2), "timestamp"),
    undecodable("timestamptz", "a moment behind year 9999", pack("!q", 2**63 - 2), "timestamptz"),
    undecodable("time", "24:00", pack("!q", 86_400_000_000), "24:00:00"),
    broken("time: -1 microseconds", OIDS["time"], pack("!q", -1), "has -1 microseconds"),
    broken("time: 2^63-1 microseconds", OIDS["time"], pack("!q", 2**63 - 1), "9223372036854775807"),
    broken("time: -2^63 microseconds", OIDS["time"], pack("!q", -(2**63)), "-9223372036854775808"),
    broken(
        "timetz: 2^31-1 seconds west",
        OIDS["timetz"],
        pack("!qi", 0, 2**31 - 1),
        "2147483647 seconds away from UTC",
    ),
    broken(
        "timetz: -2^31 seconds west",
        OIDS["timetz"],
        pack("!qi", 0, -(2**31)),
        "-2147483648 seconds away from UTC",
    ),
    undecodable(
        "interval", "2^31-1 months and days", pack("!qii", 0, 2**31 - 1, 2**31 - 1), "interval"
    ),
    undecodable(
        "interval",
        "all of it at its least",
        pack("!qii", -(2**63) + 1, -(2**31), -(2**31)),
        "interval",
    ),
    Probe(
        name="interval: 2^63-1 microseconds",
        script=value(pack("!qii", 2**63 - 2, 0, 0), OIDS["interval"]),
        ask=fetch,
        error=None,
        usable=True,
    ),
]

BAD_UTF8: Sequence[bytes] = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80")

TEXT = [
    *(undecodable("text", f"the bytes {data!r}", data) for data in BAD_UTF8),
    undecodable("varchar", "half a character", "ß".encode()[:1]),
    undecodable("json", "not UTF-8", b'"\xff"'),
    undecodable("json", "nothing", b""),
    undecodable("json", "no JSON", b"{]"),
    undecodable("json", "something behind it", b"1 2"),
    undecodable("json", "nested 200,000 deep", b"[" * 200_000),
    undecodable("json", "nested 200,000 deep, to its end", b"[" * 200_000 + b"]" * 200_000),
    undecodable("json", "objects nested 200,000 deep", b'{"a":' * 200_000),
    undecodable("json", "an int of 200,000 digits", b"9" * 200_000),
    undecodable("jsonb", "nested 200,000 deep", b"\x01" + b"[" * 200_000),
    broken("jsonb of version 0", OIDS["jsonb"], b"\0{}", "jsonb of version 0"),
    broken("jsonb of version 2", OIDS["jsonb"], b"\2{}", "jsonb of version 2"),
    broken("jsonb of no bytes", OIDS["jsonb"], b"", "announced 1 bytes where 0 remain"),
    undecodable("jsonb", "a version and nothing", b"\1"),
    undecodable("xml", "not UTF-8", b"<\xff/>"),
    Probe(
        name="void that is something",
        script=value(b"something", OIDS["void"]),
        ask=fetch_value,
        error=None,
        usable=True,
    ),
    Probe(
        name="bool of 2",
        script=value(b"\2", OIDS["bool"]),
        ask=fetch_value,
        error=None,
        value=True,
        usable=True,
    ),
]


def points(name: str, count: int, there: int, words: str) -> Probe:
    head = b"\1" if name == "path" else b""
    data = head + pack("!i", count) + bytes(16 * there)
    return broken(f"{name} of {count} points, {there} there", OIDS[name], data, words)


FIGURES = [
    broken("bit: nothing", OIDS["bit"], b"", "announced 4 bytes where 0 remain"),
    broken("bit: -1 bits", OIDS["bit"], pack("!i", -1), "a bit of -1 bits in 0 bytes"),
    broken("bit: 9 bits in a byte", OIDS["bit"], pack("!iB", 9, 0), "of 9 bits in 1 bytes"),
    broken("bit: 8 bits in two bytes", OIDS["bit"], pack("!iH", 8, 0), "of 8 bits in 2 bytes"),
    broken("varbit: 2^31-1 bits", OIDS["varbit"], pack("!iB", 2**31 - 1, 0), "in 1 bytes"),
    broken("varbit: a bit too many", OIDS["varbit"], pack("!iB", 7, 1), "with bits beyond its 7"),
    broken("path: closed by 2", OIDS["path"], b"\2" + pack("!i16x", 1), "that is closed by 2"),
    broken("path: nothing", OIDS["path"], b"", "announced 1 bytes where 0 remain"),
    *[
        points(name, count, there, words)
        for name in ("path", "polygon")
        for count, there, words in (
            (0, 0, f"a {name} of 0 points in 0 bytes"),
            (-1, 1, f"a {name} of -1 points in 16 bytes"),
            (2, 1, f"a {name} of 2 points in 16 bytes"),
            (1, 2, f"which is not what its type {name} takes"),
            (2**28, 1, f"a {name} of 268435456 points in 16 bytes"),
            (2**31 - 1, 1, f"a {name} of 2147483647 points in 16 bytes"),
        )
    ],
]

SYSTEM = [
    broken("inet: nothing", OIDS["inet"], b"", "announced 1 bytes where 0 remain"),
    broken("inet: family 4", OIDS["inet"], pack("!BBBBi", 4, 32, 0, 4, 1), "of the family 4"),
    broken("inet: IPv4 of 16 bytes", OIDS["inet"], pack("!BBBB16x", 2, 32, 0, 16), "with 16 bytes"),
    broken("inet: IPv6 of 4 bytes", OIDS["inet"], pack("!BBBBi", 3, 32, 0, 4, 1), "with 4 bytes"),
    broken("inet: 33 bits", OIDS["inet"], pack("!BBBBi", 2, 33, 0, 4, 1), "a netmask of 33 bits"),
    broken("inet: too short", OIDS["inet"], pack("!BBBBh", 2, 32, 0, 4, 1), "4 bytes in 6 bytes"),
    broken("cidr: too long", OIDS["cidr"], pack("!BBBBq", 2, 32, 1, 4, 1), "4 bytes in 12 bytes"),
    undecodable("cidr", "bits beside its netmask", pack("!BBBBi", 2, 8, 1, 4, 1), "has host bits"),
    *[
        broken(f"pg_snapshot: {name}", OIDS["pg_snapshot"], pack(form, *numbers), words)
        for name, form, numbers, words in (
            ("-1 transactions", "!iqq", (-1, 1, 9), "of -1 transactions in 20 bytes"),
            ("2^31-1 transactions", "!iqqq", (2**31 - 1, 1, 9, 5), "of 2147483647 transactions"),
            ("one of two", "!iqqq", (2, 1, 9, 5), "of 2 transactions in 28 bytes"),
            ("in disorder", "!iqqqq", (2, 1, 9, 6, 5), "are not in order"),
            ("backwards", "!iqq", (0, 9, 1), "from 9 to 1"),
        )
    ],
    broken("jsonpath: version 2", OIDS["jsonpath"], b"\2$", "jsonpath of version 2, known is 1"),
    *[
        broken(
            f"a {name} of 2^31-1 in a record",
            OIDS["record"],
            pack("!iIiii", 1, OIDS[name], 8, 2**31 - 1, 0),
            f"a {name} of 2147483647",
        )
        for name in ("tsvector", "tsquery")
    ],
]

PROBES = [*SIZES, *SYSTEM, *ARRAY_COUNTS, *ARRAY_ELEMENTS, *NUMERIC, *DAYS, *TEXT, *FIGURES]
