"""COPY, both ways."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from drop_in.case import Session, case, cases

ROWS = [(1, "one"), (2, None), (3, "a,b\tc\\")]


async def table(s: Session) -> None:
    await s.conn.execute("CREATE TEMP TABLE t (a int, b text)")
    await s.conn.executemany("INSERT INTO t VALUES ($1, $2)", ROWS)


# --- out ------------------------------------------------------------------------------------------


def out(verb: str, *args: Any, **options: Any) -> Any:
    """The tag, and the bytes that came."""

    async def ask(s: Session) -> Any:
        await table(s)
        output = io.BytesIO()
        tag = await getattr(s.conn, verb)(*args, output=output, **options)
        return tag, output.getvalue()

    return ask


OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"format": "csv"},
    {"format": "csv", "header": True, "force_quote": True},
    {"format": "csv", "force_quote": ["b"], "quote": "'", "escape": "\\"},
    {"format": "binary"},
    {"format": "text", "delimiter": "|", "null": "NIL"},
    {"encoding": "latin1"},
    {"format": "xml"},
    {"delimiter": "too long"},
    {"oids": False},
    {"timeout": 5},
)
cases(
    "Connection.copy_from_table",
    {f"{options}": out("copy_from_table", "t", **options) for options in OPTIONS}
    | {
        "columns": out("copy_from_table", "t", columns=["b"]),
        "schema_name": out("copy_from_table", "t", schema_name="pg_temp"),
        "no such table": out("copy_from_table", "nowhere"),
        "no such column": out("copy_from_table", "t", columns=["nothing"]),
    },
)
cases(
    "Connection.copy_from_query",
    {f"{options}": out("copy_from_query", "SELECT * FROM t", **options) for options in OPTIONS}
    | {
        "arguments": out("copy_from_query", "SELECT $1::int, $2::text", 1, "it's $1"),
        "NULL": out("copy_from_query", "SELECT $1::int", None),
        "array": out("copy_from_query", "SELECT $1::int[]", [1, None]),
        "wrong type": out("copy_from_query", "SELECT $1::int", "x"),
        "too few": out("copy_from_query", "SELECT $1::int, $2::int", 1),
        "syntax error": out("copy_from_query", "SELEC 1"),
        "error": out("copy_from_query", "SELECT 1 / 0"),
        "timeout": out("copy_from_query", "SELECT pg_sleep(5)", timeout=0.05),
    },
)


@case("Connection.copy_from_table Connection.copy_from_query", "to a path, and a function")
async def out_to(s: Session) -> Any:
    await table(s)
    blocks: list[bytes] = []

    async def write(data: bytes) -> None:
        blocks.append(bytes(data))

    with TemporaryDirectory() as folder:
        path = Path(folder) / "out"
        tags = [
            await s.conn.copy_from_table("t", output=path),
            await s.conn.copy_from_query("SELECT 1", output=str(path)),
            await s.conn.copy_from_table("t", output=write),
        ]
        return tags, path.read_bytes(), b"".join(blocks)


@case("Connection.copy_from_table", "to a function that fails", differs="copy-output-fails")
async def out_fails(s: Session) -> Any:
    await table(s)

    async def write(data: bytes) -> None:
        raise KeyError("mine")

    try:
        async with asyncio.timeout(0.5):
            await s.conn.copy_from_table("t", output=write)
    except KeyError as error:
        return error, await s.conn.fetchval("SELECT 1")


@case("Connection.copy_from_table", "to nothing that takes bytes")
async def out_to_nothing(s: Session) -> Any:
    await table(s)
    await s.conn.copy_from_table("t", output=5)


# --- in -------------------------------------------------------------------------------------------


def into(**options: Any) -> Any:
    """The tag, and what is in the table then."""

    async def ask(s: Session) -> Any:
        await s.conn.execute("CREATE TEMP TABLE t (a int, b text)")
        given = {"source": io.BytesIO(options.pop("data", b"1\tone\n2\t\\N\n")), **options}
        tag = await s.conn.copy_to_table("t", **given)
        return tag, await s.conn.fetch("SELECT * FROM t")

    return ask


async def blocks() -> AsyncIterator[bytes]:
    yield b"1\to"
    yield b"ne\n"


class Failing:
    """An iterable of blocks that raises behind the first."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.blocks()

    async def blocks(self) -> AsyncIterator[bytes]:
        yield b"1\tone\n"
        raise KeyError("mine")


cases(
    "Connection.copy_to_table",
    {
        "text": lambda s: into()(s),
        "csv": lambda s: into(data=b"a,b\n1,one\n", format="csv", header=True)(s),
        "nulls": lambda s: into(data=b"1|NIL\n", delimiter="|", null="NIL")(s),
        "quotes": lambda s: into(data=b"1,'x'\n", format="csv", quote="'")(s),
        "force_null": lambda s: into(data=b'1,""\n', format="csv", force_null=["b"])(s),
        "force_not_null": lambda s: into(data=b"1,\n", format="csv", force_not_null=["b"])(s),
        "columns": lambda s: into(data=b"5\n", columns=["a"])(s),
        "where": lambda s: into(where="a > 1")(s),
        "freeze": lambda s: into(freeze=False)(s),
        "encoding": lambda s: into(data=b"1\t\xe4\n", encoding="latin1")(s),
        "asynchronous": lambda s: into(source=blocks())(s),
        "failing": lambda s: into(source=Failing())(s),
        "bad data": lambda s: into(data=b"one\tone\n")(s),
        "too few columns": lambda s: into(data=b"1\n")(s),
        "no such column": lambda s: into(columns=["nothing"])(s),
        "no such format": lambda s: into(format="xml")(s),
        "timeout": lambda s: into(timeout=5)(s),
        "no source": lambda s: s.conn.copy_to_table("t"),
    },
)


@case("Connection.copy_to_table", "from a path")
async def in_from_path(s: Session) -> Any:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "in"
        path.write_bytes(b"7\tseven\n")
        return await into(source=path)(s)


@case("Connection.copy_to_table", "from a path that is not there")
async def in_from_nowhere(s: Session) -> Any:
    return await into(source="/nowhere/at/all")(s)


def records(given: Any, columns: str = "a int, b text", **options: Any) -> Any:
    """The tag, and what is in the table then."""

    async def ask(s: Session) -> Any:
        await s.conn.execute(f"CREATE TEMP TABLE t ({columns})")
        source = given() if callable(given) else given
        tag = await s.conn.copy_records_to_table("t", records=source, **options)
        return tag, await s.conn.fetch("SELECT * FROM t")

    return ask


async def asynchronous() -> AsyncIterator[tuple[int, str]]:
    yield 1, "one"
    yield 2, "two"


cases(
    "Connection.copy_records_to_table",
    {
        "tuples": records(ROWS),
        "lists": records([[1, "x"]]),
        "none": records([]),
        "generator": records(lambda: ((i, str(i)) for i in range(3))),
        "asynchronous": records(asynchronous),
        "defaults": records([(1,)], "a int DEFAULT 3"),
        "where": records(ROWS, where="a > 1"),
        "no iterable": records(5),
        "timeout": records(ROWS, timeout=5),
    },
)
cases(
    "Connection.copy_records_to_table",
    {
        "too few": records([(1,)]),
        "too many": records([(1, "x", 2)]),
        "wrong type": records([("x", "y")]),
    },
    differs="copy-of-wrong-records",
)
case("Connection.copy_records_to_table", "types that come as text", differs="copy-of-text-types")(
    records([("a & b",)], "q tsquery")
)
case("Connection.copy_to_table", "bytes", differs="copy-from-bytes")(
    lambda s: into(source=b"1\tone\n")(s)
)


@case("Connection.copy_records_to_table", "some columns")
async def some_columns(s: Session) -> Any:
    await s.conn.execute("CREATE TEMP TABLE t (a int, b text)")
    tag = await s.conn.copy_records_to_table(
        "t", records=[("x",)], columns=["b"], schema_name="pg_temp"
    )
    return tag, await s.conn.fetch("SELECT * FROM t")


# --- pools ----------------------------------------------------------------------------------------


@case("Pool.copy_from_query Pool.copy_from_table Pool.copy_to_table Pool.copy_records_to_table", "")
async def pools(s: Session) -> Any:
    output = io.BytesIO()
    async with s.apg.create_pool(s.dsn, min_size=1, max_size=1) as pool:
        await pool.execute("CREATE TEMP TABLE t (a int)")
        tags = [
            await pool.copy_from_query("SELECT $1::int", 5, output=output),
            await pool.copy_from_table("pg_am", output=output, columns=["amname"]),
            await pool.copy_to_table("t", source=io.BytesIO(b"1\n")),
            await pool.copy_records_to_table("t", records=[(2,)]),
        ]
        return tags, output.getvalue(), await pool.fetch("SELECT * FROM t")
