"""What a session's user leaves behind, kind by kind, and that its next one sees none of it.

Beside what `test_reset` has: hidden in functions, in settings of extensions, in what the server
reports, in sequences, and under settings that are in a reset's way.
"""

from __future__ import annotations

import asyncio

import pytest
from live import Connect, Monitor

import pgallop

OWN_LOCKS = (
    "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid'"
    " AND relation IS DISTINCT FROM 'pg_locks'::regclass"
)


@pytest.fixture(scope="module", autouse=True)
def things(monitor: Monitor) -> None:
    monitor.ask(
        """
        DROP SCHEMA IF EXISTS left_behind CASCADE;
        CREATE SCHEMA left_behind;
        CREATE TABLE left_behind.t (id serial PRIMARY KEY, n int);
        INSERT INTO left_behind.t (n) VALUES (1), (2);
        CREATE SEQUENCE left_behind.stocked CACHE 10;
        CREATE FUNCTION left_behind.set_all() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            SET work_mem = '77kB';
            PERFORM set_config('my.tenant', '7', false), pg_advisory_lock(7);
            CREATE TEMP TABLE hidden (n int);
            LISTEN hidden;
        END $$;
        """
    )


# How something is left, and where it shows: the answer is the same before and behind.
LEFT = {
    "set_config": (
        "SELECT set_config('work_mem', '77kB', false)",
        "SELECT current_setting('work_mem')",
    ),
    "set_config within a statement": (
        "WITH s AS (SELECT set_config('work_mem', '77kB', false)) SELECT * FROM s",
        "SELECT current_setting('work_mem')",
    ),
    "set_config by a table": (
        "UPDATE pg_settings SET setting = '77' WHERE name = 'work_mem'",
        "SELECT current_setting('work_mem')",
    ),
    "hidden in a function": (
        "SELECT left_behind.set_all()",
        "SELECT current_setting('work_mem'), (SELECT count(*) FROM pg_listening_channels()),"
        " (SELECT count(*) FROM pg_class WHERE relname = 'hidden' AND pg_table_is_visible(oid)),"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())",
    ),
    "a setting of the transaction": (
        "BEGIN; SELECT set_config('work_mem', '77kB', true)",
        "SELECT current_setting('work_mem')",
    ),
    "a setting of an extension": (
        "LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET auto_explain.log_level ="
        " 'debug5'",
        "SELECT coalesce(nullif(current_setting('auto_explain.log_min_duration', true), ''), '-1')",
    ),
    "a setting of PL/pgSQL": (
        "LOAD 'plpgsql'; SET plpgsql.variable_conflict = 'use_column'",
        "SELECT coalesce(current_setting('plpgsql.variable_conflict', true), 'error')",
    ),
    "a schema of one's own": (
        "CREATE TEMP VIEW pg_class AS SELECT 1 AS wrong; SET search_path = pg_temp, pg_catalog",
        "SELECT count(*) FROM information_schema.columns WHERE column_name = 'wrong'",
    ),
    "deferred constraints": (
        "BEGIN; SET CONSTRAINTS ALL DEFERRED",
        "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'ExclusiveLock'"
        " AND NOT fastpath",
    ),
    "a transaction's mode": (
        "SET default_transaction_isolation = 'serializable';"
        "SET default_transaction_deferrable = on",
        "SELECT current_setting('transaction_isolation'),"
        " current_setting('transaction_deferrable')",
    ),
    "a table's lock": ("BEGIN; LOCK left_behind.t", OWN_LOCKS),
    "a row's lock": ("BEGIN; SELECT FROM left_behind.t FOR UPDATE", OWN_LOCKS),
    "locks of all kinds": (
        "SELECT pg_advisory_lock(1), pg_advisory_lock(1), pg_advisory_lock(1, 2),"
        " pg_advisory_lock_shared(3); BEGIN; SELECT pg_advisory_xact_lock(4)",
        OWN_LOCKS,
    ),
    "a lock behind a savepoint": (
        "BEGIN; SAVEPOINT a; SELECT pg_advisory_lock(1); ROLLBACK TO a",
        OWN_LOCKS,
    ),
    "a large object": (
        "BEGIN; SELECT lo_open(lo_create(0), 393216)",
        "SELECT count(*) FROM pg_largeobject_metadata",
    ),
    "an exported snapshot": (
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_export_snapshot()",
        "SELECT current_setting('transaction_isolation')",
    ),
    "a cursor with an odd name": (
        'DECLARE "left ""over" SCROLL CURSOR WITH HOLD FOR SELECT n FROM left_behind.t',
        "SELECT count(*) FROM pg_cursors WHERE name LIKE 'left%'",
    ),
    "many temporary things": (
        "CREATE TEMP TABLE a (n serial PRIMARY KEY); CREATE TEMP VIEW b AS TABLE a;"
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE TYPE pg_temp.mood AS ENUM ('sad')",
        "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()),"
        " (SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema()),"
        " (SELECT count(*) FROM pg_type WHERE typnamespace = pg_my_temp_schema())",
    ),
    "prepared statements": (
        'PREPARE mine (int) AS SELECT $1; PREPARE "My own" AS TABLE left_behind.t',
        "SELECT name FROM pg_prepared_statements WHERE from_sql",
    ),
}


@pytest.mark.parametrize("kind", LEFT)
async def test_nothing_is_left(connect: Connect, kind: str) -> None:
    leave, look = LEFT[kind]
    async with connect() as conn:
        before = await conn.fetch(look)
        await conn.execute(leave)
        await conn.reset()
        assert not conn.is_in_transaction()
        assert await conn.fetch(look) == before
        # Whoever comes next may do the same.
        await conn.execute(leave)
        await conn.reset()
        assert await conn.fetch(look) == before


async def test_what_others_wait_for_is_free_when_it_has_run(
    connect: Connect, monitor: Monitor
) -> None:
    async with connect() as conn:
        await conn.execute(
            "SELECT pg_advisory_lock(7), pg_advisory_lock(7);"
            "BEGIN; UPDATE left_behind.t SET n = 0; LOCK left_behind.t"
        )
        await conn.reset()
        ((free,),) = monitor.ask("SELECT pg_try_advisory_lock(7)")
        assert free
        monitor.ask("SELECT pg_advisory_unlock(7)")
        monitor.ask("SELECT n FROM left_behind.t FOR UPDATE NOWAIT")


async def test_what_sequences_have_told(connect: Connect) -> None:
    async with connect() as conn:
        assert await conn.fetchval("INSERT INTO left_behind.t (n) VALUES (5) RETURNING id") > 0
        stocked = "SELECT nextval('left_behind.stocked')"
        first = await conn.fetchval(stocked)
        assert await conn.fetchval("SELECT lastval()") == first
        await conn.reset()
        for look in ("lastval()", "currval('left_behind.t_id_seq')"):
            with pytest.raises(pgallop.ObjectNotInPrerequisiteStateError):
                await conn.fetchval(f"SELECT {look}")
        # What the session had in store of it is lost, not given out twice.
        assert await conn.fetchval(stocked) == first + 10


REPORTED = {
    "DateStyle": "German, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Asia/Tokyo",
    "application_name": "left over",
    "standard_conforming_strings": "off",
    "client_encoding": "SQL_ASCII",
}


async def test_what_the_server_reports(connect: Connect) -> None:
    """The driver relies on it, so it has to hear of the way back, too."""
    async with connect(server_settings={"TimeZone": "Europe/Paris"}) as conn:
        before = dict(conn._session.parameters)
        for name, value in REPORTED.items():
            await conn.execute(f"SET {name} = '{value}'")
        assert {name: conn._session.parameters[name] for name in REPORTED} == REPORTED
        await conn.reset()
        assert conn._session.parameters == before
        assert await conn.fetchval("SELECT current_setting('TimeZone')") == "Europe/Paris"
        assert await conn.fetchval(r"SELECT 'a\b'") == r"a\b"


@pytest.mark.parametrize(
    "obstacle",
    [
        "SET default_transaction_read_only = on",
        "SET statement_timeout = 100",
        "SET lock_timeout = 1; SET idle_in_transaction_session_timeout = '1min'",
        "SET search_path = ''",
        "SET session_replication_role = replica",
        "SET check_function_bodies = off; SET row_security = off",
        "SET client_min_messages = error; SET log_statement = 'all'",
        "SET transform_null_equals = on; SET backslash_quote = off; SET quote_all_identifiers = on",
        "CREATE ROLE left_over_role; SET ROLE left_over_role",
        "BEGIN READ ONLY",
        "BEGIN; SET LOCAL statement_timeout = 1; SAVEPOINT a",
    ],
)
async def test_settings_in_its_way(connect: Connect, monitor: Monitor, obstacle: str) -> None:
    try:
        async with connect() as conn:
            look = "SELECT name, setting FROM pg_settings ORDER BY name"
            await conn.execute("DO $$ BEGIN END $$")  # loads PL/pgSQL, which has settings
            before = await conn.fetch(look)
            await conn.execute("CREATE TEMP TABLE left_over (n int); SELECT pg_advisory_lock(7)")
            await conn.execute(obstacle)
            await conn.reset()
            assert await conn.fetch(look) == before
            assert await conn.fetchval("SELECT to_regclass('left_over')") is None
            assert await conn.fetchval(OWN_LOCKS) == 0
    finally:
        monitor.ask("DROP ROLE IF EXISTS left_over_role")


async def test_a_timeout_that_is_shorter_than_the_reset_takes(connect: Connect) -> None:
    """Since PostgreSQL 11 it is over with the settings; before, all of the reset is undone."""
    async with connect() as conn:
        await conn.execute(
            "DO $$ BEGIN FOR n IN 1..300 LOOP EXECUTE"
            " 'CREATE TEMP TABLE left_' || n || ' (id serial PRIMARY KEY)'; END LOOP; END $$"
        )
        await conn.execute("SET statement_timeout = 1; SET my.tenant = '7'")
        if conn.get_server_version().major < 11:
            with pytest.raises(pgallop.QueryCanceledError):
                await conn.reset()
            await conn.execute("RESET statement_timeout")
            assert await conn.fetchval("SELECT current_setting('my.tenant')") == "7"
        await conn.reset()
        assert await conn.fetchval("SELECT current_setting('my.tenant')") == ""
        assert await conn.fetchval("SELECT to_regclass('left_300')") is None


async def test_statements_that_were_prepared_in_sql(connect: Connect) -> None:
    """They go, and so do the driver's, which prepares them anew when they are needed."""
    ours = "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int8'"
    async with connect() as conn:
        prepared = await conn.prepare("SELECT $1::text || 'x'")
        assert await conn.fetchval("SELECT $1::int8", 1) == 1
        await conn.execute("PREPARE theirs AS SELECT 41")
        await conn.reset()
        with pytest.raises(pgallop.InvalidSQLStatementNameError):
            await conn.fetchval("EXECUTE theirs")
        assert await conn.fetchval(ours) == 0
        assert await conn.fetchval("SELECT $1::int8", 2) == 2
        assert await prepared.fetchval("a") == "ax"
        # Nobody has prepared anything since then: nothing is lost by a reset.
        assert await conn.fetchval(ours) == 1
        await conn.reset()
        assert await conn.fetchval(ours) == 1


async def test_the_next_user_in_the_same_moment(connect: Connect) -> None:
    """What is sent behind the reset does not rely on statements that it takes away."""
    query = "SELECT $1::int8"
    async with connect() as conn:
        for _ in range(10):
            assert await conn.fetchval(query, 1) == 1
            await conn.execute("PREPARE theirs AS SELECT 41")

            async def next_user() -> None:
                async with conn.transaction():
                    for n in range(3):
                        assert await conn.fetchval(query, n) == n

            resetting = asyncio.create_task(conn.reset())
            await asyncio.sleep(0)
            await asyncio.gather(resetting, next_user())


async def test_deallocated_by_the_program_itself(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("PREPARE theirs AS SELECT 41")
        assert conn._dispatch.statements.has_others
        await conn.execute("DEALLOCATE ALL")
        assert not conn._dispatch.statements.has_others
