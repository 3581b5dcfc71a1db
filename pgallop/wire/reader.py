"""A bounds-checked cursor over received bytes, clamped to one message or to one field.

Every read goes through `take`, which compares with the end of the message (or of the field): there
is no way to read a neighbour's bytes, whatever lengths the server claims.
"""

from typing import NoReturn

from pgallop.errors import ProtocolError
from pgallop.wire import bigendian


class Reader:
    """A cursor over `owner[pos:end]`.

    `owner` is kept alive by the reader, so `base` (in C: a pointer into it) cannot dangle. `depth`:
    of how many nested values the one that is read is part.
    """

    __slots__ = ("base", "depth", "end", "owner", "pos")

    owner: bytes
    base: bytes
    pos: int
    end: int
    depth: int

    def __init__(self, data: bytes = b"") -> None:
        self.depth = 0
        self.attach(data, 0, len(data))

    def attach(self, data: bytes, start: int, end: int) -> None:
        """Read `data[start:end]` from now on; the caller has checked that it lies within `data`."""
        self.owner = data
        self.base = data
        self.pos = start
        self.end = end

    def take(self, size: int) -> int:
        """Move over `size` bytes and return where they begin, or raise if they are not there."""
        pos = self.pos
        if size < 0 or size > self.end - pos:
            self.lack(size)
        self.pos = pos + size
        return pos

    def lack(self, size: int) -> NoReturn:
        """Raise. Apart from `take`, which is short enough so to become part of every read."""
        raise ProtocolError(
            f"the server announced {size} bytes where {self.end - self.pos} remain in the message"
        )

    def read_byte(self) -> int:
        return self.base[self.take(1)]

    def read_int16(self) -> int:
        return bigendian.load_int16(self.base, self.take(2))

    def read_uint16(self) -> int:
        return bigendian.load_uint16(self.base, self.take(2))

    def read_int32(self) -> int:
        return bigendian.load_int32(self.base, self.take(4))

    def read_uint32(self) -> int:
        return bigendian.load_uint32(self.base, self.take(4))

    def read_int64(self) -> int:
        return bigendian.load_int64(self.base, self.take(8))

    def read_uint64(self) -> int:
        return bigendian.load_uint64(self.base, self.take(8))

    def read_float32(self) -> float:
        return bigendian.load_float32(self.base, self.take(4))

    def read_float64(self) -> float:
        return bigendian.load_float64(self.base, self.take(8))

    def read_bytes(self, size: int) -> bytes:
        pos = self.take(size)
        return self.base[pos : pos + size]

    def read_utf8(self, size: int) -> str:
        pos = self.take(size)
        return self.base[pos : pos + size].decode("utf-8")

    def read_cstring(self) -> bytes:
        """The bytes up to the next NUL, which is consumed and not returned."""
        pos = self.pos
        nul = bigendian.find_nul(self.base, pos, self.end)
        if nul < 0:
            raise ProtocolError("a string of the server does not end within its message")
        self.pos = nul + 1
        return self.base[pos:nul]

    def read_size(self) -> int:
        """The int32 length of a field: -1 for NULL, otherwise not more than what remains."""
        size = self.read_int32()
        if size < -1 or size > self.end - self.pos:
            raise ProtocolError(
                f"the server announced a field of {size} bytes where {self.end - self.pos} remain"
            )
        return size

    def clamp(self, size: int) -> int:
        """Let the next `size` bytes be all there is, and return the old end for `unclamp`."""
        end = self.end
        if size < 0 or size > end - self.pos:
            raise ProtocolError(
                f"the server announced a field of {size} bytes where {end - self.pos} remain"
            )
        self.end = self.pos + size
        return end

    def unclamp(self, end: int) -> None:
        """Leave a clamped field, which must have been read to its last byte."""
        left = self.end - self.pos
        self.end = end
        if left:
            raise ProtocolError(f"{left} bytes of a field were left over after decoding it")

    def expect_end(self) -> None:
        """Raise unless the message was read to its last byte."""
        if self.pos != self.end:
            raise ProtocolError(f"{self.end - self.pos} bytes are left over in a message")
