"""Enums, composites, domains and what is made of them, of which nothing was registered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from live import Connect, Monitor
from long_line import line_to

import pgallop
from pgallop import Knowledge, Range
from pgallop.cli.server import EmbeddedServer

SCHEMA = """
    DROP SCHEMA IF EXISTS own CASCADE;
    DROP SCHEMA IF EXISTS "Other one" CASCADE;
    CREATE SCHEMA own;
    CREATE SCHEMA "Other one";
    CREATE TYPE own.mood AS ENUM ('sad', 'glad', 'a "b", {c}');
    CREATE TYPE "Other one".mood AS (x int4);
    CREATE DOMAIN own.good AS own.mood;
    CREATE DOMAIN own.better AS own.good CHECK (VALUE::text <> 'sad');
    CREATE DOMAIN own.number AS int4;
    CREATE DOMAIN own.numbers AS int4[];
    CREATE DOMAIN own.many_moods AS own.mood[];
    CREATE TYPE own.address AS (street text, number own.number, moods own.mood[]);
    CREATE DOMAIN own.home AS own.address;
    CREATE TYPE own.person AS (name text, home own.address, others own.home[], mood own.better);
    CREATE TYPE own.nothing AS ();
    CREATE TYPE own.moods AS RANGE (subtype = own.better);
    CREATE TYPE own.homes AS RANGE (subtype = own.home);
    CREATE TYPE own.odd AS (a regclass, b tsvector, c money);
    CREATE TYPE own.rights AS (a aclitem, b own.mood, c int4[], d own.address);
    CREATE TABLE own.things (id int4, gone text, mood own.mood, home own.home);
    ALTER TABLE own.things DROP COLUMN gone;
"""

HOME = ("Main, \"(1)\" 'x'", 5, ["sad", None, 'a "b", {c}'])
PERSON = ("Ada", HOME, [HOME, None, ("", None, None)], "glad")

# By type, values as they are read.
VALUES: list[tuple[str, Any]] = [
    ("own.mood", "glad"),
    ("own.mood[]", ["sad", None, 'a "b", {c}']),
    ("own.mood[]", [["sad"], ["glad"]]),
    ("own.good", "sad"),
    ("own.better", "glad"),
    ("own.better[]", ["glad", None]),
    ("own.number[]", [1, None, 3]),
    ("own.numbers", [1, 2]),
    ("own.many_moods", ["sad"]),
    ('"Other one".mood', (7,)),
    ("own.address", HOME),
    ("own.address", (None, None, None)),
    ("own.home", HOME),
    ("own.home[]", [HOME, None]),
    ("own.address[]", [[HOME], [HOME]]),
    ("own.person", PERSON),
    ("own.person[]", [PERSON, PERSON]),
    ("own.nothing", ()),
    ("own.nothing[]", [(), ()]),
    ("own.moods", Range("glad", None)),
    ("own.moods[]", [Range("glad", None), Range(empty=True)]),
    ("own.homes", Range(("a", 1, []), ("b", None, None))),
    ("own.things", (1, "glad", HOME)),
    ("own.things[]", [(1, None, None)]),
]

MULTIRANGES: list[tuple[str, Any]] = [
    ("own.moods", [Range("glad", 'a "b", {c}')]),
    ("own.homes", [Range(("a", 1, []), ("b", None, None))]),
]

MODES = pytest.mark.parametrize("mode", ["named", "unnamed"])


@pytest.fixture(scope="module", autouse=True)
def schema(monitor: Monitor) -> Iterator[None]:
    monitor.ask(SCHEMA)
    yield
    monitor.ask('DROP SCHEMA own CASCADE; DROP SCHEMA "Other one" CASCADE')


@MODES
@pytest.mark.parametrize("describe_first", [False, True])
async def test_both_ways(connect: Connect, mode: str, describe_first: bool) -> None:
    async with connect(statement_mode=mode, describe_first=describe_first) as conn:
        for name, value in VALUES:
            for _ in range(2):
                assert await conn.fetchval(f"SELECT $1::{name}", value) == value, name
                assert await conn.fetchval(f"SELECT $1::{name}", None) is None
            text = await conn.fetchval(f"SELECT $1::{name}::text", value)
            literal = "'" + text.replace("'", "''") + "'"
            assert await conn.fetchval(f"SELECT {literal}::{name}") == value
            async with conn.transaction():
                assert await conn.fetchval(f"SELECT 1, {literal}::{name}", column=1) == value


async def test_in_the_simple_protocol(connect: Connect) -> None:
    """The same values come from their texts."""
    async with connect() as one, connect(statement_mode="simple") as other:
        for name, value in VALUES:
            text = await one.fetchval(f"SELECT $1::{name}::text", value)
            literal = "'" + text.replace("'", "''") + "'"
            for _ in range(2):
                assert await other.fetchval(f"SELECT {literal}::{name}") == value, name
            async with other.transaction():
                assert await other.fetchval(f"SELECT NULL::{name}") is None
        row = await other.fetchrow("SELECT 'sad'::own.mood AS a, 1 AS b, '{sad}'::own.mood[] AS c")
        assert row == ("sad", 1, ["sad"])


async def test_multiranges(connect: Connect) -> None:
    async with connect() as conn:
        if conn.get_server_version() < (14,):
            pytest.skip("PostgreSQL has multiranges since version 14")
        for name, value in MULTIRANGES:
            of_it = await conn.fetchval(
                f"SELECT array_agg(m) FROM (SELECT $1::{name} AS m) AS s", value[0]
            )
            assert of_it == value
            query = "SELECT rngmultitypid::regtype::text FROM pg_range WHERE rngtypid = $1::regtype"
            multirange = await conn.fetchval(query, name)
            assert await conn.fetchval(f"SELECT $1::{multirange}", value) == value
            nested = [value, [], value]
            assert await conn.fetchval(f"SELECT $1::{multirange}[]", nested) == nested
    async with connect(statement_mode="simple") as conn:
        text = '\'{[glad,"a \\"b\\", {c}")}\''
        query = f"SELECT {text}::own.moods::text"
        assert query
        found = await conn.fetchval("SELECT array_agg(own.moods('glad', NULL))")
        assert found == [Range("glad", None)]


async def test_all_ways_to_run_a_statement(connect: Connect) -> None:
    query = "SELECT $1::own.address AS home, $2::own.mood AS mood"
    row = (HOME, "glad")
    async with connect() as conn:
        assert await conn.fetchmany(query, [row, row]) == [row, row]
    async with connect() as conn:
        await conn.executemany(query, [row])
    async with connect() as conn:
        statement = await conn.prepare(query)
        assert [each.type.name for each in statement.get_attributes()] == ["address", "mood"]
        assert await statement.fetch(*row) == [row]
    async with connect() as conn, conn.transaction():
        assert [row async for row in conn.cursor(query, *row)] == [row]
        cursor = await conn.cursor("SELECT 'sad'::own.mood FROM generate_series(1, 3)")
        assert await cursor.fetch(2) == [("sad",)] * 2
        assert await cursor.fetchrow() == ("sad",)
    async with connect() as conn, conn.pipeline() as pipeline:
        first = pipeline.fetchrow(query, *row)
        second = pipeline.fetchval("SELECT 'sad'::own.mood")
    assert first.result() == row
    assert second.result() == "sad"
    async with connect() as conn:
        calls = [conn.fetchrow(query, *row), conn.fetchval("SELECT 'sad'::own.good")]
        assert await asyncio.gather(*calls, *calls[:0]) == [row, "sad"]


async def test_as_a_mapping_or_record(connect: Connect) -> None:
    async with connect() as conn:
        street, number, moods = HOME
        for value in (
            {"street": street, "number": number, "moods": moods},
            {"moods": moods, "number": number, "street": street},
            await conn.fetchrow(
                "SELECT $3::int4 AS number, $2::text[] AS moods, $1 AS street",
                street,
                moods,
                number,
            ),
            await conn.fetchval("SELECT $1::own.address", HOME),
        ):
            assert await conn.fetchval("SELECT $1::own.address", value) == HOME
            whole = {"name": None, "home": value, "others": [value, tuple(HOME)], "mood": None}
            assert await conn.fetchval("SELECT $1::own.person", whole) == (
                None,
                HOME,
                [HOME, HOME],
                None,
            )
        found = await conn.fetchval("SELECT $1::own.address", HOME)
        assert dict(found) == {"street": street, "number": number, "moods": moods}
        assert found["street"] == found[0] == street


REFUSED: list[tuple[Any, str, str]] = [
    (("a", "b", [], None)[:3], r"\$1.number", "'b': expected int"),
    (("a", 1, ["sad", 3]), r"\$1.moods\[1\]", "3: expected str"),
    (("a", 1), r"\$1", "has 2 items, and address has 3 fields: street, number, moods"),
    ({"street": "a", "number": 1}, r"\$1", "has no field 'moods'"),
    ({"street": "a", "number": 1, "moods": [], "x": 1}, r"\$1", "address has no field 'x'"),
    ("(a,1,{})", r"\$1", "expected tuple or list"),
    (5, r"\$1", "expected tuple or list"),
]


@pytest.mark.parametrize(("value", "place", "words"), REFUSED)
async def test_refused_arguments(connect: Connect, value: Any, place: str, words: str) -> None:
    async with connect() as conn:
        for _ in range(2):
            with pytest.raises(pgallop.DataError, match=rf"argument {place} \(\w+\)") as told:
                await conn.fetchval("SELECT $1::own.address", value)
            assert words in str(told.value)
            inner = {"name": "x", "home": value, "others": None, "mood": None}
            with pytest.raises(pgallop.DataError, match=place.replace("$1", "$1.home")):
                await conn.fetchval("SELECT $1::own.person", inner)


async def test_members_that_are_text_only(connect: Connect) -> None:
    async with connect() as conn:
        found = await conn.fetchval("SELECT ROW('pg_class', 'a b', '1.5')::own.odd")
        # Within rows a name is its OID, as in a record.
        assert (found["a"], found["b"], str(found["c"])) == (1259, "'a' 'b'", "1.50")
        assert await conn.fetchval("SELECT $1::own.odd", (1259, None, 2)) == (1259, None, 2)
    async with connect() as conn:
        # aclitem has no binary form, so all of it comes in text.
        query = "SELECT ROW('=r/postgres', 'a \"b\", {c}', '{1,NULL}', $1)::own.rights"
        value = ("=r/postgres", 'a "b", {c}', [1, None], HOME)
        assert await conn.fetchval(query, HOME) == value
        assert await conn.fetchval(f"SELECT ARRAY[{query[7:]}]", HOME) == [value]
        assert await conn.fetchval("SELECT $1::own.rights", '(,sad,"{1}",)') == (
            *(None, "sad", [1], None),
        )
        with pytest.raises(pgallop.DataError, match="expected str"):
            await conn.fetchval("SELECT $1::own.rights", value)


async def test_rows_of_the_catalogue(connect: Connect) -> None:
    async with connect() as conn:
        if conn.get_server_version() >= (14,):  # before, there are no arrays of them
            query = "SELECT array_agg(t) FROM pg_type AS t WHERE typname = 'int4'"
            assert [row["typname"] for row in await conn.fetchval(query)] == ["int4"]
        found = await conn.fetchval("SELECT c FROM pg_class AS c WHERE relname = 'pg_statistic'")
        assert found["relname"] == "pg_statistic"
        assert found["relacl"][0].startswith("postgres=")
        schema = await conn.fetchval("SELECT s FROM information_schema.schemata AS s LIMIT 1")
        assert schema["catalog_name"] == "postgres"


async def test_any_search_path_and_role(connect: Connect, monitor: Monitor) -> None:
    monitor.ask(
        """
        CREATE TABLE own.pg_type (oid oid);
        CREATE FUNCTION own.unnest(anyarray) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1';
        CREATE FUNCTION own.wrong(oid, oid) RETURNS bool LANGUAGE sql AS 'SELECT false';
        CREATE OPERATOR own.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = own.wrong);
        """
    )
    async with connect() as conn:
        await conn.execute("SET search_path = own, pg_catalog")
        assert await conn.fetchval("SELECT $1::person", PERSON) == PERSON
    async with connect() as conn:
        await conn.execute("GRANT USAGE ON SCHEMA own TO pg_monitor; SET ROLE pg_monitor")
        assert await conn.fetchval("SELECT $1::own.person", PERSON) == PERSON
    monitor.ask("DROP TABLE own.pg_type; DROP OPERATOR own.= (oid, oid)")


# --- round trips ----------------------------------------------------------------------------------


async def test_round_trips(server: EmbeddedServer) -> None:
    knowledge = Knowledge()
    query, plain = "SELECT $1::own.person", 'SELECT ARRAY[ROW(1)::"Other one".mood]'
    async with line_to(server) as line:
        async with line.pgallop(knowledge=knowledge) as conn:
            # Described, the catalogue, run.
            assert await line.trips(conn.fetchval(query, PERSON)) == 3
            assert await line.trips(conn.fetchval(query, PERSON)) == 1
            # Run, the catalogue.
            assert await line.trips(conn.fetchval(plain)) == 2
            assert await line.trips(conn.fetchval(plain)) == 1
            # Other types that it was told of at the same time.
            assert await line.trips(conn.fetchval("SELECT '{sad}'::own.mood[]")) == 1
            assert await line.trips(conn.fetchval("SELECT '{sad}'::own.good[]")) == 2
            assert await line.trips(conn.fetchval("SELECT 'sad'::own.mood")) == 1
        async with line.pgallop(knowledge=knowledge) as conn:
            assert await line.trips(conn.fetchval(plain), conn.fetchval(query, PERSON)) == 1
            other = "SELECT $1::own.address"
            assert await line.trips(conn.fetchval(other, HOME)) == 2
            assert await line.trips(conn.fetchval("SELECT ROW('sad'::own.mood)")) == 1
        async with line.pgallop() as conn:
            # One asks for all.
            calls = [conn.fetchval(f"SELECT $1::own.mood, {i % 2}", "sad") for i in range(50)]
            assert await line.trips(*calls) == 3
        async with line.pgallop() as conn, conn.transaction():
            await conn.execute("SELECT 1")
            assert await line.trips(conn.fetchval(query, PERSON)) == 3
            assert await line.trips(conn.fetchval(query, PERSON)) == 1


async def test_fields_of_records_are_asked_about_together(server: EmbeddedServer) -> None:
    query = "SELECT ROW('sad'::own.mood, 'sad'::own.good, ROW('', 1, NULL)::own.address, 4)"
    async with line_to(server) as line, line.pgallop() as conn:
        assert await line.trips(conn.fetchval(query)) == 2
        assert await conn.fetchval(query) == ("sad", "sad", ("", 1, None), 4)
