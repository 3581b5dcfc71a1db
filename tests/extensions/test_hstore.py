"""hstore: pairs as a dict."""

from __future__ import annotations

from collections import OrderedDict, UserDict, defaultdict
from collections.abc import Callable
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import asyncpg
import pytest
from extensions.databases import Database, Type, known
from hypothesis import given, settings
from hypothesis import strategies as st
from live import Connect
from oracle import Oracle

import pgallop
from pgallop.codecs.codec import Unencodable
from pgallop.codecs.textual import textual

HSTORE = known("hstore")

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(CHARACTERS | st.sampled_from('"\\,=> NUL'), max_size=20)
mappings = st.dictionaries(texts, st.none() | texts, max_size=8)


class Key(StrEnum):
    RED = "red"


class Loose(str):
    """A str that equals no other."""

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@settings(deadline=None, max_examples=30)
@given(values=st.lists(mappings, min_size=1, max_size=20))
def test_the_server_gives_back_the_same(
    server_oracle: Oracle, typed: Callable[[str], Type], values: list[dict[str, str | None]]
) -> None:
    """In binary, and in text."""
    codec = typed("hstore").codec()
    data = [codec.dumps(value) for value in values]
    forms = server_oracle.text(codec.oid, data)
    echoes = server_oracle.binary(codec.oid, forms)
    reader = textual(codec)
    for value, form, echo in zip(values, forms, echoes, strict=True):
        assert form is not None
        assert echo is not None
        assert codec.loads(echo) == value
        assert reader.loads(form.encode()) == value
        # In the order of the server.
        assert list(reader.loads(form.encode())) == list(codec.loads(echo))


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"a": "1", "b": None, "": ""},
        {"ü": "Grüße 😀", '"\\': "\\\"'"},
        OrderedDict(a="1"),
        defaultdict(str, a="1"),
        MappingProxyType({"a": "1"}),
        UserDict({"a": "1"}),
        {Key.RED: Key.RED},
    ],
)
def test_what_is_taken(value: Any) -> None:
    read = HSTORE.loads(HSTORE.dumps(value))
    assert read == dict(value)
    assert {type(each) for pair in read.items() for each in pair} <= {str, type(None)}


ACCEPTED = "dict or another mapping of str to str or None"


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        (5, "", f"expected {ACCEPTED}, got int"),
        ("a=>1", "", f"expected {ACCEPTED}, got str"),
        ([("a", "1")], "", f"expected {ACCEPTED}, got list"),
        ({1: "1"}, "[1]", "expected str as a key, got int"),
        ({None: "1"}, "[None]", "expected str as a key, got NoneType"),
        ({b"a": "1"}, "[b'a']", "expected str as a key, got bytes"),
        ({"a": "1", "b": 2}, "['b']", "expected str or None as a value, got int"),
        ({"a": {"b": "1"}}, "['a']", "expected str or None as a value, got dict"),
        ({"a": "x\0"}, "['a']", "has a NUL character at index 1, which PostgreSQL's text cannot"),
        ({"\0": "x"}, "['\\x00']", "has a NUL character at index 0, which PostgreSQL's text"),
        ({"a": "\ud800"}, "['a']", "has the lone surrogate '\\ud800' at index 0, which is no"),
        ({Loose("a"): "1", Loose("a"): "2"}, "", "two of its keys are the same text"),
        ({"a": "1", Loose("a"): "2"}, "", "two of its keys are the same text"),
    ],
)
def test_what_is_refused(value: Any, place: str, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        HSTORE.dumps(value)
    assert caught.value.place == place
    assert caught.value.reason.startswith(reason)


async def test_a_statement(extended: Connect) -> None:
    query = "SELECT $1::hstore AS one, $2::hstore[] AS many, ROW($1::hstore), NULL::hstore"
    values = [{"a": "1", "b": None}, [{}, None, {"c": "x"}]]
    async with extended() as conn, extended(statement_mode="simple") as simple:
        row = await conn.fetchrow(query, *values)
        assert row is not None
        assert list(row.values()) == [*values, (values[0],), None]
        assert await conn.fetchval("SELECT $1::hstore -> 'a'", {"a": "1"}) == "1"
        nested = [[{"a": "1"}], [{"b": None}]]
        assert await conn.fetchval("SELECT $1::hstore[]", nested) == nested
        text = (
            """SELECT '{"a=>1, b=>NULL",NULL}'::hstore[], ''::hstore, '"\\"\\\\"=>"x y"'::hstore"""
        )
        expected = [[{"a": "1", "b": None}, None], {}, {'"\\': "x y"}]
        for each in (conn, simple):
            row = await each.fetchrow(text)
            assert row is not None
            assert list(row.values()) == expected
        with pytest.raises(pgallop.DataError) as caught:
            await conn.fetch("SELECT $1::hstore[]", [{}, {"a": 1}])
        assert str(caught.value).startswith(
            "invalid input for query argument $1[1]['a'] (hstore): 1: expected str or None"
        )


async def test_it_is_asyncpgs(extended: Connect, database: Database) -> None:
    """What both take and give."""
    values: list[dict[str, str | None]] = [{}, {"a": "1"}, {"a": None, "": "ü"}]
    theirs = await asyncpg.connect(database.dsn)
    try:
        await theirs.set_builtin_type_codec("hstore", codec_name="pg_contrib.hstore")
        async with extended() as ours:
            for value in values:
                query = "SELECT $1::hstore"
                assert await ours.fetchval(query, value) == await theirs.fetchval(query, value)
    finally:
        await theirs.close()
