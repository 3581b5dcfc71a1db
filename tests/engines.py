"""What the tests of `postgresql+pgallop` are given: engines of SQLAlchemy's."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

from sqlalchemy.dialects import registry
from sqlalchemy.ext.asyncio import AsyncEngine

# A context manager that opens an engine, with the keywords of `create_async_engine` behind the end
# of the URL, and disposes of it.
Engine: TypeAlias = Callable[..., AbstractAsyncContextManager[AsyncEngine]]


def register() -> None:
    """Have SQLAlchemy know the dialect: a checkout has no entry points."""
    registry.register("postgresql.pgallop", "pgallop.sqlalchemy.dialect", "PgallopDialect")
