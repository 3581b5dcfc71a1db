"""uuid.UUID to and from 16 bytes at an offset, as plain Python.

Compiled modules cimport the same names from `cuuid.pxd` and never reach this file. There no Python
code of the class runs. Nothing here checks bounds: `Reader` and `Writer` do, before they call.
"""

from uuid import UUID, SafeUUID


def prepare(kind: type[UUID], unknown: SafeUUID) -> None:
    """Learn what instances of `kind` look like; plain Python knows it."""


def load_uuid(base: bytes, pos: int) -> UUID:
    return UUID(bytes=base[pos : pos + 16])


def store_uuid(base: bytearray, pos: int, value: UUID) -> None:
    base[pos : pos + 16] = value.bytes


def store_text(base: bytearray, pos: int, text: str) -> None:
    """ValueError if `text` is no UUID."""
    base[pos : pos + 16] = UUID(text).bytes
