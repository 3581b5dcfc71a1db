"""`Range`, the class: as asyncpg's where that has the same, as the server where it has not."""

from __future__ import annotations

import copy
import itertools
import pickle
from datetime import date
from typing import Any

import asyncpg
import pytest

import pgallop
from pgallop.values import Range

BOUNDS = [None, 1, 2, 3]
ARGUMENTS: list[tuple[Any, Any, dict[str, bool]]] = [
    *(
        (lower, upper, {"lower_inc": lower_inc, "upper_inc": upper_inc})
        for lower, upper in itertools.product(BOUNDS, BOUNDS)
        for lower_inc, upper_inc in itertools.product([True, False], [True, False])
    ),
    *((lower, upper, {}) for lower, upper in itertools.product(BOUNDS, BOUNDS)),
    (None, None, {"empty": True}),
    (1, 2, {"empty": True, "upper_inc": True}),
]
OURS = [Range(lower, upper, **flags) for lower, upper, flags in ARGUMENTS]
THEIRS = [asyncpg.Range(lower, upper, **flags) for lower, upper, flags in ARGUMENTS]

ATTRIBUTES = ["lower", "upper", "lower_inc", "upper_inc", "lower_inf", "upper_inf", "isempty"]


def test_where_it_is() -> None:
    assert pgallop.Range is pgallop.types.Range is Range


@pytest.mark.parametrize(("ours", "theirs"), list(zip(OURS, THEIRS, strict=True)))
def test_attributes_are_those_of_asyncpg(ours: Range[int], theirs: asyncpg.Range[int]) -> None:
    for name in ATTRIBUTES:
        assert getattr(ours, name) is getattr(theirs, name)
    assert bool(ours) is bool(theirs)
    assert repr(ours) == repr(theirs)
    assert str(ours) == str(theirs)


def test_two_ranges_are_what_they_are_in_asyncpg() -> None:
    both = list(zip(OURS, THEIRS, strict=True))
    for (ours, theirs), (our_other, their_other) in itertools.product(both, both):
        assert (ours == our_other) is (theirs == their_other)
        assert (ours != our_other) is (theirs != their_other)
        assert ours.issubset(our_other) is theirs.issubset(their_other)
        assert ours.issuperset(our_other) is theirs.issuperset(their_other)
        if ours == our_other:
            assert hash(ours) == hash(our_other)


def test_order_is_one() -> None:
    for one, other in itertools.product(OURS, OURS):
        assert (one < other) is (other > one)
        assert (one <= other) is (other >= one)
        assert (one < other) is not (one >= other)
        assert (one <= other) is (one < other or one == other)
        for third in OURS[::5]:
            assert not (one <= other <= third) or one <= third


ORDERED = [
    Range(empty=True),
    Range(None, 1),
    Range(None, 1, upper_inc=True),
    Range(),
    Range(1, 2),
    Range(1, 2, upper_inc=True),
    Range(1, 3),
    Range(1, None),
    Range(1, 2, lower_inc=False),
    Range(1, None, lower_inc=False),
    Range(2, 3),
]


def test_ranges_are_sorted() -> None:
    assert sorted([*ORDERED[5:], *ORDERED[4::-1]]) == ORDERED
    assert max(ORDERED) == Range(2, 3)


@pytest.mark.parametrize(
    ("given", "inside", "outside"),
    [
        (Range(1, 3), [1, 2, 2.999], [0, 3, 0.999]),
        (Range(1, 3, lower_inc=False, upper_inc=True), [1.001, 2, 3], [1, 3.001]),
        (Range(1, 1, upper_inc=True), [1], [0, 2]),
        (Range(1, 1), [], [0, 1, 2]),
        (Range(3, 1, upper_inc=True), [], [0, 1, 2, 3]),
        (Range(None, 3), [-(10**20), 2], [3, 4]),
        (Range(1, None), [1, 10**20, float("inf")], [0, float("-inf")]),
        (Range(), [0, "text", date.min], []),
        (Range(empty=True), [], [0, "text"]),
        (Range(date(2024, 1, 1), date(2024, 2, 1)), [date(2024, 1, 31)], [date(2024, 2, 1)]),
        (Range("a", "b"), ["a", "abc"], ["b", ""]),
        (Range(1, 3), [], [float("nan")]),
    ],
)
def test_what_is_in_a_range(given: Range[Any], inside: list[Any], outside: list[Any]) -> None:
    assert [value for value in inside if value not in given] == []
    assert [value for value in outside if value in given] == []


@pytest.mark.parametrize("given", [Range(1, 3), Range(), Range(empty=True)])
@pytest.mark.parametrize("value", [None, Range(1, 2)])
def test_what_cannot_be_in_a_range(given: Range[int], value: object) -> None:
    with pytest.raises(TypeError, match=r"a range has values in it, not (None|Range)"):
        print(value in given)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        (Range(1, 3), Range(2, 4), True),
        (Range(1, 3), Range(3, 4), False),
        (Range(1, 3, upper_inc=True), Range(3, 4), True),
        (Range(1, 3, upper_inc=True), Range(3, 4, lower_inc=False), False),
        (Range(1, 3), Range(3, 4, lower_inc=False), False),
        (Range(1, 9), Range(3, 4), True),
        (Range(None, 3), Range(2, None), True),
        (Range(None, 2), Range(2, None), False),
        (Range(None, 2), Range(None, 1), True),
        (Range(2, None), Range(1, None), True),
        (Range(), Range(), True),
        (Range(), Range(1, 2), True),
        (Range(empty=True), Range(), False),
        (Range(empty=True), Range(empty=True), False),
        # Without a value in it, though it does not say so.
        (Range(1, 1), Range(), False),
        (Range(3, 1), Range(), False),
        (Range(1, 1), Range(0, 5), False),
        (Range(1, 1), Range(1, 1), False),
    ],
)
def test_overlaps(one: Range[int], other: Range[int], overlap: bool) -> None:
    assert one.overlaps(other) is overlap
    assert other.overlaps(one) is overlap


def test_ranges_of_what_cannot_be_compared() -> None:
    text, number = Range("a", "b"), Range(1, 2)
    assert text != number
    assert hash(text) != hash(number)
    with pytest.raises(TypeError):
        print(text < number)
    with pytest.raises(TypeError):
        print(1 in text)
    with pytest.raises(TypeError):
        text.overlaps(number)
    with pytest.raises(TypeError):
        text.issubset(number)
    with pytest.raises(TypeError):
        hash(Range([1], [2]))


@pytest.mark.parametrize("other", [None, 1, (1, 2), [1, 2], "[1,2)", asyncpg.Range(1, 2), range(2)])
def test_other_types_are_not_equal(other: Any) -> None:
    assert Range(1, 2) != other
    for operator in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__"):
        assert getattr(Range(1, 2), operator)(other) is NotImplemented


@pytest.mark.parametrize("name", [*ATTRIBUTES, "bounds"])
def test_it_cannot_be_changed(name: str) -> None:
    given = Range(1, 2)
    with pytest.raises(AttributeError):
        setattr(given, name, 5)
    with pytest.raises(AttributeError):
        delattr(given, name)
    assert given == Range(1, 2)


@pytest.mark.parametrize("given", ORDERED)
def test_copies(given: Range[int]) -> None:
    protocols = range(2, pickle.HIGHEST_PROTOCOL + 1)
    twins = [pickle.loads(pickle.dumps(given, protocol)) for protocol in protocols]
    for twin in [copy.copy(given), copy.deepcopy(given), *twins]:
        assert type(twin) is Range
        assert (twin, repr(twin), hash(twin)) == (given, repr(given), hash(given))


class Week(Range[date]):
    """Of somebody else: with an attribute of its own."""

    def __init__(self, lower: date, number: int) -> None:
        super().__init__(lower, date.fromordinal(lower.toordinal() + 7))
        self.number = number


def test_a_class_of_ones_own() -> None:
    week = Week(date(2024, 1, 1), 1)
    assert week == Range(date(2024, 1, 1), date(2024, 1, 8)) == week
    assert hash(week) == hash(Range(date(2024, 1, 1), date(2024, 1, 8)))
    assert date(2024, 1, 7) in week
    assert repr(week).startswith("<Week [datetime.date(2024, 1, 1), ")
    twin = pickle.loads(pickle.dumps(week))
    assert (type(twin), twin, twin.number) == (Week, week, 1)


def test_matching() -> None:
    match Range(1, 5):
        case Range(lower, 5, lower_inc=True, upper_inc=False, isempty=False):
            assert lower == 1
        case _:
            raise AssertionError


def test_it_is_generic() -> None:
    given: Range[int] = Range[int](1, 5)
    assert type(given) is Range
    assert given == Range(1, 5)
