"""SparseVector."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgallop
from pgallop import SparseVector

VECTORS = [SparseVector([]), SparseVector([0, 1.5]), SparseVector({7: -2}, 10**9)]


class Own(SparseVector):
    """A subclass."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (([],), "SparseVector({}, 0)"),
        (([0, 0],), "SparseVector({}, 2)"),
        (([0, 1.5, 0, -2],), "SparseVector({1: 1.5, 3: -2.0}, 4)"),
        ((iter([1]),), "SparseVector({0: 1.0}, 1)"),
        ((numpy.array([0, 0.5], dtype="f4"),), "SparseVector({1: 0.5}, 2)"),
        (({}, 3), "SparseVector({}, 3)"),
        (({2: 1, 0: True}, 3), "SparseVector({0: 1.0, 2: 1.0}, 3)"),
        (({1: 0.0, 2: -0.0}, 3), "SparseVector({}, 3)"),
        (({numpy.int64(1): numpy.float32(0.5)}, numpy.int64(3)), "SparseVector({1: 0.5}, 3)"),
    ],
)
def test_what_one_is_made_of(arguments: Any, shown: str) -> None:
    vector = SparseVector(*arguments)
    assert repr(vector) == shown
    assert eval(shown) == vector
    assert all(type(index) is int for index in vector.indices)
    assert all(type(number) is float for number in vector.values)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (({0: 1},), ValueError, "dimensions is missing"),
        (([1], 1), ValueError, "dimensions is given, and all the numbers, too"),
        (({}, -1), ValueError, "dimensions must not be negative: -1"),
        (({3: 1}, 3), ValueError, "the index 3 is out of range: there are 3 dimensions"),
        (({-1: 1}, 3), ValueError, "the index -1 is out of range"),
        (({0: 0}, 0), ValueError, "the index 0 is out of range"),
        (({1.0: 1}, 3), TypeError, "cannot be interpreted as an integer"),
        (({1: 1}, 3.0), TypeError, "cannot be interpreted as an integer"),
        (({1: None}, 3), TypeError, "NoneType"),
        ((5,), TypeError, "not iterable"),
    ],
)
def test_what_is_refused(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        SparseVector(*arguments)


@given(st.lists(st.sampled_from([0, 0.0, -1, 2.5]), max_size=20))
def test_all_numbers_one_by_one(numbers: list[float]) -> None:
    vector = SparseVector(numbers)
    assert vector.to_list() == numbers
    assert len(vector.to_list()) == vector.dimensions
    assert vector == SparseVector(vector.to_dict(), len(numbers))
    assert vector.to_dict() == {i: number for i, number in enumerate(numbers) if number}
    assert vector.indices == tuple(sorted(vector.indices))


def test_equality() -> None:
    assert SparseVector([0, 1]) == SparseVector({1: 1}, 2) == Own([0, 1])
    assert hash(SparseVector([0, 1])) == hash(Own({1: 1}, 2))
    assert SparseVector([0, 1]) != SparseVector({1: 1}, 3)
    assert SparseVector([0, 1]) != SparseVector([1, 0])
    assert SparseVector([1]) != [1.0]
    assert len({*VECTORS, *VECTORS}) == 3


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda vector: pickle.loads(pickle.dumps(vector))]
)
def test_copies(again: Callable[[Any], Any]) -> None:
    for vector in (*VECTORS, Own([0, 1])):
        twin = again(vector)
        assert twin == vector
        assert type(twin) is type(vector)


def test_it_cannot_be_changed() -> None:
    vector = SparseVector([1])
    with pytest.raises(AttributeError, match="SparseVector is immutable"):
        vector.values = (2.0,)
    with pytest.raises(AttributeError, match="SparseVector is immutable"):
        del vector.values


def test_its_public_names() -> None:
    assert pgallop.SparseVector is pgallop.types.SparseVector is pgallop.values.SparseVector
