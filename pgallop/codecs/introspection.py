"""What the server's catalogue tells of types, and what is known of it."""

from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakSet

from pgallop.codecs.codec import Codec, Unresolved
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.limits import MAX_NESTING, MAX_TYPES

# pg_type.typtype, but for arrays, which are base types there.
ARRAY, BASE, COMPOSITE, DOMAIN, ENUM, RANGE, MULTIRANGE = "abcderm"

# By the type of the bounds.
RANGES = {
    "int4": ("int4range", "int4multirange"),
    "int8": ("int8range", "int8multirange"),
    "numeric": ("numrange", "nummultirange"),
    "date": ("daterange", "datemultirange"),
    "timestamp": ("tsrange", "tsmultirange"),
    "timestamptz": ("tstzrange", "tstzmultirange"),
}


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
        # Imported when the first such type is met: most programs never do.
        from pgallop.codecs.user_types import codec_of

        custom = None if registry.customs is None else registry.customs.codec(info, parts, registry)
        return codec_of(info, parts, registry) if custom is None else custom
