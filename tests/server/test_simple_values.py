"""Values of the simple protocol, which are text, next to those of the extended one."""

from __future__ import annotations

import pytest
from live import Connect

import pgallop

EXPRESSIONS = [
    *("true", "ARRAY[true, NULL]", "(-32768)::int2", "2147483647", "(-9)::int8", "4294967295::oid"),
    *("0.1::float4", "1e-45::float4", "'7.038531e-26'::float4", "1e300 / 3::float8"),
    *("'NaN'::float8", "'-0'::float8", "'{Infinity,-Infinity,NaN,5e-324}'::float8[]"),
    *("1.100", "-1e-40::numeric", "1e100::numeric", "'NaN'::numeric", "'{0.00,NaN}'::numeric[]"),
    *("'grüße'::text", "''::varchar", "'a'::char(3)", "'pg_class'::name", "'a'::\"char\"", "'x'"),
    *("''::\"char\"", "'\\x00ff5c'::bytea", "ARRAY['\\x'::bytea, '\\x5c22', NULL]"),
    *(
        "'{\"a\": [1, 2.50, null]}'::json",
        "'[[\"\\\\\", {}]]'::jsonb",
        "ARRAY['[1, 2]'::json, 'null']",
    ),
    "'12345678-90ab-cdef-1234-567890abcdef'::uuid",
    *("'2024-02-29'::date", "'infinity'::date"),
    *("'23:59:59.5'::time", "'12:00+05:30'::timetz", "'12:00-00:00:01'::timetz"),
    *("'2024-02-29 12:00:00.000001'::timestamp", "'-infinity'::timestamp"),
    *("'2024-02-29 12:00+02'::timestamptz", "'1930-01-01'::timestamptz", "'infinity'::timestamptz"),
    *("'1 year 2 mons -3 days 04:05:06.7'::interval", "'-1 sec'::interval", "'0'::interval"),
    "'{1 day,-1 mon,NULL}'::interval[]",
    *(
        "'{}'::int4[]",
        "'[0:1]={1,2}'::int4[]",
        "'{{1,2},{3,NULL}}'::int4[]",
        "'{{{{{{1}}}}}}'::int4[]",
    ),
    "ARRAY['', 'NULL', NULL, 'a b', 'a\"b', E'\\\\', '{}', ',', 'ü', ' ']",
    *("'1 2 3'::int2vector", "'4294967295'::oidvector", "ARRAY['1 2'::int2vector]"),
    *("ROW('a'::text, NULL, ''::text)", "ARRAY[ROW('(,)'::text, '\"'::text)]"),
    *(
        "'pg_class'::regclass",
        "'1.2.3.4'::inet",
        "'(1,-0)'::point",
        "'{1,2.5,-3e-20}'::line",
        "lseg '[(1,2),(NaN,Infinity)]'",
        "ARRAY[box '(1,2),(3,4)', NULL, box '(-1,-1),(0,0)']",
        "path '((1,2),(3,4))'",
        "ARRAY[[path '[(1,2)]'], [NULL::path]]",
        "polygon '((1,2),(3,4),(0.1,1e300))'",
        "ARRAY[circle '<(1,2),3>']",
        "circle(point '(0,0)', -1)",
        "B'10101'",
        "''::varbit",
        "ARRAY[B'1', NULL, B'0']::varbit[]",
        "int4range(1, 5)",
    ),
    *("NULL", "NULL::int4[]", "pg_sleep(0)"),
]

# What Python does not have.
UNREADABLE = [
    *("'0044-03-15 BC'::date", "'12024-01-01'::date", "'24:00'::time", "'24:00-01'::timetz"),
    *("'0044-03-15 12:00 BC'::timestamp", "'12024-01-01 00:00 UTC'::timestamptz"),
    *("'100000000 years'::interval", "'{2024-02-29,0044-03-15 BC}'::date[]"),
]


async def outcome(conn: pgallop.Connection, expression: str) -> str:
    """The value, exactly, or the error's words."""
    try:
        value = await conn.fetchval(f"SELECT {expression} AS lie")
    except pgallop.DataError as error:
        return str(error)
    return f"{type(value).__name__} {value!r}"


async def test_both_protocols_give_the_same(connect: Connect) -> None:
    async with connect() as conn, connect(statement_mode="simple") as simple:
        for expression in [*EXPRESSIONS, *UNREADABLE]:
            assert await outcome(simple, expression) == await outcome(conn, expression)
        query = f"SELECT {', '.join(EXPRESSIONS)}"
        assert repr(await simple.fetchrow(query)) == repr(await conn.fetchrow(query))


async def test_what_python_does_not_have(connect: Connect) -> None:
    async with connect(statement_mode="simple") as conn:
        for expression in UNREADABLE:
            with pytest.raises(pgallop.DataError, match=r"column 'lie' .* is beyond Python's"):
                await conn.fetch(f"SELECT {expression} AS lie")


async def test_the_time_zone_does_not_matter(connect: Connect) -> None:
    """The text has its offset, and the value is in UTC."""
    query = "SELECT '2024-02-29 12:00+02'::timestamptz, '1930-01-01 12:00 UTC'::timestamptz"
    async with connect() as conn, connect(statement_mode="simple") as simple:
        row = await conn.fetchrow(query)
        for zone in ("Asia/Kolkata", "Europe/Amsterdam", "America/St_Johns"):
            async with simple.transaction():
                await simple.execute(f"SET LOCAL TimeZone = '{zone}'")
                assert repr(await simple.fetchrow(query)) == repr(row)


@pytest.mark.parametrize(
    ("setting", "expression", "words"),
    [
        ("DateStyle = 'SQL'", "'2024-02-29'::date", "DateStyle = 'ISO'"),
        ("DateStyle = 'German'", "ARRAY['2024-02-29 12:00'::timestamp]", "DateStyle = 'ISO'"),
        ("DateStyle = 'Postgres'", "'2024-02-29 12:00+00'::timestamptz", "DateStyle = 'ISO'"),
        ("IntervalStyle = 'iso_8601'", "'1 day'::interval", "IntervalStyle = 'postgres'"),
        ("IntervalStyle = 'sql_standard'", "'1 day'::interval", "IntervalStyle = 'postgres'"),
    ],
)
async def test_other_styles_name_the_column_and_the_setting(
    connect: Connect, setting: str, expression: str, words: str
) -> None:
    async with connect(statement_mode="simple") as conn, conn.transaction():
        await conn.execute(f"SET LOCAL {setting}")
        with pytest.raises(pgallop.DataError, match=r"column 'due'.*" + words):
            await conn.fetch(f"SELECT 1, {expression} AS due")
        assert await conn.fetchval("SELECT 2") == 2
        assert await conn.fetchval(f"SELECT ({expression})::text") is not None


async def test_bytea_is_read_in_both_its_styles(connect: Connect) -> None:
    query = "SELECT decode('005c22ff617fc3', 'hex')"
    data = bytes.fromhex("005c22ff617fc3")
    async with connect(statement_mode="simple") as conn, conn.transaction():
        for style in ("hex", "escape"):
            await conn.execute(f"SET LOCAL bytea_output = '{style}'")
            assert await conn.fetchval(query) == data
            assert await conn.fetchval(f"SELECT ARRAY[({query})]") == [data]


async def test_fields_of_rows_are_texts(connect: Connect) -> None:
    async with connect(statement_mode="simple") as conn:
        assert await conn.fetchval("SELECT ROW(1, true, NULL, ROW(2))") == ("1", "t", None, "(2)")
        with pytest.raises(pgallop.DataError, match="cannot be told apart"):
            await conn.fetchval("SELECT ROW(NULL)")
