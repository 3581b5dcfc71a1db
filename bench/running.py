"""Running a work in this process, and measuring it."""

import asyncio
import gc
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Any

from bench import memory
from bench.drivers.driver import AnyDriver, Fetch
from bench.heartbeat import Heartbeat
from bench.orders import Measure
from bench.results import Sample
from bench.work import Work

# The query and its arguments of each run in turn, from whichever lane it is made.
Runs = Iterator[tuple[Any, ...]]

# Tells how many round trips there were by now.
Count = Callable[[], int]

# How many runs are watched for what the loop waits for. Their median, for in a single one the
# loop also waits for what else the machine does.
_WATCHED_RUNS = 15

# So many tasks are enough to connect and to prepare.
_FIRST_LANES = 100


def runs_of(work: Work, arguments: Sequence[tuple[object, ...]]) -> Runs:
    """Return what the runs of a work ask for with these arguments, without an end."""
    runs = itertools.cycle([(work.query, *args) for args in arguments])
    if not work.is_new:
        return runs
    return ((f"{query} -- {number}", *args) for number, (query, *args) in enumerate(runs))


async def measure(
    driver: AnyDriver, dsn: str, work: Work, order: Measure, count: Count | None
) -> Sample:
    """Run the work for a while.

    Args:
        count: tells how many round trips there were, where they are counted.
    """
    runs = runs_of(work, work.arguments)
    async with driver.lanes(dsn, work) as lanes:
        await _warm_up(work, lanes, runs, order.warm_up)
        gc.collect()
        trips = count() if count else 0
        # User and system time of all threads; os.times() only counts hundredths of a second.
        cpu, start = time.process_time(), time.perf_counter()
        calls = await _run(work, lanes, runs, order.seconds)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        round_trips = count() - trips if count else None
        longest_block = await _longest_block(lanes[0], runs) if work.watches_loop else None
    done = calls * driver.runs_per_call(work)
    return Sample(done, seconds, cpu_seconds, round_trips, longest_block)


async def peak(driver: AnyDriver, dsn: str, work: Work) -> int | None:
    """Run a work once; the most memory that this process had then, in bytes."""
    runs = runs_of(work, work.arguments)
    async with driver.lanes(dsn, work) as lanes:
        await _warm_up(work, lanes, runs, 0)
        gc.collect()
        memory.reset_peak()
        await _run_burst(lanes, runs, 0)
        return memory.peak()


async def _warm_up(work: Work, lanes: Sequence[Fetch], runs: Runs, seconds: float) -> None:
    """Have what is done for the first time behind us."""
    if work.trial:
        runs = runs_of(work, work.trial)
    await _run(work, lanes[:_FIRST_LANES] if work.bursts else lanes, runs, seconds)


async def _run(work: Work, lanes: Sequence[Fetch], runs: Runs, seconds: float) -> int:
    """Call all lanes at the same time, each again and again; how many calls it were."""
    end = time.perf_counter() + seconds
    if work.bursts:
        return await _run_burst(lanes, runs, end)
    calls = await asyncio.gather(*(_run_lane(fetch, runs, end) for fetch in lanes))
    return sum(calls)


async def _run_lane(fetch: Fetch, runs: Runs, end: float) -> int:
    clock = time.perf_counter
    calls = 0
    while True:
        await fetch(*next(runs))
        calls += 1
        if clock() >= end:
            return calls


async def _run_burst(lanes: Sequence[Fetch], runs: Runs, end: float) -> int:
    """Call all lanes once, each in a task of its own, and again when all have their answers."""
    calls = 0
    while True:
        await asyncio.gather(*(fetch(*next(runs)) for fetch in lanes))
        calls += len(lanes)
        if time.perf_counter() >= end:
            return calls


async def _longest_block(fetch: Fetch, runs: Runs) -> float:
    """For how many seconds at a time a run lets the loop do nothing else."""
    longest = []
    for _ in range(_WATCHED_RUNS):
        with Heartbeat() as heartbeat:
            await fetch(*next(runs))
        longest.append(heartbeat.longest)
    return median(longest)
