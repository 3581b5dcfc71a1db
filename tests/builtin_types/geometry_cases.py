"""The seven geometric types."""

from __future__ import annotations

from builtin_types.case import Case
from builtin_types.number_cases import FLOAT8, INFINITY
from hypothesis import strategies as st

from pgallop import Box, Circle, Line, LineSegment, Path, Point, Polygon

numbers = st.sampled_from(FLOAT8) | st.floats()
points = st.builds(Point, numbers, numbers)
point_lists = st.lists(points, min_size=1, max_size=4)

# What NaN is compared with has changed in PostgreSQL 12: it decides which corner is which.
ordered = st.floats(allow_nan=False)
corners = st.builds(Point, ordered, ordered)

# The server takes A and B for zero, which no line has, where they are less than 0.000001.
slopes = st.floats(0.001, 1e300) | st.floats(-1e300, -0.001) | st.just(INFINITY)

radii = st.floats(0, allow_nan=False)

ORIGIN, FAR = Point(0.0, -0.0), Point(1e300, -INFINITY)
POINTS = [Point(x, y) for x, y in zip(FLOAT8, reversed(FLOAT8), strict=True)]


def point_text(point: Point) -> str:
    return f"({point.x!r},{point.y!r})"


def points_text(value: Path | LineSegment | Box) -> str:
    return ",".join(map(point_text, value))


def path_text(value: Path) -> str:
    return f"({points_text(value)})" if value.is_closed else f"[{points_text(value)}]"


def box_kept(value: Box) -> Box:
    """The upper right and the lower left one of four corners, whichever two were sent."""
    (x, y), (u, v) = value
    right, left = (u, x) if x < u else (x, u)
    upper, lower = (v, y) if y < v else (y, v)
    return Box((right, upper), (left, lower))


CASES = [
    Case("point", POINTS, points, point_text),
    Case(
        "line",
        [Line(1, -1, 0.0), Line(0.0, 1, -0.0), Line(-1, 0.0, INFINITY)],
        st.builds(Line, slopes, numbers, numbers) | st.builds(Line, numbers, slopes, numbers),
        lambda line: f"{{{','.join(map(repr, line))}}}",
    ),
    Case(
        "lseg",
        [LineSegment(ORIGIN, ORIGIN), LineSegment(ORIGIN, FAR), LineSegment(*POINTS[2:4])],
        st.builds(LineSegment, points, points),
        lambda segment: f"[{points_text(segment)}]",
    ),
    Case(
        "box",
        [Box(ORIGIN, ORIGIN), Box(ORIGIN, FAR), Box((0, 1), (1, 0)), Box((2, 2), (1, 1))],
        st.builds(Box, corners, corners),
        points_text,
        box_kept,
    ),
    Case(
        "path",
        [Path(ORIGIN), Path(ORIGIN, is_closed=True), Path(*POINTS, is_closed=True), Path(*POINTS)],
        st.builds(lambda items, closed: Path(*items, is_closed=closed), point_lists, st.booleans()),
        path_text,
    ),
    Case(
        "polygon",
        [Polygon(ORIGIN), Polygon(*POINTS)],
        point_lists.map(lambda items: Polygon(*items)),
        path_text,
    ),
    Case(
        "circle",
        [Circle(ORIGIN, 0.0), Circle(FAR, INFINITY), Circle(POINTS[3], 5e-324)],
        st.builds(Circle, points, radii),
        lambda circle: f"<{point_text(circle.center)},{circle.radius!r}>",
    ),
]
