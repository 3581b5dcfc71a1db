"""reset() on a real server: nothing is left of the session's state, and whose it was is told."""

from __future__ import annotations

import asyncio
import inspect
import os
import random
import signal
import time

import asyncpg
import pytest
from ears import Ear, channels, complaints, elsewhere, forgotten
from interruption import MOMENTS, Interrupted, Moment
from live import Connect, Monitor

import pgallop

ROLE = "reset_other"


@pytest.fixture(scope="module", autouse=True)
def role(monitor: Monitor) -> None:
    monitor.ask(f"DROP ROLE IF EXISTS {ROLE}")
    monitor.ask(f"CREATE ROLE {ROLE} LOGIN")


@pytest.fixture
def table(monitor: Monitor) -> str:
    monitor.ask("DROP TABLE IF EXISTS reset_entries; CREATE TABLE reset_entries (n int)")
    return "reset_entries"


def stored(monitor: Monitor, table: str) -> list[int]:
    return [n for (n,) in monitor.ask(f"SELECT n FROM {table} ORDER BY n")]


# What is left, and where it shows.
LEFT = {
    "role": (f"SET ROLE {ROLE}", "SELECT current_user::text"),
    "session authorization": (f"SET SESSION AUTHORIZATION {ROLE}", "SELECT session_user::text"),
    "advisory locks": (
        "SELECT pg_advisory_lock(7), pg_advisory_lock(7), pg_advisory_lock_shared(8)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ),
    "temporary tables": (
        "CREATE TEMP TABLE left_over (n int); CREATE TEMP SEQUENCE left_too",
        "SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
    ),
    "cursors": (
        "DECLARE left_over CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE name = 'left_over'",
    ),
    "listening": ("LISTEN left_over", "SELECT count(*) FROM pg_listening_channels()"),
    "settings": (
        "SET work_mem = '77kB'; SET search_path = elsewhere; SET TimeZone = 'Asia/Tokyo'",
        "SELECT name || setting FROM pg_settings WHERE name IN ('work_mem', 'search_path')"
        " UNION ALL SELECT current_setting('TimeZone')",
    ),
    "read only": (
        "CREATE TEMP TABLE left_over (n int); SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SELECT current_setting('default_transaction_read_only')",
    ),
    "open transaction": (
        "BEGIN; SET LOCAL work_mem = '99kB'",
        "SELECT current_setting('work_mem')",
    ),
    "serializable": (
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "SELECT current_setting('transaction_isolation')",
    ),
    "savepoint": ("BEGIN; SET ROLE reset_other; SAVEPOINT a", "SELECT current_user::text"),
    "role in a transaction": (f"BEGIN; SET LOCAL ROLE {ROLE}", "SELECT current_user::text"),
}


@pytest.mark.parametrize("kind", LEFT)
async def test_nothing_is_left(connect: Connect, kind: str) -> None:
    leave, look = LEFT[kind]
    async with connect() as conn:
        before = await conn.fetch(look)
        await conn.execute(leave)
        assert await conn.fetch(look) != before
        await conn.reset()
        assert not conn.is_in_transaction()
        assert await conn.fetch(look) == before
        # And once more, when there is nothing to undo.
        await conn.reset()
        assert await conn.fetch(look) == before


async def test_a_setting_of_the_users_own(connect: Connect) -> None:
    """RESET knows no way back to a setting that was not there: it is empty."""
    async with connect() as conn:
        await conn.execute("SET my.tenant = '7'")
        await conn.reset()
        assert await conn.fetchval("SELECT current_setting('my.tenant', true)") == ""


async def test_all_of_it_at_once_by_an_ordinary_user(connect: Connect) -> None:
    everything = ("temporary tables", "advisory locks", "settings", "cursors", "listening")
    async with connect(user=ROLE) as conn:
        before = [await conn.fetch(LEFT[kind][1]) for kind in everything]
        for kind in everything:
            await conn.execute(LEFT[kind][0])
        await conn.execute("SET statement_timeout = 10000; BEGIN; LOCK pg_temp.left_over")
        await conn.reset()
        assert [await conn.fetch(LEFT[kind][1]) for kind in everything] == before


async def test_a_failed_transaction(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        await conn.execute(f"BEGIN; INSERT INTO {table} VALUES (1)")
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn.fetch("SELECT 1 / 0")
        await conn.reset()
        assert await conn.fetchval("SELECT 1") == 1
    assert stored(monitor, table) == []


@pytest.mark.parametrize("how", ["server_settings", "ALTER ROLE"])
async def test_the_role_that_the_session_began_with(
    connect: Connect, monitor: Monitor, how: str
) -> None:
    """It may be another one than the user's, and the settings may be other than the server's."""
    settings = {"role": ROLE, "work_mem": "128kB"} if how == "server_settings" else {}
    if not settings:
        monitor.ask("DROP ROLE IF EXISTS reset_guest")
        monitor.ask("CREATE ROLE reset_guest LOGIN")
        monitor.ask(f"GRANT {ROLE} TO reset_guest")
        monitor.ask(f"ALTER ROLE reset_guest SET role = {ROLE}")
        monitor.ask("ALTER ROLE reset_guest SET work_mem = '128kB'")
    user = {} if settings else {"user": "reset_guest"}
    look = "SELECT current_user::text, session_user::text, current_setting('work_mem')"
    async with connect(server_settings=settings, **user) as conn:
        before = await conn.fetchrow(look)
        assert before is not None
        assert (before[0], before[2]) == (ROLE, "128kB")
        await conn.execute("SET ROLE NONE; SET work_mem = '256kB'")
        await conn.reset()
        assert await conn.fetchrow(look) == before


async def test_a_search_path_that_hides_the_servers_functions(
    connect: Connect, monitor: Monitor
) -> None:
    monitor.ask("DROP SCHEMA IF EXISTS reset_evil CASCADE; CREATE SCHEMA reset_evil")
    monitor.ask(
        "CREATE FUNCTION reset_evil.pg_advisory_unlock_all() RETURNS void LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'evil'; END $$"
    )
    async with connect() as conn:
        await conn.execute("SET search_path = reset_evil, pg_catalog")
        await conn.execute("SELECT pg_catalog.pg_advisory_lock(7)")
        await conn.reset()
        assert await conn.fetchval(LEFT["advisory locks"][1]) == 0
    monitor.ask("DROP SCHEMA reset_evil CASCADE")


async def test_prepared_statements_stay(connect: Connect) -> None:
    ours = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int8'"
    async with connect() as conn:
        assert await conn.fetchval("SELECT $1::int8", 1) == 1
        assert await conn.fetchval(ours) == 1
        await conn.reset()
        assert await conn.fetchval("SELECT $1::int8", 2) == 2
        assert await conn.fetchval(ours) == 1


async def test_a_prepared_statement_on_a_dropped_temporary_table(connect: Connect) -> None:
    query = "SELECT n FROM left_over"
    async with connect() as conn:
        await conn.execute("CREATE TEMP TABLE left_over AS SELECT 1 AS n")
        assert await conn.fetchval(query) == 1
        await conn.reset()
        with pytest.raises(pgallop.UndefinedTableError):
            await conn.fetchval(query)
        await conn.execute("CREATE TEMP TABLE left_over AS SELECT 'two' AS n")
        assert await conn.fetchval(query) == "two"


async def test_the_same_as_asyncpg(connect: Connect, dsn: str) -> None:
    """The names, and of the script all that asyncpg's has."""
    theirs = await asyncpg.connect(dsn)
    try:
        expected = {each for each in theirs.get_reset_query().split(";\n") if each}
    finally:
        await theirs.close()
    async with connect() as conn:
        ours = conn.get_reset_query().replace("pg_catalog.", "").split("; ")
        assert {each.rstrip(";") for each in expected} <= set(ours)
        assert await conn.reset() is None  # type: ignore[func-returns-value]
    signature = inspect.signature(pgallop.Connection.reset)
    assert list(signature.parameters) == ["self", "timeout"]
    assert signature.parameters["timeout"] == inspect.Parameter(
        "timeout", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="float | None"
    ) or (signature.parameters["timeout"].default is None)


# Whose transaction it was


async def test_ones_own_block(connect: Connect, monitor: Monitor, table: str) -> None:
    """What comes behind the reset runs on its own, and the end of the block tells it is over."""
    async with connect() as conn:
        with pytest.raises(pgallop.InterfaceError, match="cannot commit: the transaction is"):
            async with conn.transaction(), conn.transaction():
                await conn.execute(f"INSERT INTO {table} VALUES (1)")
                await conn.reset()
                assert not conn.is_in_transaction()
                await conn.execute(f"INSERT INTO {table} VALUES (2)")
                async with conn.transaction():
                    await conn.execute(f"INSERT INTO {table} VALUES (3)")
        await conn.execute(f"INSERT INTO {table} VALUES (4)")
    assert stored(monitor, table) == [2, 3, 4]


async def test_an_error_in_a_block_that_was_reset(connect: Connect) -> None:
    """It is the one to see."""
    async with connect() as conn:
        for outside in (False, True):
            with pytest.raises(LookupError):
                async with conn.transaction(), conn.transaction():
                    await conn.execute("SELECT 1")
                    await (elsewhere(conn.reset()) if outside else conn.reset())
                    raise LookupError
            assert await conn.fetchval("SELECT 1") == 1
            assert not conn.is_in_transaction()


async def test_a_transaction_that_is_never_ended(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.reset()  # nothing was sent of it
        assert transaction.is_completed()
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("SELECT 1")
        await conn.reset()
        assert transaction.is_completed()
        assert await conn.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")
        with pytest.raises(pgallop.InterfaceError, match="cannot roll back"):
            await transaction.rollback()


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("by", ["commit", "error"])
async def test_another_tasks_block(
    connect: Connect, monitor: Monitor, table: str, nested: bool, by: str
) -> None:
    """Whoever is in it learns of it at its next statement, which must not run on its own."""
    async with connect() as conn:
        inside, over = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            await conn.execute(f"INSERT INTO {table} VALUES (1)")
            inside.set()
            await over.wait()
            with pytest.raises(pgallop.InterfaceError, match="was ended before"):
                await conn.execute(f"INSERT INTO {table} VALUES (2)")
            with pytest.raises(pgallop.InterfaceError, match="was ended before"):
                await conn.fetch(f"INSERT INTO {table} VALUES ($1)", 3)
            if by == "error":
                raise LookupError

        async def owner() -> None:
            expected = LookupError if by == "error" else pgallop.InterfaceError
            with pytest.raises(expected):
                async with conn.transaction():
                    if nested:
                        async with conn.transaction():
                            await work()
                    else:
                        await work()
            await conn.execute(f"INSERT INTO {table} VALUES (4)")

        task = elsewhere(owner())
        await inside.wait()
        waiting = elsewhere(conn.execute(f"INSERT INTO {table} VALUES (5)"))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        start = time.monotonic()
        await conn.reset()
        assert time.monotonic() - start < 1
        assert not conn.is_in_transaction()
        await conn.execute(f"INSERT INTO {table} VALUES (6)")
        over.set()
        await asyncio.gather(task, waiting)
    assert stored(monitor, table) == [4, 5, 6]


async def test_what_is_called_before_and_behind(
    connect: Connect, monitor: Monitor, table: str
) -> None:
    """Before: it is answered, and stored or rolled back. Behind: it is in the new session."""
    async with connect() as conn:
        await conn.execute("SET my.tenant = '7'")
        tenant = "SELECT current_setting('my.tenant', true)"
        insert = f"INSERT INTO {table} VALUES ($1)"
        await conn.execute(insert, 0)
        assert await conn.fetchval(tenant) == "7"
        before, stores, _, behind = await asyncio.gather(
            conn.fetchval(tenant), conn.execute(insert, 1), conn.reset(), conn.fetchval(tenant)
        )
        assert (before, stores, behind) == ("7", "INSERT 0 1", "")
        begin = asyncio.create_task(conn.execute("BEGIN"))
        inserting = asyncio.create_task(conn.execute(insert, 2))
        await asyncio.sleep(0)
        await conn.reset()
        assert (await begin, await inserting) == ("BEGIN", "INSERT 0 1")
        assert not conn.is_in_transaction()
    assert stored(monitor, table) == [0, 1]


async def test_a_commit_that_is_under_way(connect: Connect, monitor: Monitor, table: str) -> None:
    async with connect() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute(f"INSERT INTO {table} VALUES (1)")
        commit = asyncio.create_task(transaction.commit())
        await asyncio.sleep(0)
        await conn.reset()
        await commit
    assert stored(monitor, table) == [1]


async def test_a_commit_that_waits_for_its_beginning(connect: Connect) -> None:
    """It waits for the answer to the first statement of its block, and so does the reset."""
    async with connect() as conn:
        transaction = conn.transaction()
        await transaction.start()
        first = asyncio.create_task(conn.execute("SELECT pg_sleep(0.05)"))
        await asyncio.sleep(0.01)
        commit = asyncio.create_task(transaction.commit())
        await asyncio.sleep(0)
        await asyncio.gather(conn.reset(), first)
        with pytest.raises(pgallop.InterfaceError, match="cannot commit"):
            await commit
        assert await conn.fetchval("SELECT 1") == 1


async def test_a_block_that_is_dropped_while_the_reset_is_under_way(connect: Connect) -> None:
    """Nobody is in it any more, so that nothing is refused for it."""
    async with connect() as conn:
        transaction = conn.transaction()
        await transaction.start()
        await conn.execute("SELECT 1")
        resetting = elsewhere(conn.reset())
        await asyncio.sleep(0)
        del transaction
        assert await conn.fetchval("SELECT 1") == 1
        await resetting
        assert await conn.fetchval("SELECT 2") == 2


async def test_several_at_once(connect: Connect) -> None:
    async with connect() as conn:
        for _ in range(20):
            await conn.execute("BEGIN; SET my.tenant = '7'")
            await asyncio.gather(conn.reset(), conn.reset(), conn.fetch("SELECT 1"), conn.reset())
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT current_setting('my.tenant', true)") in ("", None)


@pytest.mark.parametrize("seed", range(3))
async def test_blocks_are_whole_however_many_resets_come(
    connect: Connect, monitor: Monitor, table: str, seed: int
) -> None:
    """A block's statements are stored together or not at all, and its end tells which."""
    chance = random.Random(seed)
    insert = f"INSERT INTO {table} VALUES ($1)"
    stores: list[int] = []
    undone: list[int] = []

    async def pause() -> None:
        await asyncio.sleep(chance.choice((0, 0, 0.0005, 0.002)))

    async with connect() as conn:

        async def work(worker: int) -> None:
            for n in range(1000 * worker, 1000 * worker + 15):
                try:
                    async with conn.transaction():
                        await conn.execute(insert, n)
                        await pause()
                        if chance.random() < 0.3:
                            async with conn.transaction():
                                await conn.execute(insert, n)
                        else:
                            await conn.execute(insert, n)
                        await pause()
                        if chance.random() < 0.2:
                            await asyncio.wait_for(conn.execute("SELECT pg_sleep(1)"), 0.002)
                except (pgallop.InterfaceError, TimeoutError):
                    undone.append(n)
                else:
                    stores.append(n)

        async def reset() -> None:
            while True:
                await pause()
                await asyncio.sleep(chance.random() / 50)
                resetting = asyncio.create_task(conn.reset())
                if chance.random() < 0.3:
                    await pause()
                    resetting.cancel()
                await asyncio.wait([resetting])

        resetting = elsewhere(reset())
        await asyncio.gather(*[elsewhere(work(worker)) for worker in range(4)])
        resetting.cancel()
        await asyncio.wait([resetting])
        await conn.reset()
        assert not conn.is_in_transaction()
    assert len(stores) + len(undone) == 60
    assert len(stores) > 5
    assert len(undone) > 5
    assert stored(monitor, table) == sorted([*stores, *stores])


# Listeners


async def test_listeners_are_removed(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        ear, notices, ended = Ear(), [], []
        await conn.add_listener("jobs", ear)
        conn.add_log_listener(lambda conn, message: notices.append(message))
        conn.add_termination_listener(lambda conn: ended.append(conn))
        # What has come and was not delivered is not delivered any more.
        notify = asyncio.create_task(conn.execute("NOTIFY jobs"))
        await asyncio.sleep(0)
        await conn.reset()
        await notify
        assert forgotten(conn)
        assert await channels(conn) == set()
        monitor.ask("NOTIFY jobs, 'nobody'")
        await conn.execute("DO $$ BEGIN RAISE NOTICE 'nobody'; END $$")
        await asyncio.sleep(0.02)
        assert (ear.heard, notices, ended) == ([], [], [])
        # Whoever comes then is heard again.
        await conn.add_listener("jobs", ear)
        monitor.ask("NOTIFY jobs, 'new'")
        assert await ear.wait() == [("jobs", "new")]
    await asyncio.sleep(0)
    assert ended == [conn]


async def test_listeners_that_are_being_added(connect: Connect, monitor: Monitor) -> None:
    """Whose LISTEN was sent before is undone, whose comes behind is not."""
    async with connect() as conn:
        for joint in (False, True):
            early, late = Ear(), Ear()
            adding = asyncio.create_task(conn.add_listener("jobs", early))
            await asyncio.sleep(0)
            resetting = asyncio.create_task(conn.reset())
            await asyncio.sleep(0)
            await asyncio.gather(adding, resetting, conn.add_listener("jobs", late))
            assert await channels(conn) == {"jobs"}
            monitor.ask("NOTIFY jobs, 'new'")
            assert await late.wait() == [("jobs", "new")]
            assert early.heard == []
            if joint:
                await conn.remove_listener("jobs", late)
                assert await channels(conn) == set()
                assert forgotten(conn)
            else:
                await conn.reset()


async def test_a_listener_that_waits_for_a_block(connect: Connect, monitor: Monitor) -> None:
    """Its LISTEN was not sent yet, and comes behind the reset that ends the block."""
    async with connect() as conn:
        ear = Ear()
        with complaints() as complained:
            transaction = conn.transaction()
            await transaction.start()
            await conn.execute("SELECT 1")
            adding = elsewhere(conn.add_listener("jobs", ear))
            await asyncio.sleep(0)
            await conn.reset()
            await adding
            monitor.ask("NOTIFY jobs, 'new'")
            assert await ear.wait() == [("jobs", "new")]
            assert not complained
        with pytest.raises(pgallop.InterfaceError):
            await transaction.commit()


# Who does not wait for it, and what fails


@pytest.mark.parametrize("moment", MOMENTS)
async def test_cancelled_at_each_await(connect: Connect, moment: Moment) -> None:
    at = 0
    while True:
        at += 1
        async with connect() as conn:
            await conn.execute("BEGIN; SET my.tenant = '7'")
            reset = Interrupted(conn.reset(), at, moment)
            await reset.run()
            # It goes on all the same.
            assert await conn.fetchval("SELECT current_setting('my.tenant', true)") in ("", None)
            assert not conn.is_in_transaction()
        if not reset.cancelled:
            assert reset.error is None
            assert at > 1
            return
        assert isinstance(reset.error, asyncio.CancelledError)


async def test_out_of_time_behind_a_long_statement(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("SET my.tenant = '7'")
        long = asyncio.create_task(conn.execute("SELECT pg_sleep(0.3)"))
        await asyncio.sleep(0)
        with pytest.raises(TimeoutError, match=r"0\.1 seconds"):
            await conn.reset(timeout=0.1)
        await long
        assert await conn.fetchval("SELECT current_setting('my.tenant', true)") == ""
        for refused in ("1", float("nan")):
            with pytest.raises(pgallop.ClientConfigurationError):
                await conn.reset(timeout=refused)  # type: ignore[arg-type]


async def test_a_frozen_server(connect: Connect) -> None:
    conn = await connect(drain_timeout=0.3)
    pid = conn.get_server_pid()
    await conn.execute("BEGIN")
    os.kill(pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await conn.reset(timeout=0.1)
        behind = asyncio.create_task(conn.fetch("SELECT 1"))
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            await behind
        assert time.monotonic() - start < 2
        assert conn.is_closed()
    finally:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)


async def test_closed_and_strict_connections(connect: Connect) -> None:
    conn = await connect()
    await conn.close()
    with pytest.raises(pgallop.InterfaceError, match="closed"):
        await conn.reset()
    async with connect(strict=True) as conn:
        await conn.execute("BEGIN")
        task = asyncio.create_task(conn.fetch("SELECT pg_sleep(0.1)"))
        await asyncio.sleep(0.02)
        with pytest.raises(pgallop.InterfaceError, match="another operation is in progress"):
            await conn.reset()
        await task
        assert conn.is_in_transaction()
        await conn.reset()
        assert not conn.is_in_transaction()


@pytest.mark.parametrize("query", ["", "SELEKT", "SELECT 1 / 0", "BEGIN; SELECT 1"])
async def test_another_reset_query(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """Whatever it is, the transaction is over before, and never is there one behind."""
    monkeypatch.setattr(pgallop.Connection, "get_reset_query", lambda conn: query)
    async with connect() as conn:
        ear = Ear()
        await conn.add_listener("jobs", ear)
        await conn.execute("BEGIN")
        if query:
            with pytest.raises((pgallop.PostgresError, pgallop.ProtocolError)):
                await conn.reset()
        else:
            await conn.reset()
        assert conn.is_closed() is query.startswith("BEGIN")
        assert forgotten(conn) or conn.is_closed()
        if not conn.is_closed():
            assert not conn.is_in_transaction()
            assert await conn.fetchval("SELECT 1") == 1


async def test_who_wants_to_know_is_told_first(connect: Connect) -> None:
    """In the moment of the answer, and not after a failure."""
    async with connect() as conn:
        told: list[str] = []
        conn._resetting.on_complete = lambda script: told.append(script)
        behind = []
        resetting = asyncio.create_task(conn.reset())
        await asyncio.sleep(0)
        next_one = asyncio.create_task(conn.execute("SELECT 1"))
        next_one.add_done_callback(lambda task: behind.append(list(told)))
        await asyncio.gather(resetting, next_one)
        assert behind == [[conn.get_reset_query()]]
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn._resetting.reset("SELECT 1 / 0", None)
        assert len(told) == 1
        conn._resetting.on_complete = None
