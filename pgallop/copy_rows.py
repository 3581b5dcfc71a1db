"""The rows of a query as COPY delivers them, without a portal and the trips to it.

One statement runs from beginning to end: the server sends on while there is room for what it sends,
here and on the way, and waits when there is none. So rows are at hand when they are asked for. What
is left unread is cancelled on the server.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pgallop import copy_arguments, repetition
from pgallop.deadlines import checked_seconds, timed_out
from pgallop.dispatch import Dispatch
from pgallop.errors import (
    ConnectionBusyError,
    InterfaceError,
    PostgresError,
    UnsupportedClientFeatureError,
)
from pgallop.into import built, checked_target
from pgallop.ownership import Block, BlockState
from pgallop.preparing import TRIES
from pgallop.session.copy_rows import CopyRows
from pgallop.session.statement import Statement
from pgallop.sql import copying
from pgallop.sql.copying import CopyOptions
from pgallop.transaction import is_task_of

if TYPE_CHECKING:
    from pgallop.connection import Connection

T = TypeVar("T")

BINARY = CopyOptions(format="binary")


class CopiedRows(Generic[T]):
    """What `Connection.copy_rows_from_query` returns: `async for` reads the rows.

    With `async with` around it, the COPY has ended when the block is left, in whatever way. Each
    `async for` over this object, each `batches()` and each `async with` runs the statement anew.
    """

    def __init__(
        self,
        connection: "Connection",
        dispatch: Dispatch,
        query: str,
        args: tuple[Any, ...],
        timeout: float | None,
        into: Callable[..., Any] | None,
    ) -> None:
        if timeout is not None:
            timeout = checked_seconds(timeout)
        self._connection = connection
        self._dispatch = dispatch
        self._query = query
        self._args = args
        self._timeout = timeout
        self._into = checked_target(dispatch, into)
        self._entered: CopiedRowsIterator[T] | None = None

    def __aiter__(self) -> "CopiedRowsIterator[T]":
        return CopiedRowsIterator(
            self._connection, self._dispatch, self._query, self._args, self._timeout, self._into
        )

    def batches(self) -> AsyncGenerator[list[T], None]:
        """The same rows in lists of some thousands at most, as they come; no list is empty."""
        return aiter(self).batches()

    async def __aenter__(self) -> "CopiedRowsIterator[T]":
        if self._entered is not None:
            raise InterfaceError("cannot enter a copy_rows_from_query() twice at the same time")
        self._entered = aiter(self)
        return self._entered

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        rows, self._entered = self._entered, None
        assert rows is not None
        await rows.aclose()


class CopiedRowsIterator(Generic[T]):
    """The rows of one COPY, for `async for` or `anext`; used by one task at a time.

    Whatever error comes up in it ends it.
    """

    # For `__del__`, whatever __init__ got to.
    _request: CopyRows | None = None

    def __init__(
        self,
        connection: "Connection",
        dispatch: Dispatch,
        query: str,
        args: tuple[Any, ...],
        timeout: float | None,
        into: Any,
    ) -> None:
        self._connection = connection
        self._dispatch = dispatch
        self._query = query
        self._args = args
        self._timeout = timeout
        self._into = into
        self._block = dispatch.ownership.new_block()
        self._waiter: asyncio.Future[Any] | None = None
        self._buffer: deque[T] = deque()
        self._read = 0
        self._busy = False
        self._exhausted = False
        # Why no rows come any more; no exception, for that would refer to this in its traceback.
        self._ended = ""

    def __aiter__(self) -> "CopiedRowsIterator[T]":
        return self

    async def __anext__(self) -> T:
        if not self._buffer:
            self._buffer.extend(await self._next_batch())
            if not self._buffer:
                raise StopAsyncIteration
        return self._buffer.popleft()

    async def batches(self) -> AsyncGenerator[list[T], None]:
        """The rows that are left, in lists of some thousands at most, as they come."""
        try:
            while True:
                batch = list(self._buffer) or await self._next_batch()
                self._buffer.clear()
                if not batch:
                    return
                yield batch
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """End it; what is left is cancelled on the server."""
        self._leave("it was closed")
        self._buffer.clear()

    async def _next_batch(self) -> list[T]:
        """The rows that have come; none at the end."""
        if self._exhausted:
            return []
        self._check_going_on()
        self._connection.is_closed()  # raises where it was given back to its pool
        dispatch = self._dispatch
        dispatch.check_loop()
        timeout, deadline = dispatch.deadline(self._timeout)
        dispatch.claim()
        self._busy = True
        limit = asyncio.timeout_at(deadline)
        try:
            if self._request is not None:
                dispatch.ownership.join(self._block)
            async with limit:
                return await self._wait_for_batch(deadline, timeout)
        except BaseException as error:
            self._leave(f"there was a {type(error).__name__} in it")
            if isinstance(error, TimeoutError) and limit.expired():
                raise timed_out(timeout) from None
            raise
        finally:
            self._busy = False
            dispatch.release()

    async def _wait_for_batch(self, deadline: float | None, timeout: float | None) -> list[T]:
        if self._request is not None:
            return await self._received(self._request)
        for tries in range(TRIES, -1, -1):
            request, presumed = await self._begin(deadline, timeout)
            try:
                return await self._received(request)
            except PostgresError as error:
                again = await self._may_begin_again(request, presumed, error, timeout)
                if not again or not tries:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _may_begin_again(
        self,
        request: CopyRows,
        presumed: Statement | None,
        error: PostgresError,
        timeout: float | None,
    ) -> bool:
        if not request.finished:
            return False
        self._dispatch.ownership.end_copy(self._block)  # here it is asked about
        self._block = self._dispatch.ownership.new_block()
        return await repetition.may_copy_again(self._dispatch, request, presumed, error, timeout)

    async def _begin(
        self, deadline: float | None, timeout: float | None
    ) -> tuple[CopyRows, Statement | None]:
        """Submit it; the request, and what was presumed of its query, if anything was."""
        dispatch = self._dispatch
        dispatch.check_usable()
        if dispatch.simple:
            raise UnsupportedClientFeatureError(
                "copy_rows_from_query() needs the extended protocol, and the connection has "
                "statement_mode='simple'"
            )
        query, presumed = self._query, None
        if self._args:
            query, presumed = await copy_arguments.inlined(
                dispatch, query, self._args, deadline, timeout
            )
        else:
            statement, is_new = await copy_arguments.described(dispatch, query, deadline, timeout)
            presumed = None if is_new else statement
            if statement.parameters:
                copy_arguments.encoded(statement, ())  # raises
        enclosed = copying.subquery(query, copy_arguments.standard_strings(dispatch))
        await dispatch.ownership.my_turn(dispatch.ownership.mine(), deadline, timeout)
        dispatch.check_unlost()
        text = copying.copy_out(enclosed, BINARY)
        self._waiter = dispatch.new_future()
        request = CopyRows(self._waiter, text, self._query, query, dispatch.registry, self._into)
        dispatch.submit(request)
        self._request = request
        self._block.for_maker = is_task_of(type(self).__anext__.__code__)
        self._block.is_read = True
        dispatch.ownership.begin_copy(self._block)
        # Given back to its pool, the connection is somebody else's, perhaps in this very context.
        request.on_left = partial(dispatch.ownership.end_copy, self._block)
        return request, presumed

    async def _received(self, request: CopyRows) -> list[T]:
        waiter = self._waiter
        assert waiter is not None
        while True:
            if request.discarded:
                raise InterfaceError("the connection was given back or closed before their end")
            if request.needed:
                self._dispatch.types.doubt(request.needed)
            if request.is_unreadable and not request.finished:
                error, request.error = request.error, None
                assert error is not None
                try:
                    raise error
                finally:
                    del error  # which is in the traceback of this frame, and would be garbage
            if request.has_rows() and not request.has_failed:
                return await self._taken(request)
            if request.has_failed or request.finished:
                break
            request.arrival = self._dispatch.new_future()
            await request.arrival
        await waiter
        self._exhausted = True
        self._dispatch.ownership.end_copy(self._block)
        return []

    async def _taken(self, request: CopyRows) -> list[T]:
        was_full = request.full
        rows = request.take_rows()
        if was_full:
            self._dispatch.go_on()
        made = await built(rows, self._read)
        self._read += len(made)
        return made

    def _leave(self, why: str) -> None:
        """No more rows come."""
        if not self._exhausted:
            self._ended = self._ended or why
        if self._request is not None:
            leave(self._dispatch, self._request, self._waiter, self._block)

    def _check_going_on(self) -> None:
        if self._ended:
            raise InterfaceError(
                f"the rows have ended before the last one was read: {self._ended}",
                hint="run it again: each iteration over what copy_rows_from_query() returns does",
            )
        if self._busy:
            raise ConnectionBusyError(
                "another task is reading these rows",
                hint="let one task read them, and hand them on",
                safe_to_retry=True,
            )

    def __del__(self) -> None:
        block = getattr(self, "_block", None)
        if block is not None:
            block.state = BlockState.CLOSED  # nothing more is refused, and no context keeps it
        request = self._request
        if request is not None and not self._exhausted:
            self._dispatch.ownership.call_soon(
                partial(leave, self._dispatch, request, self._waiter, self._block)
            )


def leave(
    dispatch: Dispatch, request: CopyRows, waiter: "asyncio.Future[Any] | None", block: Block
) -> None:
    """Nobody reads its rows any more."""
    dispatch.ownership.end_copy(block)
    dispatch.abandon(request)
    if waiter is not None and waiter.done() and not waiter.cancelled():
        waiter.exception()  # retrieved
