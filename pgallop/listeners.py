"""Whom a connection tells that it is closed: its termination listeners."""

import asyncio
import inspect
import weakref
from collections.abc import Callable
from typing import Any, TypeAlias

from pgallop.errors import InterfaceError

# Given the connection; an awaitable that it returns is awaited.
Listener: TypeAlias = Callable[[Any], object]

# The event loop holds its tasks weakly, and a closed connection may be nobody's any more.
running: set[asyncio.Future[Any]] = set()


class TerminationListeners:
    """The callbacks of one connection, each called once, in the order in which they were added."""

    __slots__ = ("_callbacks", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._callbacks: dict[Listener, None] = {}

    def add(self, callback: Listener) -> None:
        """Add `callback`; one that is there already stays the only one of its kind."""
        if not callable(callback):
            raise InterfaceError(
                f"expected a function or a coroutine function, got {type(callback).__name__}"
            )
        self._callbacks[callback] = None

    def remove(self, callback: Listener) -> None:
        """Remove `callback`, if it is there."""
        self._callbacks.pop(callback, None)

    def call(self, connection: object) -> None:
        """Have the loop call each of them with `connection`, from whatever thread this is.

        Never from here: whoever notices the end is in the middle of something.
        """
        callbacks = list(self._callbacks)
        self._callbacks.clear()
        if self._loop.is_closed():
            return
        for callback in callbacks:
            self._loop.call_soon_threadsafe(self._call, callback, connection)

    def _call(self, callback: Listener, connection: object) -> None:
        # What the function itself raises the loop hands to its exception handler.
        result = callback(connection)
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(result, loop=self._loop)
            running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Future[Any]) -> None:
        running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._loop.call_exception_handler(
                {"message": "Exception in a termination listener", "exception": error, "task": task}
            )


def call_weakly(reference: "weakref.WeakMethod[Callable[[], None]]") -> None:
    """Call a method whose object nobody has to keep alive for that, if it is still there."""
    method = reference()
    if method is not None:
        method()
