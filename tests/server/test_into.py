"""`into=` on a real server: rows as objects of the caller's, from every verb."""

from __future__ import annotations

import asyncio
import contextvars
import gc
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypedDict, assert_type
from uuid import UUID

import msgspec
import pytest
from live import Connect, Monitor

import pgallop
from pgallop.cursor import Cursor
from pgallop.rows.record import Record

USERS = "SELECT id, name FROM (VALUES (1, 'Ada'), (2, 'Bo'), (3, 'Cy')) AS u(id, name)"
UP_TO = f"{USERS} WHERE id <= $1"
ADA = "SELECT 1 AS id, 'Ada' AS name"


@dataclass
class User:
    id: int
    name: str


class Pair(NamedTuple):
    id: int
    name: str


class Row(TypedDict):
    id: int
    name: str


class Struct(msgspec.Struct):
    id: int
    name: str


def shout(id: int, name: str) -> str:
    return name.upper()


ALL = [User(1, "Ada"), User(2, "Bo"), User(3, "Cy")]

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])


@pytest.fixture
def kept(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE kept (id int, name text)")
    yield
    monitor.ask("DROP TABLE kept")


async def test_checkers_know_what_comes(connect: Connect) -> None:
    """mypy and pyright read this, too."""
    conn: pgallop.Connection
    async with connect() as conn, conn.transaction():
        assert_type(await conn.fetch(ADA), list[Record])
        users = assert_type(await conn.fetch(ADA, into=User), list[User])
        user = assert_type(await conn.fetchrow(ADA, into=User), User | None)
        assert users == [user] == [User(1, "Ada")]
        assert_type(await conn.fetchrow(ADA), Record | None)
        assert_type(await conn.fetch(ADA, into=Pair), list[Pair])
        assert_type(await conn.fetch(ADA, into=Row), list[Row])
        assert_type(await conn.fetch(ADA, into=Struct), list[Struct])
        assert_type(await conn.fetch(ADA, into=shout), list[str])
        assert_type(await conn.fetch(ADA, into=dict[str, Any]), list[dict[str, Any]])
        assert_type(await conn.fetchmany(UP_TO, [(1,)], into=User), list[User])
        statement = await conn.prepare(UP_TO)
        assert_type(await statement.fetch(1), list[Record])
        assert_type(await statement.fetch(1, into=User), list[User])
        assert_type(await statement.fetchrow(1, into=User), User | None)
        assert_type(await statement.fetchmany([(1,)], into=User), list[User])
        async for each in conn.cursor(ADA, into=User):
            assert_type(each, User)
        async for pair in statement.cursor(1, into=Pair):
            assert_type(pair, Pair)
        async for row in conn.cursor(ADA):
            assert_type(row, Record)
        cursor = assert_type(await conn.cursor(ADA, into=User), Cursor[User])
        assert_type(await cursor.fetchrow(), User | None)
        assert_type(await cursor.fetch(1), list[User])


@modes
async def test_every_verb(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        for _ in range(3):
            assert await conn.fetch(USERS, into=User) == ALL
            assert await conn.fetch(UP_TO, 2, into=User) == ALL[:2]
            assert await conn.fetchrow(USERS, into=User) == ALL[0]
            assert await conn.fetchrow(UP_TO, 0, into=User) is None
            assert await conn.fetchmany(UP_TO, [(1,), (2,)], into=User) == [ALL[0], *ALL[:2]]
            assert await conn.fetchmany(UP_TO, [(1,), (2,)], into=shout) == ["ADA", "ADA", "BO"]
            assert await conn.fetch(USERS, into=shout) == ["ADA", "BO", "CY"]
            assert await conn.fetchrow(USERS, into=shout) == "ADA"
            assert [type(row) for row in await conn.fetch(USERS)] == [Record] * 3
            assert [type(row) for row in await conn.fetch(USERS, into=Record)] == [Record] * 3


@modes
async def test_prepared_statements(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        statement = await conn.prepare(UP_TO)
        for _ in range(2):
            assert await statement.fetch(2, into=User) == ALL[:2]
            assert statement.get_statusmsg() == "SELECT 2"
            assert await statement.fetch(2, into=shout) == ["ADA", "BO"]
            assert await statement.fetchrow(2, into=Pair) == (1, "Ada")
            assert await statement.fetchmany([(1,)], into=Struct) == [Struct(1, "Ada")]


@modes
@pytest.mark.parametrize("into", [User, lambda id, name: User(id, name)])
async def test_cursors(connect: Connect, mode: str, into: Any) -> None:
    async with connect(statement_mode=mode) as conn, conn.transaction():
        assert [user async for user in conn.cursor(UP_TO, 3, prefetch=1, into=into)] == ALL
        cursor = await conn.cursor(USERS, into=into)
        assert await cursor.fetchrow() == ALL[0]
        assert await cursor.fetch(5) == ALL[1:]
        assert await cursor.fetchrow() is None
        statement = await conn.prepare(USERS)
        assert [user async for user in statement.cursor(into=into)] == ALL


@pytest.mark.parametrize("into", [User, Pair, Row, Struct, shout, dict, tuple])
async def test_the_simple_protocol(connect: Connect, into: Any) -> None:
    async with connect() as conn, connect(statement_mode="simple") as simple:
        assert await simple.fetch(USERS, into=into) == await conn.fetch(USERS, into=into)
        assert await simple.fetchrow(USERS, into=into) == await conn.fetchrow(USERS, into=into)
        with pytest.raises(pgallop.DataError, match="column 'x' has no field in User"):
            await simple.fetch("SELECT 1 AS x", into=User)
        assert await simple.fetch("SET application_name = 'x'", into=into) == []


async def test_tasks_at_once(connect: Connect) -> None:
    async with connect() as conn:
        targets: list[Any] = [User, Pair, dict, shout, Struct, tuple] * 5
        results = await asyncio.gather(*[conn.fetch(UP_TO, 3, into=each) for each in targets])
        assert [type(rows[0]) for rows in results] == [User, Pair, dict, str, Struct, tuple] * 5


# --- what does not fit ----------------------------------------------------------------------------


@modes
async def test_the_connection_goes_on_behind_an_error(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn, conn.transaction():
        for _ in range(3):
            with pytest.raises(pgallop.DataError, match="column 'age' has no field in User"):
                await conn.fetch("SELECT 1 AS id, 'Ada' AS name, 3 AS age", into=User)
            with pytest.raises(pgallop.DataError, match="field 'name' of User has no default"):
                await conn.fetchrow("SELECT 1 AS id", into=User)
            with pytest.raises(pgallop.DataError, match=r"rows\[1\]: column 'name'"):
                await conn.fetch(
                    "SELECT i AS id, nullif(i, 2)::text AS name FROM generate_series(1, $1) AS i",
                    1000,
                    into=User,
                )
            with pytest.raises(pgallop.DataError, match="expected int, and text is read as str"):
                await conn.fetchmany("SELECT $1::text AS id, '' AS name", [("a",)], into=User)
            with pytest.raises(pgallop.InterfaceError, match="rows cannot be made into 5"):
                await conn.fetch(ADA, into=5)  # type: ignore[call-overload]
        assert await conn.fetch(USERS, into=User) == ALL


async def test_what_cannot_fit_is_not_run(connect: Connect, monitor: Monitor, kept: None) -> None:
    async with connect() as conn:
        query = "INSERT INTO kept VALUES ($1, $2) RETURNING id"
        for _ in range(3):
            with pytest.raises(pgallop.DataError, match="no column 'name'"):
                await conn.fetch(query, 1, "Ada", into=User)
            with pytest.raises(pgallop.DataError, match="no column 'name'"):
                await conn.fetchmany(query, [(1, "Ada")], into=User)
            assert monitor.ask("SELECT * FROM kept") == []
        statement = await conn.prepare(query)
        with pytest.raises(pgallop.DataError, match="no column 'name'"):
            await statement.fetch(1, "Ada", into=User)
        assert monitor.ask("SELECT * FROM kept") == []


async def test_where_nothing_was_known_it_has_run(
    connect: Connect, monitor: Monitor, kept: None
) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match="no column 'name'") as caught:
            await conn.fetch("INSERT INTO kept VALUES (1, 'Ada') RETURNING id", into=User)
        assert caught.value.hint is not None
        assert caught.value.hint.endswith("the statement has run")
        assert monitor.ask("SELECT * FROM kept") == [(1, "Ada")]


async def test_what_is_no_target_is_not_run(connect: Connect, monitor: Monitor, kept: None) -> None:
    async with connect() as conn:
        target: Any = "User"
        for _ in range(2):
            with pytest.raises(pgallop.InterfaceError, match="rows cannot be made into 'User'"):
                await conn.fetch("INSERT INTO kept VALUES (1, 'Ada') RETURNING *", into=target)
        async with conn.transaction():
            with pytest.raises(pgallop.InterfaceError, match="rows cannot be made into 'User'"):
                conn.cursor(ADA, into=target)
        assert monitor.ask("SELECT * FROM kept") == []


async def test_columns_without_rows_are_checked(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(2):
            with pytest.raises(pgallop.DataError, match="no column 'name'"):
                await conn.fetch("SELECT 1 AS id WHERE false", into=User)
        assert await conn.fetch(f"{USERS} WHERE false", into=User) == []
        assert await conn.fetch("SET application_name = 'x'", into=User) == []


@modes
async def test_columns_that_have_changed(
    connect: Connect, monitor: Monitor, kept: None, mode: str
) -> None:
    @dataclass
    class Aged:
        id: Any
        name: Any
        age: Any

    Aged.__annotations__ = {"id": int, "name": str, "age": int}
    monitor.ask("INSERT INTO kept VALUES (1, 'Ada')")
    async with connect(statement_mode=mode) as conn:
        for query, args in (("SELECT * FROM kept", ()), ("SELECT * FROM kept WHERE id = $1", (1,))):
            assert await conn.fetch(query, *args, into=User) == [User(1, "Ada")]
        monitor.ask("ALTER TABLE kept ADD COLUMN age int DEFAULT 36")
        for query, args in (("SELECT * FROM kept", ()), ("SELECT * FROM kept WHERE id = $1", (1,))):
            assert await conn.fetch(query, *args, into=Aged) == [Aged(1, "Ada", 36)]
            with pytest.raises(pgallop.DataError, match="column 'age' has no field in User"):
                await conn.fetch(query, *args, into=User)


async def test_results_that_the_server_converts(connect: Connect) -> None:
    """The first time they come in binary, and are read by nobody."""
    query = "SELECT 1 AS id, 'pg_class'::regclass AS name"
    for into, expected in ((User, User(1, "pg_class")), (shout, "PG_CLASS")):
        async with connect() as conn:
            for _ in range(2):
                assert await conn.fetch(query, into=into) == [expected]
            assert await conn.fetchmany(query, [(), ()], into=into) == [expected] * 2


# --- code of the program --------------------------------------------------------------------------


async def fetch_one(conn: pgallop.Connection, into: Any) -> Any:
    return await conn.fetch(USERS, into=into)


async def fetch_prepared(conn: pgallop.Connection, into: Any) -> Any:
    return await (await conn.prepare(USERS)).fetch(into=into)


async def fetch_many(conn: pgallop.Connection, into: Any) -> Any:
    return await conn.fetchmany(USERS, [()], into=into)


async def fetch_by_cursor(conn: pgallop.Connection, into: Any) -> Any:
    async with conn.transaction():
        return [each async for each in conn.cursor(USERS, into=into)]


@pytest.mark.parametrize("fetch", [fetch_one, fetch_prepared, fetch_many, fetch_by_cursor])
async def test_an_error_of_the_program_is_the_callers(
    connect: Connect, fetch: Callable[[pgallop.Connection, Any], Awaitable[Any]]
) -> None:
    class Own(Exception):
        pass

    def picky(id: int, name: str) -> int:
        if id == 2:
            raise Own(name)
        return id

    async with connect() as conn:
        with pytest.raises(Own, match="Bo") as caught:
            await fetch(conn, picky)
        assert caught.value.__notes__ == ["in rows[1] of the result, into picky"]
        assert await conn.fetch(USERS, into=User) == ALL


async def test_a_cursor_whose_rows_were_lost(connect: Connect) -> None:
    async with connect() as conn, conn.transaction():
        cursor = await conn.cursor(
            "SELECT i AS id, nullif(i, 2)::text AS name FROM generate_series(1, 9) AS i", into=User
        )
        assert await cursor.fetchrow() == User(1, "1")
        with pytest.raises(pgallop.DataError, match="expected str, got NULL"):
            await cursor.fetch(2)
        with pytest.raises(pgallop.InterfaceError, match="not known any more"):
            await cursor.fetch(2)
        assert await conn.fetch(USERS, into=User) == ALL


async def test_code_runs_in_the_callers_context(connect: Connect) -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")

    def tell(id: int, name: str) -> tuple[str, str]:
        task = asyncio.current_task()
        assert task is not None
        return tenant.get(), task.get_name()

    async def ask(conn: pgallop.Connection, who: str) -> list[tuple[str, str]]:
        tenant.set(who)
        return await conn.fetch(USERS, into=tell)

    async with connect() as conn:
        tasks = [asyncio.create_task(ask(conn, who), name=f"for {who}") for who in "abc"]
        for who, rows in zip("abc", await asyncio.gather(*tasks), strict=True):
            assert rows == [(who, f"for {who}")] * 3


async def test_others_run_while_many_are_made(connect: Connect) -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def note(i: int) -> int:
        return turns

    async with connect() as conn:
        other = asyncio.create_task(count_turns())
        rows = await conn.fetch("SELECT i FROM generate_series(1, 2000) AS i", into=note)
        other.cancel()
        assert len(set(rows)) >= 20


async def test_many_rows(connect: Connect) -> None:
    """While they are read the collector does not know them."""
    query = "SELECT i AS id, 'x' AS name FROM generate_series(1, $1) AS i"
    targets: list[Any] = [User, Pair]
    async with connect() as conn:
        for into in targets:
            rows: list[Any] = await conn.fetch(query, 25_000, into=into)
            assert [row.id for row in rows] == list(range(1, 25_001))
            assert all(map(gc.is_tracked, rows))
            assert gc.is_tracked((await conn.fetch(query, 1, into=into))[0])


# --- values ---------------------------------------------------------------------------------------


async def test_values_of_many_types(connect: Connect) -> None:
    @dataclass
    class Wide:
        i: Any
        t: Any
        f: Any
        n: Any
        ts: Any
        u: Any
        a: Any
        j: Any

    Wide.__annotations__ = {
        "i": int,
        "t": str,
        "f": float,
        "n": Decimal,
        "ts": datetime,
        "u": UUID,
        "a": list[int],
        "j": User,
    }
    query = """
        SELECT 1::int8 AS i, 'a'::varchar AS t, 1.5::float4 AS f, 2.50 AS n,
            '2020-01-01'::timestamp AS ts, '00000000-0000-0000-0000-000000000001'::uuid AS u,
            ARRAY[1, 2] AS a, json_build_object('id', 7, 'name', 'Ada') AS j
    """
    expected = Wide(
        1, "a", 1.5, Decimal("2.50"), datetime(2020, 1, 1), UUID(int=1), [1, 2], User(7, "Ada")
    )
    async with connect() as conn, connect(statement_mode="simple") as simple:
        assert await conn.fetch(query, into=Wide) == [expected]
        assert await simple.fetch(query, into=Wide) == [expected]
