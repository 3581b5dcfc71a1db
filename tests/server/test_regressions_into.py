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
