"""The works: what every driver does, over how many connections, from how many tasks at once.

`pg_type`, `series1000`, `bytea100k`, `arrays` and `select1` are those of MagicStack's pgbench, with
ten connections as there; the others are ours. The last ones are what a statement takes that is run
for the first time, far away from the server, where it is the round trips that count.
"""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

SCHEMA = "pgallop_bench"

# Seconds that each direction of a long line takes.
DELAY = 0.005


@dataclass
class Visitor:
    """What rows are made into: an ordinary dataclass."""

    id: int
    name: str
    score: float
    seen: datetime
    active: bool
    visits: int
    token: UUID


@dataclass(frozen=True)
class Work:
    """One thing to measure: `query`, run again and again.

    Args:
        name: what `--work` takes.
        title: what the report calls it.
        query: one statement, with `$1`, `$2`, ... for its arguments.
        arguments: what each run takes in turn; begins again at its end.
        connections: how many connections.
        tasks: how many tasks ask at the same time, spread evenly over the connections.
        pools: the tasks share a pool of so many connections, each of which one has to itself.
        reconnects: each run connects, asks once and closes.
        is_new: each run has a text that was never seen before.
        warms_up: each run opens all connections, which then run so many statements each, at the
            same time and all of them the same statements, and closes them.
        is_far: the server is at the end of a long line, and round trips are counted.
        weighs_rows: also measure the memory that the rows take.
        into: the class whose objects the rows are made into, in the way that a driver has for it.
        setup: statements that make its table.
    """

    name: str
    title: str
    query: str
    arguments: tuple[tuple[object, ...], ...] = ((),)
    connections: int = 10
    tasks: int = 10
    pools: bool = False
    reconnects: bool = False
    is_new: bool = False
    warms_up: int = 0
    is_far: bool = False
    weighs_rows: bool = False
    into: type[Visitor] | None = None
    setup: tuple[str, ...] = ()

    def texts(self, count: int) -> list[str]:
        """Return so many texts that do the same and are not the same."""
        return [f"{self.query} -- {number}" for number in range(count)]

    @property
    def shares_connections(self) -> bool:
        """Whether several tasks ask on one connection at the same time."""
        return self.tasks > self.connections


_ACCOUNTS = 10_000
_WIDE_ROWS = 100_000

_VISITORS = f"SELECT id, name, score, seen, active, visits, token FROM {SCHEMA}"


def _make_visitors(table: str, rows: int) -> str:
    return f"""
        CREATE TABLE IF NOT EXISTS {SCHEMA}.{table} AS
        SELECT i::int4 AS id, 'visitor ' || i AS name, i * 0.37::float8 AS score,
            timestamptz '2020-01-01 00:00:00Z' + i * interval '61.234567 seconds' AS seen,
            i % 2 = 0 AS active, i::int8 * 1000000007 AS visits, md5(i::text)::uuid AS token
        FROM generate_series(1, {rows}) AS i"""


# Every run asks for another row, in an order that is the same for all drivers.
_KEYS = tuple((key,) for key in random.Random(1).sample(range(1, _ACCOUNTS + 1), _ACCOUNTS))

_BY_KEY = f"SELECT id, name, balance, opened FROM {SCHEMA}.accounts WHERE id = $1"
_MAKE_ACCOUNTS = (
    f"""CREATE TABLE IF NOT EXISTS {SCHEMA}.accounts (
            id int4 PRIMARY KEY, name text NOT NULL, balance numeric NOT NULL,
            opened timestamptz NOT NULL)""",
    f"""INSERT INTO {SCHEMA}.accounts
        SELECT i, 'account ' || i, i * 7919 % 1000000 / 100.0,
            timestamptz '2020-01-01 00:00:00Z' + i * interval '61.234567 seconds'
        FROM generate_series(1, {_ACCOUNTS}) AS i
        ON CONFLICT DO NOTHING""",
    f"ANALYZE {SCHEMA}.accounts",
)

_FAR = f"{1000 * DELAY:g} ms each way"

_WORKS = (
    Work("select1", "SELECT 1+1 on 10 connections", "SELECT 1+1"),
    Work(
        "pk",
        "a row of 4 columns by its primary key, on 10 connections",
        _BY_KEY,
        _KEYS,
        setup=_MAKE_ACCOUNTS,
    ),
    Work(
        "select1_tasks",
        "SELECT 1+1 from 100 tasks at once",
        "SELECT 1+1",
        connections=1,
        tasks=100,
    ),
    Work(
        "pk_tasks",
        "a row by its primary key, from 100 tasks at once",
        _BY_KEY,
        _KEYS,
        tasks=100,
        setup=_MAKE_ACCOUNTS,
    ),
    Work(
        "pk_pool",
        "a row by its primary key, from 100 tasks on a pool of 10",
        _BY_KEY,
        _KEYS,
        tasks=100,
        pools=True,
        setup=_MAKE_ACCOUNTS,
    ),
    Work(
        "pg_type",
        "12 columns of pg_type, several hundred rows, on 10 connections",
        """SELECT typname, typnamespace, typowner, typlen, typbyval, typcategory, typispreferred,
                  typisdefined, typdelim, typrelid, typelem, typarray
           FROM pg_type WHERE typtypmod = $1 AND typisdefined = $2""",
        ((-1, True),),
    ),
    Work(
        "series1000",
        "1,000 rows of one int4, on 10 connections",
        "SELECT i FROM generate_series(1, $1) AS i",
        ((1000,),),
    ),
    Work(
        "bytea100k",
        "100 rows of 1,000 bytes, on 10 connections",
        f"SELECT data FROM {SCHEMA}.chunks",
        setup=(
            f"""CREATE TABLE {SCHEMA}.chunks AS
                SELECT decode(repeat(lpad(to_hex(i), 2, '0'), 1000), 'hex') AS data
                FROM generate_series(1, 100) AS i""",
        ),
    ),
    Work(
        "arrays",
        "100 rows of int4[100], on 10 connections",
        f"SELECT numbers FROM {SCHEMA}.lists",
        setup=(
            f"""CREATE TABLE {SCHEMA}.lists AS
                SELECT array(SELECT i * j FROM generate_series(1, 100) AS j) AS numbers
                FROM generate_series(1, 100) AS i""",
        ),
    ),
    Work(
        "wide100k",
        "100,000 rows of 7 columns, on 1 connection",
        f"{_VISITORS}.wide",
        connections=1,
        tasks=1,
        weighs_rows=True,
        setup=(_make_visitors("wide", _WIDE_ROWS),),
    ),
    Work(
        "rows1000",
        "1,000 rows of 7 columns, on 10 connections",
        f"{_VISITORS}.visitors",
        setup=(_make_visitors("visitors", 1000),),
    ),
    Work(
        "typed1000",
        "1,000 rows of 7 columns made into a dataclass, on 10 connections",
        f"{_VISITORS}.visitors",
        into=Visitor,
        setup=(_make_visitors("visitors", 1000),),
    ),
    Work(
        "connect",
        "connect, read the first int4[], close",
        "SELECT '{1,2,3}'::int4[]",
        connections=1,
        tasks=1,
        reconnects=True,
    ),
    Work(
        "first_plain",
        f"a new statement without arguments each time, {_FAR}",
        "SELECT 1+1",
        connections=1,
        tasks=1,
        is_new=True,
        is_far=True,
    ),
    Work(
        "first_args",
        f"a new statement with an argument each time, {_FAR}",
        _BY_KEY,
        _KEYS,
        connections=1,
        tasks=1,
        is_new=True,
        is_far=True,
        setup=_MAKE_ACCOUNTS,
    ),
    Work(
        "warm_up",
        f"10 connections from opening to closing, 20 statements with an argument each, {_FAR}",
        _BY_KEY,
        ((1,),),
        tasks=1,
        warms_up=20,
        is_far=True,
        setup=_MAKE_ACCOUNTS,
    ),
)

WORKS = {work.name: work for work in _WORKS}


def preparation(works: Iterable[Work]) -> list[str]:
    """Return the statements to run before these works."""
    return [*removal(), f"CREATE SCHEMA {SCHEMA}", *(sql for work in works for sql in work.setup)]


def removal() -> list[str]:
    """Return the statements that remove all that `preparation` made."""
    return [f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"]
