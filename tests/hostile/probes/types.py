"""What the catalogue tells of types, and values that are not what it tells."""

from __future__ import annotations

from typing import Any

from catalogue_script import MOOD, MOOD_INFO, PAIR, PAIR_INFO, QUESTION, answer, asked, row_of
from hostile.probe import Probe, description, fetch, finished, prepare, value
from record_bytes import field, record
from scripted_server import Step, expect, send
from scripts import BIND_COMPLETE, INT4, data_row, error_response, int4, ready_for_query

import pgallop
from pgallop.codecs.introspection import ARRAY, COMPOSITE, DOMAIN, RANGE, TypeInfo
from pgallop.limits import MAX_NESTING

OPTIONS = {"describe_first": True}

ONE, TWO = (INT4, int4(1)), (MOOD, b"sad")


def told(steps: list[Step], data: bytes, oid: int = PAIR, *then: bytes | Step) -> list[Step]:
    """A statement with a column of this type; what is asked; one row of it."""
    script = [*prepare(description(("lie", oid))), *steps, expect("Bind", "Execute", "Sync")]
    script.append(send(BIND_COMPLETE + data_row(data) + finished()))
    return [*script, *[send(each) if isinstance(each, bytes) else each for each in then]]


def lie(name: str, data: bytes, words: str) -> Probe:
    """A value that no server sends of such a type."""
    return Probe(
        name=name,
        script=told(asked(PAIR_INFO, MOOD_INFO), data),
        ask=fetch,
        options=OPTIONS,
        words=words,
    )


def changed(name: str, data: bytes) -> Probe:
    """A value of other fields than the catalogue tells, now and when it is asked again."""
    again = asked(PAIR_INFO, MOOD_INFO)
    return Probe(
        name=name,
        script=[*told(asked(PAIR_INFO, MOOD_INFO), data), *again],
        ask=fetch,
        options=OPTIONS,
        error=pgallop.DataError,
        words="and the catalogue tells what was known before",
        usable=True,
    )


LIES = [
    lie("nothing", b"", "announced 4 bytes where 0 remain"),
    lie("a field with more bytes than there are", record(ONE, TWO)[:-1], "announced a field of 3"),
    lie(
        "bytes behind the last field",
        record(ONE, TWO) + b"\0",
        "column 'lie' has 28 bytes, which is not what",
    ),
    lie("an int of three bytes", record((INT4, b"123"), TWO), "announced 4 bytes where 3 remain"),
    lie("an int of five bytes", record((INT4, b"12345"), TWO), "the field 'a' of pair has 5 bytes"),
    lie(
        "a field of -2 bytes",
        int4(2) + field(INT4, int4(1), -2) + field(MOOD, b"sad"),
        "announced a field of -2 bytes",
    ),
]

CHANGED = [
    changed("-1 fields", record(ONE, TWO, count=-1)),
    changed("2^31 - 1 fields", record(ONE, TWO, count=2**31 - 1)),
    changed("one field less", record(ONE)),
    changed("the fields in another order", record(TWO, ONE)),
    changed("a field of a type nobody knows", record(ONE, (5, b""))),
]


def catalogue(name: str, rows: list[Any], data: bytes, found: Any, oid: int = PAIR) -> Probe:
    """What the catalogue tells makes no sense: such types are text."""
    return Probe(
        name=f"the catalogue: {name}",
        script=told([QUESTION, send(answer(*rows))], data, oid),
        ask=fetch,
        options=OPTIONS,
        error=None,
        value=[(found,)],
        usable=True,
    )


def with_part(kind: str, part: int, oid: int = PAIR) -> tuple[Any, ...]:
    return row_of(TypeInfo(oid, "public", "odd", kind, part))


PAIR_ROW, MOOD_ROW = row_of(PAIR_INFO), row_of(MOOD_INFO)

NONSENSE = [
    catalogue("nothing", [], b"text", "text"),
    catalogue("NULLs", [(PAIR, *[None] * 9)], b"text", "text"),
    catalogue("an array of nothing", [with_part(ARRAY, 0)], b"text", "text"),
    catalogue("a kind nobody knows", [with_part("?", 23)], b"text", "text"),
    catalogue("fewer names than types", [(*PAIR_ROW[:8], ["a"], [23, MOOD])], b"text", "text"),
    catalogue("a field of type 0", [(*PAIR_ROW[:8], ["a"], [0])], b"text", "text"),
    catalogue("a NULL for a name", [(*PAIR_ROW[:8], [None], [23])], b"text", "text"),
    catalogue("another type than was asked about", [MOOD_ROW], b"text", "text"),
    catalogue("the same twice", [MOOD_ROW, PAIR_ROW, PAIR_ROW], record(ONE, TWO), (1, "sad")),
    catalogue(
        "two fields of one name",
        [(*PAIR_ROW[:8], ["a", "a"], [23, 23])],
        record(ONE, ONE),
        (1, 1),
    ),
]


def endless(name: str, infos: list[TypeInfo], words: str) -> Probe:
    return Probe(
        name=name,
        script=[*prepare(description(("lie", PAIR))), *asked(*infos)],
        ask=fetch,
        options=OPTIONS,
        words=words,
    )


def tower(levels: int) -> list[TypeInfo]:
    return [
        TypeInfo(PAIR + i, "public", f"t{i}", COMPOSITE, fields=(("a", PAIR + i + 1),))
        for i in range(levels)
    ] + [TypeInfo(PAIR + levels, "public", "end", COMPOSITE)]


ENDLESS = [
    endless(
        "a composite of itself",
        [PAIR_INFO._replace(fields=(("a", PAIR),))],
        "is part of itself",
    ),
    endless(
        "an array of a domain over it",
        [
            TypeInfo(PAIR, "public", "d", DOMAIN, MOOD),
            TypeInfo(MOOD, "public", "_d", ARRAY, PAIR),
        ],
        "is part of itself",
    ),
    endless("a range over itself", [TypeInfo(PAIR, "public", "r", RANGE, PAIR)], "is part of"),
    endless("types deeper than 100", tower(MAX_NESTING + 1), f"of more than {MAX_NESTING} others"),
    endless("10,000 deep", tower(10_000), f"of more than {MAX_NESTING} others"),
]

GOOD = [
    Probe(
        name="a value as it should be",
        script=told(asked(PAIR_INFO, MOOD_INFO), record(ONE, TWO)),
        ask=fetch,
        options=OPTIONS,
        error=None,
        value=[((1, "sad"),)],
        usable=True,
    ),
    Probe(
        name="one that was altered meanwhile",
        script=[
            *told(asked(PAIR_INFO, MOOD_INFO), record(ONE)),
            *asked(PAIR_INFO._replace(fields=(("a", 23),))),
        ],
        ask=fetch,
        options=OPTIONS,
        error=None,
        value=[((1,),)],
        usable=True,
    ),
    Probe(
        name="a catalogue that may not be read",
        script=told(
            [QUESTION, send(error_response("42501", "permission denied") + ready_for_query())],
            b"text",
        ),
        ask=fetch,
        options=OPTIONS,
        error=None,
        value=[("text",)],
        usable=True,
    ),
]

ANOTHER = [
    Probe(
        name="a type within a record, which is of one that nobody knows",
        script=[
            *value(record((PAIR, record((PAIR + 2, b"")))), 2249),
            *asked(PAIR_INFO._replace(fields=(("a", PAIR + 2),))),
            *asked(),
        ],
        ask=fetch,
        options=OPTIONS,
        error=pgallop.DataError,
        words="the type with OID",
        usable=True,
    ),
]

PROBES = [*LIES, *CHANGED, *NONSENSE, *ENDLESS, *GOOD, *ANOTHER]
