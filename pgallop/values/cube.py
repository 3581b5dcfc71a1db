"""`Cube`: a point or a box in any number of dimensions, of the extension cube."""

from collections.abc import Iterable
from typing import Any, NoReturn, SupportsFloat, SupportsIndex, TypeAlias

# What float() takes.
Number: TypeAlias = SupportsFloat | SupportsIndex | str


class Cube:
    """A point or a box in any number of dimensions, the type `cube` of the extension; immutable.

    The corners are kept as they are given: the server, too, tells which is the lower one when it
    compares and not before. Two cubes are equal if the numbers of their corners are.

    Arguments
        low: the coordinates of a corner, which become floats.
        high: those of the opposite one; by default the same, and the cube is a point.

    Attributes
        low, high: the corners, tuples of floats.

    Errors raised
        ValueError: the corners have different numbers of coordinates.

    Example::

        box = Cube((1, 2, 3), (4, 5, 6))
        box.dimensions, box.high        # (3, (4.0, 5.0, 6.0))
        Cube((1, 2)).is_point           # True

    Source: PostgreSQL documentation, "Additional Supplied Modules and Extensions", "cube".
    """

    __slots__ = ("high", "low")

    __match_args__ = ("low", "high")

    low: tuple[float, ...]
    high: tuple[float, ...]

    def __init__(self, low: Iterable[Number], high: Iterable[Number] | None = None) -> None:
        first = tuple(map(float, low))
        second = first if high is None else tuple(map(float, high))
        if len(first) != len(second):
            raise ValueError(
                f"the corners of a cube have {len(first)} and {len(second)} coordinates"
            )
        object.__setattr__(self, "low", first)
        object.__setattr__(self, "high", second)

    @property
    def dimensions(self) -> int:
        """How many coordinates a corner has."""
        return len(self.low)

    @property
    def is_point(self) -> bool:
        """Whether both corners are the same."""
        return self.low == self.high

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cube):
            return NotImplemented
        return self.low == other.low and self.high == other.high

    def __hash__(self) -> int:
        return hash((self.low, self.high))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.low, self.high)

    def __repr__(self) -> str:
        corners = f"{self.low}" if self.is_point else f"{self.low}, {self.high}"
        return f"{type(self).__name__}({corners})"
