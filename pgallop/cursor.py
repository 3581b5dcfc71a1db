"""Cursors: the rows of a query a number at a time, inside a transaction.

A cursor is a portal of the server, which ends with its transaction. One that was read to its end or
that nobody holds any more is closed by a message that travels with the next statement.
"""

from collections import deque
from collections.abc import Coroutine, Generator, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from pgallop import converting, preparing, repetition
from pgallop.codecs.codec import shown
from pgallop.dispatch import Dispatch, plain_text
from pgallop.errors import (
    ConnectionBusyError,
    DataError,
    InterfaceError,
    NoActiveSQLTransactionError,
    PostgresError,
    ProtocolError,
)
from pgallop.into import built, checked_target
from pgallop.many import check_extended
from pgallop.ownership import Block, BlockState
from pgallop.session.execute import Unreadable
from pgallop.session.portal import ClosePortal, FetchPortal
from pgallop.session.session import IN_FAILED_TRANSACTION
from pgallop.session.statement import Description, Statement
from pgallop.wire.frontend import MAX_PARAMETERS

if TYPE_CHECKING:
    from pgallop.connection import Connection

T = TypeVar("T")

DEFAULT_PREFETCH = 50

# Execute counts rows in a signed int32, and one more is asked for the first time.
MAX_ROWS = 2**31 - 2

# Execute with this limit has none; a portal is opened only.
NO_ROWS = -1


class Reading(NamedTuple):
    """What is read a number of rows at a time, and how.

    The statement of `key` is run with `args`, its rows are made into `into` (None for Records).
    `prefetch`: how many are fetched at a time, None if the caller has not said it. `timeout`:
    seconds for each of these times.
    """

    connection: "Connection"
    dispatch: Dispatch
    key: Hashable
    args: tuple[Any, ...]
    prefetch: int | None
    timeout: float | None
    into: Any


def reading(
    connection: "Connection",
    dispatch: Dispatch,
    key: Hashable,
    args: tuple[Any, ...],
    prefetch: int | None,
    timeout: float | None,
    into: Any,
) -> Reading:
    """What a caller wants to read; raises InterfaceError if it makes no sense."""
    if not isinstance(key, preparing.Handle):
        key = plain_text(key)
    if prefetch is not None:
        check_count("prefetch argument", prefetch)
    return Reading(
        connection, dispatch, key, args, prefetch, timeout, checked_target(dispatch, into)
    )


class CursorFactory(Generic[T]):
    """What `Connection.cursor` returns: `async for` reads the rows, `await` gives a `Cursor`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def __aiter__(self) -> "CursorIterator[T]":
        return CursorIterator(self._reading)

    def __await__(self) -> "Generator[Any, None, Cursor[T]]":
        if self._reading.prefetch is not None:
            raise InterfaceError("prefetch argument can only be specified for iterable cursor")
        cursor: Cursor[T] = Cursor(self._reading)
        return cursor.open(self._reading.timeout).__await__()


class BaseCursor(Generic[T]):
    """A portal and what is known of it."""

    # What needs the extended protocol.
    _who = "cursors"

    # For `__del__`, whatever __init__ got to.
    _portal: bytes | None = None

    # The block of its own that a stream has.
    _stream: Block | None = None

    def __init__(self, reading: Reading) -> None:
        self._connection = reading.connection
        self._dispatch = reading.dispatch
        self._key = reading.key
        self._query = preparing.query_of(reading.key)
        self._args = reading.args
        self._into = reading.into
        self._statement: Statement | None = None
        self._transaction: Block | None = None
        self._exhausted = False
        # So many rows, for messages.
        self._read = 0
        self._busy = False
        # By what its place was lost; no exception, for that would refer to this in its traceback.
        self._lost = ""

    def _fetched(self, limit: int, timeout: float | None) -> Coroutine[Any, Any, list[T]]:
        """`_fetch`, told of to those who want to know."""
        call = self._fetch(limit, timeout)
        return self._dispatch.logged(self._query, self._args, timeout, call)

    async def _fetch(self, limit: int, timeout: float | None) -> list[T]:
        """Fetch up to `limit` rows, and open the portal if that was not done."""
        dispatch = self._dispatch
        timeout, deadline = dispatch.deadline(timeout)
        self._begin()
        try:
            block = dispatch.ownership.mine()
            if self._statement is None:
                request = await self._open(limit, timeout, deadline)
            else:
                await dispatch.ownership.my_turn(block, deadline, timeout)
                dispatch.check_unlost()
                request = self._submit_more(limit)
            rows = await self._answer(request, timeout, deadline)
        finally:
            self._end()
        if limit >= 0 and not request.suspended:
            self._exhausted = True
            self._close()
        return rows

    async def _open(self, limit: int, timeout: float | None, deadline: float | None) -> FetchPortal:
        """Submit what opens the portal."""
        dispatch = self._dispatch
        if len(self._args) > MAX_PARAMETERS:
            raise InterfaceError(
                f"{len(self._args)} arguments, a statement may have {MAX_PARAMETERS}"
            )
        check_extended(dispatch, self._who, self._query)
        # The server may close the portals of a statement that it is told to forget.
        dispatch.statements.pin(self._key)
        try:
            obtained, is_new = await self._obtain(deadline, timeout)
            try:
                request = self._submit(obtained, limit)
            except DataError:
                if is_new:
                    raise
                # Refused by what was known of the types: what are they now?
                obtained = await preparing.anew(dispatch, obtained, deadline, timeout)
                request = self._submit(obtained, limit)
        except BaseException:
            preparing.unpin(dispatch, self._key)
            raise
        blocks = dispatch.ownership.blocks
        self._transaction = blocks[0] if blocks else None
        self._statement = request.statement
        self._portal = request.portal
        return request

    async def _obtain(
        self, deadline: float | None, timeout: float | None
    ) -> tuple[Statement, bool]:
        """The statement, when it may be run; whether it was described just now."""
        return await preparing.obtain(self._dispatch, self._key, True, deadline, timeout)

    def _submit(self, obtained: Statement, limit: int) -> FetchPortal:
        dispatch = self._dispatch
        statement = obtained
        if obtained.parse or obtained.varies:
            # Its next execution may have other columns, and this portal keeps its own.
            columns = None if obtained.decoder is None else obtained.columns
            description = Description(obtained.parameter_oids, columns)
            statement = Statement(
                obtained.query, obtained.name, description, dispatch.registry, obtained.key, True
            )
            statement.prepare = obtained.prepare
        name = dispatch.new_portal_name()
        request = FetchPortal(
            dispatch.new_future(), statement, self._args, name, limit, True, self._into
        )
        dispatch.submit(request)
        preparing.ride(statement)
        if obtained.once:
            dispatch.statements.forget(obtained)
        return request

    def _submit_more(self, limit: int) -> FetchPortal:
        """Submit what fetches from the open portal."""
        dispatch = self._dispatch
        assert self._portal is not None
        assert self._statement is not None
        request = FetchPortal(
            dispatch.new_future(),
            self._statement,
            (),
            self._portal,
            limit,
            False,
            self._into,
            self._read,
        )
        dispatch.submit(request)
        return request

    async def _answer(
        self, request: FetchPortal, timeout: float | None, deadline: float | None
    ) -> list[T]:
        """The rows; without them nobody knows where in its result the cursor is."""
        dispatch = self._dispatch
        dispatch.arm_until(request, deadline, timeout)
        try:
            rows, _ = await request.waiter
        except Unreadable as unreadable:
            try:
                rows, _ = await converting.readable(
                    dispatch, request, unreadable, deadline, timeout, self._stream
                )
            except BaseException as error:
                self._lost = type(error).__name__
                raise
            self._statement = with_new_codecs(request.statement)
        except PostgresError as error:
            # Else the transaction has failed, and what follows is the server's to refuse.
            if request.status != IN_FAILED_TRANSACTION:
                self._lost = type(error).__name__
            elif not request.bound and preparing.is_stale(error, request.statement):
                preparing.forget(dispatch, request.statement)
                repetition.explain_stale(error)
            raise
        except BaseException as error:
            dropped = dispatch.leave(request, error)
            if not dropped:
                self._lost = type(error).__name__
            elif request.opens:
                self._forget_opening()
            raise
        try:
            made = await built(rows, request.before)
        except BaseException as error:
            self._lost = type(error).__name__
            raise
        self._read += len(made)
        return made

    def _forget_opening(self) -> None:
        """The portal was never opened."""
        if self._portal is not None:
            preparing.unpin(self._dispatch, self._key)
        self._portal = self._statement = self._transaction = None

    def _begin(self) -> None:
        """Raise InterfaceError unless the cursor can be used, here and now; see `_end`."""
        dispatch = self._dispatch
        self._connection.is_closed()  # raises where it was given back to its pool
        dispatch.check_usable()
        blocks = dispatch.ownership.blocks
        if self._statement is not None and not is_going_on(dispatch, self._transaction):
            raise NoActiveSQLTransactionError("the transaction of the cursor has ended")
        is_inside = dispatch.ownership.mine() is not None if blocks else dispatch.in_transaction()
        if self._statement is not None and not is_inside:
            raise dispatch.ownership.busy("the cursor belongs to ")
        if not is_inside:
            raise NoActiveSQLTransactionError("cursor cannot be created outside of a transaction")
        self._occupy()

    def _occupy(self) -> None:
        """Raise InterfaceError while another operation of it is in progress; see `_end`."""
        if self._busy:
            raise ConnectionBusyError(
                "another operation of this cursor is in progress",
                hint="await one before the next, or have a cursor for each task",
                safe_to_retry=True,
            )
        if self._lost:
            raise InterfaceError(
                f"the place of the cursor in its result is not known any more: there was a "
                f"{self._lost} in the middle of an operation",
                hint="make another cursor",
            )
        self._dispatch.claim()
        self._busy = True

    def _end(self) -> None:
        self._busy = False
        self._dispatch.release()

    def _close(self) -> None:
        """Let the server forget the portal, if it is open."""
        if self._portal is not None:
            close_portal(self._dispatch, self._key, self._portal, self._transaction)
            self._portal = None

    def __del__(self) -> None:
        if self._portal is not None:
            self._dispatch.ownership.call_soon(
                partial(close_portal, self._dispatch, self._key, self._portal, self._transaction)
            )

    def __repr__(self) -> str:
        state = "exhausted " if self._exhausted else ""
        return f'<{type(self).__name__} "{self._query:.30}" {state}{id(self):#x}>'


class CursorIterator(BaseCursor[T]):
    """The rows of a query, for `async for`; `prefetch` of them are fetched at a time."""

    def __init__(self, reading: Reading) -> None:
        super().__init__(reading)
        self._prefetch = DEFAULT_PREFETCH if reading.prefetch is None else reading.prefetch
        self._timeout = reading.timeout
        self._buffer: deque[T] = deque()

    def __aiter__(self) -> "CursorIterator[T]":
        return self

    async def __anext__(self) -> T:
        if not self._buffer and not self._exhausted:
            # One more the first time: where the number of rows is a multiple of `prefetch`, their
            # end would be found by another trip that brings nothing.
            limit = self._prefetch + (self._statement is None)
            self._buffer.extend(await self._fetched(limit, self._timeout))
        if self._buffer:
            return self._buffer.popleft()
        raise StopAsyncIteration


class Cursor(BaseCursor[T]):
    """An open portal into the rows of a query, from `await connection.cursor(...)`.

    It is used by one task at a time, in the transaction it was made in. When a fetch is cancelled
    or out of time, its rows may be gone, and the cursor cannot be used any more.
    """

    async def open(self, timeout: float | None) -> "Cursor[T]":
        """Open the portal, which awaiting the factory has done already."""
        await self._fetched(NO_ROWS, timeout)
        return self

    async def fetch(self, n: int, *, timeout: float | None = None) -> list[T]:
        """The next `n` rows; fewer, at last none, when there are no more.

        Args:
            n: how many, at least 1.
            timeout: seconds until TimeoutError is raised.

        Raises:
            NoActiveSQLTransactionError: its transaction has ended.
            InterfaceError: another task's transaction has the connection, or an operation of this
                cursor was interrupted before.

        Example:
            >>> cursor = await conn.cursor("SELECT generate_series(1, 100)")
            >>> await cursor.fetch(2)
            [<Record generate_series=1>, <Record generate_series=2>]
        """
        check_count("n", n)
        if self._exhausted:
            self._check_ended()
            return []
        return await self._fetched(n, timeout)

    async def fetchrow(self, *, timeout: float | None = None) -> T | None:
        """The next row, None when there are no more; see `fetch`."""
        if self._exhausted:
            self._check_ended()
            return None
        rows = await self._fetched(1, timeout)
        return rows[0] if rows else None

    async def forward(self, n: int, *, timeout: float | None = None) -> int:
        """Skip the next `n` rows; how many there were to skip. Errors as for `fetch`.

        Example:
            >>> cursor = await conn.cursor("SELECT generate_series(1, 100)")
            >>> await cursor.forward(98), await cursor.forward(98)
            (98, 2)

        Source: PostgreSQL documentation, MOVE.
        """
        check_count("n", n)
        if self._exhausted:
            self._check_ended()
            return 0
        self._begin()
        self._dispatch.release()  # the script claims for itself
        assert self._portal is not None
        try:
            tag = await self._dispatch.script(f"MOVE FORWARD {n} {self._portal.decode()}", timeout)
        except PostgresError:
            raise
        except BaseException as error:
            self._lost = type(error).__name__
            raise
        finally:
            self._busy = False
        word, _, number = tag.partition(" ")
        if word != "MOVE" or not number.isascii() or not number.isdigit() or int(number) > n:
            self._dispatch.lose(ProtocolError(f"the server answered MOVE by {tag[:40]!r}"))
        self._read += int(number)
        if int(number) < n:
            self._exhausted = True
            self._close()
        return int(number)

    def _check_ended(self) -> None:
        self._begin()
        self._end()


def with_new_codecs(statement: Statement) -> Statement:
    """What reads the rows to come by what is known of their types now, in the formats they have.

    Else the catalogue would be asked about each portion of them.
    """
    assert statement.decoder is not None
    formats = tuple([codec.format for codec in statement.decoder.codecs])
    renewed = statement.renewed()
    renewed.read_as(statement.columns, formats)
    return renewed


def check_count(what: str, n: object) -> None:
    """Raise InterfaceError unless `n` is a number of rows that can be asked for."""
    if not isinstance(n, int) or isinstance(n, bool):
        raise InterfaceError(f"{what} must be an int, got {shown(n)}")
    if n <= 0:
        raise InterfaceError(f"{what} must be greater than zero")
    if n > MAX_ROWS:
        raise InterfaceError(f"{what} must be at most {MAX_ROWS}")


def is_going_on(dispatch: Dispatch, transaction: Block | None) -> bool:
    """Whether a transaction that had this outermost block, or none, is not over."""
    if transaction is None:
        return not dispatch.ownership.blocks and dispatch.in_transaction()
    is_open = transaction in dispatch.ownership.blocks
    return is_open and transaction.state is not BlockState.CLOSING


def close_portal(
    dispatch: Dispatch, key: Hashable, portal: bytes, transaction: Block | None
) -> None:
    """Let the server forget a portal, unless its transaction ends and takes it along."""
    preparing.unpin(dispatch, key)
    if is_going_on(dispatch, transaction):
        dispatch.submit_soon(ClosePortal(None, portal))
