"""date, time, timetz, timestamp, timestamptz, as the classes of the datetime module.

PostgreSQL counts days and microseconds from 2000-01-01, in the same calendar as Python (the
Gregorian, for all time), but from 4713 BC to 5874897 (dates) or 294276 (timestamps). What Python
does not have is read as the codec's `out_of_range` says. `infinity` has classes of its own.

Instances of subclasses are read through their attributes, not through the fields in C, which pandas
and others do not keep up.

Source: the server's date.c and timestamp.c, functions *_recv and *_send.
"""

from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, NoReturn

from pgallop.codecs import cdatetime
from pgallop.codecs._oids import OIDS
from pgallop.codecs.choices import CLAMP, DEFAULT, RAISE, TEXT, CodecChoices
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual_datetimes import FORMS, day_text, moment_text, offset_text
from pgallop.errors import ProtocolError
from pgallop.values.infinities import (
    DATE_INFINITY,
    TIMESTAMP_INFINITY,
    TIMESTAMPTZ_INFINITY,
    InfiniteDay,
)
from pgallop.values.intervals import clock_text
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

cdatetime.import_datetime()

UTC = cdatetime.get_utc()

SECONDS_PER_DAY = 86400
EPOCH = date(2000, 1, 1).toordinal()
UNIX_EPOCH = 946684800  # 2000-01-01 in seconds from 1970
FIRST_DAY = date.min.toordinal() - EPOCH
LAST_DAY = date.max.toordinal() - EPOCH

# Microseconds from 2000-01-01 to datetime.min and datetime.max.
FIRST_MOMENT = FIRST_DAY * 86_400_000_000
LAST_MOMENT = LAST_DAY * 86_400_000_000 + 86_399_999_999

INFINITE_DAY = 2**31 - 1
MINUS_INFINITE_DAY = -INFINITE_DAY - 1
INFINITE_MOMENT = 2**63 - 1
MINUS_INFINITE_MOMENT = -INFINITE_MOMENT - 1

# TZDISP_LIMIT of the server: 16 hours, in seconds.
OFFSET_LIMIT = 57600

PYTHON_YEARS = f"years {MINYEAR} to {MAXYEAR}"

MINUS_DATE_INFINITY = -DATE_INFINITY
MINUS_TIMESTAMP_INFINITY = -TIMESTAMP_INFINITY
MINUS_TIMESTAMPTZ_INFINITY = -TIMESTAMPTZ_INFINITY

# What a subclass calls its missing value, such as pandas.NaT, has no year.
USE_NONE = "use None for a missing value"

# pandas has nanoseconds.
TOO_FINE = "has nanoseconds, and PostgreSQL's clock has microseconds"
ROUND = "round it to microseconds first"


def civil_date(day: int) -> int:
    """The date of a day counted from 2000-01-01: year << 9 | month << 5 | day of the month.

    Counted from 0000-03-01 on, leap days are the last ones of their year, and 400 years are 146,097
    days. Good for years before 1 and after 9999 too.
    """
    day += 730425
    era = day // 146097
    day -= era * 146097
    # Without the leap days passed (every 4 years, not every 100, every 400) a year has 365 days.
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    # The months from March on: 31, 30, 31, 30, 31 days, and again; so 153 days are 5 months.
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    year += 400 * era
    if month < 10:
        month += 3
    else:
        month -= 9
        year += 1
    # That is year << 9 | month << 5 | day + 1, but C leaves shifts of negative years undefined.
    return 512 * year + 32 * month + day + 1


def day_number(year: int, month: int, day: int) -> int:
    """The days from 2000-01-01 to a date of the calendar: the inverse of `civil_date`."""
    if month < 3:
        month += 12
        year -= 1
    days = 365 * year + year // 4 - year // 100 + year // 400
    return days + (153 * month - 457) // 5 + day - 730426


def microseconds_of(days: int, seconds: int, microseconds: int) -> int:
    return (days * SECONDS_PER_DAY + seconds) * 1000000 + microseconds


def moment_number(moment: datetime) -> int:
    """Microseconds from 2000-01-01 to `moment`, in its own time zone."""
    return microseconds_of(
        day_number(moment.year, moment.month, moment.day),
        moment.hour * 3600 + moment.minute * 60 + moment.second,
        moment.microsecond,
    )


def offset_microseconds(offset: timedelta) -> int:
    return microseconds_of(
        cdatetime.timedelta_days(offset),
        cdatetime.timedelta_seconds(offset),
        cdatetime.timedelta_microseconds(offset),
    )


class TemporalCodec(Codec):
    """What the types of this file share, and interval.

    `out_of_range`: what is made of a value that Python does not have: RAISE a ValueError, CLAMP it
    to the nearest one that Python has, or give its TEXT as the server prints it in ISO style. With
    TEXT a str in the same form is also taken.

    `max_is_infinity`: the last and the first value of Python stand for infinity, as in asyncpg.
    """

    __slots__ = ("max_is_infinity", "out_of_range")

    out_of_range: str
    max_is_infinity: bool

    def __init__(
        self,
        oid: int,
        name: str,
        accepts: str,
        out_of_range: str = RAISE,
        max_is_infinity: bool = False,
    ) -> None:
        if out_of_range == TEXT:
            accepts += ", or str (the text form)"
        super().__init__(oid, name, accepts)
        self.out_of_range = out_of_range
        self.max_is_infinity = max_is_infinity

    def beyond_python(self, text: str, limit: str, nearest: Any) -> Any:
        """What is made of a value, given as text, that exceeds a limit of Python's."""
        if self.out_of_range == TEXT:
            return text
        if self.out_of_range == CLAMP:
            return nearest
        raise ValueError(
            f"the {self.name} {text} is beyond Python's {limit}: cast it to text in SQL to read "
            f'it, or connect with out_of_range={{"{self.name}": "text"}}'
        )

    def is_form(self, value: Any) -> bool:
        return self.out_of_range == TEXT and isinstance(value, str)

    def write_form(self, writer: Writer, text: str) -> None:
        """Write a value that is given in its text form."""
        try:
            writer.write_bytes(FORMS[self.name](text.encode()))
        except ValueError as error:
            raise Unencodable(self, text, f"as a text form: {error}") from error


class DateCodec(TemporalCodec):
    """datetime.date both ways; of a datetime the date is taken."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if type(value) is date:
            self.write_day(writer, value)
        elif isinstance(value, InfiniteDay):
            # Infinite ones have the fields of the last and the first one.
            writer.write_int32(INFINITE_DAY if value.year == MAXYEAR else MINUS_INFINITE_DAY)
        elif self.is_form(value):
            self.write_form(writer, value)
        else:
            self.write_day(writer, self.plain(value))

    def write_day(self, writer: Writer, plain: date) -> None:
        day = day_number(plain.year, plain.month, plain.day)
        if self.max_is_infinity:
            if day == LAST_DAY:
                day = INFINITE_DAY
            elif day == FIRST_DAY:
                day = MINUS_INFINITE_DAY
        writer.write_int32(day)

    def plain(self, value: Any) -> date:
        """What is no exact date as one."""
        if not isinstance(value, date):
            self.refuse(value)
        try:
            return date(value.year, value.month, value.day)
        except (TypeError, ValueError):
            self.refuse(value, "not a date", USE_NONE)

    def decode(self, reader: Reader, size: int) -> Any:
        day = reader.read_int32()
        if day < FIRST_DAY or day > LAST_DAY:
            return self.beyond(day)
        packed = civil_date(day)
        return cdatetime.date_new(packed >> 9, packed >> 5 & 15, packed & 31)

    def beyond(self, day: int) -> Any:
        """Days that Python does not have."""
        nearest = date.max if day > 0 else date.min
        if day in (INFINITE_DAY, MINUS_INFINITE_DAY):
            if self.max_is_infinity:
                return nearest
            return DATE_INFINITY if day > 0 else MINUS_DATE_INFINITY
        return self.beyond_python(day_text(day), PYTHON_YEARS, nearest)


class TimeCodec(TemporalCodec):
    """datetime.time both ways; of a datetime the time is taken, and a UTC offset is ignored.

    24:00:00, which PostgreSQL has and Python has not, is out of range.
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if type(value) is time:
            self.write_clock(writer, value)
        elif self.is_form(value):
            self.write_form(writer, value)
        else:
            self.write_clock(writer, self.plain(value))

    def write_clock(self, writer: Writer, clock: time) -> None:
        seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
        writer.write_int64(microseconds_of(0, seconds, clock.microsecond))

    def plain(self, value: Any) -> time:
        """What is no exact time as one."""
        if not isinstance(value, (time, datetime)):
            self.refuse(value)
        if isinstance(value, InfiniteDay):
            self.refuse(value, "infinity has no time of day")
        if getattr(value, "nanosecond", 0):
            self.refuse(value, TOO_FINE, ROUND)
        try:
            return time(value.hour, value.minute, value.second, value.microsecond)
        except (TypeError, ValueError):
            self.refuse(value, "not a time", USE_NONE)

    def decode(self, reader: Reader, size: int) -> Any:
        return self.clock(reader.read_int64(), None)

    def clock(self, microseconds: int, zone: timezone | None) -> Any:
        """The time so many microseconds after midnight."""
        seconds = microseconds // 1000000
        if seconds < 0 or seconds >= SECONDS_PER_DAY:
            return self.beyond(microseconds, zone)
        second = seconds
        return cdatetime.time_new(
            second // 3600, second // 60 % 60, second % 60, microseconds % 1000000, zone
        )

    def beyond(self, microseconds: int, zone: timezone | None) -> Any:
        """The end of a day, which Python does not have."""
        if microseconds != microseconds_of(1, 0, 0):
            raise ProtocolError(f"a {self.name} has {microseconds} microseconds since midnight")
        text = clock_text(microseconds)
        if zone is not None:
            text += offset_text(offset_microseconds(zone.utcoffset(None)) // 1000000)
        return self.beyond_python(text, "23:59:59.999999", time.max.replace(tzinfo=zone))


class TimetzCodec(TimeCodec):
    """datetime.time with a fixed UTC offset both ways; of a datetime time and offset are taken."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if isinstance(value, (time, datetime)):
            self.write_clock_with_offset(writer, value)
        elif self.is_form(value):
            self.write_form(writer, value)
        else:
            self.refuse(value)

    def write_clock_with_offset(self, writer: Writer, value: Any) -> None:
        offset = value.utcoffset()
        if offset is None:
            self.refuse_zone(value)
        east = offset_microseconds(offset)
        seconds = east // 1000000
        if east != seconds * 1000000:
            self.refuse(value, "its UTC offset is not whole seconds")
        if seconds <= -OFFSET_LIMIT or seconds >= OFFSET_LIMIT:
            self.refuse(value, "its UTC offset is not less than 16 hours")
        self.write_clock(writer, value if type(value) is time else self.plain(value))
        # The server counts from the zone to UTC.
        writer.write_int32(-seconds)

    def refuse_zone(self, value: time | datetime) -> NoReturn:
        if value.tzinfo is None:
            self.refuse(value, "it has no UTC offset", "give it one: value.replace(tzinfo=...)")
        self.refuse(
            value,
            "its time zone has no UTC offset without a date",
            "use a fixed one: datetime.timezone(datetime.timedelta(hours=...))",
        )

    def decode(self, reader: Reader, size: int) -> Any:
        microseconds = reader.read_int64()
        west = reader.read_int32()
        if west == 0:
            return self.clock(microseconds, UTC)
        if west <= -OFFSET_LIMIT or west >= OFFSET_LIMIT:
            raise ProtocolError(f"a {self.name} is {west} seconds away from UTC")
        zone = cdatetime.timezone_new(cdatetime.timedelta_new(0, -west, 0))
        return self.clock(microseconds, zone)


class TimestampCodec(TemporalCodec):
    """datetime.datetime without a UTC offset both ways; takes a date as its midnight."""

    __slots__ = ("zone",)

    zone: tzinfo | None

    def __init__(
        self,
        oid: int,
        name: str,
        accepts: str,
        out_of_range: str = RAISE,
        max_is_infinity: bool = False,
        zone: tzinfo | None = None,
    ) -> None:
        super().__init__(oid, name, accepts, out_of_range, max_is_infinity)
        self.zone = zone

    def encode(self, writer: Writer, value: Any) -> None:
        if type(value) is datetime:
            self.write_datetime(writer, value, value)
        elif isinstance(value, InfiniteDay):
            self.write_infinity(writer, value)
        elif self.is_form(value):
            self.write_form(writer, value)
        else:
            self.write_datetime(writer, self.plain(value), value)

    def write_datetime(self, writer: Writer, moment: datetime, value: datetime) -> None:
        """Write `moment`, the plain form of `value`."""
        if moment.tzinfo is not None and moment.utcoffset() is not None:
            self.refuse_offset(value)
        self.write_moment(writer, moment_number(moment))

    def write_infinity(self, writer: Writer, value: InfiniteDay) -> None:
        aware = isinstance(value, datetime) and value.utcoffset() is not None
        if aware and self.zone is None:
            self.refuse_offset(value)
        writer.write_int64(INFINITE_MOMENT if value.year == MAXYEAR else MINUS_INFINITE_MOMENT)

    def refuse_offset(self, value: date) -> NoReturn:
        self.refuse(
            value,
            "it has a UTC offset, which a timestamp has not",
            "use timestamptz, or drop the offset: value.replace(tzinfo=None)",
        )

    def plain(self, value: Any) -> datetime:
        """What is no exact datetime as one."""
        if not isinstance(value, date):
            self.refuse(value)
        if getattr(value, "nanosecond", 0):
            self.refuse(value, TOO_FINE, ROUND)
        try:
            if not isinstance(value, datetime):
                return datetime(value.year, value.month, value.day)
            return datetime(
                value.year,
                value.month,
                value.day,
                value.hour,
                value.minute,
                value.second,
                value.microsecond,
                value.tzinfo,
                fold=value.fold,
            )
        except (TypeError, ValueError):
            self.refuse(value, "not a date and time", USE_NONE)

    def write_moment(self, writer: Writer, microseconds: int) -> None:
        """Write microseconds since 2000-01-01."""
        if self.max_is_infinity:
            if microseconds == LAST_MOMENT:
                microseconds = INFINITE_MOMENT
            elif microseconds == FIRST_MOMENT:
                microseconds = MINUS_INFINITE_MOMENT
        writer.write_int64(microseconds)

    def decode(self, reader: Reader, size: int) -> Any:
        microseconds = reader.read_int64()
        seconds = microseconds // 1000000
        day = seconds // SECONDS_PER_DAY
        if day < FIRST_DAY or day > LAST_DAY:
            return self.beyond(microseconds)
        packed = civil_date(day)
        second = seconds - day * SECONDS_PER_DAY
        return cdatetime.datetime_new(
            packed >> 9,
            packed >> 5 & 15,
            packed & 31,
            second // 3600,
            second // 60 % 60,
            second % 60,
            microseconds % 1000000,
            self.zone,
        )

    def beyond(self, microseconds: int) -> Any:
        """Moments that Python does not have; asyncpg's infinite ones have no UTC offset."""
        nearest = datetime.max if microseconds > 0 else datetime.min
        if microseconds in (INFINITE_MOMENT, MINUS_INFINITE_MOMENT):
            if self.max_is_infinity:
                return nearest
            if microseconds > 0:
                return TIMESTAMPTZ_INFINITY if self.zone else TIMESTAMP_INFINITY
            return MINUS_TIMESTAMPTZ_INFINITY if self.zone else MINUS_TIMESTAMP_INFINITY
        text = moment_text(microseconds, "+00" if self.zone else "")
        return self.beyond_python(text, PYTHON_YEARS, nearest.replace(tzinfo=self.zone))


class TimestamptzCodec(TimestampCodec):
    """datetime.datetime in UTC out; any datetime in, local time where it has no UTC offset.

    A date is its midnight in local time.
    """

    __slots__ = ()

    def __init__(
        self,
        oid: int,
        name: str,
        accepts: str,
        out_of_range: str = RAISE,
        max_is_infinity: bool = False,
    ) -> None:
        super().__init__(oid, name, accepts, out_of_range, max_is_infinity, UTC)

    def write_datetime(self, writer: Writer, moment: datetime, value: datetime) -> None:
        if moment.tzinfo is UTC:
            self.write_moment(writer, moment_number(moment))
        else:
            self.write_moment(writer, self.utc_number(moment))

    def utc_number(self, moment: datetime) -> int:
        """Microseconds from 2000-01-01 in UTC to `moment`."""
        offset = moment.utcoffset()
        microseconds = moment_number(moment)
        if offset is not None:
            return microseconds - offset_microseconds(offset)
        if self.max_is_infinity and microseconds in (FIRST_MOMENT, LAST_MOMENT):
            return microseconds  # infinite anywhere
        try:
            # Exact, as a float of whole seconds is. astimezone() differs in the hour that clocks
            # skip: there it takes the other one of the two offsets than PEP 495 says.
            seconds = int(moment.replace(microsecond=0, tzinfo=None).timestamp())
            return microseconds_of(0, seconds - UNIX_EPOCH, moment.microsecond)
        except (OverflowError, OSError, ValueError) as error:
            self.refuse(
                moment,
                f"it has no UTC offset, and the local one is not known ({error})",
                "give it one: value.replace(tzinfo=...)",
            )


def register(registry: Registry, choices: CodecChoices = DEFAULT) -> None:
    moment = "datetime.datetime or datetime.date"
    kinds: list[tuple[type[TemporalCodec], str, str]] = [
        (DateCodec, "date", "datetime.date"),
        (TimeCodec, "time", "datetime.time"),
        (TimetzCodec, "timetz", "datetime.time with a UTC offset"),
        (TimestampCodec, "timestamp", moment),
        (TimestamptzCodec, "timestamptz", moment),
    ]
    for kind, name, accepts in kinds:
        policy = choices.policy(name)
        registry.add(kind(OIDS[name], name, accepts, policy, choices.max_is_infinity))
