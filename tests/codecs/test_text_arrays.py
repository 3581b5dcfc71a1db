"""Arrays of types that travel as text, in their text form."""

from __future__ import annotations

import time
from typing import Any

import numpy
import pytest
from array_values import nested_lists
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.codec import TEXT, Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import TextCodec
from pgallop.codecs.text_arrays import TextArrayCodec
from pgallop.codecs.textual import textual

characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters | st.sampled_from('"\\{},; NULnul\n'), max_size=12)


@pytest.fixture(scope="module")
def aclitems(registry: Registry) -> Codec:
    return registry.get(ARRAYS["aclitem"])


def test_what_they_are_like(registry: Registry, aclitems: Codec) -> None:
    assert (aclitems.name, aclitems.format, aclitems.atomic) == ("aclitem[]", TEXT, False)
    assert textual(aclitems) is aclitems
    names = {name for name in ARRAYS if type(registry.get(ARRAYS[name])) is TextArrayCodec}
    assert names >= {"regclass", "regtype", "tsvector", "tsquery", "aclitem", "gtsvector"}
    assert all(type(registry.get(OIDS[name])) is TextCodec for name in names)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ([], b"{}"),
        ([[], []], b"{}"),
        (["a"], b'{"a"}'),
        (["a", None, ""], b'{"a",NULL,""}'),
        (["NULL", '"', "\\", "{,}"], b'{"NULL","\\"","\\\\","{,}"}'),
        ([["a", "b"], [None, "c"]], b'{{"a","b"},{NULL,"c"}}'),
        ([[["a"], ["b"]]], b'{{{"a"},{"b"}}}'),
        ([["ü"]], '{{"ü"}}'.encode()),
    ],
)
def test_exact_text(aclitems: Codec, value: list[Any], data: bytes) -> None:
    assert aclitems.dumps(value) == data
    assert aclitems.loads(data) == (value if data != b"{}" else [])


def test_other_containers(aclitems: Codec) -> None:
    for value in (("a", "b"), {"a": 1, "b": 2}.keys(), numpy.array(["a", "b"])):
        assert aclitems.dumps(value) == b'{"a","b"}'


def test_what_the_server_writes_is_read(aclitems: Codec) -> None:
    """Quotes where it needs them, and lower bounds."""
    assert aclitems.loads(b'{a,NULL,null,"NULL"}') == ["a", None, None, "NULL"]
    assert aclitems.loads(b'[0:1][5:5]={{a},{"b c"}}') == [["a"], ["b c"]]


# The server has no arrays of text as text only, but reads and writes them like any other.
@settings(deadline=None, max_examples=40)
@given(st.lists(nested_lists(texts), min_size=1, max_size=10))
def test_any_texts_are_the_same_on_the_server(oracle: Oracle, values: list[Any]) -> None:
    codec = TextArrayCodec(ARRAYS["text"], "text[]", TextCodec(OIDS["text"], "text"))
    literals = [codec.dumps(value).decode() for value in values]
    data = oracle.binary(codec.oid, literals)
    assert [codec.loads(literal.encode()) for literal in literals] == values
    assert [codec.loads((text or "").encode()) for text in oracle.text(codec.oid, data)] == values


@pytest.mark.parametrize(
    ("value", "reason", "place"),
    [
        ("a", "expected list or another container with a length, got str", ""),
        (5, "got int", ""),
        (["a", 5], r"expected str \(its text form\), got int", "[1]"),
        ([["a"], ["b\0"]], "NUL character at index 1", "[1][0]"),
        (["\ud800"], "lone surrogate", "[0]"),
        ([["a"], ["b", "c"]], "has 2 items where", "[1]"),
        ([["a"], "b"], "is of type str where", "[1]"),
        ([[[[[[["a"]]]]]]], "more than 6 dimensions", ""),
    ],
)
def test_what_is_refused(aclitems: Codec, value: object, reason: str, place: str) -> None:
    with pytest.raises(Unencodable, match=reason) as caught:
        aclitems.dumps(value)
    assert caught.value.place == place


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"{", b"}", b"{}}", b"{{}", b"a", b"{a", b"{a}}", b"{a,}", b"{,a}", b'{"a}'),
        *(b"{{a},{b,c}}", b"{{a},b}", b"{a,{b}}", b"{{{{{{{a}}}}}}}", b"[1:2]={a}", b"{\xff}"),
        *(b"[1:1]={}", b"[1:1]{a}", b"{a}{b}", b"{a b}", b'{"a"b}'),
    ],
)
def test_what_is_no_array(aclitems: Codec, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        aclitems.loads(data)


def test_each_truncation_is_noticed(aclitems: Codec) -> None:
    whole = b'[2:3][0:1]={{"a\\"b",NULL},{c,"d e"}}'
    assert aclitems.loads(whole) == [['a"b', None], ["c", "d e"]]
    for size in range(len(whole)):
        with pytest.raises(ValueError, match=r"."):
            aclitems.loads(whole[:size])


@pytest.mark.parametrize("data", [b"{" * 100_000, b'{"' + b"\\" * 100_000, b"{" + b"a," * 100_000])
def test_nonsense_is_refused_at_once(aclitems: Codec, data: bytes) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r"."):
        aclitems.loads(data)
    assert time.perf_counter() - start < 2
