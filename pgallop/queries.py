"""The statements that a `Connection` runs: `fetch` and its relatives, cursors and streams."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from pgallop.into import asked_for, fetch_into
from pgallop.many import run_many
from pgallop.rows.record import Record

if TYPE_CHECKING:
    from pgallop.connection import Connection
    from pgallop.cursor import CursorFactory
    from pgallop.dispatch import Dispatch
    from pgallop.stream import RowStream

T = TypeVar("T")
R = TypeVar("R", bound=Record)


class Queries:
    """What a `Connection` does with statements."""

    _dispatch: Dispatch

    @overload
    async def fetch(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: None = None,
        into: None = None,
    ) -> list[Record]: ...

    @overload
    async def fetch(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[R],
        into: None = None,
    ) -> list[R]: ...

    @overload
    async def fetch(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: None = None,
        into: Callable[..., T],
    ) -> list[T]: ...

    async def fetch(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
        into: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Run a query and return its rows.

        Args:
            query: one statement, with `$1`, `$2`, ... where the arguments go.
            args: a value for each of them.
            timeout: seconds until TimeoutError is raised.
            record_class: a subclass of Record that each row becomes one of, the connection's
                `record_class` by default.
            into: what each row is made into instead, by the names of the columns: a dataclass, a
                NamedTuple, a TypedDict, a class of msgspec, pydantic or attrs, `dict`, `tuple`,
                `list`, or anything that can be called.

        Raises:
            PostgresError: the server refused; its class tells the SQLSTATE.
            DataError: an argument does not fit the type the server expects, or the columns or a
                value of the result do not fit `into`.
            InterfaceError: wrong number of arguments, rows cannot be made into `into` or
                `record_class`, or the connection is closed or belongs to another loop.

        Example:
            >>> await conn.fetch("SELECT id, name FROM users WHERE id < $1", 3)
            [<Record id=1 name='Ada'>, <Record id=2 name='Grace'>]
            >>> await conn.fetch("SELECT id, name FROM users WHERE id < $1", 3, into=User)
            [User(id=1, name='Ada'), User(id=2, name='Grace')]

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
        """
        if into is not None or record_class is not None:
            rows, _ = await fetch_into(
                self._dispatch, query, args, False, timeout, asked_for(into, record_class)
            )
            return rows
        dispatch = self._dispatch  # which it has no more once it is given back to its pool
        request = dispatch.begin(query, args, False, timeout)
        if request is None:
            rows, _ = await dispatch.run(query, args, False, timeout)
            return rows
        try:
            rows, _ = await request.waiter
        except BaseException as error:
            answer = await dispatch.recover(request, error, timeout)
            if answer is None:
                raise
            rows, _ = answer
        return rows

    @overload
    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: None = None,
        into: None = None,
    ) -> Record | None: ...

    @overload
    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[R],
        into: None = None,
    ) -> R | None: ...

    @overload
    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: None = None,
        into: Callable[..., T],
    ) -> T | None: ...

    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
        into: Callable[..., Any] | None = None,
    ) -> Any:
        """Run a query and return its first row, or None if there is none.

        Arguments and errors as for `fetch`. The server stops after the first row.

        Example:
            >>> await conn.fetchrow("SELECT 1 AS one, 2 AS two")
            <Record one=1 two=2>
        """
        if into is not None or record_class is not None:
            rows, _ = await fetch_into(
                self._dispatch, query, args, True, timeout, asked_for(into, record_class)
            )
            return rows[0] if rows else None
        dispatch = self._dispatch
        request = dispatch.begin(query, args, True, timeout)
        if request is None:
            rows, _ = await dispatch.run(query, args, True, timeout)
        else:
            try:
                rows, _ = await request.waiter
            except BaseException as error:
                answer = await dispatch.recover(request, error, timeout)
                if answer is None:
                    raise
                rows, _ = answer
        return rows[0] if rows else None

    async def fetchval(
        self, query: str, *args: Any, column: int | str = 0, timeout: float | None = None
    ) -> Any:
        """Run a query and return one value of its first row, or None if there is no row.

        Args:
            column: which one, by index or name.

        All else as for `fetchrow`.

        Example:
            >>> await conn.fetchval("SELECT $1::int4 + 1", 41)
            42
        """
        dispatch = self._dispatch
        request = dispatch.begin(query, args, True, timeout)
        if request is None:
            rows, _ = await dispatch.run(query, args, True, timeout)
        else:
            try:
                rows, _ = await request.waiter
            except BaseException as error:
                answer = await dispatch.recover(request, error, timeout)
                if answer is None:
                    raise
                rows, _ = answer
        return rows[0][column] if rows else None

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement and return its command tag, such as `INSERT 0 1`.

        Without arguments `query` may hold several statements, separated by semicolons. They run as
        one transaction unless it says otherwise, and the last one's tag is returned.

        Arguments and errors as for `fetch`.

        Example:
            >>> await conn.execute("INSERT INTO users (name) VALUES ($1)", "Ada")
            'INSERT 0 1'

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Simple Query".
        """
        if not args:
            return await self._dispatch.script(query, timeout)
        dispatch = self._dispatch
        request = dispatch.begin(query, args, False, timeout)
        if request is None:
            _, command = await dispatch.run(query, args, False, timeout)
        else:
            try:
                _, command = await request.waiter
            except BaseException as error:
                answer = await dispatch.recover(request, error, timeout)
                if answer is None:
                    raise
                _, command = answer
        return command.decode("utf-8", "replace")

    async def executemany(
        self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None:
        """Run a statement once for each row of arguments: all of it or nothing.

        The rows travel together, under one Sync. They are read as the network takes them, so that
        any number of them needs little memory. When one of them cannot be encoded, the iterable
        raises or the caller is cancelled, nothing is stored; if some of them were sent by then, the
        transaction around it has failed.

        Args:
            command: one statement, with `$1`, `$2`, ... where the arguments go.
            args: a tuple or list of arguments for each execution; without any nothing is sent.
            timeout: seconds for all of it, until TimeoutError is raised.

        Raises:
            PostgresError: the server refused; a note in its traceback tells which arguments.
            DataError: an argument does not fit its type; the message begins with `args[17]:`.
            InterfaceError: wrong number of arguments, or the connection is closed or belongs to
                another loop.
            UnsupportedClientFeatureError: a COPY from or to the client, or the connection has
                `statement_mode="simple"`.

        Example:
            >>> await conn.executemany("INSERT INTO users VALUES ($1, $2)", [(1, "Ada"), (2, "Bo")])

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Pipelining".
        """
        await run_many(self._dispatch, command, args, timeout, keeps=False)

    @overload
    async def fetchmany(
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        record_class: None = None,
        into: None = None,
    ) -> list[Record]: ...

    @overload
    async def fetchmany(
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        record_class: type[R],
        into: None = None,
    ) -> list[R]: ...

    @overload
    async def fetchmany(
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        record_class: None = None,
        into: Callable[..., T],
    ) -> list[T]: ...

    async def fetchmany(
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
        into: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Run a query once for each row of arguments; the rows of all of them, in one list.

        All else as for `executemany`; `record_class` and `into` as for `fetch`.

        Example:
            >>> await conn.fetchmany("SELECT $1::int4 * 10 AS n", [(1,), (2,)])
            [<Record n=10>, <Record n=20>]
        """
        into = asked_for(into, record_class)
        rows, _ = await run_many(self._dispatch, query, args, timeout, keeps=True, into=into)
        return rows

    # A number of rows at a time

    @overload
    def cursor(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: None = None,
        into: None = None,
    ) -> CursorFactory[Record]: ...

    @overload
    def cursor(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: type[R],
        into: None = None,
    ) -> CursorFactory[R]: ...

    @overload
    def cursor(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: None = None,
        into: Callable[..., T],
    ) -> CursorFactory[T]: ...

    def cursor(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
        into: Callable[..., Any] | None = None,
    ) -> CursorFactory[Any]:
        """The rows of a query, a number at a time: for `async for`, or for `await`.

        Only inside of a transaction, which ends the cursor. `async for` fetches `prefetch` rows at
        a time, the first time one more; `await` gives a `Cursor`, to fetch as many as you like.

        Args:
            prefetch: how many rows are fetched at a time, 50 by default; for `async for` only.
            timeout: seconds for each time that rows are fetched.
            record_class, into: what each row is made into, as for `fetch`.

        Raises, when rows are fetched:
            NoActiveSQLTransactionError: there is no transaction, or it has ended.
            PostgresError, DataError, InterfaceError: as for `fetch`.

        Example:
            >>> async with conn.transaction():
            ...     async for row in conn.cursor("SELECT generate_series(1, 3) AS n"):
            ...         print(row)
            <Record n=1>
            <Record n=2>
            <Record n=3>

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
        """
        into = asked_for(into, record_class)
        connection = cast("Connection", self)
        return new_cursor(connection, self._dispatch, query, args, prefetch, timeout, into)

    @overload
    def stream(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: None = None,
        into: None = None,
    ) -> RowStream[Record]: ...

    @overload
    def stream(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: type[R],
        into: None = None,
    ) -> RowStream[R]: ...

    @overload
    def stream(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: None = None,
        into: Callable[..., T],
    ) -> RowStream[T]: ...

    def stream(
        self,
        query: str,
        *args: Any,
        prefetch: int | None = None,
        timeout: float | None = None,
        record_class: type[Record] | None = None,
        into: Callable[..., Any] | None = None,
    ) -> RowStream[Any]:
        """The rows of a query, a number at a time, without a transaction around it.

        For `async for`. It has a transaction of its own, which is committed when the server has
        come to the end, before the last row is given out; what is left before that, by `break`
        or an error, is rolled back. Inside of `transaction()` it is part of that, as a cursor is.

        While it is open it has the connection to itself: statements of other tasks wait for its
        end, and what is called in between by the task that reads it is refused. An `async with`
        ends it for certain; without one it ends when nobody holds it any more.

        Args:
            query: one statement, with `$1`, `$2`, ... where the arguments go.
            args: a value for each of them.
            prefetch: how many rows are fetched at a time, and held in memory; 50 by default.
            timeout: seconds for each time that rows are fetched.
            record_class, into: what each row is made into, as for `fetch`.

        Raises, when rows are fetched:
            PostgresError, DataError: as for `fetch`; all of it is rolled back.
            InterfaceError: as for `fetch`, or another stream of the same task is open.
            UnsupportedClientFeatureError: the connection has `statement_mode="simple"`.

        Example:
            >>> async with conn.stream("SELECT generate_series(1, 3) AS n") as rows:
            ...     async for row in rows:
            ...         print(row)
            <Record n=1>
            <Record n=2>
            <Record n=3>

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
        """
        into = asked_for(into, record_class)
        connection = cast("Connection", self)
        return new_stream(connection, self._dispatch, query, args, prefetch, timeout, into)


def new_cursor(
    connection: Connection,
    dispatch: Dispatch,
    key: Hashable,
    args: tuple[Any, ...],
    prefetch: int | None,
    timeout: float | None,
    into: Callable[..., Any] | None,
) -> CursorFactory[Any]:
    """What reads the rows of a statement a number at a time, inside a transaction."""
    from pgallop.cursor import CursorFactory, reading

    return CursorFactory(reading(connection, dispatch, key, args, prefetch, timeout, into))


def new_stream(
    connection: Connection,
    dispatch: Dispatch,
    key: Hashable,
    args: tuple[Any, ...],
    prefetch: int | None,
    timeout: float | None,
    into: Callable[..., Any] | None,
) -> RowStream[Any]:
    """The same without a transaction."""
    from pgallop.cursor import reading
    from pgallop.stream import RowStream

    return RowStream(reading(connection, dispatch, key, args, prefetch, timeout, into))
