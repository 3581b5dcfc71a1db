"""Servers that talk faster than listeners listen, or in their place."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from unittest import mock

from hostile.probe import (
    ONE_ROW,
    Ask,
    Probe,
    execute,
    fetch,
    finished,
    idle,
    run_script,
    simple,
)
from scripted_server import Step, close, expect, flood, send
from scripts import (
    BIND_COMPLETE,
    command_complete,
    error_response,
    notice_response,
    notification_response,
    ready_for_query,
)

import pgallop
from pgallop import inbox, limits
from pgallop.connection import Connection

MANY = 300_000
LISTENED = command_complete("LISTEN") + ready_for_query()
NOTIFICATION = notification_response(7, "jobs", "payload")
NOTICE = notice_response("look out")
# What a listener of these keeps the loop from other work at a time.
NAP_SECONDS = 0.002


def many(piece: bytes, count: int = MANY) -> Step:
    """`piece`, so many times, a hundred at once."""
    return flood(piece * 100, count // 100)


def listening(*steps: Step) -> list[Step]:
    """Said behind the answer to LISTEN."""
    return [*idle(), expect("Query sql='LISTEN"), send(LISTENED), *steps]


class Counter:
    """A listener for whatever comes, which counts and may be slow.

    `nap_every`: it blocks the loop for `NAP_SECONDS` with each so many calls.
    """

    def __init__(self, nap_every: int = 0) -> None:
        self.count = 0
        self._nap_every = nap_every

    def __call__(self, *arguments: object) -> None:
        self.count += 1
        if self._nap_every and self.count % self._nap_every == 0:
            ends = time.perf_counter() + NAP_SECONDS
            while time.perf_counter() < ends:  # no sleep: the watch sees what others make us wait
                pass

    async def coroutine(self, *arguments: object) -> None:
        await asyncio.sleep(NAP_SECONDS)
        self.count += 1

    async def never(self, *arguments: object) -> None:
        await asyncio.Event().wait()

    async def until(self, count: int) -> int:
        while self.count < count:
            await asyncio.sleep(0.005)
        return self.count


def hears(nap_every: int = 0, count: int = MANY, coroutine: bool = False) -> Ask:
    """Listens for notifications until so many have come."""

    async def ask(conn: Connection) -> object:
        counter = Counter(nap_every)
        await conn.add_listener("jobs", counter.coroutine if coroutine else counter)
        return await counter.until(count)

    return ask


def minds_notices(
    then: Callable[[Connection], Awaitable[object]] = run_script,
    nap_every: int = 0,
    count: int = MANY,
    coroutine: bool = False,
) -> Ask:
    """Listens for notices, asks for something, and waits until all are told."""

    async def ask(conn: Connection) -> object:
        counter = Counter(nap_every)
        conn.add_log_listener(counter.coroutine if coroutine else counter)
        return await then(conn), await counter.until(count)

    return ask


async def hears_without_end(conn: Connection) -> object:
    """Its listener's tasks never end, and wait for no less than the answer that comes behind."""
    counter = Counter()
    tasks: list[asyncio.Task[Any]] = []

    async def never(*arguments: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        await counter.never()

    with mock.patch.object(inbox, "STALL_SECONDS", 0.2):
        await conn.add_listener("jobs", never)
        try:
            return await conn.execute("DO")
        finally:
            while tasks:  # those that waited to begin do so now
                ended, tasks[:] = list(tasks), []
                for task in ended:
                    task.cancel()
                await asyncio.gather(*ended, return_exceptions=True)
                await asyncio.sleep(0.01)


async def hears_to_the_end(conn: Connection) -> object:
    """What came before the end is heard, though that is found only behind it."""
    counter = Counter(nap_every=500)
    await conn.add_listener("jobs", counter)
    try:
        return await conn.execute("DO")
    finally:
        await counter.until(100_000)


async def is_refused(conn: Connection) -> object:
    try:
        await conn.add_listener("jobs", print)
    finally:
        assert not conn._channels._channels
    return "added"


def bounded(name: str, script: list[Step], ask: Ask, value: object, **more: Any) -> Probe:
    """All that comes is delivered or dropped, within the bounds, and the connection goes on."""
    bounds = {"seconds": 15.0, "megabytes": 24.0, "block": 0.05, **more}
    return Probe(name=name, script=script, ask=ask, error=None, value=value, usable=True, **bounds)


DONE = send(command_complete("DO"), ready_for_query())

FLOODS = [
    bounded(
        "300,000 notifications, a slow listener",
        listening(many(NOTIFICATION)),
        hears(nap_every=500),
        MANY,
    ),
    bounded(
        "50,000 notifications, coroutines that wait",
        listening(many(NOTIFICATION, 50_000)),
        hears(count=50_000, coroutine=True),
        50_000,
        megabytes=100.0,
        block=0.1,  # the collector looks at 10,000 tasks
    ),
    bounded(
        "300,000 notifications, nobody listens",
        simple(many(NOTIFICATION), DONE),
        run_script,
        "DO",
        megabytes=8.0,
    ),
    bounded(
        "300,000 notifications for channels that nobody has asked for",
        listening(many(notification_response(7, "other", "-")), many(NOTIFICATION, 100)),
        hears(count=100),
        100,
        megabytes=8.0,
    ),
    bounded(
        "30,000 notifications, a very slow listener",
        listening(many(NOTIFICATION, 30_000)),
        hears(nap_every=40, count=30_000),
        30_000,
    ),
    bounded(
        "500 notifications of 60,000 bytes, a very slow listener",
        listening(flood(notification_response(7, "jobs", "x" * 60_000), 500)),
        hears(nap_every=1, count=500),
        500,
        megabytes=60.0,
    ),
    bounded(
        "300,000 notices, a slow listener",
        simple(many(NOTICE), DONE),
        minds_notices(nap_every=500),
        ("DO", MANY),
        megabytes=32.0,
    ),
    bounded(
        "50,000 notices, coroutines that wait",
        simple(many(NOTICE, 50_000), DONE),
        minds_notices(count=50_000, coroutine=True),
        ("DO", 50_000),
        megabytes=100.0,
        block=0.1,
    ),
    bounded(
        "300,000 notices, nobody listens",
        simple(many(NOTICE), DONE),
        run_script,
        "DO",
        megabytes=8.0,
    ),
    bounded(
        "100,000 notices in the middle of rows, a slow listener",
        execute(
            send(BIND_COMPLETE, ONE_ROW),
            many(NOTICE, 100_000),
            send(ONE_ROW, finished()),
        ),
        minds_notices(fetch, nap_every=500, count=100_000),
        ([(1,), (1,)], 100_000),
        megabytes=32.0,
    ),
    bounded(
        "100 notices of 1 MB, a slow listener",
        simple(flood(notice_response("x" * 1_000_000), 100), DONE),
        minds_notices(nap_every=1, count=100),
        ("DO", 100),
        megabytes=60.0,
    ),
]

ENDS = [
    Probe(
        name="listeners that never end",
        script=listening(expect("Query"), many(NOTIFICATION), DONE),
        ask=hears_without_end,
        error=pgallop.ConnectionDoesNotExistError,
        words=f"{limits.MAX_LISTENER_TASKS} calls of listeners are under way",
        seconds=15.0,
        megabytes=100.0,
        block=1.0,  # 10,000 tasks are cancelled at once
    ),
    Probe(
        name="100,000 notifications, then the end",
        script=listening(expect("Query"), many(NOTIFICATION, 100_000), close()),
        ask=hears_to_the_end,
        error=pgallop.ConnectionDoesNotExistError,
        words="the server closed the connection",
        seconds=15.0,
        megabytes=24.0,
        block=0.05,
    ),
]

LISTENING = [
    Probe(
        name="LISTEN is refused",
        script=[*idle(), expect("Query"), send(error_response("0A000", "no"), ready_for_query())],
        ask=is_refused,
        error=pgallop.FeatureNotSupportedError,
        words="no",
        usable=True,
    ),
    Probe(
        name="LISTEN is answered by nothing of the kind",
        script=[*idle(), expect("Query"), send(BIND_COMPLETE)],
        ask=is_refused,
        words="illegal",
    ),
]

PROBES = [*FLOODS, *ENDS, *LISTENING]
