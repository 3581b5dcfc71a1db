"""Line 1: 200 tasks on one connection give up at random moments.

Whoever is not cancelled gets an own answer, each row with the right nonce; what was acknowledged is
in the tables exactly once, what was not at most once; transactions are whole; and when everybody is
done nothing is left open. Several such crowds are at it at once, each with a connection and tables
of its own, in waves that are checked at their end. One of the crowds has an administrator who
cancels what runs there: only in that one a plain QueryCanceledError is legal.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, NamedTuple
from unittest import mock

from chaos.administrator import Administrator
from chaos.figures import Figures
from chaos.ledger import NOTHING, Faults, Ledger
from chaos.operations import MANY_BLOCKS, OPERATIONS, SCHEMA, SINGLE, Call, Operation, choose
from chaos.outcomes import Outcome, leaves, outcome_of, story
from chaos.storm import storm
from event_loops import open_sockets

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.sql import harmless
from pgallop.transport import cancel

TASKS = 200
CANCELS = 100_000  # at scale 1
CROWDS = 6
CANCELS_PER_WAVE = 8_000  # of all crowds
MIXES = (MANY_BLOCKS, SINGLE, OPERATIONS)
NONCES_PER_CROWD = 10_000_000  # advisory locks are the whole database's

# More than the 30 seconds that a statement waits for a transaction, and the drain timeout.
STUCK_SECONDS = 45.0

LAG_SECONDS = 0.01


@dataclass
class Record:
    """What all waves found; lists hold a description of each case."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    cancels: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    reconnects: int = 0
    freed_max: float = 0.0
    lag_max: float = 0.0
    misdelivered: list[str] = field(default_factory=list)
    misdirected: list[str] = field(default_factory=list)
    untyped: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    faults: Faults = field(default_factory=lambda: Faults([], [], [], []))


class Manner(NamedTuple):
    """What a crowd does, with which tables, by how many tasks, with which options of connect."""

    operations: Sequence[Operation]
    schema: str
    tasks: int
    options: dict[str, Any]


class Crowd:
    """Many tasks on one connection, until they have given up often enough."""

    def __init__(
        self,
        dsn: str,
        chance: random.Random,
        number: int,
        cancels: int,
        record: Record,
        manner: Manner,
    ) -> None:
        self._dsn = dsn
        self._chance = chance
        self._cancels_left = cancels
        self._administered = number == 0
        self._manner = manner
        self._record = record
        self._schema = f"crowd_{number}"
        self._ledger = Ledger(f"{self._schema}.ledger")
        self._locks: dict[int, set[int]] = {}
        self._connecting = asyncio.Lock()
        self._pace = 0.2  # seconds that an operation takes, about
        self._pids: set[int] = set()
        self._nonce = number * NONCES_PER_CROWD

    async def run(self, administrator: Administrator) -> None:
        """Let it live, wait for its end, and look at what it has left."""
        self._administrator = administrator
        await administrator.run(self._manner.schema.format(schema=self._schema))
        await self._ledger.create(administrator)
        await self._connect()
        try:
            async with self._interference():
                await asyncio.gather(*[self._live() for _ in range(self._manner.tasks)])
            await self._check_connection()
        finally:
            await self._close()
        await administrator.gone(self._pids)
        for found, total in zip(
            await self._ledger.check(administrator), self._record.faults, strict=True
        ):
            total.extend(found)

    async def _connect(self) -> None:
        self.conn = await pgallop.connect(
            self._dsn,
            server_settings={"search_path": self._schema},
            statement_cache_size=40,
            **self._manner.options,
        )
        self._pids.add(self.conn.get_server_pid())

    async def _reconnect(self, lost: pgallop.Connection) -> None:
        async with self._connecting:
            if self.conn is lost:
                self._record.reconnects += 1
                self._locks.clear()  # they went with the session
                await self._connect()

    async def _close(self) -> None:
        try:
            await self.conn.close(timeout=10)
        except TimeoutError as error:
            self._record.stuck.append(f"close(): {error}")

    @asynccontextmanager
    async def _interference(self) -> AsyncIterator[None]:
        """Somebody cancels what runs on the connection now and then, if this crowd has that."""
        async with asyncio.TaskGroup() as group:
            interfering = group.create_task(self._interfere())
            try:
                yield
            finally:
                interfering.cancel()

    async def _interfere(self) -> None:
        while self._administered:
            await asyncio.sleep(self._chance.random() * 0.05)
            # One, or a volley that does not even spare what ends a transaction.
            volley = self._chance.choice((1, 300))
            await self._administrator.cancel(self.conn.get_server_pid(), volley)

    # -- one of the crowd ------------------------------------------------------------------------

    async def _live(self) -> None:
        while self._cancels_left > 0 and not self._record.stuck:
            await self._one()

    async def _one(self) -> None:
        """One operation, which is given up at some moment or other, or not."""
        self._nonce += 1
        operation = choose(self._chance, self._manner.operations)
        call = Call(self.conn, self._nonce, random.Random(self._chance.random()))
        way = self._chance.random()
        if 0.45 < way < 0.7:
            await self._give_time(operation, call)
        else:
            task = asyncio.create_task(self._perform(operation, call))
            await self._watch(operation, call, task, cancels=way >= 0.7)

    async def _give_time(self, operation: Operation, call: Call) -> None:
        """Perform it within a time, its statement's own or a block's."""
        seconds = self._delay()
        if not operation.in_block and self._chance.random() < 0.7:
            call.timeout = seconds
            task = asyncio.create_task(self._perform(operation, call))
        else:
            task = asyncio.create_task(self._perform_within(seconds, operation, call))
        await self._watch(operation, call, task, timed=True)

    async def _watch(
        self,
        operation: Operation,
        call: Call,
        task: asyncio.Task[None],
        *,
        cancels: bool = False,
        timed: bool = False,
    ) -> None:
        loop = asyncio.get_running_loop()
        start = freed_from = loop.time()
        cancelled = False
        if cancels:
            await self._until(task)
            freed_from = loop.time()
            cancelled = task.cancel()
        await asyncio.wait([task], timeout=STUCK_SECONDS)
        if not task.done():
            self._record.stuck.append(f"{operation.name} {call.nonce}: {task.get_stack()}")
            task.cancel()
            return
        if cancelled and not operation.in_block:
            self._record.freed_max = max(self._record.freed_max, loop.time() - freed_from)
        if not (cancelled or timed):
            self._pace += (loop.time() - start - self._pace) * 0.02
        outcome = outcome_of(task, cancelled=cancelled, timed=timed, in_block=operation.in_block)
        self._account(operation, call, outcome, None if task.cancelled() else task.exception())
        if call.conn.is_closed():
            await self._reconnect(call.conn)

    async def _until(self, task: asyncio.Task[None]) -> None:
        """Wait a random time for the task: some turns of the loop, or a part of what it takes."""
        if self._chance.random() < 0.4:
            for _ in range(self._chance.randrange(25)):
                await asyncio.sleep(0)
        else:
            await asyncio.wait([task], timeout=self._delay())

    def _delay(self) -> float:
        return self._chance.random() * 1.5 * self._pace

    async def _perform(self, operation: Operation, call: Call) -> None:
        await operation.run(call)

    async def _perform_within(self, seconds: float, operation: Operation, call: Call) -> None:
        async with asyncio.timeout(seconds):
            await operation.run(call)

    # -- the books -------------------------------------------------------------------------------

    def _account(
        self, operation: Operation, call: Call, outcome: Outcome, error: BaseException | None
    ) -> None:
        record = self._record
        record.outcomes[outcome] += 1
        text = f"{operation.name} {call.nonce}: {story(error)}"
        match outcome:
            case Outcome.CANCELLED | Outcome.TIMED_OUT:
                record.cancels += 1
                self._cancels_left -= 1
            case Outcome.MISDELIVERED:
                record.misdelivered.append(text)
            case Outcome.CANCELED if not self._administered:
                record.misdirected.append(text)
            case Outcome.UNTYPED:
                record.untyped.append(text)
            case Outcome.LOST if not call.conn.is_closed():
                record.untyped.append(f"told to be lost, and is not: {text}")
        answered = outcome is Outcome.ANSWERED
        allowed = operation.acknowledged if answered else operation.unknown
        if error is not None and all(is_safe_to_retry(leaf) for leaf in leaves(error)):
            allowed = NOTHING  # nothing was sent, or nothing that would have stored it
        self._ledger.expect(call.nonce, operation.name, allowed, acknowledged=answered)
        if operation.name == "advisory_lock" and call.conn is self.conn:
            self._locks[call.nonce] = call.locks()

    async def _check_connection(self) -> None:
        """Everybody is done: the connection works, and holds nothing but what is accounted for."""
        leaked = self._record.leaked
        async with asyncio.timeout(STUCK_SECONDS):
            if self.conn.is_closed():
                await self._reconnect(self.conn)
            await self._check_locks()
            async with self.conn.transaction():
                await self.conn.fetchval("SELECT 1")
            if self.conn.is_in_transaction():
                leaked.append("the connection is in a transaction")
            pid = self.conn.get_server_pid()
            state = await self._administrator.state(pid)
            if state != "idle":
                leaked.append(f"the backend is {state}")
            held = await self._administrator.ask(
                "SELECT locktype, mode, granted FROM pg_locks WHERE pid = %s", pid
            )
            leaked.extend(f"lock {lock}" for lock in held)

    async def _check_locks(self) -> None:
        """Give back each advisory lock as often as it is held, and compare the number."""
        held = await self.conn.fetch(
            "SELECT objid::int8 FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid() ORDER BY objid"
        )
        counts: dict[int, int] = {}
        for (nonce,) in held:
            counts[nonce] = 0
            while await self.conn.fetchval("SELECT pg_advisory_unlock($1)", nonce):
                counts[nonce] += 1
        for nonce in counts.keys() | self._locks.keys():
            expected, count = self._locks.get(nonce, {0}), counts.get(nonce, 0)
            if count in expected:
                continue
            text = f"advisory lock {nonce} is held {count} times, expected {expected}"
            (self._record.faults.doubled if count > 1 else self._record.leaked).append(text)


def is_safe_to_retry(error: BaseException) -> bool:
    return bool(getattr(error, "safe_to_retry", False))


async def run(server: EmbeddedServer, seed: int, scale: float) -> Figures:
    """Give up `scale` times 100,000 statements."""
    figures = Figures(1, "random cancels")
    chance = random.Random(seed)
    record = Record()
    sockets = open_sockets()
    goal = max(1, round(CANCELS * scale))
    calls = record.calls
    async with Administrator(server.dsn) as administrator, lag_watched(record):
        with counted(calls, cancel, "send_cancel"), counted(calls, harmless, "candidate"):
            while record.cancels < goal and not record.stuck:
                cancels = -(-min(CANCELS_PER_WAVE, goal - record.cancels) // CROWDS)
                manners = [Manner(mix, SCHEMA, TASKS, {}) for mix in MIXES]
                crowds = [
                    Crowd(
                        server.tcp_dsn,
                        chance,
                        number,
                        cancels,
                        record,
                        manners[number % len(MIXES)],
                    )
                    for number in range(CROWDS)
                ]
                await asyncio.gather(*[crowd.run(administrator) for crowd in crowds])
    under_fire = await storm(server, scale)
    await check_process(record, sockets)
    _tell(figures, record)
    figures.at_least("storm_hits", under_fire.hits, 1)
    figures.zero("storm_stranded", under_fire.stranded)
    return figures.finish()


@asynccontextmanager
async def lag_watched(record: Record) -> AsyncIterator[None]:
    """Note how late the loop is: over a thousand tasks share it, and nobody is free before it."""

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            record.lag_max = max(record.lag_max, loop.time() - due)

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


@contextmanager
def counted(calls: Counter[str], module: ModuleType, name: str) -> Iterator[None]:
    """Count the calls of a function that its callers look up in its module."""
    function = getattr(module, name)

    def counting(*args: Any) -> Any:
        calls[name] += 1
        return function(*args)

    with mock.patch.object(module, name, counting):
        yield


async def check_process(record: Record, sockets: set[str]) -> None:
    """No task and no descriptor is left in this process."""
    for _ in range(200):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        left = open_sockets() - sockets
        if not tasks and not left:
            return
        await asyncio.sleep(0.01)
    record.leaked += [f"task {task}" for task in tasks] + [f"socket {name}" for name in left]


def _tell(figures: Figures, record: Record) -> None:
    outcomes = record.outcomes
    figures.show("operations", outcomes.total())
    figures.at_least("cancels", record.cancels, 1)
    figures.zero("misdelivered", record.misdelivered)
    figures.zero("misdirected", record.misdirected)
    figures.zero("doubled", record.faults.doubled)
    figures.zero("lost", record.faults.lost)
    figures.zero("torn", record.faults.torn)
    figures.zero("mixed", record.faults.mixed)
    figures.zero("untyped", record.untyped)
    figures.zero("stuck", record.stuck)
    figures.zero("leaked", record.leaked)
    figures.show("signals", record.calls["send_cancel"])
    figures.show("proofs", record.calls["candidate"])
    figures.show("collateral", outcomes[Outcome.COLLATERAL])
    figures.show("administrator", outcomes[Outcome.CANCELED] - len(record.misdirected))
    figures.show("busy", outcomes[Outcome.BUSY])
    figures.show("reconnects", record.reconnects)
    figures.show("freed_max_ms", record.freed_max * 1000)
    figures.show("loop_lag_max_ms", record.lag_max * 1000)
