"""Records as they are on the wire, with any lie in the counts, types and lengths."""

from __future__ import annotations

import struct

from pgallop.codecs._oids import OIDS


def record(*fields: tuple[int, bytes | None], count: int | None = None) -> bytes:
    """The bytes of a record.

    Arguments
        fields: the OID of its type and the bytes of each, None for NULL.
        count: how many fields there are; by default the truth.
    """
    head = struct.pack("!i", len(fields) if count is None else count)
    return head + b"".join(field(oid, data) for oid, data in fields)


def field(oid: int, data: bytes | None, size: int | None = None) -> bytes:
    """One field of a record; `size` is its length, by default the truth."""
    if data is None:
        return struct.pack("!Ii", oid, -1)
    return struct.pack("!Ii", oid, len(data) if size is None else size) + data


def tower(levels: int) -> bytes:
    """A record without fields in so many others."""
    innermost = record()
    sizes = range(len(innermost) + 12 * (levels - 2), 0, -12)
    return b"".join(struct.pack("!iIi", 1, OIDS["record"], size) for size in sizes) + innermost
