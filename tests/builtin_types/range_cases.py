"""Ranges and multiranges."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

from builtin_types.case import Case, unchanged
from builtin_types.number_cases import numeric_kept, plain
from builtin_types.time_cases import NEW_YORK, in_utc, without_fold, zones
from hypothesis import strategies as st

from pgallop import Range
from pgallop.values.infinities import InfiniteDate, InfiniteDatetime

Step = Callable[[Any], Any] | None


def canonical(value: Range[Any], kept: Callable[[Any], Any], step: Step) -> Range[Any]:
    """The range as the server writes it: where there is a next value, as `[first, behind)`."""
    if value.isempty:
        return value
    lower, upper = (None if end is None else kept(end) for end in (value.lower, value.upper))
    lower_inc, upper_inc = value.lower_inc, value.upper_inc
    if step and has_next(lower) and not lower_inc:
        lower, lower_inc = step(lower), True
    if step and has_next(upper) and upper_inc:
        upper, upper_inc = step(upper), False
    if lower is not None and upper is not None:
        has_values = lower <= upper if lower_inc and upper_inc else lower < upper
        if not has_values:
            return Range(empty=True)
    return Range(lower, upper, lower_inc=lower_inc, upper_inc=upper_inc)


def has_next(bound: Any) -> bool:
    return bound is not None and not isinstance(bound, InfiniteDate)


def merged(ranges: list[Range[Any]]) -> list[Range[Any]]:
    """The ranges in order, as few as say the same; none of them empty."""

    def joined(found: list[Range[Any]], behind: Range[Any]) -> list[Range[Any]]:
        if not found or not touches(found[-1], behind):
            return [*found, behind]
        last = found[-1]
        end = last if ends_later(last, behind) else behind
        both = Range(last.lower, end.upper, lower_inc=last.lower_inc, upper_inc=end.upper_inc)
        return [*found[:-1], both]

    def first(value: Range[Any]) -> tuple[Any, ...]:
        return (False,) if value.lower is None else (True, value.lower, not value.lower_inc)

    return reduce(joined, sorted((one for one in ranges if one), key=first), [])


def touches(left: Range[Any], right: Range[Any]) -> bool:
    if left.upper is None or right.lower is None or left.upper > right.lower:
        return True
    return bool(left.upper == right.lower) and (left.upper_inc or right.lower_inc)


def ends_later(left: Range[Any], right: Range[Any]) -> bool:
    if left.upper is None or right.upper is None:
        return left.upper is None
    return (left.upper, left.upper_inc) >= (right.upper, right.upper_inc)


@st.composite
def ranges(draw: st.DrawFn, bounds: st.SearchStrategy[Any]) -> Range[Any]:
    """A range of two bounds in order, or with one of them, or none."""
    lower, upper = sorted([draw(bounds), draw(bounds)])
    missing = draw(st.sampled_from(["neither", "neither", "neither", "lower", "upper", "both"]))
    return Range(
        None if missing in ("lower", "both") else lower,
        None if missing in ("upper", "both") else upper,
        lower_inc=draw(st.booleans()),
        upper_inc=draw(st.booleans()),
    )


def range_text(value: Range[Any], literal: Callable[[Any], str]) -> str:
    if value.isempty:
        return "empty"
    lower, upper = (
        "" if bound is None else f'"{literal(bound)}"' for bound in (value.lower, value.upper)
    )
    left, right = "[" if value.lower_inc else "(", "]" if value.upper_inc else ")"
    return f"{left}{lower},{upper}{right}"


def cases(
    names: tuple[str, str],
    bounds: st.SearchStrategy[Any],
    edges: list[Any],
    literal: Callable[[Any], str] = str,
    kept: Callable[[Any], Any] = unchanged,
    step: Step = None,
) -> list[Case]:
    """The range and the multirange of a type; `edges`: three of its values in ascending order.

    `kept`: what the server makes of a value; `step`: the one behind it.
    """
    low, middle, high = edges
    singles = [
        *(Range(), Range(empty=True), Range(None, high), Range(low, None)),
        *(Range(low, high, lower_inc=a, upper_inc=b) for a in (False, True) for b in (False, True)),
        *(Range(middle, middle, lower_inc=True, upper_inc=b) for b in (False, True)),
    ]
    several = [[], [Range()], [Range(empty=True)], [Range(low, middle), Range(middle, high)]]
    several += [[Range(middle, high), Range(low, middle, lower_inc=False)], [Range(low, high)] * 2]
    several += [[Range(None, low), Range(high, None)], [Range(high, None), Range(low, low)]]

    def expected(value: Range[Any]) -> Range[Any]:
        return canonical(value, kept, step)

    def text(value: Range[Any]) -> str:
        return range_text(value, literal)

    return [
        Case(names[0], singles, ranges(bounds), text, expected),
        Case(
            names[1],
            several,
            st.lists(ranges(bounds), max_size=4),
            lambda values: f"{{{','.join(map(text, values))}}}",
            lambda values: merged(list(map(expected, values))),
            since=14,
        ),
    ]


def next_number(value: int) -> int:
    return value + 1


def next_date(value: date) -> date:
    return value + timedelta(days=1)


def whole(low: int, high: int) -> st.SearchStrategy[int]:
    """Whole numbers, most of them near each other; the last one has none behind it."""
    return st.integers(-5, 5) | st.integers(low, high - 1)


early, late = InfiniteDatetime("-infinity"), InfiniteDatetime("infinity")
moments = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))

CASES = [
    *cases(
        ("int4range", "int4multirange"),
        whole(-(2**31), 2**31 - 1),
        [-(2**31), 0, 2**31 - 2],
        step=next_number,
    ),
    *cases(
        ("int8range", "int8multirange"),
        whole(-(2**63), 2**63 - 1),
        [-(2**63), 0, 2**63 - 2],
        step=next_number,
    ),
    *cases(
        ("numrange", "nummultirange"),
        st.integers(-9, 9).map(Decimal) | st.decimals(allow_nan=False, allow_infinity=False),
        [Decimal("-1E-20"), Decimal("0.00"), Decimal("1.50")],
        plain,
        numeric_kept,
    ),
    *cases(
        ("daterange", "datemultirange"),
        st.dates(date(1, 1, 2), date(9999, 12, 30)),
        [InfiniteDate("-infinity"), date(2024, 2, 29), InfiniteDate("infinity")],
        step=next_date,
    ),
    *cases(
        ("tsrange", "tsmultirange"),
        moments,
        [early, datetime(2024, 2, 29, 1, 2, 3), late],
        kept=without_fold,
    ),
    *cases(
        ("tstzrange", "tstzmultirange"),
        st.datetimes(
            datetime(1, 1, 3), datetime(9999, 12, 29), timezones=zones | st.just(NEW_YORK)
        ),
        [early.replace(tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC), late.replace(tzinfo=UTC)],
        kept=in_utc,
    ),
]
