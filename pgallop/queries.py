"""The statements that a `Connection` runs as a whole: `fetch` and its relatives."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pgallop.into import fetch_into
from pgallop.many import run_many
from pgallop.rows.record import Record

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

T = TypeVar("T")


class Queries:
    """What a `Connection` does with statements that are complete in themselves."""

    _dispatch: "Dispatch"

    @overload
    async def fetch(
        self, query: str, *args: Any, timeout: float | None = None, into: None = None
    ) -> list[Record]: ...

    @overload
    async def fetch(
        self, query: str, *args: Any, timeout: float | None = None, into: Callable[..., T]
    ) -> list[T]: ...

    async def fetch(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Run a query and return its rows.

        Args:
            query: one statement, with `$1`, `$2`, ... where the arguments go.
            args: a value for each of them.
            timeout: seconds until TimeoutError is raised.
            into: what each row is made into, by the names of the columns: a dataclass, a
                NamedTuple, a TypedDict, a class of msgspec, pydantic or attrs, `dict`, `tuple`,
                `list`, or anything that can be called. By default it is a Record.

        Raises:
            PostgresError: the server refused; its class tells the SQLSTATE.
            DataError: an argument does not fit the type the server expects, or the columns or a
                value of the result do not fit `into`.
            InterfaceError: wrong number of arguments, rows cannot be made into `into`, or the
                connection is closed or belongs to another loop.

        Example:
            >>> await conn.fetch("SELECT id, name FROM users WHERE id < $1", 3)
            [<Record id=1 name='Ada'>, <Record id=2 name='Grace'>]
            >>> await conn.fetch("SELECT id, name FROM users WHERE id < $1", 3, into=User)
            [User(id=1, name='Ada'), User(id=2, name='Grace')]

        Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
        """
        if into is not None:
            rows, _ = await fetch_into(self._dispatch, query, args, False, timeout, into)
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
        self, query: str, *args: Any, timeout: float | None = None, into: None = None
    ) -> Record | None: ...

    @overload
    async def fetchrow(
        self, query: str, *args: Any, timeout: float | None = None, into: Callable[..., T]
    ) -> T | None: ...

    async def fetchrow(
        self,
        query: str,
        *args: Any,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> Any:
        """Run a query and return its first row, or None if there is none.

        Arguments and errors as for `fetch`. The server stops after the first row.

        Example:
            >>> await conn.fetchrow("SELECT 1 AS one, 2 AS two")
            <Record one=1 two=2>
        """
        if into is not None:
            rows, _ = await fetch_into(self._dispatch, query, args, True, timeout, into)
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
        into: None = None,
    ) -> list[Record]: ...

    @overload
    async def fetchmany(
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        into: Callable[..., T],
    ) -> list[T]: ...

    async def fetchmany(
        self,
        query: str,
        args: Iterable[Sequence[Any]],
        *,
        timeout: float | None = None,
        into: Callable[..., Any] | None = None,
    ) -> list[Any]:
        """Run a query once for each row of arguments; the rows of all of them, in one list.

        All else as for `executemany`; `into` as for `fetch`.

        Example:
            >>> await conn.fetchmany("SELECT $1::int4 * 10 AS n", [(1,), (2,)])
            [<Record n=10>, <Record n=20>]
        """
        return await run_many(self._dispatch, query, args, timeout, keeps=True, into=into)
