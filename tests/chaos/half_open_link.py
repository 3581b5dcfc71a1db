"""Line 6: the link to the server goes down silently, with a connection idle, waiting or sending.

TCP has nothing to tell of it: an idle or waiting connection notices by keepalives, one that has
sent something by tcp_user_timeout. Without both it takes the system's defaults, hours and a quarter
of an hour.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from chaos.administrator import Administrator
from chaos.figures import Figures
from chaos.namespace import Link, NotPossible, far_server
from chaos.outcomes import is_loss, story

import pgallop
from pgallop.cli.server import EmbeddedServer

# After IDLE seconds of silence a probe each INTERVAL seconds, COUNT of which go unanswered.
IDLE, INTERVAL, COUNT = 1, 1, 2
KEEPALIVES = {
    "keepalives_idle": IDLE,
    "keepalives_interval": INTERVAL,
    "keepalives_count": COUNT,
}
USER_TIMEOUT_MS = 2_000

# The kernel's timers are not exact: it rounds up, and backs off between retransmissions.
SLACK_SECONDS = 2.0


async def idle(conn: pgallop.Connection) -> None:
    """Nobody waits; the connection itself has to find out."""
    while not conn.is_closed():
        await asyncio.sleep(0.01)


async def in_a_query(conn: pgallop.Connection) -> None:
    """The statement was sent and acknowledged by the other side's kernel long ago."""
    await conn.execute("SELECT pg_sleep(60)")


async def sending(conn: pgallop.Connection) -> None:
    """What is sent into the broken link is never acknowledged."""
    await asyncio.sleep(0.3)
    await conn.fetchval("SELECT 1")


class Case(NamedTuple):
    run: Callable[[pgallop.Connection], Awaitable[None]]
    options: dict[str, Any]
    seconds: float  # when it should be noticed


CASES = (
    Case(idle, KEEPALIVES, IDLE + INTERVAL * COUNT),
    Case(in_a_query, KEEPALIVES, IDLE + INTERVAL * COUNT),
    Case(sending, {"tcp_user_timeout": USER_TIMEOUT_MS}, USER_TIMEOUT_MS / 1000),
    Case(
        in_a_query,
        {**KEEPALIVES, "tcp_user_timeout": USER_TIMEOUT_MS},
        IDLE + INTERVAL * COUNT,
    ),
)


class Findings:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.late: list[str] = []
        self.wrong_class: list[str] = []

    async def observe(self, case: Case, conn: pgallop.Connection, down: asyncio.Event) -> None:
        """Time a case from the moment in which the link goes down."""
        name = case.run.__name__ + ("_user_timeout" if "tcp_user_timeout" in case.options else "")
        started = asyncio.create_task(self._outcome(case, conn, name, down))
        limit = case.seconds + SLACK_SECONDS
        await down.wait()
        start = asyncio.get_running_loop().time()
        await asyncio.wait([started], timeout=limit + 10)
        self.seconds[name] = seconds = asyncio.get_running_loop().time() - start
        if seconds > limit:
            self.late.append(f"{name}: {seconds:.1f} s, expected {case.seconds:.1f} s")
            conn.terminate()
        await started

    async def _outcome(
        self, case: Case, conn: pgallop.Connection, name: str, down: asyncio.Event
    ) -> None:
        if case.run is sending:
            await down.wait()
        try:
            await case.run(conn)
        except Exception as error:
            if not is_loss(error):
                self.wrong_class.append(f"{name}: {story(error)}")
        else:
            if case.run is not idle:
                self.wrong_class.append(f"{name}: answered through a link that is down")


async def cut(dsn: str, link: Link, findings: Findings) -> None:
    connections = [await pgallop.connect(dsn, **case.options) for case in CASES]
    down = asyncio.Event()
    observers = [
        asyncio.create_task(findings.observe(case, conn, down))
        for case, conn in zip(CASES, connections, strict=True)
    ]
    await asyncio.sleep(0.5)
    link.down()
    down.set()
    await asyncio.gather(*observers)
    link.up()


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """One cut of the link under several connections; there is nothing random in it, nor larger."""
    figures = Figures(6, "half-open link")
    findings = Findings()
    try:
        async with far_server(server) as (link, dsn):
            await cut(dsn, link, findings)
    except NotPossible as reason:
        figures.show("not_run", f"({reason})")
        return figures.finish()
    async with Administrator(server.dsn) as administrator:  # it has not noticed
        await administrator.ask(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s",
            "SELECT pg_sleep%",
        )
    for name, seconds in findings.seconds.items():
        figures.show(f"{name}_s", seconds)
    figures.zero("late", findings.late)
    figures.zero("wrong_class", findings.wrong_class)
    return figures.finish()
