"""COPY to the client: where the data goes, what is copied, and how it is refused."""

from __future__ import annotations

import asyncio
import contextvars
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from live import Connect, Monitor

from pgallop import copy_outputs
from pgallop.errors import (
    FeatureNotSupportedError,
    InsufficientPrivilegeError,
    InterfaceError,
    InvalidParameterValueError,
    InvalidSchemaNameError,
    PostgresSyntaxError,
    UndefinedColumnError,
    UndefinedTableError,
    UnsupportedClientFeatureError,
)

modes = pytest.mark.parametrize("mode", ["named", "unnamed", "simple"])


@pytest.fixture
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask('CREATE TABLE copied (id int, "na""me" text)')
    monitor.ask("INSERT INTO copied VALUES (1, 'one'), (2, NULL), (3, E'a\\tb\\\\')")
    yield
    monitor.ask("DROP TABLE copied")


@modes
async def test_a_table(connect: Connect, table: None, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        blocks: list[bytes] = []
        assert await conn.copy_from_table("copied", output=blocks.append) == "COPY 3"
        assert b"".join(blocks) == b"1\tone\n2\t\\N\n3\ta\\tb\\\\\n"
        blocks.clear()
        tag = await conn.copy_from_table(
            "copied", schema_name="public", columns=['na"me'], output=blocks.append, format="csv"
        )
        assert tag == "COPY 3"
        assert b"".join(blocks) == b"one\n\na\tb\\\n"
        assert await conn.fetchval("SELECT 42") == 42


@modes
async def test_a_query(connect: Connect, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        blocks: list[bytes] = []
        for query in ("SELECT 1 AS a", "SELECT 1 AS a;", "SELECT 1 AS a -- not 2", "VALUES (1);--"):
            assert await conn.copy_from_query(query, output=blocks.append) == "COPY 1"
        assert blocks == [b"1\n"] * 4
        assert await conn.copy_from_query("SELECT 1 WHERE false", output=blocks.append) == "COPY 0"
        assert len(blocks) == 4


async def test_a_query_that_writes(connect: Connect, table: None, monitor: Monitor) -> None:
    async with connect() as conn:
        blocks: list[bytes] = []
        query = "INSERT INTO copied VALUES ($1, 'x') RETURNING id"
        assert await conn.copy_from_query(query, 9, output=blocks.append) == "COPY 1"
        assert blocks == [b"9\n"]
        assert monitor.ask("SELECT count(*) FROM copied WHERE id = 9") == [(1,)]


OPTIONS: list[tuple[dict[str, Any], bytes]] = [
    ({"format": "csv", "header": True}, b'id,"na""me"\n1,one\n2,\n3,a\tb\\\n'),
    ({"format": "csv", "force_quote": True}, b'"1","one"\n"2",\n"3","a\tb\\"\n'),
    ({"format": "csv", "force_quote": ["id"]}, b'"1",one\n"2",\n"3",a\tb\\\n'),
    ({"format": "csv", "force_quote": False}, b"1,one\n2,\n3,a\tb\\\n"),
    (
        {"format": "csv", "quote": "'", "escape": "\\", "delimiter": "o", "null": "N"},
        b"1o'one'\n2oN\n3oa\tb\\\n",
    ),
    ({"delimiter": "|", "null": "NIL"}, b"1|one\n2|NIL\n3|a\\tb\\\\\n"),
    ({"null": "\\'"}, b"1\tone\n2\t\\'\n3\ta\\tb\\\\\n"),
    ({"header": 0, "encoding": "latin1"}, b"1\tone\n2\t\\N\n3\ta\\tb\\\\\n"),
]


async def test_options(connect: Connect, table: None, dsn: str) -> None:
    """They do the same as in asyncpg."""
    peer = await asyncpg.connect(dsn)
    try:
        async with connect() as conn:
            for options, data in OPTIONS:
                for copy in (conn.copy_from_table, peer.copy_from_table):
                    buffer = io.BytesIO()
                    assert await copy("copied", output=buffer, **options) == "COPY 3"
                    assert buffer.getvalue() == data
    finally:
        await peer.close()


async def test_encodings(connect: Connect) -> None:
    async with connect() as conn:
        blocks: list[bytes] = []
        query = "SELECT 'ä€'"
        await conn.copy_from_query(query, output=blocks.append)
        await conn.copy_from_query(query, output=blocks.append, encoding="latin9")
        assert blocks == ["ä€\n".encode(), "ä€\n".encode("iso8859-15")]


# --- where it goes --------------------------------------------------------------------------------

MANY = "SELECT i, repeat('x', 100) FROM generate_series(1, 5000) AS i"
DATA = b"".join([b"%d\t%s\n" % (i, b"x" * 100) for i in range(1, 5001)])


async def test_a_path(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "ä.txt"
    async with connect() as conn:
        for each in (path, str(path), os.fsencode(path)):
            path.write_bytes(b"what was there before is gone" * 100_000)
            assert await conn.copy_from_query(MANY, output=each) == "COPY 5000"
            assert path.read_bytes() == DATA


@pytest.mark.parametrize("buffering", [0, -1])
async def test_a_file(connect: Connect, tmp_path: Path, buffering: int) -> None:
    path = tmp_path / "data"
    with path.open("wb", buffering=buffering) as file:
        async with connect() as conn:
            file.write(b"head\n")
            assert await conn.copy_from_query(MANY, output=file) == "COPY 5000"
            file.write(b"tail\n")
    assert path.read_bytes() == b"head\n" + DATA + b"tail\n"


async def test_memory(connect: Connect) -> None:
    async with connect() as conn:
        buffer = io.BytesIO()
        await conn.copy_from_query(MANY, output=buffer)
        assert buffer.getvalue() == DATA


async def test_a_coroutine_function(connect: Connect) -> None:
    blocks: list[bytes] = []

    async def take(data: bytes) -> None:
        assert type(data) is bytes
        await asyncio.sleep(0)
        blocks.append(data)

    async with connect() as conn:
        await conn.copy_from_query(MANY, output=take)
    assert b"".join(blocks) == DATA
    assert all(blocks)


async def test_a_file_with_a_coroutine_function(connect: Connect) -> None:
    class File:
        def __init__(self) -> None:
            self.blocks: list[bytes] = []

        async def write(self, data: bytes) -> int:
            await asyncio.sleep(0)
            self.blocks.append(data)
            return len(data)

    file = File()
    async with connect() as conn:
        await conn.copy_from_query(MANY, output=file)
    assert b"".join(file.blocks) == DATA


async def test_a_raw_file_that_takes_little_at_a_time(connect: Connect) -> None:
    class Raw(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            part = bytes(data[:30_000])
            self.data += part
            return len(part)

    raw = Raw()
    async with connect() as conn:
        await conn.copy_from_query(MANY, output=raw)
    assert raw.data == DATA


@pytest.mark.parametrize("answer", [None, 0])
async def test_a_raw_file_that_takes_nothing(connect: Connect, answer: int | None) -> None:
    class Raw(io.RawIOBase):
        def write(self, data: Any) -> Any:
            return answer

    async with connect() as conn:
        with pytest.raises(OSError, match="takes no more"):
            await conn.copy_from_query(MANY, output=Raw())
        assert await conn.fetchval("SELECT 42") == 42


async def test_a_stream_writer(connect: Connect) -> None:
    got = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.extend(await reader.read(-1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    _, writer = await asyncio.open_connection(host, port)
    async with connect() as conn:
        await conn.copy_from_query(MANY, output=writer)
    writer.close()
    await writer.wait_closed()
    while len(got) < len(DATA):
        await asyncio.sleep(0.01)
    server.close()
    await server.wait_closed()
    assert got == DATA


async def test_progress(connect: Connect) -> None:
    async with connect() as conn:
        told: list[int] = []
        sizes: list[int] = []
        await conn.copy_from_query(
            MANY, output=lambda data: sizes.append(len(data)), progress=told.append
        )
        assert told == [sum(sizes[: i + 1]) for i in range(len(sizes))]
        assert told[-1] == len(DATA)
        with pytest.raises(ZeroDivisionError):
            await conn.copy_from_query(MANY, output=io.BytesIO(), progress=lambda size: 1 / 0)
        assert await conn.fetchval("SELECT 42") == 42


# --- what is refused ------------------------------------------------------------------------------


async def test_no_output(connect: Connect) -> None:
    async with connect() as conn:
        outputs: list[Any] = [None, 5, object(), [b"x"], 1.5]
        for output in outputs:
            with pytest.raises(TypeError, match="output: expected a path, a binary file or a func"):
                await conn.copy_from_query("SELECT 1", output=output)
        assert await conn.fetchval("SELECT 42") == 42


async def test_a_path_that_cannot_be_opened(
    connect: Connect, table: None, monitor: Monitor, tmp_path: Path
) -> None:
    """Nothing is sent."""
    query = "INSERT INTO copied VALUES (7) RETURNING id"
    async with connect() as conn:
        for path in (tmp_path, tmp_path / "nowhere" / "file", ""):
            with pytest.raises((IsADirectoryError, FileNotFoundError)):
                await conn.copy_from_query(query, output=path)
        with pytest.raises(ValueError, match="null"):
            await conn.copy_from_query(query, output="a\0b")
    assert monitor.ask("SELECT count(*) FROM copied") == [(3,)]


async def test_a_text_file(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(TypeError):
            await conn.copy_from_query("SELECT 1", output=io.StringIO())  # type: ignore[arg-type]
        assert await conn.fetchval("SELECT 42") == 42


QUERIES: list[tuple[Any, Any]] = [
    ("", PostgresSyntaxError),
    ("nonsense", PostgresSyntaxError),
    ("SELECT 1; SELECT 2", PostgresSyntaxError),
    ("SELECT 1) TO STDOUT; DROP TABLE copied; COPY (SELECT 1", PostgresSyntaxError),
    ("SELECT (1", PostgresSyntaxError),
    ("SELECT 'a", PostgresSyntaxError),
    ("SELECT 1 /*", PostgresSyntaxError),
    ("copied", PostgresSyntaxError),
    ("SELECT * FROM nothing", UndefinedTableError),
    ("UPDATE copied SET id = 1", FeatureNotSupportedError),
    ("BEGIN", PostgresSyntaxError),
    ("SELECT 1\0", InterfaceError),
    ("SELECT '\ud800'", InterfaceError),
    (5, InterfaceError),
    (None, InterfaceError),
]


@modes
async def test_no_query(connect: Connect, table: None, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        for query, kind in QUERIES:
            with pytest.raises(kind):
                await conn.copy_from_query(query, output=io.BytesIO())
            assert await conn.fetchval("SELECT count(*) FROM copied") == 3


BAD_OPTIONS: list[tuple[dict[str, Any], Any]] = [
    ({"format": "xml"}, InvalidParameterValueError),
    ({"delimiter": "ab"}, FeatureNotSupportedError),
    ({"delimiter": ""}, FeatureNotSupportedError),
    ({"delimiter": "\n"}, InvalidParameterValueError),
    ({"format": "csv", "quote": "ab"}, FeatureNotSupportedError),
    ({"format": "binary", "delimiter": ","}, (FeatureNotSupportedError, PostgresSyntaxError)),
    ({"format": "csv", "force_quote": ["nothing"]}, UndefinedColumnError),
    ({"encoding": "klingon"}, InvalidParameterValueError),
    ({"header": "nonsense"}, PostgresSyntaxError),
    ({"columns": ["nothing"]}, UndefinedColumnError),
    ({"schema_name": "nothing"}, InvalidSchemaNameError),
    ({"columns": "id"}, InterfaceError),
    ({"columns": [5]}, InterfaceError),
    ({"format": 5}, InterfaceError),
    ({"null": "\0"}, InterfaceError),
    ({"timeout": "soon"}, ValueError),
]


async def test_bad_options(connect: Connect, table: None) -> None:
    async with connect() as conn:
        for options, kind in BAD_OPTIONS:
            with pytest.raises(kind):
                await conn.copy_from_table("copied", output=io.BytesIO(), **options)
            assert await conn.fetchval("SELECT 42") == 42


async def test_a_table_that_may_not_be_read(connect: Connect, table: None) -> None:
    async with connect() as conn:
        with pytest.raises(InsufficientPrivilegeError):
            async with conn.transaction():
                await conn.execute("SET LOCAL ROLE pg_monitor")
                await conn.copy_from_table("copied", output=io.BytesIO())


async def test_other_calls_are_told_of_it(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(UnsupportedClientFeatureError) as caught:
            await conn.execute("COPY (SELECT 1) TO STDOUT")
        assert "copy_from_query()" in str(caught.value.hint)


async def test_on_a_closed_connection(connect: Connect, tmp_path: Path) -> None:
    path = tmp_path / "data"
    conn = await connect()
    await conn.close()
    with pytest.raises(InterfaceError, match="connection is closed"):
        await conn.copy_from_query("SELECT 1", output=path)
    with pytest.raises(InterfaceError, match="connection is closed"):
        await conn.copy_from_table("copied", output=path)
    assert not path.exists()


async def test_in_transactions(connect: Connect, table: None) -> None:
    async with connect() as conn:
        blocks: list[bytes] = []
        async with conn.transaction():  # BEGIN travels with it
            await conn.copy_from_query("SELECT count(*) FROM copied", output=blocks.append)
            await conn.execute("INSERT INTO copied VALUES (4)")
            async with conn.transaction():
                await conn.copy_from_query("SELECT count(*) FROM copied", output=blocks.append)
            await conn.copy_from_query("SELECT $1::numeric", 1.5, output=blocks.append)
        assert blocks == [b"3\n", b"4\n", b"1.5\n"]
        with pytest.raises(UndefinedTableError):
            async with conn.transaction():
                await conn.copy_from_table("nothing", output=blocks.append)
        assert not conn.is_in_transaction()


async def test_in_a_transaction_of_another_task(connect: Connect, table: None) -> None:
    """It waits for the end of that."""
    async with connect() as conn:
        order: list[str] = []

        async def copy() -> None:
            await conn.copy_from_query("SELECT 1", output=lambda data: order.append("copied"))

        async with conn.transaction():
            await conn.execute("INSERT INTO copied VALUES (4)")
            # No part of the transaction: its context was made before.
            task = asyncio.get_running_loop().create_task(copy(), context=contextvars.Context())
            await asyncio.sleep(0.05)
            order.append("left")
        await task
        assert order == ["left", "copied"]


async def test_the_types_of_the_server(connect: Connect) -> None:
    """A COPY in binary is passed on as it is."""
    async with connect() as conn:
        buffer = io.BytesIO()
        await conn.copy_from_query("SELECT 1::int4", output=buffer, format="binary")
        expected = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\1\0\0\0\4\0\0\0\1\xff\xff"
        assert buffer.getvalue() == expected


def test_a_file_is_not_known_before_it_is_looked_at() -> None:
    for good in ("x", b"x", Path("x"), io.BytesIO(), print):
        copy_outputs.check_output(good)
