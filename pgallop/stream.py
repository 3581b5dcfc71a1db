"""Streams: the rows of one statement a number at a time, without a transaction of the caller's.

In a transaction of the caller's a stream is a cursor. Elsewhere it has a transaction of its own:

    BEGIN, Bind, Execute    one trip, under one Sync, and `prefetch` rows
    Execute                 a trip for as many again
    COMMIT                  when the server has come to the end, before the last row is given out

So what the statement does is done when its last row is seen, whatever becomes of that, as it is
with `fetch`. A stream that is left before that is rolled back. Nothing but the stream may use its
transaction: others wait for its end, and what is called in its own context is refused.

A portal without a transaction lives until the Sync. That would save no trip, and for all of that
time the server would count what the caller does with the rows against `statement_timeout`.
"""

import asyncio
from collections.abc import Hashable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from pgallop import preparing, repetition
from pgallop.cursor import CursorIterator, Reading
from pgallop.deadlines import checked_seconds, timed_out
from pgallop.dispatch import Dispatch
from pgallop.errors import CollateralCancelError, InterfaceError, PostgresError
from pgallop.ownership import Block, BlockState
from pgallop.preparing import TRIES
from pgallop.session.portal import FetchPortal
from pgallop.session.request import Request
from pgallop.session.statement import Statement
from pgallop.transaction import HURRY_SECONDS, STARTED, Transaction, is_task_of

if TYPE_CHECKING:
    from pgallop.connection import Connection

T = TypeVar("T")


class RowStream(Generic[T]):
    """What `Connection.stream` returns: `async for` reads the rows.

    With `async with` around it, the stream has ended when the block is left, in whatever way. Each
    `async for` over this object, and each `async with`, runs the statement anew.
    """

    def __init__(self, reading: Reading) -> None:
        if reading.timeout is not None:
            checked_seconds(reading.timeout)  # not to be refused where the stream is left
        self._reading = reading
        self._entered: StreamIterator[T] | None = None

    def __aiter__(self) -> "StreamIterator[T]":
        return StreamIterator(self._reading)

    async def __aenter__(self) -> "StreamIterator[T]":
        if self._entered is not None:
            raise InterfaceError("cannot enter a stream twice at the same time")
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
        await rows.leave(error)


class StreamIterator(CursorIterator[T]):
    """The rows of a stream, for `async for` or `anext`; used by one task at a time.

    Whatever error comes up in it ends it.
    """

    _who = "streams"

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._own = StreamTransaction(reading.connection, reading.dispatch)
        # Whether it is a cursor in a transaction of the caller's.
        self._is_cursor = False
        # Why no rows come any more; no exception, for that would refer to this in its traceback.
        self._ended = ""

    async def __anext__(self) -> T:
        # One is kept back until it is known whether it is the last, and the transaction is over.
        kept = 0 if self._is_cursor else 1
        if len(self._buffer) <= kept and not self._exhausted:
            limit = self._prefetch + (self._statement is None)
            self._buffer.extend(await self._fetched(limit, self._timeout))
        if self._buffer:
            return self._buffer.popleft()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """End the stream; what the server has not come to the end of is rolled back."""
        await self.leave(None)

    async def leave(self, error: BaseException | None) -> None:
        """End the stream for its caller, who goes because of `error`."""
        if self._buffer or not self._exhausted:
            self._end_by("it was closed")
        if self._is_cursor:
            self._close()
        else:
            _, deadline = self._dispatch.deadline(self._timeout)
            self._let_go()
            await self._roll_back(error, deadline)

    async def _fetch(self, limit: int, timeout: float | None) -> list[T]:
        """Fetch up to `limit` rows, and end the transaction behind the last ones."""
        dispatch = self._dispatch
        self._check_going_on()
        self._connection.is_closed()  # raises where it was given back to its pool
        dispatch.check_usable()
        if self._statement is None and not self._busy:
            self._is_cursor = dispatch.ownership.mine() is not None
        if self._is_cursor:
            return await super()._fetch(limit, timeout)
        timeout, deadline = dispatch.deadline(timeout)
        self._occupy()
        try:
            return await self._fetch_own(limit, timeout, deadline)
        except BaseException as error:
            if not self._is_cursor:
                self._end_by(f"there was a {type(error).__name__} in it")
                self._let_go()
                await self._roll_back(error, deadline)
            raise
        finally:
            self._end()

    async def _fetch_own(
        self, limit: int, timeout: float | None, deadline: float | None
    ) -> list[T]:
        if self._statement is None:
            request, rows = await self._first(limit, timeout, deadline)
        else:
            self._own.enter()
            request = self._submit_more(limit)
            rows = await self._answer(request, timeout, deadline)
        self._check_going_on()
        if request.suspended:
            return rows
        if self._is_cursor:
            self._close()
        else:
            await self._commit(timeout, deadline)
            self._let_go()
        self._exhausted = True
        return rows

    async def _first(
        self, limit: int, timeout: float | None, deadline: float | None
    ) -> tuple[FetchPortal, list[T]]:
        """Open it; once more if what was known of the statement was out of date."""
        refused: Hashable = None
        for tries in range(TRIES, -1, -1):
            request = await self._open(limit, timeout, deadline)
            try:
                return request, await self._answer(request, timeout, deadline)
            except PostgresError as error:
                refusal = repetition.refusal(request, error)
                if (
                    self._is_cursor
                    or not tries
                    or not is_untouched(request, error)
                    or (refusal is not None and refusal == refused)
                ):
                    raise
                refused = refusal
            await self._roll_back(None, deadline)
            self._forget_opening()
            self._lost = ""
        raise AssertionError("the last try returns or raises")

    async def _obtain(
        self, deadline: float | None, timeout: float | None
    ) -> tuple[Statement, bool]:
        if self._is_cursor:
            return await super()._obtain(deadline, timeout)
        await self._my_turn(deadline, timeout)
        obtained, is_new = await super()._obtain(deadline, timeout)
        if is_new:
            # All that waited for the same description go on at once, and one begins.
            await self._my_turn(deadline, timeout)
            obtained, _ = await super()._obtain(deadline, timeout)
        return obtained, is_new

    async def _my_turn(self, deadline: float | None, timeout: float | None) -> None:
        """Wait until a transaction may be begun."""
        await self._dispatch.ownership.my_turn(None, deadline, timeout, starts=True)
        self._dispatch.check_unlost()

    def _submit(self, obtained: Statement, limit: int) -> FetchPortal:
        self._check_going_on()
        # One that was begun by hand is known to the server only.
        self._is_cursor = self._is_cursor or self._dispatch.in_transaction()
        if self._is_cursor:
            return super()._submit(obtained, limit)
        self._stream = self._own.begin(is_task_of(type(self).__anext__.__code__))
        try:
            return super()._submit(obtained, limit)
        except BaseException:
            self._own.give_back()
            raise

    async def _commit(self, timeout: float | None, deadline: float | None) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._own.commit()
        except TimeoutError:
            raise timed_out(timeout) from None

    async def _roll_back(self, error: BaseException | None, deadline: float | None) -> None:
        """Roll back unless it is committed, for a caller who has got `error`."""
        patience = self._connection.drain_timeout
        if isinstance(error, (asyncio.CancelledError, TimeoutError)):
            # Who was cancelled or is out of time has waited enough: a frozen server is silent.
            patience = HURRY_SECONDS
        elif deadline is not None:
            patience = min(patience, max(HURRY_SECONDS, deadline - self._dispatch.now()))
        if isinstance(error, GeneratorExit):
            self._own.drop()  # a coroutine that is closed must not wait
        else:
            await self._own.leave(patience)

    def _let_go(self) -> None:
        """The portal goes with its transaction."""
        if self._portal is not None:
            preparing.unpin(self._dispatch, self._key)
            self._portal = None

    def _end_by(self, why: str) -> None:
        """No more rows come, not even those that are here."""
        self._ended = self._ended or why
        self._exhausted = False
        self._buffer.clear()

    def _check_going_on(self) -> None:
        if self._ended:
            raise InterfaceError(
                f"the stream has ended before its last row was read: {self._ended}",
                hint="run it again: each iteration over what stream() returns does",
            )


class StreamTransaction(Transaction):
    """The transaction of a stream, in which nobody else takes part."""

    def __init__(self, connection: "Connection", dispatch: Dispatch) -> None:
        super().__init__(connection, dispatch)
        self._block.is_stream = True

    def begin(self, for_maker: bool) -> Block:
        """Have the next request carry BEGIN; it is the turn of this context.

        `for_maker`: it is begun for the context that has made this.
        """
        self._block.for_maker = for_maker
        self._ownership.begin(self._block, self._beginning())
        return self._block

    def give_back(self) -> None:
        """The request that was to begin it was never submitted."""
        self._ownership.ended(self._block)

    def enter(self) -> None:
        """Go on in this context, perhaps another one than that which has begun it.

        Raises InterfaceError if the transaction is over.
        """
        self._check_started("go on")
        self._ownership.join(self._block)

    async def leave(self, patience: float) -> None:
        """Roll back if it is open, and wait up to `patience` seconds for that."""
        if self._block.state in STARTED:
            try:
                await self._rollback(patience)
            except InterfaceError:
                # With the connection the transaction is gone, too.
                if not self._connection.is_closed():
                    raise
        else:
            self._ownership.let_go(self._block)

    def drop(self) -> None:
        """Nobody reads on: others wait for the rollback, whose answer nobody needs."""
        if self._block.state in STARTED:
            self._block.state = BlockState.CLOSING
            self._ownership.call_soon(self._undo)

    def _on_end(self, request: Request, times: int = 0) -> None:
        super()._on_end(request, times)
        # Its traceback leads through what fetches rows back to this.
        self._failure = None

    def __del__(self) -> None:
        # A stream that is left by `break`, or by an exception, is known by that only.
        if self._block.state in STARTED:
            self.drop()
        else:
            super().__del__()


def is_untouched(request: FetchPortal, error: PostgresError) -> bool:
    """Whether nothing of a statement has run that may do better the next time."""
    if request.bound:
        return False
    is_collateral = isinstance(error, CollateralCancelError)
    return is_collateral or preparing.is_stale(error, request.statement)
