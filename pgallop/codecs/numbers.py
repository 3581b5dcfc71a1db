"""bool, int2, int4, int8, oid, float4, float8. (numeric has a file of its own.)"""

from typing import Any

from pgallop.codecs import integers
from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# What still rounds to the largest finite float4: that number and half a unit of its last place.
FLOAT4_OVERFLOW = 3.4028235677973366e38

# What rounds to zero still: half of the smallest float4. The server refuses that, too.
FLOAT4_UNDERFLOW = 2.0**-150


class BoolCodec(Codec):
    """One byte, 0 or 1."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if value is True:
            writer.write_byte(1)
        elif value is False:
            writer.write_byte(0)
        else:
            self.refuse(value)

    def decode(self, reader: Reader, size: int) -> Any:
        return reader.read_byte() != 0


class IntegerCodec(Codec):
    """What the integer types share: which values they take, and their range."""

    __slots__ = ("high", "low")

    low: int
    high: int

    def __init__(self, oid: int, name: str, low: int, high: int) -> None:
        super().__init__(oid, name, "int")
        self.low = low
        self.high = high

    def number(self, value: Any) -> int:
        """`value` in range; numpy's integers and others with `__index__` count, floats do not."""
        try:
            number = bigendian.int64(value)
        except TypeError:
            return self.refuse(value)
        except OverflowError:
            return self.refuse(value, f"out of range for {self.name}: {self.low} to {self.high}")
        if number < self.low or number > self.high:
            self.refuse(value, f"out of range for {self.name}: {self.low} to {self.high}")
        return number


class Int2Codec(IntegerCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        writer.write_int16(self.number(value))

    def decode(self, reader: Reader, size: int) -> Any:
        return integers.integer(reader.read_int16())


class Int4Codec(IntegerCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        writer.write_int32(self.number(value))

    def decode(self, reader: Reader, size: int) -> Any:
        return integers.integer(reader.read_int32())


class Int8Codec(IntegerCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        writer.write_int64(self.number(value))

    def decode(self, reader: Reader, size: int) -> Any:
        return integers.integer(reader.read_int64())


class OidCodec(IntegerCodec):
    """Unsigned, 32 bits."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        writer.write_uint32(self.number(value))

    def decode(self, reader: Reader, size: int) -> Any:
        return integers.integer(reader.read_uint32())


class FloatCodec(Codec):
    """What the floating-point types share: which values they take."""

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "float or int")

    def number(self, value: Any) -> float:
        try:
            return bigendian.float64(value)
        except TypeError:
            self.refuse(value)
        except OverflowError:
            self.refuse(value, f"too large for {self.name}")


class Float4Codec(FloatCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        number = self.number(value)
        if abs(number) >= FLOAT4_OVERFLOW and abs(number) != float("inf"):
            self.refuse(value, "too large for float4")
        if number != 0 and abs(number) <= FLOAT4_UNDERFLOW:
            self.refuse(value, "too small for float4, and would become 0")
        writer.write_float32(number)

    def decode(self, reader: Reader, size: int) -> Any:
        return reader.read_float32()


class Float8Codec(FloatCodec):
    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        writer.write_float64(self.number(value))

    def decode(self, reader: Reader, size: int) -> Any:
        return reader.read_float64()


def register(registry: Registry) -> None:
    registry.add(BoolCodec(OIDS["bool"], "bool", "bool"))
    registry.add(Int2Codec(OIDS["int2"], "int2", -(2**15), 2**15 - 1))
    registry.add(Int4Codec(OIDS["int4"], "int4", -(2**31), 2**31 - 1))
    registry.add(Int8Codec(OIDS["int8"], "int8", -(2**63), 2**63 - 1))
    registry.add(OidCodec(OIDS["oid"], "oid", 0, 2**32 - 1))
    registry.add(Float4Codec(OIDS["float4"], "float4"))
    registry.add(Float8Codec(OIDS["float8"], "float8"))
