"""The dates, moments and spans that PostgreSQL calls infinity: beyond all others.

They are dates, datetimes and timedeltas, so that what takes those takes them too, and they equal
the last and the first one that Python has, and hash like them: asyncpg reads infinity as these. But
that they are infinite is not lost: they say so when they are printed, adding to them changes
nothing, and they are written to the server as infinity, while `date.max` is 9999-12-31.
"""

# pyright: reportUnnecessaryIsInstance=false
# An operator is called with anything.

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Self, TypeAlias

from pgallop.values.intervals import PARTS, Interval


def is_positive(text: str) -> bool:
    """Which of the two infinities `text` names."""
    if text not in ("infinity", "-infinity"):
        raise ValueError(f"expected 'infinity' or '-infinity', got {text!r}")
    return text == "infinity"


def text_of(value: "Infinite") -> str:
    return "infinity" if value.positive else "-infinity"


def undefined(left: object, operator: str, right: object) -> OverflowError:
    return OverflowError(f"{left} {operator} {right} is not defined")


def plus(value: Any, span: Any) -> Any:
    """`value`, which is infinite, plus a span of time."""
    if not isinstance(span, timedelta):
        return NotImplemented
    if isinstance(span, InfiniteInterval) and span.positive != value.positive:
        raise undefined(value, "+", span)
    return value


def minus(value: Any, span: timedelta) -> Any:
    """`value`, which is infinite, minus a span of time."""
    if isinstance(span, InfiniteInterval) and span.positive == value.positive:
        raise undefined(value, "-", span)
    return value


class InfiniteDay(date):
    """What infinite dates and datetimes share.

    They are compared by what they equal, their `finite()`. Left to the datetime module, instances
    of a class of dates are equal to datetimes of the same day.
    """

    __slots__ = ()

    @property
    def positive(self) -> bool:
        """Whether it is `infinity`, and not `-infinity`."""
        return self.year == date.max.year

    def finite(self) -> Any:
        """The date or datetime that it equals."""
        return date.max if self.positive else date.min

    def __hash__(self) -> int:
        return hash(self.finite())

    def __eq__(self, other: object) -> bool:
        return bool(self.finite() == finite(other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Any) -> bool:
        return self._compared(other) < 0

    def __le__(self, other: Any) -> bool:
        return self._compared(other) <= 0

    def __gt__(self, other: Any) -> bool:
        return self._compared(other) > 0

    def __ge__(self, other: Any) -> bool:
        return self._compared(other) >= 0

    def _compared(self, other: Any) -> int:
        """-1 if it comes before `other`, 0 if it equals it, 1 if it comes behind it.

        A finite moment far west of UTC may be later than `datetime.max` is in UTC, but not than
        infinity. TypeError where the datetime module has it.
        """
        mine, theirs = self.finite(), finite(other)
        if mine < theirs or mine > theirs:
            return 1 if self.positive else -1
        return 0

    __add__ = __radd__ = plus

    def __sub__(self, other: Any) -> Any:
        if isinstance(other, timedelta):
            return minus(self, other)
        return self._distance(other) if self._is_like(other) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return -self._distance(other) if self._is_like(other) else NotImplemented

    def _is_like(self, other: object) -> bool:
        """Whether this and `other` have a difference."""
        return isinstance(other, date) and not isinstance(other, datetime)

    def _distance(self, other: date) -> "InfiniteInterval":
        """This minus `other`, or infinity minus infinity."""
        if isinstance(other, InfiniteDay) and other.positive == self.positive:
            raise undefined(self, "-", other)
        return INTERVAL_INFINITY if self.positive else -INTERVAL_INFINITY

    def strftime(self, format: str) -> str:
        return str(self)

    def __str__(self) -> str:
        return text_of(self)

    ctime = __str__


class InfiniteDate(InfiniteDay):
    """A date later, or earlier, than all others: PostgreSQL's `infinity` and `-infinity`.

    It equals `date.max` or `date.min` and has their year, month and day; `isoformat`, `strftime`
    and str() say "infinity". Adding a timedelta changes nothing, the difference from a date is an
    infinite interval.

    Arguments
        text: "infinity" or "-infinity".

    Errors raised
        ValueError: by `replace`.
        OverflowError: by the difference of two equal infinities.

    Example::

        InfiniteDate("infinity") > date(9999, 12, 30)     # True
        date(2024, 1, 1) - InfiniteDate("infinity")       # InfiniteInterval('-infinity')
        -pgallop.DATE_INFINITY                            # InfiniteDate('-infinity')

    Source: PostgreSQL documentation, section "Date/Time Types", "Special Values".
    """

    __slots__ = ()

    def __new__(cls, text: str = "infinity") -> Self:
        end = date.max if is_positive(text) else date.min
        return date.__new__(cls, end.year, end.month, end.day)

    def __neg__(self) -> "InfiniteDate":
        return InfiniteDate("-infinity" if self.positive else "infinity")

    def replace(self, *args: Any, **kwargs: Any) -> Self:
        """Raise ValueError if anything is to be replaced."""
        if args or kwargs:
            raise ValueError(f"{self} has no year, month or day to be replaced")
        return self

    __replace__ = replace

    def isoformat(self) -> str:
        return text_of(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({text_of(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (text_of(self),)


class InfiniteDatetime(InfiniteDay, datetime):
    """A moment later, or earlier, than all others: PostgreSQL's `infinity` and `-infinity`.

    Without a time zone, as a timestamp, it equals `datetime.max` or `datetime.min`; with one, as a
    timestamptz, those in UTC, whichever it is, and it is later, or earlier, than every other moment
    of any time zone. `astimezone` and `replace` give another time zone and change nothing else,
    `date()` is an infinite date, `timestamp()` an infinite float; `isoformat`, `strftime` and str()
    say "infinity". Adding a timedelta changes nothing, the difference from a datetime is an
    infinite interval.

    Arguments
        text: "infinity" or "-infinity".
        tzinfo: the time zone, None for none.

    Errors raised
        ValueError: by replacing a year, month or day.
        OverflowError: by the difference of two equal infinities.
        TypeError: by comparing one that has a time zone with one that has none.

    Example::

        InfiniteDatetime("infinity", UTC) > datetime.now(UTC)     # True

    Source: PostgreSQL documentation, section "Date/Time Types", "Special Values".
    """

    __slots__ = ()

    def __new__(cls, text: str = "infinity", tzinfo: tzinfo | None = None) -> Self:
        end = datetime.max if is_positive(text) else datetime.min
        return datetime.__new__(cls, *end.timetuple()[:6], end.microsecond, tzinfo)

    def __neg__(self) -> "InfiniteDatetime":
        return InfiniteDatetime("-infinity" if self.positive else "infinity", self.tzinfo)

    def finite(self) -> datetime:
        """The datetime that it equals."""
        end = datetime.max if self.positive else datetime.min
        return end if self.utcoffset() is None else end.replace(tzinfo=UTC)

    def _is_like(self, other: object) -> bool:
        """Whether `other` is a datetime and, like this, one with or without a UTC offset."""
        return isinstance(other, datetime) and (self.utcoffset() is None) == (
            other.utcoffset() is None
        )

    def replace(self, *args: Any, **kwargs: Any) -> Self:
        """The same with another `tzinfo`; to replace hours and the like changes nothing.

        Raises ValueError if a year, month or day is to be replaced.
        """
        if args or not kwargs.keys().isdisjoint(("year", "month", "day")):
            raise ValueError(f"{self} has no year, month or day to be replaced")
        return type(self)(text_of(self), kwargs.get("tzinfo", self.tzinfo))

    __replace__ = replace

    def astimezone(self, tz: tzinfo | None = None) -> Self:
        """The same in a time zone, by default the local one."""
        zone = datetime.now().astimezone().tzinfo if tz is None else tz
        return type(self)(text_of(self), zone)

    def date(self) -> InfiniteDate:
        return InfiniteDate(text_of(self))

    def timestamp(self) -> float:
        return float(text_of(self))

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        return text_of(self)

    def __repr__(self) -> str:
        zone = "" if self.tzinfo is None else f", tzinfo={self.tzinfo!r}"
        return f"{type(self).__name__}({text_of(self)!r}{zone})"

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (text_of(self), self.tzinfo)


class InfiniteInterval(Interval):
    """A span longer than all others, or shorter: `infinity` and `-infinity` of PostgreSQL 17.

    It equals `timedelta.max` or `timedelta.min`; `total_seconds()` is an infinite float, and adding
    a finite timedelta, multiplying and dividing by numbers leave it infinite. Servers before 17
    have no infinite intervals and take it for the longest one that they can hold.

    Arguments
        text: "infinity" or "-infinity".

    Errors raised
        OverflowError: where the result is not defined: infinity minus infinity, times zero, modulo.

    Example::

        pgallop.INTERVAL_INFINITY > timedelta(days=1000)   # True

    Source: PostgreSQL documentation, section "Date/Time Types", "Special Values".
    """

    __slots__ = ()

    def __new__(cls, text: str = "infinity") -> Self:
        positive = is_positive(text)
        end = timedelta.max if positive else timedelta.min
        interval = timedelta.__new__(cls, end.days, end.seconds, end.microseconds)
        PARTS.__set__(interval, LONGEST if positive else SHORTEST)
        return interval

    @property
    def positive(self) -> bool:
        """Whether it is `infinity`, and not `-infinity`."""
        return self.parts == LONGEST

    def total_seconds(self) -> float:
        return float(text_of(self))

    def _times(self, factor: float, operator: str) -> "InfiniteInterval":
        if not abs(factor) > 0:  # nor NaN
            raise undefined(self, operator, factor)
        return self if factor > 0 else -self

    def __neg__(self) -> "InfiniteInterval":
        return InfiniteInterval("-infinity" if self.positive else "infinity")

    def __abs__(self) -> "InfiniteInterval":
        return self if self.positive else -self

    def __add__(self, other: timedelta) -> Any:
        return plus(self, other)

    __radd__ = __add__

    def __sub__(self, other: timedelta) -> Any:
        return minus(self, other) if isinstance(other, timedelta) else NotImplemented

    def __rsub__(self, other: timedelta) -> Any:
        return -self if isinstance(other, timedelta) else NotImplemented

    def __mul__(self, factor: Any) -> Any:
        return self._times(factor, "*") if isinstance(factor, (int, float)) else NotImplemented

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, InfiniteInterval):
            return quotient(self, other)
        if isinstance(other, timedelta):
            return self.total_seconds() / other.total_seconds()
        return self._times(other, "/") if isinstance(other, (int, float)) else NotImplemented

    def __rtruediv__(self, other: Any) -> Any:
        if isinstance(other, timedelta):
            return other.total_seconds() / self.total_seconds()
        return NotImplemented

    def __floordiv__(self, other: Any) -> Any:
        return self._times(other, "//") if isinstance(other, int) else quotient(self, other)

    def __mod__(self, other: Any) -> Any:
        return quotient(self, other)

    def __rmod__(self, other: Any) -> Any:
        return quotient(other, self)

    __divmod__ = __mod__
    __rdivmod__ = __rfloordiv__ = __rmod__

    def __str__(self) -> str:
        return text_of(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({text_of(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (text_of(self),)


# What the server has for these two.
LONGEST = (2**31 - 1, 2**31 - 1, 2**63 - 1)
SHORTEST = (-(2**31), -(2**31), -(2**63))

Infinite: TypeAlias = InfiniteDay | InfiniteInterval

# What the codecs return; a minus sign in front gives the other infinity.
DATE_INFINITY = InfiniteDate()
TIMESTAMP_INFINITY = InfiniteDatetime()
TIMESTAMPTZ_INFINITY = InfiniteDatetime(tzinfo=UTC)
INTERVAL_INFINITY = InfiniteInterval()


def finite(other: Any) -> Any:
    """What an infinite date or datetime equals, and anything else as it is."""
    return other.finite() if isinstance(other, InfiniteDay) else other


def quotient(left: object, right: object) -> Any:
    """How often one interval goes into another, of which one is infinite."""
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        raise undefined(left, "/", right)
    return NotImplemented
