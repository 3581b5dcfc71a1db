"""How long the event loop was kept from its other work, and how much memory was in use at most.

On asyncio's loops every callback is timed (`asyncio.Handle._run`): the longest one is what any
other task may have to wait, and a heartbeat task would see it only if it was due just then. The
callbacks of uvloop cannot be seen from outside, so there it is a heartbeat, which sees all those of
a turn of the loop together.

A stretch in which the system gave the processor to other programs (an involuntary context switch)
counts with the processor time that it took, every other one by the clock.
"""

from __future__ import annotations

import asyncio
import resource
import time
from asyncio.events import Handle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

BEAT_SECONDS = 0.001


class Blocks:
    """The longest stretch without a turn of other tasks so far, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.begin()

    def begin(self) -> None:
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        self._preemptions = usage.ru_nivcsw
        self._cpu = usage.ru_utime + usage.ru_stime
        self._start = time.perf_counter()

    def end(self, idle: float = 0.0) -> None:
        """The stretch that began at `begin` is over; so many seconds of it were not its own."""
        seconds = time.perf_counter() - self._start - idle
        if seconds <= self.longest:
            return
        usage = resource.getrusage(resource.RUSAGE_THREAD)
        if usage.ru_nivcsw != self._preemptions:
            seconds = min(seconds, usage.ru_utime + usage.ru_stime - self._cpu)
        self.longest = max(self.longest, seconds)


def nothing() -> None:
    """What is done after each stretch, unless told otherwise."""


@contextmanager
def watched(after_each: Callable[[], None] = nothing) -> Iterator[Blocks]:
    """Watch the running loop during the block. `after_each`: called after each stretch."""
    blocks = Blocks()
    if isinstance(asyncio.get_running_loop(), asyncio.BaseEventLoop):
        with _timed_callbacks(blocks, after_each):
            yield blocks
        return
    beating = asyncio.create_task(_beat(blocks, after_each))
    try:
        yield blocks
    finally:
        beating.cancel()
        blocks.end(BEAT_SECONDS)


@contextmanager
def _timed_callbacks(blocks: Blocks, after_each: Callable[[], None]) -> Iterator[None]:
    plain = Handle._run

    def timed(handle: Handle) -> None:
        blocks.begin()
        plain(handle)
        blocks.end()
        after_each()

    with mock.patch.object(Handle, "_run", timed):
        yield
    blocks.end()  # the callback that has come to its last step here was not yet counted


async def _beat(blocks: Blocks, after_each: Callable[[], None]) -> None:
    while True:
        blocks.begin()
        await asyncio.sleep(BEAT_SECONDS)
        blocks.end(BEAT_SECONDS)
        after_each()


class Memory:
    """The most memory this process has had since this was made, in MB; Linux tells."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM begins anew (man 5 proc)
        self.before = self._read("VmRSS")

    def peak(self) -> float:
        return self._read("VmHWM")

    def _read(self, name: str) -> float:
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise LookupError(f"/proc/self/status has no {name}")
