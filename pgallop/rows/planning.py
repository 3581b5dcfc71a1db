"""Rows as what the caller wants them to be (`into=`): planned once for a statement and a target.

A plan brings the columns of a result together with the fields of a target, by name. Whatever cannot
fit for any row is refused here, before the first one is read. The rest is `building.py`'s.
"""

import sys
import typing
from collections.abc import Callable
from functools import partial
from typing import Any

from pgallop.codecs.codec import Codec
from pgallop.errors import DataError
from pgallop.rows.annotations import asks_code, fit_of, fits_always, objection
from pgallop.rows.building import (
    FITTED,
    FREE,
    NOT_NULL,
    Builder,
    Calls,
    Instances,
    Lists,
    Mappings,
    Records,
    Tuples,
    WithColumns,
    described,
)
from pgallop.rows.decode import RowDecoder
from pgallop.rows.fitting import Fit, Plain, Unfit
from pgallop.rows.record import Shape
from pgallop.rows.targets import (
    CALL,
    INSTANCE,
    LIST,
    MAPPING,
    MISSING,
    MODEL,
    NAMED_TUPLE,
    RECORD,
    TUPLE,
    Field,
    Target,
    row_class,
    target_of,
)

ANYTHING = Fit("anything")

Columns = tuple[str, ...]
# None for those that are not known.
Codecs = tuple[Codec | None, ...]


def builder_for(decoder: RowDecoder, into: Any) -> Builder:
    """What makes the rows that `decoder` reads into `into`; see `typed_rows`."""
    names = decoder.shape.names
    if into is WithColumns:
        return with_columns(names, decoder.codecs)
    return Planner().plan(target_of(into), names, decoder.codecs)


def with_columns(names: Columns, codecs: tuple[Codec, ...]) -> WithColumns:
    """The builder for tuples of a result that tells its columns."""
    types = tuple([codec.name for codec in codecs])
    fits = (ANYTHING,) * len(names)
    builder = WithColumns("tuple", names, types, names, bytes(len(names)), fits, False)
    builder.oids = tuple([codec.oid for codec in codecs])
    return builder


def check_target(into: Any) -> None:
    """InterfaceError unless rows can be made into `into`, of whatever columns."""
    planner = Planner()
    target = target_of(into)
    for field in target.fields:
        fit_of(field.annotation, planner.nest, target.variables)


class Planner:
    """Plans for one target and all the classes that it mentions.

    `runs_code`: whether one of them runs code of the program; a class can mention itself.
    """

    def __init__(self) -> None:
        self.targets: dict[Any, Target | None] = {}
        self.runs_code = False

    def plan(self, target: Target, columns: Columns, codecs: Codecs) -> Builder:
        """The builder for rows of these columns."""
        found = match(target, columns)
        fits: list[Fit] = []
        checks = bytearray()
        for i, field in enumerate(found):
            check, fit = self.fit(target, field, codecs[i])
            checks.append(check)
            fits.append(fit)
        names = tuple([sys.intern(field.name) for field in found])
        types = tuple(["" if codec is None else codec.name for codec in codecs])
        runs_code = target.runs_code or self.runs_code
        common = (target.name, columns, types, names, bytes(checks), tuple(fits), runs_code)
        for i, (fit, codec) in enumerate(zip(fits, codecs, strict=True)):
            reason = None if codec is None or checks[i] == FREE else objection(fit, codec)
            if reason is not None:
                text, hint = reason
                raise DataError(f"{described(Builder(*common), i)}: {text}", hint=hint)
        return builder_of(target, found, common)

    def fit(self, target: Target, field: Field, codec: Codec | None) -> tuple[int, Fit]:
        """How a value is looked at, one of the checks of Builder, and its Fit."""
        if target.validates:
            is_plain = codec is not None and codec.atomic
            return (FREE, ANYTHING) if is_plain else (FITTED, Plain())
        fit = self.fit_of(target, field)
        if fit is None:
            return FREE, ANYTHING
        if codec is not None and fits_always(fit, codec):
            return (FREE if fit.nullable else NOT_NULL), fit
        return FITTED, fit

    def fit_of(self, target: Target, field: Field) -> Fit | None:
        """What the field declares; None if it takes everything."""
        fit = fit_of(field.annotation, self.nest, target.variables)
        self.runs_code = self.runs_code or (fit is not None and asks_code(fit))
        return fit

    def nest(self, annotation: Any) -> Any:
        """What plans for values with names, if the annotation is a class that is made of such."""
        try:
            hash(annotation)
        except TypeError:  # list[Annotated[int, {}]] is not hashable
            annotation = typing.get_origin(annotation)
        if annotation not in self.targets:
            self.targets[annotation] = target = row_class(annotation)
            if target is not None:
                self.runs_code = self.runs_code or target.runs_code
                # All that it mentions may run code as well.
                for field in target.fields:
                    self.fit_of(target, field)
        target = self.targets[annotation]
        return None if target is None else partial(self.plan_nested, target)

    def plan_nested(self, target: Target, columns: Columns) -> Builder:
        """The builder for a value with names within a row; Unfit if these do not fit."""
        try:
            return self.plan(target, columns, (None,) * len(columns))
        except DataError as error:
            raise Unfit(error.message or "", error.hint) from error


def match(target: Target, columns: Columns) -> list[Field]:
    """The field of each column, or DataError."""
    by_column = {column: field for field in target.fields for column in field.columns}
    found: list[Field] = []
    filled: dict[str, str] = {}
    takes_twice = target.how in (TUPLE, LIST, RECORD)
    for column in columns:
        field = by_column.get(column)
        if column in target.refused and field is None:
            raise DataError(
                f"column {column!r} cannot be taken by {target.name}: {target.refused[column]}"
            )
        if field is None and not target.takes_all and not target.ignores:
            raise DataError(
                f"column {column!r} has no field in {target.name}",
                detail=f"its fields are of the columns {', '.join(by_column) or '(none)'}",
                hint="leave it out of the query, give it another name with AS, or add the field",
            )
        field = field or Field(column, (column,))
        if field.name in filled and not takes_twice:
            raise DataError(
                f"columns {filled[field.name]!r} and {column!r} are both for the field "
                f"{field.name!r} of {target.name}",
                hint="give one of them another name with AS, or leave it out",
            )
        filled[field.name] = column
        found.append(field)
    for field in target.fields:
        if field.required and field.name not in filled:
            names = " or ".join(map(repr, field.columns))
            raise DataError(
                f"field {field.name!r} of {target.name} has no default, and no column {names}",
                detail=f"the columns are {', '.join(columns) or '(none)'}",
                hint="add it to the query, or give the field a default",
            )
    return found


def builder_of(target: Target, found: list[Field], common: tuple[Any, ...]) -> Builder:
    """The builder for a target, from what its constructor takes and the fields of the columns."""
    if target.how == TUPLE:
        return Builder(*common)
    if target.how == LIST:
        return Lists(*common)
    if target.how == RECORD:
        return records(target, common)
    if target.how in (MAPPING, MODEL):
        columns: Columns = common[1]
        return mappings(target, columns, common)
    if target.how == NAMED_TUPLE:
        return tuples(target, found, common)
    if target.how == INSTANCE:
        return fillings(target, found, common)
    assert target.how == CALL
    return calls(target, found, common)


def records(target: Target, common: tuple[Any, ...]) -> Builder:
    builder = Records(*common)
    builder.kind = target.make
    builder.shape = Shape(common[1])
    return builder


def mappings(target: Target, columns: Columns, common: tuple[Any, ...]) -> Builder:
    builder = Mappings(*common)
    builder.keys = columns
    builder.template = dict.fromkeys(columns)
    builder.finish = target.make if target.how == MODEL else None
    return builder


def tuples(target: Target, found: list[Field], common: tuple[Any, ...]) -> Builder:
    builder = Tuples(*common)
    builder.kind = target.make
    builder.order = None
    builder.defaults = tuple([field.default for field in target.fields])
    places = {field.name: i for i, field in enumerate(found)}
    order = tuple([places.get(field.name, -1) for field in target.fields])
    if order != tuple(range(len(found))):
        builder.order = order
    return builder


def fillings(target: Target, found: list[Field], common: tuple[Any, ...]) -> Builder:
    builder = Instances(*common)
    builder.kind = target.make
    builder.names = tuple([sys.intern(field.name) for field in found])
    builder.fill = None
    if found and target.make.__setattr__ is object.__setattr__:
        builder.fill = filler(builder.names)
    left = [field for field in target.fields if field.name not in builder.names]
    builder.constants = tuple(
        [(sys.intern(each.name), each.default) for each in left if each.default is not MISSING]
    )
    builder.factories = tuple(
        [(sys.intern(each.name), each.factory) for each in left if each.factory is not MISSING]
    )
    return builder


def filler(names: tuple[str, ...]) -> Callable[[Any, tuple[Any, ...]], None]:
    """A function that sets these attributes of an object to the values of a tuple.

    Python specialises each of its stores to the class that it is for: 7 of them take 50 ns in all,
    through `PyObject_GenericSetAttr` 100. So there is one function for each plan.
    """
    attributes = "".join([f"made.{name}, " for name in names])
    made: dict[str, Any] = {}
    exec(f"def fill(made, values):\n    {attributes}= values\n", made)
    return made["fill"]  # type: ignore[no-any-return]


def calls(target: Target, found: list[Field], common: tuple[Any, ...]) -> Builder:
    builder = Calls(*common)
    builder.function = target.make
    places = {field.name: i for i, field in enumerate(found)}
    # By position as long as no parameter before is left out; the others by name.
    order: list[int] = []
    for field in target.fields:
        if not field.positional or field.name not in places:
            break
        order.append(places.pop(field.name))
    builder.positional = len(order)
    order += places.values()
    builder.names = tuple([sys.intern(name) for name in places])
    builder.order = None if order == list(range(len(found))) else tuple(order)
    return builder
