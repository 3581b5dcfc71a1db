"""asyncpg's classes of values: those of `pgallop.values`."""

from pgallop.values import (
    BitString,
    Box,
    Circle,
    Line,
    LineSegment,
    Path,
    Point,
    Polygon,
)

__all__ = ["BitString", "Box", "Circle", "Line", "LineSegment", "Path", "Point", "Polygon"]
