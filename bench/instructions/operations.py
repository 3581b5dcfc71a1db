"""The process whose instructions are counted: `python -m bench.instructions.operations`.

It calls `os.getppid` between the operations and nowhere else, which tells the counter where one
ends and the next one begins.
"""

import argparse
import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pgallop
from bench.instructions.server import ANSWERS
from pgallop import traceless

_SELECT1, _PK, _SERIES, _VISITORS, _INSERT = ANSWERS

_RECORDS = [
    (i, f"visitor {i}", i * 0.37, datetime(2020, 1, 1, tzinfo=UTC), True, i << 20, UUID(int=i))
    for i in range(1000)
]


async def _select1(connection: pgallop.Connection) -> object:
    return await connection.fetch(_SELECT1)


async def _pk(connection: pgallop.Connection) -> object:
    return await connection.fetch(_PK, 4711)


async def _pool(pool: pgallop.Pool) -> object:
    """A row by its key from each of 100 tasks at once."""
    return await asyncio.gather(*[pool.fetch(_PK, 4711) for _ in range(_TASKS)])


async def _series1000(connection: pgallop.Connection) -> object:
    return await connection.fetch(_SERIES, 1000)


async def _rows1000(connection: pgallop.Connection) -> object:
    return await connection.fetch(_VISITORS)


async def _insert1000(connection: pgallop.Connection) -> None:
    await connection.executemany(_INSERT, _RECORDS)


async def _copy1000(connection: pgallop.Connection) -> str:
    return await connection.copy_records_to_table("visitors", records=_RECORDS)


@dataclass(frozen=True)
class Operation:
    """What is counted.

    Args:
        run: does it on a connection, or with a pool.
        times: how often that is done.
        weight: for how many operations it counts.
        pools: it takes a pool of 10 connections.
    """

    run: Callable[[Any], Awaitable[object]]
    times: int
    weight: int = 1
    pools: bool = False


_TASKS = 100

OPERATIONS = {
    "select1": Operation(_select1, 1000),
    "pk": Operation(_pk, 1000),
    "pk_pool": Operation(_pool, 30, _TASKS, pools=True),
    "series1000": Operation(_series1000, 100),
    "rows1000": Operation(_rows1000, 30),
    "executemany1000": Operation(_insert1000, 30),
    "copy1000": Operation(_copy1000, 30),
}

# Until statements are prepared, and memory and free lists are what they stay.
_WARM_UP = 20

# Seconds after which a pool asks what the statements leave that it has seen: nothing, so it does
# not reset its connections any more.
_GATHERING = 2 * traceless.GATHERING


async def _run(host: str) -> None:
    server: dict[str, Any] = {"host": host, "user": "bench", "database": "bench"}
    async with (
        pgallop.connect(**server) as connection,
        pgallop.create_pool(**server, min_size=10, max_size=10) as pool,
    ):
        await _run_all(connection, pool, lambda operation: _WARM_UP, lambda: None)
        await asyncio.sleep(_GATHERING)
        await _run_all(connection, pool, lambda operation: _WARM_UP, lambda: None)
        gc.collect()
        gc.disable()  # when it runs depends on all that has happened before
        await _run_all(connection, pool, lambda operation: operation.times, os.getppid)


async def _run_all(
    connection: pgallop.Connection,
    pool: pgallop.Pool,
    times: Callable[[Operation], int],
    mark: Callable[[], object],
) -> None:
    for operation in OPERATIONS.values():
        subject = pool if operation.pools else connection
        mark()
        for _ in range(times(operation)):
            await operation.run(subject)
    mark()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("host", help="the folder of the server's socket")
    asyncio.run(_run(parser.parse_args().host))
