"""What a pool counts."""

from __future__ import annotations

from collections import Counter

# A wait of up to 2**i microseconds belongs to number i; the last one is for all that is longer.
_BUCKETS = 36


class Counts:
    """What happened in a pool since it was made.

    `acquired`: how often a connection was given to somebody. `closed`: how many connections were
    closed, by the reasons. `queries`, `errors`, `bytes_sent` and `bytes_received`: those of
    connections that are closed.
    """

    __slots__ = (
        "acquired",
        "bytes_received",
        "bytes_sent",
        "cancelled",
        "closed",
        "errors",
        "failed",
        "longest_wait",
        "opened",
        "queries",
        "refused",
        "resets",
        "timed_out",
        "wait_time",
        "waits",
    )

    closed: Counter[str]
    waits: list[int]

    def __init__(self) -> None:
        self.acquired = 0
        self.cancelled = 0
        self.timed_out = 0
        self.refused = 0
        self.opened = 0
        self.failed = 0
        self.resets = 0
        self.queries = 0
        self.errors = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self.wait_time = 0.0
        self.longest_wait = 0.0
        self.waits = [0] * _BUCKETS
        self.closed = Counter()

    def waited(self, seconds: float) -> None:
        """Somebody got a connection for which he had to wait."""
        self.wait_time += seconds
        if seconds > self.longest_wait:
            self.longest_wait = seconds
        bucket = 0
        rest = int(seconds * 1e6)
        while rest > 0 and bucket < _BUCKETS - 1:
            rest >>= 1
            bucket += 1
        self.waits[bucket] += 1

    def histogram(self) -> dict[float, int]:
        """How many waits there were, by the seconds that they took at most."""
        return {2**i / 1e6: count for i, count in enumerate(self.waits) if count}
