"""point, line, lseg, box, path, polygon and circle."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from struct import pack
from typing import Any, NamedTuple

import numpy
import psycopg
import pytest
from array_bytes import wire
from hypothesis import given, settings
from hypothesis import strategies as st
from leaks import assert_nothing_leaks
from oracle import Oracle

from pgallop import Box, Circle, Line, LineSegment, Path, Point, Polygon
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry

NAN, INFINITY = math.nan, math.inf

CLASSES: dict[str, type] = {
    "point": Point,
    "line": Line,
    "lseg": LineSegment,
    "box": Box,
    "path": Path,
    "polygon": Polygon,
    "circle": Circle,
}

# A NaN has a sign and more bits that no text form has.
floats = st.floats().map(lambda number: NAN if math.isnan(number) else number)
points = st.builds(Point, floats, floats)
some_points = st.lists(points, min_size=1, max_size=5)
FIGURES: dict[str, st.SearchStrategy[Any]] = {
    "point": points,
    # The server refuses A and B that are almost 0.
    "line": st.builds(Line, floats.filter(lambda number: not abs(number) < 1e-3), floats, floats),
    "lseg": st.builds(LineSegment, points, points),
    "box": st.builds(Box, points, points),
    "path": st.builds(
        lambda each, closed: Path(*each, is_closed=closed), some_points, st.booleans()
    ),
    "polygon": st.builds(lambda each: Polygon(*each), some_points),
    "circle": st.builds(Circle, points, floats.filter(lambda number: not number < 0)),
}


class XY(NamedTuple):
    """A tuple of somebody's."""

    x: float
    y: float


class Items:
    """A sequence that is neither a tuple nor a list."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        return self._items[index]

    def __iter__(self) -> Any:
        return iter(self._items)


def floats_of(*numbers: float) -> bytes:
    return pack(f"!{len(numbers)}d", *numbers)


def reordered(box: Box) -> Box:
    """As box_recv in the server's geo_ops.c orders the corners: NaN is above all other numbers."""
    (x1, y1), (x2, y2) = box
    (x1, x2), (y1, y2) = (
        (low, high) if low < high or (math.isnan(high) and not math.isnan(low)) else (high, low)
        for high, low in ((x1, x2), (y1, y2))
    )
    return Box((x2, y2), (x1, y1))


@pytest.fixture(scope="module")
def exact(dsn: str) -> Iterator[Oracle]:
    """Before PostgreSQL 12 floats were rounded in text."""
    with psycopg.connect(dsn, autocommit=True, options="-c extra_float_digits=3") as connection:
        yield Oracle(connection)


def codec_of(name: str) -> Codec:
    return builtin_registry().get(OIDS[name])


@pytest.mark.parametrize("name", FIGURES)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_the_server_reads_and_writes_the_same(
    exact: Oracle, name: str, data: st.DataObject
) -> None:
    values = data.draw(st.lists(FIGURES[name], min_size=1, max_size=30))
    codec = codec_of(name)
    texts = exact.text(codec.oid, [codec.dumps(value) for value in values])
    for value, kept in zip(values, exact.binary(codec.oid, texts), strict=True):
        assert kept is not None
        read = codec.loads(kept)
        assert type(read) is CLASSES[name]
        if name == "box":
            # Which of two equal numbers is the larger one cannot be told, so of -0 and 0 either.
            if exact.version >= 12 or not any(map(math.isnan, (*value[0], *value[1]))):
                assert repr(read).replace("-0.0", "0.0") == repr(reordered(value)).replace(
                    "-0.0", "0.0"
                )
        else:
            assert repr(read) == repr(value)
            assert codec.dumps(value) == codec.dumps(read) == kept


@pytest.mark.parametrize("name", FIGURES)
@settings(max_examples=50)
@given(data=st.data())
def test_what_is_written_is_read(name: str, data: st.DataObject) -> None:
    """The corners of a box, too, are as they were."""
    codec = codec_of(name)
    value = data.draw(FIGURES[name])
    assert repr(codec.loads(codec.dumps(value))) == repr(value)
    several = builtin_registry().get(ARRAYS[name])
    for values in ([value, None], [[value], [None], [value]]):
        assert repr(several.loads(several.dumps(values))) == repr(values)


@pytest.mark.parametrize(
    ("name", "value", "data"),
    [
        ("point", Point(1, -0.0), floats_of(1, -0.0)),
        ("point", (1, 2), floats_of(1, 2)),
        ("point", [NAN, -INFINITY], floats_of(NAN, -INFINITY)),
        ("point", (Decimal("1.5"), True), floats_of(1.5, 1)),
        ("point", XY(1, 2), floats_of(1, 2)),
        ("point", Items(1, 2), floats_of(1, 2)),
        ("point", numpy.array([1.0, 2.0]), floats_of(1, 2)),
        ("point", numpy.array([1, 2]), floats_of(1, 2)),
        ("line", Line(1, 2, 3), floats_of(1, 2, 3)),
        ("line", (1, 2, 3), floats_of(1, 2, 3)),
        ("lseg", LineSegment((1, 2), (3, 4)), floats_of(1, 2, 3, 4)),
        ("lseg", ((1, 2), [3, 4]), floats_of(1, 2, 3, 4)),
        ("lseg", [XY(1, 2), Items(3, 4)], floats_of(1, 2, 3, 4)),
        ("box", Box((3, 4), (1, 2)), floats_of(3, 4, 1, 2)),
        ("box", ((1, 2), (3, 4)), floats_of(1, 2, 3, 4)),
        ("circle", Circle((1, 2), 3), floats_of(1, 2, 3)),
        ("circle", ((1, 2), 0), floats_of(1, 2, 0)),
        ("circle", (Point(1, 2), NAN), floats_of(1, 2, NAN)),
        ("path", Path((1, 2), (3, 4)), b"\0\0\0\0\2" + floats_of(1, 2, 3, 4)),
        ("path", Path((1, 2), is_closed=True), b"\1\0\0\0\1" + floats_of(1, 2)),
        ("path", Polygon((1, 2)), b"\1\0\0\0\1" + floats_of(1, 2)),
        ("path", ((1, 2), (3, 4)), b"\1\0\0\0\2" + floats_of(1, 2, 3, 4)),
        ("path", [(1, 2), (3, 4)], b"\0\0\0\0\2" + floats_of(1, 2, 3, 4)),
        ("polygon", Polygon((1, 2)), b"\0\0\0\1" + floats_of(1, 2)),
        ("polygon", Path((1, 2), is_closed=True), b"\0\0\0\1" + floats_of(1, 2)),
        ("polygon", [(1, 2), XY(3, 4)], b"\0\0\0\2" + floats_of(1, 2, 3, 4)),
        ("polygon", numpy.array([[1, 2], [3, 4]]), b"\0\0\0\2" + floats_of(1, 2, 3, 4)),
    ],
)
def test_what_is_taken(name: str, value: object, data: bytes) -> None:
    assert codec_of(name).dumps(value) == data


@pytest.mark.parametrize(
    ("name", "value", "place", "reason"),
    [
        ("point", 5, "", "expected Point, or another sequence of two numbers, got int"),
        ("point", None, "", "expected Point, or another sequence of two numbers, got NoneType"),
        ("point", 1 + 2j, "", "expected Point, or another sequence of two numbers, got complex"),
        ("point", {1, 2}, "", "expected Point, or another sequence of two numbers, got set"),
        ("point", {0: 1, 1: 2}, "", "expected Point, or another sequence of two numbers, got dict"),
        ("point", b"ab", "", "expected Point, or another sequence of two numbers, got bytes"),
        ("point", (), "", "has 0 items, expected Point, or another sequence of two numbers"),
        ("point", (1, 2, 3), "", "has 3 items, expected Point, or another sequence of two numbers"),
        ("point", Items(1), "", "has 1 items, expected Point, or another sequence of two numbers"),
        ("point", (1, "2"), "[1]", "expected float or int, got str"),
        ("point", (None, 2), "[0]", "expected float or int, got NoneType"),
        ("point", (10**400, 2), "[0]", "too large for float8"),
        ("line", (1, 2), "", "has 2 items, expected Line, or another sequence of three numbers"),
        ("line", (1, 2, [3]), "[2]", "expected float or int, got list"),
        ("lseg", ((1, 2), 3), "[1]", "expected Point, or another sequence of two numbers, got int"),
        ("lseg", ((1, 2), (3, "4")), "[1][1]", "expected float or int, got str"),
        (
            "lseg",
            ((1, 2), "34"),
            "[1]",
            "expected Point, or another sequence of two numbers, got str",
        ),
        ("box", (1, 2), "[0]", "expected Point, or another sequence of two numbers, got int"),
        (
            "box",
            [(1, 2)] * 3,
            "",
            "has 3 items, expected Box, or another tuple or list of two points",
        ),
        ("circle", (1, 2), "[0]", "expected Point, or another sequence of two numbers, got int"),
        ("circle", ((1, 2), -1e-300), "", "has a negative radius, which PostgreSQL does not take"),
        ("circle", ((1, 2), "r"), "[1]", "expected float or int, got str"),
        ("circle", ((1, []), 1), "[0][1]", "expected float or int, got list"),
        ("path", (), "", "PostgreSQL has no path without points"),
        ("path", Path(), "", "PostgreSQL has no path without points"),
        (
            "path",
            Point(1, 2),
            "[0]",
            "expected Point, or another sequence of two numbers, got float",
        ),
        (
            "path",
            Items((1, 2)),
            "",
            "expected Path, or a tuple (closed) or list (open) of points, got Items",
        ),
        ("path", [(1, 2), (3, {})], "[1][1]", "expected float or int, got dict"),
        ("polygon", [], "", "PostgreSQL has no polygon without points"),
        ("polygon", Polygon(), "", "PostgreSQL has no polygon without points"),
        ("polygon", Path((1, 2)), "", "an open path, and a polygon is closed"),
        ("polygon", 5, "", "expected Polygon, or another sequence of points, got int"),
        ("polygon", {(1, 2)}, "", "expected Polygon, or another sequence of points, got set"),
    ],
)
def test_what_is_refused(name: str, value: object, place: str, reason: str) -> None:
    codec = codec_of(name)
    with pytest.raises(Unencodable) as caught:
        codec.dumps(value)
    assert (caught.value.place, caught.value.reason) == (place, reason)
    assert caught.value.codec is codec
    assert caught.value.hint is None


@pytest.mark.parametrize("name", FIGURES)
def test_text_is_refused_with_a_way_out(name: str) -> None:
    with pytest.raises(Unencodable, match="got str") as caught:
        codec_of(name).dumps("(1,2)")
    assert caught.value.hint == f"cast in SQL: $n::text::{name}, or convert the str in Python"


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "count", "shape"),
    [
        ("point", [(1, 2), Point(3, 4), None], 3, [(3, 1)]),
        ("point", ((1, 2), (3, 4)), 2, [(2, 1)]),
        ("point", [[(1, 2)], [(3, 4)]], 2, [(2, 1), (1, 1)]),
        ("point", numpy.array([[1, 2], [3, 4], [5, 6]]), 3, [(3, 1)]),
        ("line", [(1, 2, 3)], 1, [(1, 1)]),
        ("lseg", [((1, 2), (3, 4))], 1, [(1, 1)]),
        ("box", [[Box((1, 2), (3, 4)), ((1, 2), (3, 4))]], 2, [(1, 1), (2, 1)]),
        ("path", [Path((1, 2)), ((1, 2), (3, 4))], 2, [(2, 1)]),
        ("path", [[Polygon((1, 2))]], 1, [(1, 1), (1, 1)]),
        ("polygon", [Polygon((1, 2)), ((1, 2), (3, 4))], 2, [(2, 1)]),
        ("circle", [Circle((1, 2), 3), ((1, 2), 3)], 2, [(2, 1)]),
        ("circle", [], 0, []),
    ],
)
def test_arrays(
    registry: Registry, name: str, value: Any, count: int, shape: list[tuple[int, int]]
) -> None:
    """Tuples and paths are elements, lists are sub-arrays."""
    codec, several = registry.get(OIDS[name]), registry.get(ARRAYS[name])
    items = [item for item in value for item in (item if isinstance(item, list) else [item])]
    assert len(items) == count
    data = [None if item is None else codec.dumps(item) for item in items]
    assert several.dumps(value) == wire(data, *shape, oid=codec.oid)


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("point", [[1, 2], [3, 4]], "[0][0]"),
        ("point", [(1, 2), (3, "x")], "[1][1]"),
        ("point", [[(1, 2)], [(3, 4, 5)]], "[1][0]"),
        ("lseg", [((1, 2), (3, 4)), ((1, 2), (3, None))], "[1][1][1]"),
        ("path", [[(1, 2), (3, 4)]], "[0][0][0]"),
        ("polygon", [Polygon((1, 2)), Path((1, 2))], "[1]"),
    ],
)
def test_the_place_of_what_is_refused(
    registry: Registry, name: str, value: Any, place: str
) -> None:
    with pytest.raises(Unencodable) as caught:
        registry.get(ARRAYS[name]).dumps(value)
    assert caught.value.place == place


# --- code of others -------------------------------------------------------------------------------


class Shrinking:
    """A number that empties the list in which it stands."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __float__(self) -> float:
        self._items.clear()
        return 1.0


@pytest.mark.parametrize("name", ["path", "polygon"])
def test_points_are_counted_once(name: str) -> None:
    points: list[Any] = [(0, 0), (1, 1)]
    points[0] = (Shrinking(points), 0)
    data = codec_of(name).dumps(points)
    assert data[-36:] == pack("!i", 2) + floats_of(1, 0, 1, 1)


def test_a_list_that_shrinks_is_an_error() -> None:
    point: list[Any] = [0, 0]
    point[0] = Shrinking(point)
    with pytest.raises(IndexError):
        codec_of("point").dumps(point)


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_is_leaked(name: str) -> None:
    codec = codec_of(name)
    value: Any = {
        "point": Point(1e9, 2e9),
        "line": Line(1e9, 2e9, 3e9),
        "lseg": LineSegment((1e9, 2e9), (3e9, 4e9)),
        "box": Box((1e9, 2e9), (3e9, 4e9)),
        "path": Path((1e9, 2e9), (3e9, 4e9)),
        "polygon": Polygon((1e9, 2e9), (3e9, 4e9)),
        "circle": Circle((1e9, 2e9), 3e9),
    }[name]
    wrong: list[Callable[[], object]] = [
        lambda: codec.dumps((1, "x")),
        lambda: codec.dumps(((1, "x"), (1, 2))),
    ]

    def work() -> None:
        for _ in range(300):
            codec.loads(codec.dumps(value))
            for each in wrong:
                with pytest.raises(Unencodable):
                    each()

    assert_nothing_leaks(work, CLASSES[name])
