"""How values of SQLAlchemy's types get to pgallop and back.

The server has to be told the types of arguments, or it takes them from what stands around them, and
`$1 + $2` has nothing there. So all common types are rendered with a cast.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias

from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIT,
    BYTEA,
    CIDR,
    CITEXT,
    ENUM,
    HSTORE,
    INET,
    INTERVAL,
    JSON,
    JSONB,
    MACADDR,
    MACADDR8,
    OID,
    REGCLASS,
    REGCONFIG,
    base,
    ranges,
)
from sqlalchemy.dialects.postgresql.json import JSONPathType
from sqlalchemy.engine import processors
from sqlalchemy.sql import sqltypes

from pgallop.codecs._oids import OIDS
from pgallop.values import BitString, Range

# What SQLAlchemy calls with each value, None where there is nothing to be done.
Processor: TypeAlias = Any

# The types whose values are floats, and their arrays.
FLOATS = {OIDS[name] for name in ("float4", "float8", "_float4", "_float8")}

CAST_ALONE: tuple[type[Any], ...] = (
    sqltypes.BigInteger,
    sqltypes.Boolean,
    sqltypes.CHAR,
    sqltypes.Date,
    sqltypes.DateTime,
    sqltypes.Integer,
    sqltypes.SmallInteger,
    sqltypes.String,
    sqltypes.Time,
    CIDR,
    INET,
    MACADDR,
    MACADDR8,
    OID,
    REGCLASS,
    REGCONFIG,
)


def with_cast(kind: type[Any], **members: Any) -> type[Any]:
    """A type as it is, but that its arguments are rendered with a cast."""
    return type(f"Cast{kind.__name__}", (kind,), {"render_bind_cast": True, **members})


class CastInterval(INTERVAL):
    render_bind_cast = True

    @classmethod
    def adapt_emulated_to_native(cls, interval: Any, **kw: Any) -> "CastInterval":  # type: ignore[override]
        return cls(precision=interval.second_precision)


class CastBytes(BYTEA):
    render_bind_cast = True

    def bind_processor(self, dialect: Any) -> Processor:
        return None


def numeric_result(self: Any, dialect: Any, coltype: Any) -> Processor:
    """What makes a Decimal of a float, or a float of a Decimal, where the type says so."""
    if not self.asdecimal:
        return None if coltype in FLOATS else processors.to_float
    if coltype not in FLOATS:
        return None
    scale: int = self._effective_decimal_return_scale
    return processors.to_decimal_processor_factory(Decimal, scale)


def unprocessed(self: Any, dialect: Any, coltype: Any = None) -> Processor:
    """The driver takes the value, or gives it, as it should be."""
    return None


NUMBERS = {"bind_processor": unprocessed, "result_processor": numeric_result}


class NativeJson(JSON):
    """Read by the driver, with the deserializer of the engine."""

    result_processor = unprocessed


class NativeJsonb(JSONB):
    """Read by the driver, with the deserializer of the engine."""

    result_processor = unprocessed


class JsonPath(JSONPathType):
    """The keys on the way to a value: an array of text."""

    def bind_processor(self, dialect: Any) -> Processor:
        def process(value: Any) -> Any:
            return value if isinstance(value, str) else [str(each) for each in value or ()]

        return process


class Hstore(HSTORE):
    """A dict, as it is."""

    bind_processor = unprocessed
    result_processor = unprocessed


class Bits(BIT):
    """`BitString` of SQLAlchemy 2.1, or str; before that pgallop's `BitString`."""

    render_bind_cast = True

    def bind_processor(self, dialect: Any) -> Processor:
        def process(value: Any) -> Any:
            return BitString(str(value)) if isinstance(value, str) else value

        return process

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        try:
            from sqlalchemy.dialects.postgresql import BitString as Result
        except ImportError:
            return None

        def process(value: Any) -> Any:
            return None if value is None else Result(value.as_string(""))

        return process


AlchemyRange: Any = ranges.Range


def to_range(given: Any) -> Any:
    """A range of SQLAlchemy's as one of pgallop's; anything else as it is."""
    if not isinstance(given, AlchemyRange):
        return given
    lower_inc, upper_inc = (bound in "[]" for bound in given.bounds)
    return Range(
        given.lower, given.upper, lower_inc=lower_inc, upper_inc=upper_inc, empty=given.empty
    )


def from_range(value: Any) -> Any:
    """A range of pgallop's as one of SQLAlchemy's."""
    if value is None:
        return None
    if value.isempty:
        empty: ranges.Range[Any] = ranges.Range(empty=True)
        return empty
    bounds: Any = ("[" if value.lower_inc else "(") + ("]" if value.upper_inc else ")")
    return ranges.Range(value.lower, value.upper, bounds=bounds)


class SingleRange(ranges.AbstractSingleRangeImpl[Any]):
    def bind_processor(self, dialect: Any) -> Processor:
        return to_range

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        return from_range


class ManyRanges(ranges.AbstractMultiRangeImpl[Any]):
    def bind_processor(self, dialect: Any) -> Processor:
        def process(value: Any) -> Any:
            if value is None or isinstance(value, str):
                return value
            return [to_range(each) for each in value]

        return process

    def result_processor(self, dialect: Any, coltype: Any) -> Processor:
        def process(value: Any) -> Any:
            return None if value is None else ranges.MultiRange(map(from_range, value))

        return process


COLSPECS: dict[Any, Any] = {
    **base.PGDialect.colspecs,
    **{kind: with_cast(kind) for kind in CAST_ALONE},
    sqltypes.ARRAY: with_cast(ARRAY),
    sqltypes.Enum: with_cast(ENUM),
    sqltypes.Float: with_cast(sqltypes.Float, **NUMBERS),
    sqltypes.Interval: CastInterval,
    sqltypes.JSON: NativeJson,
    sqltypes.JSON.JSONIndexType: sqltypes.JSON.JSONIndexType,
    sqltypes.JSON.JSONIntIndexType: with_cast(
        sqltypes.JSON.JSONIntIndexType, __visit_name__="json_int_index"
    ),
    sqltypes.JSON.JSONPathType: JsonPath,
    sqltypes.JSON.JSONStrIndexType: with_cast(
        sqltypes.JSON.JSONStrIndexType, __visit_name__="json_str_index"
    ),
    sqltypes.LargeBinary: CastBytes,
    sqltypes.Numeric: with_cast(sqltypes.Numeric, **NUMBERS),
    BIT: Bits,
    CITEXT: CITEXT,
    HSTORE: Hstore,
    INTERVAL: CastInterval,
    JSON: NativeJson,
    JSONB: NativeJsonb,
    ranges.AbstractMultiRange: ManyRanges,
    ranges.AbstractSingleRange: SingleRange,
}


def json_functions(
    serializer: Callable[[Any], str] | None, deserializer: Callable[[str], Any] | None
) -> tuple[Callable[[Any], str], Callable[[str], Any]]:
    """What pgallop writes and reads JSON with: SQLAlchemy's types give it text.

    Anything but text comes past them, from an SQL text without types.
    """
    dumps = json.dumps if serializer is None else serializer

    def written(value: Any) -> str:
        return value if isinstance(value, str) else dumps(value)

    return written, json.loads if deserializer is None else deserializer


# What an engine without functions of its own has: the same for all, for codecs are kept by it.
JSON_FUNCTIONS = json_functions(None, None)
