"""Values of the type record, and how deep they are nested."""

from __future__ import annotations

from array_bytes import wire
from catalogue_script import asked
from hostile.probe import Probe, fetch, value
from record_bytes import field, record, tower
from scripted_server import Step
from scripts import INT4, int4

import pgallop
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.limits import MAX_NESTING

RECORD, RECORDS = OIDS["record"], ARRAYS["record"]
ONE = (INT4, int4(1))
DEEP = 200_000


def megabytes_for(data: bytes) -> float:
    # What is long is there several times: as it is received, as a message, as what grows.
    return 8.0 + 4 * (len(data) >> 20)


def lie(name: str, data: bytes, words: str) -> Probe:
    return Probe(
        name=name,
        script=value(data, RECORD),
        ask=fetch,
        words=words,
        megabytes=megabytes_for(data),
    )


def unreadable(name: str, data: bytes, words: str, *then: Step) -> Probe:
    """A value that is no lie and cannot be read, and what is asked about it."""
    return Probe(
        name=name,
        script=[*value(data, RECORD), *then],
        ask=fetch,
        error=pgallop.DataError,
        words=words,
        usable=True,
        megabytes=megabytes_for(data),
    )


OBJECTS = b'{"a":' * DEEP + b"1" + b"}" * DEEP

LIES = [
    lie("nothing", b"", "announced 4 bytes where 0 remain"),
    lie("2^28 fields in four bytes", record(count=2**28), "record of 268435456 fields in 0 bytes"),
    lie("2^31 - 1 fields", record(ONE, count=2**31 - 1), "record of 2147483647 fields in 12 bytes"),
    lie("-1 fields", record(ONE, count=-1), "record of -1 fields"),
    lie("one field more than there are", record(ONE, count=2), "record of 2 fields in 12 bytes"),
    lie("one field less than there are", record(ONE, ONE, count=1), "is not what its type record"),
    lie("a field of 2 GB", record(count=1) + field(INT4, int4(1), 2**31 - 1), "where 4 remain"),
    lie("a field of -2 bytes", record(count=1) + field(INT4, int4(1), -2), "a field of -2 bytes"),
    lie("an int4 of 3 bytes", record((INT4, b"\0" * 3)), "announced 4 bytes where 3 remain"),
    lie("an int4 of 5 bytes", record((INT4, b"\0" * 5)), "field 1 of record has 5 bytes"),
    lie("a record of 2^28 fields within", record((RECORD, record(count=2**28))), "268435456"),
    lie("an array of int4 as record[]", record((RECORDS, wire([int4(1)], (1, 1)))), "OID 23"),
]

NESTING = [
    lie(f"{levels:,} records within each other", tower(levels), f"deeper than {MAX_NESTING} levels")
    for levels in (MAX_NESTING + 1, DEEP)
]

UNREADABLE = [
    unreadable(
        "an aclitem within", record(ONE, (OIDS["aclitem"], bytes(16))), "field 2: the type aclitem"
    ),
    unreadable(
        "a type nobody knows",
        record((1_000_000, b"x")),
        "the type with OID 1000000",
        *asked(),
    ),
    unreadable("text that is not UTF-8", record((OIDS["text"], b"\xff")), "field 1: 'utf-8'"),
    unreadable("200,000 objects of json", record((OIDS["jsonb"], b"\1" + OBJECTS)), "recursion"),
]

GOOD = [
    Probe(
        name=f"{MAX_NESTING} records within each other",
        script=value(tower(MAX_NESTING), RECORD),
        ask=fetch,
        error=None,
        usable=True,
    ),
    Probe(
        name="NULLs of types nobody knows",
        script=value(record((1_000_000, None), (0, None)), RECORD),
        ask=fetch,
        error=None,
        value=[((None, None),)],
        usable=True,
    ),
]

PROBES = [*LIES, *NESTING, *UNREADABLE, *GOOD]
