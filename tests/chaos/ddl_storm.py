"""Line 17: the schema changes all the time under statements that are cached, shared and pipelined.

Sessions of every mode read tables, views and functions, most of them with one `Knowledge` that they
share, while others change these and their types; and they change what names mean to themselves,
with search_path, roles and temporary tables, and have the server forget what is prepared. All texts
are valid at any moment, so outside of a transaction nothing may fail, and every row tells what it
has to be (`ddl_schema.py`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

import psycopg
from chaos.administrator import Administrator
from chaos.ddl_schema import (
    NUMBER_KINDS,
    NUMBERS,
    SCHEMAS,
    Changes,
    create,
    faults_of,
    retype,
    rows_of,
)
from chaos.figures import Figures
from chaos.outcomes import leaves, story

import pgallop
from pgallop import converting, preparing
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall
from pgallop.statement import PreparedStatement

SECONDS = 60.0  # at scale 1
STUCK_SECONDS = 30.0
LEAST_SECONDS = 1.0

# Between two changes of a schema, so that a statement that has to be described again is mostly run
# before the next one.
MOST_PAUSE_SECONDS = 0.03

# Functions are not locked while they are called: one can be gone between two steps of the server.
LOOKUP_FAILED = "cache lookup failed for function"

# What changes the meaning of names within a function, where nobody sees it.
GO = """
    CREATE OR REPLACE FUNCTION public.go(setting text, place text) RETURNS text LANGUAGE plpgsql
    AS $$ BEGIN PERFORM set_config(setting, place, false); RETURN place; END $$
"""

# In the order in which a transaction reads them: as the changes lock them.
FROM_T = (
    ("SELECT * FROM t", False),
    ("TABLE t", False),
    ("SELECT n, a, kind, place FROM t WHERE n = $1::int4::text", True),
    ("SELECT a, place, kind, n, ARRAY[a] AS several FROM t", False),
    ("SELECT kind, place, a, n FROM t WHERE $1::int8 = n::int8", True),
)
FROM_OTHERS = (
    ("SELECT * FROM v", False),
    ("SELECT n, kind, place, a FROM v WHERE n = $1::int4::text", True),
    ("SELECT * FROM f()", False),
    ("SELECT a, kind, place, n FROM f() WHERE n::int4 = $1", True),
)
WRITING = ("UPDATE t SET n = n WHERE n = $1::int4::text RETURNING *", True)
TWICE = "SELECT twice($1)"
LOG = """
    INSERT INTO log (n, a) VALUES ($1::int4::text, $2)
    RETURNING n, a, 'log' AS place,
        (SELECT typname::text FROM pg_type WHERE oid = pg_typeof(a)) AS kind
"""

Query = tuple[str, bool]

# The keywords of the connections, and whether they share what they learn.
SESSIONS: tuple[tuple[dict[str, Any], bool], ...] = (
    ({}, True),
    ({"statement_mode": "unnamed"}, True),
    ({"statement_cache_size": 2, "max_cached_statement_lifetime": 0.05}, True),
    ({}, False),
    ({"describe_first": True}, True),
    ({"statement_mode": "unnamed", "max_cached_statement_lifetime": 0.05}, True),
)


@dataclass
class Record:
    """What all sessions found; lists hold a description of each case."""

    statements: int = 0
    prepared: int = 0
    stale: int = 0
    converted: int = 0
    races: int = 0
    deadlocks: int = 0
    retried: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    not_retryable: list[str] = field(default_factory=list)
    wrong_values: list[str] = field(default_factory=list)
    wrong_types: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    def failed(self, query: str, error: BaseException) -> None:
        """A statement outside of a transaction has failed."""
        self.errors += [f"{query}: {story(leaf)}" for leaf in leaves(error)]

    def refused(self, where: str, error: Exception) -> None:
        """A transaction or a pipeline has failed, which it may if it may be tried again."""
        for leaf in leaves(error):
            if isinstance(leaf, pgallop.InFailedSQLTransactionError):
                continue  # the first one counts
            cause = leaf.__cause__ or leaf
            if isinstance(cause, pgallop.InternalServerError) and LOOKUP_FAILED in str(cause):
                self.races += 1
            elif getattr(leaf, "safe_to_retry", False):
                self.retried[type(cause).__name__] += 1
            else:
                self.not_retryable.append(f"{where}: {story(leaf)}")

    def check(self, query: str, rows: Sequence[pgallop.Record], place: str) -> None:
        self.statements += 1
        for row in rows:
            for fault in faults_of(dict(row), place):
                kind, _, text = fault.partition(": ")
                found = self.wrong_types if kind == "type" else self.wrong_values
                found.append(f"{query}: {text}")

    def check_twice(self, n: int, answer: str) -> None:
        self.statements += 1
        kind, _, text = answer.partition(":")
        if kind not in NUMBER_KINDS or text != str(2 * n):
            self.wrong_values.append(f"{TWICE} of {n}: {answer}")


class Session:
    """A connection, and what is done with it. `label`: which one."""

    def __init__(
        self,
        label: str,
        connect: Callable[[], ConnectCall],
        changes: Sequence[Changes],
        chance: random.Random,
        record: Record,
    ) -> None:
        self._label = label
        self._connect = connect
        self._changes = changes
        self._chance = chance
        self._record = record
        self._schema = SCHEMAS[0]
        self._temporary = False
        self._statements: dict[str, PreparedStatement] = {}

    async def live(self, end: float) -> None:
        """Work until the loop's clock says `end`."""
        works = {
            self._crowd: 12,
            self._kept: 2,
            self._pipeline: 3,
            self._transaction: 4,
            self._own_change: 1,
            self._move: 4,
        }
        loop = asyncio.get_running_loop()
        async with self._connect() as self._conn:
            while loop.time() < end and not self._record.stuck and not self._conn.is_closed():
                work = self._chance.choices(list(works), list(works.values()))[0]
                try:
                    async with asyncio.timeout(STUCK_SECONDS):
                        await work()
                except TimeoutError:
                    self._record.stuck.append(f"{self._label}: {work.__name__}")
                except Exception as error:
                    self._record.failed(f"{self._label}, {work.__name__}", error)

    # -- single statements -----------------------------------------------------------------------

    async def _crowd(self) -> None:
        """Statements of many tasks, which travel together."""
        works: list[Awaitable[None]] = [
            self._read(self._query()) for _ in range(self._chance.choice((1, 3, 10)))
        ]
        if self._chance.random() < 0.3:
            works += [self._write(), self._double()]
        self._chance.shuffle(works)
        await asyncio.gather(*works)

    def _query(self) -> Query:
        query = self._chance.choice((*FROM_T, *FROM_OTHERS, WRITING))
        return self._varied(query)

    def _varied(self, query: Query) -> Query:
        """The same as another text, which may never have been seen before."""
        if self._chance.random() < 0.8:
            return query
        return f"{query[0]} /* {self._chance.randrange(200)} */", query[1]

    def _place(self, query: Query) -> str:
        """Where the names of `query` lead to."""
        of_t = query[0].startswith(tuple(each[0] for each in (*FROM_T, WRITING)))
        return "temp" if self._temporary and of_t else self._schema

    def _arguments(self, query: Query) -> tuple[int, ...]:
        return (self._chance.choice(NUMBERS),) if query[1] else ()

    async def _read(self, query: Query) -> None:
        args = self._arguments(query)
        try:
            if self._chance.random() < 0.5:
                rows = await self._conn.fetch(query[0], *args)
            else:
                row = await self._conn.fetchrow(query[0], *args)
                rows = [] if row is None else [row]
        except Exception as error:
            self._record.failed(f"{self._label}, {query[0]}", error)
        else:
            if not rows:
                self._record.wrong_values.append(f"{query[0]}: no rows")
            self._record.check(f"{self._label}, {query[0]}", rows, self._place(query))

    async def _write(self) -> None:
        n = self._chance.choice(NUMBERS)
        try:
            rows = await self._conn.fetch(LOG, n, n)
        except Exception as error:
            self._record.failed(f"{self._label}, INSERT", error)
        else:
            self._record.check(f"{self._label}, INSERT", rows, "log")

    async def _double(self) -> None:
        n = self._chance.choice(NUMBERS)
        try:
            answer = await self._conn.fetchval(TWICE, n)
        except Exception as error:
            self._record.failed(f"{self._label}, {TWICE}", error)
        else:
            self._record.check_twice(n, answer)

    async def _kept(self) -> None:
        """A statement of `prepare()`, of which there is one for a text as long as this lives."""
        query = self._chance.choice((FROM_T[0], FROM_T[2], FROM_OTHERS[0]))
        statement = self._statements.get(query[0])
        if statement is None:
            statement = self._statements[query[0]] = await self._conn.prepare(query[0])
        args = self._arguments(query)
        for rows in await asyncio.gather(*[statement.fetch(*args) for _ in range(3)]):
            self._record.check(f"{self._label}, prepared {query[0]}", rows, self._place(query))

    # -- what may have to be tried again ---------------------------------------------------------

    async def _pipeline(self) -> None:
        queries = [self._query() for _ in range(self._chance.choice((1, 2, 4)))]
        await self._until_it_works("a pipeline", lambda: self._pipelined(queries))

    async def _pipelined(self, queries: Sequence[Query]) -> None:
        async with self._conn.pipeline() as pipeline:
            answers = [pipeline.fetch(query[0], *self._arguments(query)) for query in queries]
        for query, answer in zip(queries, answers, strict=True):
            self._record.check(f"{self._label}, {query[0]}", answer.result(), self._place(query))

    async def _transaction(self) -> None:
        works = (self._sequence, self._together, self._cursor)
        work = self._chance.choice(works)
        await self._until_it_works(f"a transaction, {work.__name__}", work)

    async def _until_it_works(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except (pgallop.PostgresError, pgallop.PipelineError, ExceptionGroup) as error:
                self._record.refused(f"{self._label}, {what}", error)
            else:
                return

    async def _sequence(self) -> None:
        """One statement after the other, in the order in which the changes lock."""
        async with self._conn.transaction():
            for query in (FROM_T, FROM_OTHERS):
                await self._read_inside(self._varied(self._chance.choice(query)))

    async def _together(self) -> None:
        async with self._conn.transaction(), asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(self._read_inside(self._varied(self._chance.choice(FROM_T))))

    async def _read_inside(self, query: Query) -> None:
        rows = await self._conn.fetch(query[0], *self._arguments(query))
        self._record.check(f"{self._label}, {query[0]}", rows, self._place(query))

    async def _cursor(self) -> None:
        """FETCH has the columns of the cursor that has this name now."""
        async with self._conn.transaction():
            await self._conn.execute("DECLARE rows CURSOR FOR TABLE t")
            rows = await self._conn.fetch("FETCH ALL FROM rows")
            self._record.check(f"{self._label}, FETCH", rows, self._place(FROM_T[0]))

    # -- what the session changes ----------------------------------------------------------------

    async def _own_change(self) -> None:
        """Change the schema, read it within the transaction, and leave it like that or not."""
        changes = self._changes[SCHEMAS.index(self._schema)]
        if self._temporary:
            return
        async with changes.lock:
            change = changes.next()
            transaction = self._conn.transaction()
            await transaction.start()
            try:
                for statement in change.statements:
                    await self._conn.execute(statement)
                for query in (FROM_T, FROM_OTHERS):
                    await self._read_inside(self._varied(self._chance.choice(query)))
            except pgallop.PostgresError as error:
                self._record.refused(f"{self._label}, its own change", error)
                await transaction.rollback()
                return
            if self._chance.random() < 0.5:
                await transaction.rollback()
            else:
                await transaction.commit()
                changes.made(change)

    async def _move(self) -> None:
        """Change what names mean from now on, or have the server forget all statements."""
        works = (self._set_path, self._set_role, self._temporary_table, self._discard)
        await self._chance.choice(works)()

    async def _set_path(self) -> None:
        self._schema = self._chance.choice(SCHEMAS)
        match self._chance.randrange(3):
            case 0:
                await self._conn.execute(f"SET search_path = {self._schema}")
            case 1:
                await self._conn.fetch("SELECT set_config('search_path', $1, false)", self._schema)
            case _:
                await self._conn.fetchval("SELECT public.go('search_path', $1)", self._schema)

    async def _set_role(self) -> None:
        """Go to the schema that is named like the role, which no server reports."""
        await self._conn.execute("""SET search_path = "$user" """)
        self._schema = self._chance.choice(SCHEMAS)
        if self._chance.random() < 0.5:
            await self._conn.execute(f"SET ROLE {self._schema}")
        else:
            await self._conn.fetchval("SELECT public.go('role', $1)", self._schema)

    async def _temporary_table(self) -> None:
        """Hide `t` by a temporary table, give that other types, or drop it."""
        kind = self._chance.choice(NUMBER_KINDS)
        if not self._temporary:
            await self._conn.execute("CREATE TEMP TABLE t AS " + rows_of(kind, "temp"))
            self._temporary = True
        elif self._chance.random() < 0.5:
            await self._conn.execute(retype(kind, "pg_temp.t"))
        else:
            await self._conn.execute("DROP TABLE pg_temp.t")
            self._temporary = False

    async def _discard(self) -> None:
        match self._chance.randrange(3):
            case 0:
                await self._conn.execute("DEALLOCATE ALL")
            case 1:
                await self._conn.execute("DO 'BEGIN DEALLOCATE ALL; END'")
            case _:
                await self._conn.execute("DISCARD ALL")
                self._schema, self._temporary = SCHEMAS[0], False


async def change(
    execute: Callable[[str], Awaitable[object]],
    changes: Changes,
    chance: random.Random,
    end: float,
    record: Record,
) -> None:
    """Make one change after the other.

    A pipeline locks what it reads in any order: of the two that wait for each other then, the
    server may choose the change to fail.
    """
    loop = asyncio.get_running_loop()
    while loop.time() < end:
        async with changes.lock:
            one = changes.next()
            try:
                await execute(one.script(changes.schema))
            except (pgallop.DeadlockDetectedError, psycopg.errors.DeadlockDetected):
                record.deadlocks += 1
            else:
                changes.made(one)
        await asyncio.sleep(chance.random() * MOST_PAUSE_SECONDS)


@contextmanager
def counted(record: Record) -> Iterator[None]:
    """Count what the driver does behind the calls."""
    submit, forget, readable = preparing.submit, preparing.forget, converting.readable

    def counted_submit(*args: Any) -> Any:
        record.prepared += 1
        return submit(*args)

    def counted_forget(*args: Any) -> None:
        record.stale += 1
        forget(*args)

    async def counted_readable(*args: Any) -> Any:
        record.converted += 1
        return await readable(*args)

    with (
        mock.patch.object(preparing, "submit", counted_submit),
        mock.patch.object(preparing, "forget", counted_forget),
        mock.patch.object(converting, "readable", counted_readable),
    ):
        yield


async def set_up(administrator: Administrator) -> None:
    await administrator.run(GO)
    for schema in SCHEMAS:
        roles = await administrator.ask("SELECT 1 FROM pg_roles WHERE rolname = %s", schema)
        if not roles:
            await administrator.run(f"CREATE ROLE {schema} SUPERUSER")
        await administrator.run(create(schema))


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 60 seconds, at least one."""
    figures = Figures(17, "changes of the schema")
    chance = random.Random(seed)
    record = Record()
    knowledge = pgallop.Knowledge()
    loop = asyncio.get_running_loop()
    changes = [Changes(schema, random.Random(chance.random())) for schema in SCHEMAS]

    def connect(options: dict[str, Any], shares: bool) -> ConnectCall:
        return pgallop.connect(
            server.tcp_dsn,
            server_settings={"search_path": SCHEMAS[0]},
            knowledge=knowledge if shares else None,
            **options,
        )

    async with (
        Administrator(server.dsn) as administrator,
        connect({}, True) as other,
        asyncio.TaskGroup() as group,
    ):
        await set_up(administrator)
        end = loop.time() + max(LEAST_SECONDS, SECONDS * scale)
        with counted(record):
            # One that they hear of, and one that they do not.
            tasks = [
                group.create_task(change(other.execute, changes[0], chance, end, record)),
                group.create_task(change(administrator.run, changes[1], chance, end, record)),
            ]
            for number, (options, shares) in enumerate(SESSIONS):
                session = Session(
                    f"session {number}",
                    partial(connect, options, shares),
                    changes,
                    random.Random(chance.random()),
                    record,
                )
                tasks.append(group.create_task(session.live(end)))
            await asyncio.wait(tasks)
    figures.at_least("statements", record.statements, 100)
    figures.at_least("ddl", sum(each.count for each in changes), 10)
    figures.at_least("prepared", record.prepared, 10)
    figures.at_least("stale", record.stale, 1)
    figures.at_least("converted", record.converted, 1)
    figures.zero("errors_outside_a_transaction", record.errors)
    figures.zero("wrong_values", record.wrong_values)
    figures.zero("wrong_types", record.wrong_types)
    figures.zero("stuck", record.stuck)
    figures.at_least("retried", sum(record.retried.values()), 1)
    figures.show("server_races", record.races)
    figures.show("deadlocks", record.deadlocks)
    figures.zero("not_retryable", record.not_retryable)
    return figures.finish()
