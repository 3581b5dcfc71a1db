"""From the text forms of dates and times to their binary forms, and back; and those of intervals.

These forms depend on settings of the server. Taken are those of DateStyle ISO (with any order of
day and month, which counts for input only) and IntervalStyle postgres; they are the defaults, and
no other style writes the same text for another value.

The way back, `day_text` and those below it, is for what Python has no value for. Timestamps with a
time zone are in UTC there, as they are with the setting TimeZone = 'UTC'.

Source: EncodeDateOnly, EncodeTimeOnly, EncodeDateTime, EncodeInterval in the server's datetime.c.
"""

import re
from datetime import date
from struct import pack

from pgallop.codecs.textual_scalars import Form, malformed
from pgallop.values.intervals import clock_text

ISO = "in ISO style, which the setting DateStyle = 'ISO' makes"
POSTGRES = "in the style that the setting IntervalStyle = 'postgres' makes"

SECOND = 1_000_000
DAY = 86_400 * SECOND

EPOCH = date(2000, 1, 1).toordinal()
DAYS_OF_400_YEARS = 146_097

# The server's dates: from 4714-11-24 BC, which is day 0 of the Julian calendar, to 5874897-12-31.
FIRST_DAY = -2_451_545
LAST_DAY = 2_145_031_948

# The server's timestamps: the last microsecond is that of 294276-12-31.
LAST_MOMENT = 9_223_371_331_200_000_000 - 1

INFINITE_DAYS = {b"infinity": pack("!i", 2**31 - 1), b"-infinity": pack("!i", -(2**31))}
INFINITE_MOMENTS = {b"infinity": pack("!q", 2**63 - 1), b"-infinity": pack("!q", -(2**63))}
INFINITE_INTERVALS = {
    b"infinity": pack("!qii", 2**63 - 1, 2**31 - 1, 2**31 - 1),
    b"-infinity": pack("!qii", -(2**63), -(2**31), -(2**31)),
}

DATE = rb"(?P<year>\d{4,7})-(?P<month>\d\d)-(?P<day>\d\d)"
MINUTES = rb":(?P<minutes>\d\d):(?P<seconds>\d\d)(\.(?P<fraction>\d{1,6}))?"
CLOCK = rb"(?P<hours>\d\d)" + MINUTES
OFFSET = rb"(?P<east>[+-]1?\d\d(:\d\d){0,2})"  # of up to 167 hours, says POSIX
ERA = rb"(?P<era> BC)?"

DATES = re.compile(DATE + ERA)
TIMES = re.compile(CLOCK)
TIMES_WITH_OFFSET = re.compile(CLOCK + OFFSET)
MOMENTS = re.compile(DATE + b" " + CLOCK + ERA)
MOMENTS_WITH_OFFSET = re.compile(DATE + b" " + CLOCK + OFFSET + ERA)

# With a blank before each part.
INTERVALS = re.compile(
    rb"( (?P<years>[+-]?\d{1,9}) years?)?"
    rb"( (?P<months>[+-]?\d{1,10}) mons?)?"
    rb"( (?P<days>[+-]?\d{1,10}) days?)?"
    rb"( (?P<sign>[+-]?)(?P<hours>\d{2,10})" + MINUTES + rb")?"
)

Fields = dict[str, bytes]


def fields_of(pattern: re.Pattern[bytes], text: bytes, expected: str) -> Fields:
    """The parts of `text` by name; those that are not there are left out."""
    match = pattern.fullmatch(text)
    if match is None:
        raise malformed(text.strip(), expected)
    return {name: part for name, part in match.groupdict().items() if part is not None}


def day_number(fields: Fields, text: bytes) -> int:
    """Days from 2000-01-01, in any year: the calendar is the same every 400 years."""
    year, month, day = (int(fields[name]) for name in ("year", "month", "day"))
    if "era" in fields:
        year = 1 - year
    cycles, year = divmod(year, 400)
    try:
        number = date(2000 + year, month, day).toordinal() - EPOCH
    except ValueError:
        raise malformed(text, "a day of the calendar") from None
    return number + (cycles - 5) * DAYS_OF_400_YEARS


def microseconds(fields: Fields, text: bytes) -> int:
    """From midnight, or of an interval."""
    hours, minutes, seconds = (int(fields[name]) for name in ("hours", "minutes", "seconds"))
    if minutes > 59 or seconds > 59:
        raise malformed(text, "a time: it has more than 59 minutes or seconds")
    fraction = int(fields.get("fraction", b"").ljust(6, b"0"))
    return (hours * 3600 + minutes * 60 + seconds) * SECOND + fraction


def time_of_day(fields: Fields, text: bytes) -> int:
    """Microseconds from midnight; 24:00:00, the end of a day, is a time too."""
    number = microseconds(fields, text)
    if number > DAY:
        raise malformed(text, "a time of the day")
    return number


def seconds_east(fields: Fields, text: bytes) -> int:
    """The UTC offset."""
    offset = fields["east"]
    hours, minutes, seconds = [int(part) for part in [*offset[1:].split(b":"), b"0", b"0"][:3]]
    number = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59:
        raise malformed(text, "a time: its UTC offset has more than 59 minutes or seconds")
    return -number if offset[:1] == b"-" else number


def day(text: bytes) -> bytes:
    if text in INFINITE_DAYS:
        return INFINITE_DAYS[text]
    number = day_number(fields_of(DATES, text, f"a date {ISO}"), text)
    if not FIRST_DAY <= number <= LAST_DAY:
        raise malformed(text, "in the range of date")
    return pack("!i", number)


def clock(text: bytes) -> bytes:
    return pack("!q", time_of_day(fields_of(TIMES, text, "the text of a time"), text))


def clock_with_offset(text: bytes) -> bytes:
    fields = fields_of(TIMES_WITH_OFFSET, text, "the text of a timetz")
    return pack("!qi", time_of_day(fields, text), -seconds_east(fields, text))


def moment(name: str, pattern: re.Pattern[bytes]) -> Form:
    """For timestamps; where there is a UTC offset, the moment is in UTC."""

    def form(text: bytes) -> bytes:
        if text in INFINITE_MOMENTS:
            return INFINITE_MOMENTS[text]
        fields = fields_of(pattern, text, f"a {name} {ISO}")
        number = day_number(fields, text) * DAY + time_of_day(fields, text)
        if "east" in fields:
            number -= seconds_east(fields, text) * SECOND
        if not FIRST_DAY * DAY <= number <= LAST_MOMENT:
            raise malformed(text, f"in the range of {name}")
        return pack("!q", number)

    return form


def interval(text: bytes) -> bytes:
    """Such as `1 year 2 mons -3 days +04:05:06.7`."""
    if text in INFINITE_INTERVALS:
        return INFINITE_INTERVALS[text]
    fields = fields_of(INTERVALS, b" " + text, f"an interval {POSTGRES}")
    months = 12 * int(fields.get("years", b"0")) + int(fields.get("months", b"0"))
    days = int(fields.get("days", b"0"))
    time = microseconds(fields, text) if "hours" in fields else 0
    try:
        # Each of them in as many bytes as pack("!qii") gives it.
        return b"".join(
            [
                (-time if fields.get("sign") == b"-" else time).to_bytes(8, signed=True),
                days.to_bytes(4, signed=True),
                months.to_bytes(4, signed=True),
            ]
        )
    except OverflowError:
        raise malformed(text, "in the range of interval") from None


FORMS: dict[str, Form] = {
    "date": day,
    "time": clock,
    "timetz": clock_with_offset,
    "timestamp": moment("timestamp", MOMENTS),
    "timestamptz": moment("timestamptz", MOMENTS_WITH_OFFSET),
    "interval": interval,
}


def date_and_era(number: int) -> tuple[str, str]:
    """The day so many days from 2000-01-01, in any year, and " BC" or nothing."""
    cycles, days = divmod(number, DAYS_OF_400_YEARS)
    near = date.fromordinal(EPOCH + days)
    year = near.year + 400 * cycles
    era = ""
    if year < 1:
        year, era = 1 - year, " BC"
    return f"{year:04}-{near.month:02}-{near.day:02}", era


def day_text(number: int) -> str:
    """A date."""
    return "".join(date_and_era(number))


def moment_text(number: int, offset: str = "") -> str:
    """A timestamp, given in microseconds from 2000-01-01; `offset` is that from UTC."""
    days, microseconds = divmod(number, DAY)
    text, era = date_and_era(days)
    return f"{text} {clock_text(microseconds)}{offset}{era}"


def offset_text(east: int) -> str:
    """A UTC offset, given in seconds."""
    hours, seconds = divmod(abs(east), 3600)
    text = f"{'-' if east < 0 else '+'}{hours:02}"
    if seconds:
        text += f":{seconds // 60:02}"
    return f"{text}:{seconds % 60:02}" if seconds % 60 else text
