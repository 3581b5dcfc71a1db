"""LISTEN in transactions, which can undo it, and among tasks, which wait for each other."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import signal
from collections.abc import Awaitable

import pytest
from ears import Ear, channels, elsewhere, forgotten, until_listening
from live import Connect, Monitor

import pgallop

# In transactions


@pytest.mark.parametrize("how", ["block", "savepoint", "by hand", "failed"])
async def test_added_in_what_is_rolled_back(connect: Connect, monitor: Monitor, how: str) -> None:
    """LISTEN was undone with it, and is said again at once."""
    async with connect() as conn:
        ear, other = Ear(), Ear()
        if how == "block":
            with pytest.raises(ZeroDivisionError):
                async with conn.transaction():
                    await conn.add_listener("jobs", ear)
                    raise ZeroDivisionError
        elif how == "savepoint":
            async with conn.transaction():
                with pytest.raises(ZeroDivisionError):
                    async with conn.transaction():
                        await conn.add_listener("jobs", ear)
                        raise ZeroDivisionError
        elif how == "by hand":
            await conn.execute("BEGIN")
            await conn.add_listener("jobs", ear)
            await conn.execute("ROLLBACK")
        else:
            with pytest.raises(pgallop.TransactionAborted):
                async with conn.transaction():
                    await conn.add_listener("jobs", ear)
                    with pytest.raises(pgallop.DivisionByZeroError):
                        await conn.execute("SELECT 1 / 0")
        assert await channels(conn) == {"jobs"}
        await conn.add_listener("jobs", other)
        monitor.ask("NOTIFY jobs, 'x'")
        assert await ear.wait() == await other.wait() == [("jobs", "x")]
        await conn.remove_listener("jobs", ear)
        await conn.remove_listener("jobs", other)
        assert await channels(conn) == set()
        assert forgotten(conn)


async def test_added_in_a_transaction_hears_after_it(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        ear, other = Ear(), Ear()
        async with conn.transaction():
            await conn.add_listener("jobs", ear)
            await conn.add_listener("jobs", other)
            monitor.ask("NOTIFY jobs, 'too early'")
        monitor.ask("NOTIFY jobs, 'x'")
        assert await ear.wait() == await other.wait() == [("jobs", "x")]
        assert conn._session.on_idle is None


async def test_added_and_removed_in_a_transaction(connect: Connect) -> None:
    async with connect() as conn:
        async with conn.transaction():
            await conn.add_listener("jobs", print)
            await conn.remove_listener("jobs", print)
        assert await channels(conn) == set()
        assert forgotten(conn)


@pytest.mark.parametrize("how", ["block", "by hand"])
async def test_removed_in_what_is_rolled_back(connect: Connect, how: str) -> None:
    async with connect() as conn:
        await conn.add_listener("jobs", print)
        if how == "block":
            with pytest.raises(ZeroDivisionError):
                async with conn.transaction():
                    await conn.remove_listener("jobs", print)
                    raise ZeroDivisionError
        else:
            await conn.execute("BEGIN")
            await conn.remove_listener("jobs", print)
            await conn.execute("ROLLBACK")
        assert await channels(conn) == set()
        assert forgotten(conn)


async def test_in_a_failed_transaction(connect: Connect) -> None:
    """What is refused there is not registered; what is removed there is gone all the same."""
    async with connect() as conn:
        await conn.add_listener("old", print)
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                with pytest.raises(pgallop.DivisionByZeroError):
                    await conn.execute("SELECT 1 / 0")
                with pytest.raises(pgallop.InFailedSQLTransactionError):
                    await conn.add_listener("new", print)
                with pytest.raises(pgallop.InFailedSQLTransactionError):
                    await conn.remove_listener("old", print)
        assert await channels(conn) == set()
        assert forgotten(conn)


async def test_pipelined_transactions_by_hand(connect: Connect) -> None:
    """What has to be said again may come into the next transaction, and then waits for its end."""
    async with connect() as conn:
        begun = conn.execute("BEGIN")
        added = conn.add_listener("jobs", print)
        rest = [conn.execute(each) for each in ("ROLLBACK", "BEGIN", "SELECT 1", "ROLLBACK")]
        await asyncio.gather(begun, added, *rest)
        assert await channels(conn) == {"jobs"}
        assert conn._session.on_idle is None


# Several tasks


async def test_the_same_channel_at_once(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        ears = [Ear() for _ in range(5)]
        await asyncio.gather(*[conn.add_listener("jobs", ear) for ear in ears * 2])
        assert await channels(conn) == {"jobs"}
        monitor.ask("NOTIFY jobs, 'x'")
        for ear in ears:
            assert await ear.wait() == [("jobs", "x")]
        await asyncio.gather(*[conn.remove_listener("jobs", ear) for ear in ears * 2])
        assert await channels(conn) == set()
        assert forgotten(conn)


async def test_added_while_unlisten_is_under_way(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        old, new = Ear(), Ear()
        await conn.add_listener("jobs", old)
        removing = asyncio.create_task(conn.remove_listener("jobs", old))
        await asyncio.sleep(0)
        await conn.add_listener("jobs", new)
        await removing
        monitor.ask("NOTIFY jobs, 'x'")
        assert await new.wait() == [("jobs", "x")]
        assert old.heard == []


async def test_waits_for_the_transaction_of_another_task(connect: Connect) -> None:
    async with connect() as conn:
        async with conn.transaction():
            await conn.execute("SELECT 1")
            adding = elsewhere(conn.add_listener("jobs", print))
            cancelled = elsewhere(conn.add_listener("never", print))
            await asyncio.sleep(0.02)
            assert not adding.done()
            cancelled.cancel()
            await asyncio.wait([cancelled])
            assert await channels(conn) == set()
        await adding
        assert await channels(conn) == {"jobs"}
        assert list(conn._channels._channels) == ["jobs"]


async def test_wanted_again_before_unlisten_is_sent(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        old, new = Ear(), Ear()
        await conn.add_listener("jobs", old)
        async with conn.transaction():
            await conn.execute("SELECT 1")
            removing = elsewhere(conn.remove_listener("jobs", old))
            await asyncio.sleep(0.01)
            await conn.add_listener("jobs", new)
        await removing
        monitor.ask("NOTIFY jobs, 'x'")
        assert await new.wait() == [("jobs", "x")]
        assert old.heard == []


async def test_removed_by_who_does_not_wait_for_it(connect: Connect) -> None:
    """UNLISTEN is said when it can be, though nobody waits for it any more."""
    async with connect() as conn:
        await conn.add_listener("jobs", print)
        async with conn.transaction():
            await conn.execute("SELECT 1")
            removing = elsewhere(conn.remove_listener("jobs", print))
            await asyncio.sleep(0.01)
            removing.cancel()
            await asyncio.wait([removing])
            assert await channels(conn) == {"jobs"}
        assert await channels(conn) == set()
        assert forgotten(conn)


@pytest.mark.parametrize("steps", range(12))
@pytest.mark.parametrize("others", [0, 1])
async def test_cancelled_at_any_point(connect: Connect, steps: int, others: int) -> None:
    """A listener whose call was cancelled is not there; and the server knows, a little later."""
    async with connect() as conn:
        ear = Ear()
        adding = asyncio.create_task(conn.add_listener("jobs", ear))
        staying = [asyncio.create_task(conn.add_listener("jobs", ear)) for _ in range(others)]
        for _ in range(steps):
            await asyncio.sleep(0 if steps < 8 else 0.0002)
        adding.cancel()
        await asyncio.wait([adding, *staying])
        stays = others > 0 or not adding.cancelled()
        await until_listening(conn, {"jobs"} if stays else set())
        await conn.execute("NOTIFY jobs, 'x'")
        assert await ear.wait(stays) == [("jobs", "x")] * stays
        assert stays or forgotten(conn)


async def test_a_frozen_server(connect: Connect) -> None:
    """Who is out of time has no listener, and LISTEN is taken back when it is answered."""
    async with connect(command_timeout=0.1) as conn:
        pid = conn.get_server_pid()
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError, match=r"no answer within 0\.1 seconds"):
                await conn.add_listener("jobs", print)
        finally:
            os.kill(pid, signal.SIGCONT)
        await until_listening(conn, set())
        assert forgotten(conn)


async def test_strict_connections(connect: Connect) -> None:
    async with connect(strict=True) as conn:
        asking = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.02)"))
        await asyncio.sleep(0)
        with pytest.raises(pgallop.InterfaceError, match="another operation is in progress"):
            await conn.add_listener("jobs", print)
        await asking
        adding: Awaitable[None] = asyncio.create_task(conn.add_listener("jobs", print))
        await asyncio.sleep(0)
        with pytest.raises(pgallop.InterfaceError, match="another operation is in progress"):
            await conn.fetchval("SELECT 1")
        await adding
        assert await channels(conn) == {"jobs"}
        await conn.remove_listener("jobs", print)
        assert forgotten(conn)


async def test_no_garbage(connect: Connect) -> None:
    """What adding, hearing, failing and removing leave is not for the collector to find."""
    async with connect() as conn:

        async def all_of_it() -> None:
            ear = Ear()
            await conn.add_listener("jobs", ear)
            await conn.execute("NOTIFY jobs")
            await conn.remove_listener("jobs", ear)
            await conn.execute("BEGIN; SAVEPOINT s")
            with contextlib.suppress(pgallop.PostgresError):
                await conn.execute("SELECT 1 / 0")
            with contextlib.suppress(pgallop.PostgresError):
                await conn.add_listener("jobs", ear)
            await conn.execute("ROLLBACK")

        await all_of_it()
        gc.collect()
        gc.disable()
        try:
            for _ in range(5):
                await all_of_it()
            assert gc.collect() < 20
        finally:
            gc.enable()


async def test_who_removes_late_leaves_the_successor_alone(
    connect: Connect, monitor: Monitor
) -> None:
    """The channel is given up while somebody still waits to say UNLISTEN, and comes again."""
    late, brief, successor = Ear(), Ear(), Ear()
    is_over = asyncio.Event()

    async def first() -> None:
        async with conn.transaction():
            await conn.execute("SELECT 1")
            await is_over.wait()

    async def second() -> None:
        async with conn.transaction():
            await conn.execute("SELECT 1")  # behind the UNLISTEN
            await conn.add_listener("b", successor)

    async with connect() as conn:
        await conn.add_listener("b", late)
        blocks = []
        for block in (first(), second()):
            blocks.append(asyncio.create_task(block))
            await asyncio.sleep(0.05)
        remover = asyncio.create_task(conn.remove_listener("b", late))
        await asyncio.sleep(0)
        await conn.add_listener("b", brief)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await conn.remove_listener("b", brief)
        is_over.set()
        await asyncio.gather(remover, *blocks)
        await until_listening(conn, {"b"})
        monitor.ask("SELECT pg_notify('b', 'x')")
        assert await successor.wait(1) == [("b", "x")]
        await conn.remove_listener("b", successor)
        await until_listening(conn, set())
        assert forgotten(conn)


@pytest.mark.parametrize("seed", range(3))
async def test_crowds(connect: Connect, monitor: Monitor, seed: int) -> None:
    """Tasks that add and remove at random, in transactions or not, some of them cancelled.

    In the end the server listens to what somebody wants, and everybody hears what is his.
    """
    random_ = random.Random(f"listeners {seed}")
    names = ["a", "b"]
    ears = [Ear() for _ in range(6)]

    async def one(conn: pgallop.Connection, ear: Ear) -> set[str]:
        """What the ear listens to in the end, by its own account."""
        own: set[str] = set()
        for _ in range(20):
            name, adds, block = random_.choice(names), random_.random() < 0.6, random_.random()
            call = change(conn, ear, name, adds, rolls_back=block < 0.3, in_a_block=block < 0.6)
            task = asyncio.create_task(call)
            patience = random_.choice([0.0, 0.0005, 0.002, None, None, None])
            _, waits = await asyncio.wait([task], timeout=patience)
            for each in waits:
                each.cancel()
            await asyncio.wait([task])
            if task.cancelled():
                await conn.remove_listener(name, ear)  # what has come of it, nobody knows
                own.discard(name)
            else:
                task.result()
                (own.add if adds else own.discard)(name)
        return own

    async with connect() as conn:
        accounts = await asyncio.gather(*[one(conn, ear) for ear in ears])
        await until_listening(conn, set().union(*accounts))
        for name in names:
            monitor.ask("SELECT pg_notify(%s, 'x')", name)
        for ear, account in zip(ears, accounts, strict=True):
            assert sorted(await ear.wait(len(account))) == [(name, "x") for name in sorted(account)]
        for name in names:
            for ear in ears:
                await conn.remove_listener(name, ear)
        await until_listening(conn, set())
        assert forgotten(conn)


async def change(
    conn: pgallop.Connection, ear: Ear, name: str, adds: bool, rolls_back: bool, in_a_block: bool
) -> None:
    """Add or remove a listener, by itself or in a transaction."""
    if not in_a_block:
        await (conn.add_listener if adds else conn.remove_listener)(name, ear)
        return
    with contextlib.suppress(ZeroDivisionError):
        async with conn.transaction():
            await conn.execute("SELECT 1")
            await (conn.add_listener if adds else conn.remove_listener)(name, ear)
            if rolls_back:
                raise ZeroDivisionError
