"""`record_class=`: of a connection and of a call, from every verb, next to asyncpg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, assert_type

import asyncpg
import pytest
from live import Connect, Monitor
from pools import new_pool, whole

import pgallop
from pgallop import InterfaceError, Record
from pgallop.cli.server import EmbeddedServer

NUMBERS = "SELECT generate_series(1, 3) AS n"
ONE = "SELECT $1::int AS n"


class Dotted(Record):
    def __getattr__(self, name: str) -> Any:
        return self[name]


class Other(Record):
    __slots__ = ()


class Stubborn(Record):
    """Which shows what is done to the driver's own questions."""

    def __getitem__(self, key: Any) -> Any:
        raise AssertionError("only the program reads its records by this")


def kinds(rows: Any) -> list[type[Any]]:
    return [type(row) for row in rows]


async def all_verbs(conn: pgallop.Connection, **options: Any) -> list[Any]:
    """What each verb makes rows into."""
    found: list[Any] = []
    for _ in range(2):  # at first, and when it is prepared
        found.append(await conn.fetch(NUMBERS, **options))
        found.append([await conn.fetchrow(ONE, 1, **options)])
        found.append(await conn.fetchmany(ONE, [(1,), (2,)], **options))
    statement = await conn.prepare(NUMBERS, **options)
    found.append(await statement.fetch())
    found.append([await statement.fetchrow()])
    async with conn.transaction():
        found.append([row async for row in conn.cursor(NUMBERS, prefetch=2, **options)])
        found.append([row async for row in statement.cursor(prefetch=2)])
        cursor = await conn.cursor(NUMBERS, **options)
        found.append(await cursor.fetch(2))
        found.append([await cursor.fetchrow()])
    found.append([row async for row in conn.stream(NUMBERS, prefetch=2, **options)])
    found.append([row async for row in statement.stream(prefetch=2)])
    return found


async def test_of_a_connection(connect: Connect) -> None:
    conn: pgallop.Connection
    async with connect(record_class=Dotted) as conn:
        for rows in await all_verbs(conn):
            assert set(kinds(rows)) == {Dotted}
            assert rows[0].n == rows[0]["n"]
        async with conn.pipeline() as pipeline:
            rows = pipeline.fetch(NUMBERS)
            row = pipeline.fetchrow(ONE, 5)
        assert kinds(rows.result()) == [Dotted] * 3
        assert kinds([row.result()]) == [Dotted]
        assert await conn.fetchval(ONE, 7) == 7
        # What a call asks for counts more.
        for rows in await all_verbs(conn, record_class=Other):
            assert set(kinds(rows)) == {Other}
        for rows in await all_verbs(conn, record_class=Record):
            assert set(kinds(rows)) == {Record}
        assert kinds(await conn.fetch(NUMBERS, into=Record)) == [Record] * 3
        assert await conn.fetch(NUMBERS, into=tuple) == [(1,), (2,), (3,)]
        assert kinds(await conn.fetch(NUMBERS, into=Other)) == [Other] * 3


async def test_of_a_call(connect: Connect) -> None:
    conn: pgallop.Connection
    async with connect() as conn:
        for rows in await all_verbs(conn, record_class=Dotted):
            assert set(kinds(rows)) == {Dotted}
        for rows in await all_verbs(conn):
            assert set(kinds(rows)) == {Record}


async def test_checkers_know_what_comes(connect: Connect) -> None:
    """mypy and pyright read this, too."""
    conn: pgallop.Connection
    async with connect() as conn, conn.transaction():
        assert_type(await conn.fetch(NUMBERS, record_class=Other), list[Other])
        assert_type(await conn.fetchrow(NUMBERS, record_class=Other), Other | None)
        assert_type(await conn.fetchmany(ONE, [(1,)], record_class=Other), list[Other])
        async for row in conn.cursor(NUMBERS, record_class=Other):
            assert_type(row, Other)
    async with conn_or_new(connect) as conn:
        async for row in conn.stream(NUMBERS, record_class=Other):
            assert_type(row, Other)


def conn_or_new(connect: Connect) -> Any:
    return connect()


async def test_without_names_and_in_text(connect: Connect) -> None:
    conn: pgallop.Connection
    async with connect(record_class=Dotted, statement_mode="unnamed") as conn:
        for rows in await all_verbs(conn):
            assert set(kinds(rows)) == {Dotted}
    async with connect(record_class=Dotted, statement_mode="simple") as conn:
        assert kinds(await conn.fetch(NUMBERS)) == [Dotted] * 3
        assert kinds([await conn.fetchrow(NUMBERS)]) == [Dotted]


async def test_columns_that_come_in_another_form(connect: Connect, monitor: Monitor) -> None:
    """What nothing is known of is asked about, by the driver's own questions."""
    monitor.ask("CREATE TYPE record_class_pair AS (a int, b text)")
    try:
        for mode in ("named", "simple"):
            async with connect(record_class=Stubborn, statement_mode=mode) as conn:
                rows = await conn.fetch("SELECT (1, 'x')::record_class_pair AS pair")
                assert kinds(rows) == [Stubborn]
                (pair,) = tuple(rows[0])
                assert (type(pair), pair) == (Record, (1, "x"))
        async with connect(record_class=Stubborn) as conn:
            statement = await conn.prepare("SELECT (1, 'x')::record_class_pair AS pair")
            assert [each.type.name for each in statement.get_attributes()] == ["record_class_pair"]
            assert kinds(await statement.fetch()) == [Stubborn]
    finally:
        monitor.ask("DROP TYPE record_class_pair")


async def test_of_a_pool(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, record_class=Dotted)) as pool:
        for _ in range(2):
            assert kinds(await pool.fetch(NUMBERS)) == [Dotted] * 3
            assert kinds([await pool.fetchrow(ONE, 1)]) == [Dotted]
            assert kinds(await pool.fetchmany(ONE, [(1,)])) == [Dotted]
            assert kinds(await pool.fetch(NUMBERS, record_class=Other)) == [Other] * 3
            assert kinds([await pool.fetchrow(ONE, 1, record_class=Record)]) == [Record]
            assert kinds(await pool.fetchmany(ONE, [(1,)], record_class=Other)) == [Other]
            assert kinds(await pool.fetch(NUMBERS, into=Record)) == [Record] * 3
        async with pool.acquire() as conn:
            assert kinds(await conn.fetch(NUMBERS)) == [Dotted] * 3
        answers = await asyncio.gather(*[pool.fetch(NUMBERS) for _ in range(20)])
        assert {kind for rows in answers for kind in kinds(rows)} == {Dotted}
    async with whole(new_pool(server, record_class=Dotted, setup=nothing)) as pool:
        assert kinds(await pool.fetch(NUMBERS)) == [Dotted] * 3
        assert kinds([await pool.fetchrow(ONE, 1, record_class=Other)]) == [Other]
    async with whole(new_pool(server)) as pool:
        assert assert_type(await pool.fetch(NUMBERS, record_class=Other), list[Other])


async def nothing(conn: pgallop.Connection) -> None: ...


async def test_set_connect_args_keeps_it(server: EmbeddedServer) -> None:
    async with whole(new_pool(server, record_class=Dotted)) as pool:
        pool.set_connect_args(server.dsn)
        await pool.expire_connections()
        async with pool.acquire() as conn:
            assert kinds(await conn.fetch(NUMBERS)) == [Dotted] * 3


class WithInit(Record):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)


@pytest.mark.parametrize("wrong", [dict, int, 3, WithInit])
async def test_refused(connect: Connect, server: EmbeddedServer, wrong: Any) -> None:
    with pytest.raises(InterfaceError, match="record_class"):
        await connect(record_class=wrong)
    with pytest.raises(InterfaceError, match="record_class"):
        new_pool(server, record_class=wrong)
    conn: pgallop.Connection
    async with connect() as conn, whole(new_pool(server)) as pool:
        calls: list[Callable[[], Any]] = [
            lambda: conn.fetch(NUMBERS, record_class=wrong),
            lambda: conn.fetchrow(NUMBERS, record_class=wrong),
            lambda: conn.fetchmany(ONE, [(1,)], record_class=wrong),
            lambda: conn.prepare(NUMBERS, record_class=wrong),
            lambda: conn.cursor(NUMBERS, record_class=wrong),
            lambda: conn.stream(NUMBERS, record_class=wrong),
            lambda: pool.fetch(NUMBERS, record_class=wrong),
            lambda: pool.fetchrow(NUMBERS, record_class=wrong),
            lambda: pool.fetchmany(ONE, [(1,)], record_class=wrong),
        ]
        for call in calls:
            with pytest.raises(InterfaceError, match="record_class"):
                await call()
        with pytest.raises(InterfaceError, match="cannot be given both"):
            await conn.fetch(NUMBERS, record_class=Other, into=dict)  # type: ignore[call-overload]
        assert await conn.fetchval("SELECT 1") == 1


async def test_as_asyncpg(dsn: str) -> None:
    """The same class of records for both, with the same checks."""

    def classes(base: Any) -> tuple[Any, Any]:
        dotted = type("Dotted", (base,), {"__getattr__": lambda self, name: self[name]})
        return dotted, type("Bad", (base,), {"__init__": lambda self: None})

    async def story(module: Any, base: Any) -> list[Any]:
        dotted, bad = classes(base)
        told: list[Any] = []
        conn = await module.connect(dsn, record_class=dotted)
        for record_class in (None, dotted, base):
            row = await conn.fetchrow(ONE, 4, record_class=record_class)
            told.append((type(row).__name__, row["n"], getattr(row, "n", None), repr(row)))
        for record_class in (bad, dict, 3):
            try:
                await conn.fetch(NUMBERS, record_class=record_class)
            except module.InterfaceError as error:
                told.append(str(error).splitlines()[0].replace("asyncpg.", "pgallop."))
        await conn.close()
        return told

    theirs = await story(asyncpg, asyncpg.Record)
    ours = await story(pgallop, Record)
    reason = ": records are made without them"
    assert [str(each).replace(reason, "") for each in ours] == [str(each) for each in theirs]
