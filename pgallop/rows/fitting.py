"""What is declared for a value of a row: checked, and made into what is wanted.

Made from annotations, in `annotations.py`; asked for each value, in `building.py`.
"""

from collections.abc import Iterable
from typing import Any

from pgallop.codecs.codec import shown
from pgallop.rows import instances
from pgallop.rows.record import Record


class Unfit(Exception):
    """A value that does not fit what is declared for it; becomes a DataError that names both.

    `path`: where the value stands, from the inside out: names of columns, numbers of items.
    """

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint
        self.path: list[str | int] = []


class Fit:
    """What is declared for a value: `take` checks it and makes of it what is wanted.

    `expected`: what that is, for messages. `nullable`: whether None is taken for NULL. `converts`:
    whether what comes out may be another object. This one takes everything.
    """

    __slots__ = ("converts", "expected", "nullable")

    expected: str
    nullable: bool
    converts: bool

    def __init__(self, expected: str, nullable: bool = True) -> None:
        self.expected = expected
        self.nullable = nullable
        self.converts = False

    def take(self, value: Any) -> Any:
        """What becomes of `value`, or Unfit."""
        if value is not None:
            return self.convert(value)
        if not self.nullable:
            raise Unfit(f"expected {self.expected}, got NULL")
        return None

    def convert(self, value: Any) -> Any:
        return value

    def refuse(self, value: Any) -> Unfit:
        return Unfit(f"expected {self.expected}, got {type(value).__name__}: {shown(value)}")


class Leaf(Fit):
    """An instance of one of some classes; `kind` is the first of them."""

    __slots__ = ("kind", "kinds")

    kind: type
    kinds: tuple[type, ...]

    def __init__(self, expected: str, nullable: bool, kinds: tuple[type, ...]) -> None:
        super().__init__(expected, nullable)
        self.kinds = kinds
        self.kind = kinds[0]

    def convert(self, value: Any) -> Any:
        if type(value) is self.kind or isinstance(value, self.kinds):
            return value
        raise self.refuse(value)


class OneOf(Fit):
    """One of the values of a Literal, of its very type: True is not 1."""

    __slots__ = ("values",)

    values: tuple[Any, ...]

    def __init__(self, expected: str, nullable: bool, values: tuple[Any, ...]) -> None:
        super().__init__(expected, nullable)
        self.values = values

    def convert(self, value: Any) -> Any:
        for each in self.values:
            if type(value) is type(each) and value == each:
                return value
        raise self.refuse(value)


class Member(Fit):
    """A member of an Enum, found by its value."""

    __slots__ = ("kind",)

    kind: type

    def __init__(self, expected: str, nullable: bool, kind: type) -> None:
        super().__init__(expected, nullable)
        self.kind = kind
        self.converts = True

    def convert(self, value: Any) -> Any:
        if type(value) is self.kind:
            return value
        try:
            return self.kind(value)
        except (ValueError, TypeError):
            raise self.refuse(value) from None


class Items(Fit):
    """A list, of whose items `item` is declared."""

    __slots__ = ("item",)

    item: Fit

    def __init__(self, expected: str, nullable: bool, item: Fit) -> None:
        super().__init__(expected, nullable)
        self.item = item
        self.converts = item.converts

    def convert(self, value: Any) -> Any:
        kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
        if kind is not list:
            raise self.refuse(value)
        item = self.item
        i = 0
        made: list[Any] = []
        try:
            if not self.converts:
                for i in range(len(value)):
                    item.take(value[i])
                return value
            # Another list: this one may be kept by the codec that has made it.
            for i in range(len(value)):
                made.append(item.take(value[i]))
        except Unfit as error:
            error.path.append(i)
            raise
        return made


class Choice(Fit):
    """What one of several Fits takes; the first one that does."""

    __slots__ = ("fits",)

    fits: tuple[Fit, ...]

    def __init__(self, expected: str, nullable: bool, fits: tuple[Fit, ...]) -> None:
        super().__init__(expected, nullable)
        self.fits = fits
        self.converts = any(fit.converts for fit in fits)

    def convert(self, value: Any) -> Any:
        for fit in self.fits:
            try:
                return fit.convert(value)
            except Unfit:
                continue
        raise self.refuse(value)


class Plain(Fit):
    """Whatever it is, with dicts in the place of records: for classes that check for themselves."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("anything")
        self.converts = True

    def convert(self, value: Any) -> Any:
        kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
        if isinstance(value, Record):
            return dict(zip(value.keys(), self.items(value), strict=True))
        if kind is list:
            return self.items(value)
        if kind is tuple:
            return tuple(self.items(value))
        return value

    def items(self, values: Iterable[Any]) -> list[Any]:
        instances.enter()
        try:
            return [self.take(each) for each in values]
        finally:
            instances.leave()
