"""A connection whose server ends at every place of what it has to say, on real sockets.

What was answered before is as it was recorded, the next call raises the right error in time, and so
do all that follow; the connection can be closed then, and nothing of it is left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hostile.course import Told, hold
from hostile.replay_server import Ending, Recorder, Said

import pgallop
from pgallop.connecting import ConnectCall
from pgallop.errors import ConnectionDoesNotExistError, ConnectResetError, InterfaceError

# The deadline of each call where the server falls silent, and how long an abandoned one may hold up
# its connection. Elsewhere no call may need its deadline.
STALL_SECONDS, DRAIN_SECONDS = 0.3, 0.2
LONG_SECONDS = 3.0

# Who has no answer by then hangs.
HANGING_SECONDS = 20.0

# How often a connection is made again whose deadline was over before the server had fallen silent.
TRIES = 3

CONNECTIONS_AT_ONCE = 20

BEAT_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Recording:
    """What the server said, and what the steps were told."""

    said: Said
    course: list[Told]

    @property
    def size(self) -> int:
        return sum(len(data) for _, data in self.said)

    def message_starts(self) -> Iterator[int]:
        """Where each of the server's messages begins."""
        data, place = b"".join([data for _, data in self.said]), 0
        while place < len(data):
            yield place
            place += 1 + int.from_bytes(data[place + 1 : place + 5])


async def record(host: str, port: int) -> Recording:
    """Hold the course with a real server, which trusts everybody."""
    async with Recorder(host, port) as recorder:
        course = await hold(call(recorder.port, "postgres", LONG_SECONDS), lambda: recorder.size)
    return Recording(recorder.said, course)


def call(port: int, database: str, timeout: float) -> ConnectCall:
    return pgallop.connect(
        host=Recorder.host,
        port=port,
        user="postgres",
        password="secret",
        database=database,
        ssl="disable",
        timeout=timeout,
        command_timeout=timeout,
        drain_timeout=DRAIN_SECONDS,
    )


@dataclass(slots=True)
class Findings:
    """What came of cutting connections.

    `cut`: how many were; `right`: of how many of them all was right; `again`: how many had to be
    made again. `overrun`: the longest time that a call took beyond its deadline, in seconds;
    `late`: how late the event loop itself has come to a timer. `faults`: in words.
    """

    cut: int = 0
    right: int = 0
    again: int = 0
    hangs: int = 0
    overrun: float = 0.0
    late: float = 0.0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        self.cut += other.cut
        self.right += other.right
        self.again += other.again
        self.hangs += other.hangs
        self.overrun = max(self.overrun, other.overrun)
        self.late = max(self.late, other.late)
        self.faults += other.faults


async def cut_at(
    port: int, recording: Recording, ending: Ending, places: Iterable[int]
) -> Findings:
    """Hold the course with the replay server on `port`, which ends in this way at each place."""
    findings, queue = Findings(), iter(places)

    async def work() -> None:
        for place in queue:
            await cut(port, recording, ending, place, findings)

    beats = asyncio.create_task(beat(findings))
    await asyncio.gather(*[work() for _ in range(CONNECTIONS_AT_ONCE)])
    beats.cancel()
    return findings


async def beat(findings: Findings) -> None:
    """Find out how late timers come."""
    while True:
        start = time.perf_counter()
        await asyncio.sleep(BEAT_SECONDS)
        findings.late = max(findings.late, time.perf_counter() - start - BEAT_SECONDS)


async def cut(
    port: int, recording: Recording, ending: Ending, place: int, findings: Findings
) -> None:
    findings.cut += 1
    name = f"{ending}-{place}"
    said = recording.size if ending == "split" else place
    timeout = STALL_SECONDS if ending == "stall" else LONG_SECONDS
    for _ in range(TRIES):
        try:
            async with asyncio.timeout(HANGING_SECONDS):
                course = await hold(call(port, name, timeout))
        except TimeoutError:
            findings.hangs += 1
            findings.faults.append(f"{name}: hangs")
            return
        if not is_too_slow(recording, course, said):
            break
        findings.again += 1
    for told in course:
        findings.overrun = max(findings.overrun, told.seconds - timeout - told.grace)
    faults = list(differences(recording, course, said, ending))
    findings.right += not faults
    findings.faults += [f"{name}: {fault}" for fault in faults]


def is_too_slow(recording: Recording, course: list[Told], said: int) -> bool:
    """Whether a deadline was over although the server has said all: a machine that is busy."""
    return any(
        isinstance(told.error, TimeoutError) and recorded.size <= said
        for told, recorded in zip(course, recording.course, strict=False)
    )


def differences(
    recording: Recording, course: list[Told], place: int, ending: Ending
) -> Iterator[str]:
    """What is not as it has to be when the server has said `place` bytes."""
    *steps, farewell = recording.course
    met = False  # whether the end has come upon a step
    for i, (told, recorded) in enumerate(zip(course, steps, strict=False)):
        if recorded.size <= place:
            if told.words != recorded.words:
                yield f"step {i}: {told.words}, not {recorded.words}"
        # An error may be there before the end of the answer is.
        elif recorded.error is None or told.words != recorded.words:
            if not is_loss(told.error, ending, met):
                yield f"step {i}: {told.words}"
            met = True
    connected = course[0].error is None
    if connected and course[-1].words != farewell.words:
        yield f"closing: {course[-1].words}"
    if len(course) != (len(recording.course) if connected else 1):
        yield f"{len(course)} steps were taken"


def is_loss(error: Exception | None, ending: Ending, met: bool) -> bool:
    """Whether this is what a call may raise; `met`: an earlier one has met the end already."""
    if ending == "stall" and isinstance(error, TimeoutError):
        return True
    kinds = (ConnectResetError, ConnectionDoesNotExistError, InterfaceError)
    return type(error) in kinds and (met or ending != "stall")
