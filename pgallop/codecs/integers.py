"""Numbers of the wire as ints, as plain Python.

Compiled modules cimport the same names from `integers.pxd` and never reach this file. There each
int from 0 to 16,383 is made once.
"""


def integer(number: int) -> int:
    return number


def fill(values: list[int], i: int, number: int) -> None:
    values[i] = number
