"""Codecs of enums, composites, domains and what is made of them, from what a catalogue tells."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from array_bytes import number, wire
from hypothesis import given
from hypothesis import strategies as st
from own_types import (
    INFOS,
    INT4,
    MOOD,
    MOODS,
    ODD,
    OUTER,
    PAIR,
    PAIRS,
    RIGHTS,
    SMALL,
    SMALLS,
    SPAN,
    TEXT_OID,
    TEXTS,
    VALUES,
    known,
)
from record_bytes import field, record

from pgallop.codecs._oids import OIDS
from pgallop.codecs.arrays import FixedWidthCodec
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import TEXT, Codec, TypesNeeded, Unencodable, Unresolved
from pgallop.codecs.introspection import (
    ARRAY,
    COMPOSITE,
    DOMAIN,
    ENUM,
    TypeInfo,
    Types,
)
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError
from pgallop.limits import MAX_TYPES
from pgallop.rows.record import Record
from pgallop.values import Box, Range


@pytest.fixture(scope="module")
def registry() -> Registry:
    return known()


@pytest.mark.parametrize(("oid", "value"), VALUES)
def test_there_and_back(registry: Registry, oid: int, value: Any) -> None:
    codec = registry.get(oid)
    assert codec.oid == oid
    assert codec.loads(codec.dumps(value)) == value


def test_what_is_on_the_wire(registry: Registry) -> None:
    pair = record((INT4, number(1)), (MOOD, b"sad"))
    assert registry.get(PAIR).dumps((1, "sad")) == pair
    assert registry.get(PAIRS).dumps([(1, "sad")]) == wire([pair], (1, 1), oid=PAIR)
    assert registry.get(SMALLS).dumps([5]) == wire([number(5)], (1, 1), oid=SMALL)
    outer = record((PAIR, pair), (PAIRS, None), (SMALL, number(7)))
    assert registry.get(OUTER).dumps(((1, "sad"), None, 7)) == outer
    found = registry.get(OUTER).loads(outer)
    assert repr(found) == "<Record p=<Record a=1 m='sad'> ps=None s=7>"
    assert type(found["p"]) is Record


def test_an_array_of_a_domain_is_as_quick_as_one_of_its_base_type(registry: Registry) -> None:
    assert isinstance(registry.get(SMALLS), FixedWidthCodec)


TAKEN: list[Any] = [
    (1, "sad"),
    [1, "sad"],
    {"a": 1, "m": "sad"},
    {"m": "sad", "a": 1},
]


@pytest.mark.parametrize("value", TAKEN)
def test_arguments(registry: Registry, value: Any) -> None:
    codec = registry.get(PAIR)
    assert codec.loads(codec.dumps(value)) == (1, "sad")
    again = codec.loads(codec.dumps(codec.loads(codec.dumps(value))))
    assert again == (1, "sad")


REFUSED: list[tuple[int, Any, str, str]] = [
    (PAIR, (1,), "", "has 1 items, and pair has 2 fields: a, m"),
    (PAIR, "ab", "", "expected tuple or list"),
    (PAIR, {"a": 1}, "", "has no field 'm'"),
    (PAIR, {"a": 1, "m": "x", "b": 2}, "", "pair has no field 'b'"),
    (PAIR, {1: 2}, "", "pair has no field 1"),
    (PAIR, ("x", "sad"), ".a", "expected int"),
    (PAIRS, [(1, "sad"), (1, 2)], "[1].m", "expected str"),
    (OUTER, ((1, 2), None, None), ".p.m", "expected str"),
    (OUTER, {"p": None, "ps": [{"a": "x", "m": ""}], "s": 1}, ".ps[0].a", "expected int"),
    (SPAN, Range((1, 2), None), ".lower.m", "expected str"),
    (MOOD, 5, "", "expected str"),
    (SMALLS, [2**31], "[0]", "out of range"),
]


@pytest.mark.parametrize(("oid", "value", "place", "words"), REFUSED)
def test_refused(registry: Registry, oid: int, value: Any, place: str, words: str) -> None:
    with pytest.raises(Unencodable) as told:
        registry.get(oid).dumps(value)
    assert told.value.place == place
    assert words in told.value.reason


@pytest.mark.parametrize("in_text", [False, True])
@pytest.mark.parametrize(("oid", "text", "value"), TEXTS)
def test_from_texts(oid: int, text: str, value: Any, in_text: bool) -> None:
    codec = textual(known(in_text=in_text).get(oid))
    assert codec.format == TEXT or codec.name == "mood"
    assert codec.loads(text.encode()) == value


def test_with_a_part_that_has_no_binary_form(registry: Registry) -> None:
    codec = registry.get(RIGHTS)
    assert codec.format == TEXT
    assert codec.in_binary() is None
    assert codec.parameter().dumps("(=r/x,)") == b"(=r/x,)"


@pytest.mark.parametrize(
    "text", ["", "(", "(1", "(1,sad", "1,sad)", "(1,sad))", "(x,sad)", "(1 ,)"]
)
def test_texts_of_no_composite(registry: Registry, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        textual(registry.get(PAIR)).loads(text.encode())


# --- what is not known, and what has changed ------------------------------------------------------


def test_unknown(registry: Registry) -> None:
    types = Types()
    registry = known()
    registry.source = types
    registry.forget_made()
    codec = registry.get(OUTER)
    assert isinstance(codec, Unresolved)
    with pytest.raises(TypesNeeded) as told:
        codec.loads(b"")
    assert told.value.oids == {OUTER}
    assert types.unknown([OUTER, INT4, 0], registry) == ({OUTER}, False)
    types.learn([OUTER], [info for info in INFOS if info.oid == OUTER])
    assert types.unknown([OUTER], registry) == ({PAIR, PAIRS, SMALL}, False)
    registry.forget_made()
    assert isinstance(registry.get(OUTER), Unresolved)
    types.learn([PAIR, PAIRS, SMALL], INFOS)
    registry.forget_made()
    assert types.unknown([OUTER], registry) == (set(), False)
    assert not isinstance(registry.get(OUTER), Unresolved)


def test_money_within(registry: Registry) -> None:
    info = TypeInfo(PAIR, "own", "pair", COMPOSITE, fields=(("m", OIDS["money"]),))
    registry = known(info)
    assert isinstance(registry.get(PAIR), Unresolved)
    assert isinstance(registry.source, Types)
    assert registry.source.unknown([PAIR], registry) == (set(), True)


def test_gone() -> None:
    """A type that the catalogue does not know is text, and so is what is made of it."""
    types = Types()
    types.learn([MOOD, MOODS], [TypeInfo(MOODS, "own", "_mood", ARRAY, MOOD)])
    registry = builtin_registry().copy()
    registry.source = types
    assert registry.get(MOOD).loads(b"sad") == "sad"
    assert registry.get(MOODS).loads(b"{sad,NULL}") == ["sad", None]


def test_doubt() -> None:
    types = Types()
    assert not types.learn([], INFOS)
    assert types.doubt([OUTER])
    assert not types.doubt([OUTER])
    registry = builtin_registry().copy()
    registry.source = types
    assert types.unknown([OUTER], registry) == ({OUTER}, False)
    assert isinstance(registry.get(PAIR), Unresolved)
    assert not isinstance(registry.get(ODD), Unresolved)
    assert not types.learn([OUTER], INFOS)
    assert types.learn([PAIR], [INFOS[3]._replace(fields=(("a", INT4),))])
    assert types.generation == 0
    types.forget_all()
    assert (len(types), types.generation) == (0, 1)


def test_there_may_be_so_many() -> None:
    types = Types()
    for start in range(0, MAX_TYPES + 2, 1000):
        types.learn(range(start, start + 1000), [])
        assert len(types) <= MAX_TYPES


def test_parts_that_are_shared() -> None:
    """Each type has one codec, however often it is part of others: 2^60 of them would not end."""
    infos = [
        TypeInfo(200_000 + i, "own", f"t{i}", COMPOSITE, fields=(("a", part), ("b", part)))
        for i in range(60)
        for part in [200_001 + i]
    ]
    registry = known(*infos)
    assert isinstance(registry.get(200_000), Unresolved)
    registry = known(*infos, TypeInfo(200_060, "own", "end", ENUM))
    assert not isinstance(registry.get(200_000), Unresolved)


ONE, TWO = (INT4, number(1)), (MOOD, b"sad")

CHANGED = [
    record(ONE),
    record(ONE, TWO, ONE),
    record(TWO, ONE),
    record(ONE, (TEXT_OID, b"sad")),
    record(count=-1),
    record(ONE, TWO, count=2**31 - 1),
]


@pytest.mark.parametrize("data", CHANGED)
def test_changed(registry: Registry, data: bytes) -> None:
    for oid, form in ((PAIR, data), (PAIRS, wire([data], (1, 1), oid=PAIR))):
        with pytest.raises(TypesNeeded) as told:
            registry.get(oid).loads(form)
        assert told.value.oids == {PAIR}


GOOD_PAIR = record(ONE, TWO)

ILLEGAL = [
    *[GOOD_PAIR[:i] for i in range(len(GOOD_PAIR))],
    GOOD_PAIR + b"\0",
    number(2) + field(INT4, number(1), 5) + field(MOOD, b"sad"),
    number(2) + field(INT4, number(1), 3) + field(MOOD, b"sad"),
    number(2) + field(INT4, number(1), -2) + field(MOOD, b"sad"),
    number(2) + field(INT4, number(1)) + field(MOOD, b"sad", 2**31 - 1),
    record((INT4, b"\0" * 5), TWO),
]


@pytest.mark.parametrize("data", ILLEGAL)
def test_illegal_forms_break_the_protocol(registry: Registry, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        registry.get(PAIR).loads(data)


@given(st.binary(max_size=60), st.sampled_from([oid for oid, _ in VALUES]))
def test_any_bytes_are_a_value_or_a_typed_error(data: bytes, oid: int) -> None:
    codec: Codec = known().get(oid)
    try:
        codec.loads(data)
    except (ProtocolError, ValueError, TypesNeeded):
        return


@given(st.data())
def test_mutated_values(data: st.DataObject) -> None:
    oid, value = data.draw(st.sampled_from(VALUES))
    codec = known().get(oid)
    form = bytearray(codec.dumps(value))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(0, len(form) - 4)))
        form[at : at + 4] = struct.pack("!i", data.draw(st.integers(-3, 2**31 - 1)))
    try:
        codec.loads(bytes(form))
    except (ProtocolError, ValueError, TypesNeeded):
        return


def test_a_field_that_python_cannot_hold(registry: Registry) -> None:
    with pytest.raises(ValueError, match="field 'm': 'utf-8'"):
        registry.get(PAIR).loads(record(ONE, (MOOD, b"\xff")))


def test_the_delimiter_of_a_domain() -> None:
    """An array of boxes has semicolons, and so has one of a domain over them."""
    frame, frames, inner = 200_000, 200_001, 200_002
    registry = known(
        TypeInfo(inner, "own", "inner", DOMAIN, OIDS["box"]),
        TypeInfo(frame, "own", "frame", DOMAIN, inner),
        TypeInfo(frames, "own", "_frame", ARRAY, frame, ";"),
    )
    found = textual(registry.get(frames)).loads(b"{(3,3),(1,2);(3,3),(1,2)}")
    assert found == [Box((3, 3), (1, 2))] * 2
