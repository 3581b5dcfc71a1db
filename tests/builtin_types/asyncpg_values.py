"""Our values as asyncpg's, and where the two mean to differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from functools import singledispatch
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg.pgproto import pgproto

from pgallop import BitString, Box, Circle, Line, LineSegment, Path, Point, Polygon, Range
from pgallop.values.infinities import InfiniteDate, InfiniteDatetime, InfiniteInterval
from pgallop.values.intervals import Interval


@singledispatch
def in_asyncpg(value: Any) -> Any:
    """What asyncpg has for a value of ours."""
    return value


@in_asyncpg.register(list)
@in_asyncpg.register(tuple)
def _(value: Any) -> Any:
    return type(value)(map(in_asyncpg, value))


@in_asyncpg.register(Point)
@in_asyncpg.register(Line)
@in_asyncpg.register(LineSegment)
@in_asyncpg.register(Box)
@in_asyncpg.register(Circle)
def _(value: Any) -> Any:
    return getattr(asyncpg, type(value).__name__)(*map(in_asyncpg, value))


@in_asyncpg.register
def _(value: Path) -> Any:
    return asyncpg.Path(*map(in_asyncpg, value), is_closed=value.is_closed)


@in_asyncpg.register
def _(value: Polygon) -> Any:
    return asyncpg.Polygon(*map(in_asyncpg, value))


@in_asyncpg.register
def _(value: BitString) -> Any:
    return asyncpg.BitString.frombytes(value.bytes, len(value))


@in_asyncpg.register(Range)
def _(value: Range[Any]) -> Any:
    return asyncpg.Range(
        in_asyncpg(value.lower),
        in_asyncpg(value.upper),
        lower_inc=value.lower_inc,
        upper_inc=value.upper_inc,
        empty=value.isempty,
    )


@in_asyncpg.register
def _(value: UUID) -> Any:
    return pgproto.UUID(value.bytes)


@in_asyncpg.register
def _(value: InfiniteDate) -> date:
    return date.max if value > date.min else date.min


@in_asyncpg.register
def _(value: InfiniteDatetime) -> datetime:
    """Without a time zone, whichever the type."""
    return datetime.max if value.year > 1 else datetime.min


@in_asyncpg.register
def _(value: Interval) -> timedelta:
    return timedelta(value.days, value.seconds, value.microseconds)


@dataclass(frozen=True)
class Difference:
    """Values of some types that asyncpg reads or writes in another way, and why we do not follow.

    `applies` tells them by what we read. Of `text`, which is one of them, asyncpg reads `theirs`;
    where it reads the same and writes something else, that is the server's text of it. Instead of
    either it may be the class of an error. `since`: the first version of PostgreSQL that has them.
    """

    types: str
    why: str
    applies: Callable[[Any], bool]
    text: str
    theirs: Any
    when: str = "read"
    since: int = 10

    def __repr__(self) -> str:
        return f"{self.types.split()[0]} {self.text} {self.when}"


def always(value: object) -> bool:
    return True


def odd_seconds(value: time) -> bool:
    offset = value.utcoffset()
    return offset is not None and offset.seconds % 60 != 0


def other_parts(value: timedelta) -> bool:
    """Whether the server keeps other days or microseconds than Python's, or months."""
    return isinstance(value, Interval) or (value.days < 0 and value != timedelta(value.days))


def at_the_end(value: date) -> bool:
    """Whether it is finite, and the first or the last one that Python has."""
    if isinstance(value, InfiniteDate | InfiniteDatetime):
        return False
    if isinstance(value, datetime):
        return value.replace(tzinfo=None) in (datetime.min, datetime.max)
    return value in (date.min, date.max)


DIFFERENCES = [
    Difference("char", "a character is text", always, "x", b"x"),
    Difference("json jsonb", "documents come as what they say", always, "[1]", "[1]"),
    Difference("money", "an amount is a number", always, "1.5", "$1.50"),
    Difference(
        "timetz",
        "asyncpg cuts the seconds of a UTC offset",
        odd_seconds,
        "12:00:00+00:19:32",
        time(12, tzinfo=timezone(timedelta(minutes=19))),
    ),
    Difference(
        "pg_lsn",
        "asyncpg reads it as a signed number",
        lambda value: value >= 2**63,
        "FFFFFFFF/FFFFFFFF",
        -1,
    ),
    Difference(
        "circle",
        "its centre is a point like any other, and not a plain tuple",
        always,
        "<(1,2),3>",
        asyncpg.Circle((1.0, 2.0), 3.0),  # type: ignore[arg-type]
    ),
    Difference(
        "int2vector oidvector",
        "asyncpg counts them from 1, which the server does not take",
        always,
        "1 2",
        asyncpg.InvalidBinaryRepresentationError,
        "written",
    ),
    Difference(
        "path[] polygon[]",
        "asyncpg takes their points for elements",
        always,
        '{"((1,2),(3,4))"}',
        asyncpg.DataError,
        "written",
    ),
    Difference(
        "int4multirange[] int8multirange[] nummultirange[] "
        "datemultirange[] tsmultirange[] tstzmultirange[]",
        "asyncpg takes multiranges for dimensions, which have to be of one length",
        always,
        '{"{}","{(,)}"}',
        asyncpg.DataError,
        "written",
        since=14,
    ),
    Difference(
        "date", "asyncpg takes it for infinity", at_the_end, "9999-12-31", "infinity", "written"
    ),
    Difference(
        "timestamp",
        "asyncpg takes it for infinity",
        at_the_end,
        "0001-01-01 00:00:00",
        "-infinity",
        "written",
    ),
    Difference(
        "timestamptz",
        "asyncpg takes it for infinity",
        at_the_end,
        "9999-12-31 23:59:59.999999+00",
        "infinity",
        "written",
    ),
    Difference(
        "interval",
        "asyncpg reads no infinite ones",
        lambda value: isinstance(value, InfiniteInterval),
        "infinity",
        OverflowError,
        since=17,
    ),
    Difference(
        "interval",
        "asyncpg sends Python's days and seconds, and months as days",
        other_parts,
        "-00:00:01",
        "-1 days +23:59:59",
        "written",
    ),
]


# Arrays of these asyncpg reads in their text form, and loses what is empty in them. What it leaves
# in its place crashes Python as soon as somebody looks at it.
HOLED = ("refcursor", "tsvector", "tsquery")


def meant_to_differ(name: str, value: Any, when: str) -> bool:
    """Whether this value of a type, or one in this array, is among the differences.

    `when`: "read" or "written"; what is read in another way cannot be written as we do either.
    """
    if value is None:
        return False
    base = name.removesuffix("[]")
    known = [difference for difference in DIFFERENCES if difference.when in (when, "read")]
    if base == name or not isinstance(value, list):
        return any(base in one.types.split() and one.applies(value) for one in known)
    always_so = {each for one in known if one.applies is always for each in one.types.split()}
    if {base, name} & always_so or (base in HOLED and "" in value):
        return True
    return any(meant_to_differ(name, item, when) for item in value)
