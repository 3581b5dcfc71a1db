"""hstore: pairs of text and text or NULL, as a dict.

On the wire: the number of pairs, then of each pair the length and the bytes of its key and of its
value, the length -1 for NULL.
Source: hstore_send and hstore_recv in the extension's hstore_io.c.
"""

from collections.abc import Mapping
from typing import Any

from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Codec, Unencodable, shown
from pgallop.codecs.text import StrCodec
from pgallop.errors import ProtocolError
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer


class HstoreCodec(StrCodec):
    """A dict of str to str or None; any other mapping is taken, too."""

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "dict or another mapping of str to str or None", atomic=False)

    def encode(self, writer: Writer, value: Any) -> None:
        pairs = self.mapping(value)
        exact = True
        key: Any = None
        writer.write_int32(len(pairs))
        try:
            for key, item in pairs.items():
                if not isinstance(key, str):
                    self.refuse(key, f"expected str as a key, got {type(key).__name__}")
                exact = exact and type(key) is str
                self.write_item(writer, key)
                if item is None:
                    writer.write_int32(-1)
                elif isinstance(item, str):
                    self.write_item(writer, item)
                else:
                    self.refuse(
                        item,
                        f"expected str or None as a value, got {type(item).__name__}",
                        "make it a str: hstore has no other values",
                    )
        except Unencodable as error:
            error.place = f"[{shown(key)}]{error.place}"
            raise
        # Subclasses may have ideas of their own of what is equal.
        if not exact and len({str.__str__(key) for key in pairs}) != len(pairs):
            self.refuse(value, "two of its keys are the same text")

    def mapping(self, value: Any) -> dict[Any, Any]:
        if value.__class__ is dict:
            return value
        pairs: Any = value
        if not isinstance(value, Mapping):
            self.refuse(value)
        return dict(pairs)

    def write_item(self, writer: Writer, text: str) -> None:
        start = writer.begin_field()
        self.write_text(writer, text)
        writer.finish_field(start)

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_int32()
        # Each pair takes eight bytes at least: two lengths.
        if count < 0 or count > (reader.end - reader.pos) // 8:
            raise ProtocolError(
                f"the server announced an hstore of {count} pairs in "
                f"{reader.end - reader.pos} bytes"
            )
        pairs: dict[str, str | None] = {}
        for _ in range(count):
            size = reader.read_size()
            if size < 0:
                raise ProtocolError("the server sent an hstore with NULL for a key")
            key = reader.read_utf8(size)
            size = reader.read_size()
            pairs[key] = None if size < 0 else reader.read_utf8(size)
        if len(pairs) != count:
            raise ProtocolError("the server sent an hstore with the same key twice")
        return pairs


def hstore(oid: int, name: str, choices: CodecChoices) -> Codec:
    return HstoreCodec(oid, name)


CODECS = {"hstore": hstore}
