"""CPython calls that have no spelling in Python, as plain Python.

Compiled modules cimport the same names from `cpython.pxd` and never reach this file. There a tuple
is filled in place, out of the collector's sight until it is shown to it (`track`); here a list
stands in for it until it is complete.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pgallop.codecs.codec import Codec


def new_tuple(size: int) -> list[Any]:
    return [None] * size


def fill(values: list[Any], i: int, value: object) -> None:
    values[i] = value


def filled(values: list[Any]) -> tuple[Any, ...]:
    return tuple(values)


def codec_at(codecs: "tuple[Codec, ...]", i: int) -> "Codec":
    return codecs[i]


def untrack(value: object) -> None:
    """Take `value` out of the garbage collector's sight; interpreted code cannot and need not."""


def track(value: object) -> None:
    """Show it to the collector again."""
