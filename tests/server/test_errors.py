"""Errors of the server, in each phase of a statement: typed, complete, and over when they are."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from live import Connect

import pgallop
from pgallop import Connection

Phase = Callable[[Connection], Awaitable[Any]]

# What fails where (the protocol's messages), and with what.
PHASES: dict[str, tuple[Phase, type[pgallop.PostgresError]]] = {
    "parse: syntax": (lambda c: c.fetch("SELECT FROM FROM"), pgallop.PostgresSyntaxError),
    "parse: name": (lambda c: c.fetch("SELECT * FROM nothing"), pgallop.UndefinedTableError),
    "parse: types": (
        lambda c: c.fetch("SELECT 1 + $1::point", None),
        pgallop.UndefinedFunctionError,
    ),
    "bind: the value": (
        lambda c: c.fetch("SELECT $1::aclitem", "nobody"),
        pgallop.InvalidTextRepresentationError,
    ),
    "bind: a constant expression": (
        lambda c: c.fetch("SELECT 1 / $1::int", 0),
        pgallop.DivisionByZeroError,
    ),
    "execute: the first row": (
        lambda c: c.fetch("SELECT 1 / (i - 1) FROM generate_series(1, 3) AS i"),
        pgallop.DivisionByZeroError,
    ),
    "execute: after many rows": (
        lambda c: c.fetch("SELECT 1 / (20000 - i) FROM generate_series(1, 30000) AS i"),
        pgallop.DivisionByZeroError,
    ),
    "execute: a constraint": (
        lambda c: c.execute("INSERT INTO t VALUES ($1)", 1),
        pgallop.UniqueViolationError,
    ),
    "sync: a deferred constraint": (
        lambda c: c.execute("INSERT INTO deferred VALUES ($1)", 1),
        pgallop.UniqueViolationError,
    ),
    "sync: with rows": (
        lambda c: c.fetch("INSERT INTO deferred VALUES ($1) RETURNING i", 1),
        pgallop.UniqueViolationError,
    ),
    "sync: with the first row": (
        lambda c: c.fetchval("INSERT INTO deferred VALUES ($1) RETURNING i", 1),
        pgallop.UniqueViolationError,
    ),
    "simple: syntax": (lambda c: c.execute("SELECT 1; SELEKT"), pgallop.PostgresSyntaxError),
    "simple: the second": (
        lambda c: c.execute("SELECT 1; SELECT 1/0"),
        pgallop.DivisionByZeroError,
    ),
    "simple: the end": (
        lambda c: c.execute("INSERT INTO deferred VALUES (1)"),
        pgallop.UniqueViolationError,
    ),
    "raised": (
        lambda c: c.execute("DO $$ BEGIN RAISE EXCEPTION 'words' USING ERRCODE = 'PG001'; END $$"),
        pgallop.PostgresError,
    ),
}

TABLES = """
    CREATE TEMP TABLE t (i int PRIMARY KEY);
    CREATE TEMP TABLE deferred (i int UNIQUE DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO t VALUES (1);
    INSERT INTO deferred VALUES (1);
"""


@pytest.mark.parametrize("phase", PHASES)
async def test_in_each_phase(connect: Connect, phase: str) -> None:
    call, kind = PHASES[phase]
    async with connect() as conn:
        await conn.execute(TABLES)
        for _ in range(2):
            with pytest.raises(kind) as caught:
                await call(conn)
            assert type(caught.value) is kind or kind is pgallop.PostgresError
            assert caught.value.sqlstate
            assert not conn.is_in_transaction()
        assert await conn.fetchval("SELECT count(*) FROM t, deferred") == 1


@pytest.mark.parametrize("phase", PHASES)
async def test_neighbours_are_unharmed(connect: Connect, phase: str) -> None:
    call, kind = PHASES[phase]
    async with connect() as conn:
        await conn.execute(TABLES)
        for _ in range(2):
            before = [conn.fetchval("SELECT $1::int", i) for i in range(3)]
            after = [conn.fetchval("SELECT $1::int", i) for i in range(3, 6)]
            results = await asyncio.gather(*before, call(conn), *after, return_exceptions=True)
            assert isinstance(results.pop(3), kind)
            assert results == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("phase", PHASES)
async def test_inside_a_transaction(connect: Connect, phase: str) -> None:
    call, kind = PHASES[phase]
    async with connect() as conn:
        await conn.execute(TABLES)
        at_commit = phase.startswith("sync") or phase == "simple: the end"
        with pytest.raises(kind):
            async with conn.transaction():
                await call(conn)
                assert at_commit  # that phase comes with COMMIT now
        assert not conn.is_in_transaction()
        assert await conn.fetchval("SELECT count(*) FROM t, deferred") == 1


async def test_after_an_error_in_a_transaction(connect: Connect) -> None:
    async with connect() as conn:
        tx = conn.transaction()
        await tx.start()
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn.fetch("SELECT 1/0")
        assert conn.is_in_transaction()
        for call in (conn.fetch("SELECT 1"), conn.execute("SELECT 1"), conn.fetch("SELECT $1", 1)):
            with pytest.raises(pgallop.InFailedSQLTransactionError):
                await call
        await tx.rollback()
        assert await conn.fetchval("SELECT 1") == 1


async def test_fields(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE people (id int CONSTRAINT grown_up CHECK (id > 17))")
        with pytest.raises(pgallop.CheckViolationError) as caught:
            await conn.execute("INSERT INTO people VALUES ($1)", 3)
        error = caught.value
        assert error.sqlstate == "23514"
        assert error.severity == "ERROR"
        assert error.table_name == "people"
        assert error.constraint_name == "grown_up"
        assert (error.schema_name or "").startswith("pg_temp")
        assert error.detail == "Failing row contains (3)."
        assert error.query == "INSERT INTO people VALUES ($1)"
        assert error.server_source_function == "ExecConstraints"
        copy = pickle.loads(pickle.dumps(error))
        assert str(copy) == str(error)


async def test_caret(connect: Connect) -> None:
    async with connect() as conn:
        for call in (conn.fetch, conn.execute):
            with pytest.raises(pgallop.UndefinedColumnError) as caught:
                await call("SELECT 1,\n  'ä', nam\nFROM pg_class")
            lines = str(caught.value).splitlines()
            assert lines[1] == "LINE 2:   'ä', nam"
            assert lines[2].index("^") == lines[1].index("nam")


async def test_text_of_the_server_in_any_language(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.RaiseError, match="Grüße, 世界"):
            await conn.execute("DO $$ BEGIN RAISE EXCEPTION 'Grüße, 世界'; END $$")


async def test_notices_disturb_nothing(connect: Connect) -> None:
    async with connect() as conn:
        notice = "DO $$ BEGIN FOR i IN 1..100 LOOP RAISE NOTICE 'nr %', i; END LOOP; END $$"
        results = await asyncio.gather(
            conn.execute(notice),
            conn.fetchval("SELECT 1"),
            conn.execute("DROP TABLE IF EXISTS no_such_table"),
            conn.fetchval("SELECT 2"),
        )
        assert list(results) == ["DO", 1, "DROP TABLE", 2]


async def test_notifications_disturb_nothing(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("LISTEN channel")
        calls = [conn.fetchval("SELECT pg_notify('channel', $1::text)", "x") for _ in range(10)]
        assert len(await asyncio.gather(*calls)) == 10
        assert await conn.fetchval("SELECT 1") == 1


async def test_client_encoding_cannot_be_changed(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="LATIN1"):
            await conn.execute("SET client_encoding = latin1")
        assert conn.is_closed()


async def test_error_position_counts_in_characters(connect: Connect) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.PostgresSyntaxError) as caught:
            await conn.fetch("SELECT '世界' FRM x y z")
        assert caught.value.position == str("SELECT '世界' FRM x y z".index("x") + 1)
