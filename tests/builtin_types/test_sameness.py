"""`same` tells what `==` does not: the tests of every type are no stricter than it."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from builtin_types.sameness import same

from pgallop import Path, Point, Range
from pgallop.values.intervals import Interval

NAN = float("nan")
PARIS = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (True, 1),
        (1, 1.0),
        (0.0, -0.0),
        ([0.0], [-0.0]),
        ([1], (1,)),
        (Decimal("1.0"), Decimal("1.00")),
        (Decimal("0"), Decimal("-0")),
        ({"a": 1}, {"a": True}),
        (timedelta(days=30), Interval(months=1)),
        (Interval(days=1, microseconds=1), Interval(days=1, microseconds=2)),
        (datetime(2024, 1, 1, 1, tzinfo=PARIS), datetime(2024, 1, 1, tzinfo=UTC)),
        (time(1, tzinfo=PARIS), time(0, tzinfo=UTC)),
        (Point(1, 2), (1.0, 2.0)),
        (Point(0.0, 1), Point(-0.0, 1)),
        (Path((0.0, 1)), Path((-0.0, 1))),
        (Path((0, 1)), Path((0, 1), is_closed=True)),
        (Range(1, 2), Range(1.0, 2.0)),
        (Range(1, 2), Range(1, 2, upper_inc=True)),
        (b"a", bytearray(b"a")),
        ("", None),
    ],
)
def test_different(left: Any, right: Any) -> None:
    assert not same(left, right)
    assert not same(right, left)
    assert same(left, left)
    assert same(right, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (NAN, -NAN),
        ([NAN], [float("nan")]),
        (Decimal("NaN"), Decimal("NaN")),
        (Decimal("1E+2"), Decimal("100")),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (Range(NAN, None), Range(float("nan"), None)),
    ],
)
def test_same(left: Any, right: Any) -> None:
    assert same(left, right)
