"""What is a str: citext, ltree, lquery, ltxtquery, and the numbers of isn."""

from __future__ import annotations

from collections.abc import Callable

import asyncpg
import pytest
from extensions.databases import Database, Type, array_of, known
from hypothesis import given, settings
from hypothesis import strategies as st
from live import Connect
from oracle import Oracle

import pgallop
from pgallop.codecs.codec import BINARY, TEXT, Unencodable
from pgallop.codecs.extensions import CODECS, codec_for
from pgallop.codecs.text import TextCodec
from pgallop.codecs.textual import textual

# A text of each, as the server writes it.
SAMPLES = {
    "citext": "Grüße, WELT",
    "ltree": "top.Science.Astronomy",
    "lquery": "*{1,2}.Astro@*.!pictures@|art*",
    "ltxtquery": "Europe & Russia@* & !Transportation",
    "ean13": "978-0-393-04002-9",
    "isbn": "0-393-04002-X",
    "isbn13": "978-0-393-04002-9",
    "ismn": "M-060-11561-5",
    "ismn13": "979-0-060-11561-5",
    "issn": "1436-4522",
    "issn13": "977-1436-452-00-8",
    "upc": "220356483481",
}
VERSIONED = ("ltree", "lquery", "ltxtquery")

every_sample = pytest.mark.parametrize("name", SAMPLES)

labels = st.text("abcXYZ_059", min_size=1, max_size=10)
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@every_sample
async def test_statements(extended: Connect, typed: Callable[[str], Type], name: str) -> None:
    typed(name)
    text = SAMPLES[name]
    query = f"SELECT $1::{name}, $2::{name}[], NULL::{name}"
    async with (
        extended() as conn,
        extended(statement_mode="simple") as simple,
    ):
        row = await conn.fetchrow(query, text, [[text], [None]])
        assert row is not None
        assert list(row.values()) == [text, [[text], [None]], None]
        query = f"SELECT '{text}'::{name}, ARRAY['{text}'::{name}, NULL]"
        for each in (conn, simple):
            row = await each.fetchrow(query)
            assert row is not None
            assert list(row.values()) == [text, [text, None]]
        if typed(name).binary:
            assert await conn.fetchval(f"SELECT ROW('{text}'::{name})") == (text,)
        with pytest.raises(pgallop.DataError, match=rf"\$1 \({name}\): 5: expected str"):
            await conn.fetch(f"SELECT $1::{name}", 5)


@every_sample
async def test_the_first_statement(
    extended: Connect, typed: Callable[[str], Type], name: str
) -> None:
    """Nothing is known of its result, and there may be no binary form of it."""
    typed(name)
    text = SAMPLES[name]
    async with extended() as conn:
        assert await conn.fetchval(f"SELECT '{text}'::{name}") == text
    async with extended() as conn:
        assert await conn.fetchval(f"SELECT ARRAY['{text}'::{name}, NULL]") == [text, None]


async def test_they_are_what_asyncpg_reads(extended: Connect, database: Database) -> None:
    """Which asks the catalogue about each type, and reads it as text."""
    samples = SAMPLES | {"seg": "1.50 .. 2", "box2d": "BOX(0 1,2 3)"}
    there = {name: text for name, text in samples.items() if name in database.types}
    columns = [f"${i}::{name}, ARRAY[${i}::{name}]" for i, name in enumerate(there, 1)]
    query = f"SELECT {', '.join(columns)}"
    theirs = await asyncpg.connect(database.dsn)
    try:
        expected = await theirs.fetchrow(query, *there.values())
        assert expected is not None
        async with extended() as ours:
            row = await ours.fetchrow(query, *there.values())
            assert row is not None
            assert list(row.values()) == list(expected.values())
    finally:
        await theirs.close()


@settings(deadline=None, max_examples=30)
@given(values=st.lists(st.lists(labels, max_size=5).map(".".join), min_size=1, max_size=20))
def test_paths(server_oracle: Oracle, typed: Callable[[str], Type], values: list[str]) -> None:
    codec = typed("ltree").codec()
    if not typed("ltree").binary:
        pytest.skip("the server has no binary form of ltree")
    assert server_oracle.text(codec.oid, [codec.dumps(value) for value in values]) == values
    echoes = server_oracle.binary(codec.oid, values)
    assert [codec.loads(echo) for echo in echoes if echo is not None] == values


@settings(deadline=None, max_examples=30)
@given(values=st.lists(st.text(CHARACTERS, max_size=20), min_size=1, max_size=20))
def test_citext(server_oracle: Oracle, typed: Callable[[str], Type], values: list[str]) -> None:
    codec = typed("citext").codec()
    assert server_oracle.text(codec.oid, [codec.dumps(value) for value in values]) == values
    echoes = server_oracle.binary(codec.oid, values)
    assert [codec.loads(echo) for echo in echoes if echo is not None] == values


@every_sample
def test_their_bytes(name: str) -> None:
    codec, text = known(name), SAMPLES[name]
    assert codec.dumps(text) == (b"\1" if name in VERSIONED else b"") + text.encode()
    assert codec.loads(codec.dumps(text)) == text
    assert textual(codec).loads(text.encode()) == text
    for wrong in (5, None, b"a", ["a"]):
        with pytest.raises(Unencodable, match="expected str"):
            codec.dumps(wrong)
    with pytest.raises(Unencodable, match="has a NUL character"):
        codec.dumps("a\0")


def test_the_formats_are_the_servers(database: Database) -> None:
    for each in database.types.values():
        assert each.codec().format == (BINARY if each.binary else TEXT)
        assert each.array_codec().format == (BINARY if each.binary else TEXT)


def test_servers_that_have_no_binary_form() -> None:
    for name in CODECS:
        codec = known(name, binary=False)
        assert (codec.oid, codec.name, codec.format) == (99999, name, TEXT)
        assert codec.in_binary() is None
        array = array_of(codec)
        assert (array.format, array.in_binary()) == (TEXT, None)
    codec = known("ltree", binary=False)
    assert isinstance(codec, TextCodec)
    assert codec.loads(codec.dumps("a.b")) == "a.b"


def test_other_types_are_not_known() -> None:
    for name in ("", "int4", "Hstore", "ghstore", "_hstore", "hstore[]", "gtsvector"):
        assert codec_for(name, 99999) is None
        assert codec_for(name, 99999, binary=False) is None
