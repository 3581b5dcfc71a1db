"""Which statements that have failed are run again, without their caller hearing of it.

Only what certainly has no effects twice: of one nothing had run, or all of it was undone and the
server's catalogue proves that it has no effects but on its own transaction. In a transaction
nothing is: that is over.
"""

from collections.abc import Hashable
from typing import TYPE_CHECKING

from pgallop import preparing
from pgallop.errors import (
    CollateralCancelError,
    DataError,
    InterfaceError,
    OutdatedSchemaCacheError,
    PostgresError,
    UndefinedFunctionError,
)
from pgallop.rows.record import Record
from pgallop.session.execute import Execute
from pgallop.session.request import Request
from pgallop.session.session import IDLE

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch
    from pgallop.session.copy_out import CopyOut
    from pgallop.session.statement import Statement

# The server's function that finds that a statement would return other columns than it did.
OTHER_COLUMNS = "RevalidateCachedQuery"

# The server's functions that find no binary form of a type: by itself, in an array, in a range.
NO_BINARY_FORM = (
    "getTypeBinaryOutputInfo",
    "array_send",
    "get_range_io_data",
    "get_multirange_io_data",
)


async def may_repeat(
    dispatch: "Dispatch", request: Execute, error: BaseException, timeout: float | None
) -> bool:
    """Whether `request`, which has failed by `error`, may be run again and has a reason to.

    What has proved out of date is forgotten.
    """
    statement = request.statement
    # Refused in Parse or Bind nothing of it has run.
    is_untouched = not request.bound and request.status == IDLE
    if not request.bound and preparing.is_stale(error, statement):
        preparing.forget(dispatch, statement)
        if request.status != IDLE:
            explain_stale(error)
        return is_untouched
    if isinstance(error, DataError) and request.position < 0:
        # It was never written: it had to wait, and the type may be another one by now.
        preparing.forget(dispatch, statement)
        return True
    if isinstance(error, CollateralCancelError):
        return is_untouched or await is_harmless(dispatch, request, statement.query, timeout)
    if not has_no_binary_form(error, request):
        return False
    # Not by its own fault: its result was asked for in binary.
    dispatch.scope.stop_guessing()
    if await is_harmless(dispatch, request, statement.query, timeout):
        return True
    explain(error, "it was run before the types of its result were known: run it again")
    return False


async def may_copy_again(
    dispatch: "Dispatch",
    request: "CopyOut",
    presumed: "Statement | None",
    error: BaseException,
    timeout: float | None,
) -> bool:
    """The same of a COPY to the client, of which nobody has seen anything yet.

    `presumed`: the statement whose description was relied on, if any was.
    """
    # The server responds when all is planned, in front of the first row.
    is_untouched = not request.responded and request.status == IDLE
    if isinstance(error, CollateralCancelError):
        if is_untouched:
            return True
        return not request.taken and await is_harmless(dispatch, request, request.original, timeout)
    if presumed is None or not is_untouched or not preparing.is_stale(error, presumed):
        return False
    preparing.forget(dispatch, presumed)
    return True


def refusal(request: Execute, error: BaseException) -> Hashable:
    """What the server has refused and how, if the same again would have no other end.

    None if that depends on what other sessions do. A value that a type does not take, such as the
    name of no table for a regclass, is an error of a class that types which have changed have, too.
    """
    statement = request.statement
    if not isinstance(error, PostgresError) or not preparing.is_stale(error, statement):
        return None
    if error.sqlstate in preparing.NAME_CODES or preparing.is_race(error):
        return None
    if error.server_source_function == OTHER_COLUMNS:
        return None
    columns = tuple([column.type_oid for column in statement.columns])
    return error.sqlstate, str(error), statement.parameter_oids, columns


def has_no_binary_form(error: BaseException, request: Execute) -> bool:
    """Whether a statement has failed because nothing was known of its result."""
    return (
        isinstance(error, UndefinedFunctionError)
        and error.server_source_function in NO_BINARY_FORM
        and request.statement.presumed
    )


def explain_stale(error: BaseException) -> None:
    """Tell that what the transaction has failed by will not happen again.

    If it does, the statement was described anew, and what the server says is the truth.
    """
    explain(
        error,
        "its tables or types have changed since it was prepared, or the server has forgotten it: "
        "run the transaction again",
    )


def explain(error: BaseException, hint: str) -> None:
    """Tell that the same again can succeed: the server has undone all of it."""
    if isinstance(error, (PostgresError, OutdatedSchemaCacheError)):
        vars(error)["safe_to_retry"] = True
        if error.hint is None:
            vars(error)["hint"] = hint


async def is_harmless(
    dispatch: "Dispatch", request: Request, query: str, timeout: float | None
) -> bool:
    """Whether `request`, which has run `query` and was rolled back, has left nothing behind.

    It has to have been a transaction of its own, and the server's catalogue has to prove that all
    it can call has no effects but on its own transaction. Unknown means no.
    """
    was_alone = request.status_before == IDLE and request.status == IDLE and not request.prologue
    # Not to be asked behind somebody's transaction, however long that takes.
    if not was_alone or not dispatch.ownership.is_my_turn():
        return False
    from pgallop.sql import harmless  # on use: it takes 20 ms to import, and is rarely needed

    candidate = harmless.candidate(query)
    if candidate is None or query == harmless.PROOF:  # which would be asked about itself
        return False
    parameters = candidate.parameters()
    try:
        rows, _ = await dispatch.attempt(
            harmless.PROOF, parameters, False, timeout, request.deadline, 1, into=Record
        )
    except (PostgresError, InterfaceError):
        return False  # nothing was proven
    return [tuple(row) for row in rows] == [(True,)]
