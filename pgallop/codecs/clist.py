"""A list of known length, filled in place, as plain Python.

Compiled modules cimport the same names from `clist.pxd` and never reach this file. There the slots
are empty at first, and each may be filled once.
"""

from typing import Any


def new_list(size: int) -> list[Any]:
    return [None] * size


def fill(values: list[Any], i: int, value: object) -> None:
    values[i] = value
