"""What asyncpg's reset leaves, the drop-in's knows of."""

from __future__ import annotations

import pytest

import pgallop.asyncpg
from pgallop.connection import inside

CHANGES = {
    "SET search_path = app": False,
    "RESET ALL": False,
    "SELECT set_config('search_path', 'app', false)": False,
    "SELECT set_config(lower('ROLE'), 'pg_monitor', false)": True,
    "CREATE TEMP TABLE left_behind (a int)": True,
    "SET ROLE pg_monitor": True,
    "SELECT set_config('role', 'pg_monitor', false)": True,
    "SET SESSION AUTHORIZATION DEFAULT": True,
}


@pytest.mark.parametrize("change", CHANGES)
async def test_names_mean_what_they_meant(dsn: str, change: str) -> None:
    """Else what the session learns would be its own for ever, and each release a reset."""
    conn = await pgallop.asyncpg.connect(dsn)
    scope = inside(conn).dispatch.scope
    await conn.execute(change)
    assert scope.has_left()
    await conn.reset()
    assert scope.has_left() is CHANGES[change]
    await conn.reset()
    assert scope.has_left() is CHANGES[change]
    await conn.close()
