"""What the crowd of random cancels does on its shared connection, one function an operation.

Each is told its nonce, writes it, and checks it in every row that it gets back. The rows that it
leaves in the ledger when it is acknowledged, and what it may leave when it is not, stand beside it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from chaos.ledger import NOTHING, Steps

import pgallop

INDEXES = 12
TEXTS = 60
CALL_STEPS = 4

# Tables, and a procedure that commits after each of its steps.
SCHEMA = """
    DROP SCHEMA IF EXISTS {schema} CASCADE;
    CREATE SCHEMA {schema};
    CREATE TABLE {schema}.small AS SELECT n FROM generate_series(1, 50) AS n;
    CREATE PROCEDURE {schema}.steps(nonce int, count int) LANGUAGE plpgsql AS $$
    BEGIN
        FOR step IN 1..count LOOP
            INSERT INTO {schema}.ledger VALUES (nonce, step);
            COMMIT;
            PERFORM pg_sleep(0.002);
        END LOOP;
    END $$
"""


class Misdelivered(Exception):
    """Somebody got an answer that was not theirs."""


class Undo(Exception):
    """Raised to have a block rolled back."""


@dataclass
class Call:
    """One operation under way. `timeout`: for its statements, if it has one for them."""

    conn: pgallop.Connection
    nonce: int
    chance: random.Random
    timeout: float | None = None
    locked: bool = False  # the advisory lock of this nonce was acknowledged
    unlocking: bool = False  # and its end was asked for
    unlocked: bool = False  # and acknowledged

    def expect(self, received: object, expected: object) -> None:
        if received != expected:
            raise Misdelivered(f"{self.nonce}: expected {expected!r}, received {received!r:.200}")

    def locks(self) -> set[int]:
        """How often the advisory lock of this nonce may be held after this."""
        if self.unlocked:
            return {0}
        if self.unlocking or not self.locked:
            return {0, 1}
        return {1}

    def moment(self) -> float:
        """Up to 30 ms; often nothing."""
        return max(0.0, self.chance.random() * 0.05 - 0.02)


async def echo(call: Call) -> None:
    received = await call.conn.fetchval("SELECT $1::int", call.nonce, timeout=call.timeout)
    call.expect(received, call.nonce)


async def slow_echo(call: Call) -> None:
    query = "SELECT $1::int FROM pg_sleep($2)"
    row = await call.conn.fetchrow(query, call.nonce, call.moment(), timeout=call.timeout)
    call.expect(row, (call.nonce,))


async def long_echo(call: Call) -> None:
    """Long enough to be cancelled on the server although neighbours wait behind it.

    Some end just when that happens: 50 to 100 ms after their turn has come.
    """
    query = "SELECT $1::int FROM pg_sleep($2)"
    seconds = call.chance.choice((0.05, 0.1, 0.2)) + 0.01 * call.chance.random()
    received = await call.conn.fetchval(query, call.nonce, seconds, timeout=call.timeout)
    call.expect(received, call.nonce)


async def big_result(call: Call) -> None:
    query = "SELECT $1::int, n, repeat('x', 150) FROM generate_series(1, 1000) AS n"
    rows = await call.conn.fetch(query, call.nonce, timeout=call.timeout)
    call.expect([row[:2] for row in rows], [(call.nonce, n) for n in range(1, 1001)])


async def one_of_many_texts(call: Call) -> None:
    """More texts than the cache holds: they are prepared again and again, by several at once."""
    text = call.nonce % TEXTS
    query = f"SELECT {text}, $1::int"
    row = await call.conn.fetchrow(query, call.nonce, timeout=call.timeout)
    call.expect(row, (text, call.nonce))


async def failing(call: Call) -> None:
    try:
        await call.conn.fetchval("SELECT 1 / ($1::int - $1)", call.nonce, timeout=call.timeout)
    except pgallop.DivisionByZeroError:
        return
    raise Misdelivered(f"{call.nonce}: no error for a division by zero")


async def failing_to_prepare(call: Call) -> None:
    try:
        await call.conn.fetchval(f"SELECT no_such_column, {call.nonce}", timeout=call.timeout)
    except pgallop.UndefinedColumnError:
        return
    raise Misdelivered(f"{call.nonce}: no error for an unknown column")


async def insert(call: Call) -> None:
    query = "INSERT INTO ledger (nonce, step) VALUES ($1, 1)"
    tag = await call.conn.execute(query, call.nonce, timeout=call.timeout)
    call.expect(tag, "INSERT 0 1")


async def slow_insert(call: Call) -> None:
    query = "INSERT INTO ledger (nonce, step) SELECT $1, 1 FROM pg_sleep($2) RETURNING nonce"
    received = await call.conn.fetchval(query, call.nonce, call.moment(), timeout=call.timeout)
    call.expect(received, call.nonce)


async def procedure(call: Call) -> None:
    await call.conn.execute(f"CALL steps($1, {CALL_STEPS})", call.nonce, timeout=call.timeout)


async def script(call: Call) -> None:
    await call.conn.execute(
        f"INSERT INTO ledger VALUES ({call.nonce}, 1); SELECT pg_sleep({call.moment():.4f});"
        f"INSERT INTO ledger VALUES ({call.nonce}, 2)",
        timeout=call.timeout,
    )


async def script_that_commits(call: Call) -> None:
    await call.conn.execute(
        f"INSERT INTO ledger VALUES ({call.nonce}, 1); COMMIT;"
        f"SELECT pg_sleep({call.moment():.4f}); INSERT INTO ledger VALUES ({call.nonce}, 2)",
        timeout=call.timeout,
    )


async def index(call: Call) -> None:
    name = f"small_{call.chance.randrange(INDEXES)}"
    if call.chance.random() < 0.5:
        query = f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON small (n)"
    else:
        query = f"DROP INDEX CONCURRENTLY IF EXISTS {name}"
    tag = await call.conn.execute(query, timeout=call.timeout)
    call.expect(tag, " ".join(query.split()[:2]))


async def advisory_lock(call: Call) -> None:
    """Taken, and given back or left to be found by whoever counts the locks in the end."""
    query = "SELECT $1::int FROM pg_advisory_lock($1::int)"
    received = await call.conn.fetchval(query, call.nonce, timeout=call.timeout)
    call.expect(received, call.nonce)
    call.locked = True
    if call.chance.random() < 0.7:
        call.unlocking = True
        unlock = "SELECT $1::int, pg_advisory_unlock($1::int)"
        row = await call.conn.fetchrow(unlock, call.nonce, timeout=call.timeout)
        call.expect(row, (call.nonce, True))
        call.unlocked = True


async def transaction(call: Call) -> None:
    async with call.conn.transaction():
        await insert_step(call, 1)
        await slow_echo(call)
        await insert_step(call, 2)


async def transaction_of_tasks(call: Call) -> None:
    async with call.conn.transaction():
        # The group is in a task of its own because, before Python 3.13, one of which a task fails
        # leaves a cancellation behind that asyncio.timeout() then takes for somebody else's
        # (python/cpython#116720).
        await asyncio.create_task(insert_by_tasks(call))


async def insert_by_tasks(call: Call) -> None:
    async with asyncio.TaskGroup() as group:
        for step in (1, 2, 3):
            group.create_task(insert_step(call, step))
        group.create_task(slow_echo(call))


async def nested_transaction(call: Call) -> None:
    async with call.conn.transaction():
        await insert_step(call, 1)
        try:
            async with call.conn.transaction():
                await insert_step(call, 2)
                raise Undo
        except Undo:
            pass
        async with call.conn.transaction():
            await insert_step(call, 3)


async def empty_transaction(call: Call) -> None:
    async with call.conn.transaction():
        pass


async def stream(call: Call) -> None:
    """Read to its end, or left in the middle."""
    query = "SELECT $1::int, n FROM generate_series(1, 40) AS n"
    until = call.chance.choice((1, 15, 40))
    async with call.conn.stream(query, call.nonce, prefetch=10, timeout=call.timeout) as rows:
        for n in range(1, until + 1):
            call.expect(await anext(rows), (call.nonce, n))


async def forgotten_stream(call: Call) -> None:
    """What it has inserted is rolled back, for its rows are not read to their end."""
    query = "INSERT INTO ledger SELECT $1, n FROM generate_series(1, 40) AS n RETURNING nonce"
    async for row in call.conn.stream(query, call.nonce, prefetch=10, timeout=call.timeout):
        call.expect(row, (call.nonce,))
        break


async def stream_of_inserts(call: Call) -> None:
    query = (
        "INSERT INTO ledger SELECT $1, n FROM generate_series(1, 4) AS n, pg_sleep($2) "
        "RETURNING nonce, step"
    )
    moment = call.moment()
    stream = call.conn.stream(query, call.nonce, moment, prefetch=2, timeout=call.timeout)
    received = sorted([tuple(row) async for row in stream])
    call.expect(received, [(call.nonce, step) for step in range(1, 5)])


async def insert_step(call: Call, step: int) -> None:
    query = "INSERT INTO ledger (nonce, step) VALUES ($1, $2) RETURNING nonce"
    call.expect(await call.conn.fetchval(query, call.nonce, step), call.nonce)


class Operation(NamedTuple):
    """An operation, how often it comes, and what it may leave in the ledger."""

    run: Callable[[Call], Awaitable[None]]
    weight: int
    acknowledged: Collection[Steps] = NOTHING
    unknown: Collection[Steps] = NOTHING
    in_block: bool = False  # it is a transaction of several statements

    @property
    def name(self) -> str:
        return self.run.__name__


PREFIXES = [tuple(range(1, count + 1)) for count in range(CALL_STEPS + 1)]

OPERATIONS = (
    Operation(echo, 200),
    Operation(slow_echo, 80),
    Operation(long_echo, 40),
    Operation(big_result, 30),
    Operation(one_of_many_texts, 100),
    Operation(failing, 20),
    Operation(failing_to_prepare, 10),
    Operation(insert, 100, [(1,)], [(), (1,)]),
    Operation(slow_insert, 50, [(1,)], [(), (1,)]),
    Operation(procedure, 15, PREFIXES[-1:], PREFIXES),
    Operation(script, 30, [(1, 2)], [(), (1, 2)]),
    Operation(script_that_commits, 15, [(1, 2)], [(), (1,), (1, 2)]),
    Operation(index, 5),
    Operation(advisory_lock, 30),
    Operation(transaction, 10, [(1, 2)], [(), (1, 2)], True),
    Operation(transaction_of_tasks, 5, [(1, 2, 3)], [(), (1, 2, 3)], True),
    Operation(nested_transaction, 5, [(1, 3)], [(), (1, 3)], True),
    Operation(empty_transaction, 5, in_block=True),
    Operation(stream, 10, in_block=True),
    Operation(forgotten_stream, 5, in_block=True),
    Operation(stream_of_inserts, 5, [(1, 2, 3, 4)], [(), (1, 2, 3, 4)], True),
)


# Without blocks, which make everybody else wait unsent, most of what is given up is on the wire.
SINGLE = tuple(operation for operation in OPERATIONS if not operation.in_block)

# With many, whose beginnings and ends a cancellation may hit as well.
MANY_BLOCKS = (*OPERATIONS, *[one for one in OPERATIONS if one.in_block for _ in range(8)])


def choose(chance: random.Random, operations: Sequence[Operation]) -> Operation:
    return chance.choices(operations, [operation.weight for operation in operations])[0]
