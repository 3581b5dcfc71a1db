"""point, line, lseg, box, path, polygon and circle.

On the wire: the float8 of which they are made, x before y. In front of the points of a path and of
a polygon stands how many there are, and in front of that whether a path is closed.
Source: point_send, point_recv and so on in PostgreSQL's geo_ops.c.
"""

from collections.abc import Sequence
from typing import Any

from pgallop.codecs import arrays, clist
from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.values.geometry import Box, Circle, Line, LineSegment, Path, Point, Polygon
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

POINT = "Point, or another sequence of two numbers"

# Past the constructors, which are Python: make(Point, (x, y)).
make: Any = tuple.__new__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


def read_point(reader: Reader) -> Point:
    x = reader.read_float64()
    y = reader.read_float64()
    return make(Point, (x, y))  # type: ignore[no-any-return]


class GeometricCodec(Codec):
    """What the seven share: numbers and points are items of sequences, and named by their index."""

    __slots__ = ()

    def items(self, value: Any, count: int, expected: str) -> Any:
        """`value` as a tuple or list, of `count` items if that is not negative."""
        items: Sequence[Any] = value
        if not isinstance(value, (tuple, list)):
            # A set has no order.
            if arrays.count_items(value) < 0 or not hasattr(value, "__getitem__"):
                if expected is self.accepts:
                    self.refuse(value)
                self.refuse(value, f"expected {expected}, got {type(value).__name__}")
            items = tuple(value)
        if count >= 0 and len(items) != count:
            self.refuse(items, f"has {len(items)} items, expected {expected}")
        return items

    def number(self, items: Any, i: int) -> float:
        value = items[i]
        try:
            return bigendian.float64(value)
        except TypeError:
            error = Unencodable(self, value, f"expected float or int, got {type(value).__name__}")
        except OverflowError:
            error = Unencodable(self, value, "too large for float8")
        error.place = f"[{i}]"
        raise error

    def write_point(self, writer: Writer, items: Any, i: int) -> None:
        try:
            point = self.items(items[i], 2, POINT)
            writer.write_float64(self.number(point, 0))
            writer.write_float64(self.number(point, 1))
        except Unencodable as error:
            error.place = f"[{i}]{error.place}"
            raise

    def write_points(self, writer: Writer, points: tuple[Any, ...]) -> None:
        count = len(points)
        if count == 0:
            self.refuse(points, f"PostgreSQL has no {self.name} without points")
        writer.check(16 * count, "the value")
        writer.write_int32(count)
        for i in range(count):
            self.write_point(writer, points, i)

    def read_points(self, reader: Reader) -> tuple[Point, ...]:
        count = reader.read_int32()
        if count < 1 or count > (reader.end - reader.pos) // 16:
            raise ProtocolError(
                f"the server announced a {self.name} of {count} points in "
                f"{reader.end - reader.pos} bytes"
            )
        points = clist.new_list(count)
        for i in range(count):
            clist.fill(points, i, read_point(reader))
        return tuple(points)


class PointCodec(GeometricCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        items = self.items(value, 2, self.accepts)
        writer.write_float64(self.number(items, 0))
        writer.write_float64(self.number(items, 1))

    def decode(self, reader: Reader, size: int) -> Any:
        return read_point(reader)


class LineCodec(GeometricCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        items = self.items(value, 3, self.accepts)
        writer.write_float64(self.number(items, 0))
        writer.write_float64(self.number(items, 1))
        writer.write_float64(self.number(items, 2))

    def decode(self, reader: Reader, size: int) -> Any:
        a = reader.read_float64()
        b = reader.read_float64()
        c = reader.read_float64()
        return make(Line, (a, b, c))


class PairCodec(GeometricCodec):
    """lseg and box, two points each; `kind` is the class of the values."""

    __slots__ = ("kind",)

    kind: type[LineSegment] | type[Box]

    def __init__(
        self, oid: int, name: str, accepts: str, kind: type[LineSegment] | type[Box]
    ) -> None:
        super().__init__(oid, name, accepts)
        self.kind = kind

    def encode(self, writer: Writer, value: Any) -> None:
        items = self.items(value, 2, self.accepts)
        self.write_point(writer, items, 0)
        self.write_point(writer, items, 1)

    def decode(self, reader: Reader, size: int) -> Any:
        first = read_point(reader)
        second = read_point(reader)
        return make(self.kind, (first, second))


class CircleCodec(GeometricCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        items = self.items(value, 2, self.accepts)
        self.write_point(writer, items, 0)
        radius = self.number(items, 1)
        if radius < 0:
            self.refuse(value, "has a negative radius, which PostgreSQL does not take")
        writer.write_float64(radius)

    def decode(self, reader: Reader, size: int) -> Any:
        center = read_point(reader)
        radius = reader.read_float64()
        return make(Circle, (center, radius))


class PathCodec(GeometricCodec):
    """A tuple of points is a closed path and a list of them an open one, as in asyncpg."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        items: Sequence[Any] = value
        if isinstance(value, Path):
            closed = value.is_closed
            points = value.points
        else:
            if not isinstance(value, (tuple, list)):
                self.refuse(value)
            closed = isinstance(value, tuple)
            points = tuple(items)
        writer.write_byte(closed)
        self.write_points(writer, points)

    def decode(self, reader: Reader, size: int) -> Any:
        closed = reader.read_byte()
        if closed > 1:
            raise ProtocolError(f"the server sent a path that is closed by {closed}, not 0 or 1")
        points = self.read_points(reader)
        path = Path.__new__(Path)
        # They cannot be set in another way.
        object.__setattr__(path, "points", points)
        object.__setattr__(path, "is_closed", closed == 1)
        return path


class PolygonCodec(GeometricCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if isinstance(value, Path):
            if not value.is_closed:
                self.refuse(value, "an open path, and a polygon is closed")
            points = value.points
        else:
            points = tuple(self.items(value, -1, self.accepts))
        self.write_points(writer, points)

    def decode(self, reader: Reader, size: int) -> Any:
        points = self.read_points(reader)
        polygon = Polygon.__new__(Polygon)
        object.__setattr__(polygon, "points", points)
        object.__setattr__(polygon, "is_closed", True)
        return polygon


def register(registry: Registry) -> None:
    points = "tuple or list of two points"
    registry.add(PointCodec(OIDS["point"], "point", POINT))
    registry.add(LineCodec(OIDS["line"], "line", "Line, or another sequence of three numbers"))
    registry.add(PairCodec(OIDS["lseg"], "lseg", f"LineSegment, or another {points}", LineSegment))
    registry.add(PairCodec(OIDS["box"], "box", f"Box, or another {points}", Box))
    registry.add(
        PathCodec(OIDS["path"], "path", "Path, or a tuple (closed) or list (open) of points")
    )
    registry.add(PolygonCodec(OIDS["polygon"], "polygon", "Polygon, or another sequence of points"))
    registry.add(
        CircleCodec(OIDS["circle"], "circle", "Circle, or another sequence of a point and a radius")
    )
