"""Arrays of types that travel in their text form: they travel in theirs.

In between stands the binary form that such an array would have, so that the rules about what an
array is, and the words of its errors, are those of all others.
"""

from typing import Any

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.arrays import ArrayCodec, array_of
from pgallop.codecs.codec import TEXT, Codec
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual_containers import array, array_text
from pgallop.codecs.textual_scalars import Form, same
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer


class TextArrayCodec(ArrayCodec):
    """A list of str, nested as deep as it has dimensions.

    Example::

        TextArrayCodec(OIDS["_aclitem"], "aclitem[]", registry.get(OIDS["aclitem"]))
    """

    __slots__ = ("form",)

    form: Form

    def __init__(self, oid: int, name: str, element: Codec) -> None:
        super().__init__(oid, name, element)
        self.format = TEXT
        self.form = array(element.oid, same)

    def in_binary(self) -> Codec | None:
        element = self.element.in_binary()
        return None if element is None else array_of(element)

    def encode(self, writer: Writer, value: Any) -> None:
        binary = Writer()
        ArrayCodec.encode(self, binary, value)
        writer.write_bytes(array_text(binary.take()))

    def decode(self, reader: Reader, size: int) -> Any:
        binary = Reader(self.form(reader.read_bytes(size)))
        return ArrayCodec.decode(self, binary, binary.end)


def register(registry: Registry) -> None:
    for name, oid in ARRAYS.items():
        if OIDS[name] in registry:
            element = registry.get(OIDS[name])
            if element.format == TEXT:
                registry.add(TextArrayCodec(oid, f"{name}[]", element))
