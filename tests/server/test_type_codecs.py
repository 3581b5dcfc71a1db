"""Codecs of the user: functions, enums and classes, wherever values of their type are."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import asyncpg
import pytest
from live import Connect, Monitor
from long_line import line_to

import pgallop
from pgallop import Range, TypeCodec
from pgallop.cli.server import EmbeddedServer

SCHEMA = """
    DROP SCHEMA IF EXISTS custom CASCADE;
    CREATE SCHEMA custom;
    CREATE TYPE custom.mood AS ENUM ('sad', 'glad');
    CREATE DOMAIN custom.good AS custom.mood;
    CREATE TYPE custom.point AS (x int4, y int4);
    CREATE DOMAIN custom.spot AS custom.point;
    CREATE TYPE custom.shape AS (name text, centre custom.point, corners custom.spot[]);
    CREATE TYPE custom.moods AS RANGE (subtype = custom.mood);
    CREATE TYPE custom.day AS (d date, n numeric, i interval, j json, m custom.mood);
    CREATE TYPE custom.rights AS (r aclitem, d date);
"""

MODES = pytest.mark.parametrize("mode", ["named", "unnamed"])


class Mood(enum.Enum):
    SAD = "sad"
    GLAD = "glad"


class MoodByName(enum.IntEnum):
    sad = 0
    glad = 1


class Point(NamedTuple):
    x: int
    y: int


@dataclasses.dataclass
class Shape:
    name: str
    centre: Point | None
    corners: list[Point | None]
    extra: int = 0


@pytest.fixture(scope="module", autouse=True)
def schema(monitor: Monitor) -> Iterator[None]:
    monitor.ask(SCHEMA)
    yield
    monitor.ask("DROP SCHEMA custom CASCADE")


# What `encode` is given and `decode` returns is marked, so that it shows whether they were called.
def encode(value: Any) -> Any:
    mark, exchanged = value
    assert mark == "own"
    return exchanged


def decode(exchanged: Any) -> Any:
    return "own", exchanged


OWN = TypeCodec(encode, decode)
BINARY = TypeCodec(encode, decode, "binary")
TUPLE = TypeCodec(encode, decode, "tuple")

# For a codec of one type, values of types that are made of it.
INSIDE: list[tuple[str, Any, str, Any]] = [
    *[
        ("date", OWN, name, value)
        for name, value in (
            ("date", ("own", "2024-02-29")),
            ("date[]", [("own", "2024-02-29"), None]),
            ("date[]", [[("own", "2024-02-29")], [("own", "0044-03-15")]]),
            ("daterange", Range(("own", "2024-02-28"), ("own", "2024-02-29"))),
            ("daterange[]", [Range(("own", "2024-02-28"), None)]),
            ("custom.day", (("own", "2024-02-29"), 1, None, {"a": 1}, "sad")),
            ("custom.day[]", [(("own", "2024-02-29"), None, None, [1], "sad"), None]),
        )
    ],
    *[
        ("json", OWN, name, value)
        for name, value in (
            ("json", ("own", '{"a": 1}')),
            ("custom.day", (None, None, None, ("own", '{"a": 1}'), "sad")),
        )
    ],
    ("json", TypeCodec(json.dumps, json.loads), "json[]", [[1, 2], {}, "a", None]),
    *[
        ("custom.mood", codec, name, value)
        for codec, mark in ((OWN, "sad"), (BINARY, b"sad"))
        for name, value in (
            ("custom.mood", ("own", mark)),
            ("custom.mood[]", [("own", mark), None]),
            ("custom.good[]", [("own", mark), None]),
            ("custom.moods", Range(("own", mark), None)),
            ("custom.day", (None, None, None, None, ("own", mark))),
        )
    ],
    *[
        ("int4", BINARY, name, value)
        for name, value in (
            ("int4", ("own", b"\0\0\0\5")),
            ("int4[]", [("own", b"\0\0\0\5"), None]),
            ("int4range", Range(("own", b"\0\0\0\5"), ("own", b"\0\0\0\6"))),
            ("custom.point", (("own", b"\0\0\0\5"), None)),
            ("custom.spot[]", [(("own", b"\0\0\0\5"), None)]),
        )
    ],
    *[
        ("custom.point", TUPLE, name, value)
        for name, value in (
            ("custom.point", ("own", (1, None))),
            ("custom.point[]", [("own", (1, None)), None]),
            ("custom.shape", ("x", ("own", (1, 2)), [("own", (3, 4)), None])),
        )
    ],
    *[
        ("custom.mood", Mood, name, value)
        for name, value in (
            ("custom.mood", Mood.SAD),
            ("custom.mood[]", [[Mood.SAD], [Mood.GLAD]]),
            ("custom.good[]", [Mood.SAD]),
            ("custom.moods", Range(Mood.SAD, Mood.GLAD)),
            ("custom.day", (None, None, None, None, Mood.GLAD)),
        )
    ],
    ("custom.mood", MoodByName, "custom.mood[]", [MoodByName.sad, None]),
    *[
        ("custom.point", Point, name, value)
        for name, value in (
            ("custom.point", Point(1, 2)),
            ("custom.point[]", [Point(1, 2), None]),
            ("custom.spot[]", [Point(1, 2), None]),
            ("custom.shape", ("x", Point(1, 2), [Point(3, 4), None])),
        )
    ],
    ("custom.shape", Shape, "custom.shape", Shape("x", (1, 2), [(3, 4), None])),  # type: ignore[arg-type, list-item]
    ("custom.shape", Shape, "custom.shape[]", [Shape("x", None, []), None]),
]


async def register(conn: pgallop.Connection, name: str, codec: Any) -> None:
    schema, _, name = f"pg_catalog.{name}".removeprefix("pg_catalog.custom.").rpartition(".")
    schema = schema or "custom"
    if isinstance(codec, TypeCodec):
        functions = {"encoder": codec.encode, "decoder": codec.decode, "format": codec.format}
        await conn.set_type_codec(name, schema=schema, **functions)  # type: ignore[arg-type]
    else:
        await conn.set_type_codec(name, schema=schema, into=codec)


@MODES
@pytest.mark.parametrize(("name", "codec", "of", "value"), INSIDE)
async def test_inside(
    connect: Connect, mode: str, name: str, codec: Any, of: str, value: Any
) -> None:
    """In any order of registration and first use."""
    query = f"SELECT $1::{of}"
    async with connect(statement_mode=mode, codecs={name: codec}) as conn:
        for _ in range(2):
            found = await conn.fetchval(query, value)
            assert found == value
            assert type(found) is type(value) or isinstance(value, (tuple, list))
            # Where nothing was known.
        text = await conn.fetchval(f"SELECT ($1::{of})::text", value)
    async with connect(statement_mode=mode, codecs={name: codec}) as conn:
        literal = "'" + text.replace("'", "''") + "'"
        assert await conn.fetchval(f"SELECT {literal}::{of}") == value
    async with connect(statement_mode=mode) as conn:
        without = await conn.fetchval(f"SELECT {literal}::{of}")
        assert await conn.fetchval(query, None) is None
        await register(conn, name, codec)
        assert await conn.fetchval(query, value) == value
        assert await conn.fetchval(f"SELECT {literal}::{of}") == value
        schema = "custom" if "." in name else "pg_catalog"
        await conn.reset_type_codec(name.removeprefix("custom."), schema=schema)
        assert await conn.fetchval(f"SELECT {literal}::{of}") == without
    async with connect(statement_mode="simple", codecs={name: codec}) as conn:
        if codec is not BINARY or name != "int4":
            assert await conn.fetchval(f"SELECT {literal}::{of}") == value


async def test_every_order(connect: Connect) -> None:
    """Of selecting an array of an enum, the enum itself, and registering a codec for it."""

    async def array(conn: pgallop.Connection) -> list[Any]:
        return [await conn.fetchval("SELECT '{sad,glad}'::custom.mood[]")]

    async def single(conn: pgallop.Connection) -> list[Any]:
        return [[await conn.fetchval("SELECT $1::custom.mood", "glad"), "x"][:1]]

    async def row(conn: pgallop.Connection) -> list[Any]:
        return [list(await conn.fetchval("SELECT ROW('sad'::custom.mood)"))]

    for order in itertools.permutations([array, single, row, None]):
        async with connect() as conn:
            kind: type = str
            for step in order:
                if step is None:
                    await conn.set_type_codec("mood", schema="custom", into=Mood)
                    kind = Mood
                else:
                    for values in [*await step(conn), *await step(conn)]:
                        assert {type(value) for value in values} == {kind}, order


OWN_DAY = ("own", "2024-02-29")


async def test_pipelined(connect: Connect) -> None:
    """What is called when it was registered is read with it; all is read as it was asked for."""
    async with connect() as conn:
        query = "SELECT '2024-02-29'::date, ARRAY['sad'::custom.mood]"
        for _ in range(3):
            before = [asyncio.ensure_future(conn.fetchrow(query)) for _ in range(3)]
            await asyncio.sleep(0)
            await conn.set_type_codec("date", schema="pg_catalog", encoder=encode, decoder=decode)
            behind = [asyncio.ensure_future(conn.fetchrow(query)) for _ in range(3)]
            rows = await asyncio.gather(*before)
            # As it was when they were written, each value as a whole.
            assert {str(row[0]) for row in rows if row} <= {"2024-02-29", str(OWN_DAY)}
            rows = await asyncio.gather(*behind)
            assert {row[0] for row in rows if row} == {("own", "2024-02-29")}
            await conn.reset_type_codec("date", schema="pg_catalog")


async def test_statements_that_are_kept(connect: Connect) -> None:
    async with connect() as conn:
        statement = await conn.prepare("SELECT $1::custom.mood AS m, 1 AS n")
        assert await statement.fetchrow("sad") == ("sad", 1)
        await conn.set_type_codec("mood", schema="custom", into=Mood)
        assert await statement.fetchrow("sad") == (Mood.SAD, 1)
        async with conn.transaction():
            cursor = await conn.cursor("SELECT 'sad'::custom.mood FROM generate_series(1, 4)")
            assert await cursor.fetch(2) == [(Mood.SAD,)] * 2
            await conn.reset_type_codec("mood", schema="custom")
            assert await cursor.fetch(1) == [(Mood.SAD,)]  # as it was opened
            assert await conn.fetchval("SELECT 'sad'::custom.mood") == "sad"


async def test_made_again(connect: Connect, monitor: Monitor) -> None:
    """It belongs to the name, not to the type that had it."""
    monitor.ask("CREATE TYPE custom.short AS ENUM ('a')")
    short = enum.Enum("short", {"a": "a"})
    async with connect(codecs={"custom.short": short}) as conn:
        assert await conn.fetchval("SELECT 'a'::custom.short") is short.a
        monitor.ask("DROP TYPE custom.short; CREATE TYPE custom.short AS ENUM ('b', 'a')")
        assert await conn.fetchval("SELECT $1::custom.short", short.a) is short.a
        with pytest.raises(pgallop.DataError, match="short has no member for the label 'b'"):
            await conn.fetchval("SELECT 'b'::custom.short")
    monitor.ask("DROP TYPE custom.short")


async def test_round_trips(server: EmbeddedServer) -> None:
    """Without a word to the server until the type is seen, and none more than without it."""
    codecs = {"custom.mood": Mood, "custom.point": Point, "json": TypeCodec(json.dumps, json.loads)}
    async with line_to(server) as line, line.pgallop(codecs=codecs) as conn:
        assert await line.trips(conn.fetchval("SELECT '[1]'::json")) == 1
        assert await line.trips(conn.fetchval("SELECT 'sad'::custom.mood")) == 2
        assert await line.trips(conn.fetchval("SELECT 'sad'::custom.mood")) == 1
        await line.trips(conn.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=str))
        assert await line.trips(conn.fetchval("SELECT '[1]'::json")) == 1


# --- what does not do -----------------------------------------------------------------------------


def failing(value: Any) -> Any:
    raise RuntimeError("no")


async def test_functions_that_fail(connect: Connect) -> None:
    wrong = TypeCodec(failing, failing)
    async with connect(codecs={"date": wrong, "numeric": TypeCodec(lambda _: 5, str)}) as conn:
        with pytest.raises(pgallop.DataError, match="its encoder has raised RuntimeError: no"):
            await conn.fetchval("SELECT $1::date", 1)
        with pytest.raises(pgallop.DataError, match="its decoder has raised RuntimeError: no"):
            await conn.fetchval("SELECT '2024-02-29'::date")
        with pytest.raises(pgallop.DataError, match=r"its encoder has returned 5: expected str"):
            await conn.fetchval("SELECT $1::numeric", 1)
        assert await conn.fetchval("SELECT 1") == 1


@dataclasses.dataclass
class Other:
    x: int
    z: int


MISFITS: list[tuple[str, Any, str]] = [
    ("custom.mood", Point, "Point is for a composite type, and mood is none"),
    ("custom.point", Mood, "Mood is an Enum, and point is no enum type"),
    ("custom.point", OWN, "only tuple-format codecs can be used on composite types"),
    ("custom.point", Other, "Other has no field 'y', which point has"),
    ("custom.shape", Point, "Point has no field 'name', which shape has"),
    ("int4", TUPLE, "int4 type does not support the 'tuple' exchange format"),
    ("custom.mood", TUPLE, "mood type does not support the 'tuple' exchange format"),
    ("custom.good", OWN, "custom codecs on domain types are not supported"),
    ("custom.moods", OWN, "it is neither a scalar type nor a composite type"),
    ("int4range", OWN, "it is neither a scalar type nor a composite type"),
]


@pytest.mark.parametrize(("name", "codec", "words"), MISFITS)
async def test_misfits(connect: Connect, name: str, codec: Any, words: str) -> None:
    """Refused where it is registered; in connect(), where nothing is known yet, by each value."""
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match=words):
            await register(conn, name, codec)
        value = await conn.fetchval(f"SELECT NULL::{name}")
        assert value is None
    async with connect(codecs={name: codec}) as conn:
        with pytest.raises(pgallop.DataError, match=words):
            await conn.fetchval(f"SELECT $1::{name}, ARRAY[$1]", 5)


CODECS: list[Any] = [5, {"mood": 5}, {5: Mood}, {"a.b.c": Mood}, {"": Mood}, {("a",): Mood}]


@pytest.mark.parametrize("codecs", [*CODECS, {"a": TypeCodec(str, str, "x")}])  # type: ignore[arg-type]
async def test_malformed(connect: Connect, codecs: Any) -> None:
    with pytest.raises(pgallop.ClientConfigurationError, match="codecs"):
        await connect(codecs=codecs)


async def test_in_the_simple_protocol(connect: Connect) -> None:
    async with connect(statement_mode="simple") as conn, conn.transaction():
        await conn.set_type_codec("mood", schema="custom", into=Mood)
        assert await conn.fetchval("SELECT ARRAY['sad'::custom.mood]") == [Mood.SAD]
        with pytest.raises(ValueError, match=r"unknown type: custom\.it's \\ not"):
            await conn.set_type_codec("it's \\ not", schema="custom", into=Mood)
        assert await conn.fetchval("SELECT 1") == 1


async def test_names(connect: Connect, monitor: Monitor) -> None:
    monitor.ask('CREATE TYPE custom."a.B ""c""" AS ENUM (\'sad\', \'glad\')')
    monitor.ask("CREATE TYPE public.custom_mood AS ENUM ('sad', 'glad')")
    try:
        for name in ('custom."a.B ""c"""', ("custom", 'a.B "c"')):
            async with connect(codecs={name: Mood, "custom_mood": Mood}) as conn:
                assert await conn.fetchval('SELECT \'sad\'::custom."a.B ""c"""') is Mood.SAD
                assert await conn.fetchval("SELECT 'sad'::custom_mood") is Mood.SAD
        async with connect(codecs={"timestamp with time zone": OWN}) as conn:
            assert (await conn.fetchval("SELECT now()"))[0] == "own"
    finally:
        monitor.ask("DROP TYPE public.custom_mood")


# --- beside asyncpg -------------------------------------------------------------------------------

# Arguments of set_type_codec, and a value that is written and read with it.
AS_ASYNCPG: list[tuple[dict[str, Any], str, Any]] = [
    *[
        ({"typename": name, "schema": "pg_catalog", "format": "tuple"}, name, ("own", value))
        for name, value in (
            ("date", (-5000,)),
            ("date", (2**31 - 1,)),
            ("time", (86399999999,)),
            ("timestamp", (-1,)),
            ("timestamp", (2**63 - 1,)),
            ("timestamptz", (10**15,)),
            ("timetz", (3600000000, -7200)),
            ("interval", (14, -3, 5)),
        )
    ],
    ({"typename": "point", "schema": "custom", "format": "tuple"}, "custom.point", ("own", (1, 2))),
    ({"typename": "mood", "schema": "custom"}, "custom.mood", ("own", "sad")),
    ({"typename": "mood", "schema": "custom"}, "custom.mood[]", [("own", "sad"), None]),
    ({"typename": "int", "schema": "pg_catalog", "format": "text"}, "int4", ("own", "12")),
    (
        {"typename": "int4", "schema": "pg_catalog", "format": "binary"},
        "int4[]",
        [("own", b"\0\0\0\1")],
    ),
    ({"typename": "inet", "schema": "pg_catalog"}, "inet", ("own", "::1")),
]

REFUSED: list[dict[str, Any]] = [
    {"typename": "good", "schema": "custom"},
    {"typename": "point", "schema": "custom"},
    {"typename": "moods", "schema": "custom"},
    {"typename": "_mood", "schema": "custom"},
    {"typename": "nothing", "schema": "custom"},
    {"typename": "mood"},
    {"typename": "int4", "schema": "pg_catalog", "format": "wrong"},
    {"typename": "int4", "schema": "pg_catalog", "format": "tuple"},
    {"typename": "int4range", "schema": "pg_catalog"},
]


def both(dsn: str, connect: Connect, ask: Callable[[Any], Any]) -> tuple[Any, Any]:
    """What asyncpg and pgallop come to: a value, or the class and the words of an error."""

    async def of(conn: Any) -> Any:
        try:
            return await ask(conn)
        except Exception as error:
            return type(error).__name__, str(error).splitlines()[0]
        finally:
            await conn.close()

    async def run() -> tuple[Any, Any]:
        theirs = await of(await asyncpg.connect(dsn))
        return theirs, await of(await connect())

    return asyncio.run(run())


@pytest.mark.parametrize(("arguments", "name", "value"), AS_ASYNCPG)
def test_values_as_asyncpg(
    dsn: str, connect: Connect, arguments: dict[str, Any], name: str, value: Any
) -> None:
    async def ask(conn: Any) -> Any:
        await conn.set_type_codec(**arguments, encoder=encode, decoder=decode)
        return await conn.fetchval(f"SELECT $1::{name}", value)

    theirs, ours = both(dsn, connect, ask)
    assert theirs == ours == value


@pytest.mark.parametrize("arguments", REFUSED)
@pytest.mark.parametrize("verb", ["set", "reset", "builtin"])
def test_errors_as_asyncpg(
    dsn: str, connect: Connect, arguments: dict[str, Any], verb: str
) -> None:
    async def ask(conn: Any) -> Any:
        if verb == "set":
            return await conn.set_type_codec(**arguments, encoder=encode, decoder=decode)
        given = {key: each for key, each in arguments.items() if key != "format"}
        if verb == "reset":
            return await conn.reset_type_codec(**given)
        return await conn.set_builtin_type_codec(**given, codec_name="text")

    theirs, ours = both(dsn, connect, ask)
    assert theirs == ours


def test_builtin_codec_as_asyncpg(dsn: str, connect: Connect) -> None:
    async def ask(conn: Any) -> Any:
        await conn.set_builtin_type_codec("mood", schema="custom", codec_name="bytea")
        return await conn.fetchval("SELECT $1::custom.mood", b"sad")

    theirs, ours = both(dsn, connect, ask)
    assert theirs == ours == b"sad"


async def test_reload_schema_state(connect: Connect, monitor: Monitor) -> None:
    monitor.ask("CREATE TYPE custom.renamed AS (a int4)")
    query = "SELECT ROW(1)::custom.renamed"
    async with connect() as conn:
        assert dict(await conn.fetchval(query)) == {"a": 1}
        monitor.ask("ALTER TYPE custom.renamed RENAME ATTRIBUTE a TO b")
        assert dict(await conn.fetchval(query)) == {"a": 1}  # nothing of it shows
        await conn.reload_schema_state()
        assert dict(await conn.fetchval(query)) == {"b": 1}
    monitor.ask("DROP TYPE custom.renamed")


@pytest.mark.parametrize("given", [{"encoder": 5, "decoder": str}, {"into": 5}])
async def test_what_cannot_be_called(connect: Connect, given: dict[str, Any]) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="takes functions, or a class"):
            await conn.set_type_codec("int4", schema="pg_catalog", **given)
        assert await conn.fetchval("SELECT 5") == 5
