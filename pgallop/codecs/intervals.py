"""interval, as datetime.timedelta, or as Interval where that cannot say the same.

On the wire: microseconds, days and months, each for itself. A timedelta is written as days and
microseconds of the same sign (`parts_of` tells why), and what is of that form is read as one.

Source: interval_recv and interval_send in the server's timestamp.c.
"""

from datetime import timedelta
from typing import Any

from pgallop.codecs import cdatetime, cinterval
from pgallop.codecs._oids import OIDS
from pgallop.codecs.choices import DEFAULT, CodecChoices
from pgallop.codecs.datetimes import ROUND, TOO_FINE, USE_NONE, TemporalCodec
from pgallop.codecs.registry import Registry
from pgallop.values.infinities import INTERVAL_INFINITY, LONGEST, SHORTEST
from pgallop.values.intervals import PARTS, Interval, interval_text
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

cdatetime.import_datetime()

SECONDS_PER_DAY = 86400
MICROSECONDS_PER_DAY = 86_400_000_000

MAX_DELTA_DAYS = timedelta.max.days


class IntervalCodec(TemporalCodec):
    """datetime.timedelta and Interval both ways; in the sum, a year is 365 days, a month 30."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if type(value) is timedelta:
            self.write_delta(writer, value)
        elif isinstance(value, Interval):
            months, days, microseconds = value.parts
            self.write_parts(writer, months, days, microseconds)
        elif self.is_form(value):
            self.write_form(writer, value)
        else:
            self.write_delta(writer, self.plain(value))

    def write_delta(self, writer: Writer, delta: timedelta) -> None:
        days = cdatetime.timedelta_days(delta)
        seconds = cdatetime.timedelta_seconds(delta)
        microseconds = seconds * 1000000 + cdatetime.timedelta_microseconds(delta)
        if days < 0 and microseconds > 0:
            days += 1
            microseconds -= MICROSECONDS_PER_DAY
        self.write_parts(writer, 0, days, microseconds)

    def write_parts(self, writer: Writer, months: int, days: int, microseconds: int) -> None:
        writer.write_int64(microseconds)
        writer.write_int32(days)
        writer.write_int32(months)

    def plain(self, value: Any) -> timedelta:
        """What is no exact timedelta as one."""
        if not isinstance(value, timedelta):
            self.refuse(value)
        if getattr(value, "nanoseconds", 0):
            self.refuse(value, TOO_FINE, ROUND)
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
            return self.beyond(month, day, microseconds, days)
        seconds -= whole_days * SECONDS_PER_DAY
        if month == 0 and (
            (day >= 0 and microseconds >= 0 and microseconds < MICROSECONDS_PER_DAY)
            or (day <= 0 and microseconds <= 0 and microseconds > -MICROSECONDS_PER_DAY)
        ):
            return cdatetime.timedelta_new(days, seconds, microseconds % 1000000)
        parts = (month, day, microseconds)
        return cinterval.new_interval(Interval, PARTS, days, seconds, microseconds % 1000000, parts)

    def beyond(self, month: int, day: int, microseconds: int, days: int) -> Any:
        """Intervals that Python does not have, and infinity; `days` they are altogether."""
        parts = (month, day, microseconds)
        if parts == LONGEST:
            return INTERVAL_INFINITY
        if parts == SHORTEST:
            return -INTERVAL_INFINITY
        nearest = timedelta.max if days > 0 else timedelta.min
        limit = f"timedelta of {MAX_DELTA_DAYS} days"
        return self.beyond_python(interval_text(month, day, microseconds), limit, nearest)


def register(registry: Registry, choices: CodecChoices = DEFAULT) -> None:
    accepts = "datetime.timedelta or Interval"
    policy = choices.policy("interval")
    registry.add(IntervalCodec(OIDS["interval"], "interval", accepts, policy))
