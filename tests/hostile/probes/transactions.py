"""What the server says of transactions: ones it did not begin, does not end, or ends otherwise."""

from __future__ import annotations

import asyncio
import contextlib

from hostile.probe import Probe, look_on, run_script, run_transaction, said, simple
from scripted_server import WELCOME, Step, close, expect, send, wait
from scripts import EMPTY_QUERY_RESPONSE, command_complete, error_response, ready_for_query

import pgallop

ERROR = error_response("40001", "try again")


def done(tag: str, status: str = "I") -> bytes:
    """The answer to a script."""
    return command_complete(tag) + ready_for_query(status)


# The first statement of a block, and its answer.
BEGUN = [
    *WELCOME,
    expect("Query sql='BEGIN; DO'"),
    send(command_complete("BEGIN"), done("DO", "T")),
]


async def run_and_use(conn: pgallop.Connection) -> object:
    """A block, and then a statement outside of it."""
    await run_transaction(conn)
    return await conn.execute("DO")


async def abandon_and_use(conn: pgallop.Connection) -> object:
    """A statement that is given up, one that comes into what that has begun, and another."""
    task = asyncio.ensure_future(conn.execute("DO"))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.wait([task])
    with contextlib.suppress(pgallop.TransactionAborted):
        return f"not even rolled back: {await conn.execute('DO')}"
    return await look_on(conn)


async def block_behind_a_script(conn: pgallop.Connection) -> object:
    await conn.execute("DO")
    return await run_transaction(conn)


async def reset(conn: pgallop.Connection) -> object:
    await conn.reset()
    return conn.is_in_transaction()


# What a ROLLBACK does not do.
NOT_ENDED = {
    "acknowledged": done("ROLLBACK", "T"),
    "refused": error_response("57014", "canceled") + ready_for_query("E"),
}


def rollbacks(count: int, answer: bytes) -> list[Step]:
    return [expect("Query sql='ROLLBACK'"), send(answer)] * count


ENDLESS = [
    Probe(
        name=f"COMMIT leaves a transaction open, and each ROLLBACK is {how}",
        script=[
            *BEGUN,
            expect("Query sql='COMMIT'"),
            send(done("COMMIT", "T")),
            *rollbacks(10, answer),
        ],
        ask=run_and_use,
        error=pgallop.ConnectionDoesNotExistError,
        words="the server does not end the transaction",
    )
    for how, answer in NOT_ENDED.items()
] + [
    Probe(
        name=f"an abandoned statement leaves a transaction open, and each ROLLBACK is {how}",
        script=[
            *simple(wait(0.1), done("DO", "T")),
            *rollbacks(1, answer),
            expect("Query sql='DO'"),
            send(done("DO", "T")),
            *rollbacks(9, answer),
        ],
        ask=abandon_and_use,
        error=pgallop.InterfaceError,
        words="the server does not end the transaction",
    )
    for how, answer in NOT_ENDED.items()
]

PROBES = [
    *ENDLESS,
    Probe(
        name="COMMIT is answered by ROLLBACK",
        script=[*BEGUN, expect("Query sql='COMMIT'"), send(done("ROLLBACK"))],
        ask=run_transaction,
        error=pgallop.TransactionAborted,
        words="was rolled back",
        usable=True,
    ),
    Probe(
        name="COMMIT is answered by an error",
        script=[*BEGUN, expect("Query sql='COMMIT'"), send(ERROR, ready_for_query())],
        ask=run_transaction,
        error=pgallop.SerializationError,
        words="try again",
        usable=True,
    ),
    Probe(
        name="COMMIT is answered twice",
        script=[*BEGUN, expect("Query sql='COMMIT'"), send(done("COMMIT"), done("COMMIT"))],
        ask=run_and_use,
        error=pgallop.InterfaceError,
        words="b'C' when nothing was asked of it",
    ),
    Probe(
        name="COMMIT is answered by ReadyForQuery and nothing else",
        script=[*BEGUN, expect("Query sql='COMMIT'"), send(ready_for_query())],
        ask=run_transaction,
        words="answered COMMIT by ''",
    ),
    Probe(
        name="COMMIT is answered by an empty query",
        script=[
            *BEGUN,
            expect("Query sql='COMMIT'"),
            send(EMPTY_QUERY_RESPONSE, ready_for_query()),
        ],
        ask=run_transaction,
        words="answered COMMIT by ''",
    ),
    Probe(
        name="COMMIT is answered by another statement's tag",
        script=[*BEGUN, expect("Query sql='COMMIT'"), send(done("DO"))],
        ask=run_transaction,
        words="answered COMMIT by 'DO'",
    ),
    Probe(
        name="COMMIT is answered by a status that is none",
        script=[*BEGUN, expect("Query sql='COMMIT'"), send(done("COMMIT", "x"))],
        ask=run_transaction,
        words="unknown transaction status b'x'",
    ),
    Probe(
        name="COMMIT is answered by the end",
        script=[*BEGUN, expect("Query sql='COMMIT'"), close()],
        ask=run_transaction,
        error=pgallop.ConnectionDoesNotExistError,
        words="the server closed the connection",
    ),
    Probe(
        name="COMMIT leaves a transaction open that ROLLBACK ends",
        script=[
            *BEGUN,
            expect("Query sql='COMMIT'"),
            send(done("COMMIT", "T")),
            expect("Query sql='ROLLBACK'"),
            send(done("ROLLBACK")),
        ],
        ask=run_transaction,
        error=None,
        value="DO",
        usable=True,
    ),
    Probe(
        name="BEGIN fails, and the statement behind it has run",
        script=[
            *WELCOME,
            expect("Query sql='BEGIN; DO'"),
            *said(ERROR, command_complete("DO"), ready_for_query()),
        ],
        ask=run_transaction,
        error=pgallop.SerializationError,
        words="try again",
    ),
    Probe(
        name="a transaction that was not asked for, and a block",
        script=simple(done("DO", "T")),
        ask=block_behind_a_script,
        error=pgallop.InterfaceError,
        words="manually started transaction",
        usable=True,
    ),
    Probe(
        name="a transaction behind each reset",
        script=[
            *simple(done("DISCARD TEMP", "T")),
            *[
                expect("Query sql='ROLLBACK'", "Query"),
                send(done("ROLLBACK"), done("DISCARD TEMP", "T")),
            ]
            * 3,
        ],
        ask=reset,
        error=pgallop.ProtocolError,
        words="in a transaction again",
    ),
    Probe(
        name="a failed transaction that was not asked for",
        script=simple(done("DO", "E")),
        ask=run_script,
        error=None,
        value="DO",
        usable=True,
    ),
]
