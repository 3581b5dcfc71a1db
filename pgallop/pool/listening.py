"""`Pool.listen`: notifications on a connection of a pool, and on another one when that is lost.

What is sent while nobody listens is lost: the server keeps nothing for those who come back. So each
time that listening begins, the first included, there is a `Gap` among the notifications: what was
done before it has to be looked up in the tables, and what is done from there on is notified.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from pgallop.errors import InterfaceError, PostgresError
from pgallop.notifications import Notification, NotificationStream

if TYPE_CHECKING:
    from pgallop.pool.lease import PoolConnectionProxy
    from pgallop.pool.pool import Pool

logger = logging.getLogger("pgallop.pool")

# Seconds between attempts to listen again, from the first on.
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0


class Gap(NamedTuple):
    """Nobody has listened until now, and from now on somebody does.

    `reason`: what has ended the listening before, None in the beginning. `seconds`: for how long it
    was noticed to be over, 0.0 in the beginning.
    """

    reason: BaseException | None
    seconds: float


class PoolNotifications:
    """The notifications of some channels, from `pool.listen(...)`, a Gap in front of each part.

    It has a connection of the pool to itself from the first notification that is asked for until it
    is left, or forgotten. One task at a time may take from it.
    """

    def __init__(self, pool: Pool, channels: Sequence[str], size: int) -> None:
        self._pool = pool
        self._channels = channels
        self._size = size
        self._connection: PoolConnectionProxy | None = None
        self._stream: NotificationStream | None = None
        self._stopped = asyncio.Event()
        self._busy = False
        self._has_listened = False
        self._lost_at = 0.0
        self._reason: BaseException | None = None

    async def __aenter__(self) -> PoolNotifications:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None:
            self._stream.leave()
        self.stop()

    def stop(self) -> None:
        """Listen no more; what has come can still be taken, then it has come to the end."""
        self._stopped.set()
        self.give_back()

    def give_back(self) -> None:
        """Give the connection back. Who goes on to take gets another one, with a Gap."""
        connection, self._connection = self._connection, None
        place = None if connection is None else connection.detach(self._pool)
        if place is not None:
            self._pool.forgotten(place)

    def __aiter__(self) -> PoolNotifications:
        return self

    async def __anext__(self) -> Notification | Gap:
        """The next notification, or the Gap in front of those to come, when there is one.

        A caller who is cancelled or out of time has taken nothing.

        Raises:
            StopAsyncIteration: the block was left, or the pool is closed.
            Exception: nothing could be listened to in the beginning: what `acquire` and
                `Connection.notifications` raise. Later that is tried again, and logged.
        """
        if self._busy:
            raise InterfaceError(
                "another task waits for notifications of this listen() already",
                hint="let one task take them, or call pool.listen() for each",
            )
        self._busy = True
        try:
            while self._stream is not None:
                try:
                    return await anext(self._stream)
                except StopAsyncIteration:
                    raise
                except (InterfaceError, PostgresError) as error:
                    self._lose(error)
            if self._stopped.is_set() or self._pool.is_closing():
                raise StopAsyncIteration
            return await self._listen()
        finally:
            self._busy = False

    def _lose(self, error: BaseException) -> None:
        self._stream = None
        self._reason = error
        self._lost_at = asyncio.get_running_loop().time()
        self.give_back()

    async def _listen(self) -> Gap:
        """Listen, on another connection if there was one before."""
        pause = FIRST_PAUSE
        while True:
            try:
                await self._open()
                break
            except (InterfaceError, PostgresError, OSError) as error:
                if self._stopped.is_set() or self._pool.is_closing():
                    raise StopAsyncIteration from None
                if not self._has_listened:
                    raise
                logger.warning("cannot listen again, and will try again: %s", error)
            try:
                async with asyncio.timeout(pause):
                    await self._stopped.wait()
            except TimeoutError:
                pause = min(2 * pause, LONGEST_PAUSE)
        reason, self._reason = self._reason, None
        if not self._has_listened:
            self._has_listened = True
            return Gap(None, 0.0)
        return Gap(reason, asyncio.get_running_loop().time() - self._lost_at)

    async def _open(self) -> None:
        connection = await self._pool.acquire()
        self._connection = connection
        try:
            if self._stopped.is_set():  # between this task's getting it and its being woken for it
                raise StopAsyncIteration
            stream = connection.notifications(*self._channels, size=self._size)
            await stream.__aenter__()
        except BaseException:
            self.give_back()
            raise
        self._stream = stream

    def __del__(self) -> None:
        # Left by `break`, without a block.
        if getattr(self, "_connection", None) is not None:
            self.give_back()

    def __repr__(self) -> str:
        state = "stopped" if self._stopped.is_set() else "listening"
        if self._stream is None and not self._stopped.is_set():
            state = "not listening"
        return f"<{type(self).__name__} {', '.join(self._channels)} {state}>"
