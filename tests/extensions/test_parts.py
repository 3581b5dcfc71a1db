"""Types of extensions as parts of the user's own, and next to types of the same names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from extensions.databases import Type
from live import Connect

import pgallop
from pgallop import Cube, SparseVector

POINT = bytes.fromhex("0101000020e6100000000000000000f03f0000000000000040")

MODES = pytest.mark.parametrize("mode", ["named", "simple"])


@asynccontextmanager
async def created(
    connect: Connect, script: str, **options: Any
) -> AsyncIterator[pgallop.Connection]:
    """A connection behind a script whose schema `own` is dropped in the end."""
    async with connect() as owner:
        await owner.execute(f"CREATE SCHEMA own; SET search_path = own, public; {script}")
        try:
            async with connect(server_settings={"search_path": "own, public"}, **options) as conn:
                yield conn
        finally:
            await owner.execute("SET client_min_messages = warning; DROP SCHEMA own CASCADE")


@MODES
async def test_composites(extended: Connect, typed: Callable[[str], Type], mode: Any) -> None:
    typed("vector")
    script = """
        CREATE TYPE item AS (facts hstore, path ltree, embedding vector, few sparsevec, box cube);
        CREATE TABLE kept (item item, items item[])
    """
    fields = ({"a": "1", "b": None}, "a.b", [1.0, 2.5], SparseVector([0, 1.5]), Cube([1], [2]))
    async with created(extended, script, statement_mode=mode) as conn:
        if mode == "named":
            query = "INSERT INTO kept VALUES ($1, $2)"
            await conn.execute(query, fields, [fields, None, (None,) * 5])
        else:
            text = """ROW('a=>1, b=>NULL', 'a.b', '[1,2.5]', '{2:1.5}/2', '(1),(2)')::item"""
            query = f"INSERT INTO kept VALUES ({text}, ARRAY[{text}, NULL, ROW(%s)::item])"
            await conn.execute(query % ", ".join(["NULL"] * 5))
        row = await conn.fetchrow("SELECT * FROM kept")
        assert row is not None
        assert tuple(row["item"]) == fields
        assert row["item"]["embedding"] == [1.0, 2.5]
        first, second, third = row["items"]
        assert (tuple(first), second, tuple(third)) == (fields, None, (None,) * 5)


@MODES
async def test_composites_with_what_is_text_only(
    extended: Connect, typed: Callable[[str], Type], mode: Any
) -> None:
    """Then all of it comes as text, and the values are the same."""
    typed("isbn")
    script = "CREATE TYPE book AS (isbn isbn, facts hstore, pages int4)"
    query = "SELECT ROW('0-393-04002-X', 'a=>1', 320)::book"
    async with created(extended, script, statement_mode=mode) as conn:
        book = await conn.fetchval(query)
        assert tuple(book) == ("0-393-04002-X", {"a": "1"}, 320)


@MODES
async def test_domains(extended: Connect, typed: Callable[[str], Type], mode: Any) -> None:
    typed("vector")
    script = "CREATE DOMAIN embedding AS vector(2); CREATE DOMAIN facts AS hstore"
    query = """
        SELECT '[1,2]'::embedding, ARRAY['[1,2]'::embedding, NULL], ARRAY[['a=>1'::facts]]
    """
    async with created(extended, script, statement_mode=mode) as conn:
        row = await conn.fetchrow(query)
        assert row is not None
        assert list(row.values()) == [[1.0, 2.0], [[1.0, 2.0], None], [[{"a": "1"}]]]
        if mode == "named":
            several = [[[1.0, 2.0]], [[3.0, 4.0]]]
            assert await conn.fetchval("SELECT $1::embedding[]", several) == several


@MODES
async def test_types_of_the_same_names(
    extended: Connect, typed: Callable[[str], Type], mode: Any
) -> None:
    """They belong to no extension, and are not taken for those."""
    typed("hstore")
    script = """
        CREATE TYPE own.hstore AS (a int4, b text);
        CREATE TYPE own.cube AS ENUM ('small', 'large');
        CREATE DOMAIN own.ltree AS int4
    """
    query = """
        SELECT ROW(1, 'x')::own.hstore, 'small'::own.cube, 5::own.ltree, 'a=>1'::public.hstore
    """
    async with created(extended, script, statement_mode=mode) as conn:
        row = await conn.fetchrow(query)
        assert row is not None
        record, *others = row.values()
        assert tuple(record) == (1, "x")
        assert others == ["small", 5, {"a": "1"}]


@MODES
async def test_parts_of_postgis(extended_postgis: Connect, mode: Any) -> None:
    script = "CREATE DOMAIN place AS geometry; CREATE TYPE town AS (name text, place place)"
    query = f"""
        SELECT '{POINT.hex()}'::place, ARRAY['{POINT.hex()}'::place, NULL],
            ROW('Here', '{POINT.hex()}')::town
    """
    async with created(extended_postgis, script, statement_mode=mode) as conn:
        row = await conn.fetchrow(query)
        assert row is not None
        one, several, town = row.values()
        assert (one, several, tuple(town)) == (POINT, [POINT, None], ("Here", POINT))
