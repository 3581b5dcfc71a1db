"""Records: rows without a type of their own, as the server sends them."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from array_bytes import number, wire
from hypothesis import given
from hypothesis import strategies as st
from oracle import Oracle
from record_bytes import record, tower

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, TypesNeeded, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import StrCodec, TextCodec
from pgallop.errors import ProtocolError
from pgallop.limits import MAX_NESTING

BOOL, INT4, TEXT, JSONB = (OIDS[name] for name in ("bool", "int4", "text", "jsonb"))
RECORD, RECORDS = OIDS["record"], ARRAYS["record"]
MOOD = 16385  # a type that nobody knows


@pytest.fixture(scope="module")
def records() -> Codec:
    return builtin_registry().get(RECORD)


@pytest.fixture(scope="module")
def arrays() -> Codec:
    return builtin_registry().get(RECORDS)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (record(), ()),
        (record((INT4, number(7))), (7,)),
        (record((INT4, None)), (None,)),
        (record((TEXT, b""), (TEXT, b"a"), (BOOL, b"\1")), ("", "a", True)),
        (record((RECORD, record()), (RECORD, None)), ((), None)),
        (record((RECORD, record((INT4, number(1)))), (TEXT, b"x")), ((1,), "x")),
        (record((JSONB, b'\1{"a": [1]}')), ({"a": [1]},)),
        (record((ARRAYS["int4"], wire([number(1), None], (2, 1)))), ([1, None],)),
        (
            record((RECORDS, wire([record((INT4, number(1))), None], (2, 1), oid=RECORD))),
            ([(1,), None],),
        ),
        # What is NULL need not be read.
        (record((MOOD, None), (OIDS["aclitem"], None)), (None, None)),
    ],
)
def test_records_are_tuples(records: Codec, data: bytes, value: tuple[Any, ...]) -> None:
    assert records.loads(data) == value
    assert type(records.loads(data)) is tuple


def test_arrays_of_records_are_lists(arrays: Codec) -> None:
    one, two = record((INT4, number(1))), record((TEXT, b"x"), (INT4, None))
    data = wire([one, None, two], (3, 1), oid=RECORD)
    assert arrays.loads(data) == [(1,), None, ("x", None)]
    assert arrays.loads(wire([one, two], (2, 1), (1, 1), oid=RECORD)) == [[(1,)], [("x", None)]]
    assert arrays.loads(wire([], oid=RECORD)) == []


def test_what_the_codecs_say_of_themselves(records: Codec, arrays: Codec) -> None:
    assert (records.oid, records.name, records.format) == (RECORD, "record", 1)
    assert (arrays.oid, arrays.name, arrays.format) == (RECORDS, "record[]", 1)
    # A json value in it can refer to anything.
    assert not records.atomic
    assert not arrays.atomic


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("ROW()", ()),
        ("ROW(1, 'a', NULL)", (1, "a", None)),
        ("ROW(1, ROW('b', ROW()), true)", (1, ("b", ()), True)),
        ("ROW(ARRAY[1, 2], ARRAY[['a'], [NULL]])", ([1, 2], [["a"], [None]])),
        ("ARRAY[ROW(1, 'a'), NULL, ROW(2, 'b')]", [(1, "a"), None, (2, "b")]),
        ("ROW(ARRAY[ROW(1), ROW(2)], 'x')", ([(1,), (2,)], "x")),
        ("ROW('{\"a\": 1}'::jsonb, '[2]'::json, 1.50, '\\x00ff'::bytea)", None),
        ("ROW(NULL::aclitem, 7)", (None, 7)),
        ("(SELECT x FROM (SELECT 1 AS a, 'z' AS b) AS x)", (1, "z")),
        ("ARRAY(SELECT ROW(i, i * i) FROM generate_series(1, 3) AS i)", [(1, 1), (2, 4), (3, 9)]),
    ],
)
def test_the_servers_own(oracle: Oracle, registry: Registry, query: str, value: Any) -> None:
    oid, data = oracle.select(query)
    read = registry.get(oid).loads(data)
    if value is not None:
        assert read == value
    assert repr(read) == repr(registry.get(oid).loads(data))
    assert oid in (RECORD, RECORDS)


# --- what is not read -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("oid", "name"),
    [(OIDS["aclitem"], "type aclitem "), (MOOD, "OID 16385 ")],
)
def test_a_field_that_is_known_as_text_only(records: Codec, oid: int, name: str) -> None:
    with pytest.raises(ValueError, match=rf"^field 2: .*{name}.*ROW\(1, field::text\)"):
        records.loads(record((INT4, None), (oid, b"12345678")))


def test_a_field_that_the_server_has_to_be_asked_about(records: Codec) -> None:
    with pytest.raises(TypesNeeded, match="nothing is known of money") as told:
        records.loads(record((INT4, None), (OIDS["money"], b"12345678")))
    assert told.value.oids == {OIDS["money"]}


def test_a_field_that_cannot_be_read_is_named(records: Codec) -> None:
    inner = record((TEXT, b"x"), (INT4, None), (TEXT, b"\xff"))
    with pytest.raises(ValueError, match=r"^field 2: field 3: 'utf-8' codec can't decode"):
        records.loads(record((INT4, None), (RECORD, inner)))


@pytest.mark.parametrize("oid", [RECORD, RECORDS])
@pytest.mark.parametrize("value", [(), (1, "a"), [], [(1,)], "(1,a)", object()])
def test_no_value_is_taken(registry: Registry, oid: int, value: object) -> None:
    with pytest.raises(Unencodable, match="does not take them") as caught:
        registry.get(oid).dumps(value)
    assert caught.value.value is value
    assert caught.value.hint is not None
    assert "ROW($1, $2)" in caught.value.hint


# --- registries -----------------------------------------------------------------------------------


def test_fields_are_read_with_the_codecs_of_the_registry() -> None:
    """Of the one the record's codec was taken from, and not of the one that it came into first."""
    registry = builtin_registry().copy()
    registry.add(StrCodec(MOOD, "mood"))
    data = record((MOOD, b"happy"))
    assert registry.get(RECORD).loads(data) == ("happy",)
    assert registry.get(RECORDS).loads(wire([data], (1, 1), oid=RECORD)) == [("happy",)]
    nested = record((RECORDS, wire([data], (1, 1), oid=RECORD)), (RECORD, data))
    assert registry.get(RECORD).loads(nested) == ([("happy",)], ("happy",))
    for untouched in (builtin_registry(), builtin_registry().copy()):
        with pytest.raises(ValueError, match="OID 16385"):
            untouched.get(RECORD).loads(data)


def test_what_is_added_to_a_copy_later_counts() -> None:
    registry = builtin_registry().copy()
    codec = registry.get(RECORD)
    with pytest.raises(ValueError, match="OID 16385"):
        codec.loads(record((MOOD, b"happy")))
    registry.add(StrCodec(MOOD, "mood"))
    assert codec.loads(record((MOOD, b"happy"))) == ("happy",)


def test_other_codecs_are_what_was_added() -> None:
    registry = builtin_registry().copy()
    mine = StrCodec(MOOD, "mood")
    registry.add(mine)
    assert registry.get(MOOD) is mine
    assert registry.get(INT4) is builtin_registry().get(INT4)
    assert registry.get(ARRAYS["int4"]) is builtin_registry().get(ARRAYS["int4"])
    assert type(registry.get(MOOD + 1)) is TextCodec
    assert builtin_registry().get(RECORD) is builtin_registry().get(RECORD)


# --- depth ----------------------------------------------------------------------------------------


def test_as_deep_as_is_allowed(records: Codec) -> None:
    value = records.loads(tower(MAX_NESTING))
    for _ in range(MAX_NESTING - 1):
        (value,) = value
    assert value == ()
    with pytest.raises(ProtocolError, match=f"nested deeper than {MAX_NESTING} levels"):
        records.loads(tower(MAX_NESTING + 1))


def test_neighbours_are_not_levels(records: Codec) -> None:
    fields = [(RECORD, tower(MAX_NESTING - 1))] * 3
    assert len(records.loads(record(*fields))) == 3


# --- any value ------------------------------------------------------------------------------------

strings = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
leaves = st.none() | st.booleans() | st.integers(-(2**31), 2**31 - 1) | strings
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=20)


def form(value: Any) -> tuple[int, bytes | None]:
    """The type and the bytes of a value."""
    match value:
        case None:
            return TEXT, None
        case bool():
            return BOOL, bytes([value])
        case int():
            return INT4, struct.pack("!i", value)
        case str():
            return TEXT, value.encode()
    return RECORD, record(*map(form, value))


@given(st.lists(values, max_size=5).map(tuple))
def test_any_record(value: tuple[Any, ...]) -> None:
    registry = builtin_registry()
    _, data = form(value)
    assert data is not None
    assert registry.get(RECORD).loads(data) == value
    array = wire([data, None], (2, 1), oid=RECORD)
    assert registry.get(RECORDS).loads(array) == [value, None]
