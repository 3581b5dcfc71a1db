"""Pools as one would write them at first: who waits is served first come, or last come."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from math import inf

from pgallop.pool.policy import Slot, Waiter


class PlainPool:
    """The verbs of `Policy`, without its foresight.

    It opens a connection for each who waits, as long as there may be more; tries again at once
    when that fails, and tells the one whose turn it is; keeps connections for ever.

    `last_first`: who has come last is served first.
    """

    def __init__(self, min_size: int, max_size: int, *, last_first: bool) -> None:
        self._min_size = min_size
        self._max_size = max_size
        self._last_first = last_first
        self._idle: list[Slot] = []
        self._queue: deque[Waiter] = deque()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._number = 0
        self.size = 0
        self.opening = 0
        self.waiting = 0

    def take(self) -> Slot | None:
        """An idle slot, if there is one."""
        return self._idle.pop() if self._idle else None

    def wait(self, waiter: Waiter, deadline: float = inf) -> bool:
        """Queue up."""
        self.waiting += 1
        waiter.waits = True
        self._queue.append(waiter)
        if deadline < inf:
            self._number += 1
            heappush(self._deadlines, (deadline, self._number, waiter))
        return True

    def leave(self, waiter: Waiter) -> bool:
        """Wait no longer."""
        if not waiter.waits:
            return False
        waiter.waits = False
        self.waiting -= 1
        return True

    def expired(self, now: float) -> list[Waiter]:
        """Those whose deadlines are over."""
        over = []
        while self.next_time() <= now:
            waiter = heappop(self._deadlines)[2]
            self.leave(waiter)
            over.append(waiter)
        return over

    def next_time(self) -> float:
        """When the first deadline is."""
        while self._deadlines and not self._deadlines[0][2].waits:
            heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else inf

    def is_due(self, slot: Slot, now: float) -> bool:
        """Never."""
        return False

    def free(self, slot: Slot, now: float) -> Waiter | None:
        """The slot goes to whoever is next."""
        waiter = self._next()
        if waiter is None:
            self._idle.append(slot)
        return waiter

    def _next(self) -> Waiter | None:
        while self._queue:
            waiter = self._queue.pop() if self._last_first else self._queue.popleft()
            if self.leave(waiter):
                return waiter
        return None

    def give_back(self, slot: Slot, soon: bool) -> None:
        """It will be free."""

    def lost(self, slot: Slot) -> None:
        """It is closed."""
        self.size -= 1
        if slot in self._idle:
            self._idle.remove(slot)

    def retire(self, now: float) -> list[Slot]:
        """None."""
        return []

    def wants(self, now: float) -> bool:
        """Whether there may be more and somebody waits."""
        lacks = self.size < self._min_size or self.waiting > self.opening
        return lacks and self.size < self._max_size

    def open(self, slot: Slot) -> None:
        """A connection is being opened."""
        self.size += 1
        self.opening += 1

    def opened(self, slot: Slot, now: float) -> None:
        """It is open."""
        self.opening -= 1

    def failed(self, slot: Slot, now: float) -> list[Waiter]:
        """It could not be: who is next has bad luck."""
        self.size -= 1
        self.opening -= 1
        waiter = self._next()
        return [] if waiter is None else [waiter]
