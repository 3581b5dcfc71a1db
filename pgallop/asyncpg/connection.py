"""`Connection` and `connect`, as asyncpg has them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from pgallop.asyncpg import connect_utils
from pgallop.asyncpg.cursor import CursorFactory
from pgallop.asyncpg.prepared_stmt import PreparedStatement
from pgallop.asyncpg.protocol.protocol import PreparedStatementState, Protocol
from pgallop.asyncpg.protocol.record import Record
from pgallop.asyncpg.serverversion import as_asyncpg
from pgallop.asyncpg.transaction import Transaction
from pgallop.connecting import ConnectCall
from pgallop.connection import Connection as NativeConnection
from pgallop.errors import UnsupportedClientFeatureError
from pgallop.query_log import LoggedQuery
from pgallop.types import ServerVersion

if TYPE_CHECKING:
    from pgallop.asyncpg.connect_utils import ClientConfiguration, ConnectionParameters

__all__ = ["Connection", "LoggedQuery", "connect"]


class Connection(NativeConnection):
    """A connection to a PostgreSQL server, made by `connect`.

    All that it runs passes through `_execute` or `_executemany`, which subclasses override, and
    through `Protocol`, which tracers wrap.
    """

    def __init__(
        self,
        protocol: Protocol,
        transport: Any,
        loop: asyncio.AbstractEventLoop,
        addr: tuple[str, int] | str,
        config: "ClientConfiguration",
        params: "ConnectionParameters",
    ) -> None:
        assert protocol.link is not None
        super().__init__(protocol.link, config.options, loop, config.knowledge)
        self._protocol = protocol
        self._transport = transport
        self._addr = addr
        self._config = config
        self._params = params
        protocol.set_connection(self)

    # Statements

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement, or several if there are no `args`; the last one's command tag."""
        if not args:
            return await self._protocol.query(query, timeout)
        _, status, _ = await self._execute(query, args, 0, timeout, return_status=True)
        return status.decode()  # type: ignore[no-any-return]

    async def executemany(
        self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None:
        """Run a statement once for each row of arguments: all of it or nothing."""
        await self._executemany(command, args, timeout)

    async def fetch(  # type: ignore[override]
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> list[Any]:
        """Run a query and return its rows."""
        return await self._execute(query, args, 0, timeout, record_class=record_class)  # type: ignore[no-any-return]

    async def fetchval(
        self, query: str, *args: Any, column: int | str = 0, timeout: float | None = None
    ) -> Any:
        """Run a query and return one value of its first row, or None if there is no row."""
        rows = await self._execute(query, args, 1, timeout)
        return rows[0][column] if rows else None

    async def fetchrow(  # type: ignore[override]
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> Any:
        """Run a query and return its first row, or None if there is none."""
        rows = await self._execute(query, args, 1, timeout, record_class=record_class)
        return rows[0] if rows else None

    async def fetchmany(  # type: ignore[override]
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> list[Any]:
        """Run a query once for each row of arguments; the rows of all of them."""
        return await self._executemany(  # type: ignore[no-any-return]
            query, args, timeout, return_rows=True, record_class=record_class
        )

    async def _execute(
        self,
        query: str,
        args: Sequence[Any],
        limit: int,
        timeout: float | None,
        *,
        return_status: bool = False,
        ignore_custom_codec: bool = False,
        record_class: type[Record] | None = None,
    ) -> Any:
        if ignore_custom_codec:
            raise UnsupportedClientFeatureError("codecs that were set cannot be left out of a call")
        return await self._protocol.bind_execute(
            PreparedStatementState(query, query, record_class),
            args,
            "",
            limit,
            return_status,
            timeout,
        )

    async def _executemany(
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        timeout: float | None,
        return_rows: bool = False,
        record_class: type[Record] | None = None,
    ) -> Any:
        return await self._protocol.bind_execute_many(
            PreparedStatementState(query, query, record_class), args, "", timeout, return_rows
        )

    # What is made of it

    async def prepare(
        self,
        query: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> PreparedStatement:
        """Prepare a statement to be kept, and to be asked about its types."""
        return await self._prepare(query, name=name, timeout=timeout, record_class=record_class)

    async def _prepare(
        self,
        query: str,
        *,
        name: str | None = None,
        timeout: float | None = None,
        use_cache: bool = False,
        record_class: type[Record] | None = None,
    ) -> PreparedStatement:
        state = await self._protocol.prepare(name, query, timeout, record_class=record_class)
        return PreparedStatement(self, query, state)

    def cursor(  # type: ignore[override]
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
    ) -> CursorFactory:
        """The rows of a query, a number at a time: for `async for`, or for `await`."""
        return CursorFactory(self, query, None, args, prefetch, timeout, record_class)

    def transaction(
        self, *, isolation: str | None = None, readonly: bool = False, deferrable: bool = False
    ) -> Transaction:
        """A transaction, for `async with`; inside another one, a savepoint."""
        return Transaction(self, isolation, readonly, deferrable)

    async def set_type_codec(  # type: ignore[override]
        self,
        typename: str,
        *,
        schema: str = "public",
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        format: Any = "text",
    ) -> None:
        """Have values of a type written and read by two functions."""
        await super().set_type_codec(
            typename, schema=schema, encoder=encoder, decoder=decoder, format=format
        )

    async def reload_schema_state(self) -> None:
        """Forget what is known of types and statements; of a closed connection that is nothing."""
        if not self.is_closed():
            await super().reload_schema_state()

    # Facts

    def get_reset_query(self) -> str:
        """The script that `reset` runs, which leaves as much in a session as asyncpg's does."""
        return self.get_server_capabilities().settings_reset_query

    def get_server_version(self) -> ServerVersion:
        """The server's version, in which the second number is 0 since PostgreSQL 10."""
        return as_asyncpg(super().get_server_version())


def connect(
    dsn: str | None = None,
    *,
    host: str | Sequence[str] | None = None,
    port: int | str | Sequence[int | str] | None = None,
    user: str | None = None,
    password: str | Callable[[], str | Awaitable[str]] | None = None,
    passfile: Any = None,
    service: str | None = None,
    servicefile: Any = None,
    database: str | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
    timeout: float | None = 60,
    statement_cache_size: int = 100,
    max_cached_statement_lifetime: float = 300,
    max_cacheable_statement_size: int = 1024 * 15,
    command_timeout: float | None = None,
    ssl: Any = None,
    direct_tls: bool | None = None,
    connection_class: type[Connection] = Connection,
    record_class: type[Record] = Record,
    server_settings: Mapping[str, str] | None = None,
    target_session_attrs: str | None = None,
    krbsrvname: str | None = None,
    gsslib: str | None = None,
) -> ConnectCall:
    """Connect to a PostgreSQL server; the arguments are asyncpg's, see `pgallop.connect`.

    Returns:
        Something to await, as asyncpg's coroutine, which can be entered with `async with` as well.

    Raises, when it is awaited:
        InterfaceError: an argument makes no sense, or is of a feature that pgallop lacks.
        OSError: no host can be reached.
        PostgresError: the server refused.
        TargetServerAttributeNotMatched: no server is of the kind that was asked for.

    Example:
        >>> conn = await connect("postgresql://localhost/shop")
    """
    arguments = locals()
    del arguments["loop"]
    return ConnectCall(partial(connect_utils._connect, loop=loop, **arguments))  # pyright: ignore[reportPrivateUsage]
