"""What connect() was told about single types: `codecs`."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

from pgallop.codecs._oids import OIDS
from pgallop.codecs.customization import FORMATS, OWN_SCHEMA, SQL_NAMES, Custom, TypeCodec, own_name
from pgallop.config.sources import Given

__all__ = ["TypeCodecs", "resolve_type_codecs"]

# A name, with or without a schema, or both apart.
TypeName: TypeAlias = str | tuple[str, str]
TypeCodecs: TypeAlias = Mapping[TypeName, TypeCodec | Callable[..., Any]]

_PART: Final = r'(?:"((?:[^"]|"")+)"|([^".]+))'
_NAME: Final = re.compile(rf"(?:{_PART}\.)?{_PART}")


def resolve_type_codecs(codecs: object) -> dict[tuple[str, str], Custom]:
    """Return what is registered, by schema and name.

    Args:
        codecs: None, or a mapping of names ("name", "schema.name", with parts in double quotes
            where they have points in them, or a pair of schema and name) to `TypeCodec`s, Enums or
            other classes. Without a schema it is one of PostgreSQL's own types, or "public".

    Raises:
        ClientConfigurationError: it is something else.

    Example:
        >>> list(resolve_type_codecs({"json": TypeCodec(json.dumps, json.loads)}))
        [('pg_catalog', 'json')]
    """
    if codecs is None:
        return {}
    given = Given("codecs", codecs)
    if not isinstance(codecs, Mapping):
        raise given.bad("a mapping of types' names to TypeCodec, Enum or another class")
    customs: dict[tuple[str, str], Custom] = {}
    for key, value in cast("Mapping[object, object]", codecs).items():
        part = Given(f"codecs[{key!r}]", value)
        customs[_name(given, key)] = _custom(part, value)
    return customs


def _name(given: Given, key: object) -> tuple[str, str]:
    wrong = given.part(key)
    if isinstance(key, tuple):
        pair = cast("tuple[object, ...]", key)
        if len(pair) == 2 and all(isinstance(each, str) for each in pair):
            schema, name = cast("tuple[str, str]", pair)
            return schema, own_name(schema, name)
    found = _NAME.fullmatch(key) if isinstance(key, str) else None
    if found is None:
        raise wrong.bad('names of types: "name", "schema.name" or ("schema", "name")')
    schema, name = (
        quoted.replace('""', '"') if quoted else plain
        for quoted, plain in (found.group(1, 2), found.group(3, 4))
    )
    if not schema:
        is_own = name in OIDS or name.lower() in SQL_NAMES
        schema = OWN_SCHEMA if is_own else "public"
    return schema, own_name(schema, name)


def _custom(given: Given, value: object) -> Custom:
    if isinstance(value, TypeCodec):
        if not callable(value.encode) or not callable(value.decode):
            raise given.bad("a TypeCodec of two functions")
        if value.format not in FORMATS:
            raise given.bad("a TypeCodec of the format 'text', 'binary' or 'tuple'")
        return value
    if not callable(value):
        raise given.bad("a TypeCodec, an Enum or another class")
    return value
