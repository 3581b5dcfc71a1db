"""The scripted server itself: it says what its script says, in time, and minds the client."""

from __future__ import annotations

import asyncio
import time

import pytest
import scripts
from conversation import Answer
from scripted_server import (
    FAREWELL,
    WELCOME,
    Deviation,
    ScriptedServer,
    Step,
    close,
    expect,
    flood,
    perform,
    reply,
    reset,
    send,
    stall,
    wait,
)

import pgallop
from pgallop.connecting import ConnectCall
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery

PREPARED = [
    expect("Parse sql='SELECT 1'", "Describe", "Sync"),
    send(
        scripts.PARSE_COMPLETE,
        scripts.parameter_description(),
        scripts.row_description(("one", scripts.INT4)),
        scripts.ready_for_query(),
    ),
]
EXECUTED = [
    expect("Bind", "Execute", "Sync"),
    send(
        scripts.BIND_COMPLETE,
        scripts.data_row(scripts.int4(1)),
        scripts.command_complete("SELECT 1"),
        scripts.ready_for_query(),
    ),
]
DONE = scripts.command_complete("DO") + scripts.ready_for_query()


def call(server: ScriptedServer) -> ConnectCall:
    return pgallop.connect(
        host=server.host, port=server.port, user="ada", password="secret", ssl="disable", timeout=5
    )


async def test_a_whole_conversation() -> None:
    with ScriptedServer([*WELCOME, *PREPARED, *EXECUTED, *FAREWELL]) as server:
        async with call(server) as conn:
            assert await conn.fetchval("SELECT 1") == 1
    assert server.clients == 1


async def test_a_script_for_each_connection_and_the_last_for_the_others() -> None:
    with ScriptedServer([*WELCOME, close()], [*WELCOME, *FAREWELL]) as server:
        (await call(server)).terminate()
        for _ in range(2):
            await (await call(server)).close()
    assert server.clients == 3


async def test_words_are_looked_for() -> None:
    script = [*WELCOME, expect("Query sql='SELECT 2'"), send(DONE)]
    with pytest.raises(Deviation, match=r"SELECT 2.*SELECT 3"), ScriptedServer(script) as server:
        conn = await call(server)
        with pytest.raises(pgallop.PostgresConnectionError):
            await conn.execute("SELECT 3")


async def test_a_client_that_leaves_too_early() -> None:
    with pytest.raises(Deviation, match="left"), ScriptedServer([*WELCOME, *PREPARED]) as server:
        (await call(server)).terminate()
        await asyncio.sleep(0.1)


async def test_replies_see_what_was_sent() -> None:
    def echo(bodies: list[bytes]) -> bytes:
        (body,) = bodies
        return scripts.command_complete(body.rstrip(b"\0").decode()) + scripts.ready_for_query()

    script = [*WELCOME, expect("Query"), reply(echo), *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            assert await conn.execute("say this") == "say this"


async def test_floods_and_waiting() -> None:
    notice = scripts.notice_response("look out")
    script = [*WELCOME, expect("Query"), flood(notice, 1000), wait(0.2), send(DONE), *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            start = time.monotonic()
            assert await conn.execute("DO") == "DO"
            assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize("end", [close(), reset(), stall()])
async def test_ends(end: Step) -> None:
    with ScriptedServer([*WELCOME, expect("Query"), end]) as server:
        conn = await call(server)
        start = time.monotonic()
        with pytest.raises((pgallop.PostgresConnectionError, TimeoutError)):
            await conn.execute("DO", timeout=0.3)
        assert (time.monotonic() - start >= 0.29) is (end == stall())  # uvloop counts whole ms
        conn.terminate()


def test_a_session_without_a_network() -> None:
    session = Session()
    answers = [Answer(), Answer()]
    for text, answer in zip(["DO", "AGAIN"], answers, strict=True):
        session.submit(SimpleQuery(answer, text))
    perform(session, [expect("Query sql='DO'", "Query"), send(DONE), send(DONE)], startup=False)
    assert [answer.result for answer in answers] == ["DO", "DO"]
    session.submit(SimpleQuery(None, "DO"))
    with pytest.raises(Deviation, match=r"Parse.*Query"):
        perform(session, [expect("Parse")], startup=False)
