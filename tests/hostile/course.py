"""What a program does with a connection, step by step, and what it is told each time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from pgallop.connecting import ConnectCall
from pgallop.connection import Connection
from pgallop.transaction import HURRY_SECONDS


async def create(conn: Connection) -> object:
    return await conn.execute("CREATE TEMP TABLE users (id int4 PRIMARY KEY, name text)")


async def insert(conn: Connection) -> object:
    return await conn.execute("INSERT INTO users VALUES ($1, $2)", 1, "Grüße 😀")


async def fetch(conn: Connection) -> object:
    return await conn.fetch("SELECT *, NULL, ARRAY[1.5] FROM users WHERE id = ANY ($1)", [1, 2])


async def fail(conn: Connection) -> object:
    return await conn.fetchval("SELECT 6 / $1::int4", 0)


async def several(conn: Connection) -> object:
    answers = await asyncio.gather(
        conn.fetchval("SELECT 6 / $1::int4", 2),
        conn.fetchrow("SELECT true, $1::text", "x"),
        conn.execute("SET TimeZone = 'Asia/Tokyo'; SELECT 1"),
        return_exceptions=True,
    )
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


async def transact(conn: Connection) -> object:
    async with conn.transaction():
        await conn.execute("INSERT INTO users VALUES ($1, $2)", 2, None)
        async with conn.transaction():
            return await conn.fetchval("SELECT count(*) FROM users")


async def transact_in_vain(conn: Connection) -> object:
    async with conn.transaction():
        return await conn.execute("INSERT INTO users VALUES ($1, $2)", 2, None)


async def pipeline(conn: Connection) -> object:
    async with conn.pipeline() as pipeline:
        inserted = pipeline.execute("INSERT INTO users VALUES ($1, $2)", 3, "Ada")
        counted = pipeline.fetchval("SELECT count(*) FROM users")
    return inserted.result(), counted.result()


async def pipeline_in_vain(conn: Connection) -> object:
    async with conn.pipeline() as pipeline:
        counted = pipeline.fetchval("SELECT count(*) FROM users")
        pipeline.fetchval("SELECT 6 / $1::int4", 0)
    return counted.result()


async def copy(conn: Connection) -> object:
    return await conn.execute("COPY users FROM STDIN")


async def copy_records(conn: Connection) -> object:
    return await conn.copy_records_to_table("users", records=[(4, "Grace"), (5, None)])


async def copy_in_vain(conn: Connection) -> object:
    return await conn.copy_to_table("users", source=[b"6\tLinus\n", b"x\ty\n"])


async def listen(conn: Connection) -> object:
    return await conn.execute("LISTEN news; NOTIFY news; DO 'BEGIN RAISE NOTICE ''x''; END'")


class Step(NamedTuple):
    """`seconds`: how long it may take beyond its `timeout`: a block waits for its rollback."""

    run: Callable[[Connection], Awaitable[object]]
    seconds: float = 0.0


STEPS = (
    Step(create),
    Step(insert),
    Step(fetch),
    Step(fail),
    Step(several),
    Step(transact, 2 * HURRY_SECONDS),
    Step(transact_in_vain, HURRY_SECONDS),
    Step(pipeline),
    Step(pipeline_in_vain),
    Step(copy),
    Step(copy_records),
    Step(copy_in_vain),
    Step(listen),
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a step was told: `words`, and the `error` that they are of, after so many `seconds`.

    `grace`: how many of the seconds are beyond the step's timeout by right. `size`: how much the
    server had said by then.
    """

    words: str
    error: Exception | None
    seconds: float
    grace: float
    size: int


async def told(step: Awaitable[Any], size: Callable[[], int], grace: float = 0.0) -> Told:
    """What becomes of a step."""
    error: Exception | None = None
    start = time.perf_counter()
    try:
        words = repr(await step)
    except Exception as caught:
        error, words = caught, f"{type(caught).__name__}: {caught}"
    return Told(words, error, time.perf_counter() - start, grace, size())


async def hold(call: ConnectCall, size: Callable[[], int] = int) -> list[Told]:
    """Take all the steps, connecting and closing included; `size` tells how much was said."""
    connections: list[Connection] = []

    async def connect() -> None:
        connections.append(await call)

    course = [await told(connect(), size)]
    for conn in connections:
        course += [await told(step.run(conn), size, step.seconds) for step in STEPS]
        course.append(await told(conn.close(), size, conn.drain_timeout))
        assert conn.is_closed()
    return course
