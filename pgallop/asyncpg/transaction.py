"""`Transaction`, with asyncpg's rules."""

from typing import TYPE_CHECKING, Any

from pgallop.errors import InterfaceError
from pgallop.transaction import ISOLATION_LEVELS as SQL_OF_LEVELS
from pgallop.transaction import Transaction as NativeTransaction

if TYPE_CHECKING:
    from pgallop.asyncpg.connection import Connection

__all__ = ["ISOLATION_LEVELS", "ISOLATION_LEVELS_BY_VALUE", "Transaction"]

ISOLATION_LEVELS = set(SQL_OF_LEVELS)
ISOLATION_LEVELS_BY_VALUE = {sql.lower(): name for name, sql in SQL_OF_LEVELS.items()}


class Transaction(NativeTransaction):
    """A transaction, or a savepoint where one is open already, whichever task has begun that.

    A commit that the server answers by rolling back, for a statement has failed, says nothing.
    """

    tells_of_rollback = False

    _connection: "Connection"

    def __init__(
        self, connection: "Connection", isolation: str | None, readonly: bool, deferrable: bool
    ) -> None:
        super().__init__(
            connection,
            connection._dispatch,  # pyright: ignore[reportPrivateUsage]
            isolation,
            readonly,
            deferrable,
        )

    async def _check_isolation(self, isolation: str) -> None:
        outer = ISOLATION_LEVELS_BY_VALUE[
            await self._connection.fetchval("SHOW transaction_isolation")
        ]
        if isolation != outer:
            raise InterfaceError(
                f"nested transaction has a different isolation level: current {isolation!r} != "
                f"outer {outer!r}"
            )

    def __repr__(self) -> str:
        words: list[Any] = [f"state:{self._block.state.name.lower()}", self._isolation]
        words += ["readonly"] * self._readonly + ["deferrable"] * self._deferrable
        return f"<asyncpg.{type(self).__name__} {' '.join(filter(None, words))} {id(self):#x}>"
