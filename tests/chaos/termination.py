"""Line 4: an administrator ends the session again and again while many tasks use it.

Everybody who waits learns from the class of the error that the connection is gone; what says that
it is safe to retry was never executed; and the connection that the test opens instead works.
"""

from __future__ import annotations

import asyncio
import random
import time

from chaos.administrator import Administrator
from chaos.figures import Figures, percentile
from chaos.ledger import Ledger
from chaos.outcomes import is_loss, leaves, story

import pgallop
from pgallop.cli.server import EmbeddedServer

ROUNDS = 200  # at scale 1
TASKS = 50
STUCK_SECONDS = 20.0

INSERT = "INSERT INTO terminated VALUES ($1, $2) RETURNING nonce"


class Round:
    """A connection, many tasks on it, and its end."""

    def __init__(self, conn: pgallop.Connection, ledger: Ledger, chance: random.Random) -> None:
        self.conn = conn
        self._ledger = ledger
        self._chance = chance
        self.wrong_class: list[str] = []
        self.stuck: list[str] = []
        self.pending = 0
        self.retryable = 0
        self._killed = False

    async def run(self, administrator: Administrator, nonces: range) -> float:
        """Let them work, kill their session, and return the time.monotonic() of that."""
        workers = [asyncio.create_task(self._work(nonce)) for nonce in nonces]
        await asyncio.sleep(self._chance.random() * 0.05)
        killed_at = time.monotonic()
        self._killed = True
        await administrator.terminate(self.conn.get_server_pid())
        _, stuck = await asyncio.wait(workers, timeout=STUCK_SECONDS)
        for task in stuck:
            self.stuck.append(str(task))
            task.cancel()
        await administrator.gone({self.conn.get_server_pid()})
        return killed_at

    async def _work(self, nonce: int) -> None:
        """Insert rows, one transaction each, until the connection is gone."""
        acknowledged: tuple[int, ...] = ()
        try:
            for step in range(1, 10_000):
                await self._step(nonce, step)
                acknowledged = (*acknowledged, step)
        except Exception as error:
            self._account(nonce, acknowledged, error)

    async def _step(self, nonce: int, step: int) -> None:
        way = self._chance.randrange(40)
        if way < 30:
            await self.conn.fetchval(INSERT, nonce, step)
        elif way < 39:
            await self.conn.execute(
                f"INSERT INTO terminated VALUES ({nonce}, {step}); SELECT pg_sleep(0.002)"
            )
        else:
            async with self.conn.transaction():
                await self.conn.fetchval(INSERT, nonce, step)
                await self.conn.execute("SELECT pg_sleep(0.001)")

    def _account(self, nonce: int, acknowledged: tuple[int, ...], error: Exception) -> None:
        self.pending += 1
        if not self._killed or not all(is_loss(leaf) for leaf in leaves(error)):
            self.wrong_class.append(story(error))
        allowed = [acknowledged]
        if getattr(error, "safe_to_retry", False):
            self.retryable += 1
        else:
            allowed.append((*acknowledged, len(acknowledged) + 1))
        self._ledger.expect(nonce, "rows of task", allowed, acknowledged=True)


async def recovered(server: EmbeddedServer) -> tuple[pgallop.Connection, float]:
    """A new connection that has answered, and the time.monotonic() of that."""
    conn = await pgallop.connect(server.tcp_dsn, timeout=10)
    await conn.fetchval("SELECT 1")
    return conn, time.monotonic()


async def later_calls(conn: pgallop.Connection) -> list[str]:
    """What a closed connection says that is no loss of it."""
    wrong = []
    for call in (conn.fetch("SELECT 1"), conn.execute("SELECT 1"), conn.transaction().start()):
        try:
            await call
        except Exception as error:
            if not is_loss(error):
                wrong.append(f"later: {story(error)}")
        else:
            wrong.append("a statement succeeded on a closed connection")
    return wrong


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 200 sessions of 50 tasks."""
    figures = Figures(4, "terminated sessions")
    chance = random.Random(seed)
    ledger = Ledger("terminated")
    wrong_class: list[str] = []
    stuck: list[str] = []
    recovery: list[float] = []
    pending = retryable = 0
    rounds = max(2, round(ROUNDS * scale))
    async with Administrator(server.dsn) as administrator:
        await ledger.create(administrator)
        conn, _ = await recovered(server)
        for n in range(rounds):
            one = Round(conn, ledger, chance)
            killed_at = await one.run(administrator, range(n * TASKS, (n + 1) * TASKS))
            wrong_class += one.wrong_class
            stuck += one.stuck
            pending += one.pending
            retryable += one.retryable
            wrong_class += await later_calls(conn)
            conn, at = await recovered(server)
            recovery.append(at - killed_at)
        await conn.close()
        faults = await ledger.check(administrator)
    figures.show("sessions", rounds)
    figures.at_least("pending", pending, rounds)
    figures.zero("wrong_class", wrong_class)
    figures.zero("stuck", stuck)
    figures.zero("doubled", faults.doubled)
    figures.zero("lost", faults.lost)
    figures.zero("executed_though_safe_to_retry", faults.torn)
    figures.show("safe_to_retry", retryable)
    figures.show("recovery_p99_ms", percentile(recovery, 99) * 1000)
    return figures.finish()
