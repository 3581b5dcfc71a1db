"""The same calls through asyncpg: equal answers, or a difference that is meant and named here."""

from __future__ import annotations

import asyncio
import datetime as dt
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, TypeAlias

import asyncpg
import pytest

import pgallop
from pgallop._message import FIELD_NAMES

# A connection, record or error of either: what they have in common is not in their types.
Either: TypeAlias = Any
Call: TypeAlias = Callable[[Either], Awaitable[Any]]

TABLES = """
    CREATE TEMP TABLE t (i int PRIMARY KEY, word text NOT NULL DEFAULT '-');
    CREATE TEMP TABLE positive (i int CONSTRAINT is_positive CHECK (i > 0));
    CREATE TEMP TABLE child (i int REFERENCES t);
    CREATE TEMP TABLE late (i int UNIQUE DEFERRABLE INITIALLY DEFERRED);
    CREATE TYPE pg_temp.mood AS ENUM ('sad', 'happy');
    INSERT INTO t VALUES (1), (2); INSERT INTO late VALUES (1);
"""


def both(dsn: str, *calls: Call) -> tuple[list[Any], list[Any]]:
    """What comes of the calls, one after another, on a connection of asyncpg and one of pgallop."""

    async def outcomes(connection: Either) -> list[Any]:
        try:
            await connection.execute(TABLES)
            return [await outcome(call(connection)) for call in calls]
        finally:
            await connection.close()

    async def ask() -> tuple[list[Any], list[Any]]:
        theirs = await outcomes(await asyncpg.connect(dsn))
        return theirs, await outcomes(await pgallop.connect(dsn))

    return asyncio.run(ask())


async def outcome(call: Awaitable[Any]) -> Any:
    try:
        return await call
    except Exception as error:
        return error


def shown(value: Any) -> str:
    """The value with all types in it, and of records the names: equal is more than `==`.

    What has a class of its own here is shown as what asyncpg has, where that is equal to it.
    """
    if hasattr(value, "items") and not isinstance(value, dict):
        return f"Record({', '.join(f'{name}: {shown(one)}' for name, one in value.items())})"
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}({', '.join(map(shown, value))})"
    if isinstance(value, pgallop.InfiniteDate | pgallop.InfiniteDatetime):
        value = value.finite()
        if isinstance(value, dt.datetime):
            value = value.replace(tzinfo=None)  # asyncpg's infinity has no time zone
    if isinstance(value, pgallop.Interval):
        value = dt.timedelta(value.days, value.seconds, value.microseconds)
    if isinstance(value, Decimal):
        return f"Decimal {value:f}"  # 1E+2 and 100 are one
    return f"{type(value).__name__} {value!r}"


# Answers

QUERIES = r"""
SELECT 1
SELECT 1::int2, 2::int4, 3::int8, 4::oid, (-32768)::int2, 9223372036854775807
SELECT NULL, NULL::int, NULL::text[], NULL::jsonb
SELECT 'a', 'b'::varchar, 'c'::bpchar(3), 'd'::name, '', 'Grüße, 世界'
SELECT 1.5::float4, 0.1::float4, 1e300::float8, 'NaN'::float8, '-Infinity'::float4, '-0'::float8
SELECT 1.50::numeric, 0::numeric, 0.000::numeric, -12345678901234567890.123, 1e-20::numeric
SELECT 'NaN'::numeric, 'Infinity'::numeric, '-Infinity'::numeric, 1e100::numeric
SELECT true, false
SELECT '\x00ff'::bytea, ''::bytea
SELECT date '2024-02-29', date '0001-01-01', date '9999-12-31'
SELECT date 'infinity', date '-infinity'
SELECT time '12:34:56.789', time '00:00'
SELECT timetz '12:34:56+02', timetz '23:59:59.999999-11:30'
SELECT timestamp '2024-02-29 12:34:56.789', timestamp 'infinity', timestamp '-infinity'
SELECT timestamptz '2024-02-29 12:34:56.789+02', timestamptz 'infinity'
SELECT interval '1 year 2 months 3 days 4 hours 5.678 seconds', interval '-1 second', interval '0'
SELECT uuid '00112233-4455-6677-8899-aabbccddeeff'
SELECT ARRAY[1, 2, NULL], ARRAY[[1, 2], [3, 4]], '{}'::int[], ARRAY['a', NULL, 'NULL', '']
SELECT '[2:3]={1,2}'::int[], ARRAY[[[1]]], '{{},{}}'::int[]
SELECT ARRAY[1.5]::numeric[], ARRAY[true], ARRAY['\x01'::bytea], ARRAY[date '2024-01-01']
SELECT ARRAY[uuid '00112233-4455-6677-8899-aabbccddeeff'], ARRAY[0.5::float4, NULL]
SELECT ARRAY[timestamptz '2024-01-01 00:00+00'], ARRAY[interval '1 day'], ARRAY[time '01:02']
SELECT '1 2'::int2vector, '1 2'::oidvector
SELECT ROW(), ROW(1, 'a', NULL), ROW(1.50, ROW(true, '')), ARRAY[ROW(1), NULL, ROW('a')]
SELECT x FROM (VALUES (1, 'a'), (2, NULL)) AS x
SELECT '{1,2}'::int2[], '{a}'::name[], '{1}'::oid[], '{a}'::varchar[]
SELECT 'a'::tsvector, 'a & b'::tsquery
SELECT '$.a'::jsonpath, 'a'::refcursor
SELECT 'pg_class'::regclass, 'int4'::regtype, pg_typeof(1)
SELECT macaddr '08:00:2b:01:02:03', ARRAY['08:00:2b:01:02:03'::macaddr8]
SELECT inet '10.0.0.1', inet '10.0.0.1/8', cidr '10.0.0.0/8', ARRAY[inet '::1', NULL]
SELECT '7'::xid, '7'::cid, '7'::xid8, '1/2'::pg_lsn, '(0,1)'::tid, '1:9:3,5'::pg_snapshot
SELECT ARRAY['pg_class'::regclass, NULL], ARRAY['=r/postgres'::aclitem], ARRAY['a b'::tsvector]
SELECT point '(1,-2.5)', line '{1,2,3}', lseg '[(1,2),(3,4)]', box '((1,2),(3,4))'
SELECT ARRAY[point '1,2']
SELECT 'happy'::mood
SELECT ARRAY['happy'::mood]
SELECT int4range(1, 5), 'empty'::numrange, tsrange(NULL, '2024-02-29', '[]'), int8range('1', NULL)
SELECT ARRAY[numrange(1.5, 2), NULL], '{[1,2),(,)}'::int4multirange, '{}'::nummultirange
SELECT 'x' AS "select", 1 AS "Ä", 2 AS " "
SELECT 1 AS a, 2 AS b, 3 AS a
SELECT 1, 2
SELECT i, i * i AS square FROM generate_series(1, 3) AS i
SELECT WHERE false
SELECT 1 WHERE false
VALUES (1, 'a'), (2, NULL)
TABLE t
SHOW server_version_num
EXPLAIN (COSTS OFF) SELECT 1
WITH x AS (SELECT 1 AS one) SELECT * FROM x
INSERT INTO t VALUES (8), (9) RETURNING *
INSERT INTO t VALUES (8)
UPDATE t SET word = 'new' WHERE i = 1 RETURNING word, i
DELETE FROM t RETURNING i
MERGE INTO t USING (VALUES (1)) AS v (i) ON t.i = v.i WHEN MATCHED THEN DELETE RETURNING t.i
CREATE TEMP TABLE other (i int)
DO $$ BEGIN END $$
SET search_path = public
BEGIN
SELECT count(*), sum(i), avg(i), max(word), bool_and(i > 0), array_agg(i ORDER BY i) FROM t
SELECT oid, typname, typlen, typbyval, typcategory::text FROM pg_type ORDER BY oid LIMIT 50
SELECT current_user, current_database(), version()
""".strip().splitlines()


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("verb", ["fetch", "fetchrow", "fetchval"])
def test_equal_answers(dsn: str, verb: str, query: str) -> None:
    # The second time it is prepared already.
    calls: list[Call] = [lambda c: getattr(c, verb)(query)] * 2
    if query.startswith(("CREATE", "BEGIN", "INSERT")):
        del calls[1]
    theirs, ours = both(dsn, *calls)
    assert [shown(value) for value in ours] == [shown(value) for value in theirs]
    assert not any(isinstance(value, Exception) for value in theirs)


@pytest.mark.parametrize("query", ["SELECT", "SELECT FROM generate_series(1, 3)"])
def test_rows_without_columns(dsn: str, query: str) -> None:
    calls: list[Call] = [lambda c: c.fetch(query), lambda c: c.fetchrow(query)]
    theirs, ours = both(dsn, *calls, lambda c: c.fetchval(query))
    assert [shown(value) for value in ours[:2]] == [shown(value) for value in theirs[:2]]
    assert type(ours[2]) is type(theirs[2]) is IndexError


# What they differ in, on purpose: a query, asyncpg's value, pgallop's.
DIFFERENT: list[tuple[str, Any, Any]] = [
    # A character is text; asyncpg gives the byte.
    ("SELECT 'x'::\"char\"", b"x", "x"),
    ("SELECT ''::\"char\"", b"\0", ""),
    ("SELECT ARRAY['x'::\"char\"]", [b"x"], ["x"]),
    # Documents come as what they say; asyncpg gives their text unless told otherwise.
    ("""SELECT '{"a": [1, null]}'::json""", '{"a": [1, null]}', {"a": [1, None]}),
    ("""SELECT '"word"'::jsonb""", '"word"', "word"),
    ("SELECT ARRAY['{}'::json]", ["{}"], [{}]),
    # An amount of money is a number, whatever the session writes around it.
    ("SELECT 1.5::money", "$1.50", Decimal("1.50")),
]


@pytest.mark.parametrize(("query", "theirs", "ours"), DIFFERENT)
def test_different_answers(dsn: str, query: str, theirs: Any, ours: Any) -> None:
    asked = both(dsn, lambda c: c.fetchval(query))
    assert asked[0] == [theirs]
    assert shown(asked[1][0]) == shown(ours)


SCRIPT = """
    CREATE TEMP TABLE other AS SELECT generate_series(1, 3) AS i
    INSERT INTO t VALUES (3), (4)
    INSERT INTO t VALUES (3) ON CONFLICT DO NOTHING
    UPDATE t SET word = 'x'
    DELETE FROM t WHERE i > 3
    SELECT * FROM t
    SELECT WHERE false
    VALUES (1), (2)
    TRUNCATE child
    CREATE INDEX ON t (word)
    ALTER TABLE t ADD more int
    COMMENT ON TABLE t IS 'words'
    DO $$ BEGIN END $$
    SET search_path = public
    SHOW search_path
    EXPLAIN SELECT 1
    PREPARE mine AS SELECT 1
    EXECUTE mine
    DEALLOCATE mine
    LISTEN channel
    NOTIFY channel
    BEGIN
    SAVEPOINT s
    ROLLBACK TO s
    RELEASE s
    DECLARE c CURSOR FOR SELECT generate_series(1, 9)
    FETCH 4 FROM c
    MOVE 2 IN c
    CLOSE c
    COMMIT
    ROLLBACK
    SELECT 1; SELECT 2 FROM t; DELETE FROM child
    DISCARD TEMP
""".strip().splitlines()


def test_equal_tags(dsn: str) -> None:
    statements = [line.strip() for line in SCRIPT]
    theirs, ours = both(dsn, *[lambda c, s=s: c.execute(s) for s in statements])
    for statement, one, other in zip(statements, ours, theirs, strict=True):
        assert isinstance(one, str), (statement, one)
        assert (statement, one) == (statement, other)


@pytest.mark.parametrize("script", ["", ";", "-- nothing"])
def test_no_statement_has_no_tag(dsn: str, script: str) -> None:
    """asyncpg fails on its way to a tag (AttributeError)."""
    (theirs,), (ours,) = both(dsn, lambda c: c.execute(script))
    assert isinstance(theirs, AttributeError)
    assert ours == ""


def test_equal_tags_with_arguments(dsn: str) -> None:
    calls: list[Call] = [
        lambda c: c.execute("INSERT INTO t SELECT generate_series(3, $1::int)", 9),
        lambda c: c.execute("UPDATE t SET word = $1 WHERE i > $2", "new", 5),
        lambda c: c.execute("SELECT * FROM t WHERE i = $1", 3),
        lambda c: c.execute("DELETE FROM t WHERE i = ANY($1::int[])", [3, 4, None]),
    ]
    theirs, ours = both(dsn, *calls)
    assert ours == theirs == ["INSERT 0 7", "UPDATE 4", "SELECT 1", "DELETE 2"]


# Errors

# The schema is that of the session, for temporary tables.
FIELDS = [name for name in FIELD_NAMES.values() if name != "schema_name"]

# Run by fetch and by execute. Not among them: CREATE TABLE of one that exists, for which asyncpg's
# fetch returns [], and unknown prepared statements, to which it adds a hint about pgbouncer.
FAILING = r"""
SELEC 1
SELECT 1 +
SELECT '世界' FRM x y
SELECT nope
SELECT * FROM nope
SELECT nope(1)
SELECT 1::nope
SELECT 1/0
SELECT 'x'::int
SELECT 99999999999::int4
SELECT '2024-99-99'::date
SELECT '\x0'::bytea
SELECT json '{'
SELECT 1 UNION SELECT 'x'
SELECT i FROM t GROUP BY word
INSERT INTO t VALUES (1)
INSERT INTO t VALUES (NULL)
INSERT INTO positive VALUES (-1)
INSERT INTO child VALUES (99)
INSERT INTO late VALUES (1)
INSERT INTO t VALUES (1, 2, 3)
DROP TABLE nope
SET nope = 1
SET work_mem = 'much'
ROLLBACK TO x
DECLARE c CURSOR FOR SELECT 1
CREATE DATABASE postgres
SELECT nextval('nope')
SELECT pg_read_file('/no/such/file')
DO $$ BEGIN RAISE EXCEPTION 'm' USING DETAIL = 'd', HINT = 'h', COLUMN = 'c', TABLE = 't'; END $$
DO $$ BEGIN RAISE EXCEPTION 'm' USING ERRCODE = '40001', CONSTRAINT = 'k', DATATYPE = 'y'; END $$
DO $$ BEGIN RAISE EXCEPTION 'm' USING ERRCODE = 'ZZ123'; END $$
DO $$ BEGIN RAISE EXCEPTION 'm' USING ERRCODE = 'P0004'; END $$
DO $$ BEGIN EXECUTE 'SELEC'; END $$
DO $$ BEGIN PERFORM 1/0; END $$
""".strip().splitlines()


def names(kind: type) -> set[str]:
    return {base.__name__ for base in kind.__mro__}


@pytest.mark.parametrize("query", FAILING)
@pytest.mark.parametrize("verb", ["fetch", "execute"])
def test_equal_errors(dsn: str, verb: str, query: str) -> None:
    (theirs,), (ours,) = both(dsn, lambda c: getattr(c, verb)(query))
    assert isinstance(theirs, asyncpg.PostgresError)
    assert isinstance(ours, pgallop.PostgresError)
    assert type(ours).__name__ == type(theirs).__name__
    # Whatever class a program catches with asyncpg, it catches here.
    assert names(type(theirs)) <= names(type(ours))
    for field in FIELDS:
        assert getattr(ours, field) == getattr(theirs, field, None), field


def test_unknown_state_of_a_known_group(dsn: str) -> None:
    """asyncpg knows it not at all; here it is the group's error."""
    query = "DO $$ BEGIN RAISE EXCEPTION 'm' USING ERRCODE = '23999'; END $$"
    (theirs,), (ours,) = both(dsn, lambda c: c.execute(query))
    assert type(theirs).__name__ == "UnknownPostgresError"
    assert type(ours) is pgallop.IntegrityConstraintViolationError
    assert ours.sqlstate == theirs.sqlstate == "23999"


async def commit_too_late(connection: Either) -> None:
    async with connection.transaction():
        await connection.execute("INSERT INTO late VALUES ($1)", 1)


async def start_twice(connection: Either) -> None:
    transaction = connection.transaction()
    await transaction.start()
    try:
        await transaction.start()
    finally:
        await transaction.rollback()


async def commit_in_block(connection: Either) -> None:
    async with connection.transaction() as _, connection.transaction():
        transaction = connection.transaction()
        async with transaction:
            await transaction.commit()


async def use_closed(connection: Either) -> None:
    await connection.close()
    await connection.fetch("SELECT 1")


MISUSES: dict[str, tuple[Call, str]] = {
    "too few arguments": (lambda c: c.fetch("SELECT $1::int, $2::int", 1), "InterfaceError"),
    "too many arguments": (lambda c: c.fetchval("SELECT $1::int", 1, 2), "InterfaceError"),
    "arguments unasked for": (lambda c: c.execute("SELECT 1", 1), "InterfaceError"),
    "no arguments to execute": (lambda c: c.execute("SELECT $1"), "UndefinedParameterError"),
    "several statements": (lambda c: c.fetch("SELECT 1; SELECT 2"), "PostgresSyntaxError"),
    "at commit": (commit_too_late, "UniqueViolationError"),
    "started twice": (start_twice, "InterfaceError"),
    "commit in the block": (commit_in_block, "InterfaceError"),
    "commit before start": (lambda c: c.transaction().commit(), "InterfaceError"),
    "closed": (use_closed, "InterfaceError"),
}


@pytest.mark.parametrize("name", MISUSES)
def test_equal_refusals(dsn: str, name: str) -> None:
    call, kind = MISUSES[name]
    (theirs,), (ours,) = both(dsn, call)
    assert type(theirs).__name__ == kind
    assert isinstance(ours, getattr(pgallop, kind)), repr(ours)


# Arguments

UTC = dt.UTC
MOMENT = dt.datetime(2024, 2, 29, 12, 34, 56, 789)
GIVEN: list[tuple[str, Any]] = [
    *[("int2", n) for n in (0, 1, -1, 2**15 - 1, -(2**15))],
    *[("int4", n) for n in (2**31 - 1, -(2**31), True)],
    *[("int8", n) for n in (2**63 - 1, -(2**63))],
    ("oid", 2**32 - 1),
    *[("float8", x) for x in (0.5, 1, -0.0, float("inf"), 1e308, Decimal("1.5"))],
    *[("float4", x) for x in (0.5, 3)],
    *[("numeric", x) for x in (1, Decimal("-1.50"), Decimal("NaN"), Decimal("1E+5"), 0.5, "2.5")],
    *[("bool", b) for b in (True, False)],
    *[("text", s) for s in ("", "a", "Grüße, 世界", "x" * 10_000)],
    ("varchar", "a"),
    ("name", "a"),
    *[("bytea", b) for b in (b"", b"\0\xff", bytearray(b"ab"), memoryview(b"ab"))],
    *[("uuid", u) for u in (uuid.UUID(int=1), "00112233-4455-6677-8899-aabbccddeeff")],
    *[("date", d) for d in (dt.date(2024, 2, 29), MOMENT, dt.date.min, dt.date.max)],
    *[("time", t) for t in (dt.time(12, 34, 56, 789), MOMENT)],
    ("timetz", dt.time(12, 34, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
    *[("timestamp", t) for t in (MOMENT, dt.date(2024, 1, 1), dt.datetime.max, dt.datetime.min)],
    *[("timestamptz", t) for t in (MOMENT.replace(tzinfo=UTC), dt.datetime(1, 1, 2, tzinfo=UTC))],
    *[("interval", d) for d in (dt.timedelta(days=-1, microseconds=1), dt.timedelta(0))],
    ("int4[]", []),
    *[("int4[]", a) for a in ([1, None], [[1, 2], [3, 4]], (1, 2))],
    ("int4[]", [[]]),
    *[("text[]", a) for a in (["a", None, ""], ["NULL", "{}"])],
    ("numeric[]", [Decimal(1), None]),
    ("timestamptz[]", [MOMENT.replace(tzinfo=UTC)]),
    *[(name, None) for name in ("int4", "text", "jsonb", "int4[]")],
    ("mood", "happy"),
    ("inet", None),
]
REFUSED: list[tuple[str, Any]] = [
    *[("int2", x) for x in (2**15, "1", b"1", [1])],
    *[("int4", x) for x in (2**31, -(2**31) - 1, "1")],
    *[("int8", x) for x in (2**63, object())],
    *[("oid", x) for x in (-1, 2**32)],
    *[("float8", x) for x in ("x", b"", 10**400)],
    *[("float4", x) for x in (1e300, "x")],
    *[("numeric", x) for x in ("x", object())],
    *[("text", x) for x in (1, b"a", None.__class__, ["a"])],
    *[("bytea", x) for x in ("a", 1, [1])],
    *[("uuid", x) for x in ("x", 1, b"1")],
    *[("date", x) for x in ("2024-01-01", 1)],
    *[("time", x) for x in ("12:00", 1)],
    *[("timestamp", x) for x in ("2024-01-01", 1, MOMENT.replace(tzinfo=UTC))],
    *[("timestamptz", x) for x in ("2024-01-01", 1)],
    *[("interval", x) for x in ("1 day", 1)],
    *[("int4[]", x) for x in (1, "{1}", [1, "x"], [[1], [2, 3]], [[1], 2], {1: 2})],
    *[("text[]", x) for x in ("a", [1])],
    ("mood", 1),
]

# asyncpg takes these and drops the fraction; here nothing gets lost on the way.
REFUSED_HERE: list[tuple[str, Any]] = [
    *[("int2", x) for x in (1.5, Decimal(1))],
    *[("int4", x) for x in (1.0, -2.5)],
    ("int8", Decimal("2.5")),
]


def echo(type_name: str, value: Any) -> Call:
    return lambda c: c.fetchval(f"SELECT $1::{type_name}", value)


@pytest.mark.parametrize(("type_name", "value"), GIVEN)
def test_equal_echoes(dsn: str, type_name: str, value: Any) -> None:
    (theirs,), (ours,) = both(dsn, echo(type_name, value))
    assert not isinstance(theirs, Exception)
    assert shown(ours) == shown(theirs)


@pytest.mark.parametrize(("type_name", "value"), REFUSED)
def test_refused_by_both(dsn: str, type_name: str, value: Any) -> None:
    theirs, ours = both(dsn, echo(type_name, value), lambda c: c.fetchval("SELECT 1"))
    assert isinstance(theirs[0], asyncpg.DataError)
    assert isinstance(ours[0], pgallop.DataError)
    assert "$1" in str(ours[0])
    assert ours[1] == 1


@pytest.mark.parametrize(("type_name", "value"), REFUSED_HERE)
def test_refused_here_only(dsn: str, type_name: str, value: Any) -> None:
    (theirs,), (ours,) = both(dsn, echo(type_name, value))
    assert not isinstance(theirs, Exception)
    assert isinstance(ours, pgallop.DataError)
    assert "$1" in str(ours)
