"""`Pool` and `create_pool`, as asyncpg has them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from pgallop.asyncpg import connect_utils, connection
from pgallop.asyncpg.connection import Connection
from pgallop.asyncpg.differences import POOL
from pgallop.asyncpg.protocol.record import Record
from pgallop.pool.keeper import State
from pgallop.pool.lease import PoolAcquireContext, foreign
from pgallop.pool.lease import PoolConnectionProxy as NativeProxy
from pgallop.pool.pool import Pool as NativePool

__all__ = ["Pool", "PoolAcquireContext", "PoolConnectionProxy", "create_pool"]


class PoolConnectionProxy(NativeProxy, Connection):
    """A connection of a pool, from `Pool.acquire` until it is released."""

    __slots__ = ()

    @property
    def _con(self) -> Any:
        """The connection itself, None when it is released."""
        place = self._place
        return None if place is None else place.connection


class Pool(NativePool):
    """Connections for many tasks; each statement of its own acquires one, and gives it back."""

    _proxy_class = PoolConnectionProxy

    def __init__(
        self,
        *connect_args: Any,
        init_size: int | None = None,
        min_size: int,
        max_size: int,
        max_queries: int,
        max_inactive_connection_lifetime: float,
        connect: Callable[..., Awaitable[Connection]] | None = None,
        setup: Callable[[Any], Awaitable[Any]] | None = None,
        init: Callable[[Any], Awaitable[Any]] | None = None,
        reset: Callable[[Any], Awaitable[Any]] | None = None,
        loop: asyncio.AbstractEventLoop | None,
        connection_class: type[Connection],
        record_class: type[Record],
        **connect_kwargs: Any,
    ) -> None:
        check_subclass(connection_class, Connection)
        check_subclass(record_class, Record)
        self._loop = loop
        self._connection_class = connection_class
        self._record_class = record_class
        self._connect = connect
        dsn, *others = connect_args or (None,)
        if others:
            raise TypeError("Pool() takes one positional argument, the DSN")
        super().__init__(
            dsn,
            init_size=init_size,
            min_size=min_size,
            max_size=max_size,
            max_queries=max_queries,
            max_inactive_connection_lifetime=max_inactive_connection_lifetime,
            connect=self._opened,
            setup=setup,
            init=init,
            reset=reset,
            connection_class=connection_class,
            record_class=record_class,
            **POOL,
            **connect_kwargs,
        )

    async def _opened(self, dsn: str | None = None, **arguments: Any) -> Any:
        """A new connection."""
        arguments |= {
            "loop": self._loop,
            "connection_class": self._connection_class,
            "record_class": self._record_class,
        }
        if self._connect is None:
            return await connect_utils._connect(dsn=dsn, **arguments)  # pyright: ignore[reportPrivateUsage]
        del arguments["knowledge"]
        return await self._connect(dsn, **arguments)

    # Statements

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement, or several if there are no `args`; the last one's command tag."""
        async with self.acquire() as con:
            return await con.execute(query, *args, timeout=timeout)

    async def executemany(
        self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None:
        """Run a statement once for each row of arguments: all of it or nothing."""
        async with self.acquire() as con:
            await con.executemany(command, args, timeout=timeout)

    async def fetch(  # type: ignore[override]
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> list[Any]:
        """Run a query and return its rows."""
        async with self.acquire() as con:
            return await con.fetch(query, *args, timeout=timeout, record_class=record_class)

    async def fetchval(
        self, query: str, *args: Any, column: int | str = 0, timeout: float | None = None
    ) -> Any:
        """Run a query and return one value of its first row, or None if there is no row."""
        async with self.acquire() as con:
            return await con.fetchval(query, *args, column=column, timeout=timeout)

    async def fetchrow(  # type: ignore[override]
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> Any:
        """Run a query and return its first row, or None if there is none."""
        async with self.acquire() as con:
            return await con.fetchrow(query, *args, timeout=timeout, record_class=record_class)

    async def fetchmany(  # type: ignore[override]
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> list[Any]:
        """Run a query once for each row of arguments; the rows of all of them."""
        async with self.acquire() as con:
            return await con.fetchmany(query, args, timeout=timeout, record_class=record_class)

    # The pool

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        """Give a connection back; nothing is done if it was given back before."""
        if not isinstance(connection, NativeProxy):
            raise foreign(connection)
        await self.released(connection, timeout)

    async def close(self) -> None:  # type: ignore[override]
        """Close the pool, when those who have connections have given them back."""
        await super().close()

    @property
    def _closed(self) -> bool:
        return self._keeper.state is State.CLOSED

    @property
    def _closing(self) -> bool:
        return self._keeper.state is State.CLOSING

    @property
    def _initialized(self) -> bool:
        return self._keeper.state not in (State.NEW, State.STARTING)


def check_subclass(kind: Any, base: type) -> None:
    """Raise TypeError unless `kind` is `base` or a subclass, as asyncpg's `Pool` does."""
    if not (isinstance(kind, type) and issubclass(kind, base)):
        raise TypeError(f"expected a subclass of asyncpg.{base.__name__}, got {kind!r:.100}")


def create_pool(
    dsn: str | None = None,
    *,
    init_size: int | None = None,
    min_size: int = 10,
    max_size: int = 10,
    max_queries: int = 50000,
    max_inactive_connection_lifetime: float = 300.0,
    connect: Callable[..., Awaitable[Connection]] | None = None,
    setup: Callable[[Any], Awaitable[Any]] | None = None,
    init: Callable[[Any], Awaitable[Any]] | None = None,
    reset: Callable[[Any], Awaitable[Any]] | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    connection_class: type[Connection] = connection.Connection,
    record_class: type[Record] = Record,
    **connect_kwargs: Any,
) -> Pool:
    """Make a pool; the arguments are asyncpg's, see `pgallop.create_pool`.

    Returns:
        A `Pool`, to be awaited or entered with `async with`.

    Raises:
        ClientConfigurationError: an argument makes no sense.
        InterfaceError: one of the classes is none of asyncpg's.

    Example:
        >>> async with create_pool("postgresql://localhost/shop") as pool:
        ...     await pool.fetchval("SELECT count(*) FROM users")
    """
    return Pool(
        dsn,
        init_size=init_size,
        min_size=min_size,
        max_size=max_size,
        max_queries=max_queries,
        max_inactive_connection_lifetime=max_inactive_connection_lifetime,
        connect=connect,
        setup=setup,
        init=init,
        reset=reset,
        loop=loop,
        connection_class=connection_class,
        record_class=record_class,
        **connect_kwargs,
    )
