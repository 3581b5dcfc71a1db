"""COPY on any connection of a pool."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from live import Monitor
from pools import new_pool, whole

import pgallop
from pgallop.cli.server import EmbeddedServer

VERBS = ("copy_from_query", "copy_from_table", "copy_to_table", "copy_records_to_table")


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE copied (a int, b text)")
    yield
    monitor.ask("DROP TABLE copied")


async def test_each_verb(server: EmbeddedServer, monitor: Monitor, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    as_csv: dict[str, Any] = {"format": "csv", "header": True, "delimiter": ";"}
    async with whole(new_pool(server)) as pool:
        records = [(1, "x"), (2, None)]
        columns = ["b", "a"]
        assert await pool.copy_records_to_table("copied", records=records) == "COPY 2"
        query = "SELECT * FROM copied WHERE a < $1 ORDER BY a"
        assert await pool.copy_from_query(query, 10, output=path, **as_csv) == "COPY 2"
        assert path.read_text() == "a;b\n1;x\n2;\n"
        assert await pool.copy_to_table("copied", source=path, where="a > 1", **as_csv) == "COPY 1"
        assert (
            await pool.copy_records_to_table(
                "copied", records=[("y", 3)], columns=columns, schema_name="public", where="true"
            )
            == "COPY 1"
        )
        told: list[int] = []
        tag = await pool.copy_from_table(
            "copied", output=path, columns=columns, schema_name="public", progress=told.append
        )
        assert tag == "COPY 4"
        assert told == [path.stat().st_size]
    assert monitor.ask("SELECT * FROM copied ORDER BY a") == [
        (1, "x"),
        (2, None),
        (2, None),
        (3, "y"),
    ]


@pytest.mark.parametrize("verb", VERBS)
def test_the_arguments_are_those_of_a_connection(verb: str) -> None:
    ours = inspect.signature(getattr(pgallop.Connection, verb)).parameters
    theirs = inspect.signature(getattr(pgallop.Pool, verb)).parameters
    assert list(ours) == list(theirs)
    for name, parameter in ours.items():
        assert parameter.kind == theirs[name].kind
        assert parameter.default == theirs[name].default


async def test_all_at_once(server: EmbeddedServer, monitor: Monitor) -> None:
    async def records(n: int) -> AsyncIterator[tuple[int, str]]:
        for _ in range(100):
            await asyncio.sleep(0)
            yield n, "x"

    async with whole(new_pool(server)) as pool:
        tags = await asyncio.gather(
            *[pool.copy_records_to_table("copied", records=records(n)) for n in range(10)],
            *[pool.fetchval("SELECT 1") for _ in range(10)],
        )
    assert tags == ["COPY 100"] * 10 + [1] * 10
    assert monitor.ask("SELECT count(*), count(DISTINCT a) FROM copied") == [(1000, 10)]


async def test_failing_and_cancelled(server: EmbeddedServer, monitor: Monitor) -> None:
    """The connection goes back, and the next user is in no COPY."""

    async def stuck() -> AsyncIterator[tuple[int, str]]:
        yield 1, "x"
        await asyncio.sleep(60)

    async with whole(new_pool(server, max_size=1)) as pool:
        with pytest.raises(pgallop.DataError):
            await pool.copy_records_to_table("copied", records=[("x", "y")])
        with pytest.raises(TimeoutError):
            await pool.copy_records_to_table("copied", records=stuck(), timeout=0.05)
        task = asyncio.create_task(pool.copy_records_to_table("copied", records=stuck()))
        await asyncio.sleep(0.02)
        task.cancel()
        assert await pool.fetchval("SELECT count(*) FROM copied", timeout=5) == 0
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_released_connection(server: EmbeddedServer) -> None:
    async with whole(new_pool(server)) as pool:
        async with pool.acquire() as conn:
            assert await conn.copy_to_table("copied", source=b"1\tx\n") == "COPY 1"
        with pytest.raises(pgallop.InterfaceError, match="released back to the pool"):
            await conn.copy_to_table("copied", source=b"1\tx\n")


async def test_its_source_has_the_pool(server: EmbeddedServer) -> None:
    """What a source calls on the pool has another connection."""

    async def records(pool: pgallop.Pool) -> AsyncIterator[tuple[int, str]]:
        for n in range(3):
            yield await pool.fetchval("SELECT $1::int", n), "x"

    async with whole(new_pool(server)) as pool:
        assert await pool.copy_records_to_table("copied", records=records(pool)) == "COPY 3"
