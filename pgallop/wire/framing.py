"""The byte stream cut into messages: one tag byte, an int32 length that counts itself, a body.

Feed bytes as they arrive, split anywhere; `next` moves `tag` and `reader` to the next whole
message.
"""

from pgallop.errors import ProtocolError
from pgallop.limits import MAX_DESCRIPTION_SIZE, MAX_MESSAGE_SIZE, MAX_SHORT_MESSAGE_SIZE
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

HEADER = 5  # the tag and the length


class Framing:
    """Cut what `feed` receives into messages.

    `max_message_size`: the longest message accepted, in bytes; a longer one is a ProtocolError.

    Received bytes are walked where they are. Only a message that two receptions share is put
    together apart (`partial`), and what came behind its end waits meanwhile (`following`).
    """

    __slots__ = (
        "base",
        "data",
        "following",
        "following_pos",
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
    following: bytes
    following_pos: int

    def __init__(self, max_message_size: int = MAX_MESSAGE_SIZE) -> None:
        self.reader = Reader(b"")
        self.tag = 0
        self.needed = HEADER
        self.max_message_size = max_message_size
        self.partial = bytearray()
        self.following = b""
        self.following_pos = 0
        self.walk(b"", 0)

    def walk(self, data: bytes, pos: int) -> None:
        """Take messages from `data[pos:]` from now on."""
        self.data = data
        self.base = data
        self.pos = pos
        self.size = len(data)

    def feed(self, data: bytes) -> None:
        """Add received bytes; call `next` until it returns False."""
        if self.partial:
            self.complete(data)
        else:
            self.walk(data, 0)

    def complete(self, data: bytes) -> None:
        """Add the bytes that the unfinished message lacks, and put the others behind it."""
        taken = 0
        if len(self.partial) < HEADER:
            taken = min(HEADER - len(self.partial), len(data))
            self.partial += data[:taken]
            if len(self.partial) < HEADER:
                return
            header = bytes(self.partial)
            self.needed = 1 + self.message_length(header, 0)
        end = taken + self.needed - len(self.partial)
        if end > len(data):
            self.partial += data[taken:]
            return
        self.partial += data[taken:end]
        self.walk(bytes(self.partial), 0)
        self.partial = bytearray()
        self.following = data
        self.following_pos = end

    def next(self) -> bool:
        """Move to the next whole message; False when more bytes are needed for one."""
        if self.pos == self.size and self.following:
            self.walk(self.following, self.following_pos)
            self.following = b""
        remaining = self.size - self.pos
        if remaining < HEADER:
            return self.stop()
        length = self.message_length(self.base, self.pos)
        if remaining <= length:
            self.needed = 1 + length
            return self.stop()
        self.tag = self.base[self.pos]
        self.reader.attach(self.data, self.pos + HEADER, self.pos + 1 + length)
        self.pos += 1 + length
        return True

    def next_of(self, tag: int) -> bool:
        """Move on to a whole message of the type just read; False, and no move, for all else.

        The short way of `next`, which the reader's bytes are known for.
        """
        start = self.pos + HEADER
        if start > self.size or self.base[self.pos] != tag:
            return False
        length = bigendian.load_int32(self.base, self.pos + 1)
        end = self.pos + 1 + length
        if length < 4 or length > self.max_message_size or end > self.size:
            return False  # `next` tells why
        self.pos = end
        self.reader.pos = start
        self.reader.end = end
        return True

    def copy_bodies(self, tag: int, most: int, writer: Writer, room: int) -> int:
        """Move over whole messages of this type, and write their bodies; how many they were.

        `most`: no more of them; `room`: none behind the one that fills `writer` up to there.
        """
        base, max_message_size = self.base, self.max_message_size
        pos, size = self.pos, self.size
        into = writer.reserve(size - pos)  # as if there were no headers
        target = writer.base
        count = 0
        while count < most and into < room and pos + HEADER <= size and base[pos] == tag:
            length = bigendian.load_int32(base, pos + 1)
            end = pos + 1 + length
            if length < 4 or length > max_message_size or end > size:
                break  # `next` tells why
            bigendian.copy_bytes(target, into, base, pos + HEADER, length - 4)
            into += length - 4
            pos = end
            count += 1
        self.pos = pos
        writer.truncate(into)
        return count

    def stop(self) -> bool:
        """Keep what is left, and let go of the received bytes: their memory can serve again."""
        if self.pos < self.size:
            self.partial += self.data[self.pos : self.size]
        self.walk(b"", 0)
        self.reader.attach(b"", 0, 0)
        return False

    def drop(self) -> None:
        """Forget what was received: nothing of it is walked any more, and none of it is kept."""
        self.partial = bytearray()
        self.following = b""
        self.walk(b"", 0)
        self.reader.attach(b"", 0, 0)

    def message_length(self, base: bytes, pos: int) -> int:
        """The length in the header at `base[pos]`, which counts itself and not the tag."""
        tag = base[pos]
        length = bigendian.load_int32(base, pos + 1)
        if tag != 68 or length < 4 or length > self.max_message_size:  # 68: DataRow, the hot one
            self.check_header(tag, length)
        return length

    def check_header(self, tag: int, length: int) -> None:
        """Refuse an unknown type and an unreasonable length before the body is waited for."""
        # The literals stay here: Cython turns `in` a literal into a switch.
        if tag not in b"RSKZ123nsITtDCEANGHWdcVv":
            raise ProtocolError(
                f"the server sent a message of unknown type {bytes([tag])!r}: is this PostgreSQL?"
            )
        limit = self.max_message_size
        # Rows, copied data, errors and notices have values of any size in them; nothing else has a
        # reason to be long (libpq's list, VALID_LONG_MESSAGE_TYPE, is longer).
        if tag not in b"DdEN":
            limit = min(limit, MAX_DESCRIPTION_SIZE if tag in b"Tt" else MAX_SHORT_MESSAGE_SIZE)
        if length < 4 or length > limit:
            raise ProtocolError(
                f"the server announced a {bytes([tag])!r} message of {length} bytes, "
                f"between 4 and {limit} are allowed"
            )
