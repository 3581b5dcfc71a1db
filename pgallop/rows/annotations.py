"""What an annotation says of a value, and whether a column's type can fit it.

The rules are those of type checkers: an instance of the class or of a subclass, an int where a
float is wanted. One exception: a timestamp is no date, though datetime is a subclass of date, for
the two cannot be compared.
"""

import sys
import typing
from collections.abc import (
    Callable,
    Collection,
    Container,
    Iterable,
    Mapping,
    MutableSequence,
    Reversible,
    Sequence,
)
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeVar, Union
from uuid import UUID

from pgallop.codecs import (
    arrays,
    binary,
    bits,
    composites,
    datetimes,
    intervals,
    money,
    numbers,
    numeric,
    ranges,
    records,
    text,
    uuid,
)
from pgallop.codecs.choices import TEXT
from pgallop.codecs.codec import Codec
from pgallop.codecs.textual import Textual
from pgallop.rows.building import UNNAMED, Nested
from pgallop.rows.fitting import Choice, Fit, Items, Leaf, Member, OneOf
from pgallop.values import BitString, Range

# What a codec of exactly this class reads, always.
YIELDS: dict[type[Codec], type] = {
    numbers.BoolCodec: bool,
    numbers.Int2Codec: int,
    numbers.Int4Codec: int,
    numbers.Int8Codec: int,
    numbers.OidCodec: int,
    numbers.Float4Codec: float,
    numbers.Float8Codec: float,
    numeric.NumericCodec: Decimal,
    money.MoneyCodec: Decimal,
    text.StrCodec: str,
    text.TextCodec: str,
    text.XmlCodec: str,
    text.VersionedCodec: str,
    text.CharCodec: str,
    binary.ByteaCodec: bytes,
    bits.BitsCodec: BitString,
    uuid.UuidCodec: UUID,
    datetimes.DateCodec: date,
    datetimes.TimeCodec: time,
    datetimes.TimetzCodec: time,
    datetimes.TimestampCodec: datetime,
    datetimes.TimestamptzCodec: datetime,
    intervals.IntervalCodec: timedelta,
    ranges.RangeCodec: Range,
    records.RecordCodec: tuple,
}

# Of these some values are of subclasses: infinity, and intervals with months.
OF_SUBCLASSES = (date, datetime, timedelta)

# What is written around a type and says nothing of the values: ReadOnly is new in Python 3.13, and
# typing_extensions has others of the same names.
WRAPPERS = {"ClassVar", "Final", "InitVar", "NotRequired", "ReadOnly", "Required"}

# The abstract classes of which a list is an instance.
LISTS = {list, MutableSequence, Sequence, Reversible, Collection, Container, Iterable}

# An int may stand for a float, and either for a complex number (PEP 484, "The numeric tower").
TOWER: dict[type, tuple[type, ...]] = {float: (float, int), complex: (complex, float, int)}

# Gives what makes objects of a class of rows from named values; None if it is no such class.
Nester = Callable[[Any], "Callable[[tuple[str, ...]], Any] | None"]


def yielded(codec: Codec) -> type | None:
    """The class of all values that `codec` reads; None if there is none that is known."""
    codec = plain_codec(codec)
    if isinstance(codec, datetimes.TemporalCodec) and codec.out_of_range == TEXT:
        return None
    if isinstance(codec, arrays.ArrayCodec):
        return list
    return YIELDS.get(type(codec))


def plain_codec(codec: Codec) -> Codec:
    """The codec itself of what is read as text, or through a domain."""
    while True:
        if isinstance(codec, Textual):
            codec = codec.codec
        elif isinstance(codec, composites.DomainCodec):
            codec = codec.base
        else:
            return codec


def name_of(annotation: Any) -> str:
    """An annotation as its reader would write it."""
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def fit_of(annotation: Any, nester: Nester, variables: Mapping[Any, Any]) -> Fit | None:
    """What `annotation` declares; None if it takes everything.

    Arguments
        annotation: evaluated.
        nester: tells the classes that are made of rows themselves.
        variables: what stands for type variables.
    """
    annotation = grounded(unwrapped(annotation, variables), variables)
    if annotation is Any or annotation is object or isinstance(annotation, TypeVar):
        return None
    if is_union(annotation):
        return union_of(annotation, nester, variables)
    expected = name_of(annotation)
    if annotation is None or annotation is NoneType:
        return Leaf("None", True, (NoneType,))
    origin: Any = typing.get_origin(annotation) or annotation
    if origin is Literal:
        values = typing.get_args(annotation)
        return OneOf(expected, None in values, values)
    if not isinstance(origin, type):
        return None  # ParamSpec, Never and whatever else may come
    plan = nester(annotation)
    if plan is not None:
        # Nothing is an instance of a TypedDict.
        kind: Any = origin
        if issubclass(kind, dict):
            kind = dict
        return Nested(expected, False, kind, plan)
    if origin in LISTS and typing.get_args(annotation):
        item = fit_of(typing.get_args(annotation)[0], nester, variables)
        if item is not None:
            return Items(expected, False, item)
    if issubclass(origin, Enum):
        return Member(expected, False, origin)
    try:
        isinstance(None, origin)
    except TypeError:
        return None  # a Protocol that cannot be asked
    return Leaf(expected, False, kinds_of(origin))


def kinds_of(kind: Any) -> tuple[type, ...]:
    """The classes whose instances may stand where `kind` is declared."""
    return TOWER.get(kind, (kind,))


def unwrapped(annotation: Any, variables: Mapping[Any, Any]) -> Any:
    """`annotation` without what says nothing of the values."""
    while True:
        origin = typing.get_origin(annotation)
        name = getattr(origin, "__name__", getattr(origin, "_name", ""))
        if origin is Annotated or name in WRAPPERS:
            annotation = typing.get_args(annotation)[0]
        elif type(annotation).__name__ == "InitVar":
            annotation = annotation.type
        elif isinstance(annotation, NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif isinstance(annotation, TypeVar) and annotation in variables:
            # Once only: what stands for a variable may be a variable of the same name.
            annotation, variables = variables[annotation], {}
        elif isinstance(annotation, TypeVar) and annotation.__bound__ is not None:
            annotation = annotation.__bound__
        else:
            return annotation


def grounded(annotation: Any, variables: Mapping[Any, Any]) -> Any:
    """`annotation` with what stands for the variables in it: `Page[T]` is `Page[int]`.

    Those of a class mean nothing outside of it, and in another one they mean something else.
    """
    free = getattr(annotation, "__parameters__", ())
    is_alias = typing.get_origin(annotation) is not None
    if not free or not is_alias or not all(isinstance(each, TypeVar) for each in free):
        return annotation
    return annotation[tuple([variables.get(each, each.__bound__ or Any) for each in free])]


def is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (Union, UnionType)


def union_of(annotation: Any, nester: Nester, variables: Mapping[Any, Any]) -> Fit | None:
    """What `X | Y | None` declares: the classes that are looked for together, then all else."""
    expected = name_of(annotation)
    members = [unwrapped(each, variables) for each in typing.get_args(annotation)]
    nullable = any(each is None or each is NoneType for each in members)
    kinds: list[type] = []
    others: list[Fit] = []
    for member in members:
        if member is None or member is NoneType:
            continue
        fit = fit_of(member, nester, variables)
        if fit is None:
            return None
        nullable = nullable or fit.nullable
        if isinstance(fit, Leaf):
            kinds += fit.kinds
        else:
            others.append(fit)
    if len(others) == 1 and not kinds:
        return renamed(others[0], expected, nullable)
    leaf = Leaf(expected, nullable, tuple(kinds)) if kinds else None
    if leaf is not None and not others:
        return leaf
    return Choice(expected, nullable, (*([leaf] if leaf else []), *others))


def renamed(fit: Fit, expected: str, nullable: bool) -> Fit:
    """The same, for a union with None."""
    if isinstance(fit, Nested):
        return Nested(expected, nullable, fit.kind, fit.plan)
    if isinstance(fit, Items):
        return Items(expected, nullable, fit.item)
    if isinstance(fit, Member):
        return Member(expected, nullable, fit.kind)
    if isinstance(fit, OneOf):
        return OneOf(expected, nullable, fit.values)
    return Choice(expected, nullable, (fit,))


def asks_code(fit: Fit) -> bool:
    """Whether code of the program is asked what fits: that of an Enum, or of a metaclass."""
    if isinstance(fit, Leaf):
        return not all(type(kind) is type or is_of_python(kind) for kind in fit.kinds)
    if isinstance(fit, Member):
        kind: Any = fit.kind
        return not (is_of_python(type(kind)) and is_of_python(kind._missing_))
    if isinstance(fit, Items):
        return asks_code(fit.item)
    return isinstance(fit, Choice) and any(map(asks_code, fit.fits))


def is_of_python(found: Any) -> bool:
    """Whether a class or function is one of the standard library's."""
    return found.__module__.partition(".")[0] in sys.stdlib_module_names


def fits_always(fit: Fit, codec: Codec) -> bool:
    """Whether all that `codec` reads, but NULL, fits for sure and is what is wanted already."""
    kind = yielded(codec)
    if kind is None or not isinstance(fit, Leaf):
        return False
    return any(issubclass(kind, each) and not is_moment_for_day(kind, each) for each in fit.kinds)


def objection(fit: Fit, codec: Codec) -> tuple[str, str | None] | None:
    """Why no value of `codec`, but NULL, can fit, and a hint; None if one may."""
    kind = yielded(codec)
    if kind is None:
        return None
    reason = f"expected {fit.expected}, and {codec.name} is read as {kind.__name__}"
    if isinstance(fit, Leaf):
        may_fit = kind in OF_SUBCLASSES and any(
            issubclass(each, kind) and not is_moment_for_day(each, kind) for each in fit.kinds
        )
        return None if may_fit or fits_always(fit, codec) else (reason, None)
    if isinstance(fit, Items):
        if kind is not list:
            return reason, None
        element = element_of(codec)
        # A value of an array type may have any number of dimensions.
        item = fit.item
        while isinstance(item, Items):
            item = item.item
        inner = None if element is None else objection(item, element)
        return None if inner is None else (f"expected {fit.expected}; {inner[0]}", inner[1])
    if isinstance(fit, Nested):
        if issubclass(kind, fit.kind):
            return None
        return reason, UNNAMED if kind is tuple else None
    if isinstance(fit, Choice):
        return None if any(objection(each, codec) is None for each in fit.fits) else (reason, None)
    return None


def element_of(codec: Codec) -> Codec | None:
    """The codec of an array's elements."""
    codec = plain_codec(codec)
    return codec.element if isinstance(codec, arrays.ArrayCodec) else None


def is_moment_for_day(kind: type, wanted: type) -> bool:
    """Whether a datetime would stand for a date."""
    return wanted is date and issubclass(kind, datetime)
