"""How listeners are called: `Inbox` is what has come for them and was not delivered yet.

They are called by the event loop, a few milliseconds a turn, and never from the middle of what the
server says. A server can talk faster than a program listens, so there are bounds (`limits.py`):

- When too much waits to be delivered, nothing is read from the server until half of it is. Nothing
  is lost; the server waits, and so do answers that come behind.
- Who has enough for now holds the inbox (`hold`), and what comes waits here for him to let go.
- Coroutine functions run as tasks, as many at once as there may be; further calls wait. Tasks may
  wait for an answer on this very connection, which nobody reads then: when none of them ends for
  `STALL_SECONDS` while others wait to begin, the connection is closed. So it is when the one that
  holds the inbox takes nothing for as long, while an answer waits behind what has come for him.
"""

import asyncio
import inspect
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pgallop.errors import InterfaceError, PostgresMessage
from pgallop.limits import MAX_LISTENER_TASKS, MAX_PENDING_BYTES, MAX_PENDING_MESSAGES
from pgallop.transport.stream import TURN_SECONDS, Stream

# What it returns is awaited if it can be.
Listener: TypeAlias = Callable[..., object]

# How long as many tasks as there may be have for one of them to end.
STALL_SECONDS = 30.0

# The event loop holds its tasks weakly, and a closed connection may be nobody's any more.
running: set[asyncio.Future[Any]] = set()


def check_callable(callback: object) -> None:
    """Raise InterfaceError unless `callback` can be a listener, TypeError if it has no hash."""
    hash(callback)  # later that would come up in the middle of what the server says
    if not callable(callback):
        raise InterfaceError(
            f"expected a function or a coroutine function, got {type(callback).__name__}"
        )


class Calls:
    """Calls listeners; what they raise goes to the loop's exception handler and nowhere else.

    `kind`: what they are, for that. `running`: how many awaitables have not ended; `ended`: how
    many have. `on_ended` is called when one does.
    """

    __slots__ = ("_kind", "_loop", "_on_ended", "ended", "running")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        kind: str,
        on_ended: Callable[[], None] | None = None,
    ) -> None:
        self._loop = loop
        self._kind = kind
        self._on_ended = on_ended
        self.running = 0
        self.ended = 0

    def call(self, listener: Listener, *arguments: object) -> None:
        """Call `listener`; an awaitable that it returns becomes a task."""
        try:
            result = listener(*arguments)
            if result is None or not inspect.isawaitable(result):
                return
            task = asyncio.ensure_future(result, loop=self._loop)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            # As the loop does with what its callbacks raise.
            self._report(error, listener=listener)
            return
        self.running += 1
        running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Future[Any]) -> None:
        running.discard(task)
        self.running -= 1
        self.ended += 1
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._report(error, task=task)
        if self._on_ended is not None:
            self._on_ended()

    def _report(self, error: BaseException, **context: object) -> None:
        message = f"Exception in a {self._kind}"
        self._loop.call_exception_handler({"message": message, "exception": error, **context})


class Inbox:
    """What the server said to the listeners of one connection, in order.

    `connection`: gives the connection, which every listener gets first, or None when nobody holds
    it any more. A pool puts that of the connection's user there.
    """

    __slots__ = (
        "__weakref__",
        "_calls",
        "_holders",
        "_loop",
        "_messages",
        "_resumed",
        "_scheduled",
        "_size",
        "_stall",
        "_stream",
        "connection",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stream: Stream,
        connection: Callable[[], object | None],
    ) -> None:
        self._loop = loop
        self._stream = stream
        self.connection = connection
        self._calls = Calls(loop, "listener", self._schedule)
        # The listeners, what they get, and how much memory that takes.
        self._messages: deque[tuple[Mapping[Listener, object], tuple[object, ...], int]] = deque()
        self._size = 0
        self._holders: set[object] = set()
        self._resumed = 0  # how often one of them has let go
        self._scheduled = False
        self._stall: asyncio.TimerHandle | None = None

    def put(self, listeners: Mapping[Listener, object], arguments: tuple[object, ...]) -> None:
        """Have all that are in `listeners` when its turn comes called with the `arguments`."""
        size = sum(memory_of(each) for each in arguments)
        self._messages.append((listeners, arguments, size))
        self._size += size
        if len(self._messages) >= MAX_PENDING_MESSAGES or self._size >= MAX_PENDING_BYTES:
            self._stream.session.paused = True
        self._schedule()

    def hold(self, holder: object) -> None:
        """Deliver nothing until `holder` lets go."""
        self._holders.add(holder)

    def let_go(self, holder: object) -> None:
        """Deliver again, unless others hold."""
        self._holders.discard(holder)
        self._resumed += 1
        self._schedule()

    def _is_held(self) -> bool:
        # With the connection the end has come: they have to hear of that.
        return bool(self._holders) and not self._stream.closed

    def _schedule(self) -> None:
        if self._messages and not self._scheduled and not self._is_held():
            self._scheduled = True
            self._loop.call_soon(self._deliver)

    def _deliver(self) -> None:
        """Deliver for one turn of the loop."""
        self._scheduled = False
        connection = self.connection()
        if connection is None:
            self._messages.clear()
            self._size = 0
        ends = self._loop.time() + TURN_SECONDS
        try:
            while self._messages and not self._is_stuck():
                listeners, arguments, size = self._messages.popleft()
                self._size -= size
                for listener in list(listeners):
                    self._calls.call(listener, connection, *arguments)
                if self._loop.time() >= ends:
                    break
        finally:
            self._go_on()

    def _go_on(self) -> None:
        """See that the rest is delivered, and that the server is listened to again."""
        if self._messages and self._is_stuck():
            if self._stall is None:
                self._watch()
        else:
            if self._stall is not None:
                self._stall.cancel()
                self._stall = None
            self._schedule()
        if (
            self._stream.session.paused
            and len(self._messages) <= MAX_PENDING_MESSAGES // 2
            and self._size <= MAX_PENDING_BYTES // 2
        ):
            self._stream.session.paused = False
            self._loop.call_soon(self._stream.go_on)

    def _is_stuck(self) -> bool:
        return self._calls.running >= MAX_LISTENER_TASKS or self._is_held()

    def _watch(self) -> None:
        progress = self._calls.ended + self._resumed
        is_urgent = self._is_urgent()
        self._stall = self._loop.call_later(STALL_SECONDS, self._check, progress, is_urgent)

    def _is_urgent(self) -> bool:
        # With nothing but the server waiting, who holds may take his time.
        session = self._stream.session
        return not self._is_held() or bool(session.paused and session.requests)

    def _check(self, progress: int, was_urgent: bool) -> None:
        """Close the connection if nothing has moved since, and somebody waits for that."""
        self._stall = None
        if self._stream.closed:
            return
        has_moved = self._calls.ended + self._resumed > progress
        if has_moved or not was_urgent or not self._is_urgent():
            self._watch()
            return
        if self._is_held():
            error = InterfaceError(
                f"notifications() is full, nobody has taken anything from it for {STALL_SECONDS} "
                f"seconds, and the answer to a statement waits behind {len(self._messages)} more "
                f"messages",
                hint="run statements on another connection than that which listens, or take "
                "notifications out while they run",
            )
            self._stream.lose(error)
            return
        self._stream.lose(
            InterfaceError(
                f"{self._calls.running} calls of listeners are under way, and none of them has "
                f"ended for {STALL_SECONDS} seconds, while {len(self._messages)} notices and "
                f"notifications wait to be delivered",
                hint="let listeners hand their work to few tasks, through a queue",
            )
        )


def memory_of(value: object) -> int:
    """Roughly how many bytes a text, a number or a message takes with all that it has."""
    size = sys.getsizeof(value)
    if isinstance(value, PostgresMessage):
        parts = [*vars(value).values(), *value.unknown_fields.values()]
        size += sum(map(sys.getsizeof, parts))
    return size
