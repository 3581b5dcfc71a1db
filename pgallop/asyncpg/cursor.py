"""Cursors, whose fetches pass through `Protocol`."""

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from pgallop.asyncpg.protocol.protocol import PreparedStatementState
from pgallop.cursor import DEFAULT_PREFETCH, NO_ROWS, Reading, reading
from pgallop.cursor import BaseCursor as NativeBase
from pgallop.cursor import Cursor as NativeCursor
from pgallop.cursor import CursorFactory as NativeFactory
from pgallop.cursor import CursorIterator as NativeIterator
from pgallop.errors import InterfaceError
from pgallop.into import asked_for
from pgallop.rows.record import Record

if TYPE_CHECKING:
    from pgallop.asyncpg.connection import Connection

__all__ = ["BaseCursor", "Cursor", "CursorFactory", "CursorIterator"]


# What a portal is called before it has its name.
NEW_PORTAL = "cursor"


class CursorFactory(NativeFactory[Any]):
    """What `Connection.cursor` returns: `async for` reads the rows, `await` gives a `Cursor`."""

    def __init__(
        self,
        connection: "Connection",
        query: str,
        state: PreparedStatementState | None,
        args: tuple[Any, ...],
        prefetch: int | None,
        timeout: float | None,
        record_class: type[Record] | None,
    ) -> None:
        super().__init__(read(connection, query, state, args, prefetch, timeout, record_class))
        self._connection = connection
        self._query = query
        self._state = state
        self._args = args
        self._record_class = record_class

    def __aiter__(self) -> "CursorIterator":
        prefetch = self._reading.prefetch
        return CursorIterator(
            self._connection,
            self._query,
            self._state,
            self._args,
            self._record_class,
            DEFAULT_PREFETCH if prefetch is None else prefetch,
            self._reading.timeout,
        )

    def __await__(self) -> "Generator[Any, None, Cursor]":
        if self._reading.prefetch is not None:
            raise InterfaceError("prefetch argument can only be specified for iterable cursor")
        cursor = Cursor(self._connection, self._query, self._state, self._args, self._record_class)
        return cursor._init(self._reading.timeout).__await__()  # pyright: ignore[reportPrivateUsage]


class BaseCursor(NativeBase[Any]):
    """A portal that is opened and read through `Protocol`."""

    _connection: "Connection"
    _state: PreparedStatementState | None

    async def _fetch(self, limit: int, timeout: float | None) -> list[Any]:
        if self._portal is not None:
            return await self._exec(limit, timeout)
        if limit == NO_ROWS:
            await self._bind(timeout)
            return []
        return await self._bind_exec(limit, timeout)

    # What tracers wrap

    async def _bind_exec(self, n: int, timeout: float | None) -> list[Any]:
        protocol = self._connection._protocol  # pyright: ignore[reportPrivateUsage]
        rows, _, _ = await protocol.bind_execute(
            self._readable(), self._args, NEW_PORTAL, n, True, timeout
        )
        return rows  # type: ignore[no-any-return]

    async def _bind(self, timeout: float | None) -> None:
        protocol = self._connection._protocol  # pyright: ignore[reportPrivateUsage]
        await protocol.bind(self._readable(), self._args, NEW_PORTAL, timeout)

    async def _exec(self, n: int, timeout: float | None) -> list[Any]:
        protocol = self._connection._protocol  # pyright: ignore[reportPrivateUsage]
        assert self._portal is not None
        name = self._portal.decode()
        rows, _, _ = await protocol.execute(self._readable(), name, n, True, timeout)
        return rows  # type: ignore[no-any-return]

    def _readable(self) -> PreparedStatementState:
        """What `Protocol` reads from, for one call: a cursor that knew it would know itself."""
        state = PreparedStatementState(self._query, self._key, None)
        state.fetch = super()._fetch
        return state


class CursorIterator(BaseCursor, NativeIterator[Any]):
    """The rows of a query, for `async for`."""

    def __init__(
        self,
        connection: "Connection",
        query: str,
        state: PreparedStatementState | None,
        args: tuple[Any, ...],
        record_class: type[Record] | None,
        prefetch: int,
        timeout: float | None,
    ) -> None:
        super().__init__(read(connection, query, state, args, prefetch, timeout, record_class))
        self._state = state


class Cursor(BaseCursor, NativeCursor[Any]):
    """An open portal into the rows of a query, from `await connection.cursor(...)`."""

    def __init__(
        self,
        connection: "Connection",
        query: str,
        state: PreparedStatementState | None,
        args: tuple[Any, ...],
        record_class: type[Record] | None,
    ) -> None:
        super().__init__(read(connection, query, state, args, None, None, record_class))
        self._state = state

    async def _init(self, timeout: float | None) -> "Cursor":
        await self._fetch(NO_ROWS, timeout)
        return self


def read(
    connection: "Connection",
    query: str,
    state: PreparedStatementState | None,
    args: tuple[Any, ...],
    prefetch: int | None,
    timeout: float | None,
    record_class: type[Record] | None,
) -> Reading:
    """What a cursor is to read."""
    key = query if state is None else state.key
    into = asked_for(None, record_class)
    dispatch = connection._dispatch  # pyright: ignore[reportPrivateUsage]
    return reading(connection, dispatch, key, tuple(args), prefetch, timeout, into)
