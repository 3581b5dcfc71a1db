"""What a call on a shared connection may end with, told apart."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterator

from chaos.operations import Misdelivered

import pgallop
from pgallop.errors import CollateralCancelError, ConnectionBusyError


class Outcome(enum.Enum):
    ANSWERED = "answered"
    CANCELLED = "cancelled"  # by us
    TIMED_OUT = "timed out"  # as we asked for
    COLLATERAL = "collateral"  # hit by a neighbour's cancellation, and told so
    CANCELED = "canceled"  # a plain 57014: right only if an administrator has sent it
    BUSY = "busy"  # waited too long for another task's transaction
    LOST = "lost"  # the connection is gone
    MISDELIVERED = "misdelivered"
    UNTYPED = "untyped"  # anything else


# Where a call ends with several errors, the first of these is what it ended with.
WORST_FIRST = (
    Outcome.MISDELIVERED,
    Outcome.UNTYPED,
    Outcome.CANCELED,
    Outcome.COLLATERAL,
    Outcome.LOST,
    Outcome.BUSY,
    Outcome.TIMED_OUT,
    Outcome.CANCELLED,
)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors of a group, of its groups too; else the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from leaves(part)
    else:
        yield error


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it says to be caused by."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def is_loss(error: BaseException) -> bool:
    """Whether an error says, by its class, that the connection is gone."""
    if isinstance(error, pgallop.PostgresConnectionError):
        return True
    return isinstance(error, pgallop.InterfaceError) and "connection is closed" in str(error)


def outcome_of(
    task: asyncio.Task[None], *, cancelled: bool, timed: bool, in_block: bool
) -> Outcome:
    """How a finished task ended.

    `cancelled` and `timed`: whether we cancelled it or gave it a time. `in_block`: its statements
    ran in a transaction of its own, in which a failed one takes the others with it.
    """
    if task.cancelled():
        return Outcome.CANCELLED if cancelled else Outcome.UNTYPED
    error = task.exception()
    if error is None:
        return Outcome.ANSWERED
    found = {_outcome(leaf, cancelled, timed, in_block) for leaf in leaves(error)}
    return next(outcome for outcome in WORST_FIRST if outcome in found)


def _outcome(error: BaseException, cancelled: bool, timed: bool, in_block: bool) -> Outcome:
    match error:
        case Misdelivered():
            return Outcome.MISDELIVERED
        case CollateralCancelError():
            return Outcome.COLLATERAL
        case pgallop.QueryCanceledError():
            return Outcome.CANCELED
        case ConnectionBusyError():
            return Outcome.TIMED_OUT if timed else Outcome.BUSY
        case pgallop.InFailedSQLTransactionError() if in_block and error.__cause__ is not None:
            return _outcome(error.__cause__, cancelled, timed, in_block)
        case asyncio.CancelledError() if cancelled:
            return Outcome.CANCELLED
        case TimeoutError() if timed and type(error) is TimeoutError:
            return Outcome.TIMED_OUT
    return Outcome.LOST if is_loss(error) else Outcome.UNTYPED


def story(error: BaseException | None) -> str:
    """An error with its causes, in one line."""
    if error is None:
        return "no error"
    return " <- ".join(f"{type(cause).__name__}: {cause}" for cause in causes(error))
