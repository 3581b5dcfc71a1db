"""The classes of values that Python itself has none for, one file a family."""

from pgallop.values.bit_string import BitString
from pgallop.values.cube import Cube
from pgallop.values.geometry import Box, Circle, Line, LineSegment, Path, Point, Polygon
from pgallop.values.infinities import (
    DATE_INFINITY,
    INTERVAL_INFINITY,
    TIMESTAMP_INFINITY,
    TIMESTAMPTZ_INFINITY,
    InfiniteDate,
    InfiniteDatetime,
    InfiniteInterval,
)
from pgallop.values.intervals import Interval
from pgallop.values.range import Range
from pgallop.values.sparse_vector import SparseVector

__all__ = [
    "DATE_INFINITY",
    "INTERVAL_INFINITY",
    "TIMESTAMPTZ_INFINITY",
    "TIMESTAMP_INFINITY",
    "BitString",
    "Box",
    "Circle",
    "Cube",
    "InfiniteDate",
    "InfiniteDatetime",
    "InfiniteInterval",
    "Interval",
    "Line",
    "LineSegment",
    "Path",
    "Point",
    "Polygon",
    "Range",
    "SparseVector",
]
