"""`Registry`: which codec reads and writes which type, by OID."""

from collections.abc import Callable
from typing import Any, Protocol

from pgallop.codecs.choices import DEFAULT
from pgallop.codecs.codec import Codec
from pgallop.codecs.text import TextCodec

# Types of users, and those of extensions, begin here (FirstNormalObjectId).
FIRST_OID_OF_USERS = 16384


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
        "_base",
        "_by_oid",
        "_late",
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
        self._base: Registry | None = None
        self._late: Callable[[Registry], None] | None = None
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
        codec = self._made.get(oid) or self.plain(oid) or self._make(oid)
        return codec.bind(self)

    def plain(self, oid: int) -> Codec | None:
        """The codec of one of PostgreSQL's own types, whatever is registered for it."""
        codec = self._by_oid.get(oid)
        if codec is None and self._base is not None and oid < FIRST_OID_OF_USERS:
            codec = self._base._complete().get(oid)
        return codec

    def registered(self, oid: int) -> Codec | None:
        """The codec that was added for a type, if that was met: those that come late stay away."""
        return self._by_oid.get(oid)

    def add_late(self, register: Callable[["Registry"], None]) -> None:
        """Have `register` add codecs of PostgreSQL's own types when one of them is looked for.

        By this registry or one that was copied from it; all of them have these codecs then.
        """
        self._base = self
        self._late = register

    def _complete(self) -> dict[int, Codec]:
        """The codecs by OID, with those that come late. Another thread may be doing the same."""
        late = self._late
        if late is not None:
            twin = Registry()
            twin.choices = self.choices
            twin._by_oid = dict(self._by_oid)
            late(twin)
            for oid, codec in twin._by_oid.items():
                self._by_oid.setdefault(oid, codec.bind(self))
            self._late = None
        return self._by_oid

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
        return self.plain(oid) is not None

    def copy(self) -> "Registry":
        """A registry of its own with the same codecs, made in constant time."""
        twin = Registry(self.source)
        twin.in_text = self.in_text
        twin.choices = self.choices
        twin._by_oid = self._by_oid
        twin._shared = self._shared = True
        twin._base = self._base
        return twin
