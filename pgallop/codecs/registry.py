"""`Registry`: which codec reads and writes which type, by OID."""

from pgallop.codecs.codec import Codec
from pgallop.codecs.text import TextCodec


class Registry:
    """The codecs of one connection by type OID; a copy shares them until one of both changes.

    Example::

        registry = builtin_registry().copy()
        registry.add(my_codec)
    """

    __slots__ = ("_by_oid", "_shared")

    def __init__(self) -> None:
        self._by_oid: dict[int, Codec] = {}
        self._shared = False

    def add(self, codec: Codec) -> None:
        """Let `codec` serve the type `codec.oid` from now on."""
        if self._shared:
            self._by_oid = dict(self._by_oid)
            self._shared = False
        self._by_oid[codec.oid] = codec

    def get(self, oid: int) -> Codec:
        """The codec of a type, bound to this registry; one of its text form if none was added."""
        codec = self._by_oid.get(oid)
        return TextCodec(oid, f"type with OID {oid}") if codec is None else codec.bind(self)

    def __contains__(self, oid: int) -> bool:
        return oid in self._by_oid

    def copy(self) -> "Registry":
        """A registry of its own with the same codecs, made in constant time."""
        twin = Registry()
        twin._by_oid = self._by_oid
        twin._shared = self._shared = True
        return twin
