"""`PreparedStatement`: a statement that the caller keeps, under a name of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pgallop import introspect, preparing
from pgallop.dispatch import Dispatch, plain_text
from pgallop.errors import InterfaceError, UnsupportedClientFeatureError
from pgallop.into import fetch_into
from pgallop.many import run_many
from pgallop.preparing import Handle
from pgallop.queries import new_cursor, new_stream
from pgallop.rows.record import Record, check_record_class
from pgallop.sql.quoting import quote_identifier
from pgallop.types import Attribute, Type

if TYPE_CHECKING:
    from pgallop.connection import Connection
    from pgallop.cursor import CursorFactory
    from pgallop.stream import RowStream

T = TypeVar("T")


class PreparedStatement:
    """A statement that was prepared once, to be run any number of times.

    Made by `Connection.prepare`. Statements run by their text are prepared and kept, too: this is
    for what they cannot tell, such as the types of parameters and columns. When it is garbage, the
    server is told to forget it with the next statement that is prepared. When the server has
    forgotten it, or its types have changed, it is prepared again.
    """

    def __init__(
        self,
        connection: Connection,
        dispatch: Dispatch,
        handle: Handle,
        parameters: tuple[Type, ...],
        attributes: tuple[Attribute, ...],
        record_class: type[Record] | None = None,
    ) -> None:
        self._connection = connection
        self._dispatch = dispatch
        self._handle = handle
        self._parameters = parameters
        self._attributes = attributes
        self._record_class = record_class
        self._command: bytes | None = None

    def __del__(self) -> None:
        self._dispatch.ownership.call_soon(partial(preparing.let_go, self._dispatch, self._handle))

    # What it is

    def get_name(self) -> str:
        """The name that the server has it under; empty if it is parsed each time."""
        self._check_open("get_name")
        return self._handle.name

    def get_query(self) -> str:
        """Its text."""
        self._check_open("get_query")
        return self._handle.query

    def get_statusmsg(self) -> str | None:
        """The command tag of its last execution, such as `INSERT 0 1`; None before the first."""
        self._check_open("get_statusmsg")
        return None if self._command is None else self._command.decode("utf-8", "replace")

    def get_parameters(self) -> tuple[Type, ...]:
        """The types of its parameters, as they were when it was prepared.

        Example:
            >>> statement = await conn.prepare("SELECT $1::int4[]")
            >>> statement.get_parameters()
            (Type(oid=1007, name='int4[]', kind='array', schema='pg_catalog'),)
        """
        self._check_open("get_parameters")
        return self._parameters

    def get_attributes(self) -> tuple[Attribute, ...]:
        """Its columns' names and types, as they were when it was prepared; () if it has none.

        Example:
            >>> statement = await conn.prepare("SELECT 1 AS one")
            >>> statement.get_attributes()
            (Attribute(name='one', type=Type(oid=23, name='int4', kind='scalar',
            schema='pg_catalog')),)
        """
        self._check_open("get_attributes")
        return self._attributes

    # Running it

    @overload
    async def fetch(
        self, *args: Any, timeout: float | None = None, into: None = None
    ) -> list[Record]: ...

    @overload
    async def fetch(
        self, *args: Any, timeout: float | None = None, into: Callable[..., T]
    ) -> list[T]: ...

    async def fetch(
        self,
        *args: Any,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Run it and return its rows; arguments and errors as for `Connection.fetch`."""
        rows, _ = await self._run("fetch", args, False, timeout, into)
        return rows

    @overload
    async def fetchrow(
        self, *args: Any, timeout: float | None = None, into: None = None
    ) -> Record | None: ...

    @overload
    async def fetchrow(
        self, *args: Any, timeout: float | None = None, into: Callable[..., T]
    ) -> T | None: ...

    async def fetchrow(
        self,
        *args: Any,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> Any:
        """Run it and return its first row, or None; see `Connection.fetchrow`."""
        rows, _ = await self._run("fetchrow", args, True, timeout, into)
        return rows[0] if rows else None

    async def fetchval(
        self, *args: Any, column: int | str = 0, timeout: float | None = None
    ) -> Any:
        """Run it and return one value of its first row, or None; see `Connection.fetchval`."""
        rows, _ = await self._run("fetchval", args, True, timeout)
        return rows[0][column] if rows else None

    @overload
    async def fetchmany(
        self, args: Iterable[Sequence[Any]], *, timeout: float | None = None, into: None = None
    ) -> list[Record]: ...

    @overload
    async def fetchmany(
        self, args: Iterable[Sequence[Any]], *, timeout: float | None = None, into: Callable[..., T]
    ) -> list[T]: ...

    async def fetchmany(
        self,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Run it once for each row of arguments; all their rows, see `Connection.fetchmany`."""
        self._check_open("fetchmany")
        into = self._record_class if into is None else into
        rows, _ = await run_many(self._dispatch, self._handle, args, timeout, keeps=True, into=into)
        return rows

    async def executemany(
        self, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None:
        """Run it once for each row of arguments, see `Connection.executemany`."""
        self._check_open("executemany")
        await run_many(self._dispatch, self._handle, args, timeout, keeps=False)

    @overload
    def cursor(
        self,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        into: None = None,
    ) -> CursorFactory[Record]: ...

    @overload
    def cursor(
        self,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        into: Callable[..., T],
    ) -> CursorFactory[T]: ...

    def cursor(
        self,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> CursorFactory[Any]:
        """Its rows, a number at a time, inside a transaction; see `Connection.cursor`."""
        self._check_open("cursor")
        into = self._record_class if into is None else into
        return new_cursor(
            self._connection, self._dispatch, self._handle, args, prefetch, timeout, into
        )

    @overload
    def stream(
        self,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        into: None = None,
    ) -> RowStream[Record]: ...

    @overload
    def stream(
        self,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        into: Callable[..., T],
    ) -> RowStream[T]: ...

    def stream(
        self,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> RowStream[Any]:
        """Its rows, a number at a time, without a transaction; see `Connection.stream`."""
        self._check_open("stream")
        into = self._record_class if into is None else into
        return new_stream(
            self._connection, self._dispatch, self._handle, args, prefetch, timeout, into
        )

    async def explain(self, *args: Any, analyze: bool = False) -> Any:
        """The server's plan for it, as the list that EXPLAIN (FORMAT JSON, VERBOSE) gives.

        Where `json=` or a codec of yours reads json, it is what that makes of it.

        Args:
            args: the values it would be run with.
            analyze: run it, and tell what that took; what it has changed is rolled back.

        Example:
            >>> statement = await conn.prepare("SELECT 1")
            >>> (await statement.explain())[0]["Plan"]["Node Type"]
            'Result'

        Source: PostgreSQL documentation, EXPLAIN.
        """
        self._check_open("explain")
        options = "FORMAT JSON, VERBOSE, ANALYZE" if analyze else "FORMAT JSON, VERBOSE"
        query = f"EXPLAIN ({options}) {self._handle.query}"
        if not analyze:
            return await self._connection.fetchval(query, *args)
        transaction = self._connection.transaction()
        await transaction.start()
        try:
            return await self._connection.fetchval(query, *args)
        finally:
            await transaction.rollback()

    async def _run(
        self,
        verb: str,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        into: Callable[..., Any] | None = None,
    ) -> tuple[list[Any], bytes]:
        self._check_open(verb)
        into = self._record_class if into is None else into
        if into is not None:
            answer = await fetch_into(self._dispatch, self._handle, args, limited, timeout, into)
            self._command = answer[1]
            return answer
        request = self._dispatch.begin(self._handle, args, limited, timeout)
        if request is None:
            answer = await self._dispatch.run(self._handle, args, limited, timeout)
        else:
            try:
                answer = await request.waiter
            except BaseException as error:
                recovered = await self._dispatch.recover(request, error, timeout)
                if recovered is None:
                    raise
                answer = recovered
        self._command = answer[1]
        return answer

    def _check_open(self, verb: str) -> None:
        if self._connection.is_closed():
            raise InterfaceError(
                f"cannot call PreparedStatement.{verb}(): the underlying connection is closed"
            )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._handle.name!r} {self._handle.query!r}>"


async def prepare(
    connection: Connection,
    dispatch: Dispatch,
    query: str,
    name: str | None,
    timeout: float | None,
    record_class: type[Record] | None = None,
) -> PreparedStatement:
    """Prepare `query` for the caller, see `Connection.prepare`."""
    if record_class is not None:
        check_record_class(record_class)
    found = await described(dispatch, query, name, timeout)
    return PreparedStatement(connection, dispatch, *found, record_class)


async def described(
    dispatch: Dispatch, query: str, name: str | None, timeout: float | None
) -> tuple[Handle, tuple[Type, ...], tuple[Attribute, ...]]:
    """Prepare `query` under a name of its own; its key, the types of its parameters, its columns.

    Who has the key has to give it back by `preparing.let_go`.
    """
    handle = Handle(plain_text(query), checked_name(dispatch, name))
    dispatch.check_usable()
    if dispatch.simple:
        raise UnsupportedClientFeatureError(
            "prepare() needs the extended protocol, and the connection has statement_mode='simple'"
        )
    timeout, deadline = dispatch.deadline(timeout)
    dispatch.claim()
    dispatch.statements.pin(handle)
    try:
        block = dispatch.ownership.mine()
        found = await preparing.prepared(dispatch, [handle], deadline, timeout, block)
        statement = found[handle]
        oids = [*statement.parameter_oids, *[each.type_oid for each in statement.columns]]
        types = await introspect.types_of(dispatch, oids, deadline, timeout)
    except BaseException:
        preparing.let_go(dispatch, handle)
        raise
    finally:
        dispatch.release()
    known = {oid: types.get(oid) or Type(oid, "?", "scalar", "?") for oid in oids}
    parameters = tuple([known[oid] for oid in statement.parameter_oids])
    attributes = tuple([Attribute(each.name, known[each.type_oid]) for each in statement.columns])
    return handle, parameters, attributes


def checked_name(dispatch: Dispatch, name: str | None) -> str:
    """The name that a statement gets: the caller's, none behind a pooler, or one of its own."""
    if name is not None and name != "":
        quote_identifier(name, "statement's name")  # the server would cut what is longer
    if dispatch.unnamed or name == "":
        return ""
    return dispatch.new_statement_name().decode() if name is None else str.__str__(name)
