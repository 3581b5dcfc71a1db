"""`run_transaction`: a transaction that is run again where the server has undone it for others.

Two transactions that get into each other's way are no fault of either: the server undoes one of
them, with 40001 (serialization_failure) or 40P01 (deadlock_detected), for it to be run again. Other
errors would come again, and a COMMIT whose answer was lost must not be.

Source: PostgreSQL documentation, "Serialization Failure Handling".
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from pgallop.errors import (
    InFailedSQLTransactionError,
    InterfaceError,
    InternalClientError,
    PostgresConnectionError,
    PostgresError,
    TransactionOutcomeUnknown,
)
from pgallop.pool.lease import PoolConnectionProxy
from pgallop.transaction import Transaction

if TYPE_CHECKING:
    from pgallop.pool.pool import Pool

T = TypeVar("T")

# What the server undoes a transaction with that is in another one's way.
REPEATED = ("40001", "40P01")

# Seconds before the second try, doubled for each further one, to the most.
FIRST_DELAY = 0.005
LONGEST_DELAY = 1.0


async def run_transaction(
    pool: Pool,
    function: Callable[[PoolConnectionProxy], Awaitable[T]],
    retries: int,
    timeout: float | None,
    options: dict[str, Any],
) -> T:
    """See `Pool.run_transaction`; `options`: of `Connection.transaction`."""
    tries = 0
    while True:
        try:
            async with pool.acquire(timeout=timeout) as connection:
                return await attempt(connection, function, options)
        except PostgresError as error:
            if not is_repeated(error):
                raise
            tries += 1
            if tries > retries:
                error.add_note(f"tried {tries} times")
                raise
        # Without a connection, and not all who have met in the same moment.
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(tries - 1, 20))
        await asyncio.sleep(delay * (0.5 + 0.5 * random.random()))


async def attempt(
    connection: PoolConnectionProxy,
    function: Callable[[PoolConnectionProxy], Awaitable[T]],
    options: dict[str, Any],
) -> T:
    """Run it once."""
    transaction = connection.transaction(**options)
    await transaction.start()
    try:
        result = await function(connection)
    except BaseException as error:
        await transaction.__aexit__(type(error), error, error.__traceback__)
        del transaction  # it knows the error, whose traceback knows this frame
        raise
    await commit(transaction)
    return result


async def commit(transaction: Transaction) -> None:
    """Commit; raises TransactionOutcomeUnknown where nobody can know whether that was done."""
    try:
        await transaction.commit()
    except (PostgresConnectionError, InterfaceError, InternalClientError, TimeoutError) as error:
        if getattr(error, "safe_to_retry", False):
            raise  # COMMIT was never sent
        raise TransactionOutcomeUnknown(
            f"COMMIT was sent and its answer was lost: it may be stored, or not ({error})"
        ) from error


def is_repeated(error: PostgresError) -> bool:
    """Whether the server has undone the transaction for another one's sake.

    Where its function has gone on behind that error, what it gets in the end is another one.
    """
    if isinstance(error, InFailedSQLTransactionError):
        cause = error.__cause__
        return isinstance(cause, PostgresError) and cause.sqlstate in REPEATED
    return error.sqlstate in REPEATED
