"""`Dispatch`: how a statement gets from a call to the session, and a caller to its answer.

A statement that is prepared and whose turn it is goes out at once (`begin`); any other waits for
the transaction of another context to end, or to be prepared first (`run`).
"""

import asyncio
from asyncio import get_running_loop
from collections.abc import Callable, Coroutine, Hashable
from functools import partial
from typing import Any, NoReturn, TypeVar

from pgallop import converting, preparing, repetition
from pgallop.codecs.registry import Registry
from pgallop.config.options import STATEMENT_CACHE_SIZE, ConnectOptions
from pgallop.deadlines import seconds_to_wait, timed_out
from pgallop.errors import (
    ConnectionDoesNotExistError,
    DataError,
    InterfaceError,
    ProtocolError,
)
from pgallop.into import built
from pgallop.knowledge import Scope
from pgallop.ownership import Block, Ownership, caller
from pgallop.preparing import TRIES
from pgallop.query_log import QueryLog
from pgallop.resolving import ConnectionTypes
from pgallop.rows.record import Record
from pgallop.session.execute import Execute, Unreadable
from pgallop.session.prepare import Prepare
from pgallop.session.request import Request
from pgallop.session.session import IDLE, Session, is_open
from pgallop.session.simple import SimpleQuery
from pgallop.session.simple_rows import SimpleRows
from pgallop.session.statement import Statement
from pgallop.statement_cache import StatementCache
from pgallop.transport.cancel import Canceller
from pgallop.transport.connect import Link
from pgallop.transport.stream import Stream
from pgallop.wire.frontend import MAX_PARAMETERS
from pgallop.wire.writer import TooLong

T = TypeVar("T")

# How often ROLLBACK is sent until the transaction has ended: a cancellation can hit some of them.
ROLLBACKS = 10


class Dispatch:
    """What a connection runs its statements with.

    After `close_off` no statement is taken any more. `unnamed`: statements are parsed each time;
    `simple`: they have no arguments, and go as text. `preparing`: the statements whose Parse is on
    the way, by key, with what is waited for. `operations`: how many calls are under way that may
    submit something yet; `released`: their connection was given back to its pool meanwhile, and
    they may not. `record_class`: what rows are made into where nothing is asked for, None for
    Records. `query_log`: who is told of each statement, if anybody is.
    """

    __slots__ = (
        "_closing",
        "_command_timeout",
        "_detours",
        "_loop",
        "_names",
        "_operation",
        "_session",
        "_settled",
        "_statement_names",
        "_stream",
        "_strict",
        "canceller",
        "describe_first",
        "operations",
        "ownership",
        "preparing",
        "query_log",
        "record_class",
        "registry",
        "released",
        "scope",
        "simple",
        "statements",
        "types",
        "unnamed",
    )

    ownership: Ownership
    canceller: Canceller
    _session: Session
    _stream: Stream
    _loop: asyncio.AbstractEventLoop
    record_class: type[Record] | None
    registry: Registry
    scope: Scope
    statements: StatementCache
    types: ConnectionTypes
    preparing: dict[Hashable, tuple[Prepare, asyncio.Future[Statement]]]
    describe_first: bool
    unnamed: bool
    simple: bool
    _command_timeout: float | None
    _names: int
    _statement_names: str
    _closing: bool
    query_log: QueryLog | None
    _strict: bool
    _detours: bool
    _operation: str
    operations: int
    released: bool
    _settled: int

    def __init__(
        self,
        link: Link,
        loop: asyncio.AbstractEventLoop,
        registry: Registry,
        canceller: Canceller,
        scope: Scope,
        options: ConnectOptions,
    ) -> None:
        self._session = link.session
        self._stream = link.stream
        self._loop = loop
        self.registry = registry
        self.record_class = None if options.record_class is Record else options.record_class
        self.scope = scope
        self.simple = options.statement_mode == "simple"
        self.unnamed = options.statement_mode == "unnamed"
        # PgBouncer 1.18 takes a session away at ReadyForQuery, though a part of the next statement
        # has gone there: the rest went to another one, and ran what somebody else had parsed.
        self._session.serial = self.unnamed
        self.describe_first = options.describe_first
        # Without names the server keeps none: there is nothing to save by keeping none here.
        least = 0 if options.statement_mode == "named" else STATEMENT_CACHE_SIZE
        self.statements = StatementCache(
            max(options.statement_cache_size, least),
            options.max_cacheable_statement_size,
            options.max_cached_statement_lifetime,
        )
        self.types = ConnectionTypes(scope, registry, self.statements)
        self.preparing = {}
        self._command_timeout = options.command_timeout
        self._names = 0
        self._statement_names = preparing.new_names()
        self._closing = False
        self.query_log = None
        self._strict = self._detours = options.strict
        self._operation = ""
        self.operations = 0
        self.released = False
        self._settled = 0
        self.ownership = Ownership(
            loop, patient=not options.strict, shared=options.shared_transactions
        )
        self.canceller = canceller
        canceller.on_closed = partial(on_closed, self.ownership, self.statements)
        link.session.on_tags = self.types.on_tags

    # One statement

    def begin(
        self,
        key: Hashable,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        into: Any = None,
        waiter: "asyncio.Future[Any] | None" = None,
        seconds: float | None = None,
    ) -> Execute | None:
        """Submit a statement that is prepared and may run now; None if it first has to wait.

        `key`: its text, or that of a statement of its own. `into`: what its rows are made into, the
        connection's `record_class` if None. `waiter`: who waits for it already; `seconds`: what is
        left of his timeout.
        """
        self.check_loop()  # first of all: what follows is not for several threads
        try:
            statement = self.statements.get(key)
        except TypeError:  # not hashable
            plain_text(key)
            raise
        if (
            statement is None
            or self._detours
            or (
                (self.ownership.blocks or self.ownership.watched)
                and not self.ownership.is_my_turn()
            )
            or (statement.parse and not preparing.is_current(self, statement))
            or statement.is_unresolved
        ):
            return None
        timeout = self._command_timeout if timeout is None else seconds_to_wait(timeout)
        try:
            request = self.execute(statement, args, limited, into, waiter)
        except DataError as error:
            if is_too_long(error):
                raise
            return None  # a type may be another one by now: it is described anew
        if timeout is not None:
            self.arm(request, timeout if seconds is None else seconds, timeout)
        return request

    def execute(
        self,
        statement: Statement,
        args: tuple[Any, ...],
        limited: bool,
        into: Any,
        waiter: "asyncio.Future[Any] | None" = None,
    ) -> Execute:
        """Submit a statement to be run; `waiter`: who waits for it, by default he who gets it."""
        if waiter is None:
            waiter = self._loop.create_future()
        request = Execute(waiter, statement, args, limited, self.target(into))
        self.submit(request)
        if statement.prepare is not None:
            preparing.ride(statement)
        if statement.once:
            self.statements.forget(statement)
        return request

    def target(self, into: Any) -> Any:
        """What rows are made into of which a caller has said `into`; None for Records."""
        if into is None:
            return self.record_class
        return None if into is Record else into

    async def run(
        self,
        key: Hashable,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        into: Any = None,
    ) -> tuple[list[Record], bytes]:
        """Run a statement that has to wait for its turn or to be prepared first."""
        if not isinstance(key, preparing.Handle):
            key = plain_text(key)
        if len(args) > MAX_PARAMETERS:
            raise InterfaceError(f"{len(args)} arguments, a statement may have {MAX_PARAMETERS}")
        self.check_usable()
        timeout, deadline = self.deadline(timeout)
        self.claim()
        try:
            query = preparing.query_of(key)
            if self.simple:
                call = self._run_simple(query, args, limited, timeout, into)
            else:
                call = self.attempt(key, args, limited, timeout, deadline, into=into)
            return await self.logged(query, args, timeout, call)
        finally:
            self.release()

    async def attempt(
        self,
        key: Hashable,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        deadline: float | None,
        tries: int = TRIES,
        refused: Hashable = None,
        into: Any = None,
    ) -> tuple[list[Record], bytes]:
        """Run a statement, and again up to `tries` times where that is safe.

        `deadline`: when the `timeout` ends, which a statement that is run again has kept.
        `refused`: how it ended the last time (`repetition.refusal`).
        """
        self.statements.pin(key)
        try:
            request = await self._obtain_and_execute(key, args, limited, timeout, deadline, into)
        finally:
            preparing.unpin(self, key)
        self.arm_until(request, deadline, timeout)
        try:
            return await request.waiter  # type: ignore[no-any-return]
        except BaseException as error:
            # Raised here and not in there: a frame that knows the error and is in its traceback
            # would be garbage that only the collector finds.
            answer = await self.recover(request, error, timeout, tries, refused)
            if answer is None:
                raise
            return answer

    async def _obtain_and_execute(
        self,
        key: Hashable,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        deadline: float | None,
        into: Any,
    ) -> Execute:
        statement, is_new = await preparing.obtain(self, key, bool(args), deadline, timeout)
        try:
            return self.execute(statement, args, limited, into)
        except DataError as error:
            if is_new or is_too_long(error):
                raise
        # Refused by what was known of the types: what are they now?
        statement = await preparing.anew(self, statement, deadline, timeout)
        return self.execute(statement, args, limited, into)

    async def recover(
        self,
        request: Execute,
        error: BaseException,
        timeout: float | None,
        tries: int = TRIES,
        refused: Hashable = None,
    ) -> tuple[list[Record], bytes] | None:
        """Abandon the request of a caller who was cancelled; run again what may be.

        None if it may not: then `error` is the caller's.
        """
        if not request.finished or isinstance(error, asyncio.CancelledError):
            self.leave(request, error)
            return None
        if isinstance(error, Unreadable):
            return await converting.readable(self, request, error, request.deadline, timeout)
        if request.position < self._settled:
            return None  # the connection is somebody else's by now
        refusal = repetition.refusal(request, error)
        if not await repetition.may_repeat(self, request, error, timeout) or not tries:
            return None
        if refusal is not None and refusal == refused:
            return None
        key, args, limited = request.statement.key, request.arguments, request.limited
        deadline = request.deadline
        into = Record if request.into is None else request.into
        return await self.attempt(key, args, limited, timeout, deadline, tries - 1, refusal, into)

    async def answered(
        self, request: Request, deadline: float | None, timeout: float | None
    ) -> Any:
        """Submit `request` and wait for its answer."""
        self.submit(request)
        self.arm_until(request, deadline, timeout)
        try:
            return await request.waiter
        except BaseException as error:
            self.leave(request, error)
            raise

    # Scripts and transactions

    async def _run_simple(
        self,
        query: str,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        into: Any,
    ) -> tuple[list[Record], bytes]:
        """Run statements without arguments as one text; the rows are the last one's."""
        if args:
            raise InterfaceError(
                f"{len(args)} arguments given, and statement_mode='simple' sends none",
                hint="connect with statement_mode='unnamed' or 'named', or write the values as "
                "literals where they cannot come from outside",
            )
        timeout, deadline = self.deadline(timeout)
        await self._my_turn(timeout, deadline)
        target = self.target(into)
        request = SimpleRows(self._loop.create_future(), query, self.registry, limited, target)
        try:
            rows, command = await self.answered(request, deadline, timeout)
        except Unreadable as unreadable:
            return await converting.readable(self, request, unreadable, deadline, timeout)
        return await built(rows), command

    async def script(self, query: str, timeout: float | None) -> str:
        """Run one or several statements without arguments; the last one's command tag."""
        query = plain_text(query)
        self.check_usable()
        timeout, deadline = self.deadline(timeout)
        self.claim()
        try:
            call = self._script(query, timeout, deadline)
            return await self.logged(query, (), timeout, call)
        finally:
            self.release()

    async def _script(self, query: str, timeout: float | None, deadline: float | None) -> str:
        await self._my_turn(timeout, deadline)
        request = SimpleQuery(self._loop.create_future(), query)
        return await self.answered(request, deadline, timeout)  # type: ignore[no-any-return]

    async def _my_turn(self, timeout: float | None, deadline: float | None) -> None:
        if not self.ownership.is_my_turn():
            await self.ownership.my_turn(self.ownership.mine(), deadline, timeout)
            self.check_unlost()

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
        if self.query_log is not None:
            self.query_log.follow(text, answer)
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
        if self._session.broken is not None or ((self._closing or self.released) and not at_once):
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

    def is_idle(self) -> bool:
        """Whether the server was in no transaction when it last answered."""
        return self._session.status == IDLE

    def new_savepoint_name(self) -> str:
        """A name that this connection has not used."""
        self._names += 1
        return f"pgallop_savepoint_{self._names}"

    def new_statement_name(self) -> bytes:
        """A name that no connection has used."""
        self._names += 1
        return f"{self._statement_names}{self._names}".encode()

    def call_later(
        self, seconds: float, callback: Callable[..., object], *args: object
    ) -> asyncio.TimerHandle:
        """Have the loop call `callback` in so many seconds."""
        return self._loop.call_later(seconds, callback, *args)

    def new_portal_name(self) -> bytes:
        """A name that this connection has not used."""
        self._names += 1
        return f"pgallop_portal_{self._names}".encode()

    def forget_schema(self) -> None:
        """Types and statements may be others now."""
        self.scope.knowledge.forget_all()
        self.types.known.forget_all()
        self.statements.clear(forgotten=False)
        self.types.changed()

    def parameters(self) -> dict[str, str]:
        """The settings that the server has reported."""
        return self._session.parameters

    def now(self) -> float:
        """The time on the loop's clock, in seconds."""
        return self._loop.time()

    # Who is told

    def log_to(self, log: QueryLog | None) -> None:
        """Tell `log` of each statement from now on, or nobody."""
        self.query_log = log
        self._detours = self._strict or log is not None

    def logged(
        self, query: str, args: Any, timeout: float | None, call: Coroutine[Any, Any, T]
    ) -> Coroutine[Any, Any, T]:
        """What runs `query`, told of if anybody wants to know."""
        log = self.query_log
        return call if log is None else log.timed(query, args, timeout, call)

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

    def settle(self) -> None:
        """The connection's user gives it back: what he has submitted is not run again."""
        self._settled = self._session.sent + self._session.writer.pos
        self.end_iterations()

    def end_iterations(self) -> None:
        """Nobody reads on what is read row by row, and would wait for that: the rows of COPYs."""
        for request in [*self._session.requests, *self._session.waiting]:
            if request.iterated:
                self.abandon(request)

    def claim(self) -> None:
        """An operation begins, which `release` ends.

        In strict mode it is refused while another one is in progress.
        """
        if self._strict:
            self.check_alone()
            task = asyncio.current_task()
            name = "no task" if task is None else f"task {task.get_name()!r}"
            self._operation = f"{name}, begun at {caller()}"
        self.operations += 1

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
        self.operations -= 1
        self._operation = ""

    def new_future(self) -> "asyncio.Future[Any]":
        """What the caller of a request waits for."""
        return self._loop.create_future()

    def deadline(self, timeout: float | None) -> tuple[float | None, float | None]:
        """The timeout in seconds that a call has, and when it ends on the loop's clock."""
        timeout = self._command_timeout if timeout is None else seconds_to_wait(timeout)
        return timeout, None if timeout is None else self._loop.time() + timeout

    def submit(self, request: Request, begins: bool = True, at_once: bool = False) -> None:
        """Give `request` to the session, with the BEGIN that is due in front of it."""
        if self._closing and not at_once:
            raise InterfaceError("connection is closed: close() was called", safe_to_retry=True)
        if self.released and not at_once:
            raise InterfaceError(
                "connection has been released back to the pool before the statement was sent",
                hint="await all that is called on a connection before it is released",
                safe_to_retry=True,
            )
        block = self.ownership.pending() if begins and self.ownership.blocks else None
        if block is not None:
            request.carry(block.beginning)
        self._session.submit(request, at_once)
        if block is not None:
            self.ownership.carried(block, request)
            if self.query_log is not None:
                self.query_log.note(block.beginning)
        self._stream.submitted()

    def submit_soon(self, request: Request) -> None:
        """Give what nobody waits for to the session; it travels with what comes next in this tick.

        It does nothing where the connection is closed.
        """
        if self._session.broken is None and not self._closing:
            self._session.submit(request)
            self._stream.submitted_soon()

    def go_on(self) -> None:
        """Something was taken from a request that was full."""
        self._stream.go_on_soon()

    def has_room(self, request: Request) -> bool:
        """Whether more of an open request may be written now."""
        return self._session.has_room(request)

    def write_on(self, request: Request, data: bytes) -> None:
        """Write more of an open request."""
        self._session.write_on(request, data)
        self._stream.submitted()

    def break_off(self, request: Request, error: BaseException) -> bool:
        """End an open request that has failed by `error`; whether the server is to answer it.

        It is not where nothing was sent. Whatever was sent is rolled back.
        """
        if request.position < 0 or request.position >= self._session.sent:
            self.leave(request, error)
            return False
        request.fail(error)
        self._session.break_off(request)
        self._stream.submitted()
        return True

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
        held_up = request.full
        dropped = self.canceller.abandon(request)
        if held_up:
            self._stream.go_on_soon()
        if not dropped:
            self._stream.submitted()  # the end of one that was not written to its end
        if isinstance(request, Execute):
            preparing.get_off(self, request.statement)
        return dropped

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


def on_closed(ownership: Ownership, statements: StatementCache) -> None:
    """The connection is closed."""
    ownership.dissolve()
    statements.close()


def is_too_long(error: DataError) -> bool:
    """Whether an argument has more bytes than a message may have, of whatever type it is."""
    return isinstance(error.__cause__, TooLong)


def plain_text(query: object) -> str:
    """`query` as an exact str: subclasses count, everything else is refused."""
    if not isinstance(query, str):
        raise InterfaceError(f"the query has to be a str, not {type(query).__name__}")
    return str.__str__(query)
