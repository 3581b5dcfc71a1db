"""Ranges and multiranges as arguments and results on a real server."""

from __future__ import annotations

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
import pytest
from live import Connect

import pgallop
from pgallop import Range

MULTIRANGES = 14

# What is given for an int4range, by both drivers: the same constructor, and tuples and lists.
GIVEN: list[tuple[Any, ...]] = [
    (1, 5),
    (5, 5),
    (1, 5, True, True),
    (1, 5, False, True),
    (1, 5, False, False),
    (1, 2, False, False),
    (None, 5, True, True),
    (1, None, False, True),
    (None, None, True, True),
    (None, None, False, False, True),
]
SEQUENCES: list[Any] = [(1, 5), [1, 5], (1, None), (None, 5), (None, None), (1,), [1], (), []]


def made(kind: Any, arguments: tuple[Any, ...]) -> Any:
    lower, upper, *flags = arguments
    return kind(lower, upper, **dict(zip(("lower_inc", "upper_inc", "empty"), flags, strict=False)))


def seen(value: Any) -> Any:
    """A range of either driver, as what can be compared."""
    if isinstance(value, list):
        return [seen(one) for one in value]
    assert isinstance(value, Range | asyncpg.Range)
    return (value.lower, value.upper, value.lower_inc, value.upper_inc, value.isempty)


async def test_arguments_mean_what_they_mean_to_asyncpg(dsn: str) -> None:
    theirs = await asyncpg.connect(dsn)
    try:
        async with pgallop.connect(dsn) as ours:
            query = "SELECT $1::int4range"
            for arguments in GIVEN:
                value, expected = made(Range, arguments), made(asyncpg.Range, arguments)
                answers = await ours.fetchval(query, value), await theirs.fetchval(query, expected)
                assert seen(answers[0]) == seen(answers[1])
            for sequence in SEQUENCES:
                answers = (
                    await ours.fetchval(query, sequence),
                    await theirs.fetchval(query, sequence),
                )
                assert seen(answers[0]) == seen(answers[1])
            tuples = [sequence for sequence in SEQUENCES if isinstance(sequence, tuple)]
            query = "SELECT $1::int4range[]"
            answers = await ours.fetchval(query, tuples), await theirs.fetchval(query, tuples)
            assert seen(answers[0]) == seen(answers[1])
            if ours.get_server_version().major >= MULTIRANGES:
                query = "SELECT $1::int4multirange"
                answers = (
                    await ours.fetchval(query, [made(Range, one) for one in GIVEN[:5]]),
                    await theirs.fetchval(query, [made(asyncpg.Range, one) for one in GIVEN[:5]]),
                )
                assert seen(answers[0]) == seen(answers[1])
                answers = (
                    await ours.fetchval(query, [(7, 9), (1, 5)]),
                    await theirs.fetchval(query, [(7, 9), (1, 5)]),
                )
                assert seen(answers[0]) == seen(answers[1])
                query = "SELECT $1::int4multirange[]"
                several = [((7, 9), (1, 5)), ((3, 4),)]
                answers = await ours.fetchval(query, several), await theirs.fetchval(query, several)
                assert seen(answers[0]) == seen(answers[1])
    finally:
        await theirs.close()


ALL_KINDS = (
    "SELECT int8range(1, 5), numrange(1.5, NULL, '()'), 'empty'::daterange AS empty,"
    " daterange('2024-01-01', '2024-01-01', '[]'), ARRAY[int4range(1, 2), NULL] AS several,"
    " tsrange('-infinity', NULL) AS ever, NULL::int4range AS nothing"
)


async def test_all_kinds(connect: Connect) -> None:
    async with connect() as conn, connect(statement_mode="simple") as simple:
        row = await conn.fetchrow(ALL_KINDS)
        assert row is not None
        assert tuple(row)[:5] == (
            Range(1, 5),
            Range(Decimal("1.5"), None, lower_inc=False),
            Range(empty=True),
            Range(date(2024, 1, 1), date(2024, 1, 2)),
            [Range(1, 2), None],
        )
        assert (row["ever"].lower_inf, row["ever"].upper_inf) == (False, True)
        assert row["nothing"] is None
        assert repr(await simple.fetchrow(ALL_KINDS)) == repr(row)
        query = "SELECT ROW(int4range(1, 2), ARRAY[int4range(3, 4)])"
        assert await conn.fetchval(query) == (Range(1, 2), [Range(3, 4)])


async def test_the_type_of_arguments_is_found_out(connect: Connect) -> None:
    async with connect() as conn, conn.transaction():
        await conn.execute("CREATE TEMP TABLE stay (room int, days daterange)")
        days = [Range(date(2024, 1, i), date(2024, 1, i + 3)) for i in (1, 4, 5)]
        await conn.executemany("INSERT INTO stay VALUES ($1, $2)", [(1, days[0]), (2, None)])
        await conn.execute("UPDATE stay SET days = $1 WHERE room = 2", days[1])
        query = "SELECT room FROM stay WHERE days && $1 ORDER BY room"
        assert [row[0] for row in await conn.fetch(query, days[2])] == [2]
        assert [row[0] for row in await conn.fetch(query, Range(None, None))] == [1, 2]
        query = "SELECT room FROM stay WHERE days = ANY($1) ORDER BY room"
        assert [row[0] for row in await conn.fetch(query, days[:2])] == [1, 2]
        assert await conn.fetchval("SELECT int4range(1, 5) <@ $1", Range(1, 6)) is True


async def test_multiranges(connect: Connect) -> None:
    async with connect() as conn, connect(statement_mode="simple") as simple:
        if conn.get_server_version().major < MULTIRANGES:
            pytest.skip("this server has no multiranges")
        query = "SELECT $1::int4multirange, $2::int4multirange[], $3::nummultirange"
        nested = [[[Range(1, 3)], None], [[], [Range(5, 7), Range(9, None)]]]
        row = await conn.fetchrow(query, [Range(7, 9), Range(1, 3), Range(2, 4)], nested, [])
        assert row is not None
        assert tuple(row) == ([Range(1, 4), Range(7, 9)], nested, [])
        query = (
            "SELECT '{[1,3),[5,7]}'::int4multirange, '{\"{}\",\"{(,)}\",NULL}'::int4multirange[]"
        )
        row = await conn.fetchrow(query)
        assert row is not None
        assert tuple(row) == ([Range(1, 3), Range(5, 8)], [[], [Range()], None])
        assert repr(await simple.fetchrow(query)) == repr(row)


async def test_the_server_refuses_bounds_in_the_wrong_order(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match="lower bound must be less than") as caught:
            await conn.fetchval("SELECT $1::int4range", Range(5, 1))
        assert caught.value.sqlstate == "22000"
        assert await conn.fetchval("SELECT $1::int4range", Range(1, 5)) == Range(1, 5)


@pytest.mark.parametrize(
    ("query", "argument", "words"),
    [
        ("SELECT $1::int4range", Range("a", 5), r"\$1\.lower \(int4\): 'a': expected int, got str"),
        ("SELECT $1::int4range", Range(1, 2**31), r"\$1\.upper \(int4\): 2147483648: out of range"),
        ("SELECT $1::int4range", "[1,5)", r"\$1 \(int4range\): '\[1,5\)': expected Range"),
        ("SELECT $1::int4range[]", [Range(), Range(1, "b")], r"\$1\[1\]\.upper \(int4\): 'b': exp"),
        (
            "SELECT $1::tsrange",
            Range(date.max, 5),
            r"\$1\.upper \(timestamp\): 5: expected datetime",
        ),
    ],
)
async def test_what_cannot_be_sent(
    connect: Connect, query: str, argument: object, words: str
) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match=f"query argument {words}"):
            await conn.fetchval(query, argument)
        assert await conn.fetchval("SELECT 1") == 1


async def test_the_hint_works(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError) as caught:
            await conn.fetchval("SELECT $1::int4range", "[1,5)")
        assert caught.value.hint is not None
        assert "$1::text::int4range" in caught.value.hint
        assert await conn.fetchval("SELECT $1::text::int4range", "[1,5)") == Range(1, 5)


@pytest.mark.parametrize("mode", ["named", "simple"])
async def test_what_python_does_not_have(connect: Connect, mode: str) -> None:
    query = "SELECT daterange('0044-03-15 BC', '2024-01-01') AS reign"
    words = r"column 'reign' \(daterange\) cannot be read: lower bound: the date 0044-03-15 BC is"
    async with connect(statement_mode=mode) as conn:
        before = asyncio.ensure_future(conn.fetchval("SELECT int4range(1, 2)"))
        with pytest.raises(pgallop.DataError, match=words):
            await conn.fetchval(query)
        assert await conn.fetchval("SELECT int4range(3, 4)") == Range(3, 4)
        assert await before == Range(1, 2)


async def test_what_they_are_called(connect: Connect) -> None:
    async with connect() as conn:
        statement = await conn.prepare("SELECT $1::daterange, $2::int4range[]")
        assert [(each.name, each.kind) for each in statement.get_parameters()] == [
            ("daterange", "range"),
            ("int4range[]", "array"),
        ]


async def test_bounds_that_come_as_text(connect: Connect) -> None:
    """What is chosen for dates counts for those in ranges, both ways."""
    query = "SELECT daterange('0044-03-15 BC', '2024-01-01')"
    expected: Range[Any] = Range("0044-03-15 BC", date(2024, 1, 1))
    async with connect(out_of_range="text") as conn:
        assert await conn.fetchval(query) == expected
        assert await conn.fetchval(f"{query} = $1", expected) is True
