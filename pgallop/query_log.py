"""Query loggers: whom a connection tells of each statement that was run, and how long it took.

While there are any, all statements take the way of those that have to wait (`Dispatch.run`), where
they are timed; while there are none, that costs nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pgallop.errors import InterfaceError
from pgallop.inbox import Calls, Listener, check_callable

if TYPE_CHECKING:
    from pgallop.config.hosts import Host
    from pgallop.config.options import ConnectOptions
    from pgallop.dispatch import Dispatch

T = TypeVar("T")


class LoggedQuery(NamedTuple):
    """What a query logger is told of a statement.

    `args`: a tuple, or what `executemany` was given. `timeout`: seconds, None without one.
    `elapsed`: seconds until its caller had the answer, waiting for his turn included. `exception`:
    what he got instead, or None. `conn_addr`: (host, port), or the path of a Unix socket;
    `conn_params`: user, database and all else that was asked for, with the password out of sight.
    """

    query: str
    args: Any
    timeout: float | None
    elapsed: float
    exception: BaseException | None
    conn_addr: tuple[str, int] | str
    conn_params: "ConnectOptions"


class QueryLog:
    """The query loggers of one connection, in the order in which they were added."""

    __slots__ = ("_address", "_callbacks", "_calls", "_dispatch", "_loop", "_options")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        dispatch: "Dispatch",
        host: "Host",
        options: "ConnectOptions",
    ) -> None:
        self._loop = loop
        self._dispatch = dispatch
        self._address = host.socket_path if host.is_unix else (host.host, host.port)
        self._options = options
        self._calls = Calls(loop, "query logger")
        self._callbacks: dict[Listener, None] = {}

    def add(self, callback: Listener) -> None:
        """Add `callback`; one that is there already stays the only one of its kind."""
        check_callable(callback)
        self._callbacks[callback] = None
        self._dispatch.log_to(self)

    def remove(self, callback: Listener) -> None:
        """Remove `callback`, if it is there."""
        self._callbacks.pop(callback, None)
        if not self._callbacks:
            self._dispatch.log_to(None)

    async def timed(
        self, query: str, args: Any, timeout: float | None, call: Coroutine[Any, Any, T]
    ) -> T:
        """Await what runs `query`, and tell of it."""
        began = monotonic()
        try:
            result = await call
        except BaseException as error:
            self._tell(query, args, timeout, began, error)
            raise
        self._tell(query, args, timeout, began, None)
        return result

    def follow(self, query: str, answer: "asyncio.Future[str]") -> None:
        """Tell of what has no caller who is timed, such as COMMIT, when it is answered."""
        answer.add_done_callback(partial(self._on_answer, query, monotonic()))

    def note(self, query: str) -> None:
        """Tell of what travels with another statement, and takes no time of its own."""
        self._tell(query, (), None, monotonic(), None)

    def _on_answer(self, query: str, began: float, answer: "asyncio.Future[str]") -> None:
        error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
        self._tell(query, (), None, began, error)

    def _tell(
        self,
        query: str,
        args: Any,
        timeout: float | None,
        began: float,
        exception: BaseException | None,
    ) -> None:
        elapsed = monotonic() - began  # the loop's clock may know no less than milliseconds
        record = LoggedQuery(query, args, timeout, elapsed, exception, self._address, self._options)
        for callback in self._callbacks:
            self._loop.call_soon(self._calls.call, callback, record)


class QueryLogging:
    """What a `Connection` does with query loggers."""

    _query_log: QueryLog

    if TYPE_CHECKING:

        def is_closed(self) -> bool: ...

    def add_query_logger(self, callback: Callable[[LoggedQuery], object]) -> None:
        """Have `callback` called with each statement that is run on the connection.

        It hears of statements of every kind: `fetch` and the like, `executemany` (once for all of
        it), prepared ones, each portion of a cursor, those of a pipeline, also of BEGIN and
        COMMIT, LISTEN and what resets the session. Everything is a little slower meanwhile. It
        stays with the connection, which may go back to a pool, until it is removed.

        Args:
            callback: a function or coroutine function of one argument, a `LoggedQuery`. It is
                called by the event loop; what it raises goes to the loop's exception handler. Added
                twice it is called once.

        Raises:
            InterfaceError: the connection is closed, or `callback` cannot be called.

        Example:
            >>> conn.add_query_logger(lambda record: print(record.query, record.elapsed))
        """
        if self.is_closed():
            raise InterfaceError("connection is closed: nobody would call the logger")
        self._query_log.add(callback)

    def remove_query_logger(self, callback: Callable[[LoggedQuery], object]) -> None:
        """Forget a callback of `add_query_logger`; one that is not known is ignored."""
        self._query_log.remove(callback)

    @contextmanager
    def query_logger(self, callback: Callable[[LoggedQuery], object]) -> Generator[None]:
        """Have `callback` called with each statement that is run during a `with` block.

        Statements of other tasks on the same connection, too; see `add_query_logger`.

        Example:
            >>> queries = []
            >>> with conn.query_logger(queries.append):
            ...     await conn.fetchval("SELECT 1")
            >>> [record.query for record in queries]
            ['SELECT 1']
        """
        self.add_query_logger(callback)
        log = self._query_log  # which this has no more when it was given back to its pool
        try:
            yield
        finally:
            log.remove(callback)
