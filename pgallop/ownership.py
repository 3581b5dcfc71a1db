"""Whose turn it is on a shared connection: the rule that keeps transactions of several tasks apart.

Statements of two tasks' blocks that interleave on one connection commit rows that were rolled back.
So a block belongs to the context that started it (and to the tasks started from within it), and
while it is open everybody else waits for its end. Nested blocks are the same rule again: the
innermost owns the connection. The block of a stream is its own alone: what else is called in its
context would join it unseen, and is refused at once, for waiting would never end.

So is what the code that feeds or drains a COPY calls on the same connection. To all others that is
a statement like any, behind which theirs wait in the session's queue.

BEGIN travels with the first statement of its block, under the same Sync: if BEGIN fails the server
skips the statement. Until that is answered nothing else of the block is sent, for behind a BEGIN
that failed it would autocommit.
"""

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum
from functools import partial
from typing import NamedTuple

from pgallop.errors import (
    ConnectionBusyError,
    InFailedSQLTransactionError,
    InterfaceError,
    TransactionAborted,
)
from pgallop.session.request import Request
from pgallop.session.session import IDLE

# How long a statement without a deadline of its own waits for another context's block.
DEFAULT_PATIENCE = 30.0


class BlockState(Enum):
    NEW = "not started"
    PENDING = "started, to be begun by its first statement"
    STARTING = "being started"
    OPEN = "open"
    BROKEN = "failed in its beginning"
    CLOSING = "being closed"
    CLOSED = "closed"


# What a block's statements may be sent in.
READY = (BlockState.OPEN, BlockState.PENDING)


class Block:
    """One transaction or savepoint on the way from BEGIN to its end.

    `beginning`: the BEGIN that its first statement carries. `cause`: why it is broken. `for_maker`:
    it was started for the context that made it, by a task of its own. `cut_off`: it was ended with
    the block around it, and its own end is still to come. `is_stream`: nothing takes part in it but
    what has begun it. `is_copy`: it is no transaction, but a COPY that its context feeds or drains.
    `is_read`: nothing waits for that context, whose rows are read by it as it likes.
    """

    __slots__ = (
        "began_at",
        "beginning",
        "cause",
        "cut_off",
        "for_maker",
        "is_copy",
        "is_read",
        "is_stream",
        "owner",
        "state",
        "task_name",
    )

    def __init__(self, owner: "Ownership") -> None:
        self.owner = owner
        self.state = BlockState.NEW
        self.beginning = ""
        self.cause: BaseException | None = None
        self.cut_off = False
        self.for_maker = False
        self.is_stream = False
        self.is_copy = False
        self.is_read = False
        self.task_name = ""
        self.began_at = ""


class Membership(NamedTuple):
    """That a context is in `block`, because it was `started` there or only made there."""

    block: Block
    started: bool
    outer: "Membership | None"


_context: ContextVar[Membership | None] = ContextVar("pgallop_block", default=None)


def enter(block: Block, started: bool) -> None:
    """Let the current context, and the tasks made from it, be in `block`."""
    live: list[Membership] = []
    membership = _context.get()
    while membership is not None:
        if membership.block.state is not BlockState.CLOSED or membership.block.cut_off:
            live.append(membership)
        membership = membership.outer
    outer = None
    for membership in reversed(live):
        outer = membership._replace(outer=outer)
    _context.set(Membership(block, started, outer))


class Waiter(NamedTuple):
    """Somebody who waits for the turn; `starts`: to start a block, which makes others wait."""

    woken: "asyncio.Future[None]"
    starts: bool


class Ownership:
    """The open blocks of one connection, outermost first, and those who wait for their end.

    `patient`: whether others wait at all, or are refused at once. `shared`: they do not, but take
    part in the innermost block. `watched`: how many blocks are cut off, or a COPY: what is called
    in them is refused.
    """

    __slots__ = (
        "_dissolved",
        "_loop",
        "_patient",
        "_shared",
        "_starters",
        "_waiters",
        "_woken",
        "blocks",
        "watched",
    )

    def __init__(
        self, loop: asyncio.AbstractEventLoop, patient: bool = True, shared: bool = False
    ) -> None:
        self._loop = loop
        self._patient = patient
        self._shared = shared
        self._dissolved = False
        self.watched = 0
        self._woken = 0  # how many were woken and have not gone on yet
        self._starters = 0  # and how many of them start a block
        # By the block they were called in, None for those in none, in the order of their coming.
        self._waiters: dict[Block | None, deque[Waiter]] = {}
        self.blocks: list[Block] = []

    # Whose turn it is

    def is_my_turn(self) -> bool:
        """Whether the current context may use the connection now."""
        if not self.blocks:
            return not self.watched or self.mine() is None
        innermost = self.blocks[-1]
        if innermost.state not in READY or innermost.is_stream:
            return False
        return self.mine() is innermost

    def mine(self) -> Block | None:
        """The innermost open block of this connection that the current context is in.

        Not one whose end is on its way: what is called by then is behind it. Raises InterfaceError
        in a block that was ended with the one around it, until its own end, and in that of a
        stream or of a COPY.
        """
        if not self.blocks and not self.watched:
            return None
        membership = _context.get()
        while membership is not None:
            block = membership.block
            if block.owner is self and membership.started and block.cut_off:
                raise ended_before(block)
            if block.is_copy and is_in(self, membership):
                raise copying(block)
            if (
                block.owner is self
                and (membership.started or block.for_maker)
                and block.state is not BlockState.CLOSING
                and block in self.blocks
            ):
                if block.is_stream:
                    raise streaming(block)
                return block
            membership = membership.outer
        return self._joined() if self._shared else None

    def _joined(self) -> Block | None:
        """The block that those take part in who are in none of their own."""
        for block in reversed(self.blocks):
            if block.state is not BlockState.CLOSING:
                return None if block.is_stream else block
        return None

    async def my_turn(
        self,
        block: Block | None,
        deadline: float | None,
        timeout: float | None,
        starts: bool = False,
    ) -> None:
        """Wait until an operation called in `block` may use the connection, or that is closed.

        `block`: what `mine()` was at the time of the call: an operation that had to wait must not
        run outside of the transaction it was meant for, which may have ended meanwhile. `deadline`:
        on the loop's clock, where a `timeout` of so many seconds ends; without one it is
        DEFAULT_PATIENCE. `starts`: the operation starts a block. Raises ConnectionBusyError when
        the time is over.
        """
        # Who starts a block does not overtake those who wait for their turn.
        overtakes = starts and (self._woken > 0 or bool(self._waiters.get(block)))
        if self._has_turn(block) and not overtakes:
            return
        if not self._patient and not self._lacks_an_answer(block):
            raise self.busy()
        timeout, deadline = self.patience(timeout, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                again = False
                if overtakes:
                    self._loop.call_soon(self._wake)
                while overtakes or not self._has_turn(block):
                    await self._wait(block, starts, again)
                    again = True
                    overtakes = False
        except TimeoutError:
            raise self.busy(f"waited {timeout} seconds for ") from None

    def _has_turn(self, block: Block | None) -> bool:
        if self._dissolved:
            return True
        if block is None:
            return not self.blocks
        if block.state is BlockState.CLOSING or block.state is BlockState.CLOSED:
            raise ended_before(block)
        if block.state is BlockState.BROKEN:
            raise InFailedSQLTransactionError(
                "current transaction is aborted: it failed in its beginning"
            ) from block.cause
        return block is self.blocks[-1] and block.state is not BlockState.STARTING

    def patience(self, timeout: float | None, deadline: float | None) -> tuple[float, float]:
        """How many seconds who has this timeout waits for others, and until when."""
        if timeout is None or deadline is None:
            return DEFAULT_PATIENCE, self._loop.time() + DEFAULT_PATIENCE
        return timeout, deadline

    def _lacks_an_answer(self, block: Block | None) -> bool:
        """Whether what has to be waited for is the server's doing, and no other task's."""
        if not self.blocks:
            return True
        innermost = self.blocks[-1]
        return innermost.state is BlockState.CLOSING or innermost is block

    async def begun(self, block: Block) -> None:
        """Wait until the statement that carries the beginning of `block` is answered."""
        again = False
        while block.state is BlockState.STARTING:
            await self._wait(block, False, again)
            again = True

    def busy(self, waited: str = "") -> ConnectionBusyError:
        """The error for who is not the owner of the innermost block."""
        what, whose = "transaction", "a transaction"
        if self.blocks:
            block = self.blocks[-1]
            what = "stream" if block.is_stream else "transaction"
            whose = f"the {what} of {block.task_name}, begun at {block.began_at}"
        return ConnectionBusyError(
            f"{waited}{whose}, which has this connection to itself until it ends",
            hint=f"use another connection (a pool gives one each), or end the {what} sooner",
            safe_to_retry=True,
        )

    # Who waits, and who is woken

    async def _wait(self, block: Block | None, starts: bool, again: bool) -> None:
        """Wait to be woken, at the head of the queue if it is not the first time."""
        waiter = Waiter(self._loop.create_future(), starts)
        waiters = self._waiters.setdefault(block, deque())
        if again:
            waiters.appendleft(waiter)
        else:
            waiters.append(waiter)
        try:
            await waiter.woken
        finally:
            if waiter.woken.done() and not waiter.woken.cancelled():
                self._woken -= 1
                self._starters -= starts
            # Whatever comes of it, be it nothing: the next one has to be looked at behind it.
            self._loop.call_soon(self._wake)

    def _wake(self) -> None:
        """Wake those whose turn it is, up to the first that starts a block of its own.

        Waking all of them costs n times n for n tasks that wait with a block each. Of those that
        wait in a block that is pending, the first has to begin it, and the others wait for that.
        """
        innermost = self.blocks[-1] if self.blocks else None
        if self._starters or (innermost is not None and innermost.state not in READY):
            return
        waiters = self._waiters.get(innermost)
        while waiters:
            waiter = waiters.popleft()
            if not waiter.woken.done():
                self._wake_one(waiter)
                begins = innermost is not None and innermost.state is BlockState.PENDING
                if waiter.starts or begins:
                    return

    def _wake_one(self, waiter: Waiter) -> None:
        self._woken += 1
        self._starters += waiter.starts
        waiter.woken.set_result(None)

    def _wake_all(self, block: Block | None) -> None:
        for waiter in self._waiters.pop(block, ()):
            if not waiter.woken.done():
                self._wake_one(waiter)

    # The life of a block

    def new_block(self) -> Block:
        """A block that was made in the current context, and is not started."""
        block = Block(self)
        enter(block, started=False)
        return block

    def begin(self, block: Block, beginning: str) -> None:
        """`block` owns the connection from now on; its first statement will carry `beginning`."""
        self._enter(block, BlockState.PENDING)
        block.beginning = beginning

    def begin_savepoint(self, block: Block) -> None:
        """`block` owns the connection from now on, and is not yet open to statements."""
        self._enter(block, BlockState.STARTING)

    def _enter(self, block: Block, state: BlockState) -> None:
        self._begun_at(block)
        block.state = state
        self.blocks.append(block)
        enter(block, started=True)

    def _begun_at(self, block: Block) -> None:
        """Keep who begins `block`, and where."""
        task = asyncio.current_task()
        block.task_name = "no task" if task is None else f"task {task.get_name()!r}"
        block.began_at = caller()

    def join(self, block: Block) -> None:
        """Let the current context be in `block`, which another one may have begun."""
        membership = _context.get()
        while membership is not None:
            if membership.block is block and membership.started:
                return
            membership = membership.outer
        enter(block, started=True)

    def begin_copy(self, block: Block) -> None:
        """The current context feeds or drains a COPY from now on, up to `end_copy`.

        What it calls on this connection meanwhile would wait for the COPY, which waits for it.
        """
        block.is_copy = True
        self._begun_at(block)
        block.state = BlockState.OPEN
        self.watched += 1
        enter(block, started=True)

    def end_copy(self, block: Block) -> None:
        """The COPY is over, or left; once more does nothing."""
        if block.is_copy:
            block.is_copy = False
            block.state = BlockState.CLOSED
            self.watched -= 1

    def check_free(self, closing: bool = False) -> None:
        """Raise InterfaceError where the current context feeds or drains a COPY.

        `closing`: not where it only reads the rows, for then it reads no more.
        """
        membership = _context.get() if self.watched else None
        while membership is not None:
            block = membership.block
            if block.is_copy and is_in(self, membership) and not (closing and block.is_read):
                raise copying(block)
            membership = membership.outer

    def pending(self) -> Block | None:
        """The block that the next request has to begin, if there is one."""
        if self.blocks and self.blocks[-1].state is BlockState.PENDING:
            return self.blocks[-1]
        return None

    def carried(self, block: Block, request: Request) -> None:
        """`request` carries the beginning of `block` and has been submitted."""
        block.state = BlockState.STARTING
        request.on_end = partial(self._on_carried, block, request.on_end)

    def _on_carried(
        self, block: Block, then: Callable[[Request], None] | None, request: Request
    ) -> None:
        self._begun(block, request)
        if then is not None:
            then(request)

    def _begun(self, block: Block, request: Request) -> None:
        if block.state is not BlockState.STARTING:
            return  # its end is on the way
        if not request.status:
            block.state = BlockState.PENDING  # dropped before it was sent
        elif isinstance(request.error, TransactionAborted) or (
            request.error is not None and request.status == IDLE
        ):
            # Its transaction is not there, or another one's that is about to be rolled back.
            block.state = BlockState.BROKEN
            block.cause = request.error
        else:
            block.state = BlockState.OPEN
        self._changed(block)

    def opened(self, block: Block) -> None:
        """The beginning of a savepoint is answered; raises InterfaceError if it has ended."""
        if block.state is not BlockState.STARTING:
            raise ended_before(block)
        block.state = BlockState.OPEN
        self._changed(block)

    def _changed(self, block: Block) -> None:
        if block.state is BlockState.BROKEN:
            self._wake_all(block)
        else:
            self._wake()

    def ended(self, block: Block) -> None:
        """`block` has ended, and so have those inside it."""
        if block not in self.blocks:
            return
        depth = self.blocks.index(block)
        self._cut_off_inside(depth)
        ended = self.blocks[depth:]
        del self.blocks[depth:]
        for inner in ended:
            inner.state = BlockState.CLOSED
            self._wake_all(inner)
        self._wake()

    def closing(self, block: Block) -> None:
        """The end of `block` is on its way, and with it that of those inside."""
        block.state = BlockState.CLOSING
        self._cut_off_inside(self.blocks.index(block))

    def closing_all(self) -> Block | None:
        """The end of all blocks is on its way; the outermost, None if there was none left to end.

        Who called this knows, so that what comes behind it in this very context is on its own. The
        others are cut off.
        """
        if not self.blocks or self.blocks[0].state is BlockState.CLOSING:
            return None
        membership = _context.get()
        while membership is not None:
            block = membership.block
            if block in self.blocks and (membership.started or block.for_maker):
                block.state = BlockState.CLOSING
            membership = membership.outer
        self._cut_off_inside(-1)
        return self.blocks[0]

    def _cut_off_inside(self, depth: int) -> None:
        for inner in self.blocks[depth + 1 :]:
            if inner.state is not BlockState.CLOSING:  # its own end is on its way
                inner.state = BlockState.CLOSING
                inner.cut_off = True
                self.watched += 1

    def let_go(self, block: Block) -> None:
        """The own end of a block has come that was ended with the one around it."""
        if block.cut_off:
            block.cut_off = False
            self.watched -= 1

    def call_soon(self, callback: Callable[[], None]) -> bool:
        """Let the loop call `callback`, from whichever thread; False if it never will again."""
        if self._loop.is_closed():
            return False
        self._loop.call_soon_threadsafe(callback)
        return True

    def dissolve(self) -> None:
        """The connection is closed: nobody has to wait any more to hear of it."""
        self._dissolved = True
        for block in self.blocks:
            block.state = BlockState.CLOSED
        self.blocks.clear()
        for block_or_none in list(self._waiters):
            self._wake_all(block_or_none)


def ended_before(block: Block) -> InterfaceError:
    """The error for a statement of a transaction that has ended, or is being ended."""
    return InterfaceError(
        f"the transaction begun at {block.began_at} was ended before this statement of it was sent",
        hint="await all statements of a transaction inside of its block",
        safe_to_retry=True,
    )


def streaming(block: Block) -> InterfaceError:
    """The error for what is called while a stream of the same context is open."""
    return InterfaceError(
        f"the stream begun at {block.began_at} is open, and has this connection to itself until it "
        f"ends",
        hint="read it to its end, or leave its `async with` block, before anything else is called; "
        "or use another connection for that; or have all of it in one transaction(), where "
        "statements may come in between",
        safe_to_retry=True,
    )


def is_in(owner: Ownership, membership: Membership) -> bool:
    """Whether a context with this membership is in a block of `owner` that is open."""
    block = membership.block
    is_part = membership.started or block.for_maker
    return block.owner is owner and is_part and block.state is BlockState.OPEN


def copying(block: Block) -> InterfaceError:
    """The error for what is called where a COPY on the same connection waits for it."""
    return InterfaceError(
        f"the COPY begun at {block.began_at} is under way, and would wait for what is called "
        f"within it on the same connection, which has to wait for its end",
        hint="call it behind the COPY, or on another connection",
        safe_to_retry=True,
    )


def caller() -> str:
    """Where in the user's code we are: the innermost frame outside this package."""
    frame = inspect.currentframe()
    while (
        frame is not None
        and frame.f_back is not None
        and frame.f_globals.get("__name__", "").startswith("pgallop.")
    ):
        frame = frame.f_back
    return "an unknown place" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
