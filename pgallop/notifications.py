"""Notifications as they come, for `async for`: `Connection.notifications`.

A `NotificationStream` is one more listener of `listen.py`. It keeps what has come until somebody
takes it. When it is full it holds the inbox of its connection, which has the server wait when that
is full, too (`inbox.py`): nothing is lost, and memory is bounded.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

from pgallop.codecs.codec import shown
from pgallop.errors import ConnectionDoesNotExistError, InterfaceError
from pgallop.inbox import Inbox
from pgallop.listen import Channels
from pgallop.listeners import TerminationListeners
from pgallop.sql.quoting import quote_identifier

if TYPE_CHECKING:
    from pgallop.connection import Connection

DEFAULT_SIZE = 1000


class Notification(NamedTuple):
    """What NOTIFY has sent: the process id of its session, the channel, the payload."""

    pid: int
    channel: str
    payload: str


class Hearing(NamedTuple):
    """What a connection hears with, the streams that are open, and why it is closed."""

    channels: Channels
    inbox: Inbox
    losses: TerminationListeners
    streams: "Streams"
    reason: Callable[[], BaseException | None]


class Streams:
    """The open streams of one connection, which end when its session is reset."""

    __slots__ = ("streams",)

    def __init__(self) -> None:
        self.streams: dict[NotificationStream, None] = {}

    def forget_all(self) -> None:
        """The session is about to be reset: nobody listens any more."""
        for stream in list(self.streams):
            stream.end("the session was reset, or given back to its pool")


class NotificationStream:
    """The notifications of some channels, from `async with connection.notifications(...)`.

    Any number of tasks may take from it; each notification goes to one of them.
    """

    def __init__(
        self, connection: "Connection", hearing: Hearing, channels: Sequence[str], size: int
    ) -> None:
        check_channels(channels, size)
        self._connection = connection  # nobody hears anything when it is garbage
        self._hearing = hearing
        self._names = tuple(dict.fromkeys(str.__str__(name) for name in channels))
        self._size = size
        self._items: deque[Notification] = deque()
        self._arrived = asyncio.Event()
        self._is_entered = False
        self._is_open = False
        self._holds = False
        # Why nothing comes any more; no exception, which would be raised more than once.
        self._ended = ""
        self._cause: BaseException | None = None

    # The block

    async def __aenter__(self) -> "NotificationStream":
        if self._is_entered:
            raise InterfaceError("cannot enter the same notifications() twice")
        self._is_entered = True
        self._is_open = True
        self._hearing.streams.streams[self] = None
        self._hearing.losses.add(self._on_lost)
        try:
            for name in self._names:
                await self._hearing.channels.add(name, self._put)
        except BaseException:
            self.leave()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.leave()

    def leave(self) -> None:
        """Listen no more. The server is told; who still waits has come to the end."""
        self._close()
        self._items.clear()

    def end(self, reason: str, cause: BaseException | None = None) -> None:
        """Nothing comes any more, for that reason; what has come can still be taken."""
        self._ended = self._ended or reason
        self._cause = self._cause or cause
        self._close()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            del self._hearing.streams.streams[self]
            self._hearing.losses.remove(self._on_lost)
            self._let_go()
            for name in self._names:
                self._hearing.channels.drop(name, self._put)
        self._arrived.set()

    # What comes

    def _put(self, connection: object, pid: int, channel: str, payload: str) -> None:
        self._items.append(Notification(pid, channel, payload))
        self._arrived.set()
        if len(self._items) >= self._size and not self._holds:
            self._holds = True
            self._hearing.inbox.hold(self)

    def _let_go(self) -> None:
        if self._holds:
            self._holds = False
            self._hearing.inbox.let_go(self)

    def _on_lost(self, connection: object) -> None:
        if self._is_open:
            # Behind all that had come before.
            self._hearing.inbox.put({self._on_end: None}, ())

    def _on_end(self, connection: object) -> None:
        reason = self._hearing.reason()
        self.end(str(reason) or type(reason).__name__, reason)

    # Who takes it

    def __aiter__(self) -> "NotificationStream":
        if not self._is_entered:
            raise InterfaceError(
                "nobody listens yet",
                hint="async with conn.notifications(...) as notifications: async for each in "
                "notifications: ...",
            )
        return self

    async def __anext__(self) -> Notification:
        """The next notification, when there is one.

        A caller who is cancelled or out of time has taken nothing.

        Raises:
            StopAsyncIteration: the block was left.
            ConnectionDoesNotExistError: the connection was lost.
            InterfaceError: it was closed or reset by this program.
        """
        aiter(self)
        while not self._items:
            if not self._is_open:
                if self._ended:
                    raise ended(self._ended, self._cause)
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        item = self._items.popleft()
        if len(self._items) <= self._size // 2:
            self._let_go()
        return item

    def __repr__(self) -> str:
        state = "open" if self._is_open else "not open"
        channels = ", ".join(self._names)
        return f"<{type(self).__name__} {channels} {state} pending={len(self._items)}>"


def check_channels(channels: Sequence[str], size: object) -> None:
    """Raise InterfaceError unless these can be listened to, with a buffer of that size."""
    if not channels:
        raise InterfaceError("the names of one or more channels are needed")
    for name in channels:
        quote_identifier(name, "channel")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InterfaceError(f"size must be an int of at least 1, got {shown(size)}")


def ended(reason: str, cause: BaseException | None) -> InterfaceError | ConnectionDoesNotExistError:
    """The error for who waits for notifications that will not come."""
    error: InterfaceError | ConnectionDoesNotExistError
    if cause is None or isinstance(cause, InterfaceError):
        error = InterfaceError(f"no more notifications: {reason}")
    else:
        error = ConnectionDoesNotExistError(
            f"no more notifications: the connection was lost: {reason}",
            hint="what is sent meanwhile is lost, too; pool.listen() listens again and says so",
        )
    error.__cause__ = cause
    return error
