"""`SparseVector`: values of pgvector's `sparsevec`."""

from collections.abc import Iterable, Mapping
from operator import index
from typing import Any, NoReturn, SupportsFloat, SupportsIndex, TypeAlias, cast

Number: TypeAlias = SupportsFloat | SupportsIndex


class SparseVector:
    """A vector most of whose numbers are 0, pgvector's `sparsevec`; immutable.

    Kept are the others, in the order of their indices. These count from 0, as in Python and in
    pgvector's own package; in SQL they count from 1: `SparseVector({0: 1.5}, 3)` is `{1:1.5}/3`.
    Zeros among what is given are left out. The server keeps numbers as float4.

    Arguments
        elements: a mapping of indices to numbers, or all numbers one by one.
        dimensions: how many numbers there are, zeros included; only with a mapping, and needed
            there.

    Attributes
        dimensions: how many numbers there are, zeros included.
        indices: where those stand that are not 0, ascending, a tuple of ints.
        values: these numbers, a tuple of as many floats.

    Errors raised
        ValueError: an index is out of range, or `dimensions` is missing, negative or too much.

    Example::

        vector = SparseVector({0: 1.5, 3: 2}, 5)
        vector.indices, vector.values       # ((0, 3), (1.5, 2.0))
        vector.to_list()                    # [1.5, 0.0, 0.0, 2.0, 0.0]
        SparseVector([0, 7]).to_dict()      # {1: 7.0}

    Source: pgvector's README, "Sparse Vectors"; sparsevec_recv in its sparsevec.c.
    """

    __slots__ = ("dimensions", "indices", "values")

    dimensions: int
    indices: tuple[int, ...]
    values: tuple[float, ...]

    def __init__(
        self,
        elements: Mapping[int, Number] | Iterable[Number],
        dimensions: int | None = None,
    ) -> None:
        if isinstance(elements, Mapping):
            if dimensions is None:
                raise ValueError("dimensions is missing: a mapping does not tell it")
            count = index(dimensions)
            pairs = cast("Mapping[int, Number]", elements)
            numbers = {index(key): float(number) for key, number in pairs.items()}
        else:
            if dimensions is not None:
                raise ValueError("dimensions is given, and all the numbers, too: leave it out")
            numbers = {key: float(number) for key, number in enumerate(elements)}
            count = len(numbers)
        if count < 0:
            raise ValueError(f"dimensions must not be negative: {count}")
        for key in numbers:
            if not 0 <= key < count:
                raise ValueError(f"the index {key} is out of range: there are {count} dimensions")
        kept = sorted(key for key, number in numbers.items() if number != 0)
        object.__setattr__(self, "dimensions", count)
        object.__setattr__(self, "indices", tuple(kept))
        object.__setattr__(self, "values", tuple([numbers[key] for key in kept]))

    def to_list(self) -> list[float]:
        """All numbers, zeros included: as many as there are dimensions."""
        numbers = [0.0] * self.dimensions
        for key, number in zip(self.indices, self.values, strict=True):
            numbers[key] = number
        return numbers

    def to_dict(self) -> dict[int, float]:
        """The numbers that are not 0, by their indices."""
        return dict(zip(self.indices, self.values, strict=True))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SparseVector):
            return NotImplemented
        return (self.dimensions, self.indices, self.values) == (
            other.dimensions,
            other.indices,
            other.values,
        )

    def __hash__(self) -> int:
        return hash((self.dimensions, self.indices, self.values))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.to_dict(), self.dimensions)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.to_dict()}, {self.dimensions})"
