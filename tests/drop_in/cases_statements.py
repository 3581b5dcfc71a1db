"""Prepared statements, cursors and transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from drop_in.case import Session, case, cases

NUMBERS = "SELECT i FROM generate_series(1, 5) AS i"

# --- prepared statements --------------------------------------------------------------------------


def prepared(
    query: str, then: Callable[[Any], Awaitable[Any]]
) -> Callable[[Session], Awaitable[Any]]:
    """Prepare a statement, and do something with it."""

    async def ask(s: Session) -> Any:
        return await then(await s.conn.prepare(query))

    return ask


cases(
    "PreparedStatement.fetch",
    {
        "rows": prepared(NUMBERS, lambda st: st.fetch()),
        "arguments": prepared("SELECT $1::int + 1", lambda st: st.fetch(1)),
        "too few": prepared("SELECT $1::int", lambda st: st.fetch()),
        "wrong type": prepared("SELECT $1::int", lambda st: st.fetch("x")),
        "timeout": prepared("SELECT pg_sleep(5)", lambda st: st.fetch(timeout=0.05)),
        "error": prepared("SELECT 1 / $1::int", lambda st: st.fetch(0)),
    },
)
cases(
    "PreparedStatement.fetchrow",
    {
        "a row": prepared(NUMBERS, lambda st: st.fetchrow()),
        "none": prepared("SELECT 1 WHERE false", lambda st: st.fetchrow()),
    },
)
cases(
    "PreparedStatement.fetchval",
    {
        "a value": prepared(NUMBERS, lambda st: st.fetchval()),
        "another column": prepared("SELECT 1, 2", lambda st: st.fetchval(column=1)),
        "no such column": prepared("SELECT 1, 2", lambda st: st.fetchval(column=2)),
        "none": prepared("SELECT 1 WHERE false", lambda st: st.fetchval()),
    },
)
cases(
    "PreparedStatement.fetchmany",
    {
        "rows": prepared("SELECT $1::int AS a", lambda st: st.fetchmany([(1,), (2,)])),
        "wrong type": prepared("SELECT $1::int AS a", lambda st: st.fetchmany([("x",)])),
    },
)
cases(
    "PreparedStatement.executemany",
    {
        "rows": prepared("SELECT $1::int AS a", lambda st: st.executemany([(1,), (2,)])),
        "wrong type": prepared("SELECT $1::int AS a", lambda st: st.executemany([("x",)])),
    },
)
cases(
    "PreparedStatement.explain",
    {
        "a plan": prepared("SELECT $1::int", lambda st: explained(st, 1)),
        "analyze": prepared("SELECT $1::int", lambda st: explained(st, 1, analyze=True)),
        "wrong type": prepared("SELECT $1::int", lambda st: explained(st, "x")),
    },
)


async def explained(statement: Any, *args: Any, **options: Any) -> Any:
    plan = await statement.explain(*args, **options)
    return plan[0]["Plan"]["Node Type"], "Actual Rows" in plan[0]["Plan"]


async def facts(statement: Any) -> Any:
    before = statement.get_statusmsg()
    await statement.fetch(1, None)
    return (
        statement.get_query(),
        statement.get_parameters(),
        statement.get_attributes(),
        before,
        statement.get_statusmsg(),
    )


FACTS = "SELECT $1::int AS a, $2::text[] AS b, '[1,2)'::int4range AS c"


case(
    "PreparedStatement.get_query PreparedStatement.get_parameters"
    " PreparedStatement.get_attributes PreparedStatement.get_statusmsg",
    "of a query",
)(prepared(FACTS, facts))


@case("PreparedStatement.get_attributes", "of a command")
async def no_attributes(s: Session) -> Any:
    statement = await s.conn.prepare("CREATE TEMP TABLE t (a int)")
    await statement.fetch()
    return statement.get_attributes(), statement.get_parameters(), statement.get_statusmsg()


@case("PreparedStatement.get_statusmsg", "behind fetchrow, fetchval and a failure")
async def statusmsg(s: Session) -> Any:
    statement = await s.conn.prepare("SELECT 1 / i FROM generate_series(1, $1, -1) AS i")
    tags = [await statement.fetchval(1), statement.get_statusmsg()]
    tags += [await statement.fetchrow(1), statement.get_statusmsg()]
    try:
        await statement.fetch(0)
    except s.apg.DivisionByZeroError:
        tags.append("failed")
    return [*tags, statement.get_statusmsg()]


@case("PreparedStatement.get_name Connection.prepare", "a name")
async def named(s: Session) -> Any:
    statement = await s.conn.prepare("SELECT 1", name="mine")
    known = await s.conn.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'")
    return statement.get_name(), known


@case("Connection.prepare", "a name that is taken")
async def name_taken(s: Session) -> Any:
    first = await s.conn.prepare("SELECT 1", name="mine")
    await s.conn.prepare("SELECT 2", name="mine")
    return first


cases(
    "Connection.prepare",
    {
        "syntax error": lambda s: s.conn.prepare("SELEC 1"),
        "several statements": lambda s: s.conn.prepare("SELECT 1; SELECT 2"),
        "no such table": lambda s: s.conn.prepare("SELECT * FROM nowhere"),
        "record_class is none": lambda s: s.conn.prepare("SELECT 1", record_class=1),
    },
)


@case("Connection.prepare", "record_class")
async def prepare_record_class(s: Session) -> Any:
    class Mine(s.apg.Record):  # type: ignore[name-defined, misc]
        pass

    statement = await s.conn.prepare("SELECT 1 AS a WHERE $1", record_class=Mine)
    rows = [await statement.fetchrow(True), *await statement.fetch(True)]
    rows += await statement.fetchmany([(True,)])
    async with s.conn.transaction():
        rows += [row async for row in statement.cursor(True)]
    return rows


for verb in ("fetch", "get_query", "get_parameters", "explain", "cursor", "fetchmany"):

    @case(f"PreparedStatement.{verb}", "of a closed connection")
    async def of_closed(s: Session, verb: str = verb) -> Any:
        statement = await s.conn.prepare("SELECT 1")
        await s.conn.close()
        result = getattr(statement, verb)(*[[()]] * (verb == "fetchmany"))
        return await result if hasattr(result, "__await__") else result


@case("PreparedStatement.fetch", "of a connection that was released")
async def of_released(s: Session) -> Any:
    async with s.apg.create_pool(s.dsn, min_size=1, max_size=1) as pool:
        async with pool.acquire() as conn:
            statement = await conn.prepare("SELECT 1")
        return await statement.fetch()


# --- cursors --------------------------------------------------------------------------------------


def in_transaction(ask: Callable[[Any], Awaitable[Any]]) -> Callable[[Session], Awaitable[Any]]:
    """Ask within a transaction."""

    async def asked(s: Session) -> Any:
        async with s.conn.transaction():
            return await ask(s.conn)

    return asked


async def iterated(cursor: Any) -> Any:
    return [row async for row in cursor]


async def from_statement(conn: Any) -> Any:
    statement = await conn.prepare("SELECT i FROM generate_series(1, $1) AS i")
    cursor = await statement.cursor(3)
    return await iterated(statement.cursor(2, prefetch=1)), await cursor.fetch(5)


async def awaited(conn: Any, steps: list[tuple[str, Any]]) -> Any:
    cursor = await conn.cursor(NUMBERS)
    return [await getattr(cursor, verb)(*args) for verb, args in steps]


STEPS = [("fetchrow", ()), ("fetch", (2,)), ("forward", (1,)), ("fetch", (5,)), ("fetch", (1,))]

cases(
    "Connection.cursor CursorFactory.__aiter__ CursorIterator.__anext__ CursorIterator.__aiter__",
    {
        "rows": in_transaction(lambda conn: iterated(conn.cursor(NUMBERS))),
        "two at a time": in_transaction(lambda conn: iterated(conn.cursor(NUMBERS, prefetch=2))),
        "none": in_transaction(lambda conn: iterated(conn.cursor("SELECT 1 WHERE false"))),
        "arguments": in_transaction(lambda conn: iterated(conn.cursor("SELECT $1::int", 3))),
        "wrong type": in_transaction(lambda conn: iterated(conn.cursor("SELECT $1::int", "x"))),
        "syntax error": in_transaction(lambda conn: iterated(conn.cursor("SELEC"))),
        "prefetch 0": in_transaction(lambda conn: iterated(conn.cursor(NUMBERS, prefetch=0))),
        "prefetch -1": in_transaction(lambda conn: iterated(conn.cursor(NUMBERS, prefetch=-1))),
        "timeout": in_transaction(
            lambda conn: iterated(conn.cursor("SELECT pg_sleep(5)", timeout=0.05))
        ),
        "without a transaction": lambda s: iterated(s.conn.cursor(NUMBERS)),
        "within BEGIN": lambda s: within_begin(s.conn),
    },
)
case("PreparedStatement.cursor", "both ways")(in_transaction(from_statement))
case(
    "CursorFactory.__await__ Cursor.fetch Cursor.fetchrow Cursor.forward", "to the end and further"
)(in_transaction(lambda conn: awaited(conn, STEPS)))
cases(
    "Cursor.fetch",
    {
        "0": in_transaction(lambda conn: awaited(conn, [("fetch", (0,))])),
        "-1": in_transaction(lambda conn: awaited(conn, [("fetch", (-1,))])),
    },
)
case("Cursor.fetch", "text", differs="number-of-rows")(
    in_transaction(lambda conn: awaited(conn, [("fetch", ("x",))]))
)
cases(
    "Cursor.forward",
    {
        "beyond the end": in_transaction(lambda conn: awaited(conn, [("forward", (9,))])),
        "0": in_transaction(lambda conn: awaited(conn, [("forward", (0,))])),
        "and a row": in_transaction(lambda conn: awaited(conn, [("forward", (2,)), STEPS[0]])),
    },
)


async def within_begin(conn: Any) -> Any:
    await conn.execute("BEGIN")
    return await iterated(conn.cursor(NUMBERS))


@case("Connection.cursor", "awaited with prefetch")
async def awaited_with_prefetch(s: Session) -> Any:
    async with s.conn.transaction():
        return await s.conn.cursor(NUMBERS, prefetch=3)


@case("Connection.cursor", "awaited without a transaction")
async def awaited_without(s: Session) -> Any:
    return await s.conn.cursor(NUMBERS)


@case("Cursor.fetch", "behind the end of its transaction")
async def behind_the_end(s: Session) -> Any:
    async with s.conn.transaction():
        cursor = await s.conn.cursor(NUMBERS)
    return await cursor.fetch(1)


@case("Cursor.fetch", "of a closed connection")
async def cursor_of_closed(s: Session) -> Any:
    async with s.conn.transaction():
        cursor = await s.conn.cursor(NUMBERS)
        await s.conn.close()
        return await cursor.fetch(1)


@case("Connection.cursor", "record_class")
async def cursor_record_class(s: Session) -> Any:
    class Mine(s.apg.Record):  # type: ignore[name-defined, misc]
        pass

    async with s.conn.transaction():
        rows = await iterated(s.conn.cursor(NUMBERS, record_class=Mine))
        cursor = await s.conn.cursor(NUMBERS, record_class=Mine)
        return rows, await cursor.fetchrow()


# --- transactions ---------------------------------------------------------------------------------


async def counted(conn: Any) -> Any:
    return await conn.fetchval("SELECT count(*) FROM t")


async def create(conn: Any) -> None:
    await conn.execute("CREATE TEMP TABLE t (a int PRIMARY KEY)")


INSERT = "INSERT INTO t VALUES ($1)"


@case("Connection.transaction Transaction.start Transaction.commit Transaction.rollback", "by hand")
async def by_hand(s: Session) -> Any:
    await create(s.conn)
    found: list[Any] = []
    for end in ("commit", "rollback"):
        transaction = s.conn.transaction()
        await transaction.start()
        await s.conn.execute(INSERT, len(found))
        await getattr(transaction, end)()
        found.append(await counted(s.conn))
    return found


@case("Transaction.__aenter__ Transaction.__aexit__", "nested, the inner one fails")
async def nested(s: Session) -> Any:
    await create(s.conn)
    async with s.conn.transaction():
        await s.conn.execute(INSERT, 1)
        try:
            async with s.conn.transaction():
                await s.conn.execute(INSERT, 2)
                await s.conn.execute(INSERT, 1)
        except s.apg.UniqueViolationError as error:
            caught = error
        await s.conn.execute(INSERT, 3)
    return caught, await s.conn.fetch("SELECT * FROM t")


@case("Transaction.__aexit__", "an error in it that was caught")
async def caught_inside(s: Session) -> Any:
    await create(s.conn)
    async with s.conn.transaction():
        await s.conn.execute(INSERT, 1)
        with suppress(s.apg.UniqueViolationError):
            await s.conn.execute(INSERT, 1)
    return await counted(s.conn)


@case("Transaction.commit", "of one that has failed")
async def commit_failed(s: Session) -> Any:
    await create(s.conn)
    transaction = s.conn.transaction()
    await transaction.start()
    with suppress(s.apg.DivisionByZeroError):
        await s.conn.fetchval("SELECT 1 / 0")
    try:
        await s.conn.execute("SELECT 1")
    except s.apg.InFailedSQLTransactionError as error:
        return error, await transaction.commit(), s.conn.is_in_transaction()


@case("Transaction.__aenter__", "what it gives", differs="transaction-aenter")
async def what_it_gives(s: Session) -> Any:
    async with s.conn.transaction() as given:
        return given is None


for options in (
    {"isolation": "serializable", "readonly": True, "deferrable": True},
    {"isolation": "repeatable_read"},
    {"isolation": "read_committed"},
    {"isolation": "read_uncommitted"},
    {"readonly": True},
    {},
):

    @case("Connection.transaction", f"{options}")
    async def levels(s: Session, options: Any = options) -> Any:
        async with s.conn.transaction(**options):
            return await s.conn.fetchrow(
                "SELECT current_setting('transaction_isolation'),"
                " current_setting('transaction_read_only'),"
                " current_setting('transaction_deferrable')"
            )


@case("Connection.transaction", "no such isolation")
async def no_such_isolation(s: Session) -> Any:
    return s.conn.transaction(isolation="total")


for inner in ("serializable", "read_committed"):

    @case("Transaction.start", f"nested in serializable: {inner}")
    async def nested_isolation(s: Session, inner: str = inner) -> Any:
        outer = s.conn.transaction(isolation="serializable")
        async with outer, s.conn.transaction(isolation=inner):
            return await s.conn.fetchval("SHOW transaction_isolation")


@case("Transaction.start", "nested in one without a level")
async def nested_in_default(s: Session) -> Any:
    async with s.conn.transaction(), s.conn.transaction(isolation="read_committed"):
        return await s.conn.fetchval("SELECT 1")


@case("Transaction.start", "twice")
async def start_twice(s: Session) -> Any:
    transaction = s.conn.transaction()
    await transaction.start()
    await transaction.start()


@case("Transaction.start", "behind BEGIN")
async def behind_begin(s: Session) -> Any:
    await s.conn.execute("BEGIN")
    await s.conn.transaction().start()


@case("Transaction.start", "on a closed connection")
async def start_on_closed(s: Session) -> Any:
    await s.conn.close()
    await s.conn.transaction().start()


for end in ("commit", "rollback"):

    @case(f"Transaction.{end}", "before start")
    async def before_start(s: Session, end: str = end) -> Any:
        await getattr(s.conn.transaction(), end)()

    @case(f"Transaction.{end}", "twice")
    async def twice(s: Session, end: str = end) -> Any:
        transaction = s.conn.transaction()
        await transaction.start()
        await getattr(transaction, end)()
        await getattr(transaction, end)()

    @case(f"Transaction.{end}", "within async with")
    async def managed(s: Session, end: str = end) -> Any:
        async with (transaction := s.conn.transaction()):
            await s.conn.fetchval("SELECT 1")
            await getattr(transaction, end)()


@case("Transaction.__aenter__", "twice")
async def entered_twice(s: Session) -> Any:
    async with (transaction := s.conn.transaction()), transaction:
        pass


@case("Transaction.__aexit__", "an error leaves it")
async def error_leaves(s: Session) -> Any:
    await create(s.conn)
    try:
        async with s.conn.transaction():
            await s.conn.execute(INSERT, 1)
            raise KeyError("mine")
    except KeyError as error:
        return error, await counted(s.conn)


@case("Connection.transaction", "another task takes part in it")
async def another_task(s: Session) -> Any:
    await create(s.conn)
    asked, done = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        await asked.wait()
        await s.conn.execute(INSERT, 2)
        done.set()

    task = asyncio.ensure_future(other())
    transaction = s.conn.transaction()
    await transaction.start()
    await s.conn.execute(INSERT, 1)
    asked.set()
    await done.wait()
    found = await counted(s.conn)
    await transaction.rollback()
    await task
    return found, await counted(s.conn)


@case("Transaction.__aexit__", "a deferred constraint")
async def deferred(s: Session) -> Any:
    await s.conn.execute("CREATE TEMP TABLE t (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    async with s.conn.transaction():
        await s.conn.execute(INSERT, 1)
        await s.conn.execute(INSERT, 1)
