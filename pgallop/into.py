"""`into=`: the rows of a result as objects of the caller's.

What needs no code of the program is made while the rows are read (`rows/building.py`); the rest
here, by the task of the caller: in his context, and where an exception finds him.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any

from pgallop.errors import InterfaceError
from pgallop.rows.building import Unbuilt, WithColumns
from pgallop.rows.record import Record, check_record_class
from pgallop.rows.typed import check_target

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# So many objects are made in one turn of the loop.
CHUNK = 100


async def fetch_into(
    dispatch: "Dispatch",
    key: Hashable,
    args: tuple[Any, ...],
    limited: bool,
    timeout: float | None,
    into: Callable[..., Any] | None,
) -> tuple[list[Any], bytes]:
    """Run a statement; its rows made into `into`, and its command tag.

    `key`: its text, or that of a statement of its own.

    Raises:
        InterfaceError: rows cannot be made into that.
        DataError: the columns do not fit, or a value does not.
    """
    request = dispatch.begin(key, args, limited, timeout, into)
    if request is None:
        checked_target(dispatch, into)
        rows, command = await dispatch.run(key, args, limited, timeout, into)
    else:
        try:
            rows, command = await request.waiter
        except BaseException as error:
            answer = await dispatch.recover(request, error, timeout)
            if answer is None:
                raise
            rows, command = answer
    return await built(rows), command


def asked_for(
    into: Callable[..., Any] | None, record_class: type[Record] | None
) -> Callable[..., Any] | None:
    """What a caller has asked for in either way, `into` or `record_class`; None if in neither.

    Raises:
        InterfaceError: he has in both, or it is no class of records.
    """
    if record_class is None:
        return into
    check_record_class(record_class)
    if into is not None:
        raise InterfaceError("into and record_class cannot be given both: rows are made into one")
    return record_class


def checked_target(dispatch: "Dispatch", into: Any) -> Any:
    """What rows are made into of which a caller has said `into`; None for Records.

    Raises:
        InterfaceError: it is nothing that rows can be made into.
    """
    target = dispatch.target(into)
    if target is not None:
        check_target(target)
    return target


async def built(rows: Any, before: int = 0) -> list[Any]:
    """The rows of a result, with all objects made and shown to the collector.

    Rows `WithColumns` stay `Unbuilt`, so as to tell these. `before`: how many came before them.
    """
    if not isinstance(rows, Unbuilt):
        return rows  # type: ignore[no-any-return]
    while not rows.proceed(CHUNK, before):
        await asyncio.sleep(0)
    finished: Any = rows if isinstance(rows.builder, WithColumns) else rows.rows
    return finished  # type: ignore[no-any-return]
