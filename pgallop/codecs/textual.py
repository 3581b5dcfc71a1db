"""Values in their text form, as the simple protocol sends them.

A text form becomes the binary form of the same value, and that is read by the type's own codec: so
the two protocols cannot come to different values, and what Python does not have (a date before year
1, 24:00:00) is refused in the same words.

What the server writes depends on settings. That of DateStyle ISO and IntervalStyle postgres is
read, and both of bytea_output; any other style is a ValueError and never taken for another value.
One setting cannot be noticed: with extra_float_digits below 1, which is the default before
PostgreSQL 12, floats are rounded by the server.
"""

from typing import Any

from pgallop.codecs import (
    textual_containers,
    textual_datetimes,
    textual_extensions,
    textual_geometry,
    textual_network,
    textual_ranges,
    textual_scalars,
)
from pgallop.codecs._oids import OIDS
from pgallop.codecs.arrays import ArrayCodec
from pgallop.codecs.codec import TEXT, Codec
from pgallop.codecs.composites import CompositeCodec, DomainCodec
from pgallop.codecs.custom import CustomCodec, EnumCodec
from pgallop.codecs.extensions.cube import CubeCodec
from pgallop.codecs.extensions.hstore import HstoreCodec
from pgallop.codecs.extensions.postgis import EwkbCodec, ShapelyCodec
from pgallop.codecs.extensions.vector import HalfvecCodec, SparsevecCodec, VectorCodec
from pgallop.codecs.ranges import MultirangeCodec, RangeCodec
from pgallop.codecs.text import TEXT_TYPES, StrCodec, TextCodec, VersionedCodec
from pgallop.codecs.textual_containers import DELIMITERS
from pgallop.codecs.textual_scalars import Form, same, versioned
from pgallop.wire.reader import Reader

SCALARS: dict[str, Form] = {
    **dict.fromkeys(TEXT_TYPES, same),
    **textual_scalars.FORMS,
    **textual_datetimes.FORMS,
    **textual_geometry.FORMS,
    **textual_network.FORMS,
}

# By the type's OID; arrays are made of these.
FORMS: dict[int, Form] = {
    **{OIDS[name]: form for name, form in SCALARS.items()},
    OIDS["int2vector"]: textual_containers.vector(OIDS["int2"], SCALARS["int2"]),
    OIDS["oidvector"]: textual_containers.vector(OIDS["oid"], SCALARS["oid"]),
    OIDS["record"]: textual_containers.record,
}

# By the class of their codecs, for types whose OIDs are others in each database.
FORMS_BY_CODEC: dict[type[Codec], Form] = {
    StrCodec: same,
    EnumCodec: same,
    VersionedCodec: versioned,
    CubeCodec: textual_extensions.cube,
    HstoreCodec: textual_extensions.hstore,
    VectorCodec: textual_extensions.vector,
    HalfvecCodec: textual_extensions.halfvec,
    SparsevecCodec: textual_extensions.sparsevec,
    EwkbCodec: textual_extensions.ewkb,
    ShapelyCodec: textual_extensions.ewkb,
}


class Textual(Codec):
    """Reads the text form of what `codec` reads in its binary form; for reading only.

    `form` makes the binary form of the text form.
    """

    __slots__ = ("codec", "form")

    codec: Codec
    form: Form

    def __init__(self, codec: Codec, form: Form) -> None:
        super().__init__(codec.oid, codec.name, "nothing", TEXT, codec.atomic)
        self.codec = codec
        self.form = form

    def decode(self, reader: Reader, size: int) -> Any:
        return self.codec.loads(self.form(reader.read_bytes(size)))


def textual(codec: Codec) -> Codec:
    """The codec that reads the text form of `codec`'s type, as the value that `codec` gives.

    The fields of a record are an exception: their types are not told, so each is a str or None. A
    type whose text form is not known here is read as a str.

    Arguments
        codec: the type's codec, in either format.

    Errors raised
        Decoding raises ValueError for what is not a text form of the type, or not in the style of
        the server's defaults, and what `codec` raises.

    Example::

        textual(registry.get(OIDS["int4"])).loads(b"42")    # 42

    Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Formats and Format
    Codes"; the server's output functions.
    """
    if codec.format == TEXT:
        return codec
    form = form_of(codec)
    if form is None:
        return TextCodec(codec.oid, codec.name)
    return codec if form is same else Textual(codec, form)


def form_of(codec: Codec) -> Form | None:
    """What makes what `codec` reads of a text form of its type, if that is known."""
    if codec.format == TEXT:
        return same
    form = FORMS.get(codec.oid) or FORMS_BY_CODEC.get(type(codec))
    if form is not None:
        return form
    if isinstance(codec, DomainCodec):
        return form_of(codec.base)
    if isinstance(codec, CustomCodec):
        # Tuples are made of the parts of a value, bytes are all of it.
        return form_of(codec.exchange) or form_of(codec.plain)
    if isinstance(codec, CompositeCodec):
        return composite_form(codec)
    if not isinstance(codec, (ArrayCodec, RangeCodec, MultirangeCodec)):
        return None
    element = form_of(codec.element)
    if element is None:
        return None
    if isinstance(codec, RangeCodec):
        return textual_ranges.range_of(element)
    if isinstance(codec, MultirangeCodec):
        return textual_ranges.multirange_of(element)
    return textual_containers.array(codec.element.oid, element, delimiter_of(codec.element))


def delimiter_of(codec: Codec) -> bytes:
    """What stands between such elements (pg_type.typdelim); a domain has that of its base type."""
    if isinstance(codec, DomainCodec):
        return delimiter_of(codec.base)
    return b":" if isinstance(codec, EwkbCodec) else DELIMITERS.get(codec.oid, b",")


def composite_form(codec: CompositeCodec) -> Form | None:
    """The same for a composite, if it is known of all its fields."""
    fields: list[tuple[str, int, Form]] = []
    for name, member in zip(codec.shape.names, codec.members, strict=True):
        form = form_of(member)
        if form is None:
            return None
        fields.append((name, member.oid, form))
    return textual_containers.composite(fields)
