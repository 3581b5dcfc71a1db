"""Line 13: thousands of statements with large arguments and large results on one connection.

If the driver waited for the kernel to take all of its bytes before it read, and the server for its
own to be read, both would wait for ever. And a result of a million rows, during which the event
loop has to serve others.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from chaos.blocks import Memory, watched
from chaos.figures import Figures

import pgallop
from pgallop.cli.server import EmbeddedServer

STATEMENTS = 3_000  # at scale 1
SIZE = 100_000
ROWS = 1_000_000
RUNS = 3
SECONDS = 300.0

# What the event loop may be kept from its other work, by compiled modules.
BLOCK_SECONDS = 0.010

# The columns are of the usual kinds, none of them large.
MANY_ROWS = (
    "SELECT n, n * 2.5::float8, 'row ' || n, n % 2 = 0 FROM generate_series(1, $1::int) AS n"
)


def buffered(conn: pgallop.Connection) -> Callable[[], int]:
    """How to ask for the bytes that the connection holds for sending, encoded and not yet sent."""
    session, stream = conn._session, conn._stream

    def ask() -> int:
        backlog = getattr(stream, "backlog", b"")
        return int(session.writer.pos + len(backlog) - getattr(stream, "backlog_start", 0))

    return ask


async def echo(conn: pgallop.Connection, nonce: int) -> bool:
    """Send 100 kB and get them back."""
    data = nonce.to_bytes(4, "big") * (SIZE // 4)
    received = await conn.fetchval("SELECT $1::bytea", data)
    return bool(received == data)


async def begun(conn: pgallop.Connection, count: int) -> list[asyncio.Task[bool]]:
    """So many tasks; making them all at once would be a block of its own."""
    tasks = []
    for nonce in range(count):
        tasks.append(asyncio.create_task(echo(conn, nonce)))
        if nonce % 20 == 0:
            await asyncio.sleep(0)
    return tasks


async def large_pipeline(dsn: str, figures: Figures, count: int) -> None:
    largest = 0
    async with pgallop.connect(dsn) as conn:
        await echo(conn, 0)
        ask = buffered(conn)

        def look() -> None:
            nonlocal largest
            largest = max(largest, ask())

        memory = Memory()
        with watched(look) as blocks:
            async with asyncio.timeout(SECONDS):
                echoes = await asyncio.gather(*await begun(conn, count))
    figures.show("statements", count)
    figures.zero("misdelivered", echoes.count(False))
    figures.show("largest_buffer_kB", largest / 1024)
    figures.show("memory_MB", memory.peak() - memory.before)
    # No limit: a full collection of garbage, all modules and the tasks, is 19.8 of 19.9 ms of it.
    figures.show("pipeline_block_ms", blocks.longest * 1000)


async def many_rows(dsn: str, figures: Figures, count: int) -> None:
    async with pgallop.connect(dsn) as conn:
        await conn.fetch(MANY_ROWS, 1)
        longest = [await longest_block(conn, figures, count) for _ in range(RUNS)]
        figures.show("rows_blocks_ms", ",".join(f"{1000 * seconds:.1f}" for seconds in longest))
        # What else runs on the machine lengthens some; what the driver does is in all of them.
        if pgallop.__compiled__:
            figures.below("rows_block_ms", min(longest) * 1000, BLOCK_SECONDS * 1000)
        else:
            figures.show("rows_block_ms", min(longest) * 1000)


async def longest_block(conn: pgallop.Connection, figures: Figures, count: int) -> float:
    """Fetch so many rows; the seconds that other tasks had to wait at most."""
    # The collector stays on; but what it has not yet looked at of all that was there before is none
    # of this result's business.
    gc.collect()
    with watched() as blocks:
        async with asyncio.timeout(SECONDS):
            rows = await conn.fetch(MANY_ROWS, count)
    wrong = sum(row["n"] != n for n, row in enumerate(rows, start=1)) + abs(count - len(rows))
    figures.show("rows", len(rows))
    figures.zero("wrong_rows", wrong)
    return blocks.longest


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """Both, `scale` times as large; there is nothing random in it."""
    figures = Figures(13, "both ways")
    await large_pipeline(server.tcp_dsn, figures, max(1, round(STATEMENTS * scale)))
    await many_rows(server.tcp_dsn, figures, max(1, round(ROWS * scale)))
    return figures.finish()
