"""Cube."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy
import pytest

import pgallop
from pgallop import Cube

CUBES = [Cube([]), Cube([1]), Cube([1, 2], [3, -0.5])]


class Own(Cube):
    """A subclass."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        ((), None, "Cube(())"),
        ([1], None, "Cube((1.0,))"),
        ((1, 2), (1, 2), "Cube((1.0, 2.0))"),
        ((1, True), (Decimal("0.5"), "3"), "Cube((1.0, 1.0), (0.5, 3.0))"),
        (numpy.array([1, 2]), iter([3, 4]), "Cube((1.0, 2.0), (3.0, 4.0))"),
    ],
)
def test_what_one_is_made_of(low: Any, high: Any, shown: str) -> None:
    cube = Cube(low, high)
    assert repr(cube) == shown
    assert eval(shown) == cube
    assert all(type(number) is float for number in cube.low + cube.high)


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match="the corners of a cube have 1 and 2 coordinates"):
        Cube([1], [1, 2])
    for wrong in (5, [None], [[1]], None):
        with pytest.raises(TypeError):
            Cube(wrong)  # type: ignore[arg-type]


def test_what_it_tells() -> None:
    box = Cube((1, 2, 3), (4, 5, 6))
    assert (box.low, box.high) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    assert (box.dimensions, box.is_point) == (3, False)
    assert Cube((1, 2)).is_point
    match box:
        case Cube(low, high):
            assert (low, high) == (box.low, box.high)


def test_equality_is_that_of_the_corners() -> None:
    assert Cube([1, 2]) == Cube([1, 2], [1, 2]) == Own([1, 2])
    assert hash(Cube([1, 2])) == hash(Own([1, 2], [1, 2]))
    assert Cube([1], [2]) != Cube([2], [1])
    assert Cube([1]) != (1.0,)
    assert len({*CUBES, *CUBES}) == 3


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda cube: pickle.loads(pickle.dumps(cube))]
)
def test_copies(again: Callable[[Any], Any]) -> None:
    for cube in (*CUBES, Own([1], [2])):
        twin = again(cube)
        assert twin == cube
        assert type(twin) is type(cube)


def test_it_cannot_be_changed() -> None:
    cube = Cube([1])
    with pytest.raises(AttributeError, match="Cube is immutable"):
        cube.low = (2.0,)
    with pytest.raises(AttributeError, match="Cube is immutable"):
        del cube.low
    with pytest.raises(AttributeError):
        cube.other = 1


def test_its_public_names() -> None:
    assert pgallop.Cube is pgallop.types.Cube is pgallop.values.Cube is Cube
