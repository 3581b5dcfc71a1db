"""Whose turn it is on a shared connection: the rule that keeps transactions of several tasks apart.

Statements of two tasks' blocks that interleave on one connection commit rows that were rolled back.
So a block belongs to the context that opened it (and to the tasks started from within it), and
while it is open everybody else waits for its end. Nested blocks are the same rule again: the
innermost owns the connection.
"""

import asyncio
import inspect
from contextvars import ContextVar
from enum import Enum

from pgallop.errors import ConnectionBusyError

# How long a statement without a deadline of its own waits for another context's block.
DEFAULT_PATIENCE = 30.0


class BlockState(Enum):
    NEW = "not started"
    STARTING = "being started"
    OPEN = "open"
    CLOSING = "being closed"
    CLOSED = "closed"


class Block:
    """One transaction or savepoint on the way from BEGIN to its end.

    `outer`: the block in whose context this one was made, on whatever connection.
    """

    __slots__ = ("began_at", "outer", "owner", "state", "task_name")

    def __init__(self, owner: "Ownership", outer: "Block | None") -> None:
        self.owner = owner
        self.outer = outer
        self.state = BlockState.NEW
        self.task_name = ""
        self.began_at = ""


_context: ContextVar[Block | None] = ContextVar("pgallop_block", default=None)


class Ownership:
    """The open blocks of one connection, outermost first, and those who wait for their end."""

    __slots__ = ("_loop", "_waiters", "blocks")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
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
        return innermost.state is BlockState.OPEN and self._mine() is innermost

    def _mine(self) -> Block | None:
        """The innermost open block of this connection that the current context is in."""
        block = _context.get()
        while block is not None and (block.owner is not self or block not in self.blocks):
            block = block.outer
        return block

    async def my_turn(self, deadline: float | None, timeout: float | None) -> None:
        """Wait until the current context may use the connection, or the connection is closed.

        `deadline`: on the loop's clock, where a `timeout` of so many seconds ends; without one it
        is DEFAULT_PATIENCE. Raises ConnectionBusyError when it is over.
        """
        if self.is_my_turn():
            return
        if deadline is None or timeout is None:
            timeout = DEFAULT_PATIENCE
            deadline = self._loop.time() + timeout
        try:
            async with asyncio.timeout_at(deadline):
                while not self.is_my_turn():
                    waiter = self._loop.create_future()
                    self._waiters.append(waiter)
                    await waiter
        except TimeoutError:
            raise self._out_of_patience(timeout) from None

    def _out_of_patience(self, seconds: float) -> ConnectionBusyError:
        block = self.blocks[-1] if self.blocks else None
        if block is None:
            return ConnectionBusyError(
                f"waited {seconds} seconds for a transaction to end", safe_to_retry=True
            )
        return ConnectionBusyError(
            f"waited {seconds} seconds for the transaction of {block.task_name}, begun at "
            f"{block.began_at}, which has this connection to itself until it ends",
            hint="use another connection (a pool gives one each), or end the transaction sooner",
            safe_to_retry=True,
        )

    def begin(self, block: Block) -> None:
        """`block` owns the connection from now on, and is not yet open to statements."""
        task = asyncio.current_task()
        block.task_name = "no task" if task is None else f"task {task.get_name()!r}"
        block.began_at = caller()
        block.state = BlockState.STARTING
        self.blocks.append(block)

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
