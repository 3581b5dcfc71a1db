"""`Dispatch`: how a statement gets from a call to the session, and a caller to its answer.

A statement that is prepared and whose turn it is goes out at once (`begin`); any other waits for
the transaction of another context to end, or to be prepared first (`run`).
"""

import asyncio
from asyncio import get_running_loop
from collections.abc import Callable
from typing import Any, NoReturn

from pgallop import repetition
from pgallop.codecs.codec import shown
from pgallop.codecs.registry import Registry
from pgallop.errors import (
    ClientConfigurationError,
    CollateralCancelError,
    ConnectionDoesNotExistError,
    InterfaceError,
    InvalidCachedStatementError,
    InvalidSQLStatementNameError,
    ProtocolError,
)
from pgallop.ownership import Block, Ownership, caller
from pgallop.rows.record import Record
from pgallop.session.execute import Execute
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import IDLE, Session, is_open
from pgallop.session.simple import SimpleQuery
from pgallop.session.statement import Statement
from pgallop.statement_cache import StatementCache
from pgallop.transport.cancel import Canceller
from pgallop.transport.connect import Link
from pgallop.transport.stream import Stream

# Bind counts its parameters in 16 bits.
MAX_PARAMETERS = 65535

# How often a statement is run again that a cancellation hit which was not meant for it, or that the
# server has forgotten.
TRIES = 3

# How often ROLLBACK is sent until the transaction has ended: a cancellation can hit some of them.
ROLLBACKS = 10

# The server no longer has the statement, or its result has changed its columns.
STALE_STATEMENT = (InvalidCachedStatementError, InvalidSQLStatementNameError)


class Dispatch:
    """What a connection runs its statements with.

    `command_timeout`: seconds for calls without a timeout of their own, or None. `strict`: refuse
    an operation while another one is in progress. After `close_off` no statement is taken any more.
    """

    __slots__ = (
        "_closing",
        "_command_timeout",
        "_loop",
        "_names",
        "_operation",
        "_preparing",
        "_registry",
        "_session",
        "_stream",
        "_strict",
        "canceller",
        "ownership",
        "statements",
    )

    ownership: Ownership
    canceller: Canceller
    _session: Session
    _stream: Stream
    _loop: asyncio.AbstractEventLoop
    _registry: Registry
    statements: StatementCache
    _preparing: dict[str, tuple[Prepare, asyncio.Future[Statement]]]
    _command_timeout: float | None
    _names: int
    _closing: bool
    _strict: bool
    _operation: str

    def __init__(
        self,
        link: Link,
        loop: asyncio.AbstractEventLoop,
        registry: Registry,
        canceller: Canceller,
        statement_cache_size: int,
        command_timeout: float | None,
        strict: bool,
    ) -> None:
        self._session = link.session
        self._stream = link.stream
        self._loop = loop
        self._registry = registry
        self.statements = StatementCache(statement_cache_size)
        self._preparing = {}
        self._command_timeout = command_timeout
        self._names = 0
        self._closing = False
        self._strict = strict
        self._operation = ""
        self.ownership = Ownership(loop, patient=not strict)
        self.canceller = canceller
        canceller.on_closed = self.ownership.dissolve

    # One statement

    def begin(
        self, query: str, args: tuple[Any, ...], limited: bool, timeout: float | None
    ) -> Execute | None:
        """Submit a statement that is prepared and may run now; None if it first has to wait."""
        self.check_loop()  # first of all: what follows is not for several threads
        try:
            statement = self.statements.get(query)
        except TypeError:  # not hashable
            plain_text(query)
            raise
        if (
            statement is None
            or self._strict
            or (self.ownership.blocks and not self.ownership.is_my_turn())
        ):
            return None
        timeout = self._command_timeout if timeout is None else checked_seconds(timeout)
        request = Execute(self._loop.create_future(), statement, args, limited)
        self.submit(request)
        if timeout is not None:
            self.arm(request, timeout, timeout)
        return request

    async def run(
        self, query: str, args: tuple[Any, ...], limited: bool, timeout: float | None
    ) -> tuple[list[Record], bytes]:
        """Run a statement that has to wait for its turn or to be prepared first."""
        query = plain_text(query)
        if len(args) > MAX_PARAMETERS:
            raise InterfaceError(f"{len(args)} arguments, a statement may have {MAX_PARAMETERS}")
        self.check_usable()
        timeout, deadline = self.deadline(timeout)
        self.claim()
        try:
            return await self.attempt(query, args, limited, timeout, deadline)
        finally:
            self.release()

    async def attempt(
        self,
        query: str,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        deadline: float | None,
        tries: int = TRIES,
    ) -> tuple[list[Record], bytes]:
        """Run a statement, and again up to `tries` times where that is safe.

        `deadline`: when the `timeout` ends, which a statement that is run again has kept.
        """
        self.statements.pin(query)
        try:
            statements = await self.prepared([query], deadline, timeout)
            request = Execute(self._loop.create_future(), statements[query], args, limited)
            self.submit(request)
        finally:
            self.unpin(query)
        self.arm_until(request, deadline, timeout)
        try:
            return await request.waiter  # type: ignore[no-any-return]
        except BaseException as error:
            # Raised here and not in there: a frame that knows the error and is in its traceback
            # would be garbage that only the collector finds.
            answer = await self.recover(request, error, timeout, tries)
            if answer is None:
                raise
            return answer

    async def recover(
        self, request: Execute, error: BaseException, timeout: float | None, tries: int = TRIES
    ) -> tuple[list[Record], bytes] | None:
        """Abandon the request of a caller who was cancelled; run again what may be.

        None if it may not: then `error` is the caller's.
        """
        if not request.finished or isinstance(error, asyncio.CancelledError):
            self.leave(request, error)
            return None
        deadline = request.deadline
        query, args, limited = request.statement.query, request.arguments, request.limited
        if isinstance(error, STALE_STATEMENT):
            self.statements.remove(query)
            # Refused in Bind nothing of it has run; in a transaction that is over now all the same.
            if tries and not request.bound and request.status == IDLE:
                return await self.attempt(query, args, limited, timeout, deadline, tries - 1)
        elif (
            tries
            and isinstance(error, CollateralCancelError)
            and await repetition.is_harmless(self, request, timeout, deadline)
        ):
            return await self.attempt(query, args, limited, timeout, deadline, tries - 1)
        return None

    async def prepared(
        self, queries: list[str], deadline: float | None, timeout: float | None
    ) -> dict[str, Statement]:
        """The statements of `queries`, when they are prepared and it is this context's turn."""
        block = self.ownership.mine()
        tries = TRIES
        # One bound for all the waiting for others, however often it is taken up.
        patience, until = self.ownership.patience(timeout, deadline)
        while True:
            await self.ownership.my_turn(block, until, patience)
            self.check_unlost()
            found = [self.statements.get(query) for query in queries]
            statements = {each.query: each for each in found if each is not None}
            missing = [query for query in queries if query not in statements]
            if not missing:
                return statements
            # Another task may be at it already.
            others = [self._preparing[query][1] for query in missing if query in self._preparing]
            own = [self._prepare(query) for query in missing if query not in self._preparing]
            try:
                async with asyncio.timeout_at(deadline):
                    await asyncio.wait([*others, *own])
            except TimeoutError:
                raise timed_out(timeout) from None
            # What failed for another task is tried again here, and so is what a cancellation hit
            # that was not meant for it: nothing of the statement has run.
            failure = first_failure(own)
            own.clear()
            if isinstance(failure, CollateralCancelError) and tries and not self.in_transaction():
                tries -= 1
            elif failure is not None:
                try:
                    raise failure
                finally:
                    del failure  # else this frame is garbage that only the collector finds

    def _prepare(self, query: str) -> "asyncio.Future[Statement]":
        """Submit a Prepare; it goes on when its caller is cancelled, for others may rely on it."""
        answer = self._loop.create_future()
        name = self.new_name("statement").encode()
        closes = self.statements.take_evicted()
        request = Prepare(answer, query, name, self._registry, closes)
        try:
            self.submit(request)
        except BaseException:
            self.statements.evicted.extend(closes)
            raise
        self._preparing[query] = request, answer
        answer.add_done_callback(lambda answer: self._on_prepared(query, answer))
        return answer

    def _on_prepared(self, query: str, answer: "asyncio.Future[Statement]") -> None:
        del self._preparing[query]
        if answer.exception() is None:
            self.statements.put(answer.result())

    def unpin(self, query: str) -> None:
        """One caller less for the statement of `query`; without any its Prepare is abandoned."""
        if self.statements.unpin(query) and query in self._preparing:
            request, _ = self._preparing[query]
            if not request.finished:
                del self._preparing[query]
                if self.abandon(request):
                    self.statements.evicted.extend(request.closes)  # the server was not told
                else:
                    self.statements.evicted.append(request.name)

    # Scripts and transactions

    async def script(self, query: str, timeout: float | None) -> str:
        """Run one or several statements without arguments; the last one's command tag."""
        query = plain_text(query)
        self.check_usable()
        timeout, deadline = self.deadline(timeout)
        self.claim()
        try:
            return await self._script(query, timeout, deadline)
        finally:
            self.release()

    async def _script(self, query: str, timeout: float | None, deadline: float | None) -> str:
        if not self.ownership.is_my_turn():
            await self.ownership.my_turn(self.ownership.mine(), deadline, timeout)
            self.check_unlost()
        request = SimpleQuery(self._loop.create_future(), query)
        self.submit(request)
        self.arm_until(request, deadline, timeout)
        try:
            return await request.waiter  # type: ignore[no-any-return]
        except BaseException as error:
            self.leave(request, error)
            raise

    def control(
        self,
        text: str,
        on_end: Callable[[Request], None] | None = None,
        *,
        begins: bool = False,
        at_once: bool = False,
    ) -> "asyncio.Future[str]":
        """Submit what begins or ends a block; it goes on if its caller is cancelled.

        `on_end` is called with the request when it is answered, and when it never will be. Only
        what `begins` takes the beginning of the block around it along.
        """
        self.check_loop()
        answer: asyncio.Future[str] = self._loop.create_future()
        request = SimpleQuery(answer, text)
        request.on_end = on_end
        self.submit(request, begins, at_once)
        answer.add_done_callback(lambda answer: answer.exception())  # retrieved, whoever else does
        return answer

    async def answer(self, answer: "asyncio.Future[str]") -> str:
        """The answer to a `control`, within the connection's `command_timeout`."""
        try:
            async with asyncio.timeout(self._command_timeout):
                return await asyncio.shield(answer)
        except TimeoutError:
            raise timed_out(self._command_timeout) from None
        finally:
            self.canceller.expect(answer)

    async def answered_within(self, answer: "asyncio.Future[str]", seconds: float) -> None:
        """Wait so long for the answer to a `control`, which goes on in any case."""
        try:
            await asyncio.wait([answer], timeout=seconds)
        finally:
            self.canceller.expect(answer)

    async def block_begun(self, block: Block) -> None:
        """Wait for the answer to the statement that carries the beginning of `block`."""
        try:
            async with asyncio.timeout(self._command_timeout):
                await self.ownership.begun(block)
        except TimeoutError:
            raise timed_out(self._command_timeout) from None

    def unattended(
        self, text: str, on_end: Callable[[Request], None], at_once: bool = False
    ) -> bool:
        """Submit what nobody waits for, such as a rollback; whether the connection was open for it.

        `at_once`: in front of all that is not written yet, instead of behind it.
        """
        if self._session.broken is not None or (self._closing and not at_once):
            return False
        self.canceller.expect(self.control(text, on_end, at_once=at_once))
        return True

    def roll_back(self, on_end: Callable[[Request, int], None], times: int) -> bool:
        """Submit a ROLLBACK that nobody waits for; whether the connection was open for it.

        `times`: how many there are of them by now, one behind the other's answer, which `on_end`
        is told as well. A server that does not end the transaction after `ROLLBACKS` is left.
        """
        if times > ROLLBACKS:
            self._stream.lose(
                ProtocolError(f"the server does not end the transaction: {ROLLBACKS} ROLLBACKs")
            )
            return False
        return self.unattended("ROLLBACK", lambda request: on_end(request, times), at_once=True)

    def lose(self, error: ProtocolError) -> NoReturn:
        """Leave a server that broke the protocol, and tell the caller."""
        self._stream.lose(error)
        raise error

    def in_transaction(self) -> bool:
        """Whether the server was in a transaction, failed or not, when it last answered.

        Not in one that is being rolled back because nobody else would end it.
        """
        return self._session.status != IDLE and not self._session.orphaned

    def failure(self) -> BaseException | None:
        """What made the transaction fail that the server is in."""
        return self._session.failure

    def new_name(self, kind: str) -> str:
        """A name for a statement or savepoint that this connection has not used."""
        self._names += 1
        return f"pgallop_{kind}_{self._names}"

    # What they share

    def check_loop(self) -> None:
        """Raise InterfaceError unless this is the connection's own event loop, running."""
        try:
            running = get_running_loop()
        except RuntimeError:
            running = None
        if running is self._loop:
            return
        if self._session.broken is not None:
            raise InterfaceError(f"connection is closed: {self._session.broken}")
        raise InterfaceError(
            "the connection belongs to another event loop",
            hint="use it in the thread and the loop that it was made in, or connect again here",
        )

    def check_usable(self) -> None:
        """Raise InterfaceError unless statements can be submitted, from here."""
        self.check_loop()
        reason = "close() was called" if self._closing else self._session.broken
        if reason is not None:
            raise InterfaceError(f"connection is closed: {reason}", safe_to_retry=True)

    def check_unlost(self) -> None:
        """Raise if the connection was lost while a statement waited to be sent."""
        lost = self._session.broken
        if lost is not None:
            raise ConnectionDoesNotExistError(
                f"connection was closed before the statement was sent: {lost}", safe_to_retry=True
            ) from lost

    def close_off(self) -> None:
        """Take no more statements."""
        self._closing = True
        self.ownership.dissolve()

    def claim(self) -> None:
        """In strict mode, refuse an operation while another one is in progress; see `release`."""
        if not self._strict:
            return
        self.check_alone()
        task = asyncio.current_task()
        name = "no task" if task is None else f"task {task.get_name()!r}"
        self._operation = f"{name}, begun at {caller()}"

    def check_alone(self) -> None:
        """In strict mode, raise InterfaceError if an operation is in progress."""
        if self._operation:
            raise InterfaceError(
                f"cannot perform operation: another operation is in progress, that of "
                f"{self._operation}",
                hint="this connection is strict: await one statement before the next, or use a "
                "connection (or a pool) for each task",
                safe_to_retry=True,
            )

    def release(self) -> None:
        """The operation that was claimed is over."""
        self._operation = ""

    def new_future(self) -> "asyncio.Future[Any]":
        """What the caller of a request waits for."""
        return self._loop.create_future()

    def deadline(self, timeout: float | None) -> tuple[float | None, float | None]:
        """The timeout in seconds that a call has, and when it ends on the loop's clock."""
        timeout = self._command_timeout if timeout is None else checked_seconds(timeout)
        return timeout, None if timeout is None else self._loop.time() + timeout

    def submit(self, request: Request, begins: bool = True, at_once: bool = False) -> None:
        """Give `request` to the session, with the BEGIN that is due in front of it."""
        if self._closing and not at_once:
            raise InterfaceError("connection is closed: close() was called", safe_to_retry=True)
        block = self.ownership.pending() if begins and self.ownership.blocks else None
        if block is not None:
            request.carry(block.beginning)
        self._session.submit(request, at_once)
        if block is not None:
            self.ownership.carried(block, request)
        self._stream.submitted()

    def arm(self, request: Request, seconds: float, timeout: float | None) -> None:
        """Let `request` expire in so many seconds, which were its caller's `timeout`."""
        request.deadline = self._loop.time() + seconds
        request.timer = self._loop.call_later(seconds, self._expire, request, timeout)

    def arm_until(self, request: Request, deadline: float | None, timeout: float | None) -> None:
        """Let `request` expire at its deadline, if it has one."""
        if deadline is not None:
            self.arm(request, max(0.0, deadline - self._loop.time()), timeout)

    def _expire(self, request: Request, timeout: float | None) -> None:
        waiter = request.waiter
        if waiter is not None and not waiter.done():
            waiter.set_exception(timed_out(timeout))
        self.abandon(request)

    def abandon(self, request: Request) -> bool:
        """The caller has gone: read the answer for nobody, or drop what was not sent (True)."""
        if request.finished or request.discarded:
            return False
        if request.on_end is None:
            request.on_end = self._on_abandoned
        return self.canceller.abandon(request)

    def leave(self, request: Request, error: BaseException) -> bool:
        """The caller has got `error` and goes; whether `request` is dropped, see `abandon`."""
        if request.finished and isinstance(error, asyncio.CancelledError) and not request.on_end:
            self._on_abandoned(request)  # it was cancelled in the moment in which the answer came
        return self.abandon(request)

    def _on_abandoned(self, request: Request) -> None:
        """An abandoned request is over: what it has begun, nobody would end."""
        if request.status_before == IDLE and is_open(request.status):
            self._session.orphaned = True
            self.roll_back(self._on_undone, 1)

    def _on_undone(self, request: Request, times: int) -> None:
        if is_open(request.status):  # a cancellation hit it
            self.roll_back(self._on_undone, times + 1)
        else:
            self._session.orphaned = False


def first_failure(answers: "list[asyncio.Future[Statement]]") -> BaseException | None:
    """The first error among answers that have come."""
    for answer in answers:
        if answer.exception() is not None:
            return answer.exception()
    return None


def plain_text(query: object) -> str:
    """`query` as an exact str: subclasses count, everything else is refused."""
    if not isinstance(query, str):
        raise InterfaceError(f"the query has to be a str, not {type(query).__name__}")
    return str.__str__(query)


def checked_seconds(timeout: Any) -> float:
    """A caller's `timeout`, before anything is sent under it; refused if it is no number."""
    try:
        # float() would also parse text.
        number = float("nan" if isinstance(timeout, (str, bytes, bytearray)) else timeout)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if number != number:
        raise ClientConfigurationError(
            f"timeout: expected seconds or None, got {shown(timeout)}", safe_to_retry=True
        )
    return timeout if isinstance(timeout, (int, float)) else number


def timed_out(timeout: float | None) -> TimeoutError:
    return TimeoutError(f"no answer within {timeout} seconds; the statement may still have run")
