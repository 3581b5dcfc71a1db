"""bit and varbit.

On the wire: how many bits there are, then their bytes, the last one filled up with zeros.
Source: bit_send and bit_recv in PostgreSQL's varbit.c.
"""

from typing import Any

from pgallop.codecs._oids import OIDS
from pgallop.codecs.binary import ByteaCodec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.values.bit_string import BitString
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# PostgreSQL's VARBITMAXLEN.
MAX_BITS = 2147483640


class BitsCodec(ByteaCodec):
    """A BitString; of bytes all bits are taken."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if isinstance(value, BitString):
            data = value.bytes
            length = value.length
        else:
            data = self.octets(writer, value)
            length = 8 * len(data)
        if length > MAX_BITS:
            # Shown are the bytes: one digit a bit would take gigabytes.
            self.refuse(data, f"has {length} bits, more than the {MAX_BITS} of PostgreSQL")
        writer.write_int32(length)
        writer.write_bytes(data)

    def octets(self, writer: Writer, value: Any) -> bytes:
        if type(value) is bytes:
            return value
        if isinstance(value, str):
            # No cast: '101'::bit is the first bit of it.
            self.refuse(value, f"expected {self.accepts}, got str", "pass BitString('101')")
        # Other buffers may have items of any size, whose bits nobody counts in bytes.
        if not isinstance(value, (bytes, bytearray, memoryview)):
            self.refuse(value)
        return self.copy(writer, value)

    def decode(self, reader: Reader, size: int) -> Any:
        length = reader.read_int32()
        room = reader.end - reader.pos
        # Compared without a sum that could overflow.
        if length < 0 or room != length // 8 + (length % 8 != 0):
            raise ProtocolError(f"the server sent a {self.name} of {length} bits in {room} bytes")
        data = reader.read_bytes(room)
        if length % 8 and reader.base[reader.pos - 1] & 0xFF >> length % 8:
            raise ProtocolError(f"the server sent a {self.name} with bits beyond its {length}")
        bits = BitString.__new__(BitString)
        # They cannot be set in another way.
        object.__setattr__(bits, "bytes", data)
        object.__setattr__(bits, "length", length)
        return bits


def register(registry: Registry) -> None:
    for name in ("bit", "varbit"):
        registry.add(BitsCodec(OIDS[name], name, "BitString, bytes, bytearray or memoryview"))
