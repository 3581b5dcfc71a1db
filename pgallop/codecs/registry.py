"""`Registry`: which codec reads and writes which type, by OID."""

from typing import Any, Protocol

from pgallop.codecs.choices import DEFAULT
from pgallop.codecs.codec import Codec
from pgallop.codecs.text import TextCodec


class Source(Protocol):
    """What makes codecs of what the server's catalogue tells of types (`introspection.py`)."""

    def codec(self, oid: int, registry: "Registry") -> Codec | None: ...


class Customs(Protocol):
    """What the user has registered for types, by their names (`customization.py`)."""

    def codec(self, info: Any, parts: list[Codec], registry: "Registry") -> Codec | None: ...
    def of_own_types(self, registry: "Registry") -> dict[int, Codec]: ...


class Registry:
    """The codecs of one connection by type OID; a copy shares them until one of both changes.

    `source`: what makes the codecs of all other types; without one they are read as text.
    `in_text`: all values come in text, as in the simple protocol. `choices`: what the connection
    has chosen about values. `customs`: what the user has registered.

    Example::

        registry = builtin_registry().copy()
        registry.add(my_codec)
    """

    __slots__ = (
        "__weakref__",
        "_by_oid",
        "_made",
        "_shared",
        "choices",
        "customs",
        "in_text",
        "source",
    )

    def __init__(self, source: Source | None = None) -> None:
        self._by_oid: dict[int, Codec] = {}
        self._made: dict[int, Codec] = {}
        self._shared = False
        self.source = source
        self.in_text = False
        self.choices = DEFAULT
        self.customs: Customs | None = None

    def add(self, codec: Codec) -> None:
        """Let `codec` serve the type `codec.oid` from now on."""
        if self._shared:
            self._by_oid = dict(self._by_oid)
            self._shared = False
        self._by_oid[codec.oid] = codec
        self.forget_made()  # it may be part of them

    def get(self, oid: int) -> Codec:
        """The codec of a type, bound to this registry.

        It is an `Unresolved` where the server has to be asked first.
        """
        codec = self._made.get(oid) or self._by_oid.get(oid) or self._make(oid)
        return codec.bind(self)

    def plain(self, oid: int) -> Codec | None:
        """The codec of one of PostgreSQL's own types, whatever is registered for it."""
        return self._by_oid.get(oid)

    def _make(self, oid: int) -> Codec:
        codec = None if self.source is None else self.source.codec(oid, self)
        if codec is None:
            codec = TextCodec(oid, f"type with OID {oid}")
        self._made[oid] = codec  # an Unresolved, too: others are made of it, again and again
        return codec

    def forget_made(self) -> None:
        """What is known of types may be another by now."""
        self._made.clear()
        if self.customs is not None:
            self._made.update(self.customs.of_own_types(self))

    def __contains__(self, oid: int) -> bool:
        return oid in self._by_oid

    def copy(self) -> "Registry":
        """A registry of its own with the same codecs, made in constant time."""
        twin = Registry(self.source)
        twin.in_text = self.in_text
        twin.choices = self.choices
        twin._by_oid = self._by_oid
        twin._shared = self._shared = True
        return twin
