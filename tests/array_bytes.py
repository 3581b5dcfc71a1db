"""Arrays as they are on the wire, with any lie in the header."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pgallop.codecs._oids import OIDS


def number(value: int) -> bytes:
    """An int4."""
    return struct.pack("!i", value)


ONE, TWO, THREE = number(1), number(2), number(3)


def wire(
    items: Sequence[bytes | None],
    *dimensions: tuple[int, int],
    oid: int = OIDS["int4"],
    flags: int | None = None,
    count: int | None = None,
) -> bytes:
    """The bytes of an array.

    Arguments
        items: the bytes of its elements, None for NULL.
        dimensions: a length and a lower bound each.
        oid: the type of the elements.
        flags: 1 if there are NULLs; by default the truth.
        count: how many dimensions there are; by default the truth.
    """
    if flags is None:
        flags = int(None in items)
    head = struct.pack("!iiI", len(dimensions) if count is None else count, flags, oid)
    for dimension in dimensions:
        head += struct.pack("!ii", *dimension)
    return head + b"".join(
        b"\xff\xff\xff\xff" if item is None else struct.pack("!i", len(item)) + item
        for item in items
    )
