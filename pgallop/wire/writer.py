"""The output buffer: messages are written into it, `take` hands over what is to be sent.

Lengths are patched when a message or a field ends, and checked then: what does not fit into the
protocol's int32 raises before a byte of it can be sent. `truncate` takes an unfinished message
back.
"""

from pgallop.errors import InterfaceError
from pgallop.wire import bigendian

# The protocol counts in signed 32 bits, but the server ends the connection over a message of 1 GiB
# (PQ_LARGE_MESSAGE_LIMIT, which is MaxAllocSize - 1). Refused here, the connection stays usable.
MAX_LENGTH = 1073741822

# Give a buffer back to the allocator after an unusually large message.
KEEP_CAPACITY = 1048576


class Writer:
    """A growing buffer with a write position."""

    __slots__ = ("base", "buffer", "capacity", "pos")

    buffer: bytearray
    base: bytearray
    pos: int
    capacity: int

    def __init__(self) -> None:
        self.pos = 0
        self.capacity = 0
        self.grow(1024)

    def grow(self, needed: int) -> None:
        # A new bytearray, never `extend`: nobody else may see `base` move.
        capacity = max(needed, 2 * self.capacity)
        buffer = bytearray(capacity)
        if self.pos:
            bigendian.store_bytes(buffer, 0, bytes(self.base[: self.pos]), self.pos)
        self.buffer = buffer
        self.base = buffer
        self.capacity = capacity

    def reserve(self, size: int) -> int:
        """Make room for `size` bytes, move over them and return where they begin."""
        pos = self.pos
        end = pos + size
        if end > self.capacity:
            self.grow(end)
        self.pos = end
        return pos

    def write_byte(self, value: int) -> None:
        pos = self.reserve(1)
        self.base[pos] = value

    def write_int16(self, value: int) -> None:
        pos = self.reserve(2)
        bigendian.store_int16(self.base, pos, value)

    def write_uint16(self, value: int) -> None:
        pos = self.reserve(2)
        bigendian.store_uint16(self.base, pos, value)

    def write_int32(self, value: int) -> None:
        pos = self.reserve(4)
        bigendian.store_int32(self.base, pos, value)

    def write_uint32(self, value: int) -> None:
        pos = self.reserve(4)
        bigendian.store_uint32(self.base, pos, value)

    def write_int64(self, value: int) -> None:
        pos = self.reserve(8)
        bigendian.store_int64(self.base, pos, value)

    def write_uint64(self, value: int) -> None:
        pos = self.reserve(8)
        bigendian.store_uint64(self.base, pos, value)

    def write_float32(self, value: float) -> None:
        pos = self.reserve(4)
        bigendian.store_float32(self.base, pos, value)

    def write_float64(self, value: float) -> None:
        pos = self.reserve(8)
        bigendian.store_float64(self.base, pos, value)

    def write_bytes(self, data: bytes) -> None:
        size = len(data)
        pos = self.reserve(size)
        bigendian.store_bytes(self.base, pos, data, size)

    def write_cstring(self, data: bytes) -> None:
        """A string that ends in NUL on the wire; a NUL inside it would begin another one."""
        if 0 in data:
            raise InterfaceError(
                f"a NUL byte cannot be sent in {bytes(data[:40])!r}: PostgreSQL's strings end there"
            )
        self.write_bytes(data)
        self.write_byte(0)

    def begin_message(self, tag: int) -> int:
        """Write the tag and an open length; `finish_message` takes what this returns."""
        self.write_byte(tag)
        return self.begin_field()

    def finish_message(self, start: int) -> None:
        # A message's length counts itself.
        self.patch_int32(start, self.pos - start)

    def begin_field(self) -> int:
        """Write an open int32 length; `finish_field` takes what this returns."""
        return self.reserve(4)

    def finish_field(self, start: int) -> None:
        # A field's length does not count itself.
        self.patch_int32(start, self.pos - start - 4)

    def patch_int32(self, pos: int, value: int) -> None:
        if value > MAX_LENGTH:
            raise InterfaceError(
                f"{value} bytes are too many for one message: the protocol's limit is {MAX_LENGTH}"
            )
        bigendian.store_int32(self.base, pos, value)

    def truncate(self, pos: int) -> None:
        """Forget everything written since `pos`."""
        if pos < 0 or pos > self.pos:
            raise IndexError(pos)
        self.pos = pos

    def take(self) -> bytes:
        """Hand over all that was written and start again."""
        data = bytes(self.base[: self.pos])
        self.pos = 0
        if self.capacity > KEEP_CAPACITY:
            self.capacity = 0
            self.grow(1024)
        return data
