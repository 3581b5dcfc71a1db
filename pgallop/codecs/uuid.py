"""uuid."""

from typing import Any
from uuid import UUID, SafeUUID

from pgallop.codecs import cuuid
from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

cuuid.prepare(UUID, SafeUUID.unknown)


class UuidCodec(Codec):
    """`uuid.UUID`, exactly; also taken are the texts that it parses, and other classes of UUIDs.

    Those of other packages need not derive from it: 16 `bytes` make a UUID.
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if type(value) is UUID:
            pos = writer.reserve(16)
            cuuid.store_uuid(writer.base, pos, value)
        elif isinstance(value, str):
            pos = writer.reserve(16)
            try:
                cuuid.store_text(writer.base, pos, value)
            except ValueError:
                self.refuse(
                    value, "not the text of a UUID: 32 hexadecimal digits, with hyphens or not"
                )
        else:
            data = getattr(value, "bytes", None)
            if type(data) is not bytes or len(data) != 16:
                self.refuse(value)
            writer.write_bytes(data)

    def decode(self, reader: Reader, size: int) -> Any:
        if size != 16:
            raise ProtocolError(f"the server sent a uuid of {size} bytes instead of 16")
        return cuuid.load_uuid(reader.base, reader.take(16))


def register(registry: Registry) -> None:
    registry.add(UuidCodec(OIDS["uuid"], "uuid", "uuid.UUID or its text"))
