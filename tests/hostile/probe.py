"""`Probe`: one lie, what is asked of the driver meanwhile, and how that has to end.

    Probe(
        name="a row of fewer columns than described",
        script=rows(data_row()),
        ask=fetch,
        error=ProtocolError,
        words="does not have the 1 columns",
    )

The functions below are the words in which the probes are written: scripts that lead to a state and
then lie, and what the client does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from scripted_server import (
    FAREWELL,
    WELCOME,
    Close,
    Script,
    Stall,
    Step,
    expect,
    send,
    stall,
)
from scripts import (
    BIND_COMPLETE,
    INT4,
    PARSE_COMPLETE,
    command_complete,
    data_row,
    int4,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop.connection import Connection

Ask = Callable[[Connection], Awaitable[object]]

# What goes on where nothing was broken: the answer to one more statement.
AGAIN: Final[Script] = [
    expect("Query sql='AGAIN'"),
    send(command_complete("DO"), ready_for_query()),
    *FAREWELL,
]


class Anything:
    """What a probe gives out that may give out anything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


ANYTHING: Final = Anything()


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One lie of a server, and what has to become of it.

    Attributes:
        name: what the server does, in words; unique within its file.
        script: what the first connection gets.
        ask: what the client does with it; None if it must not even be connected.
        error: the class of the error that must come out, exactly; None if nothing may fail.
        words: what the error's text has in it.
        value: without an error, what `ask` has to return.
        usable: the connection is to go on; otherwise it has to be closed.
        options: for `connect`, besides host, port, user and password.
        modules: libraries by their names, in the place of those that are installed.
        seconds: all of it may take so long.
        megabytes: memory that it may take at most, in MiB, beyond what the process had.
        block: the event loop may be kept from its other work so long, in seconds.
    """

    name: str
    script: Script
    ask: Ask | None = None
    error: type[BaseException] | None = pgallop.ProtocolError
    words: str = ""
    value: object = ANYTHING
    usable: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    modules: Mapping[str, ModuleType] = field(default_factory=dict)
    seconds: float = 2.0
    megabytes: float = 8.0
    block: float = 0.1

    def steps(self) -> list[Step]:
        """The whole script: what is said behind the lie, or nothing until the client has gone."""
        steps = list(self.script)
        if self.usable:
            return [*steps, *AGAIN]
        if steps and isinstance(steps[-1], Close | Stall):
            return steps
        return [*steps, stall()]


# Scripts: to a state, and what is said there


def said(*what: bytes | Step) -> list[Step]:
    """Bytes to send and steps to take, in turn."""
    return [send(each) if isinstance(each, bytes) else each for each in what]


def startup(*what: bytes | Step) -> list[Step]:
    """Said in answer to the StartupMessage."""
    return [expect("StartupMessage"), *said(*what)]


def idle(*what: bytes | Step) -> list[Step]:
    """Said when nothing was asked, right behind the greeting."""
    return [*WELCOME, *said(*what)]


def prepare(*what: bytes | Step) -> list[Step]:
    """Said in answer to Parse, Describe, Sync."""
    return [*WELCOME, expect("Parse", "Describe", "Sync"), *said(*what)]


def description(*columns: tuple[str, int], parameters: Sequence[int] = ()) -> bytes:
    """The answer to Parse, Describe, Sync."""
    return b"".join(
        [
            PARSE_COMPLETE,
            parameter_description(*parameters),
            row_description(*columns),
            ready_for_query(),
        ]
    )


ONE: Final = ("one", INT4)


def execute(*what: bytes | Step, columns: Sequence[tuple[str, int]] = (ONE,)) -> list[Step]:
    """Said in answer to Bind, Execute, Sync of a statement with these columns."""
    prepared = prepare(description(*columns))
    return [*prepared, expect("Bind", "Execute", "Sync"), *said(*what)]


def rows(*what: bytes | Step, columns: Sequence[tuple[str, int]] = (ONE,)) -> list[Step]:
    """Said where the first row is due."""
    return execute(BIND_COMPLETE, *what, columns=columns)


def finished(tag: str = "SELECT 1") -> bytes:
    """The end of a statement that ran, without its rows."""
    return command_complete(tag) + ready_for_query()


def value(data: bytes, oid: int, *what: bytes | Step) -> list[Step]:
    """One row of one column of that type, whose bytes are `data`, and what follows."""
    follows = what or (finished(),)
    return rows(data_row(data), *follows, columns=[("lie", oid)])


def simple(*what: bytes | Step) -> list[Step]:
    """Said in answer to Query."""
    return [*WELCOME, expect("Query"), *said(*what)]


def pipelined(*what: bytes | Step) -> list[Step]:
    """Said in answer to two executions of one statement under one Sync."""
    return [
        *prepare(description(ONE)),
        expect("Bind", "Execute", "Bind", "Execute", "Sync"),
        *said(*what),
    ]


ONE_ROW: Final = data_row(int4(1))


# What the client does


async def fetch(conn: Connection) -> object:
    """`fetch`, and its rows as tuples."""
    return [tuple(row) for row in await conn.fetch("SELECT 1")]


async def fetch_value(conn: Connection) -> object:
    return await conn.fetchval("SELECT 1")


async def run_script(conn: Connection) -> object:
    """`execute` without arguments: the simple protocol."""
    return await conn.execute("DO")


async def run_pipeline(conn: Connection) -> object:
    async with conn.pipeline() as pipeline:
        answers = [pipeline.fetchval("SELECT 1") for _ in range(2)]
    return [answer.result() for answer in answers]


async def run_transaction(conn: Connection) -> object:
    async with conn.transaction():
        return await conn.execute("DO")


async def look_on(conn: Connection) -> object:
    """Nothing, until the connection is closed; the reason is then found in the next call."""
    await until_closed(conn)
    return await conn.execute("DO")


async def until_closed(conn: Connection) -> None:
    while not conn.is_closed():
        await asyncio.sleep(0.005)


def give_up_fetch(seconds: float) -> Ask:
    """`fetch` under a deadline; then wait until `drain_timeout` has ended the connection."""

    async def ask(conn: Connection) -> object:
        try:
            return await conn.fetch("SELECT 1", timeout=seconds)
        except TimeoutError:
            await until_closed(conn)
            raise

    return ask


def give_up_script(seconds: float) -> Ask:
    """The same with the simple protocol."""

    async def ask(conn: Connection) -> object:
        try:
            return await conn.execute("DO", timeout=seconds)
        except TimeoutError:
            await until_closed(conn)
            raise

    return ask
