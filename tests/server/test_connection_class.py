"""`connection_class=`: connections of a subclass, also from a pool, in the ways libraries do it."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import asyncpg
import pytest
from live import Connect
from pools import new_pool, whole

import pgallop
from pgallop import Connection, InterfaceError
from pgallop.cli.server import EmbeddedServer


class Templates:
    """A mixin in front, as of libraries that write the SQL: new verbs on top of those there are."""

    async def fetch_template(self: Any, template: str, **values: Any) -> Any:
        query = template
        for number, name in enumerate(values, 1):
            query = query.replace(f":{name}", f"${number}")
        return await self.fetch(query, *values.values())


class Templating(Templates, Connection):
    __slots__ = ()


class Counting(Connection):
    """One that counts, with the signature of asyncpg's verbs, and calls super()."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls = 0
        self.log: list[str] = []

    async def fetch(self, query: Any, *args: Any, timeout: Any = None) -> Any:  # type: ignore[override]
        self.calls += 1
        self.log.append(query)
        return await super().fetch(query, *args, timeout=timeout)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        self.log.append(query)
        return await super().execute(f"/* counted */ {query}", *args, timeout=timeout)

    def get_reset_query(self) -> str:
        return f"{super().get_reset_query()}; SELECT 'of a subclass'"


class Slotted(Counting):
    __slots__ = ("tag",)

    tag: str


class Dynamic(Connection):
    answers = 0

    def __getattr__(self, name: str) -> Any:
        if name == "magic":
            return 42
        raise AttributeError(name)

    @property
    def tagged(self) -> str:
        return f"pid {self.get_server_pid()}"


async def test_alone(connect: Connect) -> None:
    async with connect(connection_class=Templating) as conn:
        assert type(conn) is Templating
        assert isinstance(conn, Connection)
        assert await conn.fetch_template("SELECT :a::int + :b::int AS n", a=1, b=2) == [(3,)]
        assert repr(conn).startswith(f"<{__name__}.Templating postgres@")
    async with connect(connection_class=Counting) as conn:
        assert isinstance(conn, Counting)
        assert await conn.fetch("SELECT 1") == [(1,)]
        assert await conn.execute("SELECT 1") == "SELECT 1"
        assert (conn.calls, conn.log[-2:]) == (1, ["SELECT 1", "SELECT 1"])
    async with connect(connection_class=Connection) as conn:
        assert type(conn) is Connection


async def test_of_a_pool(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1, connection_class=Templating)) as pool:
        for _ in range(2):
            async with pool.acquire() as conn:
                assert isinstance(conn, Templating)
                assert isinstance(conn, pgallop.PoolConnectionProxy)
                assert await conn.fetch_template("SELECT :a::int AS n", a=1) == [(1,)]
                async with conn.transaction():
                    assert await conn.fetch_template("SELECT :a::int AS n", a=2) == [(2,)]
            with pytest.raises(InterfaceError, match="released back to the pool"):
                await conn.fetch_template("SELECT 1")
        assert await pool.fetchval("SELECT 1") == 1


async def test_the_verbs_of_a_pool_are_the_subclass_s(server: EmbeddedServer) -> None:
    """Also where they do not know all that ours know."""
    async with whole(new_pool(server, max_size=1, connection_class=Counting)) as pool:
        assert await pool.fetch("SELECT 1 AS n") == [(1,)]
        assert await pool.fetch("SELECT 1 AS n", timeout=5) == [(1,)]
        assert await pool.execute("SELECT 2") == "SELECT 1"
        assert await pool.fetchval("SELECT 1") == 1
        async with pool.acquire() as conn:
            assert isinstance(conn, Counting)
            assert (conn.calls, conn.log) == (2, ["SELECT 1 AS n", "SELECT 1 AS n", "SELECT 2"])
            await conn.fetch("SELECT 3")
            conn.note = "kept"  # type: ignore[attr-defined]
        # What is set on it is the connection's, and stays.
        async with pool.acquire() as conn:
            assert isinstance(conn, Counting)
            assert (conn.calls, conn.note) == (3, "kept")  # type: ignore[attr-defined]


async def test_slots(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1, connection_class=Slotted)) as pool:
        async with pool.acquire() as conn:
            assert isinstance(conn, Slotted)
            assert not hasattr(conn, "tag")
            conn.tag = "a"
            assert conn.tag == "a"
        with pytest.raises(InterfaceError, match="released back to the pool"):
            _ = conn.tag
        with pytest.raises(InterfaceError, match="released back to the pool"):
            conn.tag = "b"
        async with pool.acquire() as conn:
            assert isinstance(conn, Slotted)
            assert conn.tag == "a"


async def test_attributes_that_are_computed(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1, connection_class=Dynamic)) as pool:
        async with pool.acquire() as conn:
            assert isinstance(conn, Dynamic)
            assert (conn.magic, conn.answers) == (42, 0)
            assert conn.tagged == f"pid {conn.get_server_pid()}"
            with pytest.raises(AttributeError, match=r"^nothing$"):
                _ = conn.nothing
        with pytest.raises(InterfaceError, match="released back to the pool"):
            _ = conn.magic
        with pytest.raises(InterfaceError, match="released back to the pool"):
            _ = conn.tagged


async def test_its_reset_query(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, max_size=1, connection_class=Counting)) as pool:
        async with pool.acquire() as conn:
            assert conn.get_reset_query().endswith("SELECT 'of a subclass'")
            await conn.execute("SET application_name = 'changed'")
        async with pool.acquire() as conn:
            assert conn.get_settings().application_name != "changed"


async def test_closed_by_its_user(server: EmbeddedServer) -> None:
    """close() is called and waits, and the connection is given back meanwhile."""
    async with whole(new_pool(server, max_size=1, connection_class=Counting)) as pool:
        conn = await pool.acquire()
        pid = conn.get_server_pid()
        under_way = asyncio.create_task(conn.fetch("SELECT pg_sleep(0.05)"))
        await asyncio.sleep(0.01)
        closing = asyncio.create_task(conn.close())
        await asyncio.sleep(0)
        await pool.release(conn)
        results = await asyncio.gather(closing, under_way, return_exceptions=True)
        assert "released back" in str(results[0])
        assert str(results[1]) == "[<Record pg_sleep=None>]"
        assert await pool.fetchval("SELECT pg_backend_pid()") != pid


async def test_callbacks_get_what_was_acquired(server: EmbeddedServer) -> None:
    heard: list[Any] = []
    pool = new_pool(server, connection_class=Counting)
    async with whole(pool), pool.acquire() as conn:
        conn.add_log_listener(lambda conn, message: heard.append(conn))
        await conn.execute("DO $$ BEGIN RAISE NOTICE 'x'; END $$")
        await asyncio.sleep(0.01)
        assert heard == [conn]


async def test_nothing_keeps_a_pool_alive(server: EmbeddedServer) -> None:
    """A connection that lies in it does not know of it, whoever has had it."""
    pool = await new_pool(server, connection_class=Counting)
    async with pool.acquire() as conn:
        await conn.fetch("SELECT 1")
    await pool.close()
    weak = weakref.ref(pool)
    del pool, conn
    gc.collect()
    assert weak() is None


class Failing(Connection):
    def __init__(self, *args: Any) -> None:
        raise ZeroDivisionError


class FailingLate(Connection):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        raise ZeroDivisionError


@pytest.mark.parametrize("kind", [Failing, FailingLate])
async def test_an_init_that_fails(connect: Connect, server: EmbeddedServer, kind: Any) -> None:
    """No session is left behind, as for all tests here."""
    with pytest.raises(ZeroDivisionError):
        await connect(connection_class=kind)
    with pytest.raises(ZeroDivisionError):
        await new_pool(server, min_size=1, connection_class=kind)


@pytest.mark.parametrize("wrong", [dict, 3, "Connection", None, asyncpg.Connection])
async def test_no_class_of_connections(server: EmbeddedServer, wrong: Any) -> None:
    message = r"connection_class is expected to be a subclass of pgallop\.Connection, got"
    with pytest.raises(InterfaceError, match=message):
        pgallop.connect(server.dsn, connection_class=wrong)
    with pytest.raises(InterfaceError, match=message):
        new_pool(server, connection_class=wrong)


async def test_a_connector_that_gives_another_class(server: EmbeddedServer) -> None:
    asked: list[Any] = []

    async def connector(dsn: str, **options: Any) -> Connection:
        asked.append(options.pop("connection_class"))
        return await pgallop.connect(dsn, **options)

    message = "expected a function that returns a .*Counting, got pgallop.Connection from it"
    with pytest.raises(InterfaceError, match=message):
        await new_pool(server, min_size=1, connection_class=Counting, connect=connector)
    assert asked[0] is Counting

    async def plain(dsn: str, *, knowledge: pgallop.Knowledge) -> Connection:
        return await pgallop.connect(dsn, connection_class=Counting, knowledge=knowledge)

    # Of the plain class one that needs to know nothing of this is told nothing.
    async with whole(new_pool(server, connect=plain)) as pool, pool.acquire() as conn:
        assert isinstance(conn, Counting)
        assert await conn.fetch("SELECT 1") == [(1,)]
        assert conn.calls == 1


async def test_a_subclass_of_pool(server: EmbeddedServer) -> None:
    class TemplatingPool(Templates, pgallop.Pool):
        pass

    async with TemplatingPool(server.dsn, min_size=1, connection_class=Templating) as pool:
        assert await pool.fetch_template("SELECT :a::int AS n", a=1) == [(1,)]
        async with pool.acquire() as conn:
            assert isinstance(conn, Templating)
