"""A pool in virtual time: users come, connections open, servers go away, and nothing is real.

The events of all of them are in one heap, by their time. What the pool decides takes no virtual
time; its real time is measured.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import inf
from random import Random
from time import perf_counter_ns
from typing import Any, Protocol

from bench.pool_simulator.scenarios import Requests, Scenario
from pgallop.pool.policy import Slot, Waiter


class PoolRules(Protocol):
    """What is simulated: `pgallop.pool.policy.Policy`, or what decides in its place."""

    size: int
    waiting: int

    def take(self) -> Slot | None: ...
    def wait(self, waiter: Waiter, deadline: float = inf) -> bool: ...
    def leave(self, waiter: Waiter) -> bool: ...
    def expired(self, now: float) -> list[Waiter]: ...
    def is_due(self, slot: Slot, now: float) -> bool: ...
    def free(self, slot: Slot, now: float) -> Waiter | None: ...
    def give_back(self, slot: Slot, soon: bool) -> None: ...
    def lost(self, slot: Slot) -> None: ...
    def retire(self, now: float) -> list[Slot]: ...
    def wants(self, now: float) -> bool: ...
    def open(self, slot: Slot) -> None: ...
    def opened(self, slot: Slot, now: float) -> None: ...
    def failed(self, slot: Slot, now: float) -> list[Waiter]: ...
    def next_time(self) -> float: ...


class Connection(Slot):
    """A slot, and the number of the request that has it, -1 for none; `epoch`: the server's."""

    __slots__ = ("epoch", "request")

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.request = -1
        self.epoch = epoch


class User(Waiter):
    """One who waits, and the number of his request."""

    __slots__ = ("request",)

    def __init__(self, request: int) -> None:
        super().__init__()
        self.request = request


class Stopwatch:
    """What decisions take, in real nanoseconds, by the number of those who waited meanwhile.

    `buckets`: calls and nanoseconds for each binary order of magnitude of them.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.longest = 0
        self.buckets: dict[int, tuple[int, int]] = {}
        self._overhead = 0
        self._overhead = min(self._time(int)[1] for _ in range(1000))

    def _time(self, decide: Callable[..., Any], *args: Any) -> tuple[Any, int]:
        start = perf_counter_ns()
        decided = decide(*args)
        return decided, perf_counter_ns() - start - self._overhead

    def __call__(self, waiting: int, decide: Callable[..., Any], *args: Any) -> Any:
        """Call it, and take the time."""
        decided, took = self._time(decide, *args)
        self.calls += 1
        self.longest = max(self.longest, took)
        bucket = waiting.bit_length()
        calls, time = self.buckets.get(bucket, (0, 0))
        self.buckets[bucket] = calls + 1, time + took
        return decided

    def mean(self) -> float:
        """Nanoseconds of a decision, on average."""
        return sum(time for _, time in self.buckets.values()) / max(self.calls, 1)


class Simulation:
    """One pool under one load.

    Args:
        scenario: the load.
        requests: what its users do.
        rules: what decides.
        seed: of the choices that are not the users'.

    `waited`: seconds, of each request that was served; `went`, `expired`, `refused`: requests whose
    users had no patience, came to their deadline, or were told that there is no server; `broken`:
    requests that lost their connection; `inversions`: served while somebody who had come earlier
    waited; `crowd`: the most who waited at once; `opened`, `attempts`, `closed`: connections.
    """

    def __init__(
        self, scenario: Scenario, requests: Requests, rules: PoolRules, seed: int = 0
    ) -> None:
        self.scenario = scenario
        self.requests = requests
        self.rules = rules
        self.watch = Stopwatch()
        self.waited = array("d")
        self.went = self.expired = self.refused = self.broken = self.inversions = self.crowd = 0
        self.opened = self.attempts = self.closed = 0
        self.now = 0.0
        self._random = Random(seed)
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._number = 0
        self._connections: dict[Connection, None] = {}
        self._timer = inf
        self._epoch = 0  # odd while the server is away
        self._queue: deque[User] = deque()  # in the order of coming
        self._left = len(requests.arrivals)

    def run(self) -> None:
        """Run it until the last request has ended."""
        if self.scenario.up < inf:
            self._at(self.scenario.up, self._go_away)
        self._at(self.requests.arrivals[0], self._come, 0)
        self._open_connections()
        while self._left:
            self.now, _, happen, args = heappop(self._events)
            happen(*args)

    def _at(self, time: float, happen: Callable[..., None], *args: Any) -> None:
        self._number += 1
        heappush(self._events, (time, self._number, happen, args))

    def _decide(self, decision: Callable[..., Any], *args: Any) -> Any:
        return self.watch(self.rules.waiting, decision, *args)

    # Users

    def _come(self, request: int) -> None:
        following = request + 1
        if following < len(self.requests.arrivals):
            self._at(self.requests.arrivals[following], self._come, following)
        connection = self._decide(self.rules.take)
        if connection is not None:
            self.inversions += self.rules.waiting > 0
            self._serve(request, connection)
            return
        user = User(request)
        deadline = self.now + self.scenario.deadline
        if not self._decide(self.rules.wait, user, deadline):
            self.refused += 1
            self._left -= 1
            return
        self._queue.append(user)
        self.crowd = max(self.crowd, self.rules.waiting)
        patience = self.requests.patience[request]
        if patience < self.scenario.deadline:
            self._at(self.now + patience, self._go, user)
        self._open_connections()
        self._set_timer()

    def _go(self, user: User) -> None:
        if self._decide(self.rules.leave, user):
            self.went += 1
            self._left -= 1

    def _serve(self, request: int, connection: Connection) -> None:
        self.waited.append(self.now - self.requests.arrivals[request])
        connection.request = request
        self._at(self.now + self.requests.services[request], self._release, connection, request)

    def _release(self, connection: Connection, request: int) -> None:
        if connection.request != request or connection not in self._connections:
            return  # it was lost meanwhile
        self._left -= 1
        connection.request = -1
        if self._random.random() < self.scenario.clean:
            self._hand_over(connection)
        else:
            self._decide(self.rules.give_back, connection, True)
            self._at(self.now + self.scenario.resetting, self._hand_over, connection)

    def _hand_over(self, connection: Connection) -> None:
        if connection not in self._connections:
            return
        if self._decide(self.rules.is_due, connection, self.now):
            self._close(connection)
            self._decide(self.rules.lost, connection)
            self._open_connections()
            return
        user = self._decide(self.rules.free, connection, self.now)
        if user is not None:
            while not self._queue[0].waits and self._queue[0] is not user:
                self._queue.popleft()
            self.inversions += self._queue[0] is not user
            self._serve(user.request, connection)

    # Connections

    def _open_connections(self) -> None:
        while self._decide(self.rules.wants, self.now):
            connection = Connection(self._epoch)
            self._decide(self.rules.open, connection)
            self.attempts += 1
            self._at(self.now + self.scenario.connecting, self._connected, connection)

    def _connected(self, connection: Connection) -> None:
        if connection.epoch == self._epoch and self._epoch % 2 == 0:
            self.opened += 1
            self._connections[connection] = None
            self._decide(self.rules.opened, connection, self.now)
            self._hand_over(connection)
        else:
            for _ in self._decide(self.rules.failed, connection, self.now):
                self.refused += 1
                self._left -= 1
        self._open_connections()
        self._set_timer()

    def _close(self, connection: Connection) -> None:
        del self._connections[connection]
        self.closed += 1

    def _set_timer(self) -> None:
        at = self._decide(self.rules.next_time)
        if at < self._timer:
            self._timer = at
            self._at(max(at, self.now), self._look)

    def _look(self) -> None:
        if self.now < self._timer:
            return  # there was an earlier one
        self._timer = inf
        for _ in self._decide(self.rules.expired, self.now):
            self.expired += 1
            self._left -= 1
        for connection in self._decide(self.rules.retire, self.now):
            self._close(connection)
        self._open_connections()
        self._set_timer()

    # The server

    def _go_away(self) -> None:
        self._epoch += 1
        for connection in list(self._connections):
            if connection.request >= 0:
                self.broken += 1
                self._left -= 1
            self._close(connection)
            self._decide(self.rules.lost, connection)
        self._at(self.now + self.scenario.down, self._come_back)
        self._open_connections()
        self._set_timer()

    def _come_back(self) -> None:
        self._epoch += 1
        self._at(self.now + self.scenario.up, self._go_away)
