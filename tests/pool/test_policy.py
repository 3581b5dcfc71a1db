"""What a pool decides, as tables: no event loop, no connection, no clock."""

from __future__ import annotations

import ast
import doctest
import random
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

import pytest

from pgallop.pool import policy as module
from pgallop.pool.policy import (
    DRAINING,
    EAGER_RETRY,
    FIRST_RETRY,
    GONE,
    IN_USE,
    LEFT_BEHIND,
    PATIENT_RETRY,
    RETURNING,
    Policy,
    Slot,
    Waiter,
)

SOURCE = Path(__file__).parents[2] / "pgallop/pool/policy.py"


def new_policy(min_size: int = 0, max_size: int = 10, **limits: Any) -> Policy:
    return Policy(min_size, max_size, random=lambda: 1.0, **limits)


def opened(policy: Policy, now: float = 0.0) -> Slot:
    """A slot with a connection, which nobody has got yet."""
    slot = Slot()
    policy.open(slot)
    policy.opened(slot, now)
    return slot


def idle(policy: Policy, now: float = 0.0) -> Slot:
    slot = opened(policy, now)
    assert policy.free(slot, now) is None
    return slot


def waiting(policy: Policy, deadline: float = inf) -> Waiter:
    waiter = Waiter()
    assert policy.wait(waiter, deadline)
    return waiter


def served(policy: Policy, slots: int) -> list[Waiter | None]:
    """Who gets so many slots that become free one after the other."""
    return [policy.free(opened(policy), 0.0) for _ in range(slots)]


def test_it_is_pure() -> None:
    """It knows no event loop, no clock, no chance and nothing of the driver."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    imported = {
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
    }
    assert imported == {"__future__", "collections", "collections.abc", "heapq", "math"}


def test_its_examples() -> None:
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 3


# Who is served


def test_the_one_used_last_is_taken_first() -> None:
    policy = new_policy()
    slots = [idle(policy, now) for now in range(3)]
    assert [policy.take() for _ in range(4)] == [slots[2], slots[1], slots[0], None]
    assert [slot.state for slot in slots] == [IN_USE] * 3
    assert policy.size == 3


def test_who_waits_is_served_in_the_order_of_coming() -> None:
    policy = new_policy()
    waiters = [waiting(policy, deadline) for deadline in (30, inf, 5, 40, 1)]
    assert served(policy, 6) == [*waiters, None]
    assert policy.waiting == 0
    assert policy.expired(100) == []


@pytest.mark.parametrize("gone", [[0], [4], [1, 2], [0, 1, 2, 3, 4], []])
def test_who_has_left_is_passed_over(gone: list[int]) -> None:
    policy = new_policy()
    waiters = [waiting(policy, 30) for _ in range(5)]
    assert all(policy.leave(waiters[i]) for i in gone)
    assert not any(policy.leave(waiters[i]) for i in gone)  # a second time
    left = [waiter for i, waiter in enumerate(waiters) if i not in gone]
    assert policy.waiting == len(left)
    assert served(policy, len(left) + 1) == [*left, None]


def test_so_many_may_wait() -> None:
    policy = new_policy(max_waiting=2)
    first, _ = waiting(policy), waiting(policy)
    assert not policy.wait(Waiter())
    assert policy.leave(first)
    assert policy.wait(Waiter())
    assert not policy.wait(Waiter())


@pytest.mark.parametrize(
    ("now", "over"),
    [(0, []), (1, [4]), (4.9, [4]), (5, [4, 2]), (35, [4, 2, 0]), (1000, [4, 2, 0, 3])],
)
def test_deadlines_in_any_order(now: float, over: list[int]) -> None:
    policy = new_policy()
    waiters = [waiting(policy, deadline) for deadline in (30, inf, 5, 40, 1)]
    assert sorted(map(waiters.index, policy.expired(now))) == sorted(over)
    left = [waiter for i, waiter in enumerate(waiters) if i not in over]
    assert policy.waiting == len(left)
    assert policy.expired(now) == []
    assert served(policy, 6)[: len(left) + 1] == [*left, None]


def test_the_next_deadline() -> None:
    policy = new_policy()
    assert policy.next_time() == inf
    waiting(policy)
    assert policy.next_time() == inf
    late, early, later = [waiting(policy, deadline) for deadline in (30, 10, 40)]
    assert policy.next_time() == 10
    policy.leave(early)
    assert policy.next_time() == 30
    policy.leave(late)
    assert policy.next_time() == 40
    policy.leave(later)
    assert policy.next_time() == inf


@pytest.mark.parametrize("deadline", [lambda i: 30.0 + i, lambda i: 30.0 - i, lambda i: inf])
def test_who_comes_and_goes_leaves_nothing_behind(deadline: Callable[[int], float]) -> None:
    """While the server is frozen nobody is served, and the queues are not to grow for ever."""
    policy = new_policy()
    patient = waiting(policy)
    for i in range(10_000):
        policy.leave(waiting(policy, deadline(i)))
    kept = len(policy._queue) + len(policy._patient) + len(policy._impatient)
    assert kept < 4 * LEFT_BEHIND
    assert served(policy, 2) == [patient, None]


def test_deadlines_of_who_was_served_are_forgotten() -> None:
    policy = new_policy(max_size=1)
    slot = opened(policy)
    for i in range(10_000):
        waiter = waiting(policy, 1e6 - i)
        assert policy.free(slot, 0.0) is waiter
    assert len(policy._impatient) + len(policy._patient) < 2 * LEFT_BEHIND


def test_dismissed() -> None:
    policy = new_policy()
    waiters = [waiting(policy, deadline) for deadline in (30, inf, 5)]
    policy.leave(waiters[1])
    assert policy.dismiss() == [waiters[0], waiters[2]]
    assert not policy.leave(waiters[0])
    assert policy.waiting == 0
    assert policy.next_time() == inf
    assert served(policy, 1) == [None]


# How many connections


@pytest.mark.parametrize(
    ("min_size", "max_size", "size", "waiters", "wanted"),
    [
        (0, 10, 0, 0, 0),
        (3, 10, 0, 0, 3),
        (3, 10, 3, 0, 0),
        (3, 10, 0, 5, 5),
        (3, 10, 2, 5, 5),
        (0, 2, 0, 5, 2),
        (0, 2, 2, 5, 0),
        (2, 2, 1, 9, 1),
    ],
)
def test_how_many_are_opened(
    min_size: int, max_size: int, size: int, waiters: int, wanted: int
) -> None:
    policy = new_policy(min_size, max_size)
    for _ in range(size):
        opened(policy)
    for _ in range(waiters):
        waiting(policy)
    assert opened_now(policy, 0.0) == wanted
    assert policy.size == size + wanted


def opened_now(policy: Policy, now: float) -> int:
    count = 0
    while policy.wants(now):
        policy.open(Slot())
        count += 1
    return count


def test_none_is_opened_in_place_of_one_that_is_not_closed_yet() -> None:
    policy = new_policy(max_size=1)
    policy.lost(opened(policy))
    policy.leaving += 1
    waiting(policy)
    assert not policy.wants(0.0)
    policy.leaving -= 1
    assert policy.wants(0.0)


def test_none_is_opened_for_who_gets_one_that_is_coming() -> None:
    policy = new_policy()
    busy, draining = opened(policy), opened(policy)
    policy.give_back(busy, soon=True)
    policy.give_back(draining, soon=False)
    assert (busy.state, draining.state) == (RETURNING, DRAINING)
    first = waiting(policy)
    assert not policy.wants(0.0)
    second = waiting(policy)
    assert opened_now(policy, 0.0) == 1
    assert policy.free(busy, 0.0) is first
    assert policy.free(draining, 0.0) is second
    assert policy.returning == 0


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("second", [True, False])
def test_making_it_ready_takes_longer(first: bool, second: bool) -> None:
    """A reset is followed by another one, or by a question to the server."""
    policy = new_policy()
    slot = opened(policy)
    policy.give_back(slot, first)
    policy.give_back(slot, second)
    assert (policy.returning, policy.draining) == (second, not second)
    policy.free(slot, 0.0)
    assert (policy.returning, policy.draining, policy.idle) == (0, 0, 1)


@pytest.mark.parametrize("state", ["opening", "idle", "in use", "returning", "draining"])
def test_a_connection_is_lost_in_any_state(state: str) -> None:
    policy = new_policy(min_size=1)
    slot = Slot()
    policy.open(slot)
    if state != "opening":
        policy.opened(slot, 0.0)
    if state == "idle":
        policy.free(slot, 0.0)
    elif state in ("returning", "draining"):
        policy.give_back(slot, state == "returning")
    assert not policy.wants(0.0)
    policy.lost(slot)
    policy.lost(slot)
    assert slot.state == GONE
    assert (policy.size, policy.idle, policy.opening, policy.returning) == (0, 0, 0, 0)
    assert policy.take() is None
    assert policy.wants(0.0)


# When they go


@pytest.mark.parametrize(
    ("now", "kept"), [(0.0, 4), (9.9, 4), (10.0, 3), (11.0, 2), (12.0, 2), (99.0, 2)]
)
def test_idle_for_too_long(now: float, kept: int) -> None:
    """Those beyond `min_size` go, those that were used least recently first."""
    policy = new_policy(min_size=2, max_idle=10.0)
    slots = [idle(policy, since) for since in (0.0, 1.0, 2.0, 3.0)]
    assert policy.retire(now) == slots[: 4 - kept]
    assert policy.size == kept
    assert not policy.wants(now)


def test_too_old() -> None:
    """At random up to a tenth earlier than allowed, never later; `min_size` does not count."""
    chances = iter([0.0, 1.0, 0.5])
    policy = Policy(3, 3, max_lifetime=100.0, random=lambda: next(chances))
    slots = [idle(policy) for _ in range(3)]
    assert [slot.expires for slot in slots] == [100.0, 90.0, 95.0]
    assert policy.retire(89.9) == []
    assert policy.retire(90.0) == [slots[1]]
    assert policy.wants(90.0)
    assert policy.take() is slots[2]
    assert not policy.is_due(slots[2], 94.9)
    assert policy.is_due(slots[2], 95.0)


def test_too_many_queries() -> None:
    policy = new_policy(max_queries=50)
    slot = opened(policy)
    slot.queries = 49
    assert not policy.is_due(slot, 0.0)
    slot.queries = 50
    assert policy.is_due(slot, 0.0)


def test_looks_for_old_ones_from_time_to_time() -> None:
    assert new_policy(max_idle=300.0, max_lifetime=1000.0).next_time() == 30.0
    assert new_policy(max_idle=10.0).next_time() == 1.0
    policy = new_policy(max_lifetime=1e6)
    policy.retire(77.0)
    assert policy.next_time() == 107.0


def test_other_sizes() -> None:
    policy = new_policy(min_size=1, max_size=4)
    slots = [idle(policy) for _ in range(3)]
    used = opened(policy)
    policy.resize(2, 2)
    assert policy.retire(0.0) == slots[:2]
    assert policy.is_due(used, 0.0) is False
    policy.resize(6, 6)
    assert opened_now(policy, 0.0) == 4
    policy.resize(0, 1)
    assert policy.is_due(used, 0.0)


def test_all_are_replaced() -> None:
    policy = new_policy(min_size=3)
    rests, used, opening = idle(policy), opened(policy), Slot()
    policy.open(opening)
    policy.renew()
    assert policy.retire(0.0) == [rests]
    policy.opened(opening, 0.0)
    assert policy.is_due(used, 0.0)
    assert policy.is_due(opening, 0.0)
    assert not policy.is_due(opened(policy), 0.0)


# A server that is away


def test_who_has_nothing_else_to_wait_for_is_told() -> None:
    policy = new_policy(max_size=2)
    waiters = [waiting(policy, 30) for _ in range(5)]
    slots = [Slot(), Slot()]
    for slot in slots:
        policy.open(slot)
    assert policy.failed(slots[0], 0.0) == []  # the other one may succeed
    assert policy.failed(slots[1], 0.0) == waiters
    assert policy.waiting == 0
    assert policy.size == 0


def test_who_can_wait_for_others_is_not_told() -> None:
    policy = new_policy()
    used, slot = opened(policy), Slot()
    waiter = waiting(policy, 30)
    policy.open(slot)
    assert policy.failed(slot, 0.0) == []
    assert policy.free(used, 0.0) is waiter


def fail_all(policy: Policy, slots: list[Slot], now: float) -> None:
    for slot in slots:
        policy.open(slot)
    for slot in slots:
        policy.failed(slot, now)


def test_it_tries_again_one_at_a_time_and_more_and_more_seldom() -> None:
    policy = new_policy(min_size=5)
    fail_all(policy, [Slot() for _ in range(5)], 0.0)
    now, delays = 0.0, []
    for _ in range(14):
        delays.append(policy.next_time() - now)
        assert not policy.wants(policy.next_time() - 0.001)
        now = policy.next_time()
        slot = Slot()
        assert policy.wants(now)
        policy.open(slot)
        assert not policy.wants(now)  # one at a time
        policy.failed(slot, now)
    assert delays[0] == pytest.approx(2 * FIRST_RETRY)  # the first and the last of five count
    assert delays == sorted(delays)
    assert delays[-1] == PATIENT_RETRY


def test_who_waits_makes_it_try_sooner() -> None:
    policy = new_policy(min_size=1)
    for _ in range(20):
        fail_all(policy, [Slot()], 0.0)
    assert policy.next_time() == PATIENT_RETRY
    waiter = waiting(policy, 1000.0)
    assert policy.next_time() == EAGER_RETRY
    assert not policy.wants(0.9)
    assert policy.wants(EAGER_RETRY)
    slot = Slot()
    policy.open(slot)
    assert policy.failed(slot, EAGER_RETRY) == [waiter]


def test_a_success_ends_it() -> None:
    policy = new_policy(min_size=3)
    fail_all(policy, [Slot()], 0.0)
    opened(policy, 1.0)
    assert opened_now(policy, 1.0) == 2


@pytest.mark.parametrize("seed", range(20))
def test_nobody_overtakes_and_nothing_is_lost(seed: int) -> None:
    """Anything may happen in any order; the books are right, and who waits is served in turn."""
    chance = random.Random(seed)
    policy = Policy(2, 5, max_waiting=20, max_queries=30, random=chance.random)
    used: list[Slot] = []
    returning: list[Slot] = []
    opening: list[Slot] = []
    queue: list[Waiter] = []
    now = 0.0

    def hand_over(slot: Slot) -> None:
        waiter = policy.free(slot, now)
        assert waiter is (queue.pop(0) if queue else None)
        if waiter is not None:
            used.append(slot)

    for _ in range(3000):
        now += chance.random()
        match chance.randrange(8):
            case 0 | 1:
                slot = policy.take()
                if slot is not None:
                    assert not queue
                    used.append(slot)
                else:
                    waiter = Waiter()
                    assert policy.wait(waiter, now + chance.random() * 50) == (len(queue) < 20)
                    queue += [waiter] if waiter.waits else []
            case 2 if queue:
                policy.leave(queue.pop(chance.randrange(len(queue))))
            case 3 if used:
                slot = used.pop(chance.randrange(len(used)))
                slot.queries += 1
                policy.give_back(slot, chance.random() < 0.5)
                returning.append(slot)
            case 4 if returning:
                slot = returning.pop(chance.randrange(len(returning)))
                if policy.is_due(slot, now):
                    policy.lost(slot)
                else:
                    hand_over(slot)
            case 5 if opening:
                slot = opening.pop()
                if chance.random() < 0.2:
                    told = policy.failed(slot, now)
                    assert told == [] or told == queue
                    queue = queue if told == [] else []
                else:
                    policy.opened(slot, now)
                    hand_over(slot)
            case 6 if used and chance.random() < 0.1:
                policy.lost(used.pop())
            case _:
                for waiter in policy.expired(now):
                    queue.remove(waiter)
        while policy.wants(now):
            slot = Slot()
            policy.open(slot)
            opening.append(slot)
        assert policy.size == policy.idle + len(used) + len(returning) + len(opening) <= 5
        assert policy.opening == len(opening)
        assert policy.returning == sum(slot.state == RETURNING for slot in returning)
        assert policy.waiting == len(queue)
        assert not (queue and policy.idle)
        assert all(waiter.waits for waiter in queue)
