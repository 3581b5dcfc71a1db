"""What the tests on a live server are given: a way to connect, and an independent look at it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

import psycopg

from pgallop.connecting import ConnectCall

# `pgallop.connect` to the tests' server; keywords as there.
Connect: TypeAlias = Callable[..., ConnectCall]


class Monitor:
    """Questions to the server through another driver, on a session of its own."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        # Else what it has asked five times is planned for good, with OIDs of types that are gone.
        connection.prepare_threshold = None

    def ask(self, query: str, *args: object) -> list[tuple[Any, ...]]:
        """Run a query with %s for its arguments; all its rows, [] if it returns none."""
        cursor = self._connection.execute(query.encode(), args or None)
        return cursor.fetchall() if cursor.description else []

    def sessions(self) -> set[int]:
        """The backends that serve clients, this one excepted."""
        rows = self.ask(
            "SELECT pid FROM pg_stat_activity"
            " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in rows}

    def queries(self, pids: set[int]) -> list[tuple[Any, ...]]:
        """What these backends do, or did last."""
        return self.ask(
            "SELECT pid, state, query FROM pg_stat_activity WHERE pid = ANY(%s)", list(pids)
        )

    def state(self, pid: int) -> str | None:
        """What that backend is doing: "active", "idle", ...; None if there is no such backend."""
        rows = self.ask("SELECT state FROM pg_stat_activity WHERE pid = %s", pid)
        return rows[0][0] if rows else None

    async def until(self, pid: int, states: Iterable[str | None], seconds: float = 5.0) -> None:
        """Wait until that backend is in one of the states; fails when the time is over."""
        expected = tuple(states)
        deadline = time.monotonic() + seconds
        while (state := self.state(pid)) not in expected:
            assert time.monotonic() < deadline, f"backend {pid} is {state}, not one of {expected}"
            await asyncio.sleep(0.01)
