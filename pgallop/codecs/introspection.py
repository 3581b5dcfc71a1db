"""What the server's catalogue tells of types, and the codecs that are made of it.

An enum is a str, a composite a Record, a domain what its base type is; arrays, ranges and
multiranges of any of them, as deep as they go, are what those of PostgreSQL's own types are. What
nothing more is known of is text.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from weakref import WeakSet

from pgallop.codecs import arrays, extensions, textual
from pgallop.codecs.arrays import ArrayCodec, FixedWidthCodec, SequencesCodec, TuplesCodec
from pgallop.codecs.codec import TEXT, Codec, Unresolved
from pgallop.codecs.composites import CompositeCodec, DomainCodec
from pgallop.codecs.custom import CustomCodec
from pgallop.codecs.extensions.vector import DenseCodec, VectorArrayCodec
from pgallop.codecs.ranges import MultirangeArrayCodec, MultirangeCodec, RangeCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import StrCodec, TextCodec
from pgallop.codecs.text_containers import MixedArrayCodec, TextContainerCodec
from pgallop.errors import ProtocolError
from pgallop.limits import MAX_NESTING, MAX_TYPES

# pg_type.typtype, but for arrays, which are base types there.
ARRAY, BASE, COMPOSITE, DOMAIN, ENUM, RANGE, MULTIRANGE = "abcderm"


class TypeInfo(NamedTuple):
    """One type of the catalogue.

    `kind`: one of the letters above, or any other. `part`: the elements' type of an array, what a
    domain is over, the bounds' type of a range, the ranges' type of a multirange; 0 for all others.
    `delimiter`: what stands between values of the type in the text of an array. `has_binary`:
    whether the server has a binary form of it. `extended`: whether it belongs to an extension.
    `fields`: names and types of a composite's.
    """

    oid: int
    schema: str
    name: str
    kind: str
    part: int = 0
    delimiter: str = ","
    has_binary: bool = True
    extended: bool = False
    fields: tuple[tuple[str, int], ...] = ()

    def parts(self) -> list[int]:
        """The types whose codecs its own needs."""
        return [oid for _, oid in self.fields] if self.kind == COMPOSITE else [self.part]


class Types:
    """What is known of the types of one database, by OID; shared by its connections.

    A type of which the catalogue knew nothing was dropped in the meantime: `None`, which is text.
    """

    __slots__ = ("_doubted", "_infos", "_under_way", "generation", "users")

    def __init__(self) -> None:
        self._infos: dict[int, TypeInfo | None] = {}
        self._doubted: set[int] = set()
        #: How often everything was forgotten: what was asked before that may be out of date.
        self.generation = 0
        #: The connections that are to hear of what has changed.
        self.users: WeakSet[Any] = WeakSet()
        # Of which codecs are being made: none may be part of itself.
        self._under_way: list[int] = []

    def learn(self, asked: Iterable[int], infos: Iterable[TypeInfo]) -> bool:
        """Take what the catalogue has told when it was `asked`; whether anything has changed."""
        told: dict[int, TypeInfo | None] = dict.fromkeys(asked)
        told.update({info.oid: info for info in infos})
        changed = any(self._infos.get(oid, info) != info for oid, info in told.items())
        if len(self._infos) + len(told) > MAX_TYPES:
            self._infos.clear()
        self._infos.update(told)
        self._doubted -= told.keys()
        return changed

    def doubt(self, oids: Iterable[int]) -> bool:
        """Ask again about these types, and all that they are made of; whether any was known."""
        left = list(oids)
        before = len(self._doubted)
        while left:
            oid = left.pop()
            if oid in self._infos and oid not in self._doubted:
                self._doubted.add(oid)
                info = self._infos[oid]
                left += [] if info is None else info.parts()
        return len(self._doubted) > before

    def forget_all(self) -> None:
        """Types may have changed, any of them."""
        self._infos.clear()
        self._doubted.clear()
        self.generation += 1

    def get(self, oid: int) -> TypeInfo | None:
        """What is known of a type, if anything is."""
        return self._infos.get(oid)

    def has(self, oid: int) -> bool:
        """Whether the catalogue was asked about a type, and nothing speaks against the answer."""
        return oid in self._infos and oid not in self._doubted

    def __len__(self) -> int:
        return len(self._infos)

    def unknown(self, oids: Iterable[int], registry: Registry) -> tuple[set[int], bool]:
        """The types the server has to be asked about before these have codecs.

        The second value is whether it has to be asked about money.
        """
        missing: set[int] = set()
        money = False
        seen: set[int] = set()
        left = list(oids)
        while left:
            oid = left.pop()
            if oid in seen or not oid:
                continue
            seen.add(oid)
            if oid in registry:
                money |= isinstance(registry.get(oid), Unresolved)
            elif not self.has(oid):
                missing.add(oid)
            else:
                info = self._infos[oid]
                left += [] if info is None else info.parts()
        return missing, money

    def codec(self, oid: int, registry: Registry) -> Codec | None:
        """The codec of a type: `Unresolved` if the server has to be asked, None if it is text."""
        if not self.has(oid):
            return Unresolved(oid, f"type with OID {oid}")
        info = self._infos[oid]
        if info is None:
            return None
        if oid in self._under_way or len(self._under_way) > MAX_NESTING:
            raise ProtocolError(
                f"the server's type {info.name} is part of itself, or of more than {MAX_NESTING} "
                "others"
            )
        self._under_way.append(oid)
        try:
            parts = [registry.get(part) for part in info.parts() if part]
        finally:
            self._under_way.pop()
        if any(isinstance(part, Unresolved) for part in parts):
            return Unresolved(oid, info.name)
        custom = None if registry.customs is None else registry.customs.codec(info, parts, registry)
        return codec_of(info, parts, registry) if custom is None else custom


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
