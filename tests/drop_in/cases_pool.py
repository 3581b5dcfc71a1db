"""What pools do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from drop_in.case import Decorator, Session, case, cases

ONE = "SELECT 1 AS one"


def pooled(covers: str, what: str, differs: str = "", **options: Any) -> Decorator:
    """A case whose function gets a pool of two connections."""

    def decorate(ask: Callable[..., Awaitable[Any]]) -> object:
        async def asked(s: Session) -> Any:
            settings = {"min_size": 1, "max_size": 2, **options}
            async with s.apg.create_pool(s.dsn, **settings) as pool:
                return await ask(s, pool)

        return case(covers, what, differs)(asked)

    return decorate


for verb, arguments in {
    "execute": (ONE,),
    "fetch": ("SELECT $1::int", 1),
    "fetchrow": (ONE,),
    "fetchval": (ONE,),
    "executemany": ("SELECT $1::int", [(1,)]),
    "fetchmany": ("SELECT $1::int", [(1,)]),
}.items():

    @pooled(f"Pool.{verb}", "a result")
    async def result(s: Session, pool: Any, verb: str = verb, args: Any = arguments) -> Any:
        return await getattr(pool, verb)(*args)

    @pooled(f"Pool.{verb}", "an error, and the pool goes on")
    async def error(s: Session, pool: Any, verb: str = verb, args: Any = arguments) -> Any:
        try:
            await getattr(pool, verb)("SELECT 1 / 0", *[[()]] * verb.endswith("many"))
        except s.apg.PostgresError as error:
            return error, await pool.fetchval(ONE), pool.get_size()

    @pooled(f"Pool.{verb}", "a timeout")
    async def timeout(s: Session, pool: Any, verb: str = verb, args: Any = arguments) -> Any:
        many = [[()]] * verb.endswith("many")
        await getattr(pool, verb)("SELECT pg_sleep(5)", *many, timeout=0.05)

    @case(f"Pool.{verb}", "closed")
    async def of_closed(s: Session, verb: str = verb, args: Any = arguments) -> Any:
        pool = await s.apg.create_pool(s.dsn, min_size=1, max_size=1)
        await pool.close()
        await getattr(pool, verb)(*args)


@pooled("Pool.fetchval", "a column")
async def fetchval_column(s: Session, pool: Any) -> Any:
    return await pool.fetchval("SELECT 1 AS a, 2 AS b", column=1)


@pooled("Pool.fetch Pool.fetchrow Pool.fetchmany", "record_class")
async def record_class(s: Session, pool: Any) -> Any:
    class Mine(s.apg.Record):  # type: ignore[name-defined, misc]
        pass

    rows = await pool.fetch(ONE, record_class=Mine)
    row = await pool.fetchrow(ONE, record_class=Mine)
    return rows, row, await pool.fetchmany(ONE, [()], record_class=Mine)


@pooled("Pool.acquire Pool.release PoolConnectionProxy", "by hand")
async def by_hand(s: Session, pool: Any) -> Any:
    conn = await pool.acquire()
    value = await conn.fetchval(ONE)
    is_connection = isinstance(conn, s.apg.Connection)
    done = await pool.release(conn)
    return value, is_connection, done, await pool.release(conn)


@pooled("PoolAcquireContext.__aenter__ PoolAcquireContext.__aexit__", "a block")
async def block(s: Session, pool: Any) -> Any:
    async with pool.acquire() as conn:
        before = pool.get_size(), pool.get_idle_size()
        value = await conn.fetchval(ONE)
    return before, value, await pool.fetchval(ONE)


@pooled("Pool.acquire PoolAcquireContext.__await__", "too many, with a timeout")
async def too_many(s: Session, pool: Any) -> Any:
    async with pool.acquire(), pool.acquire():
        await pool.acquire(timeout=0.05)


@pooled("PoolAcquireContext.__aenter__", "twice")
async def entered_twice(s: Session, pool: Any) -> Any:
    context = pool.acquire()
    async with context, context:
        pass


for verb in ("fetch", "fetchval", "execute", "is_closed", "transaction", "close", "terminate"):

    @pooled(f"PoolConnectionProxy.{verb}", "when it is released")
    async def released(s: Session, pool: Any, verb: str = verb) -> Any:
        async with pool.acquire() as conn:
            pass
        result = getattr(conn, verb)(*[ONE] * (verb in ("fetch", "fetchval", "execute")))
        return await result if hasattr(result, "__await__") else result


@pooled("PoolConnectionProxy.close", "within the block", "closed-in-a-block")
async def close_within(s: Session, pool: Any) -> Any:
    async with pool.acquire() as conn:
        await conn.close()
        found = conn.is_closed()
    return found, await pool.fetchval(ONE)


@pooled("PoolConnectionProxy.transaction", "left open")
async def left_open(s: Session, pool: Any) -> Any:
    async with pool.acquire() as conn:
        await conn.execute("BEGIN; CREATE TEMP TABLE t (a int)")
    async with pool.acquire() as conn:
        return conn.is_in_transaction(), await conn.fetchval("SELECT to_regclass('t')")


@pooled("Pool.release", "what a session keeps")
async def kept(s: Session, pool: Any) -> Any:
    async with pool.acquire() as conn:
        await conn.execute("SET work_mem = '1MB'; SET ROLE pg_monitor; CREATE TEMP TABLE t (a int)")
        await conn.fetchval("SELECT pg_advisory_lock(78)")
    async with pool.acquire() as conn:
        return await conn.fetchrow(
            "SELECT current_setting('work_mem') = '1MB', current_user::text,"
            " to_regclass('t')::text,"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 78)"
        )


@pooled("Pool.release", "of another pool")
async def of_another(s: Session, pool: Any) -> Any:
    async with s.apg.create_pool(s.dsn, min_size=1, max_size=1) as other, other.acquire() as conn:
        await pool.release(conn)


@pooled("Pool.release", "no pool's connection")
async def of_none(s: Session, pool: Any) -> Any:
    await pool.release(s.conn)


@pooled("Pool.get_size Pool.get_min_size Pool.get_max_size Pool.get_init_size", "")
async def sizes(s: Session, pool: Any) -> Any:
    sizes = pool.get_size(), pool.get_min_size(), pool.get_max_size(), pool.get_init_size()
    return sizes, pool.is_closing()


@pooled("Pool.get_idle_size", "")
async def idle_size(s: Session, pool: Any) -> Any:
    before = pool.get_idle_size()
    async with pool.acquire():
        return before, pool.get_idle_size()


@case("Pool.close Pool.is_closing Pool.terminate", "twice")
async def close_twice(s: Session) -> Any:
    pool = await s.apg.create_pool(s.dsn, min_size=1, max_size=1)
    first = await pool.close()
    return first, pool.is_closing(), await pool.close(), pool.terminate()


@case("Pool.terminate", "with somebody in it")
async def terminate(s: Session) -> Any:
    pool = await s.apg.create_pool(s.dsn, min_size=1, max_size=1)
    conn = await pool.acquire()
    pool.terminate()
    await asyncio.sleep(0)
    return await conn.fetchval(ONE)


@case("Pool.acquire", "before it is there")
async def not_there(s: Session) -> Any:
    pool = s.apg.create_pool(s.dsn, min_size=1, max_size=1)
    await pool.fetchval(ONE)


@case("Pool.__await__ Pool.__aenter__ Pool.__aexit__", "twice")
async def awaited_twice(s: Session) -> Any:
    pool = await s.apg.create_pool(s.dsn, min_size=1, max_size=1)
    async with pool as again:
        return again is pool, (await pool) is pool


@case("Pool.__await__", "when it is closed", differs="closed-pool")
async def awaited_closed(s: Session) -> Any:
    pool = await s.apg.create_pool(s.dsn, min_size=1, max_size=1)
    await pool.close()
    await pool


@pooled("Pool.expire_connections", "")
async def expire(s: Session, pool: Any) -> Any:
    before = await pool.fetchval("SELECT pg_backend_pid()")
    done = await pool.expire_connections()
    return done, before == await pool.fetchval("SELECT pg_backend_pid()")


@pooled("Pool.set_connect_args", "", min_size=0)
async def set_connect_args(s: Session, pool: Any) -> Any:
    pool.set_connect_args(s.dsn, server_settings={"application_name": "changed"})
    return await pool.fetchval("SHOW application_name")


def bad(**options: Any) -> Any:
    async def ask(s: Session) -> Any:
        pool = s.apg.create_pool(s.dsn, **options)
        try:
            await pool
        finally:
            pool.terminate()

    return ask


cases(
    "create_pool",
    {
        f"{options}": bad(**options)
        for options in (
            {"min_size": -1},
            {"max_size": 0},
            {"min_size": 5, "max_size": 2},
            {"max_size": 5},
            {"init_size": 20},
            {"init_size": 0},
            {"init_size": -1, "min_size": 0},
            {"max_queries": 0},
            {"max_inactive_connection_lifetime": -1},
            {"connection_class": dict},
            {"record_class": dict},
            {"nothing": 1, "min_size": 1},
            {"port": 1, "host": "127.0.0.1", "min_size": 1},
            {"database": "nowhere", "min_size": 1},
        )
    },
)


@case("create_pool", "hooks")
async def hooks(s: Session) -> Any:
    called: list[Any] = []

    def hook(name: str) -> Any:
        async def call(conn: Any) -> None:
            called.append((name, isinstance(conn, s.apg.Connection), await conn.fetchval(ONE)))

        return call

    made = {name: hook(name) for name in ("init", "setup", "reset")}
    async with s.apg.create_pool(s.dsn, min_size=1, max_size=1, **made) as pool:
        await pool.fetchval(ONE)
        await pool.fetchval(ONE)
    return called


@case("create_pool", "a hook that fails")
async def failing_hook(s: Session) -> Any:
    async def fail(conn: Any) -> None:
        raise KeyError("mine")

    async with s.apg.create_pool(s.dsn, min_size=1, max_size=1, setup=fail) as pool:
        try:
            await pool.fetchval(ONE)
        except KeyError as error:
            return error


@case("create_pool", "connect=")
async def own_connect(s: Session) -> Any:
    seen: list[Any] = []

    async def connect(*args: Any, **kwargs: Any) -> Any:
        seen.append((args == (s.dsn,), sorted(kwargs)))
        return await s.apg.connect(*args, **kwargs)

    async with s.apg.create_pool(s.dsn, min_size=1, max_size=1, connect=connect) as pool:
        return await pool.fetchval(ONE), seen


@case("create_pool", "connect= that gives something else")
async def wrong_connect(s: Session) -> Any:
    async def connect(*args: Any, **kwargs: Any) -> Any:
        return 1

    await s.apg.create_pool(s.dsn, min_size=1, max_size=1, connect=connect)


@case("create_pool", "connection_class and record_class")
async def classes(s: Session) -> Any:
    class Row(s.apg.Record):  # type: ignore[name-defined, misc]
        pass

    class Mixin:
        fetchval: Any

        async def double(self) -> Any:
            return 2 * await self.fetchval(ONE)

    class Conn(Mixin, s.apg.Connection):  # type: ignore[name-defined, misc]
        async def _execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            return await super()._execute(query.replace("one", "uno"), *args, **kwargs)

    options = {"connection_class": Conn, "record_class": Row, "min_size": 1, "max_size": 1}
    async with s.apg.create_pool(s.dsn, **options) as pool, pool.acquire() as conn:
        return await conn.double(), await conn.fetchrow(ONE), isinstance(conn, s.apg.Connection)
