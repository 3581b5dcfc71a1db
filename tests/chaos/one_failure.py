"""Line 14: one statement among many on one connection fails, and takes no other with it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from chaos.figures import Figures
from chaos.outcomes import leaves, story

import pgallop
from pgallop.cli.server import EmbeddedServer

ROUNDS = 400  # at scale 1
NEIGHBOURS = 100

SETUP = """
    CREATE TEMP TABLE taken (n int UNIQUE DEFERRABLE INITIALLY DEFERRED);
    INSERT INTO taken VALUES (1);
    CREATE TEMP TABLE kept (n int PRIMARY KEY);
    INSERT INTO kept VALUES (1)
"""

ECHO = "SELECT $1::int"
DIVISION = "SELECT 1 / $1::int"

Statement = Callable[[pgallop.Connection], Awaitable[object]]

# How it fails, and the class of its error: on the server in Parse, in Bind, in Execute, in the
# middle of a result, at Sync, in a script; and before it is sent.
FAILURES: tuple[tuple[Statement, type[Exception]], ...] = (
    (lambda conn: conn.fetch("SELECT no_such_column"), pgallop.UndefinedColumnError),
    (lambda conn: conn.fetch("SELECT 1 FRM t"), pgallop.PostgresSyntaxError),
    (lambda conn: conn.fetch("SELECT $1::text::int", "a"), pgallop.InvalidTextRepresentationError),
    (lambda conn: conn.fetchval(DIVISION, 0), pgallop.DivisionByZeroError),
    (
        lambda conn: conn.fetch("SELECT 1 / (500 - n) FROM generate_series(1, 1000) AS n"),
        pgallop.DivisionByZeroError,
    ),
    (lambda conn: conn.execute("INSERT INTO kept VALUES ($1)", 1), pgallop.UniqueViolationError),
    (lambda conn: conn.execute("INSERT INTO taken VALUES ($1)", 1), pgallop.UniqueViolationError),
    (lambda conn: conn.execute("SELECT 1; SELECT 1/0; SELECT 2"), pgallop.DivisionByZeroError),
    (lambda conn: conn.fetch(ECHO, "no number"), pgallop.DataError),
    (lambda conn: conn.fetch(ECHO), pgallop.InterfaceError),
)


class Round:
    """Neighbours, and one that fails among them."""

    def __init__(self, conn: pgallop.Connection, chance: random.Random) -> None:
        self._conn = conn
        self._chance = chance
        self._statement, self._expected = chance.choice(FAILURES)
        self.collateral: list[str] = []
        self.wrong_error: list[str] = []

    async def outside_of_blocks(self) -> None:
        """Each statement is a transaction of its own."""
        tasks = [asyncio.create_task(self._neighbour(n)) for n in range(NEIGHBOURS)]
        failing = asyncio.create_task(self._fail())
        position = self._chance.randrange(NEIGHBOURS)
        tasks.insert(position, failing)
        await asyncio.gather(*tasks)

    async def inside_a_block(self) -> None:
        """It fails in a transaction: those of the transaction share its fate, others do not."""
        await asyncio.gather(
            *[self._neighbour(n) for n in range(NEIGHBOURS // 2)],
            self._block(),
            *[self._neighbour(n) for n in range(NEIGHBOURS // 2)],
            self._whole_block(),
        )

    async def _neighbour(self, nonce: int) -> None:
        try:
            if nonce % 3:
                received = await self._conn.fetchval(ECHO, nonce)
            else:
                received = await self._conn.fetchval(
                    f"SELECT {nonce % 30}, $1::int", nonce, column=1
                )
        except Exception as error:
            self.collateral.append(f"a neighbour: {story(error)}")
        else:
            if received != nonce:
                self.collateral.append(f"a neighbour received {received}, not {nonce}")

    async def _fail(self) -> None:
        try:
            await self._statement(self._conn)
        except self._expected:
            return
        except Exception as error:
            self.wrong_error.append(story(error))
        else:
            self.wrong_error.append(f"{self._expected.__name__} was not raised")

    async def _block(self) -> None:
        """A transaction in which a statement fails at the server."""
        before: list[asyncio.Task[object]] = []
        behind: list[asyncio.Task[object]] = []
        try:
            async with self._conn.transaction():
                await self._conn.fetchval("SELECT 0")
                before = [self._start(n) for n in range(5)]
                failing = asyncio.create_task(self._conn.fetchval(DIVISION, 0))
                behind = [self._start(n) for n in range(5, 10)]
                await asyncio.wait([*before, failing, *behind])
                raise failing.exception() or AssertionError("a division by zero succeeded")
        except pgallop.DivisionByZeroError as first:
            self._judge(before, behind, first)
        except Exception as error:
            self.wrong_error.append(f"a block ended with {story(error)}")

    def _start(self, nonce: int) -> asyncio.Task[object]:
        return asyncio.create_task(self._conn.fetchval(ECHO, nonce))

    def _judge(
        self,
        before: list[asyncio.Task[object]],
        behind: list[asyncio.Task[object]],
        first: pgallop.PostgresError,
    ) -> None:
        for n, task in enumerate(before):
            if task.exception() is not None or task.result() != n:
                self.collateral.append(f"before it in its block: {story(task.exception())}")
        for task in behind:
            error = task.exception()
            if not isinstance(error, pgallop.InFailedSQLTransactionError):
                self.wrong_error.append(f"behind it in its block: {story(error)}")
            elif error.__cause__ is not first:
                self.wrong_error.append(f"behind it, not caused by the first: {story(error)}")

    async def _whole_block(self) -> None:
        """Another task's transaction on the same connection, in which nothing fails."""
        try:
            async with self._conn.transaction(), asyncio.TaskGroup() as group:
                for n in range(5):
                    group.create_task(self._neighbour(n))
        except Exception as error:
            self.collateral += [f"another block: {story(leaf)}" for leaf in leaves(error)]


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """`scale` times 400 rounds of 100 neighbours, every second one with a transaction."""
    figures = Figures(14, "one failure")
    chance = random.Random(seed)
    collateral: list[str] = []
    wrong_error: list[str] = []
    rounds = max(2, round(ROUNDS * scale))
    async with pgallop.connect(server.tcp_dsn) as conn:
        await conn.execute(SETUP)
        for query in (ECHO, DIVISION):  # what is prepared keeps its place among the others
            await conn.fetchval(query, 1)
        for n in range(rounds):
            one = Round(conn, chance)
            async with asyncio.timeout(60):
                await (one.inside_a_block() if n % 2 else one.outside_of_blocks())
            collateral += one.collateral
            wrong_error += one.wrong_error
            if conn.is_in_transaction():
                collateral.append(f"round {n} has left a transaction open")
    figures.show("rounds", rounds)
    figures.show("neighbours", rounds * NEIGHBOURS)
    figures.zero("collateral", collateral)
    figures.zero("wrong_error", wrong_error)
    return figures.finish()
