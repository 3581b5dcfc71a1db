"""How long an event loop could do nothing else."""

import asyncio
import time
from typing import Self


class Heartbeat:
    """Calls itself in every turn of the loop, and notes the longest time between two of them.

    It keeps the loop turning without a rest, so what is measured meanwhile takes longer.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        #: The longest time between two turns, in seconds.
        self.longest = 0.0

    def __enter__(self) -> Self:
        self._last = time.perf_counter()
        self._handle = self._loop.call_soon(self._beat)
        return self

    def __exit__(self, *_: object) -> None:
        self._handle.cancel()

    def _beat(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._handle = self._loop.call_soon(self._beat)
