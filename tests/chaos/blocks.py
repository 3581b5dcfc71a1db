"""How long the event loop was kept from its other work, and how much memory was in use at most.

On asyncio's loops every callback is timed (`asyncio.Handle._run`): the longest one is what any
other task may have to wait, and a heartbeat task would see it only if it was due just then. It is
timed by the clock and by the processor: when other programs take the processor away in the middle,
only the first grows. uvloop's callbacks cannot be seen from outside, so there a heartbeat it is.
"""

from __future__ import annotations

import asyncio
import time
from asyncio.events import Handle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

BEAT_SECONDS = 0.001


class Blocks:
    """The longest block so far, in seconds: by the clock, and of the processor's time."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.longest_cpu = 0.0

    def add(self, seconds: float, cpu: float) -> None:
        if seconds > self.longest:
            self.longest, self.longest_cpu = seconds, cpu


@contextmanager
def watched(after_each: Callable[[], None] | None = None) -> Iterator[Blocks]:
    """Watch the running loop during the block. `after_each`: called after each callback or beat."""
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


@contextmanager
def _timed_callbacks(blocks: Blocks, after_each: Callable[[], None] | None) -> Iterator[None]:
    plain = Handle._run

    def timed(handle: Handle) -> None:
        start, start_cpu = time.perf_counter(), time.thread_time()
        plain(handle)
        blocks.add(time.perf_counter() - start, time.thread_time() - start_cpu)
        if after_each is not None:
            after_each()

    with mock.patch.object(Handle, "_run", timed):
        yield


async def _beat(blocks: Blocks, after_each: Callable[[], None] | None) -> None:
    while True:
        start, start_cpu = time.perf_counter(), time.thread_time()
        await asyncio.sleep(BEAT_SECONDS)
        late = time.perf_counter() - start - BEAT_SECONDS
        blocks.add(late, time.thread_time() - start_cpu)
        if after_each is not None:
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
