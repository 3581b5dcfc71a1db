"""What `Connection` does, as a whole and with statements."""

from __future__ import annotations

import asyncio
from typing import Any

from drop_in.case import Session, case, cases

ONE = "SELECT 1 AS one"
ROWS = "SELECT i, i * 2 AS twice FROM generate_series(1, 3) AS i"


async def table(s: Session, columns: str = "a int, b text", name: str = "t") -> None:
    await s.conn.execute(f"CREATE TEMP TABLE {name} ({columns})")


cases(
    "Connection.fetch",
    {
        "rows": lambda s: s.conn.fetch(ROWS),
        "none": lambda s: s.conn.fetch("SELECT 1 WHERE false"),
        "arguments": lambda s: s.conn.fetch("SELECT $1::int + $2::int", 1, 2),
        "timeout": lambda s: s.conn.fetch("SELECT pg_sleep(5)", timeout=0.05),
        "no time at all": lambda s: s.conn.fetch(ONE, timeout=0),
        "timeout as text": lambda s: s.conn.fetch(ONE, timeout="5"),
        "timeout that is no number": lambda s: s.conn.fetch(ONE, timeout="soon"),
        "syntax error": lambda s: s.conn.fetch("SELEC 1"),
        "no such table": lambda s: s.conn.fetch("SELECT * FROM nowhere"),
        "division by zero": lambda s: s.conn.fetch("SELECT 1 / 0"),
        "too few arguments": lambda s: s.conn.fetch("SELECT $1::int, $2::int", 1),
        "too many arguments": lambda s: s.conn.fetch("SELECT $1::int", 1, 2),
        "wrong type": lambda s: s.conn.fetch("SELECT $1::int", "one"),
        "out of range": lambda s: s.conn.fetch("SELECT $1::int2", 40000),
        "no type": lambda s: s.conn.fetch("SELECT $1", "x"),
        "several statements": lambda s: s.conn.fetch("SELECT 1; SELECT 2"),
        "empty query": lambda s: s.conn.fetch(""),
        "surrogate in an argument": lambda s: s.conn.fetch("SELECT $1::text", "\ud800"),
        "unknown keyword": lambda s: s.conn.fetch(ONE, nothing=1),
        "record_class is none": lambda s: s.conn.fetch(ONE, record_class=dict),
    },
)
cases(
    "Connection.fetchrow",
    {
        "a row": lambda s: s.conn.fetchrow(ROWS),
        "none": lambda s: s.conn.fetchrow("SELECT 1 WHERE false"),
        "of a command": lambda s: s.conn.fetchrow("SET work_mem = 1000"),
        "empty query": lambda s: s.conn.fetchrow(";"),
        "wrong type": lambda s: s.conn.fetchrow("SELECT $1::int", "one"),
        "record_class is none": lambda s: s.conn.fetchrow(ONE, record_class=1),
    },
)
cases(
    "Connection.fetchval",
    {
        "a value": lambda s: s.conn.fetchval(ONE),
        "NULL": lambda s: s.conn.fetchval("SELECT NULL"),
        "of no row": lambda s: s.conn.fetchval("SELECT 1 WHERE false"),
        "another column": lambda s: s.conn.fetchval(ROWS, column=1),
        "a column by name": lambda s: s.conn.fetchval(ROWS, column="twice"),
        "the last column": lambda s: s.conn.fetchval(ROWS, column=-1),
        "no such column": lambda s: s.conn.fetchval(ONE, column=1),
        "no such name": lambda s: s.conn.fetchval(ONE, column="two"),
    },
)
cases(
    "Connection.execute",
    {
        "tag": lambda s: s.conn.execute("CREATE TEMP TABLE t (a int)"),
        "tag of SELECT": lambda s: s.conn.execute(ROWS),
        "a script": lambda s: s.conn.execute(
            "CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1)"
        ),
        "arguments": lambda s: s.conn.execute("SELECT $1::int", 1),
        "a script with arguments": lambda s: s.conn.execute("SELECT $1::int; SELECT 1", 1),
        "error": lambda s: s.conn.execute("SELECT 1; SELECT 1 / 0"),
        "timeout": lambda s: s.conn.execute("SELECT pg_sleep(5)", timeout=0.05),
        "wrong type": lambda s: s.conn.execute("SELECT $1::int", "one"),
    },
)


cases(
    "Connection.fetch Connection.execute",
    {
        "query is None": lambda s: s.conn.fetch(None),
        "query is bytes": lambda s: s.conn.fetch(b"SELECT 1"),
        "script is None": lambda s: s.conn.execute(None),
        "statement is None": lambda s: s.conn.prepare(None),
    },
    differs="query-is-no-text",
)
cases(
    "Connection.fetch",
    {
        "NUL in the query": lambda s: s.conn.fetch("SELECT 1 \0"),
        "NUL in an argument": lambda s: s.conn.fetch("SELECT $1::text", "a\0b"),
    },
    differs="nul",
)
case("Connection.execute", "empty", differs="empty-script")(lambda s: s.conn.execute(""))
cases(
    "Connection.executemany",
    {
        "no iterable": lambda s: s.conn.executemany("SELECT $1::int", 1),
        "no sequences": lambda s: s.conn.executemany("SELECT $1::int", [1]),
    },
    differs="arguments-are-no-sequences",
)
case("Connection.fetchval", "column is None", differs="record-keys")(
    lambda s: s.conn.fetchval(ONE, column=None)
)


@case("Connection.executemany", "rows")
async def executemany_rows(s: Session) -> Any:
    await table(s)
    done = await s.conn.executemany("INSERT INTO t VALUES ($1, $2)", [(1, "a"), (2, None)])
    return done, await s.conn.fetch("SELECT * FROM t")


@case("Connection.executemany", "none of it when the server refuses")
async def executemany_refused(s: Session) -> Any:
    await table(s, "a int PRIMARY KEY")
    try:
        await s.conn.executemany("INSERT INTO t VALUES ($1)", [(1,), (2,), (1,)])
    except s.apg.UniqueViolationError as error:
        return error.constraint_name, await s.conn.fetch("SELECT * FROM t")


@case("Connection.executemany", "none of it when an argument is wrong")
async def executemany_wrong(s: Session) -> Any:
    await table(s, "a int")
    try:
        await s.conn.executemany("INSERT INTO t VALUES ($1)", [(1,), ("x",)])
    except s.apg.DataError as error:
        return error, await s.conn.fetch("SELECT * FROM t")


cases(
    "Connection.executemany",
    {
        "nothing": lambda s: s.conn.executemany("SELECT $1::int", []),
        "generator": lambda s: s.conn.executemany("SELECT $1::int", ((i,) for i in range(3))),
        "too few": lambda s: s.conn.executemany("SELECT $1::int, $2::int", [(1,)]),
        "syntax error": lambda s: s.conn.executemany("SELEC $1", [(1,)]),
        "timeout": lambda s: s.conn.executemany("SELECT pg_sleep($1)", [(5,)], timeout=0.05),
    },
)
cases(
    "Connection.fetchmany",
    {
        "rows": lambda s: s.conn.fetchmany("SELECT $1::int AS a", [(1,), (2,)]),
        "nothing": lambda s: s.conn.fetchmany("SELECT $1::int AS a", []),
        "wrong type": lambda s: s.conn.fetchmany("SELECT $1::int AS a", [(1,), ("x",)]),
        "error": lambda s: s.conn.fetchmany("SELECT 1 / $1::int", [(1,), (0,)]),
        "record_class is none": lambda s: s.conn.fetchmany(
            "SELECT $1::int", [(1,)], record_class=1
        ),
    },
)


@case("Connection.fetch Connection.fetchrow Connection.fetchmany", "record_class")
async def record_classes(s: Session) -> Any:
    class Mine(s.apg.Record):  # type: ignore[name-defined, misc]
        @property
        def double(self) -> Any:
            return self["one"] * 2

    rows = await s.conn.fetch(ONE, record_class=Mine)
    row = await s.conn.fetchrow(ONE, record_class=Mine)
    many = await s.conn.fetchmany(ONE + " WHERE $1", [(True,)], record_class=Mine)
    return rows, row, many, rows[0].double, row.double, isinstance(many[0], s.apg.Record)


@case("Connection.fetch", "record_class with an __init__")
async def record_class_init(s: Session) -> Any:
    class Mine(s.apg.Record):  # type: ignore[name-defined, misc]
        def __init__(self) -> None:
            raise AssertionError("records are made without it")

    return await s.conn.fetch(ONE, record_class=Mine)


# Closing, and what is closed


async def closed(s: Session) -> Any:
    await s.conn.close()
    return s.conn


for verb, arguments in {
    "fetch": (ONE,),
    "fetchrow": (ONE,),
    "fetchval": (ONE,),
    "execute": (ONE,),
    "executemany": (ONE, [()]),
    "fetchmany": (ONE, [()]),
    "prepare": (ONE,),
    "reset": (),
    "add_listener": ("x", print),
    "add_log_listener": (print,),
    "reload_schema_state": (),
}.items():

    @case(f"Connection.{verb}", "on a closed connection")
    async def on_closed(s: Session, verb: str = verb, arguments: Any = arguments) -> Any:
        result = getattr(await closed(s), verb)(*arguments)
        return await result if hasattr(result, "__await__") else result


@case("Connection.close Connection.is_closed", "twice")
async def close_twice(s: Session) -> Any:
    before = s.conn.is_closed()
    return before, await s.conn.close(), await s.conn.close(timeout=1), s.conn.is_closed()


@case("Connection.terminate", "twice")
async def terminate_twice(s: Session) -> Any:
    return s.conn.terminate(), s.conn.is_closed(), s.conn.terminate()


@case("Connection.terminate", "in the middle of a statement")
async def terminate_in_between(s: Session) -> Any:
    task = asyncio.ensure_future(s.conn.execute("SELECT pg_sleep(5)"))
    await asyncio.sleep(0.05)
    s.conn.terminate()
    return await task


@case("Connection.fetchval", "cancelled, and the connection goes on")
async def cancelled(s: Session) -> Any:
    task = asyncio.ensure_future(s.conn.fetchval("SELECT pg_sleep(5)"))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled(), await s.conn.fetchval(ONE)


async def kill(s: Session) -> None:
    other = await s.apg.connect(s.dsn)
    try:
        await other.fetchval("SELECT pg_terminate_backend($1)", s.conn.get_server_pid())
    finally:
        await other.close()
    await asyncio.sleep(0.05)


@case("Connection.fetchval", "behind the administrator's kill")
async def behind_a_kill(s: Session) -> Any:
    await kill(s)
    return await s.conn.fetchval(ONE)


@case("Connection.fetchval", "killed by the administrator")
async def killed(s: Session) -> Any:
    task = asyncio.ensure_future(s.conn.fetchval("SELECT pg_sleep(5)"))
    await asyncio.sleep(0.05)
    await kill(s)
    return await task


@case("Connection.fetch", "two at once", differs="concurrent-statements")
async def two_at_once(s: Session) -> Any:
    return await asyncio.gather(s.conn.fetchval(ONE), s.conn.fetchval(ONE))


# Facts


@case("Connection.get_server_version", "")
async def server_version(s: Session) -> Any:
    return s.conn.get_server_version()


@case("Connection.get_server_pid", "")
async def server_pid(s: Session) -> Any:
    return s.conn.get_server_pid() == await s.conn.fetchval("SELECT pg_backend_pid()")


@case("Connection.get_settings", "")
async def settings(s: Session) -> Any:
    found = s.conn.get_settings()
    return found.server_encoding, found.TimeZone, found.client_encoding, hasattr(found, "nothing")


@case("Connection.get_reset_query", "")
async def reset_query(s: Session) -> Any:
    steps = [step.strip() for step in s.conn.get_reset_query().split(";")]
    return [step.replace("pg_catalog.", "") for step in steps if step]


@case("Connection.is_in_transaction", "")
async def in_transaction(s: Session) -> Any:
    found = [s.conn.is_in_transaction()]
    await s.conn.execute("BEGIN")
    found.append(s.conn.is_in_transaction())
    await s.conn.execute("ROLLBACK")
    async with s.conn.transaction():
        found.append(s.conn.is_in_transaction())
    return [*found, s.conn.is_in_transaction()]


@case("Connection.reset", "settings, locks and cursors go, tables and roles stay")
async def reset(s: Session) -> Any:
    await table(s)
    await s.conn.execute("SET work_mem = '1MB'; SET ROLE pg_monitor")
    await s.conn.fetchval("SELECT pg_advisory_lock(77)")
    done = await s.conn.reset()
    return done, await s.conn.fetchrow(
        "SELECT current_setting('work_mem') = '1MB', current_user::text, to_regclass('t') IS NULL,"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')"
    )


@case("Connection.reset", "with a timeout")
async def reset_timeout(s: Session) -> Any:
    return await s.conn.reset(timeout=5)


@case("Connection.reload_schema_state", "after a change of a type")
async def reload_schema_state(s: Session) -> Any:
    await s.conn.execute("CREATE TYPE pg_temp.pair AS (a int, b int)")
    before = await s.conn.fetchval("SELECT (1, 2)::pg_temp.pair")
    await s.conn.execute("ALTER TYPE pg_temp.pair ADD ATTRIBUTE c text")
    done = await s.conn.reload_schema_state()
    return before, done, await s.conn.fetchval("SELECT (1, 2, 'x')::pg_temp.pair")
