"""A list of known length, filled in place, as plain Python.

Compiled modules cimport the same names from `clist.pxd` and never reach this file. There the slots
are empty at first, and each may be filled once; the garbage collector is shown the list when it is
`filled`.
"""

from typing import Any


def new_list(size: int) -> list[Any]:
    return [None] * size


def fill(values: list[Any], i: int, value: object) -> None:
    values[i] = value


def filled(values: list[Any]) -> list[Any]:
    return values
