"""The codecs that are made of what is registered for types (`customization.py`)."""

from collections.abc import Iterator
from typing import Any

from pgallop.codecs import textual, user_types
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.codec import BINARY, Codec
from pgallop.codecs.composites import CompositeCodec, DomainCodec
from pgallop.codecs.custom import (
    INTEGERS,
    BytesExchange,
    CompositeClassCodec,
    CompositeTupleCodec,
    CustomCodec,
    EnumCodec,
    IntervalExchange,
    NumbersExchange,
    RefusedCodec,
    TextExchange,
)
from pgallop.codecs.customization import (
    HSTORE,
    NUMBERS,
    OWN_SCHEMA,
    Alias,
    Custom,
    TypeCodec,
    is_enum,
    misfit,
    other_fields,
    own_name,
)
from pgallop.codecs.introspection import ARRAY, COMPOSITE, MULTIRANGE, RANGE, RANGES, TypeInfo
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import StrCodec, TextCodec
from pgallop.codecs.textual_scalars import same


def family(name: str, codec: Codec) -> Iterator[Codec]:
    """The codec of one of PostgreSQL's own types, and those of its arrays and ranges."""
    yield codec
    if name in ARRAYS:
        yield array_of(name, codec)
    if name in RANGES:
        of_one, of_many = RANGES[name]
        range_codec = user_types.ranges_of(TypeInfo(OIDS[of_one], OWN_SCHEMA, of_one, RANGE), codec)
        yield from (range_codec, array_of(of_one, range_codec))
        multirange = user_types.ranges_of(
            TypeInfo(OIDS[of_many], OWN_SCHEMA, of_many, MULTIRANGE), range_codec
        )
        yield from (multirange, array_of(of_many, multirange))


def array_of(name: str, element: Codec) -> Codec:
    delimiter = ";" if name == "box" else ","
    info = TypeInfo(ARRAYS[name], OWN_SCHEMA, f"_{name}", ARRAY, element.oid, delimiter)
    return user_types.array(info, element)


def codec_of(custom: Custom, info: TypeInfo, parts: list[Codec], registry: Registry) -> Codec:
    """The codec of a type for which `custom` is registered; one that says why it does not do."""
    reason = misfit(custom, info)
    if reason:
        return RefusedCodec(info.oid, info.name, reason)
    if isinstance(custom, Alias):
        return alias(custom, info, registry)
    if isinstance(custom, TypeCodec):
        return exchanging(custom, info, parts, registry)
    kind: Any = custom
    if is_enum(kind):
        return EnumCodec(info.oid, info.name, kind)
    reason = other_fields(kind, info)
    if reason:
        return RefusedCodec(info.oid, info.name, reason)

    def of_class(
        oid: int, name: str, names: tuple[str, ...], members: tuple[Codec, ...]
    ) -> CompositeCodec:
        return CompositeClassCodec(oid, name, names, members, kind)

    return user_types.composite(info, parts, registry.in_text, of_class)


def exchanging(custom: TypeCodec, info: TypeInfo, parts: list[Codec], registry: Registry) -> Codec:
    """The codec of two functions."""
    plain = plain_codec(info, parts, registry)
    exchange: Codec
    if custom.format == "text":
        form = textual.form_of(plain) if plain.format == BINARY else None
        # Where both forms are the same, binary goes everywhere.
        has_one_form = form is same and info.has_binary
        exchange = (
            StrCodec(info.oid, info.name)
            if has_one_form
            else TextExchange(info.oid, info.name, form)
        )
    elif custom.format == "binary":
        exchange = BytesExchange(info.oid, info.name)
    elif info.kind == COMPOSITE:
        exchange = user_types.composite(info, parts, registry.in_text, CompositeTupleCodec)
    else:
        kind = IntervalExchange if info.name == "interval" else NumbersExchange
        exchange = kind(info.oid, info.name, tuple([INTEGERS[each] for each in NUMBERS[info.name]]))
    return CustomCodec(custom.encode, custom.decode, exchange, plain)


def plain_codec(info: TypeInfo, parts: list[Codec], registry: Registry) -> Codec:
    """The codec that a type has if nothing is registered for it."""
    own = registry.plain(info.oid)
    return user_types.codec_of(info, parts, registry) if own is None else own


def alias(custom: Alias, info: TypeInfo, registry: Registry) -> Codec:
    """The codec of another type, under the OID of this one."""
    if custom.name == HSTORE:
        base = user_types.extension_codec(info._replace(name="hstore"), registry)
    else:
        base = registry.plain(OIDS[own_name(OWN_SCHEMA, custom.name)])
    assert base is not None
    if base.format == BINARY and custom.format == "text":
        if textual.form_of(base) is same:
            base = TextCodec(info.oid, info.name)
        elif not info.has_binary:
            reason = f"the text format of {custom.name} can be read only: leave `format` out"
            return RefusedCodec(info.oid, info.name, reason)
    return DomainCodec(info.oid, info.name, base)
