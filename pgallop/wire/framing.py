"""The byte stream cut into messages: one tag byte, an int32 length that counts itself, a body.

Feed bytes as they arrive, split anywhere; `next` moves `tag` and `reader` to the next whole
message.
"""

from pgallop.errors import ProtocolError
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader

DEFAULT_MAX_MESSAGE_SIZE = 1 << 30

MAX_SHORT_MESSAGE = 1 << 20


class Framing:
    """Cut what `feed` receives into messages.

    `max_message_size`: the longest message accepted, in bytes; a longer one is a ProtocolError.
    """

    __slots__ = (
        "base",
        "data",
        "max_message_size",
        "needed",
        "partial",
        "pos",
        "reader",
        "size",
        "tag",
    )

    reader: Reader
    tag: int
    data: bytes
    base: bytes
    pos: int
    size: int
    needed: int
    max_message_size: int
    partial: bytearray

    def __init__(self, max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE) -> None:
        self.reader = Reader(b"")
        self.tag = 0
        self.data = b""
        self.base = self.data
        self.pos = 0
        self.size = 0
        self.needed = 5
        self.max_message_size = max_message_size
        self.partial = bytearray()

    def feed(self, data: bytes) -> None:
        """Add received bytes; call `next` until it returns False."""
        if self.pos < self.size:
            self.partial += self.data[self.pos : self.size]
            self.pos = self.size
        if self.partial:
            self.partial += data
            if len(self.partial) < self.needed:
                return
            data = bytes(self.partial)
            self.partial = bytearray()
        self.data = data
        self.base = data
        self.pos = 0
        self.size = len(data)

    def next(self) -> bool:
        """Move to the next whole message; False when more bytes are needed for one."""
        remaining = self.size - self.pos
        if remaining < 5:
            self.needed = 5
            return False
        tag = self.base[self.pos]
        length = bigendian.load_int32(self.base, self.pos + 1)
        if tag != 68 or length < 4 or length > self.max_message_size:  # 68: DataRow, the hot one
            self.check_header(tag, length)
        if remaining <= length:
            self.needed = length + 1
            return False
        self.tag = tag
        self.reader.attach(self.data, self.pos + 5, self.pos + 1 + length)
        self.pos += 1 + length
        return True

    def check_header(self, tag: int, length: int) -> None:
        """Refuse an unknown type and an unreasonable length before the body is waited for."""
        # The literals stay here: Cython turns `in` a literal into a switch.
        if tag not in b"RSKZ1230nsITtDCEANGHWdcVv":
            raise ProtocolError(
                f"the server sent a message of unknown type {bytes([tag])!r}: is this PostgreSQL?"
            )
        limit = self.max_message_size
        # Rows, copied data, errors, notices, notifications, descriptions and function results may
        # be long; nothing else has a reason to (libpq: VALID_LONG_MESSAGE_TYPE, fe-protocol3.c).
        if tag not in b"DdTtENAV" and limit > MAX_SHORT_MESSAGE:
            limit = MAX_SHORT_MESSAGE
        if length < 4 or length > limit:
            raise ProtocolError(
                f"the server announced a {bytes([tag])!r} message of {length} bytes, "
                f"between 4 and {limit} are allowed"
            )

    def buffered(self) -> int:
        """How many received bytes wait for the rest of their message."""
        return len(self.partial) + self.size - self.pos
