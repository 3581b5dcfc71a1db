"""Whom a connection tells what concerns nobody's statement: that it is closed, and notices.

Those who listen for notifications are in `listen.py`.
"""

import asyncio
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from pgallop.errors import PostgresMessage
from pgallop.inbox import Calls, Inbox, Listener, check_callable
from pgallop.session.session import Session


class TerminationListeners:
    """The callbacks of one connection, each called once, in the order in which they were added."""

    __slots__ = ("_callbacks", "_calls", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._calls = Calls(loop, "termination listener")
        self._callbacks: dict[Listener, None] = {}

    def add(self, callback: Listener) -> None:
        """Add `callback`; one that is there already stays the only one of its kind."""
        check_callable(callback)
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
            self._loop.call_soon_threadsafe(self._calls.call, callback, connection)


class LogListeners:
    """Whom one connection gives the server's notices, in the order in which they were added."""

    __slots__ = ("__weakref__", "_callbacks", "_inbox", "_session")

    def __init__(self, session: Session, inbox: Inbox) -> None:
        self._session = session
        self._inbox = inbox
        self._callbacks: dict[Listener, None] = {}

    def add(self, callback: Listener) -> None:
        """Add `callback`; one that is there already stays the only one of its kind."""
        check_callable(callback)
        self._callbacks[callback] = None
        self._session.on_notice = weakly(self._on_notice)

    def remove(self, callback: Listener) -> None:
        """Remove `callback`, if it is there; without any, notices are not even looked at."""
        self._callbacks.pop(callback, None)
        if not self._callbacks:
            self._session.on_notice = None

    def forget_all(self) -> None:
        """Remove all of them."""
        self._callbacks.clear()
        self._session.on_notice = None

    def _on_notice(self, notice: PostgresMessage) -> None:
        self._inbox.put(self._callbacks, (notice,))


def weakly(method: Callable[..., None]) -> Callable[..., None]:
    """The same as `method`, but whoever holds it does not keep its object alive."""
    return partial(call_weakly, weakref.WeakMethod(method))


def call_weakly(reference: "weakref.WeakMethod[Callable[..., None]]", *arguments: Any) -> None:
    """Call a method whose object nobody has to keep alive for that, if it is still there."""
    method = reference()
    if method is not None:
        method(*arguments)
