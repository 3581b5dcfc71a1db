"""Large values, many parameters, results that take long: nothing is cut, nothing stalls."""

from __future__ import annotations

import asyncio
import time

import pytest
from live import Connect

import pgallop

MIB = 1 << 20


async def test_a_large_value_from_the_server(connect: Connect) -> None:
    async with connect() as conn:
        value = await conn.fetchval("SELECT repeat('0123456789', 10 * 1024 * 1024)")
        assert len(value) == 100 * MIB
        assert value == "0123456789" * (10 * MIB)


async def test_a_large_argument(connect: Connect) -> None:
    data = bytes(range(256)) * (30 * MIB // 256)
    async with connect() as conn:
        row = await conn.fetchrow("SELECT length($1::bytea), md5($1)", data)
        assert row is not None
        assert row[0] == 30 * MIB
        assert await conn.fetchval("SELECT md5($1::bytea)", data) == row[1]
        # Back again, in one go.
        assert await conn.fetchval("SELECT $1::bytea", data[: 20 * MIB]) == data[: 20 * MIB]


async def test_a_large_script(connect: Connect) -> None:
    text = "x" * (16 * MIB)
    async with connect() as conn:
        assert await conn.execute(f"SELECT '{text}'; SELECT length('{text}')") == "SELECT 1"
        assert await conn.fetchval(f"SELECT length('{text}')") == 16 * MIB


async def test_many_rows(connect: Connect) -> None:
    async with connect() as conn:
        rows = await conn.fetch("SELECT i, i::text FROM generate_series(1, 200000) AS i")
        assert len(rows) == 200_000
        assert all(row == (i, str(i)) for i, row in enumerate(rows, 1))


async def test_as_many_parameters_as_there_can_be(connect: Connect) -> None:
    async with connect() as conn:
        most = ", ".join(f"${i}" for i in range(1, 65536))
        query = f"SELECT cardinality(ARRAY[{most}]::int[])"
        assert await conn.fetchval(query, *range(65535)) == 65535
        with pytest.raises(pgallop.InterfaceError, match="65535 arguments, 65536 given"):
            await conn.fetchval(query, *range(65536))
        assert await conn.fetchval("SELECT $1::int", 1) == 1


@pytest.mark.parametrize("given", [65536, 1])
async def test_one_parameter_more(connect: Connect, given: int) -> None:
    """The server takes such a statement and then counts its parameters in 16 bits: as none."""
    async with connect() as conn:
        all_of_them = ", ".join(f"${i}" for i in range(1, 65537))
        query = f"SELECT cardinality(ARRAY[{all_of_them}]::int[])"
        for _ in range(2):
            with pytest.raises(pgallop.InterfaceError, match="65535"):
                await conn.fetchval(query, *range(given))
        assert await conn.fetchval("SELECT $1::int", 1) == 1


async def test_a_message_above_the_limit_ends_the_connection(connect: Connect) -> None:
    async with connect(max_message_size=MIB) as conn:
        assert await conn.fetchval("SELECT length(repeat('x', 2 * 1024 * 1024))") == 2 * MIB
        assert len(await conn.fetchval("SELECT repeat('x', 1000000)")) == 1_000_000
        with pytest.raises(pgallop.ProtocolError, match="1048576"):
            await conn.fetchval("SELECT repeat('x', 2 * 1024 * 1024)")
        assert conn.is_closed()
        with pytest.raises(pgallop.InterfaceError, match="closed"):
            await conn.fetchval("SELECT 1")


def test_an_argument_above_the_protocols_limit(connect: Connect) -> None:
    async def send_too_much() -> None:
        async with connect() as conn:
            query = "SELECT length($1::bytea)"
            with pytest.raises(pgallop.InterfaceError, match="1073741823 bytes are too many"):
                await conn.fetchval(query, bytes((1 << 30) - 1))
            assert await conn.fetchval(query, b"xy") == 2

    asyncio.run(send_too_much())  # on one loop: it takes seconds, and what it tests is not there


async def test_the_loop_goes_on_during_a_large_result(connect: Connect) -> None:
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - before)

    async with connect() as conn:
        watcher = asyncio.create_task(watch())
        await conn.fetch("SELECT i, i::text FROM generate_series(1, 300000) AS i")
        watcher.cancel()
        await asyncio.wait([watcher])
    # 256 KiB are decoded at a time: some ms, interpreted some 40.
    assert longest < 0.5
