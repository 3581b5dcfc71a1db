"""What tracers do to a driver: they wrap methods of its classes, and look at what passes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from drop_in.case import Session, case

ONE = "SELECT 1 AS one"
ROWS = "SELECT generate_series(1, 3) AS i"


@contextmanager
def wrapped(owner: Any, name: str, seen: Callable[..., None]) -> Iterator[None]:
    """Tell `seen` of each call of a coroutine function, as long as this lasts."""
    has_own = name in vars(owner)
    before = getattr(owner, name)

    async def call(*args: Any, **kwargs: Any) -> Any:
        seen(*args, **kwargs)
        return await before(*args, **kwargs)

    setattr(owner, name, call)
    try:
        yield
    finally:
        if has_own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)


async def everything(s: Session, conn: Any) -> None:
    """Something of each kind."""
    await conn.fetch(ONE)
    await conn.fetchrow(ONE)
    await conn.fetchval(ONE)
    await conn.execute(ONE)
    await conn.execute("SELECT $1::int", 1)
    await conn.executemany("SELECT $1::int", [(1,)])
    await conn.fetchmany("SELECT $1::int", [(1,)])
    statement = await conn.prepare("SELECT 2 AS two")
    await statement.fetch()
    await statement.fetchrow()
    await statement.fetchval()
    await statement.executemany([()])


async def with_cursors(conn: Any) -> None:
    async with conn.transaction():
        async for _ in conn.cursor(ROWS, prefetch=2):
            pass
        cursor = await conn.cursor(ROWS)
        await cursor.fetch(1)
        await cursor.forward(1)
        await cursor.fetchrow()


def passes(method: str) -> None:
    """What passes through a method of `Protocol`."""

    @case(f"Protocol.{method}", "is told of all statements")
    async def ask(s: Session) -> Any:
        texts: list[Any] = []

        def seen(protocol: Any, *args: Any, **kwargs: Any) -> None:
            state = args[0] if args else kwargs["state"]
            text = state if isinstance(state, str) else state.query
            if not text.startswith(("BEGIN", "COMMIT", "MOVE")):
                texts.append(text)

        with wrapped(s.module("protocol.protocol").Protocol, method, seen):
            await everything(s, s.conn)
        return texts


for method in ("bind_execute", "bind_execute_many", "query"):
    passes(method)


@case("Protocol.bind_execute Protocol.execute Protocol.bind", "is told of what cursors read")
async def cursors(s: Session) -> Any:
    texts: set[Any] = set()

    def seen(protocol: Any, state: Any, *args: Any, **kwargs: Any) -> None:
        texts.add(state.query)

    kind = s.module("protocol.protocol").Protocol
    with wrapped(kind, "bind_execute", seen):
        await with_cursors(s.conn)
    first = len(texts)
    texts.clear()
    with wrapped(kind, "execute", seen):
        await with_cursors(s.conn)
    return first, texts


METHODS = {
    "Connection": ("connection", ["fetch", "fetchrow", "fetchval", "execute", "executemany"]),
    "PreparedStatement": ("prepared_stmt", ["fetch", "fetchrow", "fetchval", "executemany"]),
    "Cursor": ("cursor", ["fetch", "fetchrow", "forward"]),
    "CursorIterator": ("cursor", ["__anext__"]),
}

for kind, (module, names) in METHODS.items():
    for name in names:

        @case(f"{kind}.{name}", "wrapped")
        async def wrap_method(
            s: Session, kind: str = kind, module: str = module, name: str = name
        ) -> Any:
            calls: list[Any] = []

            def seen(instance: Any, *args: Any, **kwargs: Any) -> None:
                if kind.startswith("Cursor"):
                    connection = instance._connection
                    parts: Any = (instance._query, list(instance._args or ()))
                else:
                    connection = getattr(instance, "_connection", instance)
                    parts = getattr(instance, "_query", None)
                names = connection._params.user, connection._params.database
                calls.append((parts, *args, *names, len(connection._addr)))

            with wrapped(getattr(s.module(module), kind), name, seen):
                await everything(s, s.conn)
                await with_cursors(s.conn)
                async with s.apg.create_pool(s.dsn, min_size=1, max_size=1) as pool:
                    await pool.fetch(ONE)
                    async with pool.acquire() as conn:
                        await conn.fetchval(ONE)
                        await conn.execute("SELECT 3")
            # asyncpg resets a session always, and begins each transaction by a call of its own.
            own = ("BEGIN", "COMMIT", "SELECT pg_advisory_unlock_all")
            return [each for each in calls if not str(each[1]).startswith(own)]


@case("Connection.cursor Connection.prepare Connection._execute Connection._executemany", "wrapped")
async def wrap_private(s: Session) -> Any:
    calls: list[Any] = []

    def seen(instance: Any, query: str, args: Any = (), *others: Any, **kwargs: Any) -> None:
        calls.append((query, list(args)))

    kind = s.apg.Connection
    with wrapped(kind, "_execute", seen), wrapped(kind, "_executemany", seen):
        await everything(s, s.conn)
    return calls


@case("BaseCursor._bind_exec BaseCursor._exec", "wrapped")
async def wrap_cursors(s: Session) -> Any:
    calls: list[Any] = []

    def seen(cursor: Any, *args: Any) -> None:
        calls.append((type(cursor).__name__, cursor._query, cursor._connection is s.conn))

    kind = s.module("cursor").BaseCursor
    with wrapped(kind, "_bind_exec", seen), wrapped(kind, "_exec", seen):
        await with_cursors(s.conn)
    return sorted(set(calls))


@case("Connection.execute", "BEGIN and COMMIT", differs="begin-travels-along")
async def begin_and_commit(s: Session) -> Any:
    texts: list[str] = []
    with wrapped(s.apg.Connection, "execute", lambda conn, text: texts.append(text)):
        async with s.conn.transaction():
            await s.conn.fetchval(ONE)
    return texts


@case("connect", "_connect_addr wrapped")
async def wrap_connect_addr(s: Session) -> Any:
    calls: list[Any] = []

    def seen(**kwargs: Any) -> None:
        params, addr = kwargs["params"], kwargs["addr"]
        calls.append((sorted(kwargs), addr[0], len(addr), params.user, params.database))

    with wrapped(s.module("connect_utils"), "_connect_addr", seen):
        conn = await s.apg.connect(s.dsn)
        await conn.close()
        async with s.apg.create_pool(s.dsn, min_size=1, max_size=1):
            pass
    return calls
