"""The client process: one driver on one event loop, which does what the orders in its pipe say.

Each driver has a process of its own, so CPU time is that of the driver alone, with all its threads.
"""

import asyncio
import gc
import hashlib
import itertools
import signal
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

from bench.drivers import load
from bench.drivers.driver import AnyDriver, Fetch, Rows
from bench.results import Sample
from bench.works import WORKS, Visitor, Work

# The query and its arguments of each run in turn, from whichever lane it is made.
Runs = Iterator[tuple[Any, ...]]

# Tells how many round trips there were by now.
Count = Callable[[], int]

# How many of a work's arguments are tried when results are compared.
_COMPARED_RUNS = 10

# How many rows of a long result are compared, from its beginning to its end.
_COMPARED_ROWS = 1000

_WEIGHED_ROWS = 10_000


@dataclass(frozen=True)
class Check:
    """Order: run the work a few times and describe its rows. Answered by a Description.

    Args:
        weigh: also measure the memory that they take.
    """

    work: str
    weigh: bool


@dataclass(frozen=True)
class Measure:
    """Order: run the work for `warm_up` and then for `seconds`. Answered by a Sample."""

    work: str
    warm_up: float
    seconds: float


@dataclass(frozen=True)
class Description:
    """What a driver made of a work's rows.

    Args:
        digest: equal for equal rows; empty from one that makes no rows.
        example: the first row.
        bytes_per_row: memory that a row takes, where the work asks for it.
    """

    digest: str
    example: str
    bytes_per_row: float | None


@dataclass(frozen=True)
class RoundTrips:
    """The question how many round trips there were by now on the long line. Answered by an int."""


@dataclass(frozen=True)
class Failure:
    """The answer to an order that raised."""

    reason: str


def serve(orders: Connection, driver_name: str, loop_name: str, dsn: str, far_dsn: str) -> None:
    """Obey orders until the other end of the pipe is closed.

    Args:
        driver_name: one of `bench.drivers.DRIVERS`.
        loop_name: one of `LOOPS`.
        far_dsn: leads to the same server through the long line.
    """

    def count() -> int:
        orders.send(RoundTrips())
        answer: int = orders.recv()
        return answer

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    driver = load(driver_name)
    orders.send(driver.version())
    with asyncio.Runner(loop_factory=LOOPS[loop_name]()) as runner:
        while True:
            try:
                order = orders.recv()
            except EOFError:
                return
            work = WORKS[order.work]
            place = far_dsn if work.is_far else dsn
            try:
                answer: object
                if isinstance(order, Check):
                    answer = runner.run(_describe(driver, place, work, order.weigh))
                else:
                    answer = runner.run(_measure(driver, place, work, order, count))
            except Exception as error:  # whatever it is, the parent reports it
                answer = Failure(f"{type(error).__name__}: {error}")
            orders.send(answer)


def _asyncio_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    return asyncio.new_event_loop


def _uvloop_loop() -> Callable[[], asyncio.AbstractEventLoop]:
    import uvloop

    return uvloop.new_event_loop


LOOPS = {"asyncio": _asyncio_loop, "uvloop": _uvloop_loop}


def _runs(work: Work) -> Runs:
    runs = itertools.cycle([(work.query, *args) for args in work.arguments])
    if not work.is_new:
        return runs
    return ((f"{query} -- {number}", *args) for number, (query, *args) in enumerate(runs))


async def _measure(driver: AnyDriver, dsn: str, work: Work, order: Measure, count: Count) -> Sample:
    runs = _runs(work)
    async with driver.lanes(dsn, work) as lanes:
        await _run(lanes, runs, order.warm_up)
        gc.collect()
        trips = count() if work.is_far else 0
        # User and system time of all threads; os.times() only counts hundredths of a second.
        cpu, start = time.process_time(), time.perf_counter()
        calls = await _run(lanes, runs, order.seconds)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
        round_trips = count() - trips if work.is_far else None
    return Sample(calls * driver.runs_per_call(work), seconds, cpu_seconds, round_trips)


async def _run(lanes: Sequence[Fetch], runs: Runs, seconds: float) -> int:
    """Call all lanes at the same time, each again and again; how many calls it were."""
    end = time.perf_counter() + seconds
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


async def _describe(driver: AnyDriver, dsn: str, work: Work, weigh: bool) -> Description:
    async with driver.lanes(dsn, work) as lanes:
        if not driver.decodes:
            return Description("", "", None)
        digest = hashlib.sha256()
        example = ""
        for i, args in enumerate(work.arguments[:_COMPARED_RUNS]):
            rows = await lanes[i % len(lanes)](work.query, *args)
            example = example or repr(fields_of(rows[0]))
            digest.update(repr(len(rows)).encode())
            for row in rows[:: max(1, len(rows) // _COMPARED_ROWS)]:
                digest.update(repr([comparable(value) for value in fields_of(row)]).encode())
        weight = await _weigh(lanes[0], work) if weigh else None
    return Description(digest.hexdigest(), example, weight)


def fields_of(row: Any) -> tuple[Any, ...]:
    """The values of a row, or of the object that it was made into."""
    return tuple(vars(row).values()) if isinstance(row, Visitor) else tuple(row)


def comparable(value: Any) -> object:
    """Bring a value into a form in which the same value looks the same from every driver.

    They disagree on two types: asyncpg gives "char" as bytes, psqlpy uuid as text. So these three
    compare by their text; all else has to have the same type.
    """
    match value:
        case bytes():
            return value.decode("latin-1")
        case UUID():
            return str(value)
        case datetime(tzinfo=tzinfo) if tzinfo is not None:
            return value.astimezone(UTC).isoformat()
        case list():
            return [comparable(item) for item in value]
    return value


async def _weigh(fetch: Fetch, work: Work) -> float:
    """The memory that the rows of one result take, in bytes a row."""
    query = f"{work.query} LIMIT {_WEIGHED_ROWS}"
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        rows: Rows = await fetch(query, *work.arguments[0])
        after, _ = tracemalloc.get_traced_memory()
        return (after - before) / len(rows)
    finally:
        tracemalloc.stop()
