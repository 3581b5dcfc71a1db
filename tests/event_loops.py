"""The event loops that everything asynchronous has to work on, and a watch over what is left there.

A test of the driver that passes and leaves a task, a socket or an exception behind has failed: the
program that uses the driver would pay for it later, far from the cause.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
import zlib
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import uvloop

import pgallop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

# How long what was closed may take to go: a transport closes its socket in a later tick.
SETTLING_SECONDS = 2.0


class LoopWithoutReaders(asyncio.SelectorEventLoop):
    """A loop that watches no descriptors for its users, like the Proactor loop of Windows.

    asyncio's own transports and `sock_*` methods do not go through these two.
    """

    def add_reader(self, *args: Any) -> NoReturn:  # type: ignore[override]
        raise NotImplementedError

    def add_writer(self, *args: Any) -> NoReturn:  # type: ignore[override]
        raise NotImplementedError


LOOPS: Mapping[str, LoopFactory] = MappingProxyType(
    {
        "asyncio": asyncio.SelectorEventLoop,
        "no-readers": LoopWithoutReaders,
        "uvloop": uvloop.new_event_loop,
    }
)


def loops_for(test: str) -> Mapping[str, LoopFactory]:
    """The event loops that a test of this name runs on: all of them.

    With PGALLOP_TEST_LOOPS=one it is one for each test, not the same for all, and another one
    compiled than interpreted: a third of the time.
    """
    if os.environ.get("PGALLOP_TEST_LOOPS") != "one":
        return LOOPS
    name = list(LOOPS)[(zlib.crc32(test.encode()) + pgallop.__compiled__) % len(LOOPS)]
    return {name: LOOPS[name]}


def run_watched(loop_factory: LoopFactory, test: Coroutine[Any, Any, None]) -> None:
    """Run a test on a new loop; fail if it leaves tasks, sockets or exceptions behind."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(_watched(test))


async def _watched(test: Coroutine[Any, Any, None]) -> None:
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: complaints.append(context))
    await asyncio.sleep(0)  # uvloop makes its own sockets when it begins to run
    sockets = open_sockets()
    await test
    remains = await _remains(sockets)
    assert not remains, f"left behind: {remains}"
    gc.collect()  # a future whose exception nobody has looked at tells so when it dies
    assert not complaints, f"the event loop complained: {complaints}"


async def _remains(sockets: set[str]) -> list[str]:
    """What is there beside the test itself, after time to settle."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while True:
        await asyncio.sleep(0)
        tasks = [str(task) for task in asyncio.all_tasks() - {asyncio.current_task()}]
        remains = [*tasks, *(open_sockets() - sockets)]
        if not remains or time.monotonic() > deadline:
            return remains
        gc.collect()  # an abandoned async generator or exception may hold a socket
        await asyncio.sleep(0.01)


def open_sockets() -> set[str]:
    """The sockets this process has open, by their inodes."""
    sockets = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # that of the listing itself
            continue
        if target.startswith("socket:"):
            sockets.add(target)
    return sockets
