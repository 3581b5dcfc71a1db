"""A connection as SQLAlchemy wants it: its methods wait for what a `Connection` does.

SQLAlchemy's asyncio runs its own code in a greenlet, and `await_only` has the task around it wait.
Transactions begin by themselves with the first statement, and travel with it.
"""

from typing import Any

from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection, AsyncAdapt_terminate
from sqlalchemy.util.concurrency import await_only

from pgallop._message import ExplainedError
from pgallop.connecting import close_after_error
from pgallop.connection import Connection, inside
from pgallop.dispatch import Dispatch
from pgallop.errors import InterfaceError, TransactionAborted
from pgallop.ownership import BlockState
from pgallop.sql.quoting import quote_literal
from pgallop.sqlalchemy.cursors import AdaptedCursor, ServerSideCursor
from pgallop.transaction import Transaction

AUTOCOMMIT = "AUTOCOMMIT"

# Seconds in which a connection that is given up may end properly.
TERMINATE_SECONDS = 2


class SharedTransaction(Transaction):
    """A transaction in which every context takes part that uses SQLAlchemy's connection.

    A session may be opened by one task and used or closed by another, as fixtures of tests and
    frameworks do.
    """

    def enter(self) -> None:
        """Take part, from the current context."""
        self._check_started("go on")
        self._ownership.join(self._block)

    async def prepare(self, xid: str) -> None:
        """End it by PREPARE TRANSACTION: COMMIT PREPARED or ROLLBACK PREPARED is still to come."""
        self.enter()
        if self._block.state is not BlockState.OPEN:
            await self._connection.execute("SELECT 1")  # so that there is something to prepare
        text = f"PREPARE TRANSACTION {quote_literal(xid)}"
        if await self._dispatch.answer(self._end(text)) == "ROLLBACK":
            raise TransactionAborted("it was rolled back: a statement in it had failed")


class AdaptedConnection(AsyncAdapt_terminate, AsyncAdapt_dbapi_connection):
    """A `Connection`, for SQLAlchemy."""

    __slots__ = (
        "_generation",
        "autocommit",
        "deferrable",
        "dispatch",
        "isolation",
        "readonly",
        "transaction",
    )

    _connection: Any
    dispatch: Dispatch
    transaction: SharedTransaction | None
    #: Whether each statement is a transaction of its own.
    autocommit: bool
    #: Of the next transaction, as for `Connection.transaction`; the server's default if None.
    isolation: str | None
    readonly: bool
    deferrable: bool

    def __init__(self, dbapi: Any, connection: Connection) -> None:
        untyped: Any = connection
        super().__init__(dbapi, untyped)
        self.dispatch = inside(connection).dispatch
        self._generation = self.dispatch.scope.knowledge.generation
        self.transaction = None
        self.autocommit = False
        self.isolation = None
        self.readonly = False
        self.deferrable = False

    def cursor(self, server_side: bool = False) -> AdaptedCursor:
        return ServerSideCursor(self) if server_side else AdaptedCursor(self)

    async def begin(self) -> None:
        """Be in a transaction, here and now, unless each statement is one."""
        transaction = self.transaction
        if transaction is not None:
            transaction.enter()
        elif not self.autocommit:
            self._forget_outdated()
            transaction = SharedTransaction(
                self._connection, self.dispatch, self.isolation, self.readonly, self.deferrable
            )
            await transaction.start()
            self.transaction = transaction

    def _forget_outdated(self) -> None:
        """Prepare statements anew if another connection of the engine has changed the schema.

        One that is out of date fails. Elsewhere it is run again, but a transaction has failed then.
        """
        generation = self.dispatch.scope.knowledge.generation
        if generation != self._generation:
            self._generation = generation
            self.dispatch.statements.clear(forgotten=False)

    def commit(self) -> None:
        transaction, self.transaction = self.transaction, None
        if transaction is not None:
            await_only(transaction.commit())

    def rollback(self) -> None:
        transaction, self.transaction = self.transaction, None
        # With its connection it has ended, which is all that is wanted.
        if transaction is not None and not self.is_closed():
            await_only(transaction.rollback())

    def set_isolation_level(self, level: str) -> None:
        """Have the transactions from now on be of a level, or have none (`AUTOCOMMIT`)."""
        self.rollback()
        self.autocommit = level == AUTOCOMMIT
        self.isolation = None if self.autocommit else level.lower().replace(" ", "_")

    def prepare_twophase(self, xid: str) -> None:
        """PREPARE TRANSACTION, the first phase."""
        await_only(self._prepare_twophase(xid))

    async def _prepare_twophase(self, xid: str) -> None:
        await self.begin()  # where nothing was done yet
        transaction, self.transaction = self.transaction, None
        if transaction is None:
            raise InterfaceError("there is no transaction to prepare: the level is AUTOCOMMIT")
        await transaction.prepare(xid)

    def finish_twophase(self, verb: str, xid: str) -> None:
        """COMMIT PREPARED or ROLLBACK PREPARED, which run outside of any transaction."""
        self.rollback()
        await_only(self._connection.execute(f"{verb} PREPARED {quote_literal(xid)}"))

    def ping(self) -> None:
        """A round trip that does nothing, and belongs to the open transaction if there is one."""
        await_only(self._ping())

    async def _ping(self) -> None:
        if self.transaction is not None:
            self.transaction.enter()
        await self._connection.execute(";")

    def is_closed(self) -> bool:
        """Whether the connection is closed, by whichever side."""
        closed: bool = self._connection.is_closed()
        return closed

    def close(self) -> None:
        await_only(close_after_error(self._connection))
        self.transaction = None

    def _terminate_handled_exceptions(self) -> tuple[type[BaseException], ...]:
        return (*super()._terminate_handled_exceptions(), ExplainedError)

    async def _terminate_graceful_close(self) -> None:
        await self._connection.close(timeout=TERMINATE_SECONDS)
        self.transaction = None

    def _terminate_force_close(self) -> None:
        self._connection.terminate()
        self.transaction = None
