# cython: nonecheck=True
# A codec of the user may give a Record that Python has made without its shape (see `record.py`).
"""Objects of the caller's classes, made of the values of a row.

`typed.py` plans once for a statement and a target what is to be done; here it is done for each row:
the values are checked (`fitting.py`), and a `Builder` makes the object.
"""

from collections.abc import Callable
from typing import Any

from pgallop.errors import DataError
from pgallop.rows import cpython, instances
from pgallop.rows.decode import RowDecoder
from pgallop.rows.fitting import Fit, Unfit
from pgallop.rows.record import Record, Shape
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader

# What is looked at in a value: nothing, whether it is None, or all that its Fit says. These are the
# bytes of `Builder.checks`.
FREE = 0
NOT_NULL = 1
FITTED = 2

# So many kinds of nested rows, told apart by their names, are remembered at one place.
MOST_SHAPES = 16

# So many objects that were made are shown to the collector in one turn of the loop.
SHOWN_AT_ONCE = 10_000

UNNAMED = (
    "its fields have no names, as those of ROW(...): cast it to a composite type that has them"
)


class Builder:
    """Makes an object of the values of a row; this one gives them as the tuple that they are.

    A subclass says how by its `make`.

    `owner`: what the target is called. `columns`: the names of the columns, `types` those of their
    types (empty where they are not known) and `fields` what they are called in the target. `checks`
    and `fits`: what is looked at in each value; `takes_all`: nothing, in those that are not None.
    `runs_code`: whether code of the program runs here.
    """

    __slots__ = ("checks", "columns", "fields", "fits", "owner", "runs_code", "takes_all", "types")

    owner: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    fields: tuple[str, ...]
    checks: bytes
    fits: tuple[Fit, ...]
    takes_all: bool
    runs_code: bool

    def __init__(
        self,
        owner: str,
        columns: tuple[str, ...],
        types: tuple[str, ...],
        fields: tuple[str, ...],
        checks: bytes,
        fits: tuple[Fit, ...],
        runs_code: bool,
    ) -> None:
        self.owner = owner
        self.columns = columns
        self.types = types
        self.fields = fields
        self.checks = checks
        self.fits = fits
        self.takes_all = FITTED not in checks
        self.runs_code = runs_code

    def build(self, values: tuple[Any, ...]) -> Any:
        """The object; Unfit if a value does not fit what the target declares."""
        return self.make(self.checked(values))

    def make(self, values: tuple[Any, ...]) -> Any:
        """The object, of values that fit."""
        return values

    def checked(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """The values as the target declares them."""
        checks = self.checks
        first = instances.first_in_question(values, checks)
        if first < 0:
            return values
        made: list[Any] | None = None
        i = first
        try:
            for i in range(first, len(values)):
                check = checks[i]
                if check == 1:  # NOT_NULL
                    if values[i] is None:
                        raise self.null(i)
                elif check == 2:  # FITTED
                    value = self.fit_at(i).take(values[i])
                    if value is not values[i]:
                        if made is None:
                            made = list(values)
                        made[i] = value
        except Unfit as error:
            error.path.append(self.columns[i])
            raise
        return values if made is None else tuple(made)

    def fit_at(self, i: int) -> Fit:
        return self.fits[i]

    def null(self, i: int) -> Unfit:
        return Unfit(f"expected {self.fits[i].expected}, got NULL")

    def told(self, error: Unfit, number: int) -> DataError:
        """What the caller is told of `error`, which is about the row with this number."""
        column, *inner = reversed(error.path) if error.path else [self.columns[0]]
        i = self.columns.index(str(column))
        place = "".join([f".{each}" if isinstance(each, str) else f"[{each}]" for each in inner])
        where = f", at {place}" if place else ""
        return DataError(
            f"rows[{number}]: {described(self, i)}{where}: {error.reason}", hint=error.hint
        )


def described(builder: Builder, i: int) -> str:
    """That column `i` does not fit, in words."""
    kind = f" ({builder.types[i]})" if builder.types[i] else ""
    return (
        f"column {builder.columns[i]!r}{kind} does not fit the field {builder.fields[i]!r} "
        f"of {builder.owner}"
    )


class Nested(Fit):
    """An object made of a value with named fields: a composite type's row, an object of JSON.

    `kind`: its class, for it may have been made already. `plan`: gives the Builder for names.
    """

    __slots__ = ("builder", "builders", "kind", "names", "plan")

    kind: type
    plan: "Callable[[tuple[str, ...]], Builder]"
    builders: "dict[tuple[str, ...], Builder]"
    names: tuple[str, ...] | None
    builder: "Builder | None"

    def __init__(
        self,
        expected: str,
        nullable: bool,
        kind: type,
        plan: "Callable[[tuple[str, ...]], Builder]",
    ) -> None:
        super().__init__(expected, nullable)
        self.kind = kind
        self.plan = plan
        self.builders = {}
        self.names = None
        self.builder = None
        self.converts = True

    def convert(self, value: Any) -> Any:
        kind: Any = type(value)  # pyright: ignore[reportUnknownVariableType]
        if isinstance(value, Record):
            record: Record = value
            names, fields = record.shape.names, record.fields
        elif kind is dict and all(type(key) is str for key in value):
            names, fields = tuple(value), tuple(value.values())
        elif isinstance(value, self.kind):
            return value
        else:
            refusal = self.refuse(value)
            refusal.hint = UNNAMED if kind is tuple else None
            raise refusal
        builder = self.builder
        if builder is None or (names is not self.names and names != self.names):
            builder = self.builder_of(names)
        instances.enter()  # JSON may be as deep as it likes, and so is what is made of it
        try:
            return builder.build(fields)
        finally:
            instances.leave()

    def builder_of(self, names: tuple[str, ...]) -> "Builder":
        """The builder for such values, planned now if it is new."""
        builder = self.builders.get(names)
        if builder is None:
            builder = self.plan(names)
            if len(self.builders) == MOST_SHAPES:
                self.builders.clear()
            self.builders[names] = builder
        self.names = names
        self.builder = builder
        return builder


class Records(Builder):
    """An instance of `kind`, a subclass of Record; the collector knows it from its beginning.

    It can have attributes, which can refer back to it.
    """

    __slots__ = ("kind", "shape")

    kind: type[Record]
    shape: Shape

    def make(self, values: tuple[Any, ...]) -> Any:
        made = instances.new_of(Record, self.kind)
        made.shape = self.shape
        made.fields = values
        return made


class WithColumns(Builder):
    """The values as they are, of a result that tells its columns too: it is always `Unbuilt`.

    For `pgallop.described`. `oids`: the types of the columns.
    """

    __slots__ = ("oids",)

    oids: tuple[int, ...]


class Lists(Builder):
    """A list of the values."""

    __slots__ = ()

    def make(self, values: tuple[Any, ...]) -> Any:
        return list(values)


class Mappings(Builder):
    """A dict with these `keys`, or what `finish` makes of it; `template` has them already."""

    __slots__ = ("finish", "keys", "template")

    keys: tuple[str, ...]
    template: dict[str, Any]
    finish: Callable[[dict[str, Any]], Any] | None

    def make(self, values: tuple[Any, ...]) -> Any:
        # A copy has its final size: 12 keys put into an empty dict make it grow twice.
        made = self.template.copy()
        keys = self.keys
        for i in range(len(values)):
            made[keys[i]] = values[i]
        return made if self.finish is None else self.finish(made)


class Tuples(Builder):
    """An instance of a NamedTuple, without its __new__: `order` tells the column of each item.

    -1 stands for the item's default, which is in `defaults`. Without an `order` it is that of the
    columns.
    """

    __slots__ = ("defaults", "kind", "order")

    kind: type
    order: tuple[int, ...] | None
    defaults: tuple[Any, ...]

    def make(self, values: tuple[Any, ...]) -> Any:
        if self.order is not None:
            values = arranged(values, self.order, self.defaults)
        return instances.tuple_of(self.kind, values)


def arranged(
    values: tuple[Any, ...], order: tuple[int, ...], defaults: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The values in another order, with the defaults of what no column has."""
    made = cpython.new_tuple(len(order))
    for i in range(len(order)):
        k = order[i]
        cpython.fill(made, i, values[k] if k >= 0 else defaults[i])
    return cpython.filled(made)


class Instances(Builder):
    """An instance whose attributes are set one by one, as its generated __init__ would set them.

    `names`: of the attribute for each column; `fill` sets them all, unless the class forbids to set
    any. `constants` and `factories`: pairs of a name, and of what stands there where there is no
    column, or of what makes it.
    """

    __slots__ = ("constants", "factories", "fill", "kind", "names")

    kind: type
    names: tuple[str, ...]
    fill: Callable[[Any, tuple[Any, ...]], None] | None
    constants: tuple[tuple[str, Any], ...]
    factories: tuple[tuple[str, Callable[[], Any]], ...]

    def make(self, values: tuple[Any, ...]) -> Any:
        made = instances.new(self.kind)
        if self.fill is not None:
            instances.fill(self.fill, made, values)
        else:
            instances.set_attributes(made, self.names, values)
        if self.constants:
            for name, value in self.constants:
                instances.set_attribute(made, name, value)
        if self.factories:
            for name, factory in self.factories:
                instances.set_attribute(made, name, factory())
        return made


class Calls(Builder):
    """What `function` returns, called with so many positional values and all others by `names`.

    `order`: the column of each argument, or None if it is that of the columns.
    """

    __slots__ = ("function", "names", "order", "positional")

    function: Callable[..., Any]
    positional: int
    names: tuple[str, ...]
    order: tuple[int, ...] | None

    def make(self, values: tuple[Any, ...]) -> Any:
        if self.order is not None:
            values = arranged(values, self.order, ())
        return instances.call(self.function, values, self.positional, self.names)


class Unbuilt:
    """Rows of which the objects are still to be made by code of the program, or are hidden.

    That is for the task of the caller, and not for who reads what the server sends: in the caller's
    context, where an exception finds him, and in pieces. `rows`: objects that are hidden up to
    `hidden`, as the list is then, and values behind them; `done`: how many are neither any more.
    """

    __slots__ = ("builder", "done", "hidden", "rows")

    rows: list[Any]
    builder: Builder
    done: int
    hidden: int

    def __init__(self, rows: list[Any], builder: Builder, done: int = 0, hidden: int = 0) -> None:
        self.rows = rows
        self.builder = builder
        self.done = done
        self.hidden = hidden
        if hidden:
            cpython.untrack(rows)

    def __repr__(self) -> str:
        return f"<Unbuilt {self.rows!r}>"

    def proceed(self, most: int, before: int = 0) -> bool:
        """Make up to `most` of them; whether all are made. `before`: how many rows came before.

        DataError if a value does not fit; anything that the program's code raises, with a note that
        tells the row.
        """
        if self.done < self.hidden:
            end = min(self.hidden, self.done + SHOWN_AT_ONCE)
            instances.show(self.rows, self.done, end)
            self.done = end
            if end == self.hidden:
                cpython.track(self.rows)
            return end == len(self.rows)
        end = min(len(self.rows), self.done + most)
        try:
            while self.done < end:
                self.rows[self.done] = self.builder.build(tuple(self.rows[self.done]))
                self.done += 1
        except Unfit as error:
            raise self.builder.told(error, before + self.done) from error
        except Exception as error:
            number = before + self.done
            error.add_note(f"in rows[{number}] of the result, into {self.builder.owner}")
            raise
        return end == len(self.rows)


class TypedRows:
    """Reads rows as `decoder` does, and makes of each what `builder` makes.

    Where the builder runs code of the program the values are only kept (`Unbuilt`). `hides`: what
    it makes is out of the collector's sight until the result is complete, for nobody else can see
    it: a result that grows would be walked again and again.
    """

    __slots__ = ("builder", "decoder", "hides")

    decoder: RowDecoder
    builder: Builder
    hides: bool

    def __init__(self, decoder: RowDecoder, builder: Builder) -> None:
        self.decoder = decoder
        self.builder = builder
        kind = builder.kind if isinstance(builder, (Instances, Tuples)) else None
        self.hides = kind is not None and not builder.runs_code and instances.is_collected(kind)

    def decode(self, reader: Reader, number: int) -> Any:
        """Read a DataRow to its end, which is the row of this number."""
        try:
            return self.read(reader)
        except Unfit as error:
            raise self.builder.told(error, number) from error
        except Exception as error:
            told = self.decoder.told(error)
            raise told from told.__cause__

    def decode_rows(self, framing: Framing, rows: list[Any], most: int) -> int:
        """Read the DataRows that are at hand, up to `most`, into `rows`; how many they were."""
        reader = framing.reader
        count = 0
        try:
            while count < most and framing.next_of(68):
                rows.append(self.read(reader))
                count += 1
        except Unfit as error:
            raise self.builder.told(error, len(rows)) from error
        except Exception as error:
            told = self.decoder.told(error)
            raise told from told.__cause__
        return count

    def read(self, reader: Reader) -> Any:
        # The record is used again for the next row, unless what is made keeps its values.
        decoder = self.decoder
        decoder.nulls = 0
        record = decoder.read(reader)
        builder = self.builder
        if builder.runs_code:
            return record.fields
        if builder.takes_all and decoder.nulls == 0:
            made = builder.make(record.fields)
        else:
            made = builder.build(record.fields)
        if self.hides:
            instances.hide(made)
        return made

    def finished(self, rows: list[Any]) -> Any:
        """The rows as the caller gets them, or Unbuilt."""
        if self.builder.runs_code or self.hides or isinstance(self.builder, WithColumns):
            return self.unbuilt(rows, len(rows))
        return rows

    def unbuilt(self, rows: list[Any], read: int) -> Unbuilt:
        """What is left to be done about rows: so many were read by this, then come values."""
        if self.builder.runs_code:
            return Unbuilt(rows, self.builder)
        if self.hides:
            return Unbuilt(rows, self.builder, 0, read)
        return Unbuilt(rows, self.builder, read)
