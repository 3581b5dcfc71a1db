"""Ranges and multiranges as they are on the wire, with any lie in them."""

from __future__ import annotations

import struct

from pgallop.values.range import EMPTY, LOWER_INC, LOWER_INF, UPPER_INC, UPPER_INF

FLAGS = (EMPTY, LOWER_INC, UPPER_INC, LOWER_INF, UPPER_INF)

# Those that a server sends: that of the empty range, or one or none for each bound.
SENT = sorted({EMPTY, *(low | high for low in (0, 2, 8) for high in (0, 4, 16))})


def ranged(flags: int, *bounds: bytes | None) -> bytes:
    """The bytes of a range: its flags, and its bounds, each with its length; None for NULL."""
    return bytes([flags]) + b"".join(map(sized, bounds))


def multiranged(*ranges: bytes | None, count: int | None = None) -> bytes:
    """The bytes of a multirange; `count` is how many ranges there are, by default the truth."""
    head = struct.pack("!i", len(ranges) if count is None else count)
    return head + b"".join(map(sized, ranges))


def sized(data: bytes | None) -> bytes:
    return struct.pack("!i", -1) if data is None else struct.pack("!i", len(data)) + data
