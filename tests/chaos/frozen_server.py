"""Line 5: all processes of the server stop (SIGSTOP), or the network accepts and never answers.

Each caller is free when its own time is over, whatever the server, the session and the cancel
connection do; whoever waits without a time of its own hears of it when the drain timeout is over;
and when the server goes on, what has survived works.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any

from chaos.administrator import Administrator
from chaos.figures import Figures
from chaos.frozen_cases import LONG, SHORT, TWICE, Case, Timed
from chaos.outcomes import is_loss, story
from chaos.processes import frozen
from chaos.silence import SilentProxy

import pgallop
from pgallop.cli.server import EmbeddedServer

ROUNDS = 24  # at scale 1
OVERRUN_SECONDS = 0.25
STUCK_SECONDS = 8.0

# One ends the connections while the server is frozen, one does not.
DRAIN_TIMEOUTS = (0.4, 60.0)


@dataclass
class Findings:
    overruns: list[float] = field(default_factory=list)
    slowest: str = ""
    wrong_class: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    aborted: int = 0

    async def within(self, name: str, seconds: float, call: Awaitable[Any], *, may: bool) -> None:
        """Wait for a call with a deadline; `may`: it may also succeed, or find itself closed."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        task = asyncio.ensure_future(call)
        await asyncio.wait([task], timeout=seconds + STUCK_SECONDS)
        overrun = loop.time() - start - seconds
        if overrun > max(self.overruns, default=-1.0):
            self.slowest = f"{name}({seconds:.2f})"
        self.overruns.append(overrun)
        if not task.done():
            self.stuck.append(f"{name}: {task}")
            task.cancel()
            return
        error = task.exception()
        if not (isinstance(error, TimeoutError) or (may and (error is None or is_loss(error)))):
            self.wrong_class.append(f"{name}: {story(error)}")

    async def neighbours(self, tasks: Iterable[asyncio.Task[Any]], seconds: float) -> None:
        """They have no time of their own: an answer, or to hear that the connection is gone."""
        await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            if not task.done():
                self.stuck.append(f"a neighbour: {task}")
                task.cancel()
                continue
            error = task.exception()
            if error is not None and not is_loss(error):
                self.wrong_class.append(f"a neighbour: {story(error)}")


class Subject:
    """One connection with one call on it; what they do shares a context, as in one task."""

    def __init__(self, case: Case, seconds: float, drain_timeout: float) -> None:
        self.name = case.__name__
        self._case = case
        self.seconds = seconds
        self._drain_timeout = drain_timeout
        self._context = contextvars.copy_context()

    async def prepare(self, dsn: str) -> None:
        self.conn = await pgallop.connect(
            dsn,
            command_timeout=self.seconds,
            drain_timeout=self._drain_timeout,
            server_settings={"application_name": "frozen"},
        )
        prepare = self._prepare()
        await asyncio.create_task(prepare, context=self._context)

    async def _prepare(self) -> None:
        self._call: Timed = await self._case(self.conn, self.seconds)

    def start(self, findings: Findings) -> asyncio.Task[None]:
        async def call() -> None:
            twice = self._case in TWICE
            deadline = self.seconds * (2 if twice else 1)
            await findings.within(self.name, deadline, self._call(), may=twice)

        return asyncio.create_task(call(), context=self._context)

    def neighbour(self) -> asyncio.Task[Any]:
        """Somebody else's statement behind it, without a time of its own."""
        call = self.conn.fetchval("SELECT 7", timeout=3600)
        return asyncio.create_task(call, context=contextvars.Context())


class Round:
    """All the calls, each on a connection of its own, while the server is frozen."""

    def __init__(self, findings: Findings, chance: random.Random, number: int) -> None:
        self._findings = findings
        self._chance = chance
        self._drain_timeout = DRAIN_TIMEOUTS[number % len(DRAIN_TIMEOUTS)]
        self._early = chance.random() < 0.5

    async def frozen_server(self, server: EmbeddedServer) -> None:
        findings = self._findings
        subjects = [self._subject(case) for case in (*LONG, *SHORT)]
        await asyncio.gather(*[subject.prepare(server.tcp_dsn) for subject in subjects])
        early = subjects[: len(LONG)] if self._early else []
        tasks = [subject.start(findings) for subject in early]
        if early:
            await asyncio.sleep(0.03)  # they run when the server stops
        with frozen(server):
            tasks += [subject.start(findings) for subject in subjects if subject not in early]
            tasks.append(self._connect(server.tcp_dsn))
            await asyncio.sleep(0)
            neighbours = [subject.neighbour() for subject in subjects]
            await asyncio.wait(tasks)
            await self._close_some(subjects[::3])
            await asyncio.sleep(0.5)
        await findings.neighbours(neighbours, STUCK_SECONDS)
        await self._use(subjects)

    def _subject(self, case: Case) -> Subject:
        return Subject(case, 0.2 + 0.8 * self._chance.random(), self._drain_timeout)

    def _connect(self, dsn: str) -> asyncio.Task[None]:
        seconds = 0.2 + 0.8 * self._chance.random()
        call = pgallop.connect(dsn, timeout=seconds)
        return asyncio.create_task(self._findings.within("connect", seconds, call, may=False))

    async def _close_some(self, subjects: list[Subject]) -> None:
        """close() with a time waits no longer for what is under way."""
        closes = []
        for subject in subjects:
            seconds = 0.2 + 0.4 * self._chance.random()
            call = subject.conn.close(timeout=seconds)
            closes.append(self._findings.within("close", seconds, call, may=True))
        await asyncio.gather(*closes)
        for subject in subjects:
            if not subject.conn.is_closed():
                self._findings.unusable.append(f"open after close(): {subject.name}")

    async def _use(self, subjects: list[Subject]) -> None:
        """The server goes on: what is not closed works, and can be closed."""
        for subject in subjects:
            self._findings.aborted += subject.conn.is_closed()
            try:
                async with asyncio.timeout(STUCK_SECONDS):
                    if not subject.conn.is_closed():
                        await asyncio.create_task(self._try(subject.conn))
                    subject.conn.terminate()
            except Exception as error:
                self._findings.unusable.append(f"{subject.name}: {story(error)}")
                subject.conn.terminate()

    async def _try(self, conn: pgallop.Connection) -> None:
        assert await conn.fetchval("SELECT 1", timeout=STUCK_SECONDS) == 1

    # -- silence instead of a frozen server ------------------------------------------------------

    async def silent_network(self, server: EmbeddedServer) -> None:
        """Connections are accepted and never answered."""
        async with SilentProxy(server.tcp_host, server.port, served=0) as proxy:
            dsn = dsn_of(server, proxy)
            await asyncio.gather(*[self._connect(dsn) for _ in range(3)])

    async def silent_cancel_connection(self, server: EmbeddedServer) -> None:
        """The session is served; the connection for its cancellation is accepted, and no more."""
        await asyncio.gather(*[self._silent_cancel(server, case) for case in LONG])

    async def _silent_cancel(self, server: EmbeddedServer, case: Case) -> None:
        findings = self._findings
        async with SilentProxy(server.tcp_host, server.port, served=1) as proxy:
            subject = Subject(case, 0.2 + 0.8 * self._chance.random(), DRAIN_TIMEOUTS[0])
            await subject.prepare(dsn_of(server, proxy))
            timed = subject.start(findings)
            await asyncio.sleep(0)
            neighbour = subject.neighbour()
            await timed
            await findings.neighbours([neighbour], STUCK_SECONDS)
            seconds = 0.3
            await findings.within("close", seconds, subject.conn.close(timeout=seconds), may=True)


def dsn_of(server: EmbeddedServer, proxy: SilentProxy) -> str:
    return f"postgresql://{server.user}@{proxy.host}:{proxy.port}/{server.database}?sslmode=disable"


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 24 rounds of a dozen calls."""
    figures = Figures(5, "frozen server")
    chance = random.Random(seed)
    findings = Findings()
    rounds = max(2, round(ROUNDS * scale))
    for number in range(rounds):
        one = Round(findings, chance, number)
        await one.frozen_server(server)
        await one.silent_network(server)
        await one.silent_cancel_connection(server)
        await sweep(server)
    figures.show("rounds", rounds)
    figures.at_least("deadlines", len(findings.overruns), rounds)
    figures.below("overrun_max_s", max(findings.overruns), OVERRUN_SECONDS)
    figures.show("slowest", findings.slowest)
    figures.zero("wrong_class", findings.wrong_class)
    figures.zero("stuck", findings.stuck)
    figures.zero("unusable", findings.unusable)
    figures.show("aborted", findings.aborted)
    return figures.finish()


async def sweep(server: EmbeddedServer) -> None:
    """End the backends whose clients have gone, which they would not notice in their sleep."""
    async with Administrator(server.dsn) as administrator:
        rows = await administrator.ask(
            "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'frozen'"
        )
        await administrator.gone({pid for pid, _ in rows})
