"""`UUID`, which asyncpg reads uuid as."""

import uuid
from typing import Any

from pgallop.asyncpg.pgproto import types

__all__ = ["UUID", "types"]


class UUIDMeta(type):
    """Takes every `uuid.UUID` for an instance: those are what is read here."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, uuid.UUID)


class UUID(uuid.UUID, metaclass=UUIDMeta):
    """A `uuid.UUID` that is made from text or from 16 bytes.

    Example:
        >>> UUID(b"0123456789abcdef")
        UUID('30313233-3435-3637-3839-616263646566')
    """

    # Its instances have no more than those of the base, which has slots.
    __slots__ = ()

    def __init__(self, inp: str | bytes) -> None:
        if isinstance(inp, bytes):
            super().__init__(bytes=inp)
        else:
            super().__init__(inp)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.bytes,)
