"""tsvector and tsquery in binary, as the server's text."""

from __future__ import annotations

import struct
import time
import tracemalloc
from ipaddress import IPv4Address

import pytest
from bounds import measures
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle
from record_bytes import record

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.errors import ProtocolError

TSVECTOR, TSQUERY = OIDS["tsvector"], OIDS["tsquery"]
ONE_HOST = IPv4Address("1.2.3.4")

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("'\\ :*"),
    min_size=1,
    max_size=8,
).map(lambda word: "'" + word.replace("\\", "\\\\").replace("'", "''") + "'")
positions = st.tuples(st.integers(1, 16383), st.sampled_from(["", "A", "B", "C", "D"]))


@st.composite
def vectors(draw: st.DrawFn) -> str:
    lexemes = []
    for word in draw(st.lists(words, max_size=6)):
        places = draw(st.lists(positions, max_size=4, unique_by=lambda place: place[0]))
        text = ",".join(f"{position}{weight}" for position, weight in places)
        lexemes.append(f"{word}:{text}" if text else word)
    return " ".join(lexemes)


weights = st.sampled_from(["", ":*", ":A", ":*BD", ":ABCD", ":C"])
queries = st.recursive(
    st.builds(lambda word, weight: word + weight, words, weights),
    lambda inner: (
        st.builds("!({})".format, inner)
        | st.builds("({}){}({})".format, inner, st.sampled_from("&|"), inner)
        | st.builds("({})<->({})".format, inner, inner)
        | st.builds("({})<{}>({})".format, inner, st.integers(0, 16384), inner)
    ),
    max_leaves=12,
)


def reader(oid: int) -> Codec:
    """What reads the type's binary form."""
    codec = builtin_registry().get(oid).in_binary()
    assert codec is not None
    return codec


@settings(deadline=None)
@given(st.lists(vectors(), max_size=30))
def test_vectors_as_the_server_writes_them(oracle: Oracle, texts: list[str]) -> None:
    data = oracle.binary(TSVECTOR, texts)
    assert [reader(TSVECTOR).loads(item or b"") for item in data] == oracle.text(TSVECTOR, data)


@settings(deadline=None)
@given(st.lists(queries, max_size=30))
def test_queries_as_the_server_writes_them(oracle: Oracle, texts: list[str]) -> None:
    data = oracle.binary(TSQUERY, texts)
    assert [reader(TSQUERY).loads(item or b"") for item in data] == oracle.text(TSQUERY, data)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("ROW('a:1A,2 b'::tsvector)", ("'a':1A,2 'b'",)),
        ("ROW('a & !(b:*C | c) <-> d'::tsquery)", ("'a' & !( 'b':*C | 'c' ) <-> 'd'",)),
        ("ROW(ARRAY['a b'::tsvector, NULL], ARRAY['a'::tsquery])", (["'a' 'b'", None], ["'a'"])),
        ("ARRAY[ROW(''::tsvector, ''::tsquery)]", [("", "")]),
        ("ROW('pg_type'::regclass, 'pg_catalog'::regnamespace)", (1247, 11)),
        ("ROW(ARRAY['int4'::regtype, 'text'])", ([23, 25],)),
        ("ROW('c'::refcursor, '1.2.3.4'::inet, ARRAY['(0,1)'::tid])", ("c", ONE_HOST, [(0, 1)])),
    ],
)
def test_within_records(oracle: Oracle, expression: str, value: object) -> None:
    oid, data = oracle.select(expression)
    assert builtin_registry().get(oid).loads(data) == value


@pytest.mark.parametrize("name", ["tsvector", "tsquery"])
def test_they_are_sent_as_text(name: str) -> None:
    codec = builtin_registry().get(OIDS[name])
    assert codec.format == 0
    assert codec.dumps("'a'") == b"'a'"
    with pytest.raises(Unencodable, match="expected nothing"):
        reader(OIDS[name]).dumps("'a'")


# --- what no server sends -------------------------------------------------------------------------


def vector(*lexemes: tuple[bytes, int, bytes], count: int | None = None) -> bytes:
    head = struct.pack("!i", len(lexemes) if count is None else count)
    return head + b"".join(
        word + struct.pack("!H", places) + data for word, places, data in lexemes
    )


def query(*items: bytes, count: int | None = None) -> bytes:
    return struct.pack("!i", len(items) if count is None else count) + b"".join(items)


WORD = b"\1\0\0a\0"
NOT, AND, OR, NEXT = b"\2\1", b"\2\2", b"\2\3", b"\2\4\0\1"

VECTOR = vector((b"a\0", 2, b"\0\1\xc0\2"), (b"b\0", 0, b""))
QUERY = query(AND, NEXT, WORD, NOT, WORD, WORD)


def test_the_whole_ones_are_read() -> None:
    assert reader(TSVECTOR).loads(VECTOR) == "'a':1,2A 'b'"
    assert reader(TSQUERY).loads(QUERY) == "'a' & !'a' <-> 'a'"
    assert reader(TSQUERY).loads(query()) == ""


@pytest.mark.parametrize(
    ("oid", "data"),
    [
        *((TSVECTOR, VECTOR[:size]) for size in range(len(VECTOR))),
        *((TSVECTOR, vector(count=count) + VECTOR[4:]) for count in (-1, 0, 1, 3, 4, 2**31 - 1)),
        (TSVECTOR, vector((b"a\0", 3, b"\0\1\0\2"))),
        (TSVECTOR, vector((b"a\0", 1, b"\0\1\0\2"))),
        (TSVECTOR, vector((b"a\0", 65535, b""))),
        (TSVECTOR, vector((b"abc", 0, b""))),
        (TSVECTOR, VECTOR + b"\0"),
        *((TSQUERY, QUERY[:size]) for size in range(len(QUERY))),
        *((TSQUERY, query(count=count) + QUERY[4:]) for count in (-1, 0, 1, 5, 7, 2**31 - 1)),
        (TSQUERY, QUERY + b"\0"),
        (TSQUERY, query(WORD, WORD)),
        (TSQUERY, query(AND)),
        (TSQUERY, query(NOT)),
        (TSQUERY, query(AND, WORD)),
        (TSQUERY, query(NOT, WORD, WORD)),
        (TSQUERY, query(WORD, NOT)),
        (TSQUERY, query(b"\0\1")),
        (TSQUERY, query(b"\3\1")),
        (TSQUERY, query(b"\2\0", WORD, WORD)),
        (TSQUERY, query(b"\2\5", WORD, WORD)),
        (TSQUERY, query(b"\2\4\0", WORD)),
        (TSQUERY, query(b"\1\0\0abc")),
    ],
)
def test_lies_break_the_protocol(oid: int, data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            reader(oid).loads(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_what_is_not_utf8_is_the_values_fault() -> None:
    for oid, data in ((TSVECTOR, vector((b"\xff\0", 0, b""))), (TSQUERY, query(b"\1\0\0\xff\0"))):
        with pytest.raises(UnicodeDecodeError):
            reader(oid).loads(data)
        with pytest.raises(ValueError, match=r"^field 1: 'utf-8' codec"):
            builtin_registry().get(OIDS["record"]).loads(record((oid, data)))


@measures
@pytest.mark.parametrize(
    ("data", "text"),
    [
        (query(NOT * 100_000 + WORD, count=100_001), "!!'a'"),
        (query((AND + WORD) * 100_000 + WORD, count=200_001), "'a' & 'a' & 'a'"),
        (query(OR * 100_000 + WORD * 100_001, count=200_001), "'a' | 'a' | 'a'"),
        (query((NEXT + WORD) * 100_000 + WORD, count=200_001), "'a' <-> 'a' <-> 'a'"),
        (query(NEXT * 100_000 + WORD * 100_001, count=200_001), "'a' <-> ( 'a' <-> ( 'a'"),
    ],
    ids=["not", "and", "or", "left", "right"],
)
def test_deep_queries_take_no_stack_and_no_time(data: bytes, text: str) -> None:
    """100,000 operators, each the operand of another one."""
    start = time.perf_counter()
    written = reader(TSQUERY).loads(data)
    assert time.perf_counter() - start < 5
    assert sum(written.count(operator) for operator in ("!", "&", "|", "<->")) == 100_000
    assert text in written


@given(st.binary(max_size=40))
def test_any_bytes_are_text_or_a_typed_error(data: bytes) -> None:
    for oid in (TSVECTOR, TSQUERY):
        for hostile in (data, b"\0\0\0\2" + data):
            try:
                value = reader(oid).loads(hostile)
            except (ProtocolError, UnicodeDecodeError):
                continue
            assert type(value) is str


def test_arrays_of_them_within_records() -> None:
    codec = builtin_registry().get(ARRAYS["tsvector"]).in_binary()
    assert codec is not None
    assert codec.name == "tsvector[]"
    aclitems = builtin_registry().get(ARRAYS["aclitem"])
    assert aclitems.in_binary() is None
    with pytest.raises(ValueError, match=r"type _aclitem can be read as text only"):
        builtin_registry().get(OIDS["record"]).loads(record((ARRAYS["aclitem"], b"")))
