"""COPY beside the query is not for fetch and execute: refused, and the connection goes on."""

from __future__ import annotations

import asyncio

import pytest
from live import Connect

import pgallop

IN = "COPY t FROM STDIN"
OUT = "COPY (SELECT generate_series(1, 10000)) TO STDOUT"
HIDDEN = 'COPY t FROM "stdin"'  # an error of syntax, which looks like a COPY all the same


@pytest.mark.parametrize("query", [IN, OUT, "copy t (i) from  stdin", "COPY t TO STDOUT"])
async def test_refused(connect: Connect, query: str) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        for verb in (conn.fetch, conn.fetchrow, conn.fetchval, conn.execute):
            with pytest.raises(pgallop.UnsupportedClientFeatureError, match="COPY"):
                await verb(query)
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT count(*) FROM t") == 0


async def test_in_the_middle_of_a_script(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        for copy in (IN, OUT):
            with pytest.raises(pgallop.UnsupportedClientFeatureError, match="COPY"):
                await conn.execute(f"SELECT 1; {copy}; SELECT 2")
            assert await conn.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("query", [IN, OUT, "COPY t FROM STDOUT"])
async def test_among_neighbours(connect: Connect, query: str) -> None:
    """What follows a COPY FROM STDIN on the wire is data to the server, and must not be."""
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        for verb in (conn.fetch, conn.execute):
            for _ in range(2):
                results = await asyncio.gather(
                    conn.fetchval("SELECT 1"),
                    conn.execute("SELECT 2; SELECT 3"),
                    verb(query),
                    conn.fetchval("SELECT 4"),
                    conn.execute("SELECT 5"),
                    verb(query),
                    conn.fetchval("SELECT $1::int", 6),
                    return_exceptions=True,
                )
                refused = [results.pop(5), results.pop(2)]
                assert results == [1, "SELECT 1", 4, "SELECT 1", 6]
                for error in refused:
                    assert isinstance(error, pgallop.UnsupportedClientFeatureError)
        assert await conn.fetchval("SELECT count(*) FROM t") == 0


async def test_a_false_alarm(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        text = "SELECT 'copy from stdin'"
        results = await asyncio.gather(
            *[conn.fetchval(text) for _ in range(5)],
            conn.execute(text),
            conn.execute(HIDDEN),
            conn.fetchval("SELECT 1"),
            return_exceptions=True,
        )
        assert results[:5] == ["copy from stdin"] * 5
        assert results[5] == "SELECT 1"
        assert isinstance(results[6], pgallop.PostgresError)
        assert results[7] == 1


async def test_inside_a_function(connect: Connect) -> None:
    """The server itself refuses COPY FROM STDIN there: nothing hides behind a call."""
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        with pytest.raises(pgallop.PostgresError, match="COPY"):
            await conn.execute("DO $$ BEGIN EXECUTE 'COPY t FROM STDIN'; END $$")
        assert await conn.fetchval("SELECT 1") == 1


async def test_wrong_argument_behind_a_copy(connect: Connect) -> None:
    """A statement that waits for the COPY to end is encoded late; its caller learns."""
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        await conn.fetchval("SELECT $1::int", 1)
        results = await asyncio.gather(
            conn.execute(IN),
            conn.fetchval("SELECT $1::int", "one"),
            conn.fetchval("SELECT $1::int", 1, 2),
            conn.fetchval("SELECT $1::int", 2),
            return_exceptions=True,
        )
        assert isinstance(results[0], pgallop.UnsupportedClientFeatureError)
        assert isinstance(results[1], pgallop.DataError)
        assert isinstance(results[2], pgallop.InterfaceError)
        assert results[3] == 2


async def test_cancelled_behind_a_copy(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE t (i int)")
        await conn.execute("CREATE TEMP TABLE done (i int)")
        await conn.fetchval("SELECT 1")
        # However slow we are, COPY is not answered before they are cancelled.
        before = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        copy = asyncio.create_task(conn.execute(IN))
        behind = [
            asyncio.create_task(conn.execute("INSERT INTO done VALUES (1)")),
            asyncio.create_task(conn.fetchval("SELECT 1")),
        ]
        await asyncio.sleep(0)
        for task in behind:
            task.cancel()
        await before
        with pytest.raises(pgallop.UnsupportedClientFeatureError):
            await copy
        await asyncio.wait(behind)
        assert all(task.cancelled() for task in behind)
        # What was never written is never executed.
        assert await conn.fetchval("SELECT count(*) FROM done") == 0
