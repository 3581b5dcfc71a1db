"""date, time, timetz, timestamp, timestamptz, interval, as the classes of the datetime module.

PostgreSQL counts days and microseconds from 2000-01-01, in the same calendar as Python (the
Gregorian, for all time), but from 4713 BC to 5874897 (dates) or 294276 (timestamps). What Python
does not have raises ValueError on reading, except infinity: as in asyncpg, `infinity` is read as
Python's last date or datetime, `-infinity` as the first one, and both are written as infinity. So a
finite 9999-12-31 in a date column is read right but written back as infinity.

Instances of subclasses are read through their attributes, not through the fields in C, which pandas
and others do not keep up.

Source: the server's date.c and timestamp.c, functions *_recv and *_send.
"""

from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta, tzinfo
from typing import Any, NoReturn

from pgallop.codecs import cdatetime
from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

cdatetime.import_datetime()

UTC = cdatetime.get_utc()

SECONDS_PER_DAY = 86400
EPOCH = date(2000, 1, 1).toordinal()
FIRST_DAY = date.min.toordinal() - EPOCH
LAST_DAY = date.max.toordinal() - EPOCH

# Microseconds from 2000-01-01 to datetime.min and datetime.max.
FIRST_MOMENT = FIRST_DAY * 86_400_000_000
LAST_MOMENT = LAST_DAY * 86_400_000_000 + 86_399_999_999

INFINITE_DAY = 2**31 - 1
MINUS_INFINITE_DAY = -INFINITE_DAY - 1
INFINITE_MOMENT = 2**63 - 1
MINUS_INFINITE_MOMENT = -INFINITE_MOMENT - 1

MAX_DELTA_DAYS = timedelta.max.days

# TZDISP_LIMIT of the server: 16 hours, in seconds.
OFFSET_LIMIT = 57600

PYTHON_YEARS = f"years {MINYEAR} to {MAXYEAR}"

# What a subclass calls its missing value, such as pandas.NaT, has no year.
USE_NONE = "use None for a missing value"


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


def date_text(day: int) -> tuple[str, str]:
    """The day of any year as PostgreSQL prints it, and its era: " BC" or nothing."""
    packed = civil_date(day)
    year = packed >> 9
    era = ""
    if year < 1:
        year = 1 - year
        era = " BC"
    return f"{year:04}-{packed >> 5 & 15:02}-{packed & 31:02}", era


def clock_text(microseconds: int) -> str:
    """Microseconds, not negative, as hours (any number of them), minutes and seconds."""
    seconds = microseconds // 1000000
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    fraction = f"{microseconds % 1000000:06}".rstrip("0")
    return f"{text}.{fraction}" if fraction else text


class TemporalCodec(Codec):
    """What the types of this file share."""

    __slots__ = ()

    def unrepresentable(self, text: str, limit: str) -> ValueError:
        """The error for a value, given as text, that exceeds a limit of Python's."""
        return ValueError(
            f"the {self.name} {text} is beyond Python's {limit}: cast it to text in SQL to read it"
        )


class DateCodec(TemporalCodec):
    """datetime.date both ways; of a datetime the date is taken."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        plain = value if type(value) is date else self.plain(value)
        day = day_number(plain.year, plain.month, plain.day)
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

    def beyond(self, day: int) -> date:
        """Days that Python does not have."""
        if day == INFINITE_DAY:
            return date.max
        if day == MINUS_INFINITE_DAY:
            return date.min
        raise self.unrepresentable("".join(date_text(day)), PYTHON_YEARS)


class TimeCodec(TemporalCodec):
    """datetime.time both ways; of a datetime the time is taken, and a UTC offset is ignored.

    24:00:00, which PostgreSQL has and Python has not, raises ValueError.
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        clock = value if type(value) is time else self.plain(value)
        seconds = clock.hour * 3600 + clock.minute * 60 + clock.second
        writer.write_int64(microseconds_of(0, seconds, clock.microsecond))

    def plain(self, value: Any) -> time:
        """What is no exact time as one."""
        if not isinstance(value, (time, datetime)):
            self.refuse(value)
        try:
            return time(value.hour, value.minute, value.second, value.microsecond)
        except (TypeError, ValueError):
            self.refuse(value, "not a time", USE_NONE)

    def decode(self, reader: Reader, size: int) -> Any:
        return self.clock(reader.read_int64(), None)

    def clock(self, microseconds: int, zone: tzinfo | None) -> time:
        """The time so many microseconds after midnight."""
        seconds = microseconds // 1000000
        if seconds < 0 or seconds >= SECONDS_PER_DAY:
            self.beyond(microseconds)
        second = seconds
        return cdatetime.time_new(
            second // 3600, second // 60 % 60, second % 60, microseconds % 1000000, zone
        )

    def beyond(self, microseconds: int) -> NoReturn:
        if microseconds != microseconds_of(1, 0, 0):
            raise ProtocolError(f"a {self.name} has {microseconds} microseconds since midnight")
        raise self.unrepresentable("24:00:00", "23:59:59.999999")


class TimetzCodec(TimeCodec):
    """datetime.time with a fixed UTC offset both ways; of a datetime time and offset are taken."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, (time, datetime)):
            self.refuse(value)
        offset = value.utcoffset()
        if offset is None:
            self.refuse_zone(value)
        east = offset_microseconds(offset)
        seconds = east // 1000000
        if east != seconds * 1000000:
            self.refuse(value, "its UTC offset is not whole seconds")
        if seconds <= -OFFSET_LIMIT or seconds >= OFFSET_LIMIT:
            self.refuse(value, "its UTC offset is not less than 16 hours")
        TimeCodec.encode(self, writer, value)
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

    def __init__(self, oid: int, name: str, accepts: str, zone: tzinfo | None = None) -> None:
        super().__init__(oid, name, accepts)
        self.zone = zone

    def encode(self, writer: Writer, value: Any) -> None:
        moment = value if type(value) is datetime else self.plain(value)
        if moment.tzinfo is not None and moment.utcoffset() is not None:
            self.refuse(
                value,
                "it has a UTC offset, which a timestamp has not",
                "use timestamptz, or drop the offset: value.replace(tzinfo=None)",
            )
        self.write_moment(writer, moment_number(moment))

    def plain(self, value: Any) -> datetime:
        """What is no exact datetime as one."""
        if not isinstance(value, date):
            self.refuse(value)
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
        """Write microseconds since 2000-01-01, or infinity for Python's first and last ones."""
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
            return self.beyond(microseconds, day)
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

    def beyond(self, microseconds: int, day: int) -> datetime:
        """Moments that Python does not have; infinite ones have no UTC offset, as in asyncpg."""
        if microseconds == INFINITE_MOMENT:
            return datetime.max
        if microseconds == MINUS_INFINITE_MOMENT:
            return datetime.min
        text, era = date_text(day)
        clock = clock_text(microseconds % 86_400_000_000)
        offset = "+00" if self.zone else ""
        raise self.unrepresentable(f"{text} {clock}{offset}{era}", PYTHON_YEARS)


class TimestamptzCodec(TimestampCodec):
    """datetime.datetime in UTC out; any datetime in, local time where it has no UTC offset.

    A date is its midnight in local time.
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        moment = value if type(value) is datetime else self.plain(value)
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
        if microseconds in (FIRST_MOMENT, LAST_MOMENT):
            return microseconds
        try:
            return moment_number(moment.astimezone(UTC))
        except (OverflowError, OSError, ValueError) as error:
            self.refuse(
                moment,
                f"it has no UTC offset, and the local one is not known ({error})",
                "give it one: value.replace(tzinfo=...)",
            )


class IntervalCodec(TemporalCodec):
    """datetime.timedelta both ways; as in asyncpg, a year is read as 365 days, a month as 30.

    A timedelta has no months, so what was read with months is written back as days. The infinite
    intervals of PostgreSQL 17 raise ValueError.
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        delta = value if type(value) is timedelta else self.plain(value)
        seconds = cdatetime.timedelta_seconds(delta)
        microseconds = cdatetime.timedelta_microseconds(delta)
        writer.write_int64(microseconds_of(0, seconds, microseconds))
        writer.write_int32(cdatetime.timedelta_days(delta))
        writer.write_int32(0)

    def plain(self, value: Any) -> timedelta:
        """What is no exact timedelta as one."""
        if not isinstance(value, timedelta):
            self.refuse(value)
        try:
            return timedelta(value.days, value.seconds, value.microseconds)
        except (TypeError, OverflowError):
            self.refuse(value, "not a time span", USE_NONE)

    def decode(self, reader: Reader, size: int) -> Any:
        microseconds = reader.read_int64()
        day = reader.read_int32()
        month = reader.read_int32()
        year = month // 12 if month >= 0 else -(-month // 12)
        seconds = microseconds // 1000000
        whole_days = seconds // SECONDS_PER_DAY
        days = 365 * year + 30 * (month - 12 * year) + day + whole_days
        if days < -MAX_DELTA_DAYS or days > MAX_DELTA_DAYS:
            self.beyond(month, day, microseconds)
        return cdatetime.timedelta_new(
            days, seconds - whole_days * SECONDS_PER_DAY, microseconds % 1000000
        )

    def beyond(self, month: int, day: int, microseconds: int) -> NoReturn:
        if (month, day, microseconds) == (INFINITE_DAY, INFINITE_DAY, INFINITE_MOMENT):
            text = "infinity"
        elif (month, day, microseconds) == (
            MINUS_INFINITE_DAY,
            MINUS_INFINITE_DAY,
            MINUS_INFINITE_MOMENT,
        ):
            text = "-infinity"
        else:
            sign = "-" if microseconds < 0 else ""
            text = f"{month} months {day} days {sign}{clock_text(abs(microseconds))}"
        raise self.unrepresentable(text, f"timedelta of {MAX_DELTA_DAYS} days")


def register(registry: Registry) -> None:
    moment = "datetime.datetime or datetime.date"
    registry.add(DateCodec(OIDS["date"], "date", "datetime.date"))
    registry.add(TimeCodec(OIDS["time"], "time", "datetime.time"))
    registry.add(TimetzCodec(OIDS["timetz"], "timetz", "datetime.time with a UTC offset"))
    registry.add(TimestampCodec(OIDS["timestamp"], "timestamp", moment))
    registry.add(TimestamptzCodec(OIDS["timestamptz"], "timestamptz", moment, UTC))
    registry.add(IntervalCodec(OIDS["interval"], "interval", "datetime.timedelta"))
