"""Line 15: a crowd on a small pool: everybody is served, in turn, and it takes no more memory.

Each driver has its crowd in a process of its own, whose memory is looked at: this file is that
program, too.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
from chaos.figures import Figures

import pgallop
from pgallop.cli.server import EmbeddedServer

TASKS = 24_000  # at scale 1
SIZE = 10
PATIENCE = 240.0
QUERY = "SELECT $1::int"


def memory(field: str) -> int:
    """A field of this process's memory, in bytes: VmRSS, or VmHWM, the most it ever was."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


async def one_shots(pool: Any, tasks: int) -> dict[str, Any]:
    """So many tasks with a statement each: how long each took, and the memory of all of them."""
    times: list[float] = []

    async def use(i: int) -> None:
        start = time.monotonic()
        assert await pool.fetchval(QUERY, i) == i
        times.append(time.monotonic() - start)

    await asyncio.gather(*[use(i) for i in range(SIZE * 10)])
    times.clear()
    before = memory("VmRSS")
    start = time.monotonic()
    await asyncio.gather(*[use(i) for i in range(tasks)])
    seconds = time.monotonic() - start
    times.sort()
    return {
        "seconds": seconds,
        "served": len(times),
        "p50": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
        "max": times[-1],
        "bytes_per_task": max(0, memory("VmHWM") - before) / tasks,
    }


async def inversions(pool: pgallop.Pool, tasks: int) -> int:
    """How many got a connection before somebody who had asked for it earlier."""
    order: list[int] = []

    async def use(i: int) -> None:
        if i % 2:
            await pool.fetchval(QUERY, i)
            return
        async with pool.acquire() as conn:
            order.append(i)
            await conn.fetchval(QUERY, i)

    await asyncio.gather(*[use(i) for i in range(tasks)])
    return sum(first > second for first, second in pairwise(order))


async def measure(driver: str, dsn: str, tasks: int) -> dict[str, Any]:
    if driver == "asyncpg":
        async with asyncpg.create_pool(dsn, min_size=SIZE, max_size=SIZE) as pool:
            return await one_shots(pool, tasks)
    options: dict[str, Any] = {"min_size": SIZE, "max_size": SIZE, "acquire_timeout": PATIENCE}
    async with pgallop.create_pool(dsn, **options) as own:
        found = await one_shots(own, tasks)
        found["inversions"] = await inversions(own, tasks // 4)
        return found


def in_a_process(driver: str, dsn: str, tasks: int) -> dict[str, Any]:
    """What one driver's crowd has found."""
    folders = (Path(pgallop.__file__).parents[1], Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-P", __file__, driver, dsn, str(tasks)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        stdout=subprocess.PIPE,
        text=True,
        timeout=2 * PATIENCE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 24,000 tasks, on asyncio's own loop; `memory`: beside asyncpg's."""
    figures = Figures(15, "a crowd on a pool of 10")
    tasks = max(1000, round(TASKS * scale))
    found = {
        driver: await asyncio.to_thread(in_a_process, driver, server.tcp_dsn, tasks)
        for driver in ("asyncpg", "pgallop")
    }
    own, peer = found["pgallop"], found["asyncpg"]
    figures.show("tasks", tasks)
    figures.zero("starved", tasks - own["served"])
    figures.zero("inversions", own["inversions"])
    for name in ("p50", "p99", "max"):
        figures.show(f"wait_{name}_s", own[name])
    figures.show("bytes_per_task", round(own["bytes_per_task"]))
    figures.below("memory", own["bytes_per_task"] / max(1.0, peer["bytes_per_task"]), 1.0001)
    figures.show("times_as_fast", peer["seconds"] / own["seconds"])
    return figures.finish()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
