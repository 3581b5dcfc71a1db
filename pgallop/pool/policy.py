"""`Policy`: what a pool decides, without I/O: no event loop, no clock, no connection.

Somebody else acts: `Pool`, or a simulator. It tells what happens and when, and does what is
decided. Each call takes O(1), `wait` and `leave` O(log n) in the worst case, `expired` besides what
it returns; `retire` looks at all that are idle. Times are seconds on any clock that does not go
back.

A connection is a `Slot`, who wants one is a `Waiter`; derive from both to let them carry more.

    take()                  an idle slot for who comes just now, None if there is none
    wait(waiter, deadline)  he waits, behind all others; False: there are too many
    leave(waiter)           he has gone, cancelled or told
    expired(now)            those whose deadlines are over, out of the queue

    is_due(slot, now)       whether a slot that nobody uses is to be closed instead of used again
    free(slot, now)         a slot can be used again: whose it is now, None if it is idle. A waiter
                            who has gone meanwhile: call it again
    give_back(slot, soon)   its user has gone and it is being made ready; `free` or `lost` follows.
                            soon: within about a round trip, so nothing is opened for who waits
    lost(slot)              it is closed, in whichever state it was
    retire(now)             idle slots to close now, which are `lost` already

    wants(now)              whether one more connection is to be opened now; if so: open(slot)
    open(slot)              it is being opened
    opened(slot, now)       it is open: `free(slot, now)` follows
    failed(slot, now)       it could not be opened: who is to be told, out of the queue

    next_time()             when to look again, at `expired`, `retire` and `wants`
    dismiss()               all who wait, out of the queue
    resize(...), renew()    other sizes; all slots there are to be replaced. `retire` and `wants`
                            follow

The driver's loop, after whatever may have changed something:

    for slot in policy.retire(now): close it
    while policy.wants(now): slot = Slot(); policy.open(slot); begin to connect

Invariant: while somebody waits, nothing is idle. So who comes never overtakes: who waits is served
in the order of coming, and each slot that becomes free goes to the first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

# The states of a slot.
GONE = 0  # not in the pool, or not any more
OPENING = 1
IDLE = 2
IN_USE = 3
RETURNING = 4  # about to be ready again
DRAINING = 5  # the same, but nobody knows when

# Seconds between two attempts to connect while the server is away: from the first, doubled each
# time, to these. Who waits is told of each failure, and nobody who comes later waits for longer.
FIRST_RETRY = 0.05
EAGER_RETRY = 1.0
PATIENT_RETRY = 30.0

# A slot's life is so much shorter than `max_lifetime` at most, at random: what was opened in one
# moment is not closed in one moment.
JITTER = 0.1

# Seconds between two looks for connections that are too old: a tenth of what they may be, within
# these bounds.
SWEEPS = (0.02, 30.0)

# How many of what is in a queue may have left it before it is tidied up.
LEFT_BEHIND = 64


class Slot:
    """The place of one connection.

    `since`: when it became free; `expires`: when it is too old; `queries`: how many it has run, as
    the pool counts them.
    """

    __slots__ = ("expires", "generation", "queries", "since", "state")

    def __init__(self) -> None:
        self.state = GONE
        self.since = 0.0
        self.expires = inf
        self.generation = 0
        self.queries = 0


class Waiter:
    """Somebody who waits for a slot, once, until `deadline`; `waits`: whether he still does."""

    __slots__ = ("deadline", "waits")

    def __init__(self) -> None:
        self.waits = False
        self.deadline = inf


class Policy:
    """The decisions of one pool.

    Args:
        min_size: so many connections are kept open.
        max_size: never more than so many, those that are being opened included.
        max_waiting: so many may wait, no more.
        max_idle: seconds after which an idle connection beyond `min_size` is closed, inf for never.
        max_lifetime: seconds after which any connection is replaced, inf for never.
        max_queries: after so many a connection is replaced.
        random: gives numbers from 0 to 1.

    `size`: the connections that are open or being opened; `opening`: the latter; `waiting`: how
    many wait; `returning`: how many are about to be ready again, and `draining`: how many will be
    some time; `failures`: attempts to connect that have failed since the last success;
    `generation`: of slots that are not to be replaced. `leaving`: how many that are lost may still
    be open on the server, which whoever drives this counts.

    Example:
        >>> policy = Policy(0, 1, random=lambda: 0.5)
        >>> ada = Waiter()
        >>> policy.take(), policy.wait(ada, deadline=30.0), policy.wants(0.0)
        (None, True, True)
        >>> slot = Slot()
        >>> policy.open(slot)
        >>> policy.opened(slot, 0.1)
        >>> policy.free(slot, 0.1) is ada
        True
        >>> policy.free(slot, 0.2) is None, policy.take() is slot
        (True, True)
    """

    _idle: dict[Slot, None]
    _queue: deque[Waiter]
    _patient: deque[Waiter]
    _impatient: list[tuple[float, int, Waiter]]

    def __init__(
        self,
        min_size: int,
        max_size: int,
        *,
        max_waiting: float = inf,
        max_idle: float = inf,
        max_lifetime: float = inf,
        max_queries: float = inf,
        random: Callable[[], float],
    ) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.max_waiting = max_waiting
        self.size = 0
        self.opening = 0
        self.returning = 0
        self.draining = 0
        self.leaving = 0
        self.waiting = 0
        self.failures = 0
        self._max_idle = max_idle
        self._max_lifetime = max_lifetime
        self._max_queries = max_queries
        self._random = random
        self.generation = 0
        self._retries_at = (0.0, 0.0)  # while somebody waits, and else
        # The one that became idle last is taken first: what is not needed becomes old.
        self._idle = {}
        self._queue = deque()
        # Those whose deadlines come in the order of their coming, and the others.
        self._patient = deque()
        self._impatient = []
        self._number = 0
        sweeps = min(max_idle, max_lifetime) / 10
        self._sweep_period = inf if sweeps == inf else max(SWEEPS[0], min(sweeps, SWEEPS[1]))
        self._swept = 0.0

    @property
    def idle(self) -> int:
        """How many connections are idle."""
        return len(self._idle)

    # Who wants a connection

    def take(self) -> Slot | None:
        """The idle slot that was used last, now in use; None if nothing is idle."""
        if not self._idle:
            return None
        slot, _ = self._idle.popitem()
        slot.state = IN_USE
        return slot

    def wait(self, waiter: Waiter, deadline: float = inf) -> bool:
        """Let him wait behind all others; False if there are too many already."""
        if self.waiting >= self.max_waiting:
            return False
        self.waiting += 1
        waiter.waits = True
        waiter.deadline = deadline
        self._queue.append(waiter)
        if deadline == inf:
            return True
        if self._patient:
            last = self._patient[-1]
            if deadline < last.deadline:
                self._number += 1
                heappush(self._impatient, (deadline, self._number, waiter))
                return True
        self._patient.append(waiter)
        return True

    def leave(self, waiter: Waiter) -> bool:
        """He waits no longer; whether he did."""
        if not waiter.waits:
            return False
        waiter.waits = False
        self.waiting -= 1
        # He stays in the queues until his turn: looking for him would take as long as they are.
        most = 2 * self.waiting + LEFT_BEHIND
        if len(self._queue) > most:
            self._queue = deque([each for each in self._queue if each.waits])
        self._tidy_deadlines(most)
        return True

    def _tidy_deadlines(self, most: int) -> None:
        if len(self._patient) > most:
            self._patient = deque([each for each in self._patient if each.waits])
        if len(self._impatient) > most:
            self._impatient = [each for each in self._impatient if each[2].waits]
            heapify(self._impatient)

    def expired(self, now: float) -> list[Waiter]:
        """Those whose deadlines are over, who wait no longer."""
        over: list[Waiter] = []
        while self._first_deadline() <= now:
            if self._patient and self._patient[0].deadline <= now:
                waiter = self._patient.popleft()
            else:
                waiter = heappop(self._impatient)[2]
            self.leave(waiter)
            over.append(waiter)
        return over

    def _first_deadline(self) -> float:
        at = inf
        patient = self._patient
        while patient:
            first = patient[0]
            if first.waits:
                at = first.deadline
                break
            patient.popleft()
        impatient = self._impatient
        while impatient:
            first = impatient[0][2]
            if first.waits:
                return min(at, first.deadline)
            heappop(impatient)
        return at

    # What becomes of a connection

    def is_due(self, slot: Slot, now: float) -> bool:
        """Whether a slot that nobody uses is to be closed instead of being used again."""
        return (
            slot.generation != self.generation
            or now >= slot.expires
            or slot.queries >= self._max_queries
            or self.size > self.max_size
        )

    def free(self, slot: Slot, now: float) -> Waiter | None:
        """The slot can be used: by whom, out of the queue; None if it is idle now."""
        self._is_back(slot)
        slot.since = now
        queue = self._queue
        while queue:
            waiter = queue.popleft()
            if waiter.waits:
                waiter.waits = False
                self.waiting -= 1
                slot.state = IN_USE
                # Most have the same patience, and leave this queue in the order of that one.
                patient = self._patient
                while patient:
                    first = patient[0]
                    if first.waits:
                        break
                    patient.popleft()
                if len(self._impatient) > 2 * self.waiting + LEFT_BEHIND:
                    self._tidy_deadlines(2 * self.waiting + LEFT_BEHIND)
                return waiter
        slot.state = IDLE
        self._idle[slot] = None
        return None

    def give_back(self, slot: Slot, soon: bool) -> None:
        """Its user has gone, and it is being made ready for the next one; or that goes on."""
        self._is_back(slot)
        if soon:
            slot.state = RETURNING
            self.returning += 1
        else:
            slot.state = DRAINING
            self.draining += 1

    def _is_back(self, slot: Slot) -> None:
        if slot.state == RETURNING:
            self.returning -= 1
        elif slot.state == DRAINING:
            self.draining -= 1

    def lost(self, slot: Slot) -> None:
        """The connection is closed, or about to be; whoever has it must not give it back."""
        if slot.state == GONE:
            return
        if slot.state == IDLE:
            self._idle.pop(slot, None)
        elif slot.state == OPENING:
            self.opening -= 1
        else:
            self._is_back(slot)
        slot.state = GONE
        self.size -= 1

    def retire(self, now: float) -> list[Slot]:
        """The idle slots to be closed now: too old, idle for too long, or too many."""
        self._swept = now
        retired: list[Slot] = []
        for slot in list(self._idle):  # those that are idle for longest come first
            too_long = self.size > self.min_size and now - slot.since >= self._max_idle
            if too_long or self.is_due(slot, now):
                self.lost(slot)
                retired.append(slot)
        return retired

    # Connections that come

    def wants(self, now: float) -> bool:
        """Whether one more connection is to be opened now.

        As long as there are fewer than `min_size`, or than it takes for those who wait and will not
        be served by one that is coming anyway. While the server is away, one attempt at a time.
        """
        if not self._lacks() or self.size + self.leaving >= self.max_size:
            return False
        return not self.failures or (not self.opening and now >= self._retry_at())

    def _lacks(self) -> bool:
        return self.size < self.min_size or self.waiting > self.opening + self.returning

    def _retry_at(self) -> float:
        eager, patient = self._retries_at
        return eager if self.waiting else patient

    def open(self, slot: Slot) -> None:
        """A connection is being opened for a new slot; `opened` or `failed` follows."""
        slot.state = OPENING
        slot.generation = self.generation
        self.size += 1
        self.opening += 1

    def opened(self, slot: Slot, now: float) -> None:
        """The connection is there, and in use by whoever has opened it until it is free."""
        self.opening -= 1
        self.failures = 0
        slot.state = IN_USE
        slot.expires = now + self._max_lifetime * (1 - JITTER * self._random())

    def failed(self, slot: Slot, now: float) -> list[Waiter]:
        """The connection could not be opened: who is to be told, and waits no longer.

        Nobody, as long as there are other connections to wait for.
        """
        self.lost(slot)
        # Of those that were tried at the same time, the first and the last one count.
        if not self.failures or not self.opening:
            self.failures += 1
        delay = FIRST_RETRY * 2.0 ** min(self.failures - 1, 20)
        spread = 0.5 + 0.5 * self._random()  # not all programs in the same moment
        self._retries_at = (
            now + spread * min(delay, EAGER_RETRY),
            now + spread * min(delay, PATIENT_RETRY),
        )
        return [] if self.size else self.dismiss()

    def dismiss(self) -> list[Waiter]:
        """All who wait, in order, who wait no longer."""
        dismissed = [waiter for waiter in self._queue if waiter.waits]
        for waiter in dismissed:
            waiter.waits = False
        self.waiting = 0
        self._queue.clear()
        self._patient.clear()
        self._impatient.clear()
        return dismissed

    # As a whole

    def next_time(self) -> float:
        """When to look again, if nothing happens before: at `expired`, `retire` and `wants`."""
        at = min(self._first_deadline(), self._swept + self._sweep_period)
        if self.failures and not self.opening and self.size < self.max_size and self._lacks():
            at = min(at, self._retry_at())
        return at

    def resize(self, min_size: int, max_size: int) -> None:
        """From now on there are so many connections; those that are too many go when they can."""
        self.min_size = min_size
        self.max_size = max_size

    def renew(self) -> None:
        """All connections are to be replaced: idle ones at once, the others when they are free."""
        self.generation += 1
