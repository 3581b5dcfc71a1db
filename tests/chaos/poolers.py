"""Line 18: many clients of a PgBouncer with few sessions, which is paused and restarted meanwhile.

In transaction mode there are three connections for each session of the server; in session mode one,
for a client waits there until another one has left. Every statement echoes a number of its own.
"""

from __future__ import annotations

import asyncio
import collections
import random
from typing import Literal

from chaos.administrator import Administrator
from chaos.figures import Figures
from chaos.ledger import Ledger
from chaos.operations import Undo
from chaos.outcomes import is_loss, story
from poolers.pgbouncer import PgBouncer, PoolMode
from poolers.pooler import PoolerError
from poolers.sessions import left_in_sessions

import pgallop
from pgallop.cli.server import EmbeddedServer

STATEMENTS = 60_000  # in each mode, at scale 1
EVENTS = 60  # what is done to PgBouncer meanwhile, at scale 1
SESSIONS = 5
CLIENTS: dict[PoolMode, int] = {"session": SESSIONS, "transaction": 3 * SESSIONS}
TASKS_PER_CLIENT = 4
TEXTS = 250  # more than a connection caches
PAUSE_SECONDS = 0.05
STUCK_SECONDS = 30.0


class Wrong(Exception):
    """An answer that was somebody else's."""


class Crowd:
    """Tasks in groups that share a connection each, made anew when it is lost."""

    def __init__(self, dsn: str, mode: PoolMode, seed: int, count: int) -> None:
        self._dsn = dsn
        self._mode: Literal["named", "unnamed"] = "unnamed" if mode == "transaction" else "named"
        self._clients = CLIENTS[mode]
        self._chance = random.Random(seed)
        self._left = count
        self._nonce = 0
        self.ledger = Ledger(f"pooled_{mode}")
        self.ended: collections.Counter[str] = collections.Counter()
        self.wrong_values: list[str] = []
        self.errors: list[str] = []
        #: Whether connections may be lost now.
        self.upheaval = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._clients):
                group.create_task(self._client())

    async def _client(self) -> None:
        while self._left > 0:
            conn = None
            try:
                conn = await pgallop.connect(self._dsn, statement_mode=self._mode, timeout=10)
                async with asyncio.TaskGroup() as group:
                    for _ in range(TASKS_PER_CLIENT):
                        group.create_task(self._worker(conn))
                await conn.close(timeout=STUCK_SECONDS)
            except Exception as error:
                self._judge(error)
                await asyncio.sleep(0.01)
            finally:
                if conn is not None:
                    conn.terminate()

    async def _worker(self, conn: pgallop.Connection) -> None:
        works = (self._echo, self._echo, self._several, self._store, self._block, self._impatient)
        while self._left > 0 and not conn.is_closed():
            self._left -= 1
            self._nonce += 1
            work = self._chance.choice(works)
            try:
                await work(conn, self._nonce)
                self.ended["answered"] += 1
            except Exception as error:
                self._judge(error)

    def _judge(self, error: Exception) -> None:
        lost = is_loss(error) or isinstance(error, pgallop.CannotConnectError)
        if isinstance(error, Wrong):
            self.wrong_values.append(str(error))
        elif lost and self.upheaval:
            self.ended["lost"] += 1
        elif isinstance(error, pgallop.errors.CollateralCancelError):
            self.ended["collateral"] += 1
        else:
            self.errors.append(story(error))

    # What they do

    async def _echo(self, conn: pgallop.Connection, nonce: int) -> None:
        number = self._chance.randrange(TEXTS)
        text = f"SELECT $1::int8 + {number}, $2::text, $3::int4[]"
        row = await conn.fetchrow(text, nonce, f"text {nonce}", [nonce] * (number % 5))
        expect(tuple(row or ()), (nonce + number, f"text {nonce}", [nonce] * (number % 5)))

    async def _several(self, conn: pgallop.Connection, nonce: int) -> None:
        query = "SELECT n, $1::float8 FROM generate_series(1, $2::int) AS n"
        rows = await conn.fetch(query, nonce / 2, nonce % 50)
        expect([tuple(row) for row in rows], [(n + 1, nonce / 2) for n in range(nonce % 50)])

    async def _store(self, conn: pgallop.Connection, nonce: int) -> None:
        # Until it is answered it may be stored or not.
        self.ledger.expect(nonce, "store", ((), (1,)))
        query = f"INSERT INTO {self.ledger.table} VALUES ($1, 1)"
        expect(await conn.execute(query, nonce), "INSERT 0 1")
        self.ledger.expect(nonce, "store", ((1,),), acknowledged=True)

    async def _block(self, conn: pgallop.Connection, nonce: int) -> None:
        undone = self._chance.random() < 0.3
        self.ledger.expect(nonce, "block", ((),) if undone else ((), (1, 2)))
        try:
            async with conn.transaction():
                query = f"INSERT INTO {self.ledger.table} VALUES ($1, $2)"
                await conn.execute(query, nonce, 1)
                await conn.execute(query, nonce, 2)
                query = f"SELECT count(*) FROM {self.ledger.table} WHERE nonce = $1"
                expect(await conn.fetchval(query, nonce), 2)
                if undone:
                    raise Undo
        except Undo:
            return
        self.ledger.expect(nonce, "block", ((1, 2),), acknowledged=True)

    async def _impatient(self, conn: pgallop.Connection, nonce: int) -> None:
        if nonce % 10:  # most have the time
            expect(await conn.fetchval("SELECT $1::int8", nonce, timeout=STUCK_SECONDS), nonce)
            return
        try:
            raise Wrong(f"slept: {await conn.fetchval('SELECT pg_sleep(20)', timeout=0.02)!r}")
        except TimeoutError:
            self.ended["timed_out"] += 1


def expect(found: object, expected: object) -> None:
    if found != expected:
        raise Wrong(f"{found!r} instead of {expected!r}")


async def trouble(pgbouncer: PgBouncer, crowd: Crowd, mode: PoolMode, chance: random.Random) -> str:
    """Do one thing to PgBouncer; its name."""
    # In session mode a pause would wait until all clients have left.
    deeds = ["restart", "RELOAD", "RECONNECT"]
    deed = chance.choice(deeds if mode == "session" else [*deeds, "PAUSE", "PAUSE"])
    if deed == "restart":
        crowd.upheaval = True
        await asyncio.to_thread(pgbouncer.restart)
        await asyncio.sleep(0.1)  # whoever was lost has heard of it by then
        crowd.upheaval = False
    else:
        await asyncio.to_thread(pgbouncer.ask, deed)
        if deed == "PAUSE":
            await asyncio.sleep(PAUSE_SECONDS)
            await asyncio.to_thread(pgbouncer.ask, "RESUME")
    return deed.lower()


async def run_mode(
    server: EmbeddedServer, mode: PoolMode, seed: int, scale: float, figures: Figures
) -> None:
    settings = {"default_pool_size": SESSIONS, "reserve_pool_size": 0}
    chance = random.Random(seed)
    with PgBouncer(server, mode, settings) as pgbouncer:
        crowd = Crowd(pgbouncer.dsn, mode, seed, max(1000, round(STATEMENTS * scale)))
        async with Administrator(server.dsn) as administrator:
            await crowd.ledger.create(administrator)
            working = asyncio.create_task(crowd.run())
            deeds: collections.Counter[str] = collections.Counter()
            for _ in range(max(4, round(EVENTS * scale))):
                await asyncio.sleep(0.1 + 0.2 * chance.random())
                deeds[await trouble(pgbouncer, crowd, mode, chance)] += 1
            await asyncio.wait([working], timeout=STUCK_SECONDS + STATEMENTS * scale / 500)
            figures.zero(f"{mode}_stuck", 0 if working.done() else 1)
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
            left = await asyncio.to_thread(left_in_sessions, pgbouncer, SESSIONS)
            faults = await crowd.ledger.check(administrator)
        figures.show(f"{mode}_answered", crowd.ended["answered"])
        for name in ("timed_out", "collateral", "lost"):
            figures.show(f"{mode}_{name}", crowd.ended[name])
        figures.show(f"{mode}_deeds", ",".join(f"{deeds[deed]}x{deed}" for deed in sorted(deeds)))
        figures.zero(f"{mode}_errors", crowd.errors)
        figures.zero(f"{mode}_wrong_values", crowd.wrong_values)
        figures.zero(f"{mode}_leaked_statements", left["statements"])
        figures.zero(f"{mode}_leaked_locks", left["locks"])
        figures.zero(f"{mode}_wrong_rows", [text for each in faults for text in each])


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 60,000 operations in each mode."""
    figures = Figures(18, "PgBouncer, paused and restarted")
    modes: tuple[PoolMode, ...] = ("session", "transaction")
    try:
        for mode in modes:
            await run_mode(server, mode, seed, scale, figures)
    except PoolerError as error:
        figures.show("not_run", str(error).splitlines()[0])
    return figures.finish()
