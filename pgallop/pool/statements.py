"""Statements on a pool: `fetch` and its relatives, each on any of the connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from pgallop.connection import Connection
from pgallop.into import asked_for, built
from pgallop.pool.desk import Desk
from pgallop.rows.record import Record

if TYPE_CHECKING:
    from pgallop.pool.lease import PoolAcquireContext

T = TypeVar("T")
R = TypeVar("R", bound=Record)

# What runs a statement by itself, on any of the connections.
VERBS = ("fetch", "fetchrow", "fetchval", "execute")


class Statements:
    """What a `Pool` does with statements.

    `_is_plain`: a statement of its own needs no more than a connection.
    """

    _desk: Desk
    _is_plain: bool

    if TYPE_CHECKING:

        def acquire(self, *, timeout: float | None = None) -> PoolAcquireContext: ...

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
    ) -> Any:
        """Run a query on any connection and return its rows, see `Connection.fetch`.

        Args:
            timeout: seconds for all of it, waiting for a connection included.

        Raises:
            PoolTimeoutError: no connection became free in time.
            PoolFullError: too many wait for one already.
            InterfaceError: the pool is closed, closing, or belongs to another loop or process.
            Exception: no connection could be opened; what `connect` raises.

        Example:
            >>> await pool.fetch("SELECT id, name FROM users WHERE id < $1", 3)
            [<Record id=1 name='Ada'>, <Record id=2 name='Grace'>]
        """
        if not self._is_plain:
            return await self._on_one("fetch", query, args, timeout, record_class, into)
        if into is not None or record_class is not None:
            into = asked_for(into, record_class)
        shot = self._desk.one_shot(query, args, False, timeout, into)
        try:
            answer = await shot.future
        except BaseException as error:
            answer = await self._desk.recover(shot, error)
            if answer is None:
                del shot  # it knows the error, whose traceback knows this frame
                raise
        if answer is None:
            answer = await self._desk.run(shot)
        return answer[0] if into is None else await built(answer[0])

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
        """Run a query on any connection and return its first row, or None if there is none.

        See `Connection.fetchrow`; `timeout` and errors as for `fetch`.
        """
        if not self._is_plain:
            return await self._on_one("fetchrow", query, args, timeout, record_class, into)
        if into is not None or record_class is not None:
            into = asked_for(into, record_class)
        shot = self._desk.one_shot(query, args, True, timeout, into)
        try:
            answer = await shot.future
        except BaseException as error:
            answer = await self._desk.recover(shot, error)
            if answer is None:
                del shot  # it knows the error, whose traceback knows this frame
                raise
        if answer is None:
            answer = await self._desk.run(shot)
        rows = answer[0] if into is None else await built(answer[0])
        return rows[0] if rows else None

    async def fetchval(
        self, query: str, *args: Any, column: int | str = 0, timeout: float | None = None
    ) -> Any:
        """Run a query on any connection and return one value of its first row, or None.

        See `Connection.fetchval`; `timeout` and errors as for `fetch`.
        """
        if not self._is_plain:
            return await self._on_one("fetchval", query, args, timeout, column=column)
        shot = self._desk.one_shot(query, args, True, timeout, None)
        try:
            answer = await shot.future
        except BaseException as error:
            answer = await self._desk.recover(shot, error)
            if answer is None:
                del shot  # it knows the error, whose traceback knows this frame
                raise
        if answer is None:
            answer = await self._desk.run(shot)
        rows = answer[0]
        return rows[0][column] if rows else None

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """Run a statement, or several without arguments, on any connection; its command tag.

        See `Connection.execute`; `timeout` and errors as for `fetch`. What it leaves behind in the
        session, such as settings, is reset.
        """
        if not self._is_plain:
            return cast("str", await self._on_one("execute", query, args, timeout))
        if not args:
            return await self._desk.script(query, timeout)
        shot = self._desk.one_shot(query, args, False, timeout, None)
        try:
            answer = await shot.future
        except BaseException as error:
            answer = await self._desk.recover(shot, error)
            if answer is None:
                del shot  # it knows the error, whose traceback knows this frame
                raise
        if answer is None:
            answer = await self._desk.run(shot)
        command: bytes = answer[1]
        return command.decode("utf-8", "replace")

    async def executemany(
        self, command: str, args: Iterable[Sequence[Any]], *, timeout: float | None = None
    ) -> None:
        """Run a statement once for each row of arguments, see `Connection.executemany`."""
        await self._on_one("executemany", command, (args,), timeout)

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
        """Run a query once for each row of arguments, see `Connection.fetchmany`."""
        return cast(
            "list[Any]",
            await self._on_one("fetchmany", query, (args,), timeout, record_class, into),
        )

    # What waits in thousands is kept small: the frame of a one-shot has no room for this.
    async def _on_one(
        self,
        verb: str,
        query: str,
        args: tuple[Any, ...],
        timeout: float | None,
        record_class: type[Record] | None = None,
        into: Callable[..., Any] | None = None,
        **others: Any,
    ) -> Any:
        """Call the method `verb` of a connection that is acquired for it.

        What is None is not passed on: a `connection_class` may have methods that know fewer.
        """
        options = {"timeout": timeout, "record_class": record_class, "into": into}
        given = {name: value for name, value in options.items() if value is not None}
        async with self.acquire(timeout=timeout) as connection:
            return await getattr(connection, verb)(query, *args, **given, **others)


def has_own_verbs(kind: type[Connection]) -> bool:
    """Whether a class of connections runs statements in another way than Connection."""
    return any(getattr(kind, verb) is not getattr(Connection, verb) for verb in VERBS)
