"""Faults of `into=` that only a server could show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from live import Connect

import pgallop


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
