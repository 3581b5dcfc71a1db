"""The works: what every driver does, over how many connections, from how many tasks at once.

`pg_type`, `series1000`, `bytea100k`, `arrays`, `copy10k`, `batch1k` and `select1` are those of
MagicStack's pgbench, with ten connections as there; the others are ours. The last ones are what a
statement takes that is run for the first time, far away from the server, where it is the round
trips that count.
"""

import hashlib
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.work import DELAY, FAR, SCRAM, TLS, Visitor, Work

SCHEMA = "pgallop_bench"

_ACCOUNTS = 10_000
_WIDE_ROWS = 100_000

# The columns of a visitor, and their types.
VISITOR = {
    "id": "int4",
    "name": "text",
    "score": "float8",
    "seen": "timestamptz",
    "active": "bool",
    "visits": "int8",
    "token": "uuid",
}

_VISITORS = f"SELECT {', '.join(VISITOR)} FROM {SCHEMA}"


def _make_visitors(table: str, rows: int) -> str:
    return f"""
        CREATE TABLE IF NOT EXISTS {SCHEMA}.{table} AS
        SELECT i::int4 AS id, 'visitor ' || i AS name, i * 0.37::float8 AS score,
            timestamptz '2020-01-01 00:00:00Z' + i * interval '61.234567 seconds' AS seen,
            i % 2 = 0 AS active, i::int8 * 1000000007 AS visits, md5(i::text)::uuid AS token
        FROM generate_series(1, {rows}) AS i"""


_NEW_YEAR = datetime(2020, 1, 1, tzinfo=UTC)


def _visitor(i: int) -> tuple[object, ...]:
    seen = _NEW_YEAR + timedelta(seconds=61.234567 * i)
    token = UUID(hashlib.md5(str(i).encode(), usedforsecurity=False).hexdigest())
    return i, f"visitor {i}", i * 0.37, seen, i % 2 == 0, i * 1000000007, token


def _visitors(count: int) -> list[tuple[object, ...]]:
    """The records of as many visitors; those of `_make_visitors`."""
    return [_visitor(i) for i in range(1, count + 1)]


# Where visitors are brought to. What is measured is the client: the server need not keep them.
_MAKE_GUESTS = f"""
    CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.guests (
        {", ".join(f"{name} {kind} NOT NULL" for name, kind in VISITOR.items())})"""
_CLEAR_GUESTS = f"TRUNCATE {SCHEMA}.guests"
_ALL_GUESTS = f"SELECT count(*) || ' ' || sum(hashtext(guests::text)) FROM {SCHEMA}.guests"

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
    *(
        Work(
            f"burst{name}",
            f"a row by its primary key, from each of {tasks:,} tasks at once, on a pool of 10",
            _BY_KEY,
            _KEYS,
            tasks=tasks,
            family="burst",
            pools=True,
            bursts=True,
            weighs_process=True,
            setup=_MAKE_ACCOUNTS,
        )
        for name, tasks in (("100", 100), ("5k", 5000), ("24k", 24_000))
    ),
    Work(
        "tls_select1",
        "SELECT 1+1 on 10 connections, in TLS",
        "SELECT 1+1",
        place=TLS,
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
        "copy10k",
        "COPY of 10,000 records of 7 columns into a table, on 10 connections",
        "guests",
        ((_visitors(10_000),),),
        verb="copy_in",
        setup=(_MAKE_GUESTS,),
        clearing=_CLEAR_GUESTS,
        effect=_ALL_GUESTS,
    ),
    Work(
        "copy10k_out",
        "COPY of 10,000 rows of 7 columns out of a table, as text, on 10 connections",
        f"{_VISITORS}.visitors10k",
        verb="copy_out",
        setup=(_make_visitors("visitors10k", 10_000),),
    ),
    Work(
        "batch1k",
        "executemany of 1,000 INSERTs of 7 columns, on 10 connections",
        f"INSERT INTO {SCHEMA}.guests VALUES ($1, $2, $3, $4, $5, $6, $7)",
        ((_visitors(1000),),),
        verb="executemany",
        setup=(_MAKE_GUESTS,),
        clearing=_CLEAR_GUESTS,
        effect=_ALL_GUESTS,
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
        "connect_scram",
        "connect with a password (SCRAM-SHA-256), SELECT 1+1, close",
        "SELECT 1+1",
        place=SCRAM,
        connections=1,
        tasks=1,
        reconnects=True,
        watches_loop=True,
    ),
    Work(
        "first_plain",
        f"a new statement without arguments each time, {_FAR}",
        "SELECT 1+1",
        connections=1,
        tasks=1,
        is_new=True,
        place=FAR,
    ),
    Work(
        "first_args",
        f"a new statement with an argument each time, {_FAR}",
        _BY_KEY,
        _KEYS,
        connections=1,
        tasks=1,
        is_new=True,
        place=FAR,
        setup=_MAKE_ACCOUNTS,
    ),
    Work(
        "warm_up",
        f"10 connections from opening to closing, 20 statements with an argument each, {_FAR}",
        _BY_KEY,
        ((1,),),
        tasks=1,
        warms_up=20,
        place=FAR,
        setup=_MAKE_ACCOUNTS,
    ),
)

WORKS = {work.name: work for work in _WORKS}


def preparation(works: Iterable[Work]) -> list[str]:
    """Return the statements to run before these works."""
    setup = dict.fromkeys(sql for work in works for sql in work.setup)  # each of them once
    return [*removal(), f"CREATE SCHEMA {SCHEMA}", *setup]


def removal() -> list[str]:
    """Return the statements that remove all that `preparation` made."""
    return [f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"]
