"""bytea."""

from typing import Any

from pgallop.codecs._oids import OIDS
from pgallop.codecs.choices import DEFAULT, CodecChoices
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer


class ByteaCodec(Codec):
    """The bytes themselves; bytearray, memoryview and other contiguous buffers are taken too."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if type(value) is bytes:
            writer.write_bytes(value)
        else:
            writer.write_bytes(self.copy(writer, value))

    def copy(self, writer: Writer, value: Any) -> bytes:
        """The bytes of any other buffer, if `writer` has room for so many."""
        # numpy's str has a buffer, in UTF-32, which nobody means to store.
        if isinstance(value, str):
            self.refuse(value)
        try:
            view = memoryview(value)
        except (TypeError, ValueError, BufferError):
            self.refuse(value)
        if not view.c_contiguous:
            self.refuse(value, "not contiguous in memory", "pass a copy: bytes(value)")
        writer.check(view.nbytes, "the value")
        return view.tobytes()

    def decode(self, reader: Reader, size: int) -> Any:
        return reader.read_bytes(size)


def register(registry: Registry, choices: CodecChoices = DEFAULT) -> None:
    accepts = "bytes, bytearray, memoryview or another buffer"
    registry.add(ByteaCodec(OIDS["bytea"], "bytea", accepts))
    # Of the catalogue's statistics; the server takes none.
    registry.add(ByteaCodec(OIDS["pg_mcv_list"], "pg_mcv_list", accepts))
    if choices.char_as_bytes:
        registry.add(ByteaCodec(OIDS["char"], "char", accepts))
