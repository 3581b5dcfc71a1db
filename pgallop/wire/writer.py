"""The output buffer: messages are written into it, `take` hands over what is to be sent.

How much fits into a message is checked where room is reserved, before memory is taken for it, so
that no length can outgrow the protocol's int32: an overflow would make the rest of a value a
message of its own (CVE-2024-27304). `give_up` takes an unfinished message back.
"""

from pgallop.errors import InterfaceError, InternalClientError
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader

# The protocol counts in signed 32 bits, but the server ends the connection over a message of 1 GiB
# (PQ_LARGE_MESSAGE_LIMIT, which is MaxAllocSize - 1). Refused here, the connection stays usable.
MAX_LENGTH = 1073741822

# Give a buffer back to the allocator after an unusually large message.
KEEP_CAPACITY = 1048576


# What a buffer begins with.
FIRST_CAPACITY = 1024


class TooLong(InterfaceError):
    """A message would become longer than any may be."""


class Writer:
    """A growing buffer with a write position.

    `pos`: where it writes; `message`: where the length stands of the message that is being written,
    -1 between messages; `end`: how far it may write before it has to ask `grow`. `limit`: the
    longest length of a message.
    """

    __slots__ = ("base", "buffer", "capacity", "end", "limit", "message", "pos")

    buffer: bytearray
    base: bytearray
    pos: int
    message: int
    end: int
    capacity: int
    limit: int

    def __init__(self) -> None:
        self.limit = MAX_LENGTH
        self.pos = 0
        self.message = -1
        self.move(FIRST_CAPACITY)

    def move(self, capacity: int) -> None:
        """Go on in a new buffer of that size."""
        # A new bytearray, never `extend`: nobody else may see `base` move.
        buffer = bytearray(capacity)
        if self.pos:
            bigendian.store_bytes(buffer, 0, bytes(self.base[: self.pos]), self.pos)
        self.buffer = buffer
        self.base = buffer
        self.capacity = capacity
        self.enter(self.message)

    def enter(self, message: int) -> None:
        """A message's length begins at `message`; -1 when it has ended."""
        self.message = message
        self.end = self.capacity
        if message >= 0 and self.capacity - message > self.limit:
            self.end = message + self.limit

    def check(self, size: int, what: str) -> None:
        """Raise TooLong unless the message can take `what`, which has `size` bytes or more."""
        if size < 0:
            raise IndexError(size)
        # Compared without a sum that could overflow.
        if self.message >= 0 and size > self.message + self.limit - self.pos:
            raise TooLong(
                f"{what} is too long: with it the message has {self.pos - self.message + size} "
                f"bytes or more, and PostgreSQL takes {self.limit}"
            )

    def grow(self, size: int) -> None:
        """Make room for `size` more bytes."""
        self.check(size, "the value")
        if size > self.capacity - self.pos:
            # With room for the end of the message, or a large value would be moved again for that.
            self.move(max(self.pos + size + FIRST_CAPACITY, 2 * self.capacity))

    def reserve(self, size: int) -> int:
        """Make room for `size` bytes, move over them and return where they begin."""
        pos = self.pos
        if size < 0 or size > self.end - pos:
            self.grow(size)
        self.pos = pos + size
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

    def write_rest(self, reader: Reader) -> None:
        """All that `reader` has left, which moves to its end."""
        size = reader.end - reader.pos
        start = reader.take(size)
        pos = self.reserve(size)
        bigendian.copy_bytes(self.base, pos, reader.base, start, size)

    def write_cstring(self, data: bytes, what: str) -> None:
        """A string that ends in NUL on the wire; a NUL inside it would begin another one."""
        # `data` is not shown: it may be a password.
        if 0 in data:
            raise InterfaceError(
                f"{what} contains a NUL byte: PostgreSQL's strings end there, so it cannot be sent"
            )
        self.check(len(data) + 1, what)
        self.write_bytes(data)
        self.write_byte(0)

    def begin_message(self, tag: int) -> int:
        """Write the tag and an open length; `finish_message` takes what this returns.

        `tag`: 0 for the messages of a connection's beginning, which have none.
        """
        if self.message >= 0:
            raise InternalClientError("a message was begun in the middle of another one")
        if tag:
            self.write_byte(tag)
        self.enter(self.pos)
        return self.begin_field()

    def finish_message(self, start: int) -> None:
        # A message's length counts itself.
        self.patch_int32(start, self.pos - start)
        self.enter(-1)

    def begin_field(self) -> int:
        """Write an open int32 length; `finish_field` takes what this returns."""
        return self.reserve(4)

    def finish_field(self, start: int) -> None:
        # A field's length does not count itself.
        self.patch_int32(start, self.pos - start - 4)

    def patch_int32(self, pos: int, value: int) -> None:
        if pos < 0 or pos + 4 > self.pos:
            raise IndexError(pos)
        if value > self.limit:
            raise TooLong(
                f"the value is too long: it has {value} bytes, and PostgreSQL takes {self.limit}"
            )
        bigendian.store_int32(self.base, pos, value)

    def truncate(self, pos: int) -> None:
        """Forget what the message has from `pos` on."""
        if pos < 0 or pos > self.pos:
            raise IndexError(pos)
        self.pos = pos

    def give_up(self, pos: int) -> None:
        """Forget the messages since `pos`, also an unfinished one, and the memory they took."""
        self.truncate(pos)
        self.enter(-1)
        if self.capacity > KEEP_CAPACITY:
            self.move(max(pos, FIRST_CAPACITY))

    def take(self) -> bytes:
        """Hand over all that was written and start again."""
        data = bytes(self.base[: self.pos])
        self.pos = 0
        self.enter(-1)
        if self.capacity > KEEP_CAPACITY:
            self.move(FIRST_CAPACITY)
        return data
