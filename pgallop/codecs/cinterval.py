"""An instance of a class of timedeltas with a slot, as plain Python.

Compiled modules cimport the same name from `cinterval.pxd` and never reach this file.
"""

from datetime import timedelta
from typing import Any, TypeVar

Delta = TypeVar("Delta", bound=timedelta)


def new_interval(
    kind: type[Delta],
    slot: Any,
    days: int,
    seconds: int,
    microseconds: int,
    parts: tuple[int, int, int],
) -> Delta:
    """`seconds` and `microseconds` are less than a day and less than a second, as a timedelta's."""
    interval = timedelta.__new__(kind, days, seconds, microseconds)
    slot.__set__(interval, parts)
    return interval
