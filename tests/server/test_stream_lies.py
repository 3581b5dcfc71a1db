"""Streams from servers that lie, or fall silent."""

from __future__ import annotations

import time
from typing import Any

import pytest
from scripted_server import WELCOME, ScriptedServer, close, expect, send, stall
from scripts import (
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    INT4,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    command_complete,
    data_row,
    error_response,
    int4,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop


async def all_of(rows: Any) -> list[int]:
    return [row["n"] async for row in rows]


BEGUN = (PARSE_COMPLETE, BIND_COMPLETE, command_complete("BEGIN"), BIND_COMPLETE)
ROW = data_row(int4(1))
PREPARED = (
    *WELCOME,
    expect("Parse sql='SELECT n'", "Describe", "Sync"),
    send(PARSE_COMPLETE, parameter_description(), row_description(("n", INT4))),
    send(ready_for_query("I")),
    expect("Parse sql='BEGIN'", "Bind", "Execute", "Bind portal='pgallop_portal_"),
    expect("Execute max_rows=3", "Sync"),
)
DONE = send(*BEGUN, ROW, command_complete("SELECT 1"), ready_for_query("T"))


def connect_to(server: ScriptedServer, **options: Any) -> Any:
    dsn = f"postgresql://a@127.0.0.1:{server.port}/a?sslmode=disable"
    return pgallop.connect(dsn, **options)


@pytest.mark.parametrize(
    "messages",
    [
        (ROW, ROW, ROW, ROW),  # more than were asked for
        (ROW, PORTAL_SUSPENDED),  # fewer
        (PORTAL_SUSPENDED,),
        (data_row(int4(1), int4(2)), ROW, ROW, PORTAL_SUSPENDED),
        (ready_for_query("T"),),
        (CLOSE_COMPLETE,),
    ],
)
async def test_rows_of_a_server_that_lies(messages: tuple[bytes, ...]) -> None:
    with ScriptedServer([*PREPARED, send(*BEGUN, *messages), stall()]) as server:
        conn = await connect_to(server)
        with pytest.raises(pgallop.ProtocolError):
            await all_of(conn.stream("SELECT n", prefetch=2))
        assert conn.is_closed()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (command_complete("ROLLBACK"), pgallop.TransactionAborted),
        (command_complete("SELECT 1"), pgallop.ProtocolError),
        (error_response("40001", "could not serialize access"), pgallop.SerializationError),
    ],
)
async def test_a_commit_that_is_none(answer: bytes, expected: type[Exception]) -> None:
    script = [*PREPARED, DONE, expect("Query sql='COMMIT'"), send(answer, ready_for_query("I"))]
    with ScriptedServer([*script, stall()]) as server:
        conn = await connect_to(server)
        with pytest.raises(expected):
            await all_of(conn.stream("SELECT n", prefetch=2))
        assert not conn.is_in_transaction()
        conn.terminate()


@pytest.mark.parametrize("answers", [(DONE, expect("Query sql='COMMIT'")), ()])
async def test_a_server_that_falls_silent(answers: tuple[Any, ...]) -> None:
    with ScriptedServer([*PREPARED, *answers, stall()]) as server:
        conn = await connect_to(server)
        start = time.monotonic()
        with pytest.raises(TimeoutError, match=r"no answer within 0\.1 seconds"):
            await all_of(conn.stream("SELECT n", prefetch=2, timeout=0.1))
        assert time.monotonic() - start < 1
        conn.terminate()


@pytest.mark.parametrize("how", ["timeout", "drain_timeout"])
async def test_a_rollback_without_an_answer(how: str) -> None:
    """The error is there already, and is not waited with for long."""
    failed = error_response("22012", "division by zero"), ready_for_query("E")
    script = [*PREPARED, send(*BEGUN, *failed), expect("Query sql='ROLLBACK'"), stall()]
    with ScriptedServer(script) as server:
        conn = await connect_to(server, drain_timeout=0.1 if how == "drain_timeout" else 5)
        start = time.monotonic()
        with pytest.raises(pgallop.DivisionByZeroError):
            timeout = 0.1 if how == "timeout" else None
            await all_of(conn.stream("SELECT n", prefetch=2, timeout=timeout))
        assert time.monotonic() - start < 1
        conn.terminate()


@pytest.mark.parametrize("place", range(6))
async def test_the_connection_ends_in_the_middle(place: int) -> None:
    messages = (*BEGUN[-1:], ROW, ROW, ROW, PORTAL_SUSPENDED)[:place]
    with ScriptedServer([*PREPARED, send(*BEGUN[:-1], *messages), close()]) as server:
        conn = await connect_to(server)
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            await all_of(conn.stream("SELECT n", prefetch=2))
        assert conn.is_closed()
