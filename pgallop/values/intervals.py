"""`Interval`: a PostgreSQL interval that a timedelta cannot say; and the text form of intervals.

Not compiled: a timedelta takes its arguments when it is allocated, before a class in C sees them.
The codec makes intervals by `PARTS`, so that none of this runs while rows are read.
"""

# pyright: reportUnnecessaryIsInstance=false
# An operator is called with anything.

from datetime import timedelta
from operator import index
from typing import Any, Self, SupportsIndex

MICROSECONDS_PER_DAY = 86_400_000_000

# Signed integers of the server: months and days have 32 bits, microseconds 64.
LIMITS = {"months": 2**31, "days": 2**31, "microseconds": 2**63}


class Interval(timedelta):
    """A span of time with months, or with days and hours that do not make a timedelta.

    PostgreSQL counts months, days and microseconds, each for itself: a month has no fixed number of
    days, and with daylight saving time a day no fixed number of hours. `months`, `calendar_days`
    and `clock_microseconds` are these numbers, `parts` all three of them, and str() gives the
    server's text. An interval is read as a plain timedelta if that says the same, and as this
    otherwise; what is read is written back as it was.

    It is a timedelta all the same, of a month as 30 days and a year as 365: that is what `days`,
    `seconds`, `microseconds` and `total_seconds()` tell, what it is compared and hashed by, and
    what is added to a datetime (let the server do that, and it knows the calendar). Sums and
    differences of intervals, with timedeltas too, and products with an int keep the parts; all
    other arithmetic is that of timedelta.

    Arguments
        years, months, weeks, days, hours, minutes, seconds, microseconds: ints, by keyword only.
            Twelve months are a year and seven days a week, and hours and minutes are microseconds;
            nothing else is carried, so 24 hours are not a day.

    Errors raised
        TypeError: an argument is not an int.
        OverflowError: more than the server can hold, or than a timedelta can.

    Example::

        Interval(months=1, days=-1)                       # in SQL: interval '1 mon -1 days'
        Interval(months=1) == timedelta(days=30)          # True, as in SQL
        Interval(months=1).parts                          # (1, 0, 0)

    Source: PostgreSQL documentation, section "Interval Input"; the server's timestamp.h.
    """

    __slots__ = ("parts",)

    parts: tuple[int, int, int]

    def __new__(
        cls,
        *,
        years: SupportsIndex = 0,
        months: SupportsIndex = 0,
        weeks: SupportsIndex = 0,
        days: SupportsIndex = 0,
        hours: SupportsIndex = 0,
        minutes: SupportsIndex = 0,
        seconds: SupportsIndex = 0,
        microseconds: SupportsIndex = 0,
    ) -> Self:
        return cls.from_parts(
            12 * index(years) + index(months),
            7 * index(weeks) + index(days),
            ((60 * index(hours) + index(minutes)) * 60 + index(seconds)) * 1_000_000
            + index(microseconds),
        )

    @classmethod
    def from_parts(cls, months: int, days: int, microseconds: int) -> Self:
        """The interval of these months, days and microseconds: the inverse of `parts`."""
        parts = (months, days, microseconds)
        for number, (name, limit) in zip(parts, LIMITS.items(), strict=True):
            if not -limit <= number < limit:
                raise OverflowError(f"an interval cannot have {number} {name}")
        interval = timedelta.__new__(
            cls, days=days_of_months(months) + days, microseconds=microseconds
        )
        PARTS.__set__(interval, parts)
        return interval

    @property
    def months(self) -> int:
        """Months, those of years included; negative ones too."""
        return self.parts[0]

    @property
    def calendar_days(self) -> int:
        """Days apart from months and hours, which `days` sums up."""
        return self.parts[1]

    @property
    def clock_microseconds(self) -> int:
        """Hours, minutes and seconds in microseconds, apart from days; they can be of any size."""
        return self.parts[2]

    def __add__(self, other: timedelta) -> "Interval":
        if not isinstance(other, timedelta):
            return NotImplemented
        mine, theirs = self.parts, parts_of(other)
        return Interval.from_parts(mine[0] + theirs[0], mine[1] + theirs[1], mine[2] + theirs[2])

    __radd__ = __add__

    def __sub__(self, other: timedelta) -> "Interval":
        if not isinstance(other, timedelta):
            return NotImplemented
        mine, theirs = self.parts, parts_of(other)
        return Interval.from_parts(mine[0] - theirs[0], mine[1] - theirs[1], mine[2] - theirs[2])

    def __rsub__(self, other: timedelta) -> "Interval":
        if not isinstance(other, timedelta):
            return NotImplemented
        return -self + other

    def __neg__(self) -> "Interval":
        months, days, microseconds = self.parts
        return Interval.from_parts(-months, -days, -microseconds)

    def __pos__(self) -> "Interval":
        return self

    def __mul__(self, factor: Any) -> Any:
        if not isinstance(factor, int):
            return super().__mul__(factor)
        months, days, microseconds = self.parts
        return Interval.from_parts(months * factor, days * factor, microseconds * factor)

    __rmul__ = __mul__

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} cannot be changed: {name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_parts, self.parts

    def __str__(self) -> str:
        return interval_text(*self.parts)

    def __repr__(self) -> str:
        names = ("months", "days", "microseconds")
        shown = [f"{name}={n}" for name, n in zip(names, self.parts, strict=True) if n]
        return f"{type(self).__name__}({', '.join(shown)})"


# Where an interval keeps its parts: the one way to set them.
PARTS: Any = vars(Interval)["parts"]


def days_of_months(months: int) -> int:
    """A month is 30 days and a year 365, as asyncpg has it."""
    years = abs(months) // 12
    days = 365 * years + 30 * (abs(months) - 12 * years)
    return days if months >= 0 else -days


def parts_of(delta: timedelta) -> tuple[int, int, int]:
    """Months, days and microseconds as which `delta` is written: the last two of one sign.

    A timedelta counts microseconds up from its days: minus a second is minus a day and 86,399
    seconds. For the server a day is one of the calendar, so that this would be another span where
    daylight saving time begins or ends.
    """
    if isinstance(delta, Interval):
        return delta.parts
    days = delta.days
    microseconds = delta.seconds * 1_000_000 + delta.microseconds
    if days < 0 and microseconds:
        days += 1
        microseconds -= MICROSECONDS_PER_DAY
    return 0, days, microseconds


def clock_text(microseconds: int) -> str:
    """Microseconds, not negative, as hours (any number of them), minutes and seconds."""
    seconds = microseconds // 1_000_000
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    fraction = f"{microseconds % 1_000_000:06}".rstrip("0")
    return f"{text}.{fraction}" if fraction else text


def interval_text(months: int, days: int, microseconds: int) -> str:
    """An interval as the server prints it with IntervalStyle postgres, its default.

    Source: EncodeInterval in the server's datetime.c.
    """
    years = abs(months) // 12 if months >= 0 else -(abs(months) // 12)
    texts: list[str] = []
    behind_negative = False
    for number, unit in ((years, "year"), (months - 12 * years, "mon"), (days, "day")):
        if number:
            sign = "+" if behind_negative and number > 0 else ""
            texts.append(f"{sign}{number} {unit}{'' if number == 1 else 's'}")
            behind_negative = number < 0
    if microseconds or not texts:
        sign = "-" if microseconds < 0 else "+" if behind_negative else ""
        texts.append(sign + clock_text(abs(microseconds)))
    return " ".join(texts)
