"""The pool on a real server: what it gives, and that it gives it clean."""

from __future__ import annotations

import asyncio
import gc
import inspect
import weakref
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest
from live import Monitor
from pools import at_rest, new_pool, until, whole

import pgallop
from pgallop.cli.server import EmbeddedServer


@dataclass
class Number:
    n: int


async def test_one_shots(server: EmbeddedServer) -> None:
    """Each verb, at first and when its statement is prepared, alone and behind others."""
    async with whole(new_pool(server)) as pool:

        async def all_verbs() -> None:
            assert await pool.fetch("SELECT $1::int AS n", 1) == [(1,)]
            assert await pool.fetch("SELECT 7 AS n") == [(7,)]
            assert await pool.fetch("SELECT $1::int AS n", 1, into=Number) == [Number(1)]
            assert await pool.fetch("SELECT $1::int AS n", 1, into=pgallop.Record) == [(1,)]
            assert await pool.fetchrow("SELECT $1::int AS n", 2) == (2,)
            assert await pool.fetchrow("SELECT $1::int AS n", 2, into=Number) == Number(2)
            assert await pool.fetchrow("SELECT 1 WHERE false") is None
            assert await pool.fetchval("SELECT $1::int, $2::text", 3, "x", column=1) == "x"
            assert await pool.fetchval("SELECT 1 WHERE $1", False) is None
            assert await pool.execute("SELECT $1::int", 4) == "SELECT 1"
            assert await pool.execute("SELECT 1; SELECT 2 WHERE false") == "SELECT 0"
            assert await pool.execute("") == ""
            assert await pool.fetchmany("SELECT $1::int AS n", [(5,), (6,)]) == [(5,), (6,)]
            await pool.executemany("SELECT $1::int", [(5,), (6,)])

        await all_verbs()
        await all_verbs()
        await asyncio.gather(*[all_verbs() for _ in range(20)])
        assert pool.get_size() == 2


async def test_types_to_be_asked_about(server: EmbeddedServer, monitor: Monitor) -> None:
    """What takes more trips than one, in the queue, too: the connection stays with it."""
    monitor.ask("DROP TYPE IF EXISTS pool_pair; CREATE TYPE pool_pair AS (a int, b text)")
    async with whole(new_pool(server, max_size=1)) as pool:
        values = await asyncio.gather(
            *[pool.fetchval("SELECT ($1::int, 'x')::pool_pair", i) for i in range(5)],
            *[pool.fetchval("SELECT ROW(5, 'x')::pool_pair") for i in range(5)],
            *[pool.fetchval("SELECT 'pg_class'::regclass") for i in range(5)],
        )
    assert values[:5] == [(i, "x") for i in range(5)]
    assert values[5:] == [(5, "x")] * 5 + ["pg_class"] * 5


async def test_acquire(server: EmbeddedServer) -> None:
    async with whole(new_pool(server)) as pool, pool.acquire() as first:
        second = await pool.acquire()
        assert first.get_server_pid() != second.get_server_pid()
        assert pool.get_idle_size() == 0
        async with first.transaction():
            assert await first.fetchval("SELECT pg_backend_pid()") == first.get_server_pid()
            assert await second.fetchval("SELECT 1", timeout=5) == 1
        await pool.release(second)


async def test_it_is_a_connection(server: EmbeddedServer) -> None:
    async with whole(new_pool(server)) as pool, pool.acquire() as conn:
        assert isinstance(conn, pgallop.Connection)
        assert isinstance(conn, pgallop.PoolConnectionProxy)
        assert conn.get_settings()["client_encoding"] == "UTF8"
        assert conn.get_server_version() >= (10, 0)
        assert inspect.signature(conn.fetch) == inspect.signature(
            pgallop.Connection.fetch.__get__(conn)
        )
        statement = await conn.prepare("SELECT $1::int")
        assert await statement.fetchval(5) == 5
        async with conn.transaction():
            assert [row[0] async for row in conn.cursor("SELECT generate_series(1, 3)")] == [
                1,
                2,
                3,
            ]
        async with conn.pipeline() as pipeline:
            one = pipeline.fetchval("SELECT 1")
        assert one.result() == 1
        with pytest.raises(AttributeError, match="no_such_thing"):
            _ = cast(Any, conn).no_such_thing
        assert not hasattr(conn, "no_such_thing")


async def test_after_its_release_nothing_works(server: EmbeddedServer) -> None:
    """Nor does anything that was made of it, though the connection is somebody else's and works."""
    async with whole(new_pool(server, max_size=1)) as pool:
        conn = await pool.acquire()
        statement = await conn.prepare("SELECT $1::int")
        transaction, pipeline = conn.transaction(), conn.pipeline()
        early: Any = conn.fetch("SELECT 1")
        fetch = conn.fetch
        held = conn.transaction()
        await held.start()
        cursor = await conn.cursor("SELECT generate_series(1, 3)")
        factory = conn.cursor("SELECT 1")
        rows = aiter(conn.stream("SELECT 1"))
        await pool.release(conn)
        other = await pool.acquire()
        held_too = other.transaction()
        await held_too.start()
        uses = [
            conn.fetch("SELECT 1"),
            conn.execute("SELECT 1"),
            conn.executemany("SELECT $1::int", [(1,)]),
            conn.prepare("SELECT 1"),
            conn.add_listener("x", print),
            conn.reset(),
            conn.close(),
            early,
            fetch("SELECT 1"),
            statement.fetch(1),
            transaction.start(),
            cursor.fetch(1),
            factory.__aiter__().__anext__(),
            rows.__anext__(),
        ]
        for use in uses:
            with pytest.raises(pgallop.InterfaceError, match="released back to the pool"):
                await use
        pipeline_run = conn.__class__.pipeline  # it has no dispatch any more
        with pytest.raises(pgallop.InterfaceError, match=r"Connection\.pipeline\(\).*released"):
            pipeline_run(conn)
        with pytest.raises(pgallop.InterfaceError, match="released back to the pool"):
            async with pipeline:
                pipeline.fetch("SELECT 1")
        for fact in (conn.is_closed, conn.get_server_pid, conn.terminate, conn.get_settings):
            with pytest.raises(pgallop.InterfaceError, match="released back to the pool"):
                fact()
        assert "released" in repr(conn)
        await pool.release(other)


async def test_what_listeners_get(server: EmbeddedServer) -> None:
    """The connection of who has added them, and not one that outlives its release."""
    got: list[Any] = []
    async with whole(new_pool(server, max_size=1)) as pool:
        async with pool.acquire() as conn:
            await conn.add_listener("pool", lambda heard, *_: got.append(heard))
            conn.add_log_listener(lambda heard, _: got.append(heard))
            await conn.execute("NOTIFY pool; DO $$ BEGIN RAISE NOTICE 'heard'; END $$")
            await until(lambda: len(got) == 2)
            assert got == [conn, conn]
        with pytest.raises(pgallop.InterfaceError, match="released"):
            await got[0].fetchval("SELECT 1")


async def test_what_is_released(server: EmbeddedServer) -> None:
    async with whole(new_pool(server)) as pool, whole(new_pool(server)) as other:
        conn = await pool.acquire()
        for stranger in (await other.acquire(), await pgallop.connect(server.tcp_dsn), None, 7):
            with pytest.raises(pgallop.InterfaceError, match="not a member of this pool"):
                await pool.release(cast(Any, stranger))
            if isinstance(stranger, pgallop.PoolConnectionProxy):
                await other.release(stranger)
            elif isinstance(stranger, pgallop.Connection):
                await stranger.close()
        await pool.release(conn)
        with pytest.raises(pgallop.InterfaceError, match="released before"):
            await pool.release(conn)
        async with pool.acquire() as conn:
            await pool.release(conn)  # and the end of the block does not mind
        context = pool.acquire()
        async with context:
            pass
        with pytest.raises(pgallop.InterfaceError, match="call acquire"):
            await context


async def test_before_and_behind_its_time(server: EmbeddedServer) -> None:
    pool = new_pool(server)
    for use in (pool.fetch("SELECT 1"), pool.acquire(), pool.execute("SELECT 1")):
        with pytest.raises(pgallop.InterfaceError, match="not initialized"):
            await use
    async with pool:
        assert await pool is pool  # once more does nothing
        assert not pool.is_closing()
    assert pool.is_closing()
    for use in (pool.fetch("SELECT 1"), pool.acquire(), pool.execute("SELECT 1")):
        with pytest.raises(pgallop.InterfaceError, match="pool is closed"):
            await use
    await pool.close()
    pool.terminate()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await pool
    never = new_pool(server)
    await never.close()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await never


async def test_its_sizes(server: EmbeddedServer) -> None:
    async with new_pool(server, min_size=1, max_size=3, init_size=2) as pool:
        assert (pool.get_min_size(), pool.get_max_size(), pool.get_init_size()) == (1, 3, 2)
        assert (pool.get_size(), pool.get_idle_size()) == (2, 2)
        assert "size=2 idle=2" in repr(pool)
        pool.resize(max_size=5)
        connections = [await pool.acquire() for _ in range(5)]
        waits = asyncio.create_task(pool.fetchval("SELECT 5"))
        await asyncio.sleep(0.01)
        assert not waits.done()
        pool.resize(2, 6)
        assert await waits == 5
        pool.resize(0, 1)
        for connection in connections:
            await pool.release(connection)
        await until(lambda: pool.get_size() == 1)
        pool.resize(4, 4)
        await until(lambda: pool.get_idle_size() == 4)
        with pytest.raises(ValueError, match="min_size: expected at most max_size"):
            pool.resize(min_size=5)
        assert pool.get_stats().closed == {"resized": 5}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_size": 0}, "max_size: expected an int from 1"),
        ({"max_size": "10"}, "max_size: expected an int"),
        ({"max_size": True}, "max_size: expected an int"),
        ({"min_size": -1}, "min_size: expected an int from 0"),
        ({"min_size": 11, "max_size": 10}, "min_size: expected at most max_size, which is 10"),
        ({"init_size": 1, "min_size": 2}, "init_size: expected from min_size, 2"),
        ({"init_size": 20}, "to max_size, 10"),
        ({"max_queries": 0}, "max_queries: expected an int from 1"),
        ({"max_inactive_connection_lifetime": -1}, "max_inactive_connection_lifetime"),
        ({"max_lifetime": float("nan")}, "max_lifetime: expected seconds"),
        ({"max_waiting": -1}, "max_waiting"),
        ({"acquire_timeout": 0}, "acquire_timeout: expected seconds above 0"),
        ({"check_after": None}, "check_after"),
        ({"check": 5}, "check: expected a coroutine function"),
        ({"warm_up": "SELECT 1"}, "warm_up: expected statements"),
        ({"warm_up": [5]}, "warm_up: expected a str"),
        ({"init": "x"}, "init: expected a coroutine function"),
        ({"connect": 5}, "connect: expected a coroutine function"),
    ],
)
def test_arguments_that_make_no_sense(options: dict[str, Any], message: str) -> None:
    with pytest.raises(pgallop.ClientConfigurationError) as caught:
        pgallop.create_pool("postgresql://nowhere/x", **options)
    assert message in str(caught.value)


def test_arguments_that_connect_does_not_have() -> None:
    with pytest.raises(TypeError, match="databse"):
        pgallop.create_pool("postgresql://nowhere/x", databse="x")


async def test_hooks(server: EmbeddedServer) -> None:
    """In the order of their calls, and with what they are given."""
    calls: list[tuple[str, pgallop.Connection]] = []

    def hook(name: str) -> Any:
        async def called(conn: pgallop.Connection) -> None:
            await conn.execute("SELECT 1")
            calls.append((name, conn))

        return called

    async def connect(*args: Any, **kwargs: Any) -> pgallop.Connection:
        calls.append(("connect", kwargs["knowledge"]))
        return await pgallop.connect(*args, **kwargs)

    hooks = {name: hook(name) for name in ("init", "setup", "reset")}
    async with whole(new_pool(server, max_size=1, connect=connect, **hooks)) as pool:
        async with pool.acquire() as conn:
            assert calls[-1] == ("setup", conn)
        assert await pool.fetchval("SELECT 1") == 1
        assert await pool.fetch("SELECT 1") == [(1,)]
        assert await pool.fetchrow("SELECT 1") == (1,)
        assert await pool.execute("SELECT $1::int", 1) == "SELECT 1"
        names = [name for name, _ in calls]
        assert names == ["connect", "init", *["setup", "reset"] * 5]


async def test_what_a_hook_sets_in_the_beginning_stays_with_a_reset_of_ones_own(
    server: EmbeddedServer,
) -> None:
    async def init(conn: pgallop.Connection) -> None:
        await conn.execute("SET work_mem = '77kB'")

    async def reset(conn: pgallop.Connection) -> None:
        assert not conn.is_in_transaction()

    async with whole(new_pool(server, max_size=1, init=init, reset=reset)) as pool:
        async with pool.acquire() as conn:
            await conn.execute("BEGIN")
        assert await pool.fetchval("SHOW work_mem") == "77kB"


async def test_what_a_reset_of_ones_own_must_not_leave(server: EmbeddedServer) -> None:
    """An open transaction; and it does not keep connections from growing old."""
    texts = iter(["BEGIN", "SELECT 1", "SELECT 1"])

    async def reset(connection: Any) -> None:
        await connection.execute(next(texts))

    async with new_pool(server, max_size=1, reset=reset, max_queries=4) as pool:
        for _ in range(3):
            async with pool.acquire() as conn:
                assert not conn.is_in_transaction()
                await conn.execute("SELECT 1")
        await until(lambda: at_rest(pool))
        assert pool.get_stats().closed == {"reset failed": 1, "too many queries": 1}


async def test_the_next_user_finds_nothing(server: EmbeddedServer, monitor: Monitor) -> None:
    """Locks are given up at once, and no setting, transaction, table or listener is left."""
    async with whole(new_pool(server, max_size=1)) as pool:
        heard: list[object] = []
        async with pool.acquire() as conn:
            await conn.execute(
                "SET work_mem = '77kB'; SELECT pg_advisory_lock(77); CREATE TEMP TABLE t (n int);"
                "SET statement_timeout = 60000"
            )
            await conn.add_listener("pool_news", lambda *told: heard.append(told))
            conn.add_log_listener(lambda *told: heard.append(told))
            transaction = conn.transaction()
            await transaction.start()
            await conn.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        await until(lambda: at_rest(pool))
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
        assert monitor.ask(locks) == [(0,)]
        monitor.ask("NOTIFY pool_news")
        async with pool.acquire() as conn:
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SHOW work_mem") != "77kB"
            assert await conn.fetchval("SHOW statement_timeout") == "0"
            assert await conn.fetchval("SHOW TimeZone") != "Asia/Tokyo"
            assert await conn.fetchval("SELECT to_regclass('t')") is None
            await conn.execute("DO $$ BEGIN RAISE NOTICE 'x'; END $$")
        assert heard == []


@pytest.mark.parametrize("verb", ["execute", "fetch", "fetchval"])
async def test_a_one_shot_that_begins_a_transaction(server: EmbeddedServer, verb: str) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        await getattr(pool, verb)("BEGIN")
        assert await pool.fetchval("SELECT now()") != await pool.fetchval("SELECT now()")


async def test_what_did_nothing_is_not_reset(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1)) as pool:
        async with pool.acquire():
            pass
        assert pool.get_stats().resets == 0
        async with pool.acquire() as conn:
            await conn.fetchval("SELECT 1")
        assert pool.get_stats().resets == 1


async def resets(pool: pgallop.Pool, use: Callable[[], Awaitable[object]]) -> int:
    """How many sessions were reset behind this use."""
    await until(lambda: at_rest(pool))
    before = pool.get_stats().resets
    await use()
    await until(lambda: at_rest(pool))
    return pool.get_stats().resets - before


async def test_what_is_proven_to_leave_nothing_is_not_reset(
    server: EmbeddedServer, monitor: Monitor
) -> None:
    """The server is asked when the text has come a few times; until then it is."""
    monitor.ask("DROP TABLE IF EXISTS pool_numbers; CREATE TABLE pool_numbers (n int PRIMARY KEY)")
    query = "SELECT n FROM pool_numbers WHERE n = $1"
    async with whole(new_pool(server, max_size=2)) as pool:

        async def one_shot() -> None:
            await pool.fetchval(query, 1)

        async def transaction() -> None:
            async with pool.acquire() as conn, conn.transaction():
                await conn.fetchval(query, 1)
                statement = await conn.prepare(query)
                await statement.fetchval(1)

        async def another() -> None:
            await pool.fetchval("SELECT set_config('work_mem', '77kB', false)")

        async def alters() -> None:
            await pool.execute("ALTER TABLE pool_numbers ADD m int")

        assert await resets(pool, one_shot) == 1
        async with asyncio.timeout(10):
            while await resets(pool, one_shot):
                await asyncio.sleep(0.02)
        assert await resets(pool, transaction) == 0
        assert [await resets(pool, one_shot) for _ in range(3)] == [0, 0, 0]
        assert await resets(pool, another) == 1
        assert await pool.fetchval("SHOW work_mem") != "77kB"
        assert await resets(pool, alters) == 1
        assert await resets(pool, one_shot) == 1


async def test_a_setting_of_the_pool_is_kept(server: EmbeddedServer) -> None:
    settings = {"work_mem": "88kB"}
    async with whole(new_pool(server, server_settings=settings)) as pool:
        for _ in range(5):
            assert await pool.fetchval("SHOW work_mem") == "88kB"


async def test_what_one_learns_all_know(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, min_size=2)) as pool:
        await pool.fetchval("SELECT $1::int + 1", 1)
        await until(lambda: at_rest(pool))
        before = pool.get_stats().queries
        async with pool.acquire() as one, pool.acquire() as other:
            for conn in (one, other):
                assert await conn.fetchval("SELECT $1::int + 1", 1) == 2
        await until(lambda: at_rest(pool))
        # On the other one a Parse travels along, and is answered for itself.
        assert pool.get_stats().queries - before <= 5


async def test_errors_are_not_left_to_the_collector(server: EmbeddedServer) -> None:
    """With its traceback one holds all that the frames of its caller hold."""

    async def wrong(conn: Any) -> None:
        await conn.fetchval("SELECT 1/0")

    async with new_pool(server, max_size=1) as pool:
        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: pool.fetch("SELECT 1/0"),
            lambda: pool.fetchrow("SELECT 1/0"),
            lambda: pool.fetchval("SELECT 1/0"),
            lambda: pool.execute("SELECT 1/$1::int", 0),
            lambda: pool.execute("SELECT 1/0"),
            lambda: pool.run_transaction(wrong),
        ]
        left = [await what_is_left_of_the_error(call) for call in calls]
        async with pool.acquire():
            left.append(await what_is_left_of_the_error(lambda: pool.acquire(timeout=0.01)))
            left.append(
                await what_is_left_of_the_error(lambda: pool.fetchval("SELECT 1", timeout=0.01))
            )
    assert left == [None] * 8


async def what_is_left_of_the_error(call: Callable[[], Awaitable[Any]]) -> Any:
    gc.disable()
    try:
        try:
            await call()
        except (pgallop.DivisionByZeroError, pgallop.PoolTimeoutError) as error:
            reference = weakref.ref(error)
        await asyncio.sleep(0.01)  # the loop has it until then
        return reference()
    finally:
        gc.enable()


async def test_warm_up(server: EmbeddedServer) -> None:
    texts = ["SELECT $1::int AS warm", "SELECT 'warm'"]
    async with whole(new_pool(server, min_size=2, warm_up=texts)) as pool:
        connections = [await pool.acquire() for _ in range(2)]
        for conn in connections:
            prepared = await conn.fetch("SELECT statement FROM pg_prepared_statements")
            assert set(texts) <= {text for (text,) in prepared}
            await pool.release(conn)
    with pytest.raises(pgallop.UndefinedTableError):
        await new_pool(server, min_size=2, warm_up=["SELECT * FROM no_such_table"])


async def test_counts(server: EmbeddedServer) -> None:
    async with new_pool(server, max_size=1) as pool:
        # Each text once: the server is not asked what they leave, which takes 46 kB.
        texts = [f"SELECT pg_sleep(0.002) -- {i}" for i in range(10)]
        await asyncio.gather(*map(pool.fetchval, texts))
        await until(lambda: at_rest(pool))
        with pytest.raises(pgallop.DivisionByZeroError):
            await pool.fetchval("SELECT 1/0")
        await until(lambda: at_rest(pool))
        stats = pool.get_stats()
        assert (stats.size, stats.idle, stats.in_use, stats.waiting) == (1, 1, 0, 0)
        assert (stats.acquired, stats.waited, stats.opened, stats.errors) == (11, 10, 1, 1)
        assert sum(stats.wait_histogram.values()) == stats.waited
        assert 0.02 < stats.longest_wait <= stats.wait_time < 5
        assert stats.longest_wait / 2.1 < stats.wait_percentile(100) <= stats.longest_wait
        assert stats.wait_percentile(10) < stats.wait_percentile(90)
        assert stats.queries >= 22
        assert 500 < stats.bytes_sent < 10_000
        assert 500 < stats.bytes_received < 10_000
        await pool.expire_connections()
        assert pool.get_stats().closed == {"replaced": 1}
        assert pool.get_stats().queries >= stats.queries
