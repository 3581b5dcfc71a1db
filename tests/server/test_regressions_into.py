"""Faults of `into=` that only a server could show."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from live import Connect

import pgallop
from pgallop import catalogue, resolving


@dataclass
class Row:
    id: int
    pair: Any


async def test_columns_that_fit_again(connect: Connect) -> None:
    """What is known of a statement refuses nothing before the server was asked.

    A misfit casts doubt on the types, so the next call looks them up first: for that alone it took
    the description of the statement, another session's by now, to be new.
    """
    query = "SELECT * FROM fitting.rows"
    async with connect() as conn, connect() as other:
        await other.execute("""
            CREATE SCHEMA fitting;
            CREATE TYPE fitting.pair AS (a int);
            CREATE TABLE fitting.rows (id int, pair fitting.pair);
            INSERT INTO fitting.rows VALUES (1, ROW(2)::fitting.pair)
        """)
        try:
            statement = await conn.prepare(query)
            for fetch in (conn.fetchrow, statement.fetchrow):
                verb: Any = fetch
                arguments = (query,) if verb == conn.fetchrow else ()
                assert await verb(*arguments, into=Row) == Row(1, (2,))
                await other.execute("ALTER TABLE fitting.rows ALTER id TYPE text")
                with pytest.raises(pgallop.DataError, match="expected int, and text is read as"):
                    await verb(*arguments, into=Row)
                await other.execute("ALTER TABLE fitting.rows ALTER id TYPE int USING id::int")
                assert await verb(*arguments, into=Row) == Row(1, (2,))
        finally:
            await other.execute("DROP SCHEMA fitting CASCADE")


@pytest.mark.parametrize("mode", ["named", "unnamed"])
async def test_what_is_known_not_to_fit_does_not_run(connect: Connect, mode: Any) -> None:
    """What was known was forgotten, so that the statement ran again to find it out."""
    query = "INSERT INTO counted VALUES (1) RETURNING *"
    async with connect(statement_mode=mode) as conn:
        await conn.execute("CREATE TEMP TABLE counted (number int)")
        await conn.fetch(query)
        for _ in range(3):
            with pytest.raises(pgallop.DataError, match="'number' has no field in Row") as raised:
                await conn.fetch(query, into=Row)
            assert "the statement has run" not in (raised.value.hint or "")
        assert await conn.fetchval("SELECT count(*) FROM counted") == 1
        await conn.fetch(query, into=dict)
        assert await conn.fetchval("SELECT count(*) FROM counted") == 2


@pytest.mark.parametrize("verb", ["cursor", "stream"])
@pytest.mark.parametrize("into", [None, Row, lambda id, pair: Row(id, pair)])
async def test_a_portal_whose_types_have_changed(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, verb: str, into: Any
) -> None:
    """The catalogue is asked once, and not about each portion of the rows."""
    asked: list[Any] = []
    answered_types = catalogue.answered_types

    async def counted(dispatch: Any, oids: Any, *arguments: Any) -> Any:
        asked.append(oids)
        return await answered_types(dispatch, oids, *arguments)

    monkeypatch.setattr(resolving, "answered_types", counted)
    query = "SELECT * FROM portions.rows ORDER BY id"
    async with connect() as conn, connect() as other:
        await other.execute("""
            CREATE SCHEMA portions;
            CREATE TYPE portions.pair AS (a int);
            CREATE TABLE portions.rows AS
                SELECT i AS id, ROW(i)::portions.pair AS pair FROM generate_series(1, 40) AS i
        """)
        try:
            await conn.fetch(query)
            await other.execute("ALTER TYPE portions.pair ADD ATTRIBUTE b int CASCADE")
            asked.clear()
            async with conn.transaction() if verb == "cursor" else contextlib.nullcontext():
                portal = getattr(conn, verb)(query, prefetch=10, into=into)
                rows = [row async for row in portal]
            found = [(row.id, row.pair) if into else tuple(row) for row in rows]
            assert found == [(i, (i, None)) for i in range(1, 41)]
            assert len(asked) == 1
        finally:
            await other.execute("DROP SCHEMA portions CASCADE")


class Number(NamedTuple):
    number: int


def no_36(number: int) -> int:
    if number == 36:
        raise ValueError(number)
    return number


@pytest.mark.parametrize("verb", ["cursor", "stream"])
@pytest.mark.parametrize(("into", "null"), [(Number, 36), (no_36, None)])
async def test_the_number_of_a_row(connect: Connect, verb: str, into: Any, null: Any) -> None:
    """It is that within the result, whatever portion of it the row has come with."""
    query = "SELECT nullif(i, $1) AS number FROM generate_series(1, 40) AS i"
    async with connect() as conn:
        async with conn.transaction() if verb == "cursor" else contextlib.nullcontext():
            portal = getattr(conn, verb)(query, null, prefetch=10, into=into)
            with pytest.raises((pgallop.DataError, ValueError)) as raised:
                [row async for row in portal]
        told = [str(raised.value), *getattr(raised.value, "__notes__", [])]
        assert any("rows[35]" in text for text in told)


async def test_the_number_of_a_row_behind_others_that_were_skipped(connect: Connect) -> None:
    query = "SELECT CASE WHEN i < 9 THEN i END AS number FROM generate_series(1, 40) AS i"
    async with connect() as conn, conn.transaction():
        cursor = await conn.cursor(query, into=Number)
        assert await cursor.fetch(2) == [Number(1), Number(2)]
        assert await cursor.forward(4) == 4
        assert await cursor.fetchrow() == Number(7)
        with pytest.raises(pgallop.DataError, match=r"rows\[8\]: .* got NULL"):
            await cursor.fetch(5)
