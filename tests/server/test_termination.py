"""Termination listeners: told once that the connection is closed, whoever closed it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import os
import signal
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from live import Connect, Monitor
from proxy import DelayProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

LOST = pgallop.ConnectionDoesNotExistError


class Listener:
    """Notes what it is told, and about a connection in which state."""

    def __init__(self) -> None:
        self.told: list[pgallop.Connection] = []

    def __call__(self, conn: pgallop.Connection) -> None:
        assert conn.is_closed()
        self.told.append(conn)

    async def coroutine(self, conn: pgallop.Connection) -> None:
        await asyncio.sleep(0)
        self(conn)

    async def wait(self) -> None:
        async with asyncio.timeout(5):
            while not self.told:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)  # for a second call, which would be wrong


async def close(conn: pgallop.Connection) -> None:
    await conn.close()


async def close_twice(conn: pgallop.Connection) -> None:
    await asyncio.gather(conn.close(), conn.close())
    await conn.close()
    conn.terminate()


async def terminate(conn: pgallop.Connection) -> None:
    conn.terminate()
    conn.terminate()
    await conn.close()


async def close_with_statements_under_way(conn: pgallop.Connection) -> None:
    task = asyncio.create_task(conn.execute("SELECT pg_sleep(0.1)"))
    await asyncio.sleep(0)
    await conn.close()
    await task


async def terminate_with_statements_under_way(conn: pgallop.Connection) -> None:
    tasks = [asyncio.create_task(conn.fetch("SELECT pg_sleep(0.2)")) for _ in range(3)]
    await asyncio.sleep(0.02)
    conn.terminate()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, LOST)


async def terminate_in_a_transaction(conn: pgallop.Connection) -> None:
    with pytest.raises(LookupError):
        async with conn.transaction():
            conn.terminate()
            raise LookupError


OURS: list[Callable[[pgallop.Connection], Awaitable[None]]] = [
    close,
    close_twice,
    terminate,
    close_with_statements_under_way,
    terminate_with_statements_under_way,
    terminate_in_a_transaction,
]


@pytest.mark.parametrize("end", OURS)
async def test_closed_from_this_side(
    connect: Connect, end: Callable[[pgallop.Connection], Awaitable[None]]
) -> None:
    conn = await connect()
    plain, coroutine = Listener(), Listener()
    conn.add_termination_listener(plain)
    conn.add_termination_listener(coroutine.coroutine)
    await conn.fetchval("SELECT 1")
    await end(conn)
    await plain.wait()
    await coroutine.wait()
    assert plain.told == coroutine.told == [conn]


@pytest.mark.parametrize("busy", [True, False])
async def test_killed_by_the_administrator(connect: Connect, monitor: Monitor, busy: bool) -> None:
    conn = await connect()
    listener = Listener()
    conn.add_termination_listener(listener)
    calls = [conn.execute("SELECT pg_sleep(30)"), conn.fetch("SELECT 1")] if busy else []
    tasks = [asyncio.create_task(call) for call in calls]
    await monitor.until(conn.get_server_pid(), ["active" if busy else "idle"])
    monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
    await listener.wait()
    assert listener.told == [conn]
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        assert isinstance(result, LOST), result
    await conn.close()
    conn.terminate()
    await asyncio.sleep(0.01)
    assert listener.told == [conn]


@pytest.fixture(scope="module")
def mortal(bin_dir: Path | None) -> Iterator[EmbeddedServer]:
    """A server of this module's own, to be restarted."""
    with EmbeddedServer(bin_dir, listen=True, auth="trust") as server:
        yield server


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_restart(mortal: EmbeddedServer, mode: Any) -> None:
    conns = [await pgallop.connect(mortal.tcp_dsn, ssl="disable") for _ in range(3)]
    listener = Listener()
    for conn in conns:
        conn.add_termination_listener(listener)
    busy = asyncio.create_task(conns[0].execute("SELECT pg_sleep(30)"))
    await asyncio.sleep(0.05)
    await asyncio.to_thread(mortal.restart, mode)
    with pytest.raises(LOST):
        await busy
    await listener.wait()
    assert sorted(map(id, listener.told)) == sorted(map(id, conns))
    async with pgallop.connect(mortal.tcp_dsn, ssl="disable") as conn:
        assert await conn.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("how", ["eof", "reset"])
async def test_cut_off_while_idle(server: EmbeddedServer, how: str) -> None:
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await pgallop.connect(
            host=proxy.host, port=proxy.port, user="postgres", ssl="disable"
        )
        listener = Listener()
        conn.add_termination_listener(listener)
        if how == "eof":
            for end in tuple(proxy._ends):
                end.abort()
        else:
            proxy.cut()
        await listener.wait()
        assert listener.told == [conn]


async def test_an_abandoned_statement_that_does_not_end(connect: Connect) -> None:
    conn = await connect(drain_timeout=0.1)
    listener = Listener()
    conn.add_termination_listener(listener)
    pid = conn.get_server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            await conn.fetchval("SELECT 1", timeout=0.05)
        assert not listener.told
        await listener.wait()
        assert listener.told == [conn]
    finally:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)


async def test_close_out_of_time(connect: Connect) -> None:
    conn = await connect()
    listener = Listener()
    conn.add_termination_listener(listener)
    pid = conn.get_server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        pending = asyncio.create_task(conn.fetchval("SELECT 1"))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError):
            await conn.close(timeout=0.05)
        with pytest.raises(LOST):
            await pending
        await listener.wait()
        assert listener.told == [conn]
    finally:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("where", ["here", "in a thread", "in a cycle"])
async def test_garbage_collected(connect: Connect, monitor: Monitor, where: str) -> None:
    """The listener gets the connection back for the time of its call, closed; then it goes."""
    told: list[str] = []
    held = [await connect()]
    pid = held[0].get_server_pid()
    gone = weakref.ref(held[0])

    def listener(conn: pgallop.Connection) -> None:
        assert conn.is_closed()
        assert conn.get_server_pid() == pid
        told.append(threading.current_thread().name)

    held[0].add_termination_listener(listener)
    if where == "in a cycle":
        # A listener that refers to its connection must not keep it alive.
        held[0].add_termination_listener(functools.partial(ignore, held[0]))

    def let_go() -> None:
        held.clear()
        gc.collect()

    with pytest.warns(ResourceWarning, match="unclosed connection"):
        await (asyncio.to_thread(let_go) if where == "in a thread" else call(let_go))
    await monitor.until(pid, [None])
    await asyncio.sleep(0.01)
    assert told == [threading.current_thread().name]
    gc.collect()
    assert gone() is None


def ignore(*args: object) -> None:
    pass


async def call(function: Callable[[], None]) -> None:
    function()


# Collected in a cycle, socket and asyncio's transport may be the first to complain.
@pytest.mark.filterwarnings("ignore:unclosed (transport )?<:ResourceWarning")
def test_garbage_collected_after_its_loop(dsn: str) -> None:
    """There is no loop any more that could call anybody; nothing else happens either."""
    told: list[object] = []
    with asyncio.Runner() as runner:
        conn = runner.run(pgallop.connect(dsn))
        conn.add_termination_listener(told.append)
    with pytest.warns(ResourceWarning, match="unclosed connection"):
        del conn
    gc.collect()
    assert told == []


async def test_never_from_within(connect: Connect) -> None:
    conn = await connect()
    order: list[str] = []
    conn.add_termination_listener(lambda conn: order.append("told"))
    conn.terminate()
    order.append("terminated")
    await asyncio.sleep(0)
    assert order == ["terminated", "told"]


async def test_after_those_who_wait_for_answers(connect: Connect, monitor: Monitor) -> None:
    """Whatever a listener does, the callers' errors are settled by then."""
    conn = await connect()
    task = asyncio.create_task(conn.execute("SELECT pg_sleep(30)"))
    settled: list[bool] = []

    def listener(conn: pgallop.Connection) -> None:
        settled.append(not conn._session.requests)
        conn.terminate()

    conn.add_termination_listener(listener)
    await monitor.until(conn.get_server_pid(), ["active"])
    monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
    with pytest.raises(LOST):
        await task
    await asyncio.sleep(0.01)
    assert settled == [True]


async def test_in_the_order_of_registration(connect: Connect) -> None:
    conn = await connect()
    order: list[int] = []
    listeners = [functools.partial(lambda n, conn: order.append(n), n) for n in range(20)]
    for listener in listeners:
        conn.add_termination_listener(listener)
    conn.remove_termination_listener(listeners[3])
    await conn.close()
    await asyncio.sleep(0)
    assert order == [n for n in range(20) if n != 3]


@contextlib.contextmanager
def complaints() -> Iterator[list[dict[str, Any]]]:
    """What the loop's exception handler gets during the block."""
    seen: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: seen.append(context))
    yield seen
    loop.set_exception_handler(handler)


async def test_a_listener_that_fails(connect: Connect, monitor: Monitor) -> None:
    """The loop hears of it, and the others and the callers are none the worse."""

    def plain(conn: pgallop.Connection) -> None:
        raise LookupError("plain")

    async def coroutine(conn: pgallop.Connection) -> None:
        await asyncio.sleep(0)
        raise LookupError("coroutine")

    conn = await connect()
    before, after = Listener(), Listener()
    for listener in (before, plain, coroutine, after):
        conn.add_termination_listener(listener)
    with complaints() as seen:
        monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
        await before.wait()
        await after.wait()
    assert [str(context["exception"]) for context in seen] == ["plain", "coroutine"]
    assert all("listener" in context["message"] or context.get("handle") for context in seen)
    assert before.told == after.told == [conn]


async def test_a_listener_that_is_cancelled(connect: Connect) -> None:
    conn = await connect()
    started: list[asyncio.Task[Any]] = []

    async def coroutine(conn: pgallop.Connection) -> None:
        task = asyncio.current_task()
        assert task is not None
        started.append(task)
        await asyncio.sleep(30)

    conn.add_termination_listener(coroutine)
    with complaints() as seen:
        await conn.close()
        while not started:
            await asyncio.sleep(0)
        started[0].cancel()
        await asyncio.wait(started)
        await asyncio.sleep(0)
    assert seen == []


async def test_a_coroutine_is_not_lost(connect: Connect) -> None:
    """Its task is held weakly by the event loop, and has to survive the collector."""
    conn = await connect()
    listener = Listener()
    pauses: weakref.WeakSet[asyncio.Future[None]] = weakref.WeakSet()

    async def coroutine(conn: pgallop.Connection) -> None:
        pause: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        pauses.add(pause)
        await pause
        listener(conn)

    conn.add_termination_listener(coroutine)
    await conn.close()
    for _ in range(3):
        await asyncio.sleep(0.005)
        gc.collect()
    for pause in pauses:
        pause.set_result(None)
    await listener.wait()


async def test_refused(connect: Connect) -> None:
    conn = await connect()
    for bad in (None, 5, "callback"):
        with pytest.raises(pgallop.InterfaceError, match="expected a function"):
            conn.add_termination_listener(bad)  # type: ignore[arg-type]
    listener = Listener()
    conn.remove_termination_listener(listener)  # unknown: does nothing
    conn.add_termination_listener(listener)
    slow = asyncio.create_task(conn.execute("SELECT pg_sleep(0.1)"))
    await asyncio.sleep(0)
    closing = asyncio.create_task(conn.close())
    await asyncio.sleep(0)
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        conn.add_termination_listener(print)
    conn.remove_termination_listener(listener)
    await asyncio.gather(closing, slow)
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        conn.add_termination_listener(print)
    conn.remove_termination_listener(listener)
    await asyncio.sleep(0)
    assert listener.told == []


# The same with asyncpg

Ending = Callable[[Any, Monitor], Awaitable[None]]


async def by_close(conn: Any, monitor: Monitor) -> None:
    await conn.close()


async def by_terminate(conn: Any, monitor: Monitor) -> None:
    conn.terminate()


async def by_the_server(conn: Any, monitor: Monitor) -> None:
    await asyncio.to_thread(monitor.ask, "SELECT pg_terminate_backend(%s)", conn.get_server_pid())


@pytest.mark.parametrize("end", [by_close, by_terminate, by_the_server])
async def test_as_asyncpg(connect: Connect, monitor: Monitor, dsn: str, end: Ending) -> None:
    """Who is told, how often, and with what: an equal callback counts once, a removed one not."""
    stories: list[list[object]] = []
    for conn in (await asyncpg.connect(dsn), await connect()):
        story: list[object] = []

        class Watcher:
            def __init__(self, story: list[object], conn: Any) -> None:
                self.story = story
                self.conn = conn

            def plain(self, conn: Any) -> None:
                self.story.append(("plain", conn is self.conn, conn.is_closed()))

            async def coroutine(self, conn: Any) -> None:
                self.story.append(("coroutine", conn is self.conn, conn.is_closed()))

            def removed(self, conn: Any) -> None:
                self.story.append("removed")

        watcher = Watcher(story, conn)
        for listener in (watcher.plain, watcher.plain, watcher.coroutine, watcher.removed):
            conn.add_termination_listener(listener)
        conn.remove_termination_listener(watcher.removed)
        conn.remove_termination_listener(watcher.removed)
        await end(conn, monitor)
        async with asyncio.timeout(5):
            while len(story) < 2:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        conn.terminate()
        await asyncio.sleep(0.02)
        stories.append(sorted(story, key=str))
    assert stories[1] == stories[0] == [("coroutine", True, True), ("plain", True, True)]
