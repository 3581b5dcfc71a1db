"""Listeners for notifications: who hears what, when, and how often."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from ears import Ear, channels, complaints, forgotten
from live import Connect, Monitor

import pgallop

# Who hears what


async def test_hears_while_idle(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        plain, coroutine = Ear(), Ear()
        await conn.add_listener("jobs", plain)
        await conn.add_listener("jobs", coroutine.coroutine)
        assert await channels(conn) == {"jobs"}
        (pid,) = monitor.ask("SELECT pg_backend_pid() FROM pg_notify('jobs', 'first')")[0]
        monitor.ask("SELECT pg_notify('other', '-')")
        monitor.ask("NOTIFY jobs")
        for ear in (plain, coroutine):
            assert await ear.wait(2) == [("jobs", "first"), ("jobs", "")]
            assert ear.pids == {pid}
            assert ear.connections == {conn}


async def test_in_order_and_among_answers(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        ear = Ear()
        await conn.add_listener("jobs", ear)
        asking = [conn.fetchval("SELECT pg_sleep(0.001)") for _ in range(20)]
        asked = asyncio.gather(*asking)
        for _ in range(10):
            monitor.ask("SELECT pg_notify('jobs', i::text) FROM generate_series(1, 50) i")
            await asyncio.sleep(0.001)
        await asked
        assert await ear.wait(500) == [("jobs", str(i)) for i in range(1, 51)] * 10


async def test_its_own_notification_comes_before_the_answer(connect: Connect) -> None:
    async with connect() as conn:
        ear = Ear()
        await conn.add_listener("jobs", ear)
        for verb in (conn.execute, conn.fetch):
            await verb("NOTIFY jobs, 'own'")
            assert await ear.wait() == [("jobs", "own")]
            assert ear.pids == {conn.get_server_pid()}
        ear.heard.clear()
        await conn.execute("NOTIFY jobs, 'own'")
        assert ear.heard == [("jobs", "own")]


async def test_notifications_of_a_transaction(connect: Connect) -> None:
    async with connect() as conn:
        ear = Ear()
        await conn.add_listener("jobs", ear)
        with pytest.raises(ZeroDivisionError):
            async with conn.transaction():
                await conn.execute("NOTIFY jobs, 'never'")
                raise ZeroDivisionError
        async with conn.transaction():
            await conn.execute("NOTIFY jobs, 'later'")
            await conn.fetchval("SELECT 1")
            assert ear.heard == []
        assert await ear.wait() == [("jobs", "later")]


async def test_listen_for_the_first_unlisten_with_the_last(
    connect: Connect, monitor: Monitor
) -> None:
    async with connect() as conn:
        first, second = Ear(), Ear()
        await conn.add_listener("jobs", first)
        before = conn._session.sent
        await conn.add_listener("jobs", second)
        await conn.add_listener("jobs", first)
        await conn.remove_listener("jobs", first)
        await conn.remove_listener("jobs", first)
        await conn.remove_listener("unknown", second)
        await conn.remove_listener("jobs", print)
        assert conn._session.sent == before
        assert await channels(conn) == {"jobs"}
        monitor.ask("NOTIFY jobs, 'once'")
        assert await second.wait() == [("jobs", "once")]
        assert first.heard == []
        await conn.remove_listener("jobs", second)
        assert await channels(conn) == set()
        assert forgotten(conn)
        await conn.add_listener("jobs", first)
        monitor.ask("NOTIFY jobs, 'again'")
        assert await first.wait() == [("jobs", "again")]


async def test_equal_listeners_are_one(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        ear = Ear()
        for _ in range(3):
            await conn.add_listener("jobs", ear.coroutine)  # a new bound method each time
        monitor.ask("NOTIFY jobs, 'once'")
        assert await ear.wait() == [("jobs", "once")]
        await conn.remove_listener("jobs", ear.coroutine)
        assert await channels(conn) == set()


async def test_what_was_added_by_hand_is_heard_by_nobody(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("LISTEN jobs")
        await conn.execute("NOTIFY jobs")
        assert forgotten(conn)


async def test_listeners_that_come_and_go_while_called(connect: Connect) -> None:
    """Who is removed hears nothing more, not even what was there already."""
    async with connect() as conn:
        ear, late = Ear(), Ear()
        changed = asyncio.Event()

        async def once(conn: pgallop.Connection, *arguments: Any) -> None:
            await conn.remove_listener("jobs", once)
            await conn.remove_listener("jobs", ear)
            await conn.add_listener("jobs", late)
            changed.set()

        await conn.add_listener("jobs", once)
        await conn.add_listener("jobs", ear)
        await conn.execute("NOTIFY jobs, '1'")
        assert await ear.wait() == [("jobs", "1")]
        await asyncio.wait_for(changed.wait(), 5)
        await conn.execute("NOTIFY jobs, '2'")
        assert await late.wait() == [("jobs", "2")]
        assert ear.heard == []


# What goes wrong in a listener


async def test_a_listener_that_fails(connect: Connect) -> None:
    def plain(*arguments: object) -> None:
        raise LookupError("plain")

    async def coroutine(*arguments: object) -> None:
        await asyncio.sleep(0)
        raise LookupError("coroutine")

    def cancelled(*arguments: object) -> None:
        raise asyncio.CancelledError("plain, too")

    async with connect() as conn:
        before, after = Ear(), Ear()
        for listener in (before, plain, coroutine, cancelled, after):
            await conn.add_listener("jobs", listener)
        with complaints() as seen:
            assert await conn.execute("NOTIFY jobs; NOTIFY jobs, '2'") == "NOTIFY"
            for ear in (before, after):
                assert await ear.wait(2) == [("jobs", ""), ("jobs", "2")]
        assert sorted(str(context["exception"]) for context in seen) == sorted(
            ["plain", "coroutine", "plain, too"] * 2
        )
        assert {context["message"] for context in seen} == {"Exception in a listener"}


async def test_a_wrong_number_of_arguments(connect: Connect) -> None:
    async with connect() as conn:
        await conn.add_listener("jobs", lambda conn: None)  # type: ignore[arg-type, misc]
        with complaints() as seen:
            await conn.execute("NOTIFY jobs")
        (context,) = seen
        assert isinstance(context["exception"], TypeError)


async def test_statements_from_listeners(connect: Connect) -> None:
    """On the same connection, while it is used."""
    async with connect() as conn:
        answers: list[int] = []

        async def ask(conn: pgallop.Connection, pid: int, channel: str, payload: str) -> None:
            answers.append(await conn.fetchval("SELECT $1::text::int * 2", payload))

        await conn.add_listener("jobs", ask)
        async with conn.transaction():  # the listeners' tasks have no part in it
            await conn.execute("SELECT pg_notify('jobs', i::text) FROM generate_series(1, 100) i")
        async with asyncio.timeout(5):
            while len(answers) < 100:
                await asyncio.sleep(0.002)
        assert answers == [2 * i for i in range(1, 101)]


# What is refused


@pytest.mark.parametrize("channel", ["", "a\0b", "a" * 64, "\ud800", None, 5, b"jobs"])
async def test_channels_that_are_none(connect: Connect, channel: Any) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="the channel"):
            await conn.add_listener(channel, print)
        await conn.remove_listener(channel, print)
        assert await channels(conn) == set()
        assert forgotten(conn)


async def test_listeners_that_are_none(connect: Connect) -> None:
    async with connect() as conn:
        for bad in (None, 5, "callback"):
            with pytest.raises(pgallop.InterfaceError, match="expected a function"):
                await conn.add_listener("jobs", bad)  # type: ignore[arg-type]

        class Unhashable:
            __hash__ = None  # type: ignore[assignment]

            def __call__(self, *arguments: object) -> None:
                raise AssertionError

        with pytest.raises(TypeError, match="unhashable"):
            await conn.add_listener("jobs", Unhashable())
        with pytest.raises(TypeError, match="unhashable"):
            conn.add_log_listener(Unhashable())
        assert await channels(conn) == set()
        assert forgotten(conn)


async def test_on_a_closed_connection(connect: Connect, monitor: Monitor) -> None:
    conn = await connect()
    ear = Ear()
    await conn.add_listener("jobs", ear)
    await conn.close()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await conn.add_listener("jobs", ear)
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await conn.add_listener("other", ear)
    await conn.remove_listener("jobs", ear)
    await conn.remove_listener("other", ear)


@pytest.mark.parametrize("refers", [False, True])
async def test_nobody_holds_the_connection(
    connect: Connect, monitor: Monitor, refers: bool
) -> None:
    """Listeners do not keep it alive; one that refers to it leaves it to the collector."""
    held = [await connect()]
    pid = held[0].get_server_pid()
    gone = weakref.ref(held[0])
    conn = held[0]
    ear = Ear()
    await conn.add_listener("jobs", ear)
    conn.add_log_listener(lambda conn, message: None)
    await conn.execute("NOTIFY jobs")
    assert await ear.wait() == [("jobs", "")]
    del conn
    if not refers:
        ear.connections.clear()
    del ear
    let_go = collect_all if refers else collect_nothing
    with pytest.warns(ResourceWarning, match="unclosed connection"):
        let_go(held)
    gc.collect()  # the warning knew it
    assert gone() is None
    await monitor.until(pid, [None])


def collect_all(held: list[Any]) -> None:
    held.clear()
    gc.collect()


def collect_nothing(held: list[Any]) -> None:
    held.clear()
