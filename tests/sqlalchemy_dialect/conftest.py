"""The tests of `postgresql+pgallop`: small ones; SQLAlchemy's own are in `suite/` (nox)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("sqlalchemy")

import engines
from engines import Engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

collect_ignore = ["suite"]

engines.register()


@pytest.fixture
def url(dsn: str) -> str:
    """The tests' server, for an engine."""
    return dsn.replace("postgresql://", "postgresql+pgallop://", 1)


@pytest.fixture
def engine(url: str) -> Engine:
    """What opens an engine, and disposes of it at the end of the block."""

    @asynccontextmanager
    async def opened(suffix: str = "", **options: Any) -> AsyncIterator[AsyncEngine]:
        engine = create_async_engine(url + suffix, **options)
        try:
            yield engine
        finally:
            await engine.dispose()

    return opened
