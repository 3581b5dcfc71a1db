"""Listeners for notices."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ears import complaints
from live import Connect

import pgallop
from pgallop import PostgresLogMessage

# All that a function can say, one line each.
SAYS = "\n".join(
    f"RAISE {level} 'at level %', '{level}' USING DETAIL = 'd', HINT = 'h';"
    for level in ("DEBUG", "LOG", "INFO", "NOTICE", "WARNING")
)
SAY_ALL = f"SET client_min_messages = debug1; DO $$ BEGIN {SAYS} END $$"
LEVELS = ["DEBUG", "LOG", "INFO", "NOTICE", "WARNING"]


class Ear:
    """A listener that notes the messages about functions of these tests."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.connections: set[object] = set()

    def __call__(self, conn: object, message: Any) -> None:
        self.heard.append(message)
        self.connections.add(conn)

    async def coroutine(self, conn: object, message: Any) -> None:
        await asyncio.sleep(0)
        self(conn, message)

    def severities(self) -> list[str]:
        said = [each for each in self.heard if str(each.message).startswith("at level")]
        return [each.severity_en.rstrip("12345") for each in said]


async def test_all_levels(connect: Connect) -> None:
    async with connect() as conn:
        plain, coroutine = Ear(), Ear()
        conn.add_log_listener(plain)
        conn.add_log_listener(coroutine.coroutine)
        await conn.execute(SAY_ALL)
        assert plain.severities() == LEVELS  # before the answer
        await asyncio.sleep(0.01)
        assert coroutine.severities() == LEVELS
        assert plain.connections == coroutine.connections == {conn}
        (notice,) = [each for each in plain.heard if each.message == "at level NOTICE"]
        assert isinstance(notice, PostgresLogMessage)
        assert (notice.detail, notice.hint, notice.sqlstate) == ("d", "h", "00000")
        with pytest.raises(TypeError, match="cannot be changed"):
            notice.detail = "other"


async def test_in_the_middle_of_rows(connect: Connect) -> None:
    async with connect() as conn:
        ear = Ear()
        conn.add_log_listener(ear)
        await conn.execute(
            "CREATE FUNCTION pg_temp.say(i int) RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE NOTICE '%', i; RETURN i; END $$"
        )
        rows = await conn.fetch("SELECT pg_temp.say(i) FROM generate_series(1, 2000) i")
        assert [row[0] for row in rows] == list(range(1, 2001))
        async with asyncio.timeout(5):
            while len(ear.heard) < 2000:
                await asyncio.sleep(0.002)
        assert [int(each.message) for each in ear.heard] == list(range(1, 2001))


async def test_added_and_removed(connect: Connect) -> None:
    async with connect() as conn:
        first, second = Ear(), Ear()
        assert conn._session.on_notice is None  # nothing is made of notices for nobody
        for listener in (first, first, second.coroutine, second.coroutine):
            conn.add_log_listener(listener)
        await conn.execute("DO $$ BEGIN RAISE NOTICE '1'; END $$")
        conn.remove_log_listener(first)
        conn.remove_log_listener(first)
        conn.remove_log_listener(print)
        await conn.execute("DO $$ BEGIN RAISE NOTICE '2'; END $$")
        await asyncio.sleep(0.01)
        conn.remove_log_listener(second.coroutine)
        assert conn._session.on_notice is None
        await conn.execute("DO $$ BEGIN RAISE NOTICE '3'; END $$")
        await asyncio.sleep(0.01)
        assert [each.message for each in first.heard] == ["1"]
        assert [each.message for each in second.heard] == ["1", "2"]


async def test_a_listener_that_fails(connect: Connect) -> None:
    def plain(*arguments: object) -> None:
        raise LookupError("plain")

    async def coroutine(*arguments: object) -> None:
        raise LookupError("coroutine")

    async with connect() as conn:
        before, after = Ear(), Ear()
        for listener in (before, plain, coroutine, after):
            conn.add_log_listener(listener)
        with complaints() as seen:
            assert await conn.execute("DO $$ BEGIN RAISE NOTICE 'x'; END $$") == "DO"
            await asyncio.sleep(0.01)
        assert [str(context["exception"]) for context in seen] == ["plain", "coroutine"]
        assert before.heard == after.heard != []


async def test_refused(connect: Connect) -> None:
    conn = await connect()
    for bad in (None, 5, "callback"):
        with pytest.raises(pgallop.InterfaceError, match="expected a function"):
            conn.add_log_listener(bad)  # type: ignore[arg-type]
    conn.add_log_listener(print)
    await conn.close()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        conn.add_log_listener(print)
    conn.remove_log_listener(print)
