"""The end of a pool: whom it waits for, for how long, and what it says of them."""

from __future__ import annotations

import asyncio

from pgallop.errors import InterfaceError, PoolTimeoutError
from pgallop.pool.keeper import CLOSE_SECONDS, Keeper, State, logger

# After so many seconds the log is told whom close() waits for.
REMIND_SECONDS = 60.0


async def close(keeper: Keeper, timeout: float | None) -> None:
    """See `Pool.close`."""
    keeper.check_loop()
    if keeper.state in (State.NEW, State.CLOSED):
        keeper.state = State.CLOSED
        return
    loop = keeper.loop
    if keeper.state in (State.STARTING, State.FOREIGN) or loop is None:
        raise keeper.unusable()
    check_not_inside(keeper)
    keeper.begin_to_close()
    reminder = loop.call_later(REMIND_SECONDS, remind, keeper)
    try:
        async with asyncio.timeout(timeout):
            await keeper.settled()
    except TimeoutError:
        found = holders(keeper)
        keeper.terminate()
        raise PoolTimeoutError(
            f"the pool was terminated: {timeout} seconds after close() its connections were still "
            f"in use",
            detail=found,
        ) from None
    except BaseException:
        keeper.terminate()
        raise
    finally:
        reminder.cancel()
    keeper.end()


async def close_after_error(keeper: Keeper) -> None:
    """Close on the way out of an error, which is the one to see: politely, not for long."""
    try:
        await close(keeper, CLOSE_SECONDS)
    except PoolTimeoutError as error:
        # Who has failed may have had connections, and nobody else gives them back.
        logger.warning("%s", error)


def check_not_inside(keeper: Keeper) -> None:
    """Raise InterfaceError where close() would have to wait for its own caller."""
    task = asyncio.current_task()
    if keeper.works_in(task):
        raise InterfaceError(
            "close() would wait for ever: it was called by a hook of the pool",
            hint="call it in a task of its own, or terminate() instead",
        )
    for place in keeper.places:
        if place.held is not None and place.held.entered and place.held.task is task:
            raise InterfaceError(
                "close() would wait for ever: it was called inside of an `async with "
                f"pool.acquire()` block of the same task, entered at {place.held.where}",
                hint="call it behind the block, or terminate() instead",
            )


def remind(keeper: Keeper) -> None:
    """Tell the log whom close() waits for."""
    logger.warning(
        "close() waits for %d seconds, for connections that are still in use: %s",
        REMIND_SECONDS,
        holders(keeper),
    )


def holders(keeper: Keeper) -> str:
    """Who has a connection, in words."""
    now = keeper.now()
    return "; ".join(
        [
            f"backend {place.connection.get_server_pid()}: {place.story(now)}"
            for place in keeper.places
        ]
    )
