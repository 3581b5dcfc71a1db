"""The same story of listeners through asyncpg; and channels of any name."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import asyncpg
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgallop

# A connection of either: what they have in common is not in their types.
Either: TypeAlias = Any

SENDABLE = st.one_of(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    st.sampled_from("\"'\\$;-/*()&U\n\r\t é\u200b\U0001f600"),
)
TEXTS = st.text(SENDABLE, max_size=63)
NAMES = TEXTS.filter(lambda name: 0 < len(name.encode()) <= 63)


class Story:
    """What listeners heard, without a promise about the order among them."""

    def __init__(self, conn: Either) -> None:
        self.conn = conn
        self.heard: list[str] = []

    def plain(self, conn: Either, pid: int, channel: str, payload: str) -> None:
        self.heard.append(f"plain {conn is self.conn} {channel} {payload}")

    async def coroutine(self, conn: Either, pid: int, channel: str, payload: str) -> None:
        await asyncio.sleep(0)
        self.heard.append(f"coroutine {conn is self.conn} {channel} {payload}")

    def log(self, conn: Either, message: Any) -> None:
        fields = sorted(message.as_dict().items())
        self.heard.append(f"log {conn is self.conn} {type(message).__name__} {fields}")

    async def told(self) -> list[str]:
        await asyncio.sleep(0.02)
        heard, self.heard = sorted(self.heard), []
        return heard


async def notifications(conn: Either) -> list[object]:
    story = Story(conn)
    listeners = (story.plain, story.plain, story.coroutine)
    told: list[object] = [await conn.add_listener("Jobs", each) for each in listeners]
    for text in (
        'NOTIFY "Jobs"',
        "NOTIFY jobs",
        "NOTIFY \"Jobs\", 'p'",
        "LISTEN jobs; NOTIFY jobs",
    ):
        await conn.execute(text)
        told.append(await story.told())
    told.append(await conn.remove_listener("Jobs", story.coroutine))
    told.append(await conn.remove_listener("Jobs", print))
    told.append(await conn.remove_listener("unknown", print))
    await conn.execute("NOTIFY \"Jobs\", 'p'")
    told.append(await story.told())
    told.append(await conn.remove_listener("Jobs", story.plain))
    told.append([tuple(row) for row in await conn.fetch("SELECT pg_listening_channels()")])
    await conn.close()
    told.append(await conn.remove_listener("Jobs", story.plain))
    return told


async def notices(conn: Either) -> list[object]:
    story = Story(conn)
    told: list[object] = []
    conn.add_log_listener(story.log)
    conn.add_log_listener(story.log)
    for text in (
        "DO $$ BEGIN RAISE NOTICE 'n' USING DETAIL = 'd', HINT = 'h', COLUMN = 'c'; END $$",
        "DO $$ BEGIN RAISE WARNING 'w' USING ERRCODE = '22012'; END $$",
        "DO $$ BEGIN RAISE INFO 'i'; RAISE LOG 'not sent'; END $$",
        "DROP TABLE IF EXISTS nothing_of_the_kind",
        "COMMIT",
        "BEGIN; BEGIN; ROLLBACK",
    ):
        await conn.execute(text)
        told.append(await story.told())
    conn.remove_log_listener(story.log)
    conn.remove_log_listener(story.log)
    await conn.execute("COMMIT")
    told.append(await story.told())
    await conn.close()
    return told


async def refusals(conn: Either) -> list[object]:
    told: list[object] = []
    for bad in (None, 5):
        try:
            conn.add_log_listener(bad)
        except Exception as error:
            told.append(type(error).__name__)
        try:
            await conn.add_listener("jobs", bad)
        except Exception as error:
            told.append(type(error).__name__)
    await conn.close()
    try:
        conn.add_log_listener(print)
    except Exception as error:
        told.append((type(error).__name__, "connection is closed" in str(error)))
    try:
        await conn.add_listener("jobs", print)
    except Exception as error:
        told.append((type(error).__name__, "connection is closed" in str(error)))
    return told


@pytest.mark.parametrize("story", [notifications, notices, refusals])
def test_as_asyncpg(dsn: str, story: Any) -> None:
    theirs = asyncio.run(tell(story, asyncpg.connect(dsn)))
    ours = asyncio.run(tell(story, pgallop.connect(dsn)))
    assert ours == theirs
    assert len(theirs) > 5


async def tell(story: Any, connecting: Any) -> list[object]:
    conn = await connecting
    told: list[object] = await story(conn)
    return told


def test_a_name_that_is_cut(dsn: str) -> None:
    """The server cuts it without an error, and then nothing is heard; so it is refused."""

    async def their_way() -> list[str]:
        conn: Either = await asyncpg.connect(dsn)
        story = Story(conn)
        await conn.add_listener("a" * 64, story.plain)
        assert await conn.fetchval("SELECT pg_listening_channels()") == "a" * 63
        await conn.execute(f"NOTIFY {'a' * 64}")
        await conn.close()
        return await story.told()

    async def our_way() -> None:
        async with pgallop.connect(dsn) as conn:
            await conn.add_listener("a" * 64, print)

    assert asyncio.run(their_way()) == []
    with pytest.raises(pgallop.InterfaceError, match="has 64 bytes in UTF-8"):
        asyncio.run(our_way())


def test_any_channel(dsn: str) -> None:
    """The server listens to exactly that name, and what is sent to it arrives."""

    async def hear(conn: pgallop.Connection, name: str, payload: str) -> None:
        heard: list[tuple[str, str]] = []

        def listener(conn: object, pid: int, *said: str) -> None:
            heard.append((said[0], said[1]))

        await conn.add_listener(name, listener)
        assert await conn.fetchval("SELECT array_agg(c) FROM pg_listening_channels() c") == [name]
        sender.execute("SELECT pg_notify(%s, %s)", (name, payload))
        async with asyncio.timeout(5):
            while not heard:
                await conn.fetchval("SELECT 1")
        await conn.remove_listener(name, listener)
        assert heard == [(name, payload)]
        assert await conn.fetchval("SELECT count(*) FROM pg_listening_channels()") == 0

    with psycopg.connect(dsn, autocommit=True) as sender, asyncio.Runner() as runner:

        async def connect() -> pgallop.Connection:
            return await pgallop.connect(dsn)

        conn = runner.run(connect())

        @settings(max_examples=300, deadline=None, derandomize=True, database=None)
        @given(NAMES, TEXTS)
        def check(name: str, payload: str) -> None:
            runner.run(hear(conn, name, payload))

        check()
        runner.run(conn.close())


@pytest.mark.parametrize("what", ["table", "column", "savepoint", "schema"])
def test_any_name_of_anything(dsn: str, what: str) -> None:
    """Quoted as we do it a name is what the server's own quoting makes of it, in other places."""
    from pgallop.sql.quoting import quote_identifier

    texts = {
        "table": "CREATE TEMP TABLE {} (i int); DROP TABLE {}",
        "column": "CREATE TEMP TABLE t ({} int); SELECT {} FROM t; DROP TABLE t",
        "savepoint": "BEGIN; SAVEPOINT {}; ROLLBACK TO SAVEPOINT {}; ROLLBACK",
        "schema": "CREATE SCHEMA {}; DROP SCHEMA {}",
    }
    with psycopg.connect(dsn, autocommit=True) as connection:

        @settings(max_examples=50, deadline=None, derandomize=True, database=None)
        @given(NAMES.filter(lambda name: not name.startswith("pg_")))
        def check(name: str) -> None:
            quoted = quote_identifier(name)
            (same,) = connection.execute(
                "SELECT (parse_ident(%s))[1] = %s", (quoted, name)
            ).fetchone() or (False,)
            assert same
            connection.execute(texts[what].replace("{}", quoted).encode())

        check()
