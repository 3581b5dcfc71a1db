"""When a statement that another one's cancellation has hit may be run again."""

from typing import TYPE_CHECKING

from pgallop.errors import InterfaceError, PostgresError
from pgallop.session.execute import Execute
from pgallop.session.session import IDLE

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch


async def is_harmless(
    dispatch: "Dispatch", request: Execute, timeout: float | None, deadline: float | None
) -> bool:
    """Whether `request`, which was rolled back, is known to have left nothing behind.

    It has to have been a transaction of its own, and the server's catalogue has to prove that all
    it can call has no effects but on its own transaction. Unknown means no.
    """
    was_alone = request.status_before == IDLE and request.status == IDLE and not request.prologue
    # Not to be asked behind somebody's transaction, however long that takes.
    if not was_alone or not dispatch.ownership.is_my_turn():
        return False
    from pgallop.sql import harmless  # on use: it takes 20 ms to import, and is rarely needed

    candidate = harmless.candidate(request.statement.query)
    if candidate is None:
        return False
    try:
        rows, _ = await dispatch.attempt(
            harmless.PROOF, candidate.parameters(), False, timeout, deadline, tries=0
        )
    except (PostgresError, InterfaceError):
        return False  # nothing was proven
    return [tuple(row) for row in rows] == [(True,)]
