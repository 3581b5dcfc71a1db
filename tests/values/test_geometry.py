"""Point, Line, LineSegment, Box, Path, Polygon and Circle."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import asyncpg
import pytest

import pgallop
from pgallop import Box, Circle, Line, LineSegment, Path, Point, Polygon

VALUES: list[Any] = [
    Point(1, -2.5),
    Line(1, 2, 3),
    LineSegment((1, 2), (3, 4)),
    Box((3, 4), (1, 2)),
    Circle((1, 2), 3),
    Path((1, 2), (3, 4)),
    Path((1, 2), (3, 4), is_closed=True),
    Path(),
    Polygon((1, 2), (3, 4), (5, 6)),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_copies(value: Any) -> None:
    for same in (
        copy.copy(value),
        copy.deepcopy(value),
        eval(repr(value)),
        *[pickle.loads(pickle.dumps(value, protocol)) for protocol in range(6)],
    ):
        assert type(same) is type(value)
        assert same == value
        assert hash(same) == hash(value)
        assert repr(same) == repr(value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Point(1, -2.5), "Point(1.0, -2.5)"),
        (Line(1, 2, 3), "Line(1.0, 2.0, 3.0)"),
        (LineSegment((1, 2), (3, 4)), "LineSegment(Point(1.0, 2.0), Point(3.0, 4.0))"),
        (Box((3, 4), (1, 2)), "Box(Point(3.0, 4.0), Point(1.0, 2.0))"),
        (Circle((1, 2), 3), "Circle(Point(1.0, 2.0), 3.0)"),
        (Path((1, 2)), "Path(Point(1.0, 2.0), is_closed=False)"),
        (Path(is_closed=True), "Path(is_closed=True)"),
        (Polygon((1, 2), (3, 4)), "Polygon(Point(1.0, 2.0), Point(3.0, 4.0))"),
    ],
)
def test_they_are_shown_as_they_are_made(value: object, words: str) -> None:
    assert repr(value) == words


def attributes(module: Any) -> list[Any]:
    """What asyncpg's users do with them."""
    point = module.Point(1, "2")
    line = module.Line(1.0, 2.0, 3.0)
    segment = module.LineSegment((1, 2), [3, 4])
    box = module.Box((3, 4), (1, 2))
    path = module.Path((1, 2), (3, 4))
    closed = module.Path((1, 2), (3, 4), is_closed=True)
    polygon = module.Polygon((1, 2), (3, 4))
    circle = module.Circle((1.0, 2.0), 3.0)
    return [
        *(point, point.x, point.y, point[0], tuple(point), list(point), len(point)),
        *(point == (1, 2), point == module.Point(1.0, 2.0), hash(point) == hash((1.0, 2.0))),
        *(line, line.A, line.B, line.C, segment, segment.p1, segment.p2, segment.p2.x),
        *(box, box.high, box.low, box.low.y, circle, circle.center, circle.radius),
        *(path.points, path.is_closed, list(path), len(path), path[0], path[-1], path[:1]),
        *((1, 2) in path, (5, 6) in path, closed.is_closed, polygon.is_closed, polygon.points),
        *(path == closed, closed == polygon, polygon == closed, path == path.points),
        *(hash(closed) == hash(polygon), {closed: 1}[polygon], bool(module.Path())),
        *(issubclass(module.Polygon, module.Path), isinstance(point, tuple)),
    ]


def test_they_are_asyncpgs() -> None:
    assert attributes(pgallop) == attributes(asyncpg)
    assert attributes(pgallop.types) == attributes(asyncpg.types)


def test_all_numbers_are_floats() -> None:
    """asyncpg leaves them as they are in a Line and a Circle."""
    for value in VALUES:
        for item in value:
            for number in item if isinstance(item, tuple) else [item]:
                assert type(number) is float
    assert type(Circle((1, 2), 3).center) is Point


@pytest.mark.parametrize(
    "make",
    [
        lambda: Point(1, None),  # type: ignore[arg-type]
        lambda: Point("x", 1),
        lambda: Point(1),  # type: ignore[call-arg]
        lambda: LineSegment((1, 2), (3,)),
        lambda: Box((1, 2), (3, 4, 5)),
        lambda: Circle(1, 2),  # type: ignore[arg-type]
        lambda: Circle((1, 2), "r"),
        lambda: Path((1, 2), 3),  # type: ignore[arg-type]
        lambda: Polygon((1, 2), is_closed=False),  # type: ignore[call-arg]
    ],
)
def test_what_is_none_of_them(make: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        make()


def test_a_path_cannot_be_changed() -> None:
    path: Any
    for path in (Path((1, 2)), Polygon((1, 2))):
        for name in ("points", "is_closed", "other"):
            with pytest.raises(AttributeError, match=f"{type(path).__name__} is immutable"):
                setattr(path, name, ())
            with pytest.raises(AttributeError, match="is immutable"):
                delattr(path, name)
        assert path.points == ((1, 2),)


def test_the_tuples_have_no_more_attributes() -> None:
    for value in VALUES[:5]:
        with pytest.raises(AttributeError):
            value.other = 1


def test_patterns() -> None:
    match Circle((1, 2), 3):
        case Circle(Point(x, y), radius):
            assert (x, y, radius) == (1, 2, 3)
    match Box((3, 4), (1, 2)), Line(1, 2, 3), LineSegment((1, 2), (3, 4)):
        case Box(high, Point(left, _)), Line(a, b, c), LineSegment(begin, _):
            assert (high, left, a, b, c, begin) == ((3, 4), 1, 1, 2, 3, (1, 2))


class Place(Point):
    """A subclass."""


def test_subclasses() -> None:
    place = pickle.loads(pickle.dumps(Place(1, 2)))
    assert type(place) is Place
    assert repr(place) == "Place(1.0, 2.0)"
