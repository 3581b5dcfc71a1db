"""What is told of a pool: `Pool.get_stats`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pgallop.pool.counts import Counts
from pgallop.pool.policy import Policy
from pgallop.session.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStats:
    """A pool at one moment, and what has happened since it was made. See `Pool.get_stats`.

    Args:
        size: the connections that are open or being opened.
        idle: those that are open and nobody's.
        in_use: those that somebody has.
        returning: those that were given back and are being reset.
        opening: those that are being opened.
        min_size, max_size: what they may be.
        waiting: how many wait for a connection now.
        acquired: how often a connection was given to somebody, for `acquire` or a one-shot.
        waited: how many of them had to wait.
        wait_time: the seconds that all of these have waited, together.
        longest_wait: the longest of these waits, in seconds.
        wait_histogram: how many waits took up to so many seconds, and longer than half of that.
        timed_out: how many have waited for a connection until their deadline.
        cancelled: how many were cancelled while they waited for one.
        refused: how many were told that too many wait already.
        opened: how many connections were opened.
        failed: how many attempts at that have failed.
        closed: how many were closed, by the reasons for it.
        resets: how many sessions were reset.
        queries: how many requests the server has answered: statements, but also preparing them,
            and resets.
        errors: how many of these by an error.
        bytes_sent, bytes_received: the traffic of all connections behind their opening, in bytes
            before encryption.
    """

    size: int
    idle: int
    in_use: int
    returning: int
    opening: int
    min_size: int
    max_size: int
    waiting: int
    acquired: int
    waited: int
    wait_time: float
    longest_wait: float
    wait_histogram: Mapping[float, int]
    timed_out: int
    cancelled: int
    refused: int
    opened: int
    failed: int
    closed: Mapping[str, int]
    resets: int
    queries: int
    errors: int
    bytes_sent: int
    bytes_received: int

    def wait_percentile(self, percent: float) -> float:
        """The seconds within which so many percent of those who had to wait were served.

        At most twice as many as it was, for waits are counted in steps of two.

        Example:
            >>> pool.get_stats().wait_percentile(99)
            0.004096
        """
        left = self.waited * percent / 100
        for seconds, count in self.wait_histogram.items():
            left -= count
            if left <= 0:
                return min(seconds, self.longest_wait)
        return self.longest_wait


def stats(policy: Policy, counts: Counts, sessions: Sequence[Session]) -> PoolStats:
    """How a pool is, and what has happened in it; `sessions`: of the connections that are open."""
    returning = policy.returning + policy.draining
    return PoolStats(
        size=policy.size,
        idle=policy.idle,
        in_use=policy.size - policy.idle - policy.opening - returning,
        returning=returning,
        opening=policy.opening,
        min_size=policy.min_size,
        max_size=policy.max_size,
        waiting=policy.waiting,
        acquired=counts.acquired,
        waited=sum(counts.waits),
        wait_time=counts.wait_time,
        longest_wait=counts.longest_wait,
        wait_histogram=counts.histogram(),
        timed_out=counts.timed_out,
        cancelled=counts.cancelled,
        refused=counts.refused,
        opened=counts.opened,
        failed=counts.failed,
        closed=dict(counts.closed),
        resets=counts.resets,
        queries=counts.queries + sum([each.answered for each in sessions]),
        errors=counts.errors + sum([each.refused for each in sessions]),
        bytes_sent=counts.bytes_sent + sum([each.sent for each in sessions]),
        bytes_received=counts.bytes_received + sum([each.received for each in sessions]),
    )
