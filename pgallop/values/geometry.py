"""PostgreSQL's geometric types: `Point`, `Line`, `LineSegment`, `Box`, `Path`, `Polygon`, `Circle`.

Their numbers are float8: NaN and infinities are among them, and two values are equal if their
numbers are, not if they cover the same points.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NoReturn, Self, SupportsFloat, SupportsIndex, TypeAlias, overload

# What float() takes.
Number: TypeAlias = SupportsFloat | SupportsIndex | str


class Figure:
    """What the classes of tuples share: how they are shown and pickled."""

    __slots__ = ()

    def __getnewargs__(self: Any) -> tuple[Any, ...]:
        return tuple(self)

    def __repr__(self: Any) -> str:
        return f"{type(self).__name__}{self.__getnewargs__()}"


class Point(Figure, tuple[float, float]):
    """A point of the plane, PostgreSQL's `point`; a tuple of two floats.

    Arguments
        x, y: its coordinates, which become floats.

    Example::

        x, y = Point(1, 2)
        Point(1, 2) == (1.0, 2.0)       # True

    Source: PostgreSQL documentation, "Geometric Types".
    """

    __slots__ = ()
    __match_args__ = ("x", "y")

    def __new__(cls, x: Number, y: Number) -> Self:
        return super().__new__(cls, (float(x), float(y)))

    @property
    def x(self) -> float:
        """How far to the right."""
        return self[0]

    @property
    def y(self) -> float:
        """How far up."""
        return self[1]


class Line(Figure, tuple[float, float, float]):
    """The endless line of all points where `A * x + B * y + C` is 0, PostgreSQL's `line`.

    A tuple of three floats. The server refuses a line whose A and B are both 0.

    Arguments
        A, B, C: the coefficients, which become floats.

    Example::

        Line(1, -1, 0)      # where x and y are equal

    Source: PostgreSQL documentation, "Geometric Types".
    """

    __slots__ = ()
    __match_args__ = ("A", "B", "C")

    def __new__(cls, A: Number, B: Number, C: Number) -> Self:
        return super().__new__(cls, (float(A), float(B), float(C)))

    @property
    def A(self) -> float:
        """The coefficient of x."""
        return self[0]

    @property
    def B(self) -> float:
        """The coefficient of y."""
        return self[1]

    @property
    def C(self) -> float:
        """The constant."""
        return self[2]


class LineSegment(Figure, tuple[Point, Point]):
    """What lies between two points, PostgreSQL's `lseg`; a tuple of the two.

    Arguments
        p1, p2: its ends.

    Example::

        LineSegment((0, 0), (1, 1)).p2      # Point(1.0, 1.0)

    Source: PostgreSQL documentation, "Geometric Types".
    """

    __slots__ = ()
    __match_args__ = ("p1", "p2")

    def __new__(cls, p1: Sequence[Number], p2: Sequence[Number]) -> Self:
        return super().__new__(cls, (Point(*p1), Point(*p2)))

    @property
    def p1(self) -> Point:
        """Where it begins."""
        return self[0]

    @property
    def p2(self) -> Point:
        """Where it ends."""
        return self[1]


class Box(Figure, tuple[Point, Point]):
    """A rectangle, PostgreSQL's `box`; a tuple of its upper right and its lower left corner.

    Any two opposite corners are taken, and kept as they are. The server makes the upper right and
    the lower left one of them, so a box may come back as another one than it was.

    Arguments
        high, low: the two corners.

    Example::

        Box((3, 4), (1, 2)).low         # Point(1.0, 2.0)

    Source: PostgreSQL documentation, "Geometric Types"; box_recv in the server's geo_ops.c.
    """

    __slots__ = ()
    __match_args__ = ("high", "low")

    def __new__(cls, high: Sequence[Number], low: Sequence[Number]) -> Self:
        return super().__new__(cls, (Point(*high), Point(*low)))

    @property
    def high(self) -> Point:
        """The upper right corner."""
        return self[0]

    @property
    def low(self) -> Point:
        """The lower left corner."""
        return self[1]


class Circle(Figure, tuple[Point, float]):
    """A circle, PostgreSQL's `circle`; a tuple of its centre and its radius.

    Arguments
        center: a point.
        radius: a number, which becomes a float. The server refuses a negative one.

    Example::

        Circle((0, 0), 1.5).radius      # 1.5

    Source: PostgreSQL documentation, "Geometric Types".
    """

    __slots__ = ()
    __match_args__ = ("center", "radius")

    def __new__(cls, center: Sequence[Number], radius: Number) -> Self:
        return super().__new__(cls, (Point(*center), float(radius)))

    @property
    def center(self) -> Point:
        """The point in the middle."""
        return self[0]

    @property
    def radius(self) -> float:
        """How far its line is from there."""
        return self[1]


class Path:
    """Points with lines from each to the next, PostgreSQL's `path`; a sequence, and immutable.

    The server takes no path without points.

    Arguments
        points: the points, each of them an argument.
        is_closed: whether a line leads from the last point to the first one.

    Attributes
        points: a tuple of Point.
        is_closed: as above.

    Example::

        path = Path((0, 0), (1, 0), (1, 1))
        path[1], len(path), path.is_closed      # (Point(1.0, 0.0), 3, False)

    Source: PostgreSQL documentation, "Geometric Types".
    """

    __slots__ = ("is_closed", "points")

    points: tuple[Point, ...]
    is_closed: bool

    def __init__(self, *points: Sequence[Number], is_closed: bool = False) -> None:
        object.__setattr__(self, "points", tuple(Point(*point) for point in points))
        object.__setattr__(self, "is_closed", bool(is_closed))

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    @overload
    def __getitem__(self, index: int) -> Point: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Point, ...]: ...
    def __getitem__(self, index: int | slice) -> Point | tuple[Point, ...]:
        return self.points[index]

    def __contains__(self, point: object) -> bool:
        return point in self.points

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Path):
            return NotImplemented
        return self.points == other.points and self.is_closed == other.is_closed

    def __hash__(self) -> int:
        return hash((self.points, self.is_closed))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), is_closed=self.is_closed), self.points

    def __repr__(self) -> str:
        parts = [*map(repr, self.points), f"is_closed={self.is_closed}"]
        return f"{type(self).__name__}({', '.join(parts)})"


class Polygon(Path):
    """What a closed path encloses, PostgreSQL's `polygon`; equal to that path.

    The server takes no polygon without points.

    Arguments
        points: the points, each of them an argument.

    Example::

        Polygon((0, 0), (1, 0), (1, 1)).points[2]       # Point(1.0, 1.0)

    Source: PostgreSQL documentation, "Geometric Types".
    """

    __slots__ = ()

    def __init__(self, *points: Sequence[Number]) -> None:
        super().__init__(*points, is_closed=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.points

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.points))})"
