"""Connections that are lost, refused or too old, and a server that is away."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest
from live import Monitor
from pools import at_rest, new_pool, until, whole
from proxy import DelayProxy, End

import pgallop
from pgallop.cli.server import EmbeddedServer

LOST = pgallop.ConnectionDoesNotExistError
ROLE = "pool_few"


def through(proxy: DelayProxy, **options: Any) -> Any:
    """A pool of the server behind a proxy."""
    settings = {"min_size": 0, "max_size": 2, **options}
    return pgallop.create_pool(
        host=proxy.host, port=proxy.port, user="postgres", ssl="disable", **settings
    )


async def pids(pool: pgallop.Pool) -> set[int]:
    """The backends of all connections that the pool can have."""
    connections = [await pool.acquire(timeout=5) for _ in range(pool.get_max_size())]
    found = {connection.get_server_pid() for connection in connections}
    for connection in connections:
        await pool.release(connection)
    return found


async def test_an_idle_one_is_lost(server: EmbeddedServer, monitor: Monitor) -> None:
    """It is gone when that is known, and not when somebody wants it; `min_size` is kept."""
    async with whole(new_pool(server, min_size=2)) as pool:
        old = await pids(pool)
        for pid in old:
            monitor.ask("SELECT pg_terminate_backend(%s)", pid)
        await until(lambda: pool.get_stats().closed == {"lost": 2})
        await until(lambda: pool.get_idle_size() == 2)
        assert await pool.fetchval("SELECT 1") == 1
        assert not (await pids(pool) & old)


async def test_one_that_somebody_has_is_lost(server: EmbeddedServer, monitor: Monitor) -> None:
    """Its place is free at once, for those who wait."""
    async with whole(new_pool(server, max_size=1)) as pool:
        async with pool.acquire() as conn:
            waiting = asyncio.create_task(pool.fetchval("SELECT 1"))
            monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
            assert await asyncio.wait_for(waiting, 5) == 1
            assert conn.is_closed()
            with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
                await conn.fetch("SELECT 1")
        task = asyncio.create_task(pool.fetch("SELECT pg_sleep(30)"))
        others = [asyncio.create_task(pool.fetchval("SELECT $1::int", i)) for i in range(5)]
        sleeping = "FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(30)'"
        await until(lambda: monitor.ask(f"SELECT pg_terminate_backend(pid) {sleeping}"))
        with pytest.raises(LOST):
            await task
        assert await asyncio.gather(*others) == list(range(5))


async def test_one_that_its_user_closes(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        async with pool.acquire() as conn:
            await conn.close()
        async with pool.acquire() as conn:
            conn.terminate()
        assert await pool.fetchval("SELECT 1") == 1


async def test_the_server_refuses(server: EmbeddedServer, monitor: Monitor) -> None:
    """Who has other connections to wait for waits for those; else all are told at once."""
    monitor.ask(f"DROP ROLE IF EXISTS {ROLE}")
    monitor.ask(f"CREATE ROLE {ROLE} LOGIN CONNECTION LIMIT 1")
    async with new_pool(server, max_size=3, user=ROLE) as pool:
        # Of several at the same moment the server may refuse all, for they count each other.
        assert await pool.fetchval("SELECT 1") == 1
        results = await asyncio.gather(*[pool.fetchval("SELECT $1::int", i) for i in range(20)])
        assert results == list(range(20))
        assert pool.get_size() == 1
        await until(lambda: pool.get_stats().failed >= 2)
        async with pool.acquire():
            with pytest.raises(pgallop.PoolTimeoutError) as late:
                await pool.acquire(timeout=0.2)
            assert isinstance(late.value.__cause__, pgallop.TooManyConnectionsError)
        other = await pgallop.connect(server.tcp_dsn)
        await other.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT 0")
        await pool.expire_connections()
        start = time.monotonic()
        failed = await asyncio.gather(
            *[pool.fetchval("SELECT 1") for _ in range(20)],
            *[pool.acquire().__aenter__() for _ in range(3)],
            return_exceptions=True,
        )
        assert {type(error) for error in failed} == {pgallop.TooManyConnectionsError}
        assert len({id(error) for error in failed}) == len(failed)  # each has his own
        assert time.monotonic() - start < 2
        await other.execute(f"ALTER ROLE {ROLE} CONNECTION LIMIT 3")
        await other.close()
        assert await pool.fetchval("SELECT 1") == 1
        await until(lambda: at_rest(pool))
        assert len(await pids(pool)) == 3


async def test_the_server_is_away_from_the_beginning() -> None:
    async with DelayProxy("127.0.0.1", 1) as proxy:
        nowhere = proxy.port
    pool = pgallop.create_pool(f"postgresql://x@127.0.0.1:{nowhere}/x", min_size=3)
    with pytest.raises(pgallop.ConnectRefusedError):
        await pool
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await pool.fetch("SELECT 1")
    lazy = pgallop.create_pool(f"postgresql://x@127.0.0.1:{nowhere}/x", min_size=0)
    async with lazy:
        for _ in range(3):
            errors = await asyncio.gather(
                *[lazy.fetch("SELECT 1") for _ in range(5)], return_exceptions=True
            )
            assert {type(error) for error in errors} == {pgallop.ConnectRefusedError}


class Door(DelayProxy):
    """Lets nobody in while it is shut."""

    shut = False

    async def _connect(self, client: End) -> None:
        if self.shut:
            client.abort()
        else:
            await super()._connect(client)


async def test_it_comes_back(server: EmbeddedServer) -> None:
    """Cut off and refused for a while, the pool finds its way back by itself."""
    async with Door(server.host, server.port) as proxy, whole(through(proxy, min_size=2)) as pool:
        proxy.shut = True
        proxy.cut()
        await until(lambda: pool.get_size() == 0)
        with pytest.raises(pgallop.ConnectResetError):
            await pool.fetch("SELECT 1")
        await until(lambda: pool.get_stats().failed >= 3)
        proxy.shut = False
        await until(lambda: pool.get_idle_size() == 2)
        assert await pool.fetchval("SELECT 1") == 1


async def test_init_raises(server: EmbeddedServer) -> None:
    fails = True

    async def init(conn: pgallop.Connection) -> None:
        await conn.execute("SELECT 1")
        if fails:
            raise LookupError("not yet")

    with pytest.raises(LookupError, match="not yet"):
        await new_pool(server, min_size=2, init=init)
    async with whole(new_pool(server, init=init)) as pool:
        for call in (pool.fetch("SELECT 1"), pool.acquire()):
            with pytest.raises(LookupError, match="not yet"):
                await call
        assert pool.get_size() == 0
        fails = False
        assert await pool.fetchval("SELECT 1") == 1


async def test_setup_raises(server: EmbeddedServer) -> None:
    fails = True

    async def setup(conn: pgallop.Connection) -> None:
        await conn.execute("SET work_mem = '77kB'")
        if fails:
            raise LookupError("not yet")

    async with whole(new_pool(server, max_size=1, setup=setup)) as pool:
        for _ in range(3):
            for call in (pool.fetch("SELECT 1"), pool.acquire(), pool.execute("SELECT 1")):
                with pytest.raises(LookupError, match="not yet"):
                    await call
        assert pool.get_stats().closed == {"setup failed": 9}
        fails = False
        assert await pool.fetchval("SHOW work_mem") == "77kB"


async def test_setup_hangs(server: EmbeddedServer) -> None:
    async def setup(conn: pgallop.Connection) -> None:
        await conn.execute("SELECT pg_sleep(30)")

    async with new_pool(server, setup=setup) as pool:
        with pytest.raises(TimeoutError):
            await pool.acquire(timeout=0.1)
        assert pool.get_size() == 0


@pytest.mark.parametrize("by_hook", [False, True])
async def test_a_reset_fails(server: EmbeddedServer, by_hook: bool) -> None:
    """Nobody gets that connection any more, and who waits gets another one."""

    async def init(conn: pgallop.Connection) -> None:
        vars(conn)["get_reset_query"] = lambda: "SELECT 1/0"

    async def reset(conn: pgallop.Connection) -> None:
        await conn.execute("SELECT 1/0")

    hook: dict[str, Any] = {"reset": reset} if by_hook else {"init": init}
    async with new_pool(server, max_size=1, **hook) as pool:
        conn = await pool.acquire()
        await conn.execute("SET work_mem = '77kB'")
        waiting = asyncio.create_task(pool.acquire().__aenter__())
        await asyncio.sleep(0)
        with pytest.raises(pgallop.DivisionByZeroError) if by_hook else contextlib.nullcontext():
            await pool.release(conn)
        other = await asyncio.wait_for(waiting, 5)
        assert await other.fetchval("SHOW work_mem") != "77kB"
        assert pool.get_stats().closed == {"reset failed": 1}
        with contextlib.suppress(pgallop.DivisionByZeroError):
            await pool.release(other)


async def test_a_reset_that_hangs(server: EmbeddedServer) -> None:
    async def reset(conn: pgallop.Connection) -> None:
        await conn.execute("SELECT pg_sleep(30)")

    async with new_pool(server, max_size=1, reset=reset) as pool:
        conn = await pool.acquire()
        with pytest.raises(TimeoutError):
            await pool.release(conn, timeout=0.1)
        await until(lambda: pool.get_stats().closed == {"reset failed": 1})


async def test_a_frozen_server_holds_nobody(server: EmbeddedServer) -> None:
    """Releasing does not wait, what wants a connection has its deadline, closing has its own."""
    async with DelayProxy(server.host, server.port) as proxy:
        pool = await through(proxy, drain_timeout=0.3)
        conn = await pool.acquire()
        await conn.fetchval("SELECT 1")
        proxy.freeze()
        start = time.monotonic()
        slow = asyncio.create_task(conn.fetchval("SELECT 1", timeout=0.1))
        with pytest.raises(TimeoutError):
            await slow
        await pool.release(conn)
        assert time.monotonic() - start < 0.3
        with pytest.raises(TimeoutError):
            await pool.fetch("SELECT 1", timeout=0.2)
        await until(lambda: pool.get_stats().closed.get("lost") == 1)
        start = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await pool.close(timeout=0.5)
        assert time.monotonic() - start < 1
        assert pool.is_closing()


async def test_what_was_idle_for_long_is_looked_at(server: EmbeddedServer) -> None:
    """A peer that is gone without a word: nobody gets that connection, nor those like it."""
    async with DelayProxy(server.host, server.port) as proxy:
        options = {"check_after": 0.05, "drain_timeout": 0.2, "min_size": 2}
        async with whole(through(proxy, **options)) as pool:
            assert await pool.fetchval("SELECT 1") == 1
            await asyncio.sleep(0.1)
            assert await pool.fetchval("SELECT 1") == 1  # and all is well
            assert pool.get_stats().closed == {}
            await asyncio.sleep(0.1)
            proxy.freeze()
            tasks = [asyncio.create_task(pool.fetchval("SELECT $1::int", i)) for i in range(3)]
            await until(lambda: pool.get_stats().closed.get("check failed") == 2)
            proxy.cut()
            proxy.thaw()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(
                result == i or isinstance(result, (OSError, LOST, pgallop.InterfaceError))
                for i, result in enumerate(results)
            )


@pytest.mark.parametrize("verb", ["acquire", "fetch"])
async def test_a_check_of_ones_own(server: EmbeddedServer, verb: str) -> None:
    fails = True

    async def check(conn: pgallop.Connection) -> None:
        if fails:
            raise LookupError("a standby")

    async def use() -> int:
        if verb == "fetch":
            return int(await pool.fetchval("SELECT pg_backend_pid()"))
        async with pool.acquire() as conn:
            return conn.get_server_pid()

    async with whole(new_pool(server, max_size=1, check=check, check_after=0)) as pool:
        first = await use()
        await until(lambda: at_rest(pool))
        second = await use()
        assert second != first
        fails = False
        await until(lambda: at_rest(pool))
        assert await use() == second
        assert pool.get_stats().closed == {"check failed": 1}


async def test_idle_ones_beyond_the_minimum_go(server: EmbeddedServer) -> None:
    options: dict[str, Any] = {"max_size": 3, "max_inactive_connection_lifetime": 0.1}
    async with whole(new_pool(server, min_size=1, **options)) as pool:
        await pids(pool)
        await until(lambda: pool.get_size() == 1)
        assert pool.get_stats().closed == {"idle": 2}
        await asyncio.sleep(0.15)
        assert pool.get_size() == 1


async def test_old_ones_are_replaced(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, min_size=2, max_lifetime=0.1)) as pool:
        await until(lambda: pool.get_stats().closed.get("too old", 0) >= 2)
        await until(lambda: pool.get_size() == 2)
        async with pool.acquire() as conn:
            await asyncio.sleep(0.2)
            assert await conn.fetchval("SELECT 1") == 1  # not while somebody has it


async def test_after_so_many_queries(server: EmbeddedServer) -> None:
    async with new_pool(server, max_size=1, max_queries=5) as pool:
        seen = [await pool.fetchval("SELECT pg_backend_pid()") for _ in range(20)]
        assert 4 <= len(set(seen)) <= 8  # for preparing counts, too
        assert len(set(seen)) - 1 <= pool.get_stats().closed["too many queries"] <= len(set(seen))


async def test_another_server(server: EmbeddedServer) -> None:
    """New arguments are for new connections; the old ones go when they are free."""
    async with whole(new_pool(server, min_size=2)) as pool:
        old = await pids(pool)
        pool.set_connect_args(server.tcp_dsn, server_settings={"work_mem": "99kB"})
        assert await pool.fetchval("SHOW work_mem") != "99kB"
        async with pool.acquire() as conn:
            await pool.expire_connections()
            assert await pool.fetchval("SHOW work_mem") == "99kB"
            assert await conn.fetchval("SHOW work_mem") != "99kB"
        await until(lambda: at_rest(pool))
        assert not (await pids(pool) & old)
        with pytest.raises(TypeError):
            pool.set_connect_args(nonsense=1)


async def test_drain(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, min_size=2)) as pool:
        old = await pids(pool)
        await pool.drain(timeout=5)
        assert not (await pids(pool) & old)
        conn = await pool.acquire()
        with pytest.raises(TimeoutError):
            await pool.drain(timeout=0.1)
        draining = asyncio.create_task(pool.drain())
        await asyncio.sleep(0.05)
        assert not draining.done()
        await pool.release(conn)
        await asyncio.wait_for(draining, 5)
        assert pool.get_stats().closed["replaced"] >= 4


async def test_there_are_never_too_many(server: EmbeddedServer, monitor: Monitor) -> None:
    """One that is replaced while it still works counts until it is closed."""
    name = "never too many"
    settings = {"application_name": name}
    async with new_pool(server, max_size=1, max_queries=1, server_settings=settings) as pool:
        conn = await pool.acquire()
        assert await conn.fetchval("SELECT 1") == 1
        left = asyncio.create_task(conn.fetchval("SELECT pg_sleep(0.2)"))
        await asyncio.sleep(0.02)
        await pool.release(conn)
        async with pool.acquire():
            count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
            assert monitor.ask(count, name) == [(1,)]
        await left
