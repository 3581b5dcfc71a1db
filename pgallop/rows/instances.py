"""Instances of the caller's classes made without their Python code, as plain Python.

Compiled modules cimport the same names from `instances.pxd` and never reach this file. What may be
made this way is decided in `targets.py`: only what the class itself would make of the same values.
"""

from collections.abc import Callable
from typing import Any


def tuple_of(kind: type, values: tuple[Any, ...]) -> Any:
    """An instance of `kind`, a class of tuples, with these items."""
    return tuple[Any, ...].__new__(kind, values)  # pyright: ignore[reportUnknownVariableType]


def new(kind: type) -> Any:
    """An instance of `kind`, none of whose attributes is set."""
    return object.__new__(kind)  # pyright: ignore[reportUnknownVariableType]


def new_of(base: Any, kind: type) -> Any:
    """What `base.__new__` makes of `kind`, a subclass that has none of its own."""
    return base.__new__(kind)


def set_attribute(made: Any, name: str, value: object) -> None:
    """Set an attribute of a new instance, as `object.__setattr__` does."""
    object.__setattr__(made, name, value)


def set_attributes(made: Any, names: tuple[str, ...], values: tuple[Any, ...]) -> None:
    """Set one attribute for each of the values."""
    for name, value in zip(names, values, strict=True):
        object.__setattr__(made, name, value)


def fill(
    function: Callable[[Any, tuple[Any, ...]], None], made: Any, values: tuple[Any, ...]
) -> None:
    """Call `function` for the object and its values."""
    function(made, values)


def first_in_question(values: tuple[Any, ...], checks: bytes) -> int:
    """The first value that is looked at (2), or that is None and must not be (1); -1 if none is."""
    for i, check in enumerate(checks):
        if check == 2 or (check == 1 and values[i] is None):
            return i
    return -1


def call(
    function: Callable[..., Any], values: tuple[Any, ...], positional: int, names: tuple[str, ...]
) -> Any:
    """Call `function` with so many positional values, and the others by these names."""
    return function(*values[:positional], **dict(zip(names, values[positional:], strict=True)))


def enter() -> None:
    """RecursionError if too many calls are in progress; Python counts its own. See `leave`."""


def leave() -> None:
    """The call that was entered is over."""


def is_collected(kind: type) -> bool:
    """Whether the collector is told of the instances of a class, so that they can be hidden."""
    return False  # interpreted code cannot


def hide(made: object) -> None:
    """Take a new instance out of the garbage collector's sight; interpreted code cannot."""


def show(rows: list[Any], start: int, end: int) -> None:
    """Show `rows[start:end]` to the collector again."""
