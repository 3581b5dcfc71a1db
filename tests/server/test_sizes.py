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
    async with connect(max_cacheable_statement_size=0) as conn:
        most = ", ".join(f"${i}" for i in range(1, 65536))
        query = f"SELECT cardinality(ARRAY[{most}]::int[])"
        assert await conn.fetchval(query, *range(65535)) == 65535
        assert await conn.fetchrow(query, *range(65535)) == (65535,)
        assert await conn.execute(query, *range(65535)) == "SELECT 1"
        async with conn.pipeline() as pipeline:
            answer = pipeline.fetchval(query, *range(65535))
        assert answer.result() == 65535
        for call in (conn.fetch, conn.fetchval, conn.fetchrow, conn.execute):
            with pytest.raises(pgallop.InterfaceError, match="65535 arguments, 65536 given"):
                await call(query, *range(65536))
        with pytest.raises(pgallop.InterfaceError, match=r"statement 2 of 2: .* 65536 given"):
            async with conn.pipeline() as pipeline:
                pipeline.fetchval(query, *range(65535))
                pipeline.fetchval(query, *range(65536))
        assert await conn.fetchval("SELECT $1::int", 1) == 1


@pytest.mark.parametrize("given", [65536, 1])
async def test_one_parameter_more(connect: Connect, given: int) -> None:
    """The server takes such a statement and then counts its parameters in 16 bits: as none."""
    async with connect() as conn:
        all_of_them = ", ".join(f"${i}" for i in range(1, 65537))
        query = f"SELECT cardinality(ARRAY[{all_of_them}]::int[])"
        for call in (conn.fetchval, conn.fetchval, conn.execute, conn.fetchrow):
            with pytest.raises(pgallop.InterfaceError, match="65535"):
                await call(query, *range(given))
        with pytest.raises(pgallop.InterfaceError, match="65535"):
            async with conn.pipeline() as pipeline:
                pipeline.execute(query, *range(given))
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


async def test_an_error_that_quotes_a_large_value(connect: Connect) -> None:
    """Only until it has authenticated itself a server may not send so much."""
    async with connect() as conn:
        with pytest.raises(pgallop.InvalidTextRepresentationError) as caught:
            await conn.fetchval("SELECT repeat('x', 2 * 1024 * 1024)::int")
        assert len(str(caught.value)) > 2 * MIB
        assert await conn.fetchval("SELECT 1") == 1


async def test_as_many_columns_as_there_can_be(connect: Connect) -> None:
    async with connect() as conn:
        columns = ", ".join(
            f"{i} AS a_column_whose_name_takes_all_the_room_that_it_may_have_{i:04}"
            for i in range(1664)
        )
        row = await conn.fetchrow(f"SELECT {columns}")
        assert row is not None
        assert tuple(row) == tuple(range(1664))


async def test_an_argument_above_the_protocols_limit(connect: Connect) -> None:
    """Nobody looks at its bytes, so that they take no time and no memory."""
    query = "SELECT length($1::bytea)"
    much = bytes((1 << 30) - 1)
    why = r"argument \$1 \(bytea\): the value is too long: .* PostgreSQL takes 1073741822"
    async with connect() as conn:
        for call in (conn.fetch, conn.fetchval, conn.fetchrow, conn.execute):
            with pytest.raises(pgallop.DataError, match=why):
                await call(query, much)
        calls = [conn.fetchval(query, value) for value in (b"x", much, b"xyz")]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [answers[0], answers[2]] == [1, 3]
        assert isinstance(answers[1], pgallop.DataError)
        with pytest.raises(pgallop.DataError, match=f"statement 2 of 3: .*{why}"):
            async with conn.pipeline() as pipeline:
                pipeline.execute("CREATE TEMPORARY TABLE never_made ()")
                pipeline.fetchval(query, much)
                pipeline.fetchval(query, b"x")
        assert await conn.fetchval("SELECT to_regclass('never_made')::text") is None
        assert await conn.fetchval(query, b"xy") == 2


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
