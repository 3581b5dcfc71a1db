"""pgallop: an asyncio PostgreSQL driver, with every connection a pipeline.

import pgallop

async with pgallop.connect("postgresql://localhost/shop") as conn:
    rows = await conn.fetch("SELECT id, name FROM users WHERE id < $1", 10)
"""

from typing import TYPE_CHECKING, Any

from pgallop import errors, types, values
from pgallop import errors as exceptions
from pgallop._sqlstate import *  # noqa: F403 (mypy does not see them through errors, in a cycle)
from pgallop._version import __version__
from pgallop.codecs.customization import TypeCodec
from pgallop.connecting import connect
from pgallop.connection import Connection
from pgallop.errors import *  # noqa: F403 (they belong to the vocabulary, under asyncpg's names)
from pgallop.knowledge import Knowledge
from pgallop.notifications import Notification
from pgallop.pipeline import Pipeline, PipelinedStatement
from pgallop.pool.creating import create_pool
from pgallop.pool.lease import PoolConnectionProxy
from pgallop.pool.listening import Gap
from pgallop.pool.pool import Pool
from pgallop.query_log import LoggedQuery
from pgallop.rows.record import Record
from pgallop.session.outcomes import Outcome
from pgallop.statement import PreparedStatement
from pgallop.transaction import Transaction
from pgallop.types import Attribute, ServerVersion, Type
from pgallop.values import *  # noqa: F403 (so do the classes of values)
from pgallop.wire import reader as _reader

if TYPE_CHECKING:
    from pgallop.pool.stats import PoolStats

# Whether the hot modules are compiled or interpreted.
__compiled__: bool = not (_reader.__file__ or "").endswith(".py")

__all__ = [
    "Attribute",
    "Connection",
    "Gap",
    "Knowledge",
    "LoggedQuery",
    "Notification",
    "Outcome",
    "Pipeline",
    "PipelinedStatement",
    "Pool",
    "PoolConnectionProxy",
    "PoolStats",
    "PreparedStatement",
    "Record",
    "ServerVersion",
    "Transaction",
    "Type",
    "TypeCodec",
    "__compiled__",
    "__version__",
    "connect",
    "create_pool",
    "errors",
    "exceptions",
    "types",
]
__all__ += errors.__all__  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
__all__ += values.__all__  # pyright: ignore[reportUnknownVariableType]


def __getattr__(name: str) -> Any:
    """What few programs name is imported when one does."""
    if name == "PoolStats":
        from pgallop.pool.stats import PoolStats

        return PoolStats
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
