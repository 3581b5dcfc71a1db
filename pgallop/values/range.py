"""`Range`: what lies between two bounds, either of which can be missing.

Not compiled: that it is generic, `Range[int]`, a class in C cannot be. The codec makes and reads
ranges by their slots, so that none of this runs while rows are read.
"""

from typing import Any, Generic, TypeVar, cast

T = TypeVar("T", covariant=True)

# What is true of a range, as the server sends it (its rangetypes.h, RANGE_EMPTY and so on).
EMPTY = 1
LOWER_INC = 2
UPPER_INC = 4
LOWER_INF = 8
UPPER_INF = 16


class Range(Generic[T]):
    """A range of values, such as PostgreSQL's int4range or tstzrange; it cannot be changed.

    Ranges are equal if their bounds are. The server has one way to write those of whole numbers and
    dates, `[1, 4)`, so what was sent as `[1, 3]` comes back as a range that is not equal to it; and
    it makes the empty range of one without a value in it, which Python does not do. Ranges are
    ordered as the server orders them: the empty one first, then by lower, then by upper bounds.

    Arguments
        lower, upper: the bounds; None for a side without a bound. That is not the same as a bound
            which is infinite, such as the date `infinity`.
        lower_inc, upper_inc: whether the bound itself belongs to the range.
        empty: whether no value does; bounds do not matter then.

    Errors raised
        TypeError: by what compares values (`in`, `<`, `issubset`, ...), where these cannot be.

    Example::

        week = Range(date(2024, 1, 1), date(2024, 1, 8))
        date(2024, 1, 8) in week                       # False
        week.overlaps(Range(None, date(2024, 1, 2)))   # True

    Source: PostgreSQL documentation, chapter "Range Types"; asyncpg's class of that name.
    """

    __slots__ = ("_flags", "_lower", "_upper")

    __match_args__ = ("lower", "upper")

    _lower: T | None
    _upper: T | None
    _flags: int

    def __init__(
        self,
        lower: T | None = None,
        upper: T | None = None,
        *,
        lower_inc: bool = True,
        upper_inc: bool = False,
        empty: bool = False,
    ) -> None:
        if empty:
            lower, upper, flags = None, None, EMPTY
        else:
            flags = LOWER_INF if lower is None else LOWER_INC if lower_inc else 0
            flags |= UPPER_INF if upper is None else UPPER_INC if upper_inc else 0
        self._lower = lower
        self._upper = upper
        self._flags = flags

    @property
    def lower(self) -> T | None:
        """The lower bound; None if there is none."""
        return self._lower

    @property
    def upper(self) -> T | None:
        """The upper bound; None if there is none."""
        return self._upper

    @property
    def lower_inc(self) -> bool:
        """Whether there is a lower bound, and it belongs to the range."""
        return self._flags & LOWER_INC != 0

    @property
    def upper_inc(self) -> bool:
        """Whether there is an upper bound, and it belongs to the range."""
        return self._flags & UPPER_INC != 0

    @property
    def lower_inf(self) -> bool:
        """Whether the range goes down without a bound."""
        return self._flags & LOWER_INF != 0

    @property
    def upper_inf(self) -> bool:
        """Whether the range goes up without a bound."""
        return self._flags & UPPER_INF != 0

    @property
    def isempty(self) -> bool:
        """Whether this is the empty range."""
        return self._flags & EMPTY != 0

    def issubset(self, other: "Range[Any]") -> bool:
        """Whether all that is in this range is in `other` too."""
        if self._flags & EMPTY:
            return True
        if other._flags & EMPTY:
            return False
        return compare_lower(self, other) >= 0 and compare_upper(self, other) <= 0

    def issuperset(self, other: "Range[Any]") -> bool:
        """Whether all that is in `other` is in this range too."""
        return other.issubset(self)

    def overlaps(self, other: "Range[Any]") -> bool:
        """Whether something between the bounds of this range lies between those of `other` too.

        What there is between two bounds is not known here: (1, 3) and (2, 4) overlap, though they
        have no whole number in common.
        """
        if (self._flags | other._flags) & EMPTY:
            return False
        first = self if compare_lower(self, other) > 0 else other
        last = self if compare_upper(self, other) < 0 else other
        lower: Any = first._lower
        upper: Any = last._upper
        if lower is None or upper is None or lower < upper:
            return True
        return bool(lower == upper) and first.lower_inc and last.upper_inc

    def __contains__(self, value: Any) -> bool:
        if value is None or is_range(value):
            raise TypeError(
                f"a range has values in it, not {type(value).__name__}; "
                "issuperset() and overlaps() are for two ranges"
            )
        lower: Any = self._lower
        upper: Any = self._upper
        flags = self._flags
        if flags & EMPTY:
            return False
        if lower is not None and not (lower <= value if flags & LOWER_INC else lower < value):
            return False
        return upper is None or bool(value <= upper if flags & UPPER_INC else value < upper)

    def __bool__(self) -> bool:
        return not self._flags & EMPTY

    def __eq__(self, other: object) -> bool:
        if not is_range(other):
            return NotImplemented
        twin = cast("Range[Any]", other)
        return (self._flags, self._lower, self._upper) == (twin._flags, twin._lower, twin._upper)

    def __hash__(self) -> int:
        return hash((self._flags, self._lower, self._upper))

    def __lt__(self, other: "Range[Any]") -> bool:
        return compare(self, other) < 0 if is_range(other) else NotImplemented

    def __le__(self, other: "Range[Any]") -> bool:
        return compare(self, other) <= 0 if is_range(other) else NotImplemented

    def __gt__(self, other: "Range[Any]") -> bool:
        return compare(self, other) > 0 if is_range(other) else NotImplemented

    def __ge__(self, other: "Range[Any]") -> bool:
        return compare(self, other) >= 0 if is_range(other) else NotImplemented

    def __repr__(self) -> str:
        if self._flags & EMPTY:
            return f"<{type(self).__name__} empty>"
        lower = "" if self._lower is None else repr(self._lower)
        upper = "" if self._upper is None else repr(self._upper)
        left = "[" if self._flags & LOWER_INC else "("
        right = "]" if self._flags & UPPER_INC else ")"
        return f"<{type(self).__name__} {left}{lower}, {upper}{right}>"


def is_range(value: object) -> bool:
    return isinstance(value, Range)


def compare(one: Range[Any], other: Range[Any]) -> int:
    """Below, at or above 0 as `one` comes before `other`, is equal to it, or comes behind it."""
    if one.isempty or other.isempty:
        return other.isempty - one.isempty
    return compare_lower(one, other) or compare_upper(one, other)


def compare_lower(one: Range[Any], other: Range[Any]) -> int:
    """The same of the lower bounds: which range begins first."""
    if one.lower is None or other.lower is None:
        return (other.lower is None) - (one.lower is None)
    if one.lower == other.lower:
        # With the bound a range begins earlier than without it.
        return other.lower_inc - one.lower_inc
    return -1 if one.lower < other.lower else 1


def compare_upper(one: Range[Any], other: Range[Any]) -> int:
    """The same of the upper bounds: which range ends first."""
    if one.upper is None or other.upper is None:
        return (one.upper is None) - (other.upper is None)
    if one.upper == other.upper:
        return one.upper_inc - other.upper_inc
    return -1 if one.upper < other.upper else 1
