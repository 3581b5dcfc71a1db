"""`PreparedStatement`, whose runs pass through `Protocol`."""

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pgallop.asyncpg.cursor import CursorFactory
from pgallop.statement import PreparedStatement as NativeStatement

if TYPE_CHECKING:
    from pgallop.asyncpg.connection import Connection
    from pgallop.asyncpg.protocol.protocol import PreparedStatementState

__all__ = ["PreparedStatement"]


class PreparedStatement(NativeStatement):
    """A statement that was prepared once, to be run any number of times."""

    _connection: "Connection"

    def __init__(
        self, connection: "Connection", query: str, state: "PreparedStatementState"
    ) -> None:
        super().__init__(
            connection,
            connection._dispatch,  # pyright: ignore[reportPrivateUsage]
            state.key,
            state.parameters,
            state.attributes,
        )
        self._query = query
        self._state = state

    async def fetch(  # type: ignore[override]
        self, *args: Any, timeout: float | None = None
    ) -> list[Any]:
        """Run it and return its rows."""
        return await self._bind_execute("fetch", args, 0, timeout)

    async def fetchrow(  # type: ignore[override]
        self, *args: Any, timeout: float | None = None
    ) -> Any:
        """Run it and return its first row, or None."""
        rows = await self._bind_execute("fetchrow", args, 1, timeout)
        return rows[0] if rows else None

    async def fetchval(
        self, *args: Any, column: int | str = 0, timeout: float | None = None
    ) -> Any:
        """Run it and return one value of its first row, or None."""
        rows = await self._bind_execute("fetchval", args, 1, timeout)
        return rows[0][column] if rows else None

    async def fetchmany(  # type: ignore[override]
        self, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> list[Any]:
        """Run it once for each row of arguments; all their rows."""
        self._check_open("fetchmany")
        protocol = self._connection._protocol  # pyright: ignore[reportPrivateUsage]
        rows: list[Any] = await protocol.bind_execute_many(self._state, args, "", timeout, True)
        return rows

    async def executemany(
        self, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None:
        """Run it once for each row of arguments."""
        self._check_open("executemany")
        protocol = self._connection._protocol  # pyright: ignore[reportPrivateUsage]
        await protocol.bind_execute_many(self._state, args, "", timeout, False)

    def cursor(  # type: ignore[override]
        self, *args: Any, prefetch: int | None = None, timeout: float | None = None
    ) -> CursorFactory:
        """Its rows, a number at a time, inside a transaction."""
        self._check_open("cursor")
        return CursorFactory(
            self._connection,
            self._query,
            self._state,
            args,
            prefetch,
            timeout,
            self._state.record_class,
        )

    async def explain(self, *args: Any, analyze: bool = False) -> Any:
        """The server's plan for it, see `pgallop.PreparedStatement.explain`."""
        plan = await super().explain(*args, analyze=analyze)
        return json.loads(plan) if isinstance(plan, str) else plan

    async def _bind_execute(
        self, verb: str, args: tuple[Any, ...], limit: int, timeout: float | None
    ) -> list[Any]:
        self._check_open(verb)
        protocol = self._connection._protocol  # pyright: ignore[reportPrivateUsage]
        rows, status, _ = await protocol.bind_execute(self._state, args, "", limit, True, timeout)
        self._command = status or None  # the server tells it at the end only
        return rows  # type: ignore[no-any-return]
