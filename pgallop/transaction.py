"""`Transaction`: BEGIN to COMMIT or ROLLBACK, nested ones as savepoints."""

import asyncio
import warnings
from types import CodeType, TracebackType
from typing import TYPE_CHECKING

from pgallop.dispatch import Dispatch
from pgallop.errors import InterfaceError, PostgresError, ProtocolError, TransactionAborted
from pgallop.ownership import Block, BlockState
from pgallop.session.request import Request
from pgallop.session.session import is_open

if TYPE_CHECKING:
    from pgallop.connection import Connection

ISOLATION_LEVELS = {
    "read_committed": "READ COMMITTED",
    "read_uncommitted": "READ UNCOMMITTED",
    "repeatable_read": "REPEATABLE READ",
    "serializable": "SERIALIZABLE",
}

# Started, and not yet ended.
STARTED = (BlockState.PENDING, BlockState.STARTING, BlockState.OPEN, BlockState.BROKEN)

# How long a block that is left by a cancellation or a timeout waits for its rollback's answer.
# Others wait for it anyway; this is so that the transaction is usually over when the block is.
HURRY_SECONDS = 0.1

# The server knows nothing of it.
UNBEGUN = (BlockState.PENDING, BlockState.BROKEN)


class Transaction:
    """A transaction, or a savepoint when one is already open in this context.

    Made by `Connection.transaction`; use it with `async with`, or call `start`, then `commit` or
    `rollback`. While it is open, other contexts' statements on the connection wait for its end;
    tasks started from within it take part. One that was started and that nobody holds any more is
    rolled back, with a ResourceWarning.
    """

    # Whether commit() raises TransactionAborted where the server has rolled back instead.
    tells_of_rollback = True

    def __init__(
        self,
        connection: "Connection",
        dispatch: Dispatch,
        isolation: str | None = None,
        readonly: bool = False,
        deferrable: bool = False,
    ) -> None:
        self._ownership = dispatch.ownership
        self._block = self._ownership.new_block()
        if isolation is not None and isolation not in ISOLATION_LEVELS:
            raise ValueError(
                f"isolation: expected one of {', '.join(sorted(ISOLATION_LEVELS))}, "
                f"got {isolation!r}"
            )
        self._connection = connection
        self._isolation = isolation
        self._readonly = readonly
        self._deferrable = deferrable
        self._dispatch = dispatch
        self._savepoint: str | None = None
        self._managed = False
        self._leaving = False  # by an error, which is the one to see
        self._failure: BaseException | None = None

    def __del__(self) -> None:
        if not hasattr(self, "_block"):
            return  # its maker had no connection any more
        state = self._block.state
        if state is BlockState.NEW:
            # A block that was never started must not stay in its context's chain.
            self._block.state = BlockState.CLOSED
        elif state is BlockState.CLOSED or state is BlockState.CLOSING:
            self._ownership.let_go(self._block)
        elif (
            state in STARTED
            and not self._connection.is_closed()
            and self._ownership.call_soon(self._on_forgotten)
        ):
            # Last of all, because it raises where warnings are errors.
            warnings.warn(
                f"the transaction begun at {self._block.began_at} was never ended: it is rolled "
                f"back, for nobody holds it any more",
                ResourceWarning,
                stacklevel=2,
            )

    def _on_forgotten(self) -> None:
        """Nobody can end it any more, and all others would wait for that."""
        if self._block.state in UNBEGUN:
            self._ownership.ended(self._block)
        elif self._block.state in STARTED:
            self._undo()

    def is_completed(self) -> bool:
        """Whether the transaction has ended, one way or the other."""
        return self._block.state is BlockState.CLOSED

    async def start(self) -> None:
        """Begin: BEGIN, or SAVEPOINT inside another transaction of this context.

        BEGIN is not sent by itself: the first statement takes it along. A transaction without a
        statement costs nothing.

        Raises InterfaceError if it was started before, or if the connection is in a transaction
        that was not opened by `transaction()`.
        """
        if self._block.state is not BlockState.NEW:
            raise InterfaceError(f"cannot start: the transaction is {self._block.state.value}")
        self._connection.is_closed()  # raises where it was given back to its pool
        self._dispatch.check_usable()
        self._dispatch.claim()
        try:
            await self._start()
        finally:
            self._dispatch.release()

    async def _start(self) -> None:
        self._block.for_maker = is_task_of(Transaction.start.__code__)
        timeout, deadline = self._dispatch.deadline(None)
        await self._ownership.my_turn(self._ownership.mine(), deadline, timeout, starts=True)
        self._dispatch.check_unlost()
        if self._ownership.blocks:
            await self._start_savepoint()
        else:
            self._ownership.begin(self._block, self._beginning())

    def _beginning(self) -> str:
        """The statement that begins this transaction."""
        if self._dispatch.in_transaction():
            raise InterfaceError(
                "cannot use transaction() in a manually started transaction",
                hint="end it with COMMIT or ROLLBACK first, or use SAVEPOINT",
            )
        words = ["BEGIN"]
        if self._isolation is not None:
            words.append(f"ISOLATION LEVEL {ISOLATION_LEVELS[self._isolation]}")
        if self._readonly:
            words.append("READ ONLY")
        if self._deferrable:
            words.append("DEFERRABLE")
        return " ".join(words)

    async def _start_savepoint(self) -> None:
        if self._isolation is not None:
            await self._check_isolation(self._isolation)
        self._savepoint = self._dispatch.new_savepoint_name()
        begun = self._dispatch.control(f"SAVEPOINT {self._savepoint}", begins=True)
        self._ownership.begin_savepoint(self._block)
        try:
            await self._dispatch.answer(begun)
        except BaseException:
            if begun.done() and begun.exception() is not None:
                self._ownership.ended(self._block)
            else:
                # Cancelled or out of time while SAVEPOINT or its answer is on the way: nobody will
                # end what it begins.
                self._undo()
            raise
        try:
            self._ownership.opened(self._block)
        except InterfaceError:
            self._ownership.let_go(self._block)
            raise

    async def _check_isolation(self, isolation: str) -> None:
        """Raise InterfaceError unless a savepoint may ask for this isolation level."""
        raise InterfaceError(
            "nested transaction has an isolation level of its own: only the outermost "
            "transaction can have one"
        )

    def _undo(self) -> None:
        """Send the rollback right behind a beginning; others wait for its answer."""
        if self._block not in self._ownership.blocks:
            self._ownership.let_go(self._block)  # ended with the one around it
            return
        self._ownership.closing(self._block)
        if not self._dispatch.unattended(self._rollback_text(), self._on_end):
            self._ownership.ended(self._block)

    async def commit(self) -> None:
        """Make the changes of this transaction permanent, or part of the outer transaction.

        Raises TransactionAborted if the server rolled back instead, because a statement had failed.
        """
        self._check_manual("commit")
        await self._commit()

    async def rollback(self) -> None:
        """Undo the changes of this transaction."""
        self._check_manual("roll back")
        await self._rollback()

    async def __aenter__(self) -> "Transaction":
        if self._managed:
            raise InterfaceError("cannot enter the same transaction twice")
        self._managed = True
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._managed = False
        if kind is None:
            await self._commit()
            return
        if self._block.state not in STARTED:
            self._ownership.let_go(self._block)  # it is over: the body's error is the one to see
            return
        self._leaving = True
        try:
            # Who was cancelled or is out of time has waited enough: a frozen server is silent.
            hurry = isinstance(error, (asyncio.CancelledError, TimeoutError))
            await self._rollback(HURRY_SECONDS if hurry else None)
        except (InterfaceError, PostgresError):
            # With the connection the transaction is gone too: the body's error is the one to see.
            if not self._connection.is_closed():
                raise

    def _check_manual(self, verb: str) -> None:
        if self._managed:
            raise InterfaceError(f"cannot {verb} within an `async with` block, whose end does that")

    async def _commit(self) -> None:
        self._check_started("commit")
        inner = self._inner()
        if inner is not None:
            await self._dispatch.answer(self._end(self._rollback_text()))
            raise misnested("commit", inner)
        if self._block.state is BlockState.STARTING:
            # Behind a BEGIN that fails, COMMIT would succeed.
            try:
                await self._dispatch.block_begun(self._block)
            except BaseException:
                self._undo()
                raise
            self._check_started("commit")  # a reset has ended it meanwhile
        if self._block.state is BlockState.BROKEN:
            self._ownership.ended(self._block)
            raise aborted() from self._block.cause
        if self._block.state is BlockState.PENDING:
            self._ownership.ended(self._block)
            self._dispatch.check_usable()
            return
        text = "COMMIT" if self._savepoint is None else f"RELEASE SAVEPOINT {self._savepoint}"
        tag = await self._dispatch.answer(self._end(text))
        if tag == "ROLLBACK":
            if self.tells_of_rollback:
                raise aborted() from self._failure
            return
        if self._savepoint is None and tag != "COMMIT":
            self._dispatch.lose(ProtocolError(f"the server answered COMMIT by {tag[:20]!r}"))

    async def _rollback(self, patience: float | None = None) -> None:
        self._check_started("roll back")
        inner = self._inner()
        if self._block.state in UNBEGUN:
            self._ownership.ended(self._block)
        elif patience is None:
            await self._dispatch.answer(self._end(self._rollback_text()))
        else:
            await self._dispatch.answered_within(self._end(self._rollback_text()), patience)
        if inner is not None and not self._leaving:
            raise misnested("roll back", inner)

    def _rollback_text(self) -> str:
        if self._savepoint is None:
            return "ROLLBACK"
        return f"ROLLBACK TO SAVEPOINT {self._savepoint}; RELEASE SAVEPOINT {self._savepoint}"

    def _check_started(self, verb: str) -> None:
        self._ownership.check_free()
        state = self._block.state
        if state not in STARTED:
            self._ownership.let_go(self._block)
            self._dispatch.check_usable()  # with the connection it is closed, too
            raise InterfaceError(f"cannot {verb}: the transaction is {state.value}")

    def _inner(self) -> Block | None:
        """The block that was begun inside this one and is still open, if there is one."""
        for block in reversed(self._ownership.blocks):  # none when the connection is closed
            # The end of one that was cancelled is on its way, and so before this one's.
            if block.state is not BlockState.CLOSING:
                return None if block is self._block else block
        return None

    def _end(self, text: str) -> "asyncio.Future[str]":
        """Submit what ends the block; others go on when it is answered, whoever waits for it."""
        answer = self._dispatch.control(text, self._on_end)
        if self._block in self._ownership.blocks:  # not if the connection was lost in sending it
            self._ownership.closing(self._block)
        return answer

    def _on_end(self, request: Request, times: int = 0) -> None:
        self._failure = self._dispatch.failure()
        # Answered is not ended: a cancellation can hit COMMIT and ROLLBACK before they do anything,
        # and leaves a failed transaction open, which nobody else is to find.
        left_open = self._savepoint is None and is_open(request.status)
        if not (left_open and self._dispatch.roll_back(self._on_end, times + 1)):
            self._ownership.ended(self._block)


def is_task_of(code: CodeType) -> bool:
    """Whether the current task does nothing but run this: `asyncio.wait_for` made one up to 3.11.

    Then what it begins is meant for the context that has called that.
    """
    task = asyncio.current_task()
    return task is not None and getattr(task.get_coro(), "cr_code", None) is code


def misnested(verb: str, inner: Block) -> InterfaceError:
    return InterfaceError(
        f"cannot {verb}: the transaction begun inside it at {inner.began_at} was still open, "
        f"so both were rolled back",
        hint="end transactions in the reverse order of their beginning",
    )


def aborted() -> TransactionAborted:
    return TransactionAborted(
        "the transaction was rolled back: a statement in it had failed before COMMIT"
    )
