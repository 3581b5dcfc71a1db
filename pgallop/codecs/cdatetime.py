"""The C interface of the datetime module, as plain Python.

In compiled modules this name is Cython's `cpython.datetime`, and this file is never reached. There
the constructors skip the parsing of arguments, and the accessors read the fields of the object.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone

date_new = date
datetime_new = datetime
time_new = time
timedelta_new = timedelta
timezone_new = timezone


def import_datetime() -> None:
    """In C: find the datetime module's functions, before the first use."""


def get_utc() -> timezone:
    return UTC


def timedelta_days(delta: timedelta) -> int:
    return delta.days


def timedelta_seconds(delta: timedelta) -> int:
    return delta.seconds


def timedelta_microseconds(delta: timedelta) -> int:
    return delta.microseconds
