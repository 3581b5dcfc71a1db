"""The codecs of types that are not PostgreSQL's own, made of what the catalogue tells of them.

An enum is a str, a composite a Record, a domain what its base type is; arrays, ranges and
multiranges of any of them, as deep as they go, are what those of PostgreSQL's own types are. What
nothing more is known of is text.
"""

from collections.abc import Callable

from pgallop.codecs import arrays, extensions, textual
from pgallop.codecs.arrays import ArrayCodec, FixedWidthCodec, SequencesCodec, TuplesCodec
from pgallop.codecs.codec import TEXT, Codec
from pgallop.codecs.composites import CompositeCodec, DomainCodec
from pgallop.codecs.custom import CustomCodec
from pgallop.codecs.extensions.vector import DenseCodec, VectorArrayCodec
from pgallop.codecs.introspection import ARRAY, COMPOSITE, DOMAIN, ENUM, MULTIRANGE, RANGE, TypeInfo
from pgallop.codecs.ranges import MultirangeArrayCodec, MultirangeCodec, RangeCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import StrCodec, TextCodec
from pgallop.codecs.text_containers import MixedArrayCodec, TextContainerCodec


def codec_of(info: TypeInfo, parts: list[Codec], registry: Registry) -> Codec:
    """The codec of a type whose parts have these codecs, for the connections of `registry`."""
    if info.kind == COMPOSITE:
        return composite(info, parts, registry.in_text)
    if info.kind == ENUM:
        return StrCodec(info.oid, info.name)
    if not parts:
        is_known = info.extended and registry.choices.extensions
        known = extension_codec(info, registry) if is_known else None
        return TextCodec(info.oid, info.name) if known is None else known
    part = parts[0]
    if info.kind == ARRAY:
        return array(info, part)
    if info.kind == DOMAIN:
        return DomainCodec(info.oid, info.name, part)
    if info.kind in (RANGE, MULTIRANGE):
        return ranges_of(info, part)
    return TextCodec(info.oid, info.name)


def extension_codec(info: TypeInfo, registry: Registry) -> Codec | None:
    """The codec of an extension's type, if that is known by its name."""
    return extensions.codec_for(info.name, info.oid, registry.choices, binary=info.has_binary)


# --- composites -----------------------------------------------------------------------------------


def composite(
    info: TypeInfo,
    members: list[Codec],
    in_text: bool,
    make: Callable[[int, str, tuple[str, ...], tuple[Codec, ...]], CompositeCodec] = CompositeCodec,
) -> Codec:
    """The codec of a composite type, from what makes one of codecs that are all in binary."""
    names = tuple([name for name, _ in info.fields])

    def of(members: list[Codec | None]) -> Codec | None:
        known = tuple([member for member in members if member is not None])
        is_known = len(known) == len(members)
        return make(info.oid, info.name, names, known) if is_known else None

    binary = of([member.in_binary() for member in members])
    if binary is not None and not in_text:
        return binary
    return in_text_form(of(list(members)), binary, of([member.writer() for member in members]))


def in_text_form(codec: Codec | None, binary: Codec | None, writing: Codec | None) -> Codec:
    """What comes in text because a part of it does, read by `codec` as if it were in binary."""
    assert codec is not None
    form = textual.form_of(codec)
    if form is None:
        return TextCodec(codec.oid, codec.name, binary)
    return TextContainerCodec(codec, form, binary, writing)


# --- arrays ---------------------------------------------------------------------------------------


def array(info: TypeInfo, element: Codec) -> Codec:
    name = f"{element.name}[]"
    if element.format != TEXT:
        return binary_array(info.oid, name, element)
    binary = element.in_binary()
    writing = element.writer()
    return MixedArrayCodec(
        info.oid,
        name,
        element,
        info.delimiter.encode(),
        binary and binary_array(info.oid, name, binary),
        writing and binary_array(info.oid, name, writing),
        not has_lists(element),
    )


def binary_array(oid: int, name: str, element: Codec) -> ArrayCodec:
    """An array of what may be a domain or a type of the user."""
    bottom = bottom_of(element)
    if isinstance(bottom, CustomCodec):
        # Its values may be anything; as without it where they may be lists.
        kind = SequencesCodec if has_lists(bottom.plain) else TuplesCodec
        return kind(oid, name, element)
    if type(bottom) in arrays.FIXED_WIDTH:
        return FixedWidthCodec(oid, name, element, *arrays.FIXED_WIDTH[type(bottom)])
    if isinstance(bottom, DenseCodec):
        return VectorArrayCodec(oid, name, element)
    if isinstance(bottom, MultirangeCodec):
        return MultirangeArrayCodec(oid, name, element)
    if has_lists(element):
        return SequencesCodec(oid, name, element)
    if has_tuples(element):
        return TuplesCodec(oid, name, element)
    return ArrayCodec(oid, name, element)


def bottom_of(codec: Codec) -> Codec:
    """What a domain over domains is at last."""
    while isinstance(codec, DomainCodec):
        codec = codec.base
    return codec


def has_lists(codec: Codec) -> bool:
    """Whether values of the type can be lists, so that within an array only tuples are sub-arrays.

    That is an array in a domain, too.
    """
    bottom = bottom_of(codec)
    if isinstance(bottom, CustomCodec):
        return has_lists(bottom.plain)
    return isinstance(bottom, ArrayCodec) or bottom.name in arrays.SEQUENCES


def has_tuples(codec: Codec) -> bool:
    """Whether they can be tuples, so that only lists are sub-arrays."""
    bottom = bottom_of(codec)
    return isinstance(bottom, (CompositeCodec, RangeCodec)) or bottom.name in arrays.TUPLES


# --- ranges ---------------------------------------------------------------------------------------


def ranges_of(info: TypeInfo, part: Codec) -> Codec:
    """A range with bounds of this type, or a multirange of these ranges."""

    def of(part: Codec | None) -> Codec | None:
        if part is None:
            return None
        if info.kind == RANGE:
            return RangeCodec(info.oid, info.name, part)
        return MultirangeCodec(info.oid, info.name, part)

    binary = of(part.in_binary())
    if part.format != TEXT and binary is not None:
        return binary
    return in_text_form(of(part), binary, of(part.writer()))
