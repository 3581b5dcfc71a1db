"""What runs statements, under the names that tracers know."""

from pgallop.asyncpg.protocol.protocol import BUILTIN_TYPE_NAME_MAP, NO_TIMEOUT, Protocol
from pgallop.asyncpg.protocol.record import Record

__all__ = ["BUILTIN_TYPE_NAME_MAP", "NO_TIMEOUT", "Protocol", "Record"]
