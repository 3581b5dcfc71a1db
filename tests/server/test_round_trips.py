"""How often each way of running statements goes there and back, beside asyncpg on the same way.

On a network this is what a caller waits for. It is counted by a proxy that delays each direction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from live import Monitor
from long_line import (
    DELAY,
    Line,
    Path,
    at_once,
    call,
    copy_bytes,
    copy_records,
    line_to,
    pipeline,
    prepare,
    prepared,
    refused,
    script,
    transaction,
    wrong,
)

from pgallop import Knowledge
from pgallop.cli.server import EmbeddedServer

PLAIN = "SELECT 1"
WITH_ARGUMENT = "SELECT $1::int4"
ALL_ROWS = "SELECT * FROM trips"
SOME_ROWS = "SELECT * FROM trips WHERE a = $1"
ALTER = "ALTER TABLE trips ADD b int4"
TO_INT8 = "ALTER TABLE trips ALTER a TYPE int8"
NO_BINARY_FORM = "SELECT 'postgres=r/postgres'::aclitem"


@pytest.fixture
def table(monitor: Monitor) -> Iterator[None]:
    monitor.ask("CREATE TABLE trips (a int4)")
    monitor.ask("INSERT INTO trips VALUES (1)")
    monitor.ask("CREATE TYPE trip_mood AS ENUM ('sad')")
    monitor.ask("CREATE TYPE trip_pair AS (a int4, m trip_mood)")
    yield
    monitor.ask("DROP TABLE trips; DROP TYPE trip_pair; DROP TYPE trip_mood")


TEN_PLAIN = [call(f"SELECT {i}") for i in range(10)]
TEN_WITH_ARGUMENT = [call(f"SELECT $1::int4 + {i}", i) for i in range(10)]
KNOWN, KNOWN_WITH_ARGUMENT = (call(PLAIN),), (call(WITH_ARGUMENT, 0),)
ONE = {"statement_cache_size": 1}

PAIRS = (call("SELECT $1::trip_pair[]", [(1, "sad")]),)

ORDINARY = [
    Path("the first time", call(PLAIN), 1, 2),
    Path("the first time, with an argument", call(WITH_ARGUMENT, 1), 2, 2),
    Path("again", call(PLAIN), 1, 1, KNOWN),
    Path("again, with an argument", call(WITH_ARGUMENT, 1), 1, 1, KNOWN_WITH_ARGUMENT),
    Path("a script", script("SELECT 1; SELECT 2"), 1, 1),
    Path("one that writes", script("INSERT INTO trips VALUES (2)"), 1, 1),
    Path("EXPLAIN, which is described first", call("EXPLAIN SELECT 1"), 2, 2),
    Path("an array", call("SELECT '{1}'::int4[]"), 1, 8),
    Path("an array as an argument", call("SELECT $1::int4[]", [1]), 2, 8),
    Path("an array of ranges", call("SELECT '{empty}'::int4range[]"), 1, 8),
    # The catalogue is asked about all types at once.
    Path("an enum", call("SELECT 'sad'::trip_mood"), 2, 8),
    Path("an enum as an argument", call("SELECT $1::trip_mood", "sad"), 3, 8),
    Path("a composite type", call("SELECT $1::trip_pair[]", [(1, "sad")]), 3, 8),
    Path("types that are known", call("SELECT ARRAY[ROW(1, 'sad')::trip_pair]"), 1, 2, PAIRS),
    # It is read as text, and came in binary.
    Path("a type to be converted", call("SELECT 'pg_class'::regclass"), 2, 2),
    Path("one that is NULL", call("SELECT NULL::regclass"), 1, 2),
    # Refused; the proof that it may run again, which has an argument; and again.
    Path("a type without a binary form", call(NO_BINARY_FORM), 4, 2),
    Path("the same again", call(NO_BINARY_FORM), 1, 1, (call(NO_BINARY_FORM),)),
    Path("reset", lambda conn: conn.reset(), 1, 1),
    Path("Terminate, which nobody answers", lambda conn: conn.close(), 0, 0),
]

# Without names they go one at a time: a pooler may part them anywhere.
TOGETHER = [
    Path("ten at once, known", at_once(*[call(PLAIN)] * 10), 1, None, KNOWN, unnamed=10),
    Path("ten at once, new", at_once(*TEN_PLAIN), 1, None, unnamed=10),
    Path("ten at once, new, with arguments", at_once(*TEN_WITH_ARGUMENT), 2, None, unnamed=20),
    Path(
        "ten at once, with arguments",
        at_once(*TEN_WITH_ARGUMENT),
        1,
        None,
        (*TEN_WITH_ARGUMENT,),
        unnamed=10,
    ),
    Path(
        "ten at once, the same new text",
        at_once(*[call(WITH_ARGUMENT, 1)] * 10),
        2,
        None,
        unnamed=11,
    ),
    Path("a transaction of nothing", transaction(), 0, 2),
    Path("a transaction of one", transaction(call(PLAIN)), 2, 3, KNOWN),
    Path("a transaction of three", transaction(*[call(PLAIN)] * 3), 4, 5, KNOWN),
    Path(
        "a transaction of ten at once",
        transaction(at_once(*[call(PLAIN)] * 10)),
        3,
        None,
        KNOWN,
        unnamed=11,
    ),
    # A result in binary that cannot be would cost the transaction: it is described first.
    Path("a transaction of a new one", transaction(call(PLAIN)), 3, 4),
    Path("a transaction of a script", transaction(script("SELECT 1; SELECT 2")), 2, 3),
    Path(
        "a pipeline, new",
        pipeline(*[lambda p, i=i: p.fetchval(f"SELECT $1::int4 + {i}", i) for i in range(10)]),
        2,
        None,
        unnamed=11,
    ),
    Path(
        "a pipeline",
        pipeline(*[lambda p, i=i: p.fetchval(f"SELECT $1::int4 + {i}", i) for i in range(10)]),
        1,
        None,
        (*TEN_WITH_ARGUMENT,),
    ),
    Path("a pipeline of nothing", pipeline(), 0, None),
]

REFUSED = [
    Path("refused", refused("SELECT nothing"), 1, 2),
    Path("refused, with an argument", refused("SELECT nothing + $1", 1), 1, 2),
    Path("refused while it runs", refused("SELECT 1/0"), 1, 2),
    Path("refused again", refused("SELECT nothing"), 1, 2, (refused("SELECT nothing"),)),
    # Not what it is made of is the fault: it must not be described again, ten times over.
    Path("what the role may not do", refused(ALL_ROWS), 1, 2, (script("SET ROLE pg_monitor"),)),
    Path(
        "what the role may not do, with an argument",
        refused(SOME_ROWS, 1),
        2,
        2,
        (script("SET ROLE pg_monitor"),),
    ),
    Path("a wrong value", wrong(WITH_ARGUMENT, "one"), 1, 1),
    # The type could be another one by now: it is asked for.
    Path("a wrong value, known", wrong(WITH_ARGUMENT, "one"), 1, 0, KNOWN_WITH_ARGUMENT),
]

LOST = [
    Path("evicted", call(PLAIN), 1, 3, (*KNOWN, call("SELECT 2")), options=ONE),
    Path(
        "evicted, with an argument",
        call(WITH_ARGUMENT, 1),
        1,
        3,
        (*KNOWN_WITH_ARGUMENT, call("SELECT 2")),
        options=ONE,
    ),
    Path(
        "no cache, with an argument",
        call(WITH_ARGUMENT, 1),
        1,
        2,
        KNOWN_WITH_ARGUMENT,
        options={"statement_cache_size": 0},
    ),
    Path("after DISCARD ALL", call(PLAIN), 1, None, (*KNOWN, script("DISCARD ALL"))),
    # It resets search_path: what names mean is asked again.
    Path(
        "after DISCARD ALL, with an argument",
        call(WITH_ARGUMENT, 1),
        2,
        None,
        (*KNOWN_WITH_ARGUMENT, script("DISCARD ALL")),
    ),
    Path(
        "after DEALLOCATE ALL, with an argument",
        call(WITH_ARGUMENT, 1),
        1,
        None,
        (*KNOWN_WITH_ARGUMENT, script("DEALLOCATE ALL")),
    ),
    # Nothing tells of it but the failure; without a name there was nothing to be forgotten.
    Path(
        "forgotten behind our back",
        call(PLAIN),
        2,
        None,
        (*KNOWN, script("DO 'BEGIN DEALLOCATE ALL; END'")),
        unnamed=1,
    ),
    Path(
        "forgotten behind our back, with an argument",
        call(WITH_ARGUMENT, 1),
        3,
        None,
        (*KNOWN_WITH_ARGUMENT, script("DO 'BEGIN DEALLOCATE ALL; END'")),
        unnamed=1,
    ),
]

CHANGED = [
    # The command tag tells of it, so nothing has to fail first.
    Path("altered here", call(ALL_ROWS), 1, 4, (call(ALL_ROWS), script(ALTER))),
    Path(
        "altered here, with an argument",
        call(SOME_ROWS, 1),
        2,
        4,
        (call(SOME_ROWS, 1), script(ALTER)),
    ),
    Path(
        "something else was created here",
        call(WITH_ARGUMENT, 1),
        1,
        1,
        (*KNOWN_WITH_ARGUMENT, script("CREATE TABLE others (a int4); DROP TABLE others")),
        unnamed=2,
    ),
    Path(
        "a temporary table was created here",
        call(WITH_ARGUMENT, 1),
        1,
        1,
        (*KNOWN_WITH_ARGUMENT, script("CREATE TEMP TABLE others (a int4)")),
    ),
    Path(
        "another search_path",
        call(WITH_ARGUMENT, 1),
        1,
        1,
        (*KNOWN_WITH_ARGUMENT, script("SET search_path = public")),
    ),
    # Refused ("cached plan must not change result type"), and run anew: its columns are seen when
    # they come, but its parameters are asked for. Without a name the server has kept no plan.
    Path("altered elsewhere", call(ALL_ROWS), 2, 4, (call(ALL_ROWS),), ALTER, unnamed=1),
    Path(
        "altered elsewhere, with an argument",
        call(SOME_ROWS, 1),
        3,
        4,
        (call(SOME_ROWS, 1),),
        ALTER,
        unnamed=1,
    ),
    # A str is no int4, which the column was: it is asked again before that is an error.
    Path(
        "another type elsewhere, with an argument",
        call(SOME_ROWS, "1"),
        2,
        None,
        (call(SOME_ROWS, 1),),
        "ALTER TABLE trips ALTER a TYPE text",
    ),
]

RECORDS = copy_records("trips", [(1,), (2,)])

COPIED = [
    Path("COPY of bytes", copy_bytes("trips", b"1\n2\n"), 1, 1),
    # The columns are asked for, and compared each time, without another trip if they have a name.
    Path("COPY of records", RECORDS, 2, 2, unnamed=3),
    Path("COPY of records, known", RECORDS, 1, 1, (RECORDS,), unnamed=2),
    Path("COPY of records in a transaction", transaction(RECORDS), 3, 4, unnamed=4),
    Path("COPY of records, altered elsewhere", RECORDS, 3, None, (RECORDS,), TO_INT8, unnamed=5),
]

PREPARED = [
    Path("prepare", prepare(PLAIN), 1, 1),
    Path("prepare, with an argument", prepare(WITH_ARGUMENT), 1, 1),
    Path("prepare what is known", prepare(WITH_ARGUMENT), 1, 1, KNOWN_WITH_ARGUMENT),
    Path("prepare again", prepare(PLAIN), 1, 2, (prepare(PLAIN),)),
    Path(
        "prepare three at once",
        at_once(*[prepare(f"SELECT {i}") for i in range(3)]),
        1,
        None,
        unnamed=3,
    ),
    Path("prepared and run twice", prepared(PLAIN), 3, 3),
    Path("prepared and run twice, with an argument", prepared(WITH_ARGUMENT, 1), 3, 3),
    # It was described when it was prepared: nothing is converted.
    Path("prepared, a type that is text", prepared("SELECT 'pg_class'::regclass"), 3, 3),
    Path("prepared in a transaction", transaction(prepared(WITH_ARGUMENT, 1)), 4, 5),
]

PATHS = [*ORDINARY, *TOGETHER, *REFUSED, *LOST, *CHANGED, *COPIED, *PREPARED]


def each_of(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=[path.what for path in paths])


async def taken(line: Line, conn: Any, path: Path, monitor: Monitor) -> int:
    for act in path.before:
        await act(conn)
    if path.elsewhere:
        monitor.ask(path.elsewhere)
    return await line.trips(path.act(conn))


@pytest.mark.usefixtures("table")
@each_of(PATHS)
async def test_a_path(server: EmbeddedServer, monitor: Monitor, path: Path) -> None:
    async with line_to(server) as line, line.pgallop(**path.options) as conn:
        assert await taken(line, conn, path, monitor) == path.promised


@pytest.mark.usefixtures("table")
@each_of(PATHS)
async def test_a_path_without_names(server: EmbeddedServer, monitor: Monitor, path: Path) -> None:
    expected = path.promised if path.unnamed is None else path.unnamed
    options = {"statement_mode": "unnamed", **path.options}
    async with line_to(server) as line, line.pgallop(**options) as conn:
        assert await taken(line, conn, path, monitor) == expected


@pytest.mark.once
@pytest.mark.usefixtures("table")
@each_of([path for path in PATHS if path.asyncpg is not None])
async def test_asyncpg(server: EmbeddedServer, monitor: Monitor, path: Path) -> None:
    """What stands beside ours in the table is true."""
    async with line_to(server) as line, line.asyncpg(**path.options) as conn:
        assert await taken(line, conn, path, monitor) == path.asyncpg


async def test_connecting(server: EmbeddedServer) -> None:
    async def connect(drivers_own: Callable[[], AbstractAsyncContextManager[Any]]) -> None:
        async with drivers_own():
            pass

    async with line_to(server) as line:
        assert await line.trips(connect(line.pgallop)) == 1
        assert await line.trips(connect(line.asyncpg)) == 1


async def test_after_a_timeout(server: EmbeddedServer, monitor: Monitor) -> None:
    """The statement was cancelled meanwhile, on a connection of its own."""
    async with line_to(server) as line, line.pgallop() as conn:
        await call(PLAIN)(conn)
        with pytest.raises(TimeoutError):
            await conn.fetchval("SELECT pg_sleep(60)", timeout=0.05)
        await monitor.until(conn.get_server_pid(), ["idle"])
        await asyncio.sleep(4 * DELAY)
        assert await line.trips(call(PLAIN)(conn)) == 1


# What connections share

MODES = pytest.mark.parametrize("mode", ["named", "unnamed"])


@MODES
@pytest.mark.parametrize("teacher", ["named", "unnamed"])
async def test_what_another_connection_knows(
    server: EmbeddedServer, mode: str, teacher: str
) -> None:
    shared = Knowledge()
    async with (
        line_to(server) as line,
        line.pgallop(statement_mode=teacher, knowledge=shared) as one,
        line.pgallop(statement_mode=mode, knowledge=shared) as other,
        line.pgallop(statement_mode=mode) as stranger,
    ):
        for act in TEN_WITH_ARGUMENT:
            assert await line.trips(act(one)) == 2
        assert await line.trips(TEN_WITH_ARGUMENT[0](other)) == 1
        ten_at_once = 10 if mode == "unnamed" else 1
        assert await line.trips(at_once(*TEN_WITH_ARGUMENT)(other)) == ten_at_once
        assert await line.trips(TEN_WITH_ARGUMENT[0](stranger)) == 2
        # And in a transaction, together with its BEGIN.
        await call("SELECT $1::text", "")(one)
        assert await line.trips(transaction(call("SELECT $1::text", ""))(other)) == 2


@MODES
async def test_what_a_connection_knew_that_is_closed(server: EmbeddedServer, mode: str) -> None:
    shared = Knowledge()
    async with line_to(server) as line:
        async with line.pgallop(knowledge=shared) as conn:
            await call(WITH_ARGUMENT, 1)(conn)
        async with line.pgallop(statement_mode=mode, knowledge=shared) as conn:
            assert await line.trips(call(WITH_ARGUMENT, 1)(conn)) == 1


@MODES
async def test_a_pipeline_of_what_is_known(server: EmbeddedServer, mode: str) -> None:
    """What a pipeline presumed could fail in the middle of it: it describes all its statements."""
    shared = Knowledge()
    async with (
        line_to(server) as line,
        line.pgallop(knowledge=shared) as one,
        line.pgallop(statement_mode=mode, knowledge=shared) as other,
    ):
        await call(WITH_ARGUMENT, 1)(one)
        act = pipeline(lambda p: p.fetchval(WITH_ARGUMENT, 1))
        assert await line.trips(act(other)) == 2
        assert await line.trips(act(other)) == 1


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("mode", "who", "promised"),
    [
        # Its statements are kept, and are found out of date when they are run.
        ("named", "the other", 3),
        # Everybody is told, and describes before it runs.
        ("unnamed", "the other", 2),
        # The knowledge is not told: what it presumes is seen to be wrong when the rows come.
        ("named", "a stranger", 3),
        ("unnamed", "a stranger", 1),
    ],
)
async def test_a_table_altered_by_another_connection(
    server: EmbeddedServer, monitor: Monitor, mode: str, who: str, promised: int
) -> None:
    shared = Knowledge()
    async with (
        line_to(server) as line,
        line.pgallop(statement_mode=mode, knowledge=shared) as one,
        line.pgallop(statement_mode=mode, knowledge=shared) as other,
    ):
        await call(SOME_ROWS, 1)(one)
        await call(SOME_ROWS, 1)(other)
        if who == "the other":
            await other.execute(ALTER)
        else:
            monitor.ask(ALTER)
        assert await line.trips(call(SOME_ROWS, 1)(one)) == promised
        assert await one.fetchrow(SOME_ROWS, 1) == (1, None)


@pytest.mark.usefixtures("table")
@MODES
async def test_out_of_date_before_its_first_run(
    server: EmbeddedServer, monitor: Monitor, mode: str
) -> None:
    """Only the columns have changed: they are described again, in front of the rows."""
    shared = Knowledge()
    async with (
        line_to(server) as line,
        line.pgallop(knowledge=shared) as one,
        line.pgallop(statement_mode=mode, knowledge=shared) as other,
    ):
        await call(SOME_ROWS, 1)(one)
        monitor.ask("ALTER TABLE trips DROP a, ADD a int4, ADD b int4")
        assert await line.trips(call(SOME_ROWS, 1)(other)) == 1


# Other ways to ask


@MODES
async def test_described_first(server: EmbeddedServer, mode: str) -> None:
    shared = Knowledge()
    options = {"statement_mode": mode, "knowledge": shared, "describe_first": True}
    async with (
        line_to(server) as line,
        line.pgallop(**options) as one,
        line.pgallop(**options) as other,
    ):
        acts = [call(PLAIN), call(WITH_ARGUMENT, 1)]
        if mode == "named":  # else one at a time
            acts.append(at_once(*TEN_PLAIN))
        for conn in one, other:
            for act in acts:
                assert await line.trips(act(conn)) == 2
                assert await line.trips(act(conn)) == 1


async def test_the_simple_protocol(server: EmbeddedServer) -> None:
    async with line_to(server) as line, line.pgallop(statement_mode="simple") as conn:
        assert await line.trips(call(PLAIN)(conn)) == 1
        assert await line.trips(at_once(*TEN_PLAIN)(conn)) == 1
        assert await line.trips(transaction(call(PLAIN))(conn)) == 2
