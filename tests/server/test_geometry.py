"""Figures and bit strings on a real server, and next to asyncpg's."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from live import Connect

import pgallop
from pgallop import BitString, Box, Circle, Line, LineSegment, Path, Point, Polygon

# A type, a value, and its text form on the server.
VALUES: list[tuple[str, Any, str]] = [
    ("point", Point(1, -0.5), "(1,-0.5)"),
    ("point", (1, 2), "(1,2)"),
    ("point", [float("nan"), float("-inf")], "(NaN,-Infinity)"),
    ("line", Line(1, 2, 3), "{1,2,3}"),
    ("lseg", LineSegment((1, 2), (3, 4)), "[(1,2),(3,4)]"),
    ("lseg", ((1, 2), (3, 4)), "[(1,2),(3,4)]"),
    ("box", Box((3, 4), (1, 2)), "(3,4),(1,2)"),
    ("box", Box((1, 4), (3, 2)), "(3,4),(1,2)"),
    ("path", Path((1, 2), (3, 4)), "[(1,2),(3,4)]"),
    ("path", Path((1, 2), (3, 4), is_closed=True), "((1,2),(3,4))"),
    ("path", [(1, 2), (3, 4)], "[(1,2),(3,4)]"),
    ("path", ((1, 2), (3, 4)), "((1,2),(3,4))"),
    ("polygon", Polygon((1, 2), (3, 4)), "((1,2),(3,4))"),
    ("polygon", [(1, 2)], "((1,2))"),
    ("circle", Circle((1, 2), 3), "<(1,2),3>"),
    ("circle", ((1, 2), 0), "<(1,2),0>"),
    ("varbit", BitString("10101"), "10101"),
    ("varbit", BitString(), ""),
    ("varbit", b"ab", "0110000101100010"),
    ("bit(5)", BitString("10101"), "10101"),
    ('"bit"', BitString("101010101"), "101010101"),
    ("point[]", [(1, 2), None, Point(3, 4)], '{"(1,2)",NULL,"(3,4)"}'),
    ("point[]", [[(1, 2)], [(3, 4)]], '{{"(1,2)"},{"(3,4)"}}'),
    ("box[]", [Box((3, 4), (1, 2)), ((5, 6), (7, 8))], "{(3,4),(1,2);(7,8),(5,6)}"),
    ("varbit[]", [BitString("1"), BitString()], '{1,""}'),
]


def value_of(module: Any, value: Any) -> Any:
    """The same value in asyncpg's classes, or in ours."""
    kind = type(value).__name__
    match value:
        case list() | None:
            return value and [value_of(module, item) for item in value]
        case _ if not hasattr(module, kind):
            return value
    bits: Any = value
    if kind == "BitString":
        return module.BitString.frombytes(bits.bytes, len(bits))
    if kind == "Path":
        return module.Path(*value, is_closed=value.is_closed)
    return getattr(module, kind)(*value)


async def test_the_server_and_asyncpg_agree(connect: Connect, dsn: str) -> None:
    theirs = await asyncpg.connect(dsn)
    try:
        async with connect() as conn:
            for name, value, text in VALUES:
                # Not by a cast to text, which is by the type's length for bit(5).
                query = f"SELECT format('%s', $1::{name}), $1::{name}, '{text}'::{name}"
                row = await conn.fetchrow(query, value)
                assert row is not None
                assert row[0] == text
                assert repr(row[1]) == repr(row[2])
                assert type(row[1]) is not tuple
                other = await theirs.fetchrow(query, value_of(asyncpg, value))
                assert other is not None
                assert other[0] == text
                assert repr(value_of(pgallop, other[1])) == repr(row[1])
                simply = await conn.fetch(f"SELECT '{text}'::{name}")
                assert repr(simply[0][0]) == repr(row[1])
    finally:
        await theirs.close()


async def test_records_of_them(connect: Connect) -> None:
    async with connect() as conn:
        query = "SELECT ROW(point '(1,2)', path '[(1,2)]', B'101', ARRAY[circle '<(0,0),1>'])"
        assert await conn.fetchval(query) == (
            Point(1, 2),
            Path((1, 2)),
            BitString("101"),
            [Circle((0, 0), 1)],
        )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("point", (1, "2"), r"\$1\[1\] \(point\): '2': expected float or int, got str"),
        ("lseg[]", [((1, 2), (3, None))], r"\$1\[0\]\[1\]\[1\] \(lseg\): None: expected float"),
        ("path", [(1, 2), 3], r"\$1\[1\] \(path\): 3: expected Point, or another sequence"),
        ("path", [], r"\$1 \(path\): \(\): PostgreSQL has no path without points"),
        ("circle", Circle((0, 0), -1), r"\$1 \(circle\): Circle\(.*: has a negative radius"),
        ("point", "(1,2)", r"\$1 \(point\): '\(1,2\)': expected Point.* got str"),
        ("varbit", "101", r"\$1 \(varbit\): '101': expected BitString, .* got str"),
        ("bit[]", [BitString("1"), True], r"\$1\[1\] \(bit\): True: expected BitString"),
    ],
)
async def test_an_error_names_the_place(
    connect: Connect, name: str, value: Any, words: str
) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match=words):
            await conn.fetchval(f"SELECT $1::{name}", value)
        assert await conn.fetchval("SELECT 1") == 1


async def test_what_the_server_refuses(connect: Connect) -> None:
    async with connect() as conn:
        if conn.get_server_version() >= (12,):
            with pytest.raises(pgallop.InvalidBinaryRepresentationError, match="A and B"):
                await conn.fetchval("SELECT $1::line", Line(0, 0, 1))
        assert await conn.fetchval("SELECT $1::line", Line(0, 1, 0)) == Line(0, 1, 0)


async def test_operators_are_the_servers(connect: Connect) -> None:
    one, other = BitString("10101"), BitString("11001")
    async with connect() as conn:
        row = await conn.fetchrow(
            "SELECT $1::varbit & $2, $1 | $2, $1 # $2, ~$1, $1 || $2, substring($1 from 2 for 3)",
            one,
            other,
        )
    assert row == (one & other, one | other, one ^ other, ~one, one + other, one[1:4])


async def test_numbers_are_the_servers(connect: Connect) -> None:
    async with connect() as conn:
        for number in (0, 1, 5, -1, -(2**31), 2**31 - 1):
            bits = await conn.fetchval("SELECT $1::int4::bit(32)", number)
            assert bits == BitString.from_int(number, 32, signed=True)
            assert bits.to_int(signed=True) == number
            assert await conn.fetchval("SELECT $1::bit(32)::int4", bits) == number
