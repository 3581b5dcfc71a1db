"""Ranges and multiranges: the bytes of a server, and all that is taken for one."""

from __future__ import annotations

import datetime as dt
from datetime import UTC
from decimal import Decimal
from itertools import pairwise, product
from typing import Any

import pytest
from array_bytes import number, wire
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle
from range_bytes import multiranged, ranged

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.ranges import MultirangeArrayCodec, MultirangeCodec, RangeCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual import textual
from pgallop.values import Range

INT4RANGE, INT4MULTIRANGE = OIDS["int4range"], OIDS["int4multirange"]

DAY, NOON = dt.date(2024, 2, 29), dt.datetime(2024, 2, 29, 12)

# A text, and what a server's range of it is here.
VALUES: list[tuple[str, str, Range[Any]]] = [
    ("int4range", "[1,5)", Range(1, 5)),
    ("int4range", "(0,4]", Range(1, 5)),
    ("int4range", "empty", Range(empty=True)),
    ("int4range", "[5,5)", Range(empty=True)),
    ("int4range", "(5,6)", Range(empty=True)),
    ("int4range", "(,)", Range()),
    ("int4range", "[,5]", Range(None, 6)),
    ("int4range", "[-2147483648,]", Range(-(2**31), None)),
    ("int8range", "[-9223372036854775808,9223372036854775807)", Range(-(2**63), 2**63 - 1)),
    ("numrange", "[1.50,2]", Range(Decimal("1.50"), Decimal(2), upper_inc=True)),
    ("numrange", "(-1e50,1e50)", Range(Decimal(-(10**50)), Decimal(10**50), lower_inc=False)),
    ("numrange", "(1,)", Range(Decimal(1), None, lower_inc=False)),
    ("numrange", "[1,1]", Range(Decimal(1), Decimal(1), upper_inc=True)),
    ("numrange", "(1,1)", Range(empty=True)),
    ("daterange", "[2024-02-29,2024-02-29]", Range(DAY, dt.date(2024, 3, 1))),
    ("daterange", "(,2024-02-29)", Range(None, DAY)),
    (
        "tsrange",
        "(2024-02-29 12:00,2024-02-29 12:00:00.000001]",
        Range(NOON, NOON.replace(microsecond=1), lower_inc=False, upper_inc=True),
    ),
    ("tsrange", "[2024-02-29 12:00,)", Range(NOON, None)),
    (
        "tstzrange",
        "[2024-02-29 12:00+01,2024-02-29 12:00+00]",
        Range(NOON.replace(hour=11, tzinfo=UTC), NOON.replace(tzinfo=UTC), upper_inc=True),
    ),
    ("tstzrange", "(,2024-02-29 12:00Z)", Range(None, NOON.replace(tzinfo=UTC))),
]


def multi(name: str) -> str:
    return name.replace("range", "multirange")


def both_ways(codec: Codec, data: bytes | None, value: object) -> None:
    """The bytes are the value, to the last digit, and the value is the bytes."""
    assert data is not None
    read = codec.loads(data)
    assert (read, repr(read)) == (value, repr(value))
    assert codec.dumps(value) == data


# --- what a server sends --------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "text", "value"), VALUES)
def test_ranges(oracle: Oracle, registry: Registry, name: str, text: str, value: Any) -> None:
    codec = registry.get(OIDS[name])
    (data,) = oracle.binary(codec.oid, [text])
    both_ways(codec, data, value)
    (shown,) = oracle.text(codec.oid, [data])
    assert shown is not None
    assert repr(textual(codec).loads(shown.encode())) == repr(value)
    several = registry.get(ARRAYS[name])
    (data,) = oracle.binary(several.oid, [f'{{{{NULL,"{text}"}},{{"{text}",NULL}}}}'])
    both_ways(several, data, [[None, value], [value, None]])


@pytest.mark.parametrize(("name", "text", "value"), VALUES)
def test_multiranges(oracle: Oracle, registry: Registry, name: str, text: str, value: Any) -> None:
    if oracle.version < 14:
        pytest.skip("this server has no multiranges")
    codec = registry.get(OIDS[multi(name)])
    expected = [value] if value else []
    (data,) = oracle.binary(codec.oid, [f"{{{text}}}"])
    both_ways(codec, data, expected)
    several = registry.get(ARRAYS[multi(name)])
    texts = [f'{{NULL,"{{{text}}}"}}', f'{{{{"{{}}"}},{{"{{{text}}}"}}}}', '{"{}"}', "{}"]
    values = [[None, expected], [[[]], [expected]], [[]], []]
    binary = oracle.binary(several.oid, texts)
    for data, item, shown in zip(binary, values, oracle.text(several.oid, binary), strict=True):
        both_ways(several, data, item)
        assert shown is not None
        assert repr(textual(several).loads(shown.encode())) == repr(item)


def test_a_multirange_of_many(oracle: Oracle, registry: Registry) -> None:
    if oracle.version < 14:
        pytest.skip("this server has no multiranges")
    codec = registry.get(INT4MULTIRANGE)
    given = [Range(i, i + 1) for i in range(1000, 0, -3)] + [Range(empty=True), Range(2, 3)]
    (text,) = oracle.text(codec.oid, [codec.dumps(given)])
    (data,) = oracle.binary(codec.oid, [text])
    # In order, those that touch as one, without the empty one.
    kept = [Range(1, 3), *(Range(i, i + 1) for i in range(4, 1001, 3))]
    both_ways(codec, data, kept)


@pytest.mark.parametrize("name", ["daterange", "tsrange", "tstzrange"])
def test_an_infinite_bound_is_a_bound(oracle: Oracle, registry: Registry, name: str) -> None:
    codec = registry.get(OIDS[name])
    (data,) = oracle.binary(codec.oid, ["[-infinity,infinity]"])
    assert data is not None
    read = codec.loads(data)
    assert not read.lower_inf
    assert not read.upper_inf
    assert (read.lower_inc, read.upper_inc) == (True, True)
    assert codec.dumps(read) == data


def test_order_is_that_of_the_server(oracle: Oracle, registry: Registry) -> None:
    """And overlaps, subsets and what is in a range, where there is something between all bounds."""
    bounds = ["", "1", "2", "3"]
    texts = [
        f"{left}{lower},{upper}{right}"
        for lower, upper, left, right in product(bounds, bounds, "[(", "])")
        if not (lower and upper) or lower <= upper
    ]
    array = "{" + ",".join(f'"{text}"' for text in [*texts, "empty"]) + "}"
    codec = registry.get(ARRAYS["numrange"])
    (data,) = oracle.binary(codec.oid, [array])
    assert data is not None
    ranges = codec.loads(data)
    source = f"unnest('{array}'::numrange[]) WITH ORDINALITY"
    _, data = oracle.select(
        "ARRAY(SELECT (a < b)::int + 2 * (a = b)::int + 4 * (a && b)::int + 8 * (a @> b)::int"
        f" + 16 * (a @> 2.0)::int FROM {source} AS x(a, i), {source} AS y(b, j) ORDER BY i, j)"
    )
    expected = registry.get(ARRAYS["int4"]).loads(data)
    assert len(expected) == len(ranges) ** 2 > 2000
    for (a, b), answer in zip(product(ranges, ranges), expected, strict=True):
        found = [a < b, a == b, a.overlaps(b), a.issuperset(b), Decimal(2) in a]
        assert sum(flag << i for i, flag in enumerate(found)) == answer, (a, b)


# --- what is taken for a range --------------------------------------------------------------------

ONE_TO_FIVE = [number(1), number(5)]


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (Range(1, 5), ranged(2, *ONE_TO_FIVE)),
        (Range(1, 5, lower_inc=False, upper_inc=True), ranged(4, *ONE_TO_FIVE)),
        # That is the server's to refuse: it may have another order.
        (Range(5, 1), ranged(2, number(5), number(1))),
        # As in asyncpg, with both bounds.
        ((1, 5), ranged(6, *ONE_TO_FIVE)),
        ([1, 5], ranged(6, *ONE_TO_FIVE)),
        ((None, 5), ranged(12, number(5))),
        ((1, None), ranged(18, number(1))),
        ((1,), ranged(18, number(1))),
        ((None, None), ranged(24)),
        ((), ranged(1)),
        ([], ranged(1)),
    ],
)
def test_what_is_sent(registry: Registry, value: object, data: bytes) -> None:
    assert registry.get(INT4RANGE).dumps(value) == data
    assert registry.get(INT4MULTIRANGE).dumps([value]) == multiranged(data)
    assert registry.get(INT4MULTIRANGE).dumps((value, value)) == multiranged(data, data)
    if not isinstance(value, list):  # that is one level of an array
        several = registry.get(ARRAYS["int4range"])
        shape = (2, 1), (1, 1)
        assert several.dumps([value]) == wire([data], (1, 1), oid=INT4RANGE)
        assert several.dumps([[value], [None]]) == wire([data, None], *shape, oid=INT4RANGE)
    several = registry.get(ARRAYS["int4multirange"])
    expected = wire([multiranged(data, data), None], (2, 1), oid=INT4MULTIRANGE)
    assert several.dumps([(value, value), None]) == expected


class Mine(Range[int]):
    pass


def test_what_is_a_range_and_more(registry: Registry) -> None:
    assert registry.get(INT4RANGE).dumps(Mine(1, 5)) == ranged(2, *ONE_TO_FIVE)
    keyed = dict.fromkeys([Range(1, 5)])
    assert registry.get(INT4MULTIRANGE).dumps(keyed.keys()) == multiranged(ranged(2, *ONE_TO_FIVE))


CAST = "cast in SQL: $n::text::{}, or convert the str in Python"
NOT_A_RANGE = "expected Range, or a tuple or list of its bounds, got "


@pytest.mark.parametrize(
    ("name", "value", "place", "blamed", "reason", "hint"),
    [
        ("int4range", 5, "", "int4range", NOT_A_RANGE + "int", None),
        ("int4range", range(5), "", "int4range", NOT_A_RANGE + "range", None),
        ("int4range", "[1,5)", "", "int4range", NOT_A_RANGE + "str", CAST.format("int4range")),
        ("int4range", (1, 2, 3), "", "int4range", "has 3 items, and a range has two bo", None),
        ("int4range", Range("a", 5), ".lower", "int4", "expected int, got str", "int4range"),
        ("int4range", Range(5, 2**31), ".upper", "int4", "out of range for int4: ", None),
        ("int4range", (1, "b"), ".upper", "int4", "expected int, got str", "int4range"),
        ("int4range[]", [None, Range(1, 1.5)], "[1].upper", "int4", "expected int, got fl", None),
        (
            "int4range[]",
            [[Range("a", 5)]],
            "[0][0].lower",
            "int4",
            "expected int, got str",
            "cast in SQL: $n::text[]::int4range[], or",
        ),
        ("int4range[]", [[1, 5]], "[0][0]", "int4range", NOT_A_RANGE + "int", None),
        ("int4range[]", [(1, "b")], "[0].upper", "int4", "expected int, got str", "int4range[]"),
        ("int4multirange", Range(1, 2), "", "int4multirange", "expected list or another co", None),
        ("int4multirange", "{}", "", "int4multirange", "expected list or ", "::int4multirange"),
        ("int4multirange", (1, 5), "[0]", "int4range", NOT_A_RANGE + "int", None),
        ("int4multirange", [Range(), None], "[1]", "int4range", NOT_A_RANGE + "NoneType", None),
        (
            "int4multirange",
            [Range(), Range(1, "b")],
            "[1].upper",
            "int4",
            "expected int, got str",
            CAST.format("int4multirange"),
        ),
        (
            "int4multirange[]",
            [[Range()], [Range(1, 2), Range("a", 5)]],
            "[1][1].lower",
            "int4",
            "expected int, got str",
            "cast in SQL: $n::text[]::int4multirange[], or",
        ),
        ("int4multirange[]", [Range(1, 2)], "[0]", "int4multirange", "expected list or ", None),
        (
            "int4multirange[]",
            [[[Range()]], [[]] * 2],
            "[1]",
            "int4multirange[]",
            "has 2 items",
            None,
        ),
        (
            "tsrange",
            Range(NOON.replace(tzinfo=UTC), None),
            ".lower",
            "timestamp",
            "it has a UTC offset",
            "use timestamptz",
        ),
    ],
)
def test_what_is_not(
    registry: Registry,
    name: str,
    value: object,
    place: str,
    blamed: str,
    reason: str,
    hint: str | None,
) -> None:
    base = name.removesuffix("[]")
    codec = registry.get(OIDS[base] if base == name else ARRAYS[base])
    with pytest.raises(Unencodable) as caught:
        codec.dumps(value)
    error = caught.value
    assert (error.place, error.codec.name) == (place, blamed)
    assert error.reason.startswith(reason)
    if hint is None:
        assert error.hint is None
    else:
        assert error.hint is not None
        assert hint in error.hint


class Unsteady(list[Any]):
    """Does not have as many items as it says."""

    def __init__(self, length: int, *items: object) -> None:
        super().__init__(items)
        self.length = length

    def __len__(self) -> int:
        return self.length


@pytest.mark.parametrize("length", [0, 1, 3])
def test_a_container_that_does_not_keep_its_word(registry: Registry, length: int) -> None:
    given = Unsteady(length, Range(1, 2), Range(3, 4))
    with pytest.raises(Unencodable, match=f"more or fewer items than its length, {length}"):
        registry.get(INT4MULTIRANGE).dumps(given)


# --- any values -----------------------------------------------------------------------------------

ELEMENTS: dict[str, st.SearchStrategy[Any]] = {
    "int4range": st.integers(-(2**31), 2**31 - 2),
    "int8range": st.integers(-(2**63), 2**63 - 2),
    "numrange": st.decimals(allow_nan=False, allow_infinity=False, places=3),
    "daterange": st.dates(max_value=dt.date(9999, 12, 29)),
    "tsrange": st.datetimes(max_value=dt.datetime(9999, 12, 30)),
    "tstzrange": st.datetimes(max_value=dt.datetime(9999, 12, 30), timezones=st.just(UTC)),
}


def any_range(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[Range[Any]]:
    """In the right order, and the empty one."""

    def make(bounds: list[Any], missing: int, lower_inc: bool, upper_inc: bool) -> Range[Any]:
        lower, upper = sorted(bounds)
        return Range(
            None if missing & 1 else lower,
            None if missing & 2 else upper,
            lower_inc=lower_inc,
            upper_inc=upper_inc,
            empty=missing == 4,
        )

    pairs = st.lists(elements, min_size=2, max_size=2)
    return st.builds(make, pairs, st.integers(0, 4), st.booleans(), st.booleans())


@pytest.mark.parametrize("name", ELEMENTS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_range(oracle: Oracle, registry: Registry, name: str, data: st.DataObject) -> None:
    """The server takes it, and what it sends back is the same to its own eyes."""
    given = data.draw(st.lists(any_range(ELEMENTS[name]), min_size=1, max_size=20))
    codec = registry.get(OIDS[name])
    sent = [codec.dumps(value) for value in given]
    assert [codec.loads(item) for item in sent] == given
    texts = oracle.text(codec.oid, sent)
    canonical = oracle.binary(codec.oid, texts)
    read = [codec.loads(item) for item in canonical if item is not None]
    assert [codec.dumps(value) for value in read] == canonical
    for value, kept, text in zip(given, read, texts, strict=True):
        assert text is not None
        assert repr(textual(codec).loads(text.encode())) == repr(kept)
        if name in ("numrange", "tsrange", "tstzrange") and kept:
            assert value == kept
    several = registry.get(ARRAYS[name])
    array = [[*read, None]]
    assert several.loads(several.dumps(array)) == array
    (text,) = oracle.text(several.oid, [several.dumps(array)])
    assert text is not None
    assert textual(several).loads(text.encode()) == array


@pytest.mark.parametrize("name", ELEMENTS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_multirange(oracle: Oracle, registry: Registry, name: str, data: st.DataObject) -> None:
    if oracle.version < 14:
        pytest.skip("this server has no multiranges")
    ranges = st.lists(any_range(ELEMENTS[name]), max_size=5)
    given = data.draw(st.lists(ranges, min_size=1, max_size=10))
    codec = registry.get(OIDS[multi(name)])
    sent = [codec.dumps(value) for value in given]
    assert [codec.loads(item) for item in sent] == given
    texts = oracle.text(codec.oid, sent)
    read = [codec.loads(item) for item in oracle.binary(codec.oid, texts) if item is not None]
    for kept, text in zip(read, texts, strict=True):
        assert text is not None
        assert repr(textual(codec).loads(text.encode())) == repr(kept)
        # Whatever is kept has an order, and no two of them touch.
        assert kept == sorted(kept)
        assert not any(a.overlaps(b) for a, b in pairwise(kept))
    several = registry.get(ARRAYS[multi(name)])
    for array in (read, [read, [None] * len(read)]):
        assert several.loads(several.dumps(array)) == array
        (text,) = oracle.text(several.oid, [several.dumps(array)])
        assert text is not None
        assert textual(several).loads(text.encode()) == array


# --- types of the user ----------------------------------------------------------------------------

WORDS = RangeCodec(16385, "words", builtin_registry().get(OIDS["text"]))
WORD_SETS = MultirangeCodec(16386, "word_sets", WORDS)
WORD_SET_ARRAY = MultirangeArrayCodec(16387, "word_sets[]", WORD_SETS)
NESTED = RangeCodec(16388, "nested", WORDS)


@pytest.mark.parametrize(
    ("codec", "value", "text"),
    [
        (WORDS, Range("a", "b"), b"[a,b)"),
        (WORDS, Range("", "NULL", upper_inc=True), b'["",NULL]'),
        (WORDS, Range("a b", None, lower_inc=False), b'("a b",)'),
        (WORDS, Range('"', "\\"), rb'["""","\\")'),
        (WORDS, Range("(,)", "[]{}"), b'["(,)","[]{}")'),
        (WORDS, Range(None, "empty"), b"(,empty)"),
        (WORDS, Range("{}", "ü;"), "[{},ü;)".encode()),
        (WORD_SETS, [Range("a", '"}'), Range("}", None)], b'{[a,"""}"),[},)}'),
        (WORD_SETS, [Range("[a,b)", "a),(b")], b'{["[a,b)","a),(b")}'),
        (NESTED, Range(Range("a", "b"), Range("a", None)), b'["[a,b)","[a,)")'),
        (NESTED, Range(Range('"', None), Range(empty=True)), b'["[' + b'"' * 8 + b',)",empty)'),
    ],
)
def test_types_of_the_user(codec: Codec, value: object, text: bytes) -> None:
    assert codec.loads(codec.dumps(value)) == value
    reader = textual(codec)
    assert reader.format == 0
    assert repr(reader.loads(text)) == repr(value)


def test_arrays_of_their_multiranges() -> None:
    value = [[Range("a", "b")], None, []]
    assert WORD_SET_ARRAY.loads(WORD_SET_ARRAY.dumps(value)) == value
    assert textual(WORD_SET_ARRAY).loads(b'{"{[a,b)}",NULL,"{}"}') == value


def test_what_they_say_of_themselves(registry: Registry) -> None:
    codec = registry.get(INT4RANGE)
    assert isinstance(codec, RangeCodec)
    assert (codec.oid, codec.name, codec.format) == (3904, "int4range", 1)
    assert codec.element is registry.get(OIDS["int4"])
    several = registry.get(INT4MULTIRANGE)
    assert isinstance(several, MultirangeCodec)
    assert (several.oid, several.name, several.element) == (4451, "int4multirange", codec)
    # A range of numbers cannot refer to what refers to it; lists can, and ranges of lists.
    assert codec.atomic
    assert not several.atomic
    assert not RangeCodec(16390, "documents", registry.get(OIDS["json"])).atomic
