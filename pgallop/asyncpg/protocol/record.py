"""asyncpg's `Record`: that of pgallop."""

from pgallop.rows.record import Record

__all__ = ["Record"]
