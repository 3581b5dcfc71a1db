# cython: nonecheck=True
# cython: binding=True
# Python can make a Record without its shape (`Record.__new__(Record)`, a subclass with an __init__
# that does not call ours); reading a column of it is an AttributeError then, and not a crash.
"""`Record`: one row, read by name, by index or as a sequence."""

from collections.abc import Iterator
from typing import Any

from pgallop.errors import InterfaceError
from pgallop.rows import cpython


class Shape:
    """The columns' names, shared by all records of a statement.

    It refers to nothing else: a record must not be able to close a cycle (see `decode.py`).
    """

    __slots__ = ("index", "names")

    names: tuple[str, ...]
    index: dict[str, int]

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        # Of several columns of one name the last is found by it; all are found by index.
        self.index = {name: i for i, name in enumerate(names)}


class Record:
    """One row of a result: a sequence of values that can also be read by column name.

    `record["name"]`, `record[0]`, `record[1:3]` (a tuple), `len`, iteration over the values,
    `keys()`, `values()`, `items()`, `get(name, default)`. `"name" in record` asks for a column.
    Records compare and hash like tuples of their values.

    Example::

        row = await conn.fetchrow("SELECT 1 AS id, 'Ada' AS name")
        row["name"], row[0], dict(row)   # 'Ada', 1, {'id': 1, 'name': 'Ada'}
    """

    __slots__ = ("fields", "shape")

    fields: tuple[Any, ...]
    shape: Shape

    def __init__(self, shape: Shape, fields: tuple[Any, ...]) -> None:
        if len(fields) != len(shape.names):
            raise ValueError(f"{len(fields)} values for {len(shape.names)} columns")
        self.shape = shape
        self.fields = fields

    def item(self, key: Any) -> Any:
        if isinstance(key, str):
            position = self.shape.index.get(key)
            if position is None:
                raise KeyError(key)
            return self.fields[position]
        return self.fields[key]

    # Without overloads: compiled they would hide it from subclasses and from `record.__getitem__`.
    def __getitem__(self, key: str | int | slice) -> Any:
        return self.item(key)

    def __len__(self) -> int:
        return len(self.fields)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fields)

    def __contains__(self, key: object) -> bool:
        return key in self.shape.index

    def get(self, key: str, default: Any = None) -> Any:
        """The value of the column `key`, or `default` if there is no such column."""
        position = self.shape.index.get(key)
        return default if position is None else self.fields[position]

    def keys(self) -> Iterator[str]:
        """The columns' names, in order."""
        return iter(self.shape.names)

    def values(self) -> Iterator[Any]:
        """The values, in order."""
        return iter(self.fields)

    def items(self) -> Iterator[tuple[str, Any]]:
        """Pairs of name and value, in order."""
        return zip(self.shape.names, self.fields, strict=True)

    def __repr__(self) -> str:
        # Columns of one name are all shown, so no dict in between.
        columns = " ".join([f"{name}={value!r}" for name, value in self.items()])
        return f"<{type(self).__name__} {columns}>" if columns else f"<{type(self).__name__}>"

    def __hash__(self) -> int:
        return hash(self.fields)

    def __eq__(self, other: object) -> bool:
        return self.fields == plain(other) if comparable(other) else NotImplemented

    def __ne__(self, other: object) -> bool:
        return self.fields != plain(other) if comparable(other) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.fields < plain(other) if comparable(other) else NotImplemented

    def __le__(self, other: object) -> bool:
        return self.fields <= plain(other) if comparable(other) else NotImplemented

    def __gt__(self, other: object) -> bool:
        return self.fields > plain(other) if comparable(other) else NotImplemented

    def __ge__(self, other: object) -> bool:
        return self.fields >= plain(other) if comparable(other) else NotImplemented

    def __reduce__(self) -> tuple[Any, ...]:
        return restore, (type(self), self.shape.names, self.fields)


def new_record(shape: Shape, fields: Any, atomic: bool) -> Record:
    """A record of `fields`; the collector is shown both, unless the fields are `atomic`."""
    record = Record.__new__(Record)
    record.shape = shape
    record.fields = fields
    if atomic:
        cpython.untrack(record)
    else:
        cpython.track(fields)
    return record


def check_record_class(kind: object) -> None:
    """InterfaceError unless rows can be made into `kind` as into Records: Record or a subclass."""
    if not (isinstance(kind, type) and issubclass(kind, Record)):
        raise InterfaceError(
            f"record_class is expected to be a subclass of pgallop.Record, got {kind!r:.200}"
        )
    if kind.__new__ is not Record.__new__ or kind.__init__ is not Record.__init__:
        raise InterfaceError(
            "record_class must not redefine __new__ or __init__: records are made without them",
            hint="compute what it needs in a property, or pass a class of your own as into=",
        )


def comparable(other: object) -> bool:
    return isinstance(other, (Record, tuple))


def plain(other: Any) -> tuple[Any, ...]:
    return tuple(other)


def restore(kind: type[Record], names: tuple[str, ...], fields: tuple[Any, ...]) -> Record:
    """Build a record again from its pickled parts."""
    return kind(Shape(names), fields)
