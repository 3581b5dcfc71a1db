"""What a connection was told about the values of single types: `TypeCodec`, enums and classes.

It is found by the schema and the name of a type, so that nothing has to be asked before a type is
seen, and a type that is made again keeps its codec.
"""

import dataclasses
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, TypeAlias, cast

from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec
from pgallop.codecs.introspection import (
    ARRAY,
    BASE,
    COMPOSITE,
    DOMAIN,
    ENUM,
    MULTIRANGE,
    RANGE,
    RANGES,
    TypeInfo,
)
from pgallop.codecs.registry import Registry

Format: TypeAlias = Literal["text", "binary", "tuple"]

# What asyncpg calls the codec of this extension's type.
HSTORE = "pg_contrib.hstore"

FORMATS = ("text", "binary", "tuple")

OWN_SCHEMA = "pg_catalog"

# The names that SQL has for PostgreSQL's own types, as asyncpg takes them.
SQL_NAMES: Mapping[str, str] = {
    "smallint": "int2",
    "int": "int4",
    "integer": "int4",
    "bigint": "int8",
    "decimal": "numeric",
    "real": "float4",
    "double precision": "float8",
    "boolean": "bool",
    "character": "bpchar",
    "character varying": "varchar",
    "bit varying": "varbit",
    **{f"timestamp with {zone}": "timestamptz" for zone in ("timezone", "time zone")},
    **{f"timestamp without {zone}": "timestamp" for zone in ("timezone", "time zone")},
    **{f"time with {zone}": "timetz" for zone in ("timezone", "time zone")},
    **{f"time without {zone}": "time" for zone in ("timezone", "time zone")},
}

# PostgreSQL's own types with a tuple format, and the types of the numbers that are on the wire.
NUMBERS: Mapping[str, tuple[str, ...]] = {
    "date": ("int4",),
    "time": ("int8",),
    "timestamp": ("int8",),
    "timestamptz": ("int8",),
    "timetz": ("int8", "int4"),
    "interval": ("int8", "int4", "int4"),
}


@dataclasses.dataclass(frozen=True, slots=True)
class TypeCodec:
    """Two functions that read and write the values of one type.

    Args:
        encode: makes of a value what is sent; called for every value but None.
        decode: makes a value of what has come.
        format: what the two exchange. "text": a str, PostgreSQL's text form of the value.
            "binary": bytes, its binary form. "tuple": a tuple, of the fields of a composite type,
            or of the numbers that are a date, a time, a timestamp or an interval
            (`Connection.set_type_codec` has them).

    Example:
        >>> connect(codecs={"pg_catalog.json": TypeCodec(json.dumps, json.loads)})
    """

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    format: Format = "text"


@dataclasses.dataclass(frozen=True, slots=True)
class Alias:
    """A type whose values are read and written as those of another one, one of PostgreSQL's own."""

    name: str
    format: str | None = None


# What can be registered for a type; a class is an Enum, or what makes instances of a composite's
# fields.
Custom: TypeAlias = TypeCodec | Alias | Callable[..., Any]


class Customs:
    """What is registered, by the schema and the name of a type."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[tuple[str, str], Custom] | None = None) -> None:
        self._by_name = dict(by_name or {})

    def set(self, schema: str, name: str, custom: Custom) -> None:
        self._by_name[schema, own_name(schema, name)] = custom

    def reset(self, schema: str, name: str) -> None:
        self._by_name.pop((schema, own_name(schema, name)), None)

    def codec(self, info: TypeInfo, parts: list[Codec], registry: Registry) -> Codec | None:
        """The codec of a type that the catalogue has told of, if something is registered for it."""
        custom = self._by_name.get((info.schema, info.name))
        if custom is None:
            return None
        from pgallop.codecs.customized import codec_of

        return codec_of(custom, info, parts, registry)

    def of_own_types(self, registry: Registry) -> dict[int, Codec]:
        """The codecs of PostgreSQL's own types for which something is registered.

        And those of their arrays and ranges.
        """
        if not self._by_name:
            return {}
        from pgallop.codecs.customized import codec_of, family

        codecs: dict[int, Codec] = {}
        for (schema, name), custom in self._by_name.items():
            if schema == OWN_SCHEMA and name in OIDS and OIDS[name] in registry:
                info = TypeInfo(OIDS[name], schema, name, kind_of_own(name), has_binary=True)
                codec = codec_of(custom, info, [], registry)
                codecs.update({each.oid: each for each in family(name, codec)})
        return codecs


def own_name(schema: str, name: str) -> str:
    """The name of a type in pg_type, of PostgreSQL's own also by that in SQL."""
    if schema != OWN_SCHEMA or name in OIDS:
        return name
    lower = name.lower()
    return SQL_NAMES.get(lower, lower if lower in OIDS else name)


OWN_RANGES = {of_one for of_one, _ in RANGES.values()}
OWN_MULTIRANGES = {of_many for _, of_many in RANGES.values()}


def kind_of_own(name: str) -> str:
    """The kind of one of PostgreSQL's own types."""
    if name in OWN_RANGES:
        return RANGE
    if name in OWN_MULTIRANGES:
        return MULTIRANGE
    return ARRAY if name.startswith("_") else BASE


def is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Enum)


def misfit(custom: Custom, info: TypeInfo) -> str:
    """Why `custom` cannot serve this type, "" if it can."""
    is_composite = info.kind == COMPOSITE
    if isinstance(custom, Alias):
        is_scalar = info.kind in (BASE, ENUM, DOMAIN)
        return "" if is_scalar else f"cannot alias non-scalar type {info.schema}.{info.name}"
    if info.kind not in (BASE, ENUM, COMPOSITE):
        return NOT_FOR_DOMAINS if info.kind == DOMAIN else neither(info)
    if isinstance(custom, TypeCodec):
        if custom.format == "tuple":
            has_tuples = is_composite or (info.schema == OWN_SCHEMA and info.name in NUMBERS)
            without = f"{info.name} type does not support the 'tuple' exchange format"
            return "" if has_tuples else without
        return NOT_FOR_COMPOSITES if is_composite else ""
    kind: Any = custom
    title = getattr(kind, "__name__", repr(kind))
    if is_enum(kind):
        is_for_it = info.kind == ENUM
        return "" if is_for_it else f"{title} is an Enum, and {info.name} is no enum type"
    return "" if is_composite else f"{title} is for a composite type, and {info.name} is none"


NOT_FOR_COMPOSITES = "only tuple-format codecs can be used on composite types"
NOT_FOR_DOMAINS = "custom codecs on domain types are not supported"


def neither(info: TypeInfo) -> str:
    return (
        f"cannot use custom codec on type {info.schema}.{info.name}: it is neither a scalar type "
        "nor a composite type"
    )


def other_fields(kind: Callable[..., Any], info: TypeInfo) -> str:
    """Why a class cannot be made of the fields of this type, as far as it tells its own."""
    wanted = fields_of_class(kind)
    if wanted is None:
        return ""
    title = getattr(kind, "__name__", repr(kind))
    names = [name for name, _ in info.fields]
    extra = [name for name in names if name not in wanted]
    if extra:
        return f"{title} has no field {extra[0]!r}, which {info.name} has"
    missing = [name for name, required in wanted.items() if required and name not in names]
    return f"{info.name} has no field {missing[0]!r}, which {title} needs" if missing else ""


def fields_of_class(kind: Any) -> dict[str, bool] | None:
    """The fields that instances of a class are made of, and whether they are required."""
    known: Any = getattr(kind, "__dataclass_fields__", None)
    if known is not None:
        none = dataclasses.MISSING
        return {
            name: each.default is none and each.default_factory is none
            for name, each in known.items()
            if each.init and each._field_type.name != "_FIELD_CLASSVAR"
        }
    names: Any = getattr(kind, "_fields", None)
    if isinstance(names, tuple):  # a NamedTuple
        defaults: Any = getattr(kind, "_field_defaults", {})
        return {str(name): name not in defaults for name in cast("tuple[object, ...]", names)}
    names = getattr(kind, "__struct_fields__", None)
    if names is not None:  # msgspec
        required = len(names) - len(kind.__struct_defaults__)
        return {name: i < required for i, name in enumerate(names)}
    known = getattr(kind, "model_fields", None)
    if known is not None:  # pydantic
        return {name: each.is_required() for name, each in known.items()}
    return None
