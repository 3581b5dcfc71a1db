"""Statements through an engine: rows, counts, streams, and what is shared by connections."""

import asyncio

import pytest
from engines import Engine
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.exc import NotSupportedError

import pgallop

NUMBERS = select(func.generate_series(1, 200).label("n"))


def words(prefixes: list[str]) -> Table:
    columns = (Column("id", Integer, primary_key=True), Column("word", String(20)))
    return Table("words", MetaData(), *columns, prefixes=prefixes)


TABLE = words(["TEMPORARY"])


async def test_rows_and_their_columns(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        result = await conn.execute(text("SELECT 1 AS one, 'two' AS two WHERE :yes"), {"yes": True})
        assert list(result.keys()) == ["one", "two"]
        row = result.one()
        assert (row.one, row.two, tuple(row)) == (1, "two", (1, "two"))
        nothing = await conn.execute(text("SELECT 1 AS one, 'two' AS two WHERE false"))
        assert list(nothing.keys()) == ["one", "two"]
        assert nothing.all() == []
        assert await conn.scalar(select(literal(20) + literal(22))) == 42


async def test_counts(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        made = await conn.execute(text("CREATE TEMPORARY TABLE words (id int, word text)"))
        assert not made.returns_rows
        rows = [{"id": i, "word": f"word {i}"} for i in range(5)]
        assert (await conn.execute(TABLE.insert(), rows)).rowcount == 5
        changes = TABLE.update().where(TABLE.c.id >= bindparam("least")).values(word="changed")
        result = await conn.execute(changes, [{"least": 4}, {"least": 3}, {"least": 9}])
        assert result.rowcount == 3
        assert (await conn.execute(TABLE.delete().where(TABLE.c.id < 2))).rowcount == 2
        assert (await conn.execute(select(TABLE))).rowcount == 3


async def test_many_rows_that_return_something(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        await conn.run_sync(TABLE.create)
        rows = [{"word": f"word {i}"} for i in range(2500)]
        insert = TABLE.insert().returning(TABLE.c.id, sort_by_parameter_order=True)
        ids = (await conn.execute(insert, rows)).scalars().all()
        assert ids == list(range(1, 2501))


@pytest.mark.parametrize("level", ["READ COMMITTED", "AUTOCOMMIT"])
async def test_rows_as_they_are_asked_for(engine: Engine, level: str) -> None:
    async with engine() as opened, opened.connect() as plain:
        conn = await plain.execution_options(isolation_level=level)
        async with conn.stream(NUMBERS) as rows:
            assert list(rows.keys()) == ["n"]
            assert (await anext(aiter(rows))).n == 1
            assert [row.n for row in await rows.fetchmany(70)] == list(range(2, 72))
            assert (await rows.fetchone()) == (72,)
            assert [row.n for row in await rows.fetchall()] == list(range(73, 201))
        async with conn.stream(NUMBERS) as rows:
            assert (await rows.fetchone()) == (1,)
        # What is left behind is in nobody's way.
        assert [n async for n in await conn.stream_scalars(NUMBERS)] == list(range(1, 201))
        async with conn.stream(NUMBERS.where(literal(False))) as rows:
            assert await rows.all() == []
        assert await conn.scalar(text("SELECT 1")) == 1


async def test_the_raw_connection_takes_part(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        await conn.execute(text("CREATE TEMPORARY TABLE words (id int, word text)"))
        raw = await conn.get_raw_connection()
        assert isinstance(raw.driver_connection, pgallop.Connection)
        await raw.driver_connection.execute("INSERT INTO words VALUES (1, 'one')")
        assert await conn.scalar(select(TABLE.c.word)) == "one"
        await conn.rollback()
        assert await raw.driver_connection.fetchval("SELECT to_regclass('words')::text") is None


async def test_connections_share_what_they_learn(engine: Engine) -> None:
    async with engine() as opened:
        async with opened.connect() as one, opened.connect() as two:
            knowledge = []
            for conn in (one, two):
                assert await conn.scalar(select(literal("x"))) == "x"
                raw = await conn.get_raw_connection()
                assert raw.driver_connection is not None
                knowledge.append(raw.driver_connection._dispatch.scope.knowledge)
        assert knowledge[0] is knowledge[1]
        assert len(knowledge[0]) > 0


async def test_an_engine_of_its_own_driver(engine: Engine, dsn: str) -> None:
    async def connected() -> pgallop.Connection:
        return await pgallop.connect(dsn, server_settings={"application_name": "by hand"})

    async with engine(async_creator=connected) as opened, opened.connect() as conn:
        assert await conn.scalar(text("SHOW application_name")) == "by hand"


async def test_what_a_url_says(engine: Engine) -> None:
    suffix = "?application_name=it's%20me&command_timeout=5&prepared_statement_cache_size=7"
    async with engine(suffix) as opened, opened.connect() as conn:
        assert await conn.scalar(text("SHOW application_name")) == "it's me"
        raw = await conn.get_raw_connection()
        assert raw.driver_connection is not None
        options = raw.driver_connection._options
        assert (options.command_timeout, options.statement_cache_size) == (5.0, 7)


async def test_one_connection_runs_one_statement_after_the_other(engine: Engine) -> None:
    """SQLAlchemy forbids to use a connection at the same time; the driver would only queue."""
    async with engine() as opened, opened.connect() as conn:
        tasks = [conn.scalar(select(literal(i))) for i in range(3)]
        assert await asyncio.gather(*tasks) == [0, 1, 2]


async def test_a_cursor_of_the_servers_has_one_row_of_arguments(engine: Engine) -> None:
    async with engine() as opened, opened.connect() as conn:
        with pytest.raises(NotSupportedError, match="one row of arguments"):
            await conn.stream(TABLE.insert(), [{"id": 1}, {"id": 2}])
