"""`into=`: the rows of a result as objects of the caller's.

What needs no code of the program is made while the rows are read (`rows/building.py`); the rest
here, by the task of the caller: in his context, and where an exception finds him.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Any

from pgallop.dispatch import Dispatch
from pgallop.rows.building import Unbuilt
from pgallop.rows.record import Record
from pgallop.rows.typed import check_target

# So many objects are made in one turn of the loop.
CHUNK = 100


async def fetch_into(
    dispatch: Dispatch,
    key: Hashable,
    args: tuple[Any, ...],
    limited: bool,
    timeout: float | None,
    into: Callable[..., Any],
) -> tuple[list[Any], bytes]:
    """Run a statement; its rows made into `into`, and its command tag.

    `key`: its text, or that of a statement of its own.

    Raises:
        InterfaceError: rows cannot be made into that.
        DataError: the columns do not fit, or a value does not.
    """
    target = None if into is Record else into
    request = dispatch.begin(key, args, limited, timeout, target)
    if request is None:
        check_target(into)
        rows, command = await dispatch.run(key, args, limited, timeout, target)
    else:
        try:
            rows, command = await request.waiter
        except BaseException as error:
            answer = await dispatch.recover(request, error, timeout)
            if answer is None:
                raise
            rows, command = answer
    return await built(rows), command


def target_or_none(into: Any) -> Any:
    """What rows are to be made into; None for Records, which they are anyway.

    Raises:
        InterfaceError: it is nothing that rows can be made into.
    """
    if into is None or into is Record:
        return None
    check_target(into)
    return into


async def built(rows: Any, before: int = 0) -> list[Any]:
    """The rows of a result, with all objects made and shown to the collector.

    `before`: how many of its rows came before these.
    """
    if not isinstance(rows, Unbuilt):
        return rows  # type: ignore[no-any-return]
    while not rows.proceed(CHUNK, before):
        await asyncio.sleep(0)
    return rows.rows
