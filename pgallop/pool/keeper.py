"""`Keeper`: does what the policy decides: opens connections, resets and closes them, hands them on.

It knows nothing of `Pool`, which is the program's: when nobody holds that any more, the keeper is
told to stop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import weakref
from asyncio import get_running_loop
from collections.abc import Callable, Coroutine
from enum import Enum
from functools import partial
from math import inf
from typing import Any, cast

from pgallop.connection import Connection, inside
from pgallop.errors import InterfaceError, PoolTimeoutError, PostgresError
from pgallop.pool.counts import Counts
from pgallop.pool.options import PoolOptions
from pgallop.pool.place import Claim, Place, refuse
from pgallop.pool.policy import DRAINING, GONE, RETURNING, Policy
from pgallop.resetting import TRIES
from pgallop.session.session import IDLE, is_open

logger = logging.getLogger("pgallop.pool")

# How long a connection may take to close politely when nobody has it any more.
CLOSE_SECONDS = 5.0


class State(Enum):
    NEW = "not initialized: await it, or enter it with `async with`"
    STARTING = "being initialized by another task"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    FOREIGN = "the parent process's: make another one in this process"


# A look into the enumeration takes longer than all else that a call needs to know it is usable.
OPEN = State.OPEN


class Keeper:
    """The connections of one pool.

    `state`: what may be done. `counts`: what has happened. `places`: of connections that are open.
    `last_failure`: why the last attempt to open one failed, if it did.
    """

    loop: asyncio.AbstractEventLoop | None
    last_failure: BaseException | None
    places: dict[Place, None]
    _opening: set[asyncio.Task[None]]
    _tasks: set[asyncio.Task[None]]
    _leaving: set[Connection]
    _goings: list[asyncio.Future[None]]
    _timer: asyncio.TimerHandle | None

    def __init__(
        self,
        options: PoolOptions,
        connect: Callable[[Callable[[Connection], None]], Coroutine[Any, Any, Connection]],
    ) -> None:
        self.options = options
        self.state = State.NEW
        self.counts = Counts()
        self.policy = Policy(
            options.min_size,
            options.max_size,
            max_waiting=options.max_waiting,
            max_idle=options.max_inactive_connection_lifetime,
            max_lifetime=options.max_lifetime,
            max_queries=options.max_queries,
            random=random.random,
        )
        self.loop = None
        self.last_failure = None
        self.places = {}
        self._connect = connect
        self._learning = False
        self._opening = set()
        self._tasks = set()
        self._leaving = set()
        self._goings = []
        self._timer = None
        self._armed = inf
        living.add(self)

    async def start(self) -> None:
        """Open the first connections: one alone, so that an error comes soon and once."""
        if self.state is not State.NEW:
            raise self.unusable()
        self.loop = get_running_loop()
        self.state = State.STARTING
        first = self.options.init_size
        try:
            if first:
                await self._open(self._new_place(), raises=True)
            await self._open_all(first - 1)
        except BaseException:
            self.terminate()
            raise
        if self.state is not State.STARTING:
            raise self.unusable()
        self.state = State.OPEN
        self.look()

    async def _open_all(self, count: int) -> None:
        """Open so many connections at the same time; of several errors the first is raised."""
        tasks = [asyncio.create_task(self._open(self._new_place(), True)) for _ in range(count)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def usable(self) -> asyncio.AbstractEventLoop:
        """The event loop, which is the one that runs; raises InterfaceError where it cannot be."""
        loop = self.loop
        if self.state is not OPEN or loop is None:
            raise self.unusable()
        try:
            if get_running_loop() is loop:
                return loop
        except RuntimeError:
            raise elsewhere() from None
        raise elsewhere()

    def check_loop(self) -> None:
        """Raise InterfaceError where another event loop runs than the pool's, or another thread."""
        try:
            is_here = get_running_loop() is self.loop
        except RuntimeError:
            is_here = self.loop is not None and not self.loop.is_running()
        if not is_here and self.state in (State.OPEN, State.CLOSING):
            raise elsewhere()

    def unusable(self) -> InterfaceError:
        """Why nobody gets a connection."""
        return InterfaceError(f"the pool is {self.state.value}", safe_to_retry=True)

    # What becomes of a connection

    def give_back(self, place: Place) -> None:
        """Whoever had it has no use for it any more; what he has begun may be under way."""
        if place.state == GONE:
            return
        session = place.session
        place.queries = session.answered - place.resets
        if place.stream.closed or place.is_clean():
            self._free(place)
        elif self.policy.is_due(place, self.now()):
            self._retire(place)
        else:
            self._reset(place)

    def release(self, place: Place) -> asyncio.Task[None] | None:
        """Give back what somebody had for a while; what to await if a hook has to reset it."""
        place.held = None
        if place.state == GONE:
            return None
        place.dispatch.settle()
        if self.options.reset is not None and not place.stream.closed:
            return self._spawn(self._reset_by_hook(place))
        if place.is_clean():
            place.inside.resetting.forget_listeners()
        self.give_back(place)
        return None

    def _reset(self, place: Place, failures: int = 0) -> None:
        # Behind what is still under way, however long that takes.
        self.policy.give_back(place, soon=not place.is_busy())
        place.resets += 1
        self.counts.resets += 1
        resetting = place.inside.resetting
        dispatch = place.dispatch
        dispatch.released = False
        resetting.leave(
            resetting.submit(place.reset_query, partial(self._on_reset, place, failures))
        )
        # What its user has called and left alone, such as a statement that waits to be prepared,
        # must not come behind: the session is not his any more, and has not his settings.
        dispatch.released = place.state in (RETURNING, DRAINING)

    def _on_reset(self, place: Place, failures: int, is_done: bool) -> None:
        if place.state == GONE:
            return
        if not is_done:
            # Within a transaction of which nothing was known yet (a BEGIN without an answer, or a
            # stream that was left in this very moment) it does nothing: roll back, and again.
            if is_open(place.session.status) and not place.stream.closed and failures < TRIES:
                self._reset(place, failures + 1)
            else:
                self.give_up(place, "lost" if place.stream.closed else "reset failed")
        elif place.is_busy() or place.dispatch.ownership.blocks:
            self._reset(place)  # a call of its last user had waited for its turn
        else:
            place.dirty = False
            place.dispatch.released = False
            self._free(place)

    async def _reset_by_hook(self, place: Place) -> None:
        self.policy.give_back(place, soon=True)
        hook = self.options.reset
        assert hook is not None
        try:
            await place.inside.resetting.reset("", None)
            await hook(place.connection)
        except BaseException:
            self.give_up(place, "reset failed")
            raise
        session = place.session
        place.queries = session.answered - place.resets
        if place.is_busy() or session.status != IDLE:
            self.give_up(place, "reset failed")  # it goes on, or has left a transaction open
            return
        place.dirty = False
        self._free(place)

    def _free(self, place: Place) -> None:
        """Nobody has it, and it is as good as new: let the next one have it."""
        policy = self.policy
        now = self.now()
        if place.stream.closed:
            self.gone(place, "lost")
            self.look()
            return
        if policy.is_due(place, now):
            self._retire(place)
            return
        if self._is_curious(place, now):
            self._learning = True
            policy.give_back(place, soon=True)
            self._spawn(self._learn(place))
            return
        counts = self.counts
        while True:
            claim = policy.free(place, now)
            if not isinstance(claim, Claim):
                return  # it is idle now
            if claim.future.done():
                continue  # cancelled in this very tick
            counts.acquired += 1
            counts.waited(now - claim.since)
            if claim.serve(place):
                return

    def _is_curious(self, place: Place, now: float) -> bool:
        """Whether there is something to ask the server, which is not done yet."""
        dispatch = place.dispatch
        traceless = dispatch.scope.traceless
        return (
            bool(traceless.wanted or traceless.pieces)
            and not self._learning
            and not dispatch.simple
            and traceless.is_curious(now)
        )

    async def _learn(self, place: Place) -> None:
        """Ask the server which statements need no reset behind them, see `Traceless`."""
        was_dirty = place.dirty
        try:
            await place.dispatch.scope.traceless.learn(place.dispatch)
        except (InterfaceError, PostgresError, OSError):
            self.give_up(place, "lost")
            return
        finally:
            self._learning = False
        place.dirty = was_dirty
        self._free(place)

    def _retire(self, place: Place) -> None:
        """Close what is not to be used again, politely."""
        self._send_off(place)
        self.look()

    def _send_off(self, place: Place) -> None:
        self.gone(place, self._reason(place))
        self._see_off(place.connection)

    def _see_off(self, connection: Connection) -> None:
        """Close it when what is under way has ended or was cancelled, within some seconds."""
        self._leaving.add(connection)
        self.policy.leaving += 1
        task = self._spawn(close_politely(connection))
        task.add_done_callback(lambda _: self._left(connection))

    def _left(self, connection: Connection) -> None:
        self._leaving.discard(connection)
        self.policy.leaving -= 1
        self.look()

    def _reason(self, place: Place) -> str:
        """Why a place is closed that is due or idle."""
        if self.state is not State.OPEN:
            return "pool closed"
        if place.queries >= self.options.max_queries:
            return "too many queries"
        if self.now() >= place.expires:
            return "too old"
        if place.generation != self.policy.generation:
            return "replaced"
        return "resized" if self.policy.size > self.policy.max_size else "idle"

    def give_up(self, place: Place, reason: str) -> None:
        """Close what must not be used again, for a reason of its own."""
        self.gone(place, reason)
        self._see_off(place.connection)
        self.look()

    def gone(self, place: Place, reason: str) -> None:
        """The connection is closed, or about to be."""
        if place not in self.places:
            return
        self.policy.lost(place)
        del self.places[place]
        counts, session = self.counts, place.session
        session.watcher = None
        counts.closed[reason] += 1
        counts.queries += session.answered
        counts.errors += session.refused
        counts.bytes_sent += session.sent
        counts.bytes_received += session.received
        goings, self._goings = self._goings, []
        for going in goings:
            if not going.done():
                going.set_result(None)

    def _on_lost(self, place: Place, connection: Connection) -> None:
        """A connection was closed, by whichever side and whoever has it."""
        if place in self.places:
            self.gone(place, "lost")
            self.look()

    # Connections that come

    def _new_place(self) -> Place:
        place = Place()
        self.policy.open(place)
        return place

    def open_more(self, now: float) -> None:
        """Begin to open what the policy wants."""
        if self.state is not State.OPEN or self.loop is None:
            return
        while self.policy.wants(now):
            task = self.loop.create_task(self._open(self._new_place()), name="pgallop: open")
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _open(self, place: Place, raises: bool = False) -> None:
        """Open a connection; `raises`: let the caller know if that fails."""
        try:
            connection = await self._connect(self._see_off)
            if self.state not in (State.STARTING, State.OPEN):
                self._see_off(connection)
                raise self.unusable()
        except BaseException as error:
            self.counts.failed += 1
            self._on_failed(place, error)
            if raises or not isinstance(error, Exception):
                raise
            return
        self.counts.opened += 1
        self.last_failure = None
        place.settle(connection, inside(connection), self.give_back)
        place.dirty = self.options.init is not None  # whatever that has done
        self.places[place] = None
        self.policy.opened(place, self.now())
        connection.get_server_version()  # those who have it find it there
        connection.add_termination_listener(partial(self._on_lost, place))
        self._free(place)
        self.look()  # while the server was away, one at a time was opened

    def _on_failed(self, place: Place, error: BaseException) -> None:
        told = cast("list[Claim]", self.policy.failed(place, self.now()))
        if not isinstance(error, Exception):
            error = self.unusable()
        self.last_failure = error
        refuse(told, error)
        if self.state is State.OPEN:
            if not told:
                logger.warning("cannot open a connection, and will try again: %s", error)
            self.look()

    # Time

    def now(self) -> float:
        """The time on the loop's clock."""
        assert self.loop is not None
        return self.loop.time()

    def look(self) -> None:
        """Do what is due, whatever has made it so."""
        if self.state not in (State.OPEN, State.CLOSING):
            return
        now = self.now()
        for claim in cast("list[Claim]", self.policy.expired(now)):
            self.counts.timed_out += 1
            refuse([claim], self.late(claim.deadline - claim.since))
        for place in cast("list[Place]", self.policy.retire(now)):
            self._send_off(place)
        self.open_more(now)
        self.arm()

    def arm(self) -> None:
        """Look again when the policy says so."""
        at = self.policy.next_time()
        if at == self._armed or self.loop is None:
            return
        self._disarm()
        if at != inf:
            self._armed = at
            self._timer = self.loop.call_at(at, self._on_time)

    def arm_until(self, deadline: float) -> None:
        """Look again at `deadline` at the latest: somebody waits until then."""
        if deadline < self._armed or self.policy.failures:
            self.arm()

    def _disarm(self) -> None:
        self._armed = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_time(self) -> None:
        self._armed = inf
        self._timer = None
        self.look()

    def late(self, seconds: float) -> PoolTimeoutError:
        """The error for who got no connection in so many seconds."""
        error = PoolTimeoutError(
            f"no connection of the pool became free within {seconds:.3g} seconds",
            hint=f"{self.occupation()}; a larger pool, shorter use or a longer timeout may help",
            safe_to_retry=True,
        )
        error.__cause__ = self.last_failure
        return error

    def occupation(self) -> str:
        """How many connections there are, and how many wait, in words."""
        policy = self.policy
        return (
            f"of at most {policy.max_size} connections {policy.size - policy.opening} are open, "
            f"{policy.idle} of them idle, and {policy.waiting} callers wait"
        )

    # The end

    def works_in(self, task: asyncio.Task[Any] | None) -> bool:
        """Whether a task is the pool's own, such as one that a hook runs in."""
        return task in self._tasks or task in self._opening

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        assert self.loop is not None
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def going(self) -> None:
        """Wait until a connection has gone."""
        assert self.loop is not None
        going = self.loop.create_future()
        self._goings.append(going)
        await going

    def begin_to_close(self) -> None:
        """Let nobody in any more, and close what is idle; then await `settled` and call `end`."""
        self.state = State.CLOSING
        refuse(cast("list[Claim]", self.policy.dismiss()), self.unusable())
        for task in self._opening:
            task.cancel()
        self.policy.resize(0, self.policy.max_size)
        self.policy.renew()
        self.look()

    async def settled(self) -> None:
        """Wait until nobody has a connection any more, and all are closed."""
        while self.places:
            await self.going()
        while tasks := self._tasks | self._opening:
            await asyncio.wait(tasks)

    def end(self) -> None:
        """All is over."""
        self._disarm()
        self.state = State.CLOSED

    def terminate(self) -> None:
        """Close all at once, whoever has it."""
        self.check_loop()
        if self.state in (State.CLOSED, State.FOREIGN):
            return
        self.end()
        refuse(cast("list[Claim]", self.policy.dismiss()), self.unusable())
        for place in list(self.places):
            self.gone(place, "terminated")
            place.connection.terminate()
        for connection in self._leaving:
            connection.terminate()
        for task in [*self._opening, *self._tasks]:
            task.cancel()

    def forsake(self) -> None:
        """Nobody can close it any more; in whichever thread this is noticed."""
        loop = self.loop
        if loop is None or loop.is_closed():
            self.state = State.CLOSED
            for place in list(self.places):
                place.stream.lose(InterfaceError("its pool was never closed"))
        elif loop.is_running():
            loop.call_soon_threadsafe(self.terminate)
        else:
            self.terminate()


def elsewhere() -> InterfaceError:
    """The error for another event loop than that of the pool, or none."""
    return InterfaceError(
        "the pool belongs to another event loop",
        hint="use it in the thread and the loop that it was made in, or make one for each",
    )


async def close_politely(connection: Connection) -> None:
    """Close a connection of which nobody wants to hear any more."""
    try:
        await connection.close(timeout=CLOSE_SECONDS)
    except (OSError, InterfaceError, PostgresError):  # TimeoutError is an OSError
        connection.terminate()


living: weakref.WeakSet[Keeper] = weakref.WeakSet()


def disown_all() -> None:
    """What a parent process has is not a child's to use."""
    for keeper in list(living):
        keeper.state = State.FOREIGN


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=disown_all)
