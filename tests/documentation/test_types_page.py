"""docs/types.md is true: values are read as its tables say, and accepted as they say."""

from __future__ import annotations

from fnmatch import fnmatch

import pytest
from documentation.pages import tables

import pgallop
from pgallop.codecs._oids import OIDS
from tools.documented_types import FAMILIES, LEFT_OUT, OTHERS, TEXTS, UNTIL, Family, Row
from tools.generate_types_page import (
    HEADINGS,
    PAGE,
    codec_of,
    generate,
    kind,
    read_as,
    registry,
    types_named,
)

ROWS = [row for family in FAMILIES for row in family.rows]

# The samples are of this version; an older server may not have a type, or not a value.
NEWEST = 18

# So that there are values of the types of extended statistics.
STATISTICS = """
    CREATE TEMP TABLE statistics AS SELECT n % 7 AS a, n % 7 AS b FROM generate_series(1, 99) AS n;
    CREATE STATISTICS pg_temp.documented (ndistinct, dependencies, mcv) ON a, b FROM statistics;
    ANALYZE statistics
"""

every_row = pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])


@pytest.mark.once
def test_the_page_is_what_the_tool_writes() -> None:
    page = PAGE.read_text("utf-8")
    assert page == generate(page), "python -m tools.generate_types_page"


@pytest.mark.once
def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the marks are missing"):
        generate("# Types\n")


@pytest.mark.once
def test_the_page_has_every_type() -> None:
    names = {name for name in OIDS if not name.startswith("_")}
    left_out = {name for name in names if any(fnmatch(name, pattern) for pattern in LEFT_OUT)}
    assert {row.name for row in ROWS} == names - left_out
    shown = [
        row
        for heading, *rows in tables(PAGE.read_text("utf-8"))
        if heading == list(HEADINGS)
        for row in rows
    ]
    assert [row[0].split("`")[1].strip('"') for row in shown] == [row.name for row in ROWS]


@every_row
def test_each_type_named_as_accepted_has_a_sample(row: Row) -> None:
    codec = codec_of(row, registry())
    assert bool(row.values) == (codec.accepts != "nothing" and not row.query)
    samples = {type(value) for value in row.values}
    samples |= {type(item) for value in row.values if isinstance(value, list) for item in value}
    assert set(types_named(codec.accepts).values()) <= samples or row.query


every_family = pytest.mark.parametrize("family", FAMILIES, ids=[each.heading for each in FAMILIES])


@every_family
async def test_values_are_read_as_the_page_says(family: Family, dsn: str) -> None:
    async with pgallop.connect(dsn) as conn:
        for row in await rows_there(conn, family):
            found = [await conn.fetchval(row.query)] if row.query else await read(conn, row)
            assert {(row.name, kind(value)) for value in found} <= expected(row)


async def read(conn: pgallop.Connection, row: Row) -> list[object]:
    """What the texts of a type are read as, alone and in an array."""
    found = []
    for text in row.texts:
        try:
            value = await conn.fetchval(f"SELECT $1::text::{row.sql}", text)
        except pgallop.PostgresError:
            assert conn.get_server_version().major < NEWEST
            continue
        found.append(value)
        if not isinstance(value, list):
            array = await conn.fetchval(f"SELECT ARRAY[$1::text::{row.sql}, NULL]", text)
            assert repr(array) == repr([value, None])
    return found


@every_family
async def test_values_are_accepted_as_the_page_says(family: Family, dsn: str) -> None:
    async with pgallop.connect(dsn) as conn:
        for row in await rows_there(conn, family):
            for argument in row.values:
                value = await conn.fetchval(f"SELECT $1::{row.sql}", argument)
                assert (row.name, kind(value)) in expected(row)
                # A list in a list would be a dimension.
                if argument is row.values[0] and not isinstance(argument, list):
                    array = await conn.fetchval(f"SELECT $1::{row.sql}[]", [argument, None])
                    assert repr(array) == repr([value, None])


def expected(row: Row) -> set[tuple[str, str]]:
    return {(row.name, name) for name in read_as(row, codec_of(row, registry()))}


async def rows_there(conn: pgallop.Connection, family: Family) -> list[Row]:
    """The types of a family that the server has."""
    names = [row.sql for row in family.rows]
    query = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regtype(name) IS NOT NULL"
    there = {row["name"] for row in await conn.fetch(query, names)}
    missing = [row for row in family.rows if row.sql not in there]
    version = conn.get_server_version()
    if version.major >= NEWEST:
        assert all(row.note.startswith(UNTIL) for row in missing)
    if family is OTHERS:
        if version < (12,):
            return []  # the statistics are in another table
        await conn.execute(STATISTICS)
    if family is TEXTS and not await has_libxml(conn):
        missing += [row for row in family.rows if row.name == "xml"]
    return [row for row in family.rows if row not in missing]


async def has_libxml(conn: pgallop.Connection) -> bool:
    """Whether the server was built with it; that of the wheel was not."""
    try:
        await conn.execute("SELECT '<a/>'::xml")
    except pgallop.FeatureNotSupportedError:
        return False
    return True
