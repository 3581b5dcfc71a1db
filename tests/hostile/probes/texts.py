"""Values in text, in the simple protocol, that are none of their type's: a column and a row each.

Where each value ends the message has told, so nothing else is harmed.
"""

from __future__ import annotations

from hostile.probe import Probe, fetch, finished, simple
from scripts import data_row, row_description

import pgallop
from pgallop.codecs._oids import ARRAYS, OIDS

SIMPLE = {"statement_mode": "simple"}


def undecodable(type_name: str, name: str, text: bytes, words: str = "") -> Probe:
    """Text that is no value: the column is named, and it goes on."""
    element = type_name.removesuffix("[]")
    oid = OIDS[type_name] if element == type_name else ARRAYS[element]
    return Probe(
        name=f"{type_name}: {name}",
        script=simple(row_description(("lie", oid)), data_row(text), finished()),
        ask=fetch,
        error=pgallop.DataError,
        words=words or f"column 'lie' ({type_name}) cannot be read",
        usable=True,
        options=SIMPLE,
    )


SCALARS = [
    undecodable("bool", "a word", b"true", "is not the text of a bool"),
    undecodable("int4", "nothing", b""),
    undecodable("int4", "2^31", b"2147483648", "is not in the range of int4"),
    undecodable("int4", "50,000 digits", b"9" * 50_000, "is not the text of an int4"),
    undecodable("int4", "four bytes of binary", b"\0\0\0\1"),
    undecodable("float4", "10^39", b"1e+39", "is not in the range of float4"),
    undecodable("float8", "an exponent of 50,000 digits", b"1e" + b"9" * 50_000),
    undecodable("float8", "50,000 digits", b"0." + b"3" * 50_000),
    undecodable("numeric", "200,000 digits", b"9" * 200_000),
    undecodable("numeric", "an exponent", b"1e999999999"),
    undecodable("char", "two", b"ab"),
    undecodable("bytea", "half a byte", b"\\xabc"),
    undecodable("bytea", "half an escape", b"abc\\"),
    undecodable("uuid", "15 bytes", b"12345678-90ab-cdef-1234-567890abcd"),
    undecodable("date", "in another style", b"01/02/2024", "DateStyle = 'ISO'"),
    undecodable("date", "February 30th", b"2024-02-30", "is not a day of the calendar"),
    undecodable("date", "a year of ten digits", b"1234567890-01-01"),
    undecodable("date", "before year 1", b"0044-03-15 BC", "beyond Python's years 1 to 9999"),
    undecodable("time", "25:00", b"25:00:00", "is not a time of the day"),
    undecodable("timestamp", "in another style", b"Sun Nov 22 21:14:50 2026", "DateStyle = 'ISO'"),
    undecodable("timestamptz", "without its offset", b"2024-01-01 00:00:00"),
    undecodable("interval", "in another style", b"P1D", "IntervalStyle = 'postgres'"),
    undecodable("json", "no JSON", b"{]"),
    undecodable("jsonb", "with its binary version", b"\1{}"),
    undecodable("text", "not UTF-8", b"\xff"),
    undecodable("int2vector", "200,000 blanks", b" " * 200_000),
]

CONTAINERS = [
    undecodable("int4[]", "nothing", b"", "what comes next in an array"),
    undecodable("int4[]", "seven dimensions", b"{" * 7 + b"1" + b"}" * 7, "than 6 dimensions"),
    undecodable("int4[]", "200,000 braces", b"{" * 200_000, "than 6 dimensions"),
    undecodable("int4[]", "200,000 bounds", b"[1:1]" * 40_000, "what comes next in an array"),
    undecodable("int4[]", "bounds of 2^31 elements", b"[0:2147483647]={1}", "has for bounds"),
    undecodable("int4[]", "a long and a short row", b"{{1,2},{3}}", "not equally long"),
    undecodable("int4[]", "a row and an element", b"{{1},2}", "not equally deep"),
    undecodable("int4[]", "something behind it", b"{1}{2}", "part of the array before it"),
    undecodable("int4[]", "an element that is none", b"{1,x}", "element 1: 'x' is not the text of"),
    undecodable("text[]", "a quote without its end", b'{"' + b"a" * 200_000),
    undecodable("text[]", "escapes without end", b'{"' + b"\\a" * 100_000),
    undecodable("record", "no end", b"(1,2", "what comes next in a record"),
    undecodable("record", "20,000 fields and no end", b"(" + b"," * 20_000),
    undecodable("record", "quotes without end", b'("' + b'""' * 100_000),
    undecodable("record", "one NULL, or nothing", b"()", "cannot be told apart"),
    undecodable("int4range", "no end", b"[1,2", "is not the text of a range"),
    undecodable("int4range", "a bound that is none", b"[1,x)", "upper bound: 'x' is not the text"),
    undecodable("int4range", "quotes without end", b'["' + b'""' * 100_000),
    undecodable("int4multirange", "no end", b"{[1,2)", "what comes next in a multirange"),
    undecodable("int4multirange", "20,000 ranges and no end", b"{" + b"empty," * 20_000),
]

PROBES = [
    *SCALARS,
    *CONTAINERS,
    Probe(
        name="an array of 20,000 NULLs",
        script=simple(
            row_description(("many", ARRAYS["int4"])),
            data_row(b"{" + b"NULL," * 19_999 + b"NULL}"),
            finished(),
        ),
        ask=fetch,
        error=None,
        value=[([None] * 20_000,)],
        usable=True,
        options=SIMPLE,
    ),
]
