"""COPY into a table: from every kind of source, with every option."""

from __future__ import annotations

import array
import asyncio
import datetime as dt
import io
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from live import Connect, Monitor

import pgallop
from pgallop.session.copy_in import PIECE

modes = pytest.mark.parametrize("mode", ["named", "unnamed"])
all_modes = pytest.mark.parametrize("mode", ["named", "unnamed", "simple"])

# So many rows are several pieces.
MANY = 3 * PIECE // 60

Row = tuple[int, str | None]


@pytest.fixture(autouse=True)
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE copied (a int8, b text)")
    yield
    monitor.ask("DROP TABLE IF EXISTS copied")


def rows(count: int, start: int = 0) -> list[Row]:
    return [(i, f"{i:050}") for i in range(start, start + count)]


def lines(rows: list[Row]) -> list[bytes]:
    return [f"{a}\t{b}\n".encode() for a, b in rows]


def stored(monitor: Monitor) -> list[Any]:
    # As a float8, whatever it is by now: the monitor's driver keeps plans.
    return monitor.ask("SELECT a::float8, b FROM copied ORDER BY a")


async def slowly(items: list[Any]) -> AsyncIterator[Any]:
    for i, item in enumerate(items):
        if i % 1000 == 0:
            await asyncio.sleep(0)
        yield item


# --- bytes ----------------------------------------------------------------------------------------


class AsyncFile:
    """A file whose `read` is a coroutine function."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    async def read(self, size: int) -> bytes:
        await asyncio.sleep(0)
        return self._file.read(size)


@all_modes
@pytest.mark.parametrize("count", [0, MANY])
async def test_from_every_kind_of_source(
    connect: Connect, monitor: Monitor, tmp_path: Path, mode: str, count: int
) -> None:
    data = b"".join(lines(rows(count)))
    path = tmp_path / "rows.txt"
    path.write_bytes(data)
    sources: list[Any] = [
        *(data, bytearray(data), memoryview(data), array.array("B", data)),
        *(str(path), path, io.BytesIO(data), AsyncFile(data)),
        *(lines(rows(count)), iter(lines(rows(count))), [data], [b"", memoryview(data), b""]),
        *(slowly(lines(rows(count))), slowly([data])),
    ]
    async with connect(statement_mode=mode) as conn:
        for source in sources:
            assert await conn.copy_to_table("copied", source=source) == f"COPY {count}"
            assert stored(monitor) == rows(count)
            monitor.ask("TRUNCATE copied")
        with path.open("rb") as file:
            assert await conn.copy_to_table("copied", source=file) == f"COPY {count}"
            assert not file.closed
        assert stored(monitor) == rows(count)


async def test_a_message_is_not_as_long_as_its_source(connect: Connect, monitor: Monitor) -> None:
    """Chunks are cut and put together."""
    async with connect() as conn:
        chunk = b"".join(lines(rows(4 * MANY)))
        assert await conn.copy_to_table("copied", source=[chunk]) == f"COPY {4 * MANY}"
        single = (bytes([byte]) for byte in b"".join(lines(rows(100, 4 * MANY))))
        assert await conn.copy_to_table("copied", source=single) == "COPY 100"
    assert stored(monitor) == rows(4 * MANY + 100)


async def test_options(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:

        async def copied(source: bytes, **options: Any) -> list[Any]:
            await conn.copy_to_table("copied", source=source, **options)
            answer = stored(monitor)
            monitor.ask("TRUNCATE copied")
            return answer

        assert await copied(b"1|x\n2|-\n", delimiter="|", null="-") == [(1, "x"), (2, None)]
        assert await copied(b'a,b\n1,"x,""y"\n', format="csv", header=True) == [(1, 'x,"y')]
        assert await copied(b"1,'x\\'y'\n", format="csv", quote="'", escape="\\") == [(1, "x'y")]
        assert await copied(b"1,\n", format="csv") == [(1, None)]
        assert await copied(b"1,\n", format="csv", force_not_null=["b"]) == [(1, "")]
        assert await copied(b'1,""\n', format="csv", force_null=["b"]) == [(1, None)]
        assert await copied(b"x\t1\n", columns=["b", "a"]) == [(1, "x")]
        assert await copied(b"x\n", columns=("b",)) == [(None, "x")]
        assert await copied(b"1\t\xe9\n", encoding="latin1") == [(1, "é")]
        assert await copied(b"1\tx\n2\ty\n3\tz\n", where="a > 1 AND b <> 'z'") == [(2, "y")]
        assert await copied(b"1\tx\n", schema_name="public", where="true -- all") == [(1, "x")]
        with pytest.raises(pgallop.PostgresError):
            await copied(b"1\tx\n", format="nonsense")
        with pytest.raises(pgallop.PostgresError):
            await copied(b"1\tx\n", force_quote=["b"])
        with pytest.raises(pgallop.PostgresError):
            await copied(b"1\tx\n", schema_name="pg_catalog")
        with pytest.raises(pgallop.PostgresSyntaxError):
            await copied(b"1\tx\n", where="true); DROP TABLE copied; --")
        with pytest.raises(pgallop.InterfaceError):
            await copied(b"1\tx\n", delimiter=7)


async def test_frozen(connect: Connect) -> None:
    async with connect() as conn:
        async with conn.transaction():
            await conn.execute("TRUNCATE copied")
            assert await conn.copy_to_table("copied", source=b"1\tx\n", freeze=True) == "COPY 1"
        assert await conn.fetchval("SELECT xmin FROM copied") is not None
        with pytest.raises(pgallop.ObjectNotInPrerequisiteStateError):
            await conn.copy_to_table("copied", source=b"1\tx\n", freeze=True)


async def test_the_binary_format(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        data = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\2\0\0\0\x08" + bytes(7) + b"\7\0\0\0\1x"
        source = data + b"\xff\xff"
        assert await conn.copy_to_table("copied", source=source, format="binary") == "COPY 1"
    assert stored(monitor) == [(7, "x")]


async def test_names_as_they_are(connect: Connect, monitor: Monitor) -> None:
    name = 'My "odd" table; DROP TABLE copied'
    async with connect() as conn:
        quoted = '"My ""odd"" table; DROP TABLE copied"'
        await conn.execute(f'CREATE TEMP TABLE {quoted} ("A b" int, "c,d" text)')
        assert await conn.copy_to_table(name, source=b"1\tx\n") == "COPY 1"
        columns = ["c,d", "A b"]
        records = [("y", 2)]
        assert await conn.copy_records_to_table(name, records=records, columns=columns) == "COPY 1"
        assert await conn.fetch(f"SELECT * FROM {quoted}") == [(1, "x"), (2, "y")]
    assert stored(monitor) == []


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (5, "got 5 (int)"),
        (None, "got None (NoneType)"),
        ({"a": b""}, "got {'a': b''} (dict)"),
        (len, "(builtin_function_or_method)"),
        ([b"1\tx\n", "2\ty\n"], "expected bytes, got '2\\ty\\n' (str): a text has to be encoded"),
        ([5], "expected bytes, got 5 (int)"),
        (io.StringIO("1\tx\n"), "a file opened in binary mode"),
    ],
)
async def test_what_is_no_source(
    connect: Connect, monitor: Monitor, source: Any, words: str
) -> None:
    async with connect() as conn:
        with pytest.raises(TypeError) as raised:
            await conn.copy_to_table("copied", source=source)
        assert words in str(raised.value)
        async with conn.transaction():  # nothing was sent
            with pytest.raises(TypeError):
                await conn.copy_to_table("copied", source=source)
            assert await conn.fetchval("SELECT 1") == 1
    assert stored(monitor) == []


async def test_a_file_that_is_not_there(connect: Connect, tmp_path: Path) -> None:
    async with connect() as conn, conn.transaction():
        with pytest.raises(FileNotFoundError):
            await conn.copy_to_table("copied", source=tmp_path / "nothing")
        with pytest.raises(IsADirectoryError):
            await conn.copy_to_table("copied", source=os.fspath(tmp_path))
        assert await conn.fetchval("SELECT 1") == 1


# --- records --------------------------------------------------------------------------------------


class Countable:
    """A sequence of a class of its own."""

    def __init__(self, *values: Any) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> Any:
        return self._values[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)


@modes
@pytest.mark.parametrize("count", [0, MANY])
async def test_records(connect: Connect, monitor: Monitor, mode: str, count: int) -> None:
    expected = rows(count)
    async with connect(statement_mode=mode) as conn:
        records: Any
        for records in (
            *(expected, tuple(expected), iter(expected), (row for row in expected)),
            *(slowly(expected), [list(row) for row in expected]),
            [Countable(*row) for row in expected],
        ):
            answer = await conn.copy_records_to_table("copied", records=records)
            assert answer == f"COPY {count}"
            assert stored(monitor) == expected
            monitor.ask("TRUNCATE copied")


@modes
async def test_records_of_a_query(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        fetched = await conn.fetch("SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2, NULL ORDER BY 1")
        assert await conn.copy_records_to_table("copied", records=fetched) == "COPY 2"
        async with connect() as other:
            stream: Any = other.stream("SELECT i + 2, 'y' FROM generate_series(1, 100) i")
            assert await conn.copy_records_to_table("copied", records=stream) == "COPY 100"
        where = "a % 2 = 0"
        records = rows(10, 200)
        tag = await conn.copy_records_to_table("copied", records=records, where=where)
        assert tag == "COPY 5"
    assert stored(monitor)[:2] == [(1, "x"), (2, None)]
    assert len(stored(monitor)) == 107


@modes
async def test_types(connect: Connect, mode: str) -> None:
    """Also those that the catalogue has to be asked about."""
    values = [
        *(True, 7, 2**40, 1.5, Decimal("12.340"), "text", b"bytes", {"a": [1]}),
        *(dt.datetime(2024, 1, 2, 3, 4, 5, 6, dt.UTC), dt.date(2024, 1, 2), dt.timedelta(1, 2)),
        *(uuid.UUID(int=7), [[1, 2], [3, None]], pgallop.Range(1, 5), "sad", ("x", 1)),
        *([("y", None)], 7, "1.10"),
    ]
    columns = """
        a bool, b int2, c int8, d float4, e numeric, f text, g bytea, h jsonb, i timestamptz,
        j date, k interval, l uuid, m int4[], n int4range, o copied_mood, p copied_pair,
        q copied_pair[], r copied_number, s money
    """
    async with connect(statement_mode=mode) as conn:
        await conn.execute(
            "CREATE TYPE copied_mood AS ENUM ('sad'); CREATE TYPE copied_pair AS (t text, n int);"
            "CREATE DOMAIN copied_number AS int CHECK (VALUE > 0)"
        )
        try:
            await conn.execute(f"CREATE TEMP TABLE every_type ({columns})")
            records = [tuple(values), [None] * len(values)]
            assert await conn.copy_records_to_table("every_type", records=records) == "COPY 2"
            row, nulls = await conn.fetch("SELECT * FROM every_type")
            assert list(nulls) == [None] * len(values)
            arguments = ", ".join(f"${i + 1}" for i in range(len(values)))
            await conn.execute("TRUNCATE every_type")
            await conn.execute(f"INSERT INTO every_type VALUES ({arguments})", *values)
            assert [row] == await conn.fetch("SELECT * FROM every_type")
            with pytest.raises(pgallop.CheckViolationError):
                await conn.copy_records_to_table("every_type", records=[(0,)], columns=["r"])
            with pytest.raises(pgallop.DataError, match=r'column "q"\[1\] ?(\.n|\[1\])?.*int4'):
                records = [([("y", 1), ("y", "n")],)]
                await conn.copy_records_to_table("every_type", records=records, columns=["q"])
        finally:
            await conn.execute(
                "DROP TABLE IF EXISTS every_type;"
                "DROP TYPE copied_pair; DROP TYPE copied_mood; DROP DOMAIN copied_number"
            )


@modes
async def test_codecs_of_the_user(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        await conn.set_type_codec(
            "int8", schema="pg_catalog", encoder=lambda value: str(value + 1), decoder=int
        )
        await conn.set_type_codec(
            "text",
            schema="pg_catalog",
            format="binary",
            encoder=lambda value: value.upper().encode(),
            decoder=bytes.decode,
        )
        assert await conn.copy_records_to_table("copied", records=[(1, "x")]) == "COPY 1"
    assert stored(monitor) == [(2, "X")]


async def test_types_without_a_binary_form(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE odd (a int, acl aclitem, r regclass)")
        with pytest.raises(pgallop.UnsupportedClientFeatureError) as raised:
            await conn.copy_records_to_table("odd", records=[(1, "postgres=r/postgres", 1)])
        assert 'column "acl": values of aclitem' in str(raised.value)
        assert await conn.copy_to_table("odd", source=b"3\tpostgres=r/postgres\tpg_class\n")
        assert await conn.fetch("SELECT a, r FROM odd") == [(3, "pg_class")]
        # The others in binary only: a name of a table is its OID then.
        await conn.execute("ALTER TABLE odd DROP acl")
        await conn.copy_records_to_table("odd", records=[(1, 1259), (2, None)])
        assert await conn.fetch("SELECT a, r FROM odd WHERE a < 3") == [(1, "pg_class"), (2, None)]


async def test_generated_columns(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute(
            "CREATE TEMP TABLE made (a int, b int GENERATED ALWAYS AS (a * 2) STORED)"
        )
        if await conn.fetchval(
            "SELECT attgenerated <> '' FROM pg_attribute WHERE attname = 'b'"
            " AND attrelid = 'made'::regclass"
        ):
            with pytest.raises(pgallop.InterfaceError, match="COPY takes 1 column of this table"):
                await conn.copy_records_to_table("made", records=[(1, 2)])
        await conn.copy_records_to_table("made", records=[(1,)], columns=["a"])
        assert await conn.fetch("SELECT * FROM made") == [(1, 2)]


async def test_no_columns_at_all(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE nothing ()")
        assert await conn.copy_records_to_table("nothing", records=[(), ()]) == "COPY 2"
        assert await conn.fetchval("SELECT count(*) FROM nothing") == 2


@modes
async def test_who_may_only_insert(connect: Connect, monitor: Monitor, mode: str) -> None:
    """Describing takes no privileges, where selecting would."""
    monitor.ask("CREATE ROLE copied_inserter; GRANT INSERT ON copied TO copied_inserter")
    try:
        async with connect(statement_mode=mode) as conn:
            await conn.execute("SET ROLE copied_inserter")
            for count in (1, 2):
                await conn.copy_records_to_table("copied", records=rows(1, count))
                with pytest.raises(pgallop.InsufficientPrivilegeError):
                    await conn.fetch("SELECT * FROM copied")
            await conn.execute("RESET ROLE; REVOKE INSERT ON copied FROM copied_inserter")
            await conn.execute("SET ROLE copied_inserter")
            with pytest.raises(pgallop.InsufficientPrivilegeError):
                await conn.copy_records_to_table("copied", records=rows(1))
    finally:
        monitor.ask("DROP OWNED BY copied_inserter; DROP ROLE copied_inserter")
    assert stored(monitor) == rows(2, 1)


@pytest.mark.parametrize("records", [5, None, "ab", b"ab", {1: 2}, len])
async def test_what_are_no_records(connect: Connect, records: Any) -> None:
    async with connect() as conn:
        with pytest.raises(TypeError, match="records: expected an iterable"):
            await conn.copy_records_to_table("copied", records=records)


async def test_in_the_simple_protocol(connect: Connect) -> None:
    async with connect(statement_mode="simple") as conn:
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="statement_mode='simple'"):
            await conn.copy_records_to_table("copied", records=rows(1))
        assert await conn.copy_to_table("copied", source=b"1\tx\n") == "COPY 1"


async def test_a_closed_connection(connect: Connect) -> None:
    async with connect() as conn:
        pass
    for call in (
        conn.copy_to_table("copied", source=b""),
        conn.copy_records_to_table("copied", records=[]),
    ):
        with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
            await call


async def test_timeouts_that_are_none(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="timeout: expected seconds"):
            await conn.copy_to_table("copied", source=b"", timeout="soon")  # type: ignore[arg-type]


# --- the columns are others by now ----------------------------------------------------------------


@modes
@pytest.mark.parametrize("count", [1, MANY])
async def test_columns_have_changed(
    connect: Connect, monitor: Monitor, mode: str, count: int
) -> None:
    """Bytes of an int8 would be a float8 without an error."""
    async with connect(statement_mode=mode) as conn:
        await conn.copy_records_to_table("copied", records=rows(1))
        monitor.ask("TRUNCATE copied; ALTER TABLE copied ALTER a TYPE float8")
        await conn.copy_records_to_table("copied", records=rows(count, 1))
        assert stored(monitor) == rows(count, 1)
        monitor.ask("TRUNCATE copied; ALTER TABLE copied ALTER a TYPE int8")
        await conn.copy_records_to_table("copied", records=slowly(rows(1, 1)))
        assert stored(monitor) == rows(1, 1)


async def test_columns_have_changed_and_records_are_gone(
    connect: Connect, monitor: Monitor
) -> None:
    """Without names no record is read before that is known."""
    async with connect() as conn, connect() as other, asyncio.timeout(20):
        await conn.copy_records_to_table("copied", records=rows(1))
        read = asyncio.Event()

        async def source() -> AsyncIterator[Row]:
            for row in rows(2 * MANY):
                yield row
            read.set()
            await asyncio.sleep(60)

        async with other.transaction():
            # The server has to wait for its end to know what the columns are.
            await other.execute("TRUNCATE copied; ALTER TABLE copied ALTER a TYPE float8")
            copy = asyncio.create_task(conn.copy_records_to_table("copied", records=source()))
            await read.wait()
        with pytest.raises(pgallop.FeatureNotSupportedError) as raised:
            await copy
        assert raised.value.safe_to_retry
        assert "were read by then" in str(raised.value.hint)
        assert stored(monitor) == []
        await conn.copy_records_to_table("copied", records=rows(2))
    assert stored(monitor) == rows(2)


@modes
@pytest.mark.parametrize("place", [0, MANY - 1])
async def test_a_record_that_did_not_fit(
    connect: Connect, monitor: Monitor, mode: str, place: int
) -> None:
    """It did not fit what was known; by now it does."""
    monitor.ask("ALTER TABLE copied ALTER a TYPE int4")
    records = rows(MANY)
    records[place] = (2**40 + place, "large")
    async with connect(statement_mode=mode) as conn:
        await conn.copy_records_to_table("copied", records=rows(1))
        with pytest.raises(pgallop.DataError, match=rf"records\[{place}\], column \"a\""):
            await conn.copy_records_to_table("copied", records=records)
        monitor.ask("TRUNCATE copied; ALTER TABLE copied ALTER a TYPE int8")
        await conn.copy_records_to_table("copied", records=records)
    assert stored(monitor) == sorted(records)


@modes
async def test_columns_have_changed_in_a_transaction(
    connect: Connect, monitor: Monitor, mode: str
) -> None:
    async with connect(statement_mode=mode) as conn:
        await conn.copy_records_to_table("copied", records=rows(1))
        monitor.ask("ALTER TABLE copied ADD c int")
        with pytest.raises(pgallop.TransactionAborted):
            async with conn.transaction():
                with pytest.raises(
                    (pgallop.FeatureNotSupportedError, pgallop.OutdatedSchemaCacheError)
                ) as raised:
                    await conn.copy_records_to_table("copied", records=rows(1))
                assert raised.value.safe_to_retry
        async with conn.transaction():
            await conn.copy_records_to_table("copied", records=[(1, "x", 2)])
    assert monitor.ask("SELECT * FROM copied ORDER BY a") == [(0, rows(1)[0][1], None), (1, "x", 2)]


@modes
async def test_the_parts_of_a_type_have_changed(
    connect: Connect, monitor: Monitor, mode: str
) -> None:
    """The column has the type that it had; the server finds that a value has not."""
    monitor.ask("CREATE TYPE copied_pair AS (x int, y int)")
    monitor.ask("ALTER TABLE copied ADD c copied_pair[]")
    try:
        async with connect(statement_mode=mode) as conn:
            await conn.copy_records_to_table("copied", records=[(1, "x", [(1, 2)])])
            # What did not fit before is asked about before it is refused, once.
            monitor.ask("ALTER TYPE copied_pair ADD ATTRIBUTE y2 int")
            await conn.copy_records_to_table("copied", records=iter([(0, "", [(1, 2, 3)])]))
            with pytest.raises(pgallop.DataError, match="has 4 items"):
                await conn.copy_records_to_table("copied", records=[(0, "", [(1, 2, 3, 4)])])
            monitor.ask("ALTER TYPE copied_pair DROP ATTRIBUTE y2, ADD ATTRIBUTE z text")
            with pytest.raises(pgallop.DatatypeMismatchError):
                await conn.copy_records_to_table("copied", records=[(2, "y", [(1, 2, 3)])])
            await conn.copy_records_to_table("copied", records=[(2, "y", [(1, 2, "z")])])
            assert await conn.fetchval("SELECT c[1] FROM copied WHERE a = 2") == (1, 2, "z")
    finally:
        monitor.ask("ALTER TABLE copied DROP c; DROP TYPE copied_pair")


@modes
async def test_a_temporary_table_in_front(connect: Connect, monitor: Monitor, mode: str) -> None:
    async with connect(statement_mode=mode) as conn:
        await conn.copy_records_to_table("copied", records=rows(1))
        await conn.execute("CREATE TEMP TABLE copied (b text, a float8, c int)")
        await conn.copy_records_to_table("copied", records=[("x", 1.5, 2)])
        assert await conn.fetch("SELECT * FROM copied") == [("x", 1.5, 2)]
        await conn.execute("DROP TABLE copied")
        await conn.copy_records_to_table("copied", records=rows(1, 1))
    assert stored(monitor) == rows(2)


async def test_what_the_server_has_forgotten(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        for start in range(3):
            await conn.copy_records_to_table("copied", records=rows(1, start))
            await conn.execute("SELECT 1; DEALLOCATE ALL; SELECT 1")
    assert stored(monitor) == rows(3)


@modes
async def test_connections_that_share_what_they_know(
    connect: Connect, monitor: Monitor, mode: str
) -> None:
    """Nothing compares what another connection was told with what is."""
    knowledge = pgallop.Knowledge()
    async with connect(statement_mode=mode, knowledge=knowledge) as conn:
        await conn.copy_records_to_table("copied", records=rows(1))
    monitor.ask("TRUNCATE copied; ALTER TABLE copied ALTER a TYPE float8")
    async with connect(statement_mode=mode, knowledge=knowledge) as conn:
        await conn.copy_records_to_table("copied", records=rows(1, 7))
    assert stored(monitor) == rows(1, 7)


# --- progress -------------------------------------------------------------------------------------


async def test_progress(connect: Connect, monitor: Monitor) -> None:
    data = b"".join(lines(rows(MANY)))
    sources: list[Any] = [data, io.BytesIO(data), slowly(lines(rows(MANY))), [data] * 3]
    async with connect() as conn:
        for source in sources:
            told: list[int] = []
            await conn.copy_to_table("copied", source=source, progress=told.append)
            assert told == sorted(set(told))
            assert told[-1] == len(data) * (3 if isinstance(source, list) else 1)
            assert 2 < len(told) <= told[-1] // PIECE + 1
        told = []
        await conn.copy_records_to_table("copied", records=rows(MANY), progress=told.append)
        assert told == sorted(set(told))
        assert told[-1] == 21 + MANY * (2 + 4 + 8 + 4 + 50)
        await conn.copy_to_table("copied", source=b"", progress=told.append)
        assert len(told) < 20


@pytest.mark.parametrize("count", [1, MANY])
async def test_progress_that_fails(connect: Connect, monitor: Monitor, count: int) -> None:
    def progress(moved: int) -> None:
        raise ZeroDivisionError

    async with connect() as conn:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await conn.copy_records_to_table("copied", records=rows(count), progress=progress)
        assert await conn.fetchval("SELECT 1") == 1
    assert stored(monitor) == []
