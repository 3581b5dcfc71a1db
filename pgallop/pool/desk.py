"""`Desk`: where one gets a connection of a pool, for one statement or for a while.

A one-shot costs one coroutine frame, that of `Pool.fetch`. On an idle connection it begins at once.
Else it waits with its text and arguments, and begins where a connection becomes free, in the middle
of what has come from the server: nobody has to be woken for that. `future` gets its answer then,
and the connection is free again when that has come, before its caller hears of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pgallop.deadlines import checked_seconds
from pgallop.errors import PoolFullError
from pgallop.pool.keeper import Keeper
from pgallop.pool.place import Claim, OneShot, Place
from pgallop.pool.policy import IDLE
from pgallop.rows.typed import check_target


class Desk:
    """Gives out what one keeper has."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._policy = keeper.policy
        self._counts = keeper.counts
        self._options = keeper.options

    # One statement

    def one_shot(
        self, query: str, args: tuple[Any, ...], limited: bool, timeout: float | None, into: Any
    ) -> OneShot:
        """Begin a statement on a connection that is idle, or let it wait for one.

        Await its `future`. If that gives None, await `run`; if it raises, `recover`.
        """
        loop = self._keeper.usable()
        if timeout is not None:
            timeout = checked_seconds(timeout)  # one that is no number would have no end
        shot = OneShot(loop.create_future(), query, args, limited, timeout, into)
        now = loop.time()
        if timeout is not None:
            shot.ends = now + timeout
        place = self._take()
        if place is None:
            self._queue(shot, now, timeout)
        elif self._is_stale(place, now):
            shot.place = place
            shot.future.set_result(None)
        else:
            place.since = now
            try:
                if not place.begin(shot):
                    shot.future.set_result(None)
            except BaseException:
                place.shot = None
                self._keeper.give_back(place)
                raise
        return shot

    async def run(self, shot: OneShot) -> tuple[list[Any], bytes]:
        """Run a one-shot whose statement is not prepared, or whose connection was idle for long."""
        place, now = shot.place, self._keeper.now()
        assert place is not None
        is_begun = place.shot is shot
        place.shot = shot.place = None
        if not is_begun:
            place = await self._ready(place, self._deadline(now, shot.timeout))
        place.shot = shot
        try:
            if shot.into is not None:
                check_target(shot.into)
            left = None if shot.ends is None else max(0.0, shot.ends - self._keeper.now())
            return await place.dispatch.run(shot.query, shot.args, shot.limited, left, shot.into)
        finally:
            place.shot = None
            self._keeper.give_back(place)

    async def recover(self, shot: OneShot, error: BaseException) -> tuple[list[Any], bytes] | None:
        """Its caller has got `error`: leave the shot, or run it again; None: `error` is his."""
        place, request = shot.place, shot.request
        if place is None:
            self._withdraw(shot)
            return None
        if request is not None and not shot.failed:
            place.dispatch.leave(request, error)  # when it is over its place is free
            return None
        try:
            if request is None:
                return None
            return await place.dispatch.recover(request, error, shot.timeout)
        finally:
            place.shot = shot.place = None
            self._keeper.give_back(place)

    async def script(self, query: str, timeout: float | None) -> str:
        """Run statements without arguments on any connection; the last one's command tag."""
        loop = self._keeper.usable()
        if timeout is not None:
            timeout = checked_seconds(timeout)
        ends = None if timeout is None else loop.time() + timeout
        place = await self.acquire(timeout)
        try:
            left = None if ends is None else max(0.0, ends - loop.time())
            return await place.dispatch.script(query, left)
        finally:
            self._keeper.give_back(place)

    # A connection

    async def acquire(self, timeout: float | None) -> Place:
        """A connection that nobody else uses, until it is given back.

        `timeout`: seconds, those of the pool if None.
        """
        loop = self._keeper.usable()
        place = self._take()
        if place is None:
            return await self._claim(timeout)
        now = loop.time()
        if self._is_stale(place, now):
            return await self._ready(place, self._deadline(now, timeout))
        return place

    def _deadline(self, now: float, timeout: float | None) -> float:
        return now + (self._options.acquire_timeout if timeout is None else timeout)

    def _take(self) -> Place | None:
        while True:
            place = self._policy.take()
            if not isinstance(place, Place):
                return None
            if not place.stream.closed:
                self._counts.acquired += 1
                return place
            self._keeper.gone(place, "lost")

    async def _claim(self, timeout: float | None) -> Place:
        loop = self._keeper.usable()
        claim = Claim(loop.create_future())
        self._queue(claim, loop.time(), timeout)
        try:
            return await claim.future  # type: ignore[no-any-return]
        except BaseException:
            self._withdraw(claim)
            del claim  # it knows the error, whose traceback knows this frame
            raise

    def _queue(self, claim: Claim, now: float, timeout: float | None) -> None:
        policy = self._policy
        claim.since = now
        if not policy.wait(claim, self._deadline(now, timeout)):
            self._counts.refused += 1
            raise PoolFullError(
                f"{policy.waiting} callers wait for a connection of the pool already, and no more "
                f"may (max_waiting)",
                hint=self._keeper.occupation(),
                safe_to_retry=True,
            )
        if policy.wants(now):
            self._keeper.open_more(now)
        self._keeper.arm_until(claim.deadline)

    def _withdraw(self, claim: Claim) -> None:
        """Its caller has gone: cancelled, or with an error."""
        future = claim.future
        self._policy.leave(claim)
        if not future.done() or future.cancelled():
            self._counts.cancelled += 1
        elif future.exception() is None and isinstance(future.result(), Place):
            self._keeper.give_back(future.result())  # cancelled in the moment in which he got it
        claim.forget()

    # What was idle for long

    def _is_stale(self, place: Place, now: float) -> bool:
        options = self._options
        return now - place.since >= options.check_after and options.check is not None

    async def _ready(self, place: Place, deadline: float) -> Place:
        """`place` if it answers, or another one; raises PoolTimeoutError at the deadline."""
        keeper = self._keeper
        while self._is_stale(place, keeper.now()):
            if await self._answers(place, deadline):
                break
            left = deadline - keeper.now()
            if left <= 0:
                raise keeper.late(self._options.acquire_timeout)
            other = self._take()
            if other is None:
                return await self._claim(left)  # which somebody has just used, or opened
            place = other
        return place

    async def _answers(self, place: Place, deadline: float) -> bool:
        keeper = self._keeper
        check = self._options.check
        connection = place.connection
        try:
            async with asyncio.timeout_at(min(deadline, keeper.now() + connection.drain_timeout)):
                if isinstance(check, str):
                    await connection.execute(check)
                elif check is not None:
                    await check(connection)
        except Exception as error:
            keeper.last_failure = error
            keeper.give_up(place, "check failed")
            connection.terminate()
            # Those that were idle for as long are no better, for all we know.
            for other in list(keeper.places):
                if other.state == IDLE and self._is_stale(other, keeper.now()):
                    keeper.give_up(other, "check failed")
                    other.connection.terminate()
            return False
        except BaseException:
            keeper.give_back(place)
            raise
        if not place.stream.closed:
            place.since = keeper.now()
            return True
        keeper.gone(place, "lost")
        return False
