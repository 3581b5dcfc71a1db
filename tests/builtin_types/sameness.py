"""When two values are the same: more than equal, for True is equal to 1, and -0.0 to 0.0."""

from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

# The values that are made of others, by the names of their classes, which are the same in asyncpg.
PARTS = {
    "Range": ("lower", "upper", "lower_inc", "upper_inc", "isempty"),
    "Path": ("points", "is_closed"),
    "Polygon": ("points", "is_closed"),
}


def same(left: Any, right: Any) -> bool:
    """Whether nobody can tell one value from the other.

    The types are the same all the way down, -0.0 is not 0.0, NaN is NaN, Decimals have the same
    digits behind the point (1E+2 and 100 are one number, 1.0 and 1.00 two), and datetimes the same
    UTC offset.
    """
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        both_nan = left != left and right != right
        return both_nan or struct.pack("d", left) == struct.pack("d", right)
    if isinstance(left, Decimal):
        return f"{left:f}" == f"{right:f}"
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if parts := PARTS.get(type(left).__name__):
        return all(same(getattr(left, name), getattr(right, name)) for name in parts)
    # The repr tells what == does not: UTC offsets, months in an interval, infinities.
    return bool(left == right) and repr(left) == repr(right)
