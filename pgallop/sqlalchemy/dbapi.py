"""What SQLAlchemy takes for a module of PEP 249: how to connect, and which errors there are.

The errors are pgallop's own. PEP 249 has few names for what can go wrong; which of them an error
goes under is decided by its SQLSTATE, as psycopg does it, so that `sqlalchemy.exc.IntegrityError`
and the others mean the same with both.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sqlalchemy.util.concurrency import await_only

import pgallop
from pgallop import _sqlstate, errors
from pgallop._message import ExplainedError
from pgallop.connection import Connection
from pgallop.sqlalchemy.adapter import AdaptedConnection

# By the first two characters of the SQLSTATE; all others are plain DatabaseErrors.
BY_CLASS: Mapping[str, str] = {
    "08": "OperationalError",  # the connection
    "0A": "NotSupportedError",
    "20": "ProgrammingError",
    "21": "ProgrammingError",
    "22": "DataError",
    "23": "IntegrityError",
    "24": "InternalError",
    "25": "InternalError",
    "26": "OperationalError",
    "27": "OperationalError",
    "28": "OperationalError",
    "2B": "InternalError",
    "2D": "InternalError",
    "2F": "InternalError",
    "34": "OperationalError",
    "38": "InternalError",
    "39": "InternalError",
    "3B": "InternalError",
    "3D": "ProgrammingError",
    "3F": "ProgrammingError",
    "40": "OperationalError",  # serialization failures and deadlocks
    "42": "ProgrammingError",
    "44": "ProgrammingError",
    "53": "OperationalError",  # resources
    "54": "OperationalError",
    "55": "OperationalError",
    "57": "OperationalError",  # the operator, statement_timeout
    "58": "OperationalError",
    "F0": "InternalError",
    "HV": "OperationalError",
    "P0": "InternalError",
    "XX": "InternalError",
}


def translations() -> dict[str, str]:
    """SQLAlchemy's name for each of pgallop's classes of errors, by its name."""
    found = {
        kind.__name__: BY_CLASS.get(sqlstate[:2], "DatabaseError")
        for sqlstate, kind in _sqlstate.ERRORS.items()
    }
    others = {"PostgresError": "DatabaseError", "InternalClientError": "InternalError"}
    return found | others


class Dbapi:
    """pgallop as a module of PEP 249."""

    paramstyle = "numeric_dollar"

    Error = ExplainedError
    InterfaceError = errors.InterfaceError
    DatabaseError = errors.PostgresError
    DataError = errors.DataError
    OperationalError = errors.PostgresConnectionError
    IntegrityError = errors.IntegrityConstraintViolationError
    InternalError = errors.InternalServerError
    ProgrammingError = errors.SyntaxOrAccessError
    NotSupportedError = errors.FeatureNotSupportedError
    Warning = errors.InterfaceWarning

    # SQLAlchemy asks for them, and does nothing with them.
    STRING = str
    NUMBER = float
    DATETIME = object

    driver = exceptions_module = pgallop

    def connect(
        self,
        *args: Any,
        async_creator_fn: Callable[..., Awaitable[Connection]] = pgallop.connect,
        **options: Any,
    ) -> AdaptedConnection:
        """Open a connection, as `pgallop.connect` or the engine's `async_creator` does."""

        async def connected() -> Connection:
            return await async_creator_fn(*args, **options)

        return AdaptedConnection(self, await_only(connected()))

    def Binary(self, value: bytes) -> bytes:
        """Bytes are taken as they are."""
        return value
