"""Whose turn it is on a shared connection: the rule that keeps transactions of several tasks apart.

Statements of two tasks' blocks that interleave on one connection commit rows that were rolled back.
So a block belongs to the context that opened it (and to the tasks started from within it), and
while it is open everybody else waits for its end. Nested blocks are the same rule again: the
innermost owns the connection.

BEGIN travels with the first statement of its block, under the same Sync: if BEGIN fails the server
skips the statement. Until that is answered nothing else of the block is sent, for behind a BEGIN
that failed it would autocommit.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum
from functools import partial

from pgallop.errors import ConnectionBusyError, InFailedSQLTransactionError, InterfaceError
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


class Block:
    """One transaction or savepoint on the way from BEGIN to its end.

    `outer`: the block in whose context this one was made, on whatever connection. `beginning`: the
    BEGIN that its first statement carries. `cause`: why it is broken.
    """

    __slots__ = ("began_at", "beginning", "cause", "outer", "owner", "state", "task_name")

    def __init__(self, owner: "Ownership", outer: "Block | None") -> None:
        self.owner = owner
        self.outer = outer
        self.state = BlockState.NEW
        self.beginning = ""
        self.cause: BaseException | None = None
        self.task_name = ""
        self.began_at = ""


_context: ContextVar[Block | None] = ContextVar("pgallop_block", default=None)


class Ownership:
    """The open blocks of one connection, outermost first, and those who wait for their end.

    `patient`: whether others wait at all, or are refused at once.
    """

    __slots__ = ("_dissolved", "_loop", "_patient", "_waiters", "blocks")

    def __init__(self, loop: asyncio.AbstractEventLoop, patient: bool = True) -> None:
        self._loop = loop
        self._patient = patient
        self._dissolved = False
        self._waiters: list[asyncio.Future[None]] = []
        self.blocks: list[Block] = []

    def new_block(self) -> Block:
        """A block that belongs to the current context from now on, started or not.

        It is entered into the context here and not at its start, so that a start in a child task
        (as `asyncio.wait_for` makes one on Python 3.11) opens it for the parent.
        """
        outer = _context.get()
        while outer is not None and outer.state is BlockState.CLOSED:
            outer = outer.outer
        block = Block(self, outer)
        _context.set(block)
        return block

    def is_my_turn(self) -> bool:
        """Whether the current context may use the connection now."""
        if not self.blocks:
            return True
        innermost = self.blocks[-1]
        return (
            innermost.state is BlockState.OPEN or innermost.state is BlockState.PENDING
        ) and self.mine() is innermost

    def mine(self) -> Block | None:
        """The innermost open block of this connection that the current context is in.

        Not one whose end is on its way: what is called by then is behind it.
        """
        block = _context.get()
        while block is not None and (
            block.owner is not self or block.state is BlockState.CLOSING or block not in self.blocks
        ):
            block = block.outer
        return block

    async def my_turn(
        self, block: Block | None, deadline: float | None, timeout: float | None
    ) -> None:
        """Wait until an operation called in `block` may use the connection, or that is closed.

        `block`: what `mine()` was at the time of the call: an operation that had to wait must not
        run outside of the transaction it was meant for, which may have ended meanwhile. `deadline`:
        on the loop's clock, where a `timeout` of so many seconds ends; without one it is
        DEFAULT_PATIENCE. Raises ConnectionBusyError when it is over.
        """
        await self._wait_for(partial(self._has_turn, block), deadline, timeout)

    async def begun(self, block: Block, timeout: float | None) -> None:
        """Wait until the statement that carries the beginning of `block` is answered."""
        deadline = None if timeout is None else self._loop.time() + timeout
        await self._wait_for(
            lambda: block.state is not BlockState.STARTING, deadline, timeout, patient=True
        )

    def _has_turn(self, block: Block | None) -> bool:
        if self._dissolved:
            return True
        if block is None:
            return not self.blocks
        if block.state is BlockState.CLOSING or block.state is BlockState.CLOSED:
            raise InterfaceError(
                f"the transaction begun at {block.began_at} was ended before this statement of it "
                f"was sent",
                hint="await all statements of a transaction inside of its block",
                safe_to_retry=True,
            )
        if block.state is BlockState.BROKEN:
            raise InFailedSQLTransactionError(
                "current transaction is aborted: it failed in its beginning"
            ) from block.cause
        return block is self.blocks[-1] and block.state is not BlockState.STARTING

    async def _wait_for(
        self,
        condition: Callable[[], bool],
        deadline: float | None,
        timeout: float | None,
        patient: bool = False,
    ) -> None:
        if condition():
            return
        if not (patient or self._patient):
            raise self.busy("has this connection to itself until it ends")
        if deadline is None or timeout is None:
            timeout = DEFAULT_PATIENCE
            deadline = self._loop.time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                while not condition():
                    waiter = self._loop.create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            raise self._out_of_patience(timeout) from None

    def _out_of_patience(self, seconds: float) -> ConnectionBusyError:
        if not self.blocks:
            return ConnectionBusyError(
                f"waited {seconds} seconds for a transaction to end", safe_to_retry=True
            )
        return self.busy(
            "has this connection to itself until it ends", f"waited {seconds} seconds for "
        )

    def busy(self, why: str, waited: str = "") -> ConnectionBusyError:
        """The error for who is not the owner of the innermost block."""
        block = self.blocks[-1]
        return ConnectionBusyError(
            f"{waited}the transaction of {block.task_name}, begun at {block.began_at}, {why}",
            hint="use another connection (a pool gives one each), or end the transaction sooner",
            safe_to_retry=True,
        )

    def begin(self, block: Block, beginning: str) -> None:
        """`block` owns the connection from now on; its first statement will carry `beginning`."""
        self._enter(block, BlockState.PENDING)
        block.beginning = beginning

    def begin_savepoint(self, block: Block) -> None:
        """`block` owns the connection from now on, and is not yet open to statements."""
        self._enter(block, BlockState.STARTING)

    def _enter(self, block: Block, state: BlockState) -> None:
        task = asyncio.current_task()
        block.task_name = "no task" if task is None else f"task {task.get_name()!r}"
        block.began_at = caller()
        block.state = state
        self.blocks.append(block)

    def pending(self) -> Block | None:
        """The block that the next request has to begin, if there is one."""
        if self.blocks and self.blocks[-1].state is BlockState.PENDING:
            return self.blocks[-1]
        return None

    def carried(self, block: Block, request: Request) -> None:
        """`request` carries the beginning of `block` and has been submitted."""
        block.state = BlockState.STARTING
        request.on_end = partial(self._on_carried, block)

    def _on_carried(self, block: Block, request: Request) -> None:
        if block.state is not BlockState.STARTING:
            return  # its end is on the way
        if not request.status:
            block.state = BlockState.PENDING  # dropped before it was sent
        elif request.error is not None and request.status == IDLE:
            block.state = BlockState.BROKEN
            block.cause = request.error
        else:
            block.state = BlockState.OPEN
        self._wake()

    def opened(self, block: Block) -> None:
        block.state = BlockState.OPEN
        self._wake()

    def ended(self, block: Block) -> None:
        """`block` has ended, and so have those inside it."""
        if block not in self.blocks:
            return
        depth = self.blocks.index(block)
        for inner in self.blocks[depth:]:
            inner.state = BlockState.CLOSED
        del self.blocks[depth:]
        self._wake()

    def dissolve(self) -> None:
        """The connection is closed: nobody has to wait any more to hear of it."""
        self._dissolved = True
        self.blocks.clear()
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()


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
