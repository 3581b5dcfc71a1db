"""Types of PostgreSQL's own that are not numbers, text or times, and those that are text only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
)
from typing import Any

import asyncpg
import pytest
from live import Connect, Monitor

import pgallop
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry

# What has no codec of its own, and why.
NO_VALUES = "pseudo-types without values"
WITHOUT_A_CODEC = {
    **dict.fromkeys(
        ("_pg_type", "_pg_attribute", "_pg_proc", "_pg_class"), "rows of the catalogue"
    ),
    **dict.fromkeys(
        (
            *("any", "anyelement", "anynonarray", "anyenum", "anyrange", "anymultirange"),
            *("anycompatible", "anycompatiblearray", "anycompatiblenonarray"),
            *("anycompatiblerange", "anycompatiblemultirange"),
            *("trigger", "event_trigger", "internal", "opaque", "pg_ddl_command"),
            *("language_handler", "fdw_handler", "index_am_handler", "tsm_handler"),
            "table_am_handler",
        ),
        NO_VALUES,
    ),
    "smgr": "of PostgreSQL 10 and 11, without values",
}


def test_every_type_is_known(monitor: Monitor) -> None:
    rows = monitor.ask(
        "SELECT typname, oid::int8 FROM pg_type"
        " WHERE oid < 10000 AND typtype IN ('b', 'p', 'r', 'm')"
    )
    unknown = {name for name, oid in rows if oid not in builtin_registry()}
    assert unknown <= WITHOUT_A_CODEC.keys()
    assert not {name for name in WITHOUT_A_CODEC if OIDS.get(name, 0) in builtin_registry()}


def test_names_are_those_of_the_catalogue() -> None:
    registry = builtin_registry()
    for name, oid in OIDS.items():
        if oid in registry:
            expected = f"{name[1:]}[]" if name.startswith("_") else name
            assert registry.get(oid).name == expected


# What pgallop and asyncpg read alike.
VALUES: list[tuple[str, Any]] = [
    ("'10.1.2.3'::inet", IPv4Address("10.1.2.3")),
    ("'10.1.2.3/8'::inet", IPv4Interface("10.1.2.3/8")),
    ("'2001:db8::1/64'::inet", IPv6Interface("2001:db8::1/64")),
    ("'::ffff:1.2.3.4'::inet", IPv6Address("::ffff:1.2.3.4")),
    ("'10.0.0.0/8'::cidr", IPv4Network("10.0.0.0/8")),
    ("'::/0'::cidr", IPv6Network("::/0")),
    ("'1.2.3.4'::cidr", IPv4Network("1.2.3.4/32")),
    ("'10.0.0.0/8'::cidr::inet", IPv4Interface("10.0.0.0/8")),
    ("'08:00:2B:01:02:03'::macaddr", "08:00:2b:01:02:03"),
    ("'08:00:2b:01:02:03'::macaddr8", "08:00:2b:ff:fe:01:02:03"),
    ("'4294967295'::xid", 2**32 - 1),
    ("'7'::cid", 7),
    ("'16/B374D848'::pg_lsn", 0x16B374D848),
    ("'(5,7)'::tid", (5, 7)),
    ("'10:20:10,14,15'::txid_snapshot", (10, 20, (10, 14, 15))),
    ("'curs'::refcursor", "curs"),
    ("'fat:2A cat'::tsvector", "'cat' 'fat':2A"),
    ("'fat & !(cat | rat:*)'::tsquery", "'fat' & !( 'cat' | 'rat':* )"),
    ("'pg_type'::regclass", "pg_type"),
    ("'int4'::regtype", "integer"),
    ("'now'::regproc", "now"),
    ("'now()'::regprocedure", "now()"),
    ("'||/'::regoper", "||/"),
    ("'+(int4,int4)'::regoperator", "+(integer,integer)"),
    ("'pg_catalog'::regnamespace", "pg_catalog"),
    ("'english'::regconfig", "english"),
    ("'simple'::regdictionary", "simple"),
    ("current_user::regrole", "postgres"),
    ("makeaclitem(10, 10, 'SELECT', false)", "postgres=r/postgres"),
    ("ARRAY['10.1.2.3/8'::inet, NULL]", [IPv4Interface("10.1.2.3/8"), None]),
    ("ARRAY['(5,7)'::tid, NULL]", [(5, 7), None]),
    ("'[3:4]={08:00:2b:01:02:03,NULL}'::macaddr[]", ["08:00:2b:01:02:03", None]),
    ("'{{pg_type,NULL},{pg_proc,pg_class}}'::regclass[]", None),
    ("'[0:1]={int4,text}'::regtype[]", ["integer", "text"]),
    # An empty one among them is a hole in asyncpg's list, on which the interpreter crashes.
    ("""'{"''a b'':1","NULL",NULL}'::tsvector[]""", ["'a b':1", "'NULL'", None]),
    ("ARRAY[makeaclitem(0, 10, 'SELECT', false)]", ["=r/postgres"]),
    ("'{}'::regclass[]", []),
    ("(SELECT relacl FROM pg_class WHERE relname = 'pg_type')", None),
]
# Those of later versions.
LATER: list[tuple[int, str, Any]] = [
    (12, "'$.a[*] ? (@ > 1)'::jsonpath", '$."a"[*]?(@ > 1)'),
    (13, "'18446744073709551615'::xid8", 2**64 - 1),
    (13, "'10:20:10,14,15'::pg_snapshot", (10, 20, (10, 14, 15))),
    (13, "'\"C\"'::regcollation", '"C"'),
]

Call = Callable[[str], Awaitable[Any]]


async def test_values_are_asyncpgs(connect: Connect, dsn: str) -> None:
    theirs = await asyncpg.connect(dsn)
    try:
        async with connect() as conn, connect(statement_mode="simple") as simple:
            version = conn.get_server_version().major
            later = [(sql, value) for since, sql, value in LATER if version >= since]
            for expression, value in [*VALUES, *later]:
                query = f"SELECT {expression}"
                read = await conn.fetchval(query)
                assert value is None or (read, type(read)) == (value, type(value)), expression
                # Run again, its types are known, and the last time its text is what comes.
                assert await conn.fetchval(query) == read
                assert repr(await simple.fetchval(query)) == repr(read)
                assert repr(await theirs.fetchval(query)) == repr(read)
    finally:
        await theirs.close()


async def test_what_is_read_is_written(connect: Connect, dsn: str) -> None:
    """By both drivers, and it is the same to the server."""
    theirs = await asyncpg.connect(dsn)
    try:
        async with connect() as conn:
            version = conn.get_server_version().major
            later = [(sql, value) for since, sql, value in LATER if version >= since]
            for expression, value in [*VALUES, *later]:
                kind = await conn.fetchval(f"SELECT pg_typeof({expression})")
                read = await conn.fetchval(f"SELECT {expression}")
                query = f"SELECT $1::{kind}::text"
                written = await conn.fetchval(query, read)
                assert await conn.fetchval(f"SELECT $1::{kind}", read) == read
                # Of the lower bounds a list says nothing.
                if "[" not in expression.partition("=")[0]:
                    assert written == await conn.fetchval(f"SELECT ({expression})::text")
                assert written == await theirs.fetchval(query, read), value
    finally:
        await theirs.close()


ITEMS = [" ", "a", "NULL", "null", '"', "{}", ",", "{a,b}", "[1:2]=", "ü", "a\nb", "''", "\\\\"]


async def test_any_text_survives_in_an_array(connect: Connect) -> None:
    """Types that are text only: their texts mean the same within an array."""
    words = ["", *[f"'{item}'" for item in ITEMS]]
    async with connect() as conn:
        for value in (words, [None, *words], [words, words], [[["'a'"], [None]]], []):
            assert await conn.fetchval("SELECT $1::tsvector[]", value) == value
            assert await conn.fetchval("SELECT $1::tsvector[]", tuple(value)) == value
        literal = await conn.fetchval("SELECT $1::tsvector[]::text", words)
        assert await conn.fetchval("SELECT $1::text::tsvector[]", literal) == words
        # As long as the argument is an array of such a type, and not one of texts.
        assert await conn.fetchval("SELECT $1::regclass[]::oid[]", ["pg_type", None]) == [
            1247,
            None,
        ]


@pytest.mark.parametrize(
    ("query", "value", "words"),
    [
        ("$1::regclass", 1247, r"\$1 \(regclass\): 1247: expected str \(its text form\), got int"),
        ("$1::regclass[]", ["a", 5], r"\$1\[1\] \(regclass\): 5: expected str"),
        ("$1::regclass[]", "pg_type", r"\$1 \(regclass\[\]\): 'pg_type': expected list"),
        ("$1::aclitem[]", [["a"], "b"], r"\$1\[1\] \(aclitem\[\]\): 'b': is of type str where"),
        ("$1::tsvector[]", ["a", "\ud800"], r"\$1\[1\] \(tsvector\): .* lone surrogate"),
        ("$1::tsquery", "a\0", r"\$1 \(tsquery\): .* NUL character at index 1"),
        ("$1::inet", "10.1", r"\$1 \(inet\): '10.1': not the text of an IP address"),
        ("$1::tid[]", [(1, 2), (1, 70000)], r"\$1\[1\] \(tid\): .* the offset is out of range"),
    ],
)
async def test_errors_name_the_place(
    connect: Connect, query: str, value: object, words: str
) -> None:
    async with connect() as conn:
        with pytest.raises(pgallop.DataError, match=words):
            await conn.fetchval(f"SELECT {query}", value)
        assert await conn.fetchval("SELECT 1") == 1


async def test_within_records(connect: Connect) -> None:
    """There all comes in binary: names as OIDs, tsvector and tsquery as their text."""
    async with connect() as conn:
        assert await conn.fetchval(
            "SELECT ROW('pg_type'::regclass, 'a:1 b'::tsvector, 'a & b'::tsquery, '1.2.3.4'::inet)"
        ) == (1247, "'a':1 'b'", "'a' & 'b'", ip_address("1.2.3.4"))
        assert await conn.fetchval("SELECT ROW(ARRAY['pg_type'::regclass, NULL])") == (
            [1247, None],
        )
        assert await conn.fetchval("SELECT ARRAY[ROW('a'::tsvector)]") == [("'a'",)]
        with pytest.raises(pgallop.UndefinedFunctionError, match="no binary output function"):
            await conn.fetchval("SELECT ROW(makeaclitem(10, 10, 'SELECT', false))")
        assert await conn.fetchval("SELECT 2") == 2


async def test_the_catalogue_can_be_read(connect: Connect) -> None:
    """All of its tables, with whatever types they have."""
    async with connect() as conn:
        tables = await conn.fetch(
            "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace"
            " AND relkind IN ('r', 'v') AND relname <> 'pg_largeobject'"
            # These look at files, and at what the machine may not have.
            " AND relname NOT LIKE 'pg_available_extension%' AND relname NOT LIKE '%_numa'"
        )
        assert len(tables) > 100
        for (table,) in tables:
            await conn.fetch(f"SELECT * FROM {table} LIMIT 50")
            statement = await conn.prepare(f"SELECT * FROM {table} LIMIT 50")
            await statement.fetch()


def test_arrays_have_their_elements_types() -> None:
    registry = builtin_registry()
    for name, oid in ARRAYS.items():
        if OIDS[name] in registry:
            assert oid in registry, name


async def test_times_that_only_old_servers_have(connect: Connect, dsn: str) -> None:
    """As text, as in asyncpg."""
    theirs = await asyncpg.connect(dsn)
    try:
        async with connect() as conn:
            if conn.get_server_version().major > 11:
                pytest.skip("gone since PostgreSQL 12")
            for kind, expression in (
                ("abstime", "'2000-01-01 00:00+00'::abstime"),
                ("reltime[]", "ARRAY['1 day'::reltime, NULL]"),
                ("tinterval", """'["2000-01-01 00:00" "2000-01-02 00:00"]'::tinterval"""),
            ):
                value = await conn.fetchval(f"SELECT {expression}")
                assert value == await theirs.fetchval(f"SELECT {expression}")
                assert await conn.fetchval(f"SELECT $1::{kind}", value) == value
    finally:
        await theirs.close()
