"""Text forms that no server writes, and what they may cost."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from temporal_values import VALUES

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError

BAD: dict[str, list[bytes]] = {
    "bool": [b"", b"true", b"1", b"T", b"tf", b"t\n"],
    "int2": [b"", b"32768", b"-32769", b"1.0", b"\xd9\xa1"],
    "int4": [
        *(b"", b"-", b"+1", b" 1", b"1 ", b"1\n", b"1_0", b"0x1", b"1e3", b"NaN", b"\xff"),
        *(b"--1", b"01", b"-0"),
        *(b"2147483648", b"-2147483649", b"9" * 21, b"9" * 5000),
    ],
    "int8": [b"9223372036854775808", b"-9223372036854775809"],
    "oid": [b"-1", b"4294967296", b"010"],
    "float4": [
        *(b"", b"nan", b"inf", b"+1", b"1_0", b".5", b"5.", b"1e", b"0x1p3", b" 1", b"-NaN"),
        *(b"3.5e+38", b"-1e39", b"1e999", b"1e-46", b"-0.1e-46", b"1e-999", b"1e9999"),
    ],
    "float8": [b"1e309", b"-1e999", b"1e-400", b"0.0001e-400", b"1" * 401, b"Infinity\n", b"1\n"],
    "numeric": [
        *(b"", b"1e5", b"+1", b"1_0", b"inf", b"sNaN", b"-NaN", b".5", b"5.", b" 1", b"1\n", b"-"),
        *(b"1" * 131_073, b"0." + b"1" * 16_384),
    ],
    "char": [b"\0", b"ab", b"\\1", b"\\400", b"\\177", b"\\3777", b"\xc3\xa9"],
    "bytea": [
        *(b"\\x0", b"\\x0g", b"\\x 00", b"\\", b"a\\", b"\\1", b"\\400", b"\\a", b"\\00", b"\xff"),
        *(b"\n", b"\x00"),
    ],
    "uuid": [
        b"",
        b"1234567890abcdef1234567890abcdef",
        b"12345678-90ab-cdef-1234-567890abcdeg",
        b"{12345678-90ab-cdef-1234-567890abcdef}",
        b"12345678-90ab-cdef-1234-567890abcdef\n",
        b"1234567-890ab-cdef-1234-567890abcdef",
    ],
    "date": [
        *(b"", b"2024-1-01", b"2023-02-29", b"2024-13-01", b"2024-00-01", b"2024-01-00", b"now"),
        *(b"01-02-2024", b"02/01/2024", b"1.2.2024", b"24-01-01", b"2024-01-01 AD", b"-2024-01-01"),
        *(b"0000-01-01", b"4715-01-01 BC", b"5874898-01-01", b"9999999-01-01", b"Infinity"),
        *(b"2024-01-01\n", b"2024-01-01 00:00:00", b"2024-01-01BC", b"2024-01-01T"),
    ],
    "time": [
        *(b"", b"1:00:00", b"00:00", b"00:60:00", b"00:00:60", b"24:00:01", b"24:00:00.000001"),
        *(b"99:00:00", b"00:00:00.", b"00:00:00.1234567", b"00:00:00+00", b"-00:00:00"),
    ],
    "timetz": [
        *(b"00:00:00", b"00:00:00+1", b"00:00:00+01:60", b"00:00:00+01:00:60", b"00:00:00 UTC"),
        *(b"00:00:00+16", b"00:00:00-999", b"00:00:00+050", b"00:00:00+01:00:00:00", b"00:00:00Z"),
    ],
    "timestamp": [
        *(b"2024-01-01", b"2024-01-01T00:00:00", b"2024-01-01 00:00:00+00", b"2023-02-29 00:00:00"),
        *(b"294277-01-01 00:00:00", b"4715-01-01 00:00:00 BC", b"2024-01-01 24:00:00.1"),
    ],
    "timestamptz": [
        *(b"2024-01-01 00:00:00", b"2024-01-01 00:00:00 CET", b"2024-01-01 00:00:00+0100"),
        *(b"294276-12-31 23:59:59.999999-00:01", b"4714-11-24 00:00:00+01 BC"),
    ],
    "interval": [
        *(
            b"",
            b"0",
            b"1",
            b"@ 1 day",
            b"P1D",
            b"PT0S",
            b"1-2",
            b"1 0:00:00",
            b"1:00:00",
            b"1 day ",
        ),
        *(b" 1 day", b"1 day 1 year", b"1 day  01:00:00", b"1 week", b"00:60:00", b"00:00:60"),
        *(b"2147483648 days", b"178956971 years", b"-178956970 years -9 mons", b"1 day\n"),
        *(b"2562047788:00:54.775808", b"-2562047788:00:54.775809", b"9999999999:00:00", b"- 1 day"),
    ],
    "inet": [
        *(b"", b"1.2.3", b"1.2.3.4.5", b"1.2.3.256", b"01.2.3.4", b"1.2.3.4/33", b"1.2.3.4/"),
        *(b"1.2.3.4/08", b"1.2.3.4/255.0.0.0", b" 1.2.3.4", b"1.2.3.4\n", b"::1%eth0", b"::1/129"),
        *(b":::", b"1::2::3", b"12345::", b"::G", b"::A", b"1.2.3.4/-1", b"0x7f.1", b"\xff"),
    ],
    "cidr": [b"1.2.3.4", b"::", b"1.2.3.4/8", b"::1/64", b"10/8", b"1.2.3.4/33"],
    "macaddr": [
        *(b"", b"08002b010203", b"08:00:2b:01:02", b"08:00:2b:01:02:03:04", b"08-00-2b-01-02-03"),
        *(b"08:00:2B:01:02:03", b"08:00:2b:01:02:0g", b"08:00:2b:01:02:03\n", b"8:0:2b:1:2:3"),
    ],
    "macaddr8": [b"08:00:2b:01:02:03", b"08:00:2b:01:02:03:04", b"0800:2b:01:02:03:04:05"],
    "xid": [b"-1", b"4294967296", b"010", b"0x10"],
    "cid": [b"-1", b"4294967296"],
    "xid8": [b"-1", b"18446744073709551616", b"010"],
    "pg_lsn": [b"", b"0", b"/", b"0/", b"/0", b"0/123456789", b"a/b", b"0/0/0", b"0/0\n", b"-1/0"],
    "tid": [
        *(b"", b"()", b"(1)", b"1,2", b"(1,2", b"(1,2,3)", b"(-1,2)", b"(1, 2)", b"(4294967296,1)"),
        *(b"(1,65536)", b"(1,2)\n", b"((1,2))"),
    ],
    "pg_snapshot": [
        *(b"", b"1", b"1:1", b"1:1:,", b"1:9:5,", b"1:9:,5", b"1:9:5,,6", b"1:9:5 ", b"0:9:"),
        *(b"9:1:", b"1:9:6,5", b"1:9:5,5", b"1:9:10", b"2:9:1", b"1:18446744073709551616:"),
        *(b"-1:1:", b"1:9:" + b"5," * 100_000),
    ],
    "txid_snapshot": [b"", b"0:9:", b"1:9:6,5"],
    "json": [b"", b"{]", b"1 2", b"[" * 100_000, b"\xff"],
    "jsonb": [b"", b"{]", b"\x01{}"],
    "text": [b"\xff"],
    "int2vector": [b" ", b"1  2", b"1 ", b" 1", b"1,2", b"32768", b"1\n2", b"{1}"],
    "oidvector": [b"-1", b"1 4294967296"],
    "record": [
        *(b"", b"1", b"(", b")", b"()", b"(1", b"1)", b"(1))", b"((1)", b"(1,(2))", b'("1)', b'("'),
        *(b'("1"2)', b'(1"2")', b"(1 2)", b"( 1)", b"(1)\n", b"(1\\,2)", b'("\\")', b"(\xff)"),
    ],
}

BAD_ARRAYS: list[bytes] = [
    *(
        b"",
        b"1",
        b"{",
        b"}",
        b"{}{}",
        b"{}}",
        b"{{}",
        b"{1",
        b"1}",
        b"{1}}",
        b"{{1}",
        b"{,}",
        b"{1,}",
    ),
    *(b"{,1}", b"{1,,2}", b"{1 }", b"{ 1}", b"{1;2}", b" {1}", b"{1}\n", b"{1}x", b"{ }", b'{""1}'),
    *(b'{1""}', b'{"1}', b'{"1', b'{"', b'{"1\\"}', b"{\\1}", b"{{}}", b"{{},{}}", b"{{1},{}}"),
    *(b"{1,{2}}", b"{{1},2}", b"{{1},{2,3}}", b"{{{1}},{2}}", b"{{1},{{2}}}", b"{{1}{2}}", b"{}1"),
    *(b"{{{{{{{1}}}}}}}", b"[0:1]={1}", b"[1:0]={}", b"[1:1]={1,2}", b"[1:1][1:1]={1}", b"[1:1]=1"),
    *(b"[1:1]{1}", b"[1]={1}", b"[1:1]=", b"[2:1]={1}", b"[a:b]={1}", b"=[1:1]{1}", b"={1}"),
    *(b"[2147483648:2147483648]={1}", b"[-2147483649:-2147483649]={1}", b"[1:1]=[1:1]={1}"),
    *(b"[1:1]" * 7 + b"={{{{{{{1}}}}}}}", b"[1:1]" * 100_000, b"{" * 100_000, b"}" * 100_000),
    *(b"{nul}", b'{"NULL"}', b"{2147483648}", b"{1,2,x}", b"\xff", b"{\xff}"),
]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in BAD for text in BAD[name]])
def test_no_text_of_the_type(registry: Registry, name: str, text: bytes) -> None:
    with pytest.raises((ValueError, ProtocolError)):
        textual(registry.get(OIDS[name])).loads(text)


@pytest.mark.parametrize("text", BAD_ARRAYS)
def test_no_array(registry: Registry, text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        textual(registry.get(ARRAYS["int4"])).loads(text)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("int4", b"abc", "'abc' is not the text of an int4"),
        ("int2", b"32768", "'32768' is not in the range of int2"),
        ("date", b"01/02/2024", "'01/02/2024' is not a date in ISO style, which the setting Date"),
        ("date", b"2023-02-29", "'2023-02-29' is not a day of the calendar"),
        ("interval", b"@ 1 day", "'@ 1 day' is not an interval in the style that the setting Inte"),
        ("numeric", b"1" * 200_000, "'" + "1" * 40),
        ("bool", b"\xff\n", r"'\\xff\n' is not the text of a bool: t or f"),
        ("int4[]", b"{1,x}", "element 1: 'x' is not the text of an int4"),
        ("date[]", b"{2024-01-01,NULL,1999}", "element 2: '1999' is not a date in ISO style"),
        ("int4[]", b"{1,{2}}", "its elements are not equally deep"),
        ("int4[]", b"{{1},{2,3}}", "its sub-arrays are not equally long"),
        ("int4[]", b"{{{{{{{1}}}}}}}", "it has more than 6 dimensions"),
        ("int4[]", b"[0:1]={1,2,3}", "'[0:1]=' is not what the array has for bounds"),
        ("int4[]", b"{1,2", "'' is not what comes next in an array"),
        ("record", b"(1,2", "'' is not what comes next in a record"),
    ],
)
def test_errors_tell_what_is_wrong(registry: Registry, name: str, text: bytes, words: str) -> None:
    element = name.removesuffix("[]")
    codec = registry.get(OIDS[name] if element == name else ARRAYS[element])
    with pytest.raises(ValueError, match=r".") as caught:
        textual(codec).loads(text)
    assert str(caught.value).startswith(words)
    assert len(str(caught.value)) < 250


READERS = [
    textual(builtin_registry().get(oid))
    for oid in sorted({*OIDS.values(), *ARRAYS.values()})
    if oid in builtin_registry()
]
PIECES = st.sampled_from(
    [
        *(b"{", b"}", b",", b'"', b"\\", b"(", b")", b"NULL", b"[0:1]=", b"1", b"-", b".", b"e"),
        *(b" ", b"2024-01-01", b"12:00:00", b"+01", b" BC", b"day", b"\\x", b"00", b"NaN", b"\xff"),
        *(b"infinity", b"\n", b"\0", b";", b"t", b"12345678-90ab-cdef-1234-567890abcdef"),
    ]
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@given(st.binary(max_size=20) | st.lists(PIECES, max_size=12).map(b"".join))
@example(b"")
def test_any_bytes(reader: Codec, text: bytes) -> None:
    """A value or an error of these kinds, and nothing else."""
    with suppress(ValueError, ProtocolError):
        reader.loads(text)


@pytest.mark.parametrize(("name", "value", "text"), VALUES)
def test_no_server_is_needed(registry: Registry, name: str, value: object, text: str) -> None:
    read = textual(registry.get(OIDS[name])).loads(text.encode())
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("name", "head", "piece", "tail"),
    [
        ("_text", b'{"', b"a", b""),
        ("_text", b'{"', b"\\a", b""),
        ("_text", b"{", b"{", b""),
        ("_text", b"", b"[1:1]", b""),
        ("_text", b"{", b"a,", b""),
        ("_text", b"{", b'"",', b""),
        ("_text", b"{{1}", b",{1}", b""),
        ("record", b'("', b'""', b""),
        ("record", b"(", b",", b""),
        ("record", b'("', b"a", b""),
        ("bytea", b"", b"\\\\", b"\\"),
        ("bytea", b"\\x", b"00", b"0"),
        ("numeric", b"1.", b"1", b"x"),
        ("float4", b"1.", b"1", b"x"),
        ("int4", b"", b"1", b""),
        ("interval", b"", b"1 ", b""),
        ("timestamptz", b"", b"2024-01-01 ", b""),
        ("oidvector", b"", b"1 ", b"x"),
        ("pg_snapshot", b"1:9:", b"5,", b""),
        ("inet", b"", b":", b""),
        ("inet", b"1.2.3.4/", b"1", b""),
        ("macaddr", b"", b"08:", b""),
    ],
)
def test_time_grows_with_the_length_only(
    registry: Registry, name: str, head: bytes, piece: bytes, tail: bytes
) -> None:
    """A quarter of a million pieces; in quadratic time that would be minutes."""
    reader = textual(registry.get(OIDS[name]))
    start = time.process_time()
    with pytest.raises(ValueError, match=r"."):
        reader.loads(head + piece * 250_000 + tail)
    assert time.process_time() - start < 5
