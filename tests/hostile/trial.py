"""One probe is held: what came of it, what it took, and what is wrong with that."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from chaos.blocks import Memory, watched
from event_loops import SETTLING_SECONDS, open_sockets
from hostile.catalogue import find
from hostile.probe import Probe
from hostile.server import HostileServer

import pgallop

# What is imported when it is first used would count as what that probe takes.
import pgallop.codecs.rare
import pgallop.copy_drain
import pgallop.copy_rows
import pgallop.stream
from pgallop.connecting import ConnectCall
from pgallop.connection import Connection
from pgallop.errors import InterfaceError, InternalClientError, PostgresError

# What the driver may raise; TimeoutError is the caller's deadline.
TYPED: Final = (PostgresError, InterfaceError, InternalClientError, TimeoutError)

# The caller has no answer until then: it hangs, whatever the probe allows.
HANGING_SECONDS: Final = 20.0

# How often a probe is held that takes too long.
TRIES: Final = 3

# What is told of a probe: the length of its outcome, and how many faults.
SHOWN_CHARACTERS: Final = 100
SHOWN_FAULTS: Final = 10


@dataclass(slots=True)
class Result:
    """What came of a probe.

    Attributes:
        key: the probe's family and name.
        outcome: the error that came out, or the value, in words.
        refused: whether an error was to come.
        typed: whether what came is one of the driver's own errors, or none.
        hung: whether the caller was still waiting when the time for that was over.
        seconds: how long the caller waited.
        megabytes: what it took at most beside what was there; None if that cannot be known here.
        block: the longest stretch without a turn of the event loop's other work, in seconds.
        again: how often it was held before because it took too long, and nothing else was wrong.
        faults: what is wrong, in words.
    """

    key: str
    refused: bool
    outcome: str = ""
    typed: bool = True
    hung: bool = False
    seconds: float = 0.0
    megabytes: float | None = None
    block: float = 0.0
    again: int = 0
    faults: list[str] = field(default_factory=list)


def give_back_freed_memory() -> Callable[[], None]:
    """A function that does so, where the C library can: a probe is not to use another's leftovers.

    It also collects garbage, so that what the probe before has left is not this one's.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)

    def give_back() -> None:
        gc.collect()
        if trim is not None:
            trim(0)

    return give_back


give_back = give_back_freed_memory()


@contextmanager
def frozen_heap() -> Iterator[None]:
    """Keep what is there from the collections of each probe: 24 ms each for all the scripts."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def libraries(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """Have these in the place of those that are installed; all else that is imported stays."""
    installed = {name: sys.modules[name] for name in modules if name in sys.modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(installed)


def new_memory() -> Memory | None:
    """The measurement of memory, where the system has one."""
    try:
        return Memory()
    except OSError:
        return None


def call(server: HostileServer, port: int, **options: Any) -> ConnectCall:
    names = {"user": "ada", "password": "secret", "database": "shop"}
    options = {**names, "ssl": "disable", "timeout": 5, "drain_timeout": 0.5, **options}
    return pgallop.connect(host=server.host, port=port, **options)


async def hold(server: HostileServer, key: str) -> Result:
    """Hold the probe of that key on the running event loop.

    What takes too long by itself does so each time; once may be the machine's doing.
    """
    for again in range(TRIES):
        result = await hold_once(server, key)
        result.again = again
        overruns = _overruns(find(key), result)
        if result.faults or not overruns:
            break
    result.faults += overruns
    return result


async def hold_once(server: HostileServer, key: str) -> Result:
    """Hold it, and judge all but the time that it took."""
    probe = find(key)
    result = Result(key, refused=probe.error is not None)
    complaints: list[str] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: complaints.append(str(context)))
    await asyncio.sleep(0)  # uvloop makes its own sockets when it begins to run
    give_back()
    sockets = open_sockets()
    port = server.serve(key)
    try:
        await _hold(server, port, probe, result)
        result.faults += await _remains(sockets)
    finally:
        if deviation := server.over():
            result.faults.append(f"the client deviated from the script: {deviation}")
    gc.collect()  # a future whose exception nobody has looked at tells so when it dies
    result.faults += [f"the event loop complained: {each}" for each in complaints]
    result.faults = [shown(fault, 500) for fault in result.faults[:SHOWN_FAULTS]]
    return result


async def _hold(server: HostileServer, port: int, probe: Probe, result: Result) -> None:
    memory = new_memory()
    start = time.perf_counter()
    with watched() as blocks, libraries(probe.modules):
        conn = await _meet(server, port, probe, result)
    result.seconds = time.perf_counter() - start
    result.block = blocks.longest
    if memory is not None:
        result.megabytes = memory.peak() - memory.before
    _judge_bounds(probe, result)
    await _judge_end(conn, probe, result)
    try:
        async with call(server, port) as another:
            if await another.fetchval("SELECT 1") != 1:
                result.faults.append("an honest server is not believed")
    except Exception as error:
        result.faults.append(f"the next connection fails: {error!r}")


async def _meet(
    server: HostileServer, port: int, probe: Probe, result: Result
) -> Connection | None:
    """Connect, ask, and judge what comes out; the connection, if there was one."""
    conn: Connection | None = None
    error: Exception | None = None
    value: object = None
    timer = asyncio.timeout(HANGING_SECONDS)
    try:
        async with timer:
            conn = await call(server, port, **probe.options)
            value = "connected" if probe.ask is None else await probe.ask(conn)
    except Exception as caught:
        error = caught
    if timer.expired():
        result.hung = True
        result.outcome = f"no answer within {HANGING_SECONDS:g} s"
        result.faults.append("hangs")
    elif error is None:
        result.outcome = shown(repr(value))
        if probe.error is not None:
            result.faults.append(f"no error, but {result.outcome}")
        elif value != probe.value:
            result.faults.append(f"{result.outcome} came out, not {shown(repr(probe.value))}")
    else:
        _judge_error(error, probe, result)
    return conn


def _judge_error(error: Exception, probe: Probe, result: Result) -> None:
    text = "\n".join([str(error), *getattr(error, "__notes__", [])])
    result.outcome = shown(f"{type(error).__name__}: {text}")
    result.typed = isinstance(error, TYPED)
    if type(error) is not probe.error:
        expected = "no error" if probe.error is None else probe.error.__name__
        result.faults.append(f"{result.outcome!r} came out, not {expected}")
    elif probe.words not in text:
        result.faults.append(f"{result.outcome!r} does not say {probe.words!r}")


def _judge_bounds(probe: Probe, result: Result) -> None:
    if _is_unbounded():
        return
    if result.megabytes is not None and result.megabytes > probe.megabytes:
        result.faults.append(f"{result.megabytes:.1f} MiB, more than {probe.megabytes:g}")


def _overruns(probe: Probe, result: Result) -> list[str]:
    """What has taken too long, in words."""
    found: list[str] = []
    if _is_unbounded():
        return found
    if result.seconds > probe.seconds:
        found.append(f"it took {result.seconds:.2f} s, more than {probe.seconds:g}")
    if result.block > probe.block:
        found.append(f"the loop was blocked for {result.block:.3f} s")
    return found


def _is_unbounded() -> bool:
    """Whether time and memory do not count: the sanitizers take more of both."""
    return os.environ.get("PGALLOP_TEST_UNBOUNDED") == "1"


async def _judge_end(conn: Connection | None, probe: Probe, result: Result) -> None:
    """See that the connection is closed, or goes on, as the probe says; then it is closed."""
    if conn is None:
        if probe.usable:
            result.faults.append("it is not even connected")
        return
    try:
        if not probe.usable:
            if not conn.is_closed():
                result.faults.append("the connection is still open")
        elif await conn.execute("AGAIN", timeout=2.0) == "DO":
            await conn.close(timeout=2.0)
        else:
            result.faults.append("the answer to another statement comes out")
    except Exception as error:
        result.faults.append(f"the connection cannot be used any more: {error!r}")
    finally:
        conn.terminate()


async def _remains(sockets: set[str]) -> list[str]:
    """What the probe has left behind, after time to settle."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while True:
        await asyncio.sleep(0)
        tasks = [str(task) for task in asyncio.all_tasks() - {asyncio.current_task()}]
        remains = [*tasks, *(open_sockets() - sockets)]
        if not remains or time.monotonic() > deadline:
            return [f"left behind: {each}" for each in remains]
        gc.collect()  # an abandoned exception may hold a socket
        await asyncio.sleep(0.005)


def shown(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """One line of `text`."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 3]}..."
