"""`Administrator`: an independent look at the server, and its means to cancel and to kill."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any, Self

import psycopg

SESSION_END_SECONDS = 10.0


class Administrator:
    """A connection of another driver; enter it with `async with`."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def __aenter__(self) -> Self:
        self._connection = await psycopg.AsyncConnection.connect(
            self._dsn, autocommit=True, application_name="administrator"
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._connection.close()

    async def ask(self, query: str, *args: object) -> list[tuple[Any, ...]]:
        """Run a query with %s for its arguments; all its rows, [] if it returns none."""
        cursor = await self._connection.execute(query.encode(), args or None)
        return await cursor.fetchall() if cursor.description else []

    async def run(self, script: str) -> None:
        """Run several statements without arguments."""
        await self._connection.execute(script.encode())

    async def cancel(self, pid: int, times: int = 1) -> None:
        """Cancel what that backend does, so many times in a row."""
        await self.ask("SELECT pg_cancel_backend(%s) FROM generate_series(1, %s)", pid, times)

    async def terminate(self, pid: int) -> None:
        await self.ask("SELECT pg_terminate_backend(%s)", pid)

    async def state(self, pid: int) -> str | None:
        """What a backend is doing ("active", "idle", ...); None if there is no such backend."""
        rows = await self.ask("SELECT state FROM pg_stat_activity WHERE pid = %s", pid)
        return rows[0][0] if rows else None

    async def gone(self, pids: set[int]) -> None:
        """Wait until these backends have ended: what they were doing is done or undone then."""
        deadline = time.monotonic() + SESSION_END_SECONDS
        query = "SELECT pid, query FROM pg_stat_activity WHERE pid = ANY(%s)"
        while left := await self.ask(query, list(pids)):
            assert time.monotonic() < deadline, f"still on the server: {left}"
            await asyncio.sleep(0.01)
