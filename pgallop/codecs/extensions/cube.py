"""cube as `Cube`, and seg, intervals of numbers that know how exact they are, as str.

On the wire: the number of dimensions, with the highest bit set if the cube is a point, then the
float8 of a corner, and if it is none those of the other corner. Before PostgreSQL 14 cube has no
binary form. seg has none at all.
Source: cube_send, cube_recv and cube_out in the extension's cube.c.
"""

from typing import Any

from pgallop.codecs import clist
from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import TEXT, Codec
from pgallop.codecs.text import TextCodec
from pgallop.codecs.textual_extensions import cube as binary_form
from pgallop.errors import ProtocolError
from pgallop.values.cube import Cube
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# The extension's POINT_BIT and CUBE_MAX_DIM.
POINT = 0x80000000
MAX_DIMENSIONS = 100

ACCEPTS = "Cube"
HINT = "pass Cube(corner) or Cube(corner, opposite_corner)"


class CubeCodec(Codec):
    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, ACCEPTS)

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, Cube):
            if isinstance(value, str):
                self.refuse(value)
            self.refuse(value, f"expected {ACCEPTS}, got {type(value).__name__}", HINT)
        low: tuple[float, ...] = value.low
        high: tuple[float, ...] = value.high
        point = low == high
        dimensions = len(low)
        if dimensions > MAX_DIMENSIONS:
            self.refuse(value, f"has more than {MAX_DIMENSIONS} dimensions")
        writer.write_byte(128 if point else 0)
        writer.write_byte(0)
        writer.write_uint16(dimensions)
        self.write_corner(writer, low)
        if not point:
            self.write_corner(writer, high)

    def write_corner(self, writer: Writer, corner: tuple[float, ...]) -> None:
        for i in range(len(corner)):
            writer.write_float64(corner[i])

    def decode(self, reader: Reader, size: int) -> Any:
        head = reader.read_uint32()
        point = head >= POINT
        dimensions = head - POINT if point else head
        room = reader.end - reader.pos
        if dimensions > MAX_DIMENSIONS or dimensions * (8 if point else 16) != room:
            raise ProtocolError(
                f"the server sent a cube of {dimensions} dimensions in {room} bytes"
            )
        low = self.read_corner(reader, dimensions)
        high = low if point else self.read_corner(reader, dimensions)
        cube = Cube.__new__(Cube)
        # They cannot be set in another way.
        object.__setattr__(cube, "low", low)
        object.__setattr__(cube, "high", high)
        return cube

    def read_corner(self, reader: Reader, dimensions: int) -> tuple[float, ...]:
        numbers = clist.new_list(dimensions)
        for i in range(dimensions):
            clist.fill(numbers, i, reader.read_float64())
        return tuple(numbers)


class CubeTextCodec(Codec):
    """For servers that have no binary form of it: the same values by way of their text."""

    __slots__ = ("binary",)

    binary: CubeCodec

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, ACCEPTS, TEXT)
        self.binary = CubeCodec(oid, name)

    def encode(self, writer: Writer, value: Any) -> None:
        self.binary.dumps(value)  # refuses what is none
        low, high = map(written, (value.low, value.high))
        writer.write_bytes(low if value.is_point else b"%b,%b" % (low, high))

    def decode(self, reader: Reader, size: int) -> Any:
        return self.binary.loads(binary_form(reader.read_bytes(size)))


def written(corner: tuple[float, ...]) -> bytes:
    """As the server reads it, which knows Python's words for what is not finite, too."""
    return f"({','.join(map(repr, corner))})".encode()


def cube(oid: int, name: str, choices: CodecChoices) -> Codec:
    return CubeCodec(oid, name)


def cube_text(oid: int, name: str, choices: CodecChoices) -> Codec:
    return CubeTextCodec(oid, name)


def seg(oid: int, name: str, choices: CodecChoices) -> Codec:
    return TextCodec(oid, name)


CODECS = {"cube": cube, "seg": seg}

# Of servers that have no binary form of them.
TEXT_CODECS = {"cube": cube_text}
