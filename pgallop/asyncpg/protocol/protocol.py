"""`Protocol`: all statements of a connection pass through its methods, which tracers wrap.

It has asyncpg's methods, as far as anybody but asyncpg calls them, and no protocol in it: they lead
to the connection's `Dispatch`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from pgallop.codecs._oids import OIDS
from pgallop.into import asked_for, built
from pgallop.many import run_many
from pgallop.rows.record import Record, check_record_class
from pgallop.statement import described
from pgallop.types import Attribute, ServerSettings, Type

if TYPE_CHECKING:
    from pgallop.asyncpg.connection import Connection
    from pgallop.transport.connect import Link

BUILTIN_TYPE_NAME_MAP: Final = {name: oid for name, oid in OIDS.items() if not name.startswith("_")}
BUILTIN_TYPE_OID_MAP: Final = {oid: name for name, oid in BUILTIN_TYPE_NAME_MAP.items()}


# Seconds that nobody waits.
FOR_EVER: Final = 1e9


class NoTimeout:
    """The type of `NO_TIMEOUT`."""

    def __repr__(self) -> str:
        return "NO_TIMEOUT"


# Stands for no timeout, where None stands for that of the connection.
NO_TIMEOUT: Final = NoTimeout()


class PreparedStatementState:
    """A statement on its way through `Protocol`.

    `key`: what the connection finds it by, its text or the `Handle` of one that was prepared.
    `fetch`: what reads from the portal of a cursor.
    """

    __slots__ = ("attributes", "fetch", "key", "parameters", "query", "record_class")

    query: str
    key: Any
    record_class: type[Record] | None
    parameters: tuple[Type, ...]
    attributes: tuple[Attribute, ...]
    fetch: Callable[[int, float | None], Awaitable[list[Any]]]

    def __init__(self, query: str, key: Hashable, record_class: type[Record] | None) -> None:
        self.query = query
        self.key = key
        self.record_class = record_class

    @property
    def name(self) -> str:
        """What the server has it under, "" where that is the connection's business."""
        return getattr(self.key, "name", "")


class BaseProtocol:
    """One session with a server; made by `connect_utils`, and given its connection afterwards."""

    def __init__(
        self,
        addr: Any,
        connected_fut: Any,
        con_params: Any,
        record_class: type[Record],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._addr = addr
        self._con_params = con_params
        self._record_class = record_class
        self._loop = loop
        self.link: Link | None = None
        self.queries_count = 0

    def set_connection(self, connection: "Connection") -> None:
        """Run the statements of this connection."""
        self._dispatch = connection._dispatch  # pyright: ignore[reportPrivateUsage]

    # Statements

    async def bind_execute(
        self,
        state: PreparedStatementState,
        args: Sequence[Any],
        portal_name: str,
        limit: int,
        return_extra: bool,
        timeout: Any,
    ) -> Any:
        """Run a statement: its rows, or with `return_extra` these, the command tag, and True.

        With the name of a portal that is opened, and its first `limit` rows are read.
        """
        self.queries_count += 1
        if portal_name:
            rows = await state.fetch(limit, seconds(timeout))
            return (rows, b"", len(rows) < limit) if return_extra else rows
        if timeout is not None:
            timeout = seconds(timeout)
        into = state.record_class
        if into is not None:
            check_record_class(into)
        dispatch = self._dispatch
        values = tuple(args)  # of a tuple, which it mostly is, that is the tuple
        request = dispatch.begin(state.key, values, limit == 1, timeout, into)
        if request is None:
            rows, command = await dispatch.run(state.key, values, limit == 1, timeout, into)
        else:
            try:
                rows, command = await request.waiter
            except BaseException as error:
                answer = await dispatch.recover(request, error, timeout)
                if answer is None:
                    raise
                rows, command = answer
        if into is not None:
            rows = await built(rows)
        if limit > 1:
            del rows[limit:]
        return (rows, command, True) if return_extra else rows

    async def bind_execute_many(
        self,
        state: PreparedStatementState,
        args: Iterable[Sequence[Any]],
        portal_name: str,
        timeout: Any,
        return_rows: bool,
    ) -> Any:
        """Run a statement for each of `args`; the rows of all if they are wanted."""
        self.queries_count += 1
        rows, _ = await run_many(
            self._dispatch,
            state.key,
            args,
            seconds(timeout),
            keeps=return_rows,
            into=asked_for(None, state.record_class),
        )
        return rows if return_rows else None

    async def bind(
        self, state: PreparedStatementState, args: Sequence[Any], portal_name: str, timeout: Any
    ) -> None:
        """Open the portal of a cursor."""
        await state.fetch(-1, seconds(timeout))

    async def execute(
        self,
        state: PreparedStatementState,
        portal_name: str,
        limit: int,
        return_extra: bool,
        timeout: Any,
    ) -> Any:
        """Read the next `limit` rows of a portal."""
        self.queries_count += 1
        rows = await state.fetch(limit, seconds(timeout))
        return (rows, b"", len(rows) < limit) if return_extra else rows

    async def query(self, query: str, timeout: Any) -> str:
        """Run one or several statements without arguments; the last one's command tag."""
        self.queries_count += 1
        return await self._dispatch.script(query, seconds(timeout))

    async def prepare(
        self,
        stmt_name: str | None,
        query: str,
        timeout: Any,
        *,
        state: PreparedStatementState | None = None,
        ignore_custom_codec: bool = False,
        record_class: type[Record] | None,
    ) -> PreparedStatementState:
        """Prepare a statement that is kept, under that name; one of its own if None."""
        if record_class is not None:
            check_record_class(record_class)
        handle, parameters, attributes = await described(
            self._dispatch, query, stmt_name, seconds(timeout)
        )
        if state is None:
            state = PreparedStatementState(query, handle, record_class)
        state.key = handle
        state.parameters = parameters
        state.attributes = attributes
        return state

    # Facts

    def get_server_pid(self) -> int:
        """The process id of the server's backend."""
        return 0 if self.link is None else self.link.pid

    def get_settings(self) -> ServerSettings:
        """The settings that the server reports."""
        return ServerSettings(self._dispatch.parameters())

    def get_record_class(self) -> type[Record]:
        """What rows are, unless a call asks for something else."""
        return self._record_class

    def is_in_transaction(self) -> bool:
        """Whether the server was in a transaction when it last answered, or is about to be."""
        return bool(self._dispatch.ownership.blocks) or self._dispatch.in_transaction()


class Protocol(BaseProtocol, asyncio.Protocol):
    """`BaseProtocol`, where asyncpg has asyncio's."""


def seconds(timeout: Any) -> float | None:
    """A timeout as asyncpg takes it."""
    if timeout is None or type(timeout) is float or type(timeout) is int:
        return timeout
    return FOR_EVER if timeout is NO_TIMEOUT else float(timeout)
