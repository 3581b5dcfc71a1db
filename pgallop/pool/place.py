"""`Place`: one connection of a pool; and those who want one, for a statement or for a while."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterable
from typing import Any, cast

from pgallop.connection import Connection, Inside
from pgallop.errors import InterfaceError, PostgresError
from pgallop.pool.policy import Slot, Waiter
from pgallop.session.execute import Execute
from pgallop.session.request import Request
from pgallop.session.session import IDLE


class Claim(Waiter):
    """Somebody who waits for a connection; `future` gets its place. `since`: when he came."""

    __slots__ = ("future", "since")

    def __init__(self, future: asyncio.Future[Any]) -> None:
        self.waits = False
        self.future = future
        self.since = 0.0

    def serve(self, place: Place) -> bool:
        """He has `place` now; whether he uses it."""
        self.future.set_result(place)
        return True

    def forget(self) -> None:
        """He has gone: the queues keep him for a while, but not what he has had."""
        self.future = cast("asyncio.Future[Any]", None)


class OneShot(Claim):
    """One statement that is to run on any connection.

    `future` gets its answer, or None if its caller has to do more for it than to wait. `place`:
    where it runs, until that is given back. `ends`: when its `timeout` is over. `failed`: it has
    failed, and its caller goes on with the place.
    """

    __slots__ = (
        "args",
        "ends",
        "failed",
        "into",
        "limited",
        "place",
        "query",
        "request",
        "timeout",
    )

    ends: float | None
    place: Place | None
    request: Execute | None

    def __init__(
        self,
        future: asyncio.Future[Any],
        query: str,
        args: tuple[Any, ...],
        limited: bool,
        timeout: float | None,
        into: Any,
    ) -> None:
        self.waits = False
        self.future = future
        self.since = 0.0
        self.query = query
        self.args = args
        self.limited = limited
        self.timeout = timeout
        self.into = into
        self.ends = None
        self.place = None
        self.request = None
        self.failed = False

    def forget(self) -> None:
        super().forget()
        self.args = ()

    def serve(self, place: Place) -> bool:
        try:
            if not place.begin(self):
                self.future.set_result(None)
        except Exception as error:
            # An argument that cannot be encoded is its caller's to know, and this is not his task.
            self.place = place.shot = None
            self.future.set_exception(error)
            return False
        return True


class Place(Slot):
    """One connection of a pool, and what the pool knows of it.

    `since` is also when its one-shot began.

    `dirty`: something was sent, since the session was as good as new, that is not proven to leave
    nothing there. `shot`: the one-shot that runs on it. `held`: who has it for a while. `resets`:
    how often it was reset.
    """

    __slots__ = (
        "connection",
        "dirty",
        "dispatch",
        "held",
        "inside",
        "on_free",
        "reset_query",
        "resets",
        "session",
        "shot",
        "stream",
    )

    held: Held | None
    shot: OneShot | None

    def __init__(self) -> None:
        super().__init__()
        self.held = None
        self.shot = None
        self.dirty = False
        self.resets = 0

    def settle(
        self,
        connection: Connection,
        inside: Inside,
        on_free: Callable[[Place], None],
    ) -> None:
        """The connection is there; `on_free` is called when it has nothing to do any more."""
        self.connection = connection
        self.inside = inside
        self.dispatch = inside.dispatch
        self.session = inside.session
        self.stream = inside.stream
        self.reset_query = connection.get_reset_query()
        self.on_free = on_free
        self.session.watcher = self._watch

    def begin(self, shot: OneShot) -> bool:
        """Run a one-shot here; False if its caller has to do that himself, here."""
        self.shot = shot
        shot.place = self
        seconds = None
        if shot.ends is not None:
            seconds = max(0.0, shot.ends - self.dispatch.now())
        request = self.dispatch.begin(
            shot.query, shot.args, shot.limited, shot.timeout, shot.into, shot.future, seconds
        )
        if request is None:
            return False
        shot.request = request
        if request.finished:
            shot.failed = True  # lost in sending it
        else:
            request.after = self._on_answered
        return True

    def _on_answered(self, request: Request, has_failed: bool) -> None:
        shot = self.shot
        if shot is None:
            return
        if has_failed:
            shot.failed = True
            return
        self.shot = shot.place = shot.request = None
        self.on_free(self)

    def _watch(self, request: Request) -> None:
        if self.dirty:
            return
        texts = request.runs()
        if texts is None:
            self.dirty = True
            return
        scope = self.dispatch.scope
        now = self.dispatch.now() if self.shot is None else self.since
        proven = scope.traceless.proven
        for text in texts:
            until = proven.get(text)
            if (until is None or now >= until or scope.own is not None) and not scope.is_traceless(
                text, now
            ):
                self.dirty = True
                return

    def story(self, now: float) -> str:
        """What it is used for, in words."""
        if self.held is not None:
            return self.held.story(now)
        return "being reset" if self.shot is None else f"runs {self.shot.query!r:.80}"

    def is_busy(self) -> bool:
        """Whether something is not answered yet, or not even sent, that was asked of the server."""
        session = self.session
        return bool(session.requests or session.waiting or self.dispatch.operations)

    def is_clean(self) -> bool:
        """Whether the session is as good as new, for all we know, and needs no reset."""
        return (
            not self.dirty
            and self.session.status == IDLE
            and not self.is_busy()
            and not self.dispatch.ownership.blocks
        )


class Held:
    """Who has a connection for a while, for those who wait for him.

    `entered`: he has it by `async with`, and so will not give it back before that block ends.
    """

    __slots__ = ("entered", "since", "stack", "task", "where")

    def __init__(self, since: float, where: str, stack: str, entered: bool) -> None:
        self.since = since
        self.where = where
        self.stack = stack
        self.entered = entered
        try:
            self.task = asyncio.current_task()
        except RuntimeError:
            self.task = None

    def story(self, now: float) -> str:
        """Who it is, in words."""
        who = "no task" if self.task is None else f"task {self.task.get_name()!r}"
        return f"{who} since {now - self.since:.1f} s, acquired at {self.where}{self.stack}"


def refuse(claims: Iterable[Claim], error: BaseException) -> None:
    """Let all of them have an error, each his own."""
    for claim in claims:
        if not claim.future.done():
            claim.future.set_exception(copied(error))


def copied(error: BaseException) -> BaseException:
    """Another error of the same kind: where it is raised is written into it, and read elsewhere."""
    if isinstance(error, (PostgresError, InterfaceError, OSError)):
        return copy.copy(error)
    return error
