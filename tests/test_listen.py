"""LISTEN and UNLISTEN in the moments that a real server does not offer on demand."""

from __future__ import annotations

import asyncio
import time

import pytest
from scripted_server import (
    FAREWELL,
    WELCOME,
    ScriptedServer,
    Step,
    close,
    expect,
    flood,
    send,
    wait,
)
from scripts import command_complete, error_response, notification_response, ready_for_query

import pgallop
from pgallop import inbox
from pgallop.connecting import ConnectCall
from pgallop.preparing import TRIES

LISTENED = command_complete("LISTEN") + ready_for_query()
UNLISTENED = command_complete("UNLISTEN") + ready_for_query()
CANCELLED = error_response("57014", "canceling statement due to user request")
HELLO = notification_response(7, "jobs", "hello")
LISTEN = expect("Query sql='LISTEN \"jobs\"'")
UNLISTEN = expect("Query sql='UNLISTEN \"jobs\"'")


def call(server: ScriptedServer) -> ConnectCall:
    return pgallop.connect(
        host=server.host, port=server.port, user="ada", password="secret", ssl="disable", timeout=5
    )


class Ear:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def __call__(self, conn: object, pid: int, channel: str, payload: str) -> None:
        self.heard.append(payload)


async def test_right_behind_the_answer() -> None:
    """It is in the same packet, before the task that waits for the answer can run."""
    script = [*WELCOME, LISTEN, send(HELLO, LISTENED, HELLO, HELLO), *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            ear = Ear()
            await conn.add_listener("jobs", ear)
            await asyncio.sleep(0.01)
            assert ear.heard == ["hello"] * 2


async def test_what_comes_before_the_end() -> None:
    with ScriptedServer([*WELCOME, LISTEN, send(LISTENED), send(*[HELLO] * 3), close()]) as server:
        conn = await call(server)
        ear = Ear()
        await conn.add_listener("jobs", ear)
        async with asyncio.timeout(5):
            while not conn.is_closed():
                await asyncio.sleep(0.002)
        await asyncio.sleep(0)
        assert ear.heard == ["hello"] * 3


async def test_nothing_is_read_while_listeners_do_not_keep_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor does the loop turn around for that; then all the rest comes, answers too."""
    monkeypatch.setattr(inbox, "MAX_LISTENER_TASKS", 5)
    monkeypatch.setattr(inbox, "MAX_PENDING_MESSAGES", 20)
    asked = expect("Query sql='DO'")
    done = send(command_complete("DO"), ready_for_query())
    script = [*WELCOME, LISTEN, send(LISTENED), asked, flood(HELLO * 10, 10_000), done, *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            go_on = asyncio.Event()
            heard: list[str] = []

            async def listener(conn: object, pid: int, channel: str, payload: str) -> None:
                await go_on.wait()
                heard.append(payload)

            await conn.add_listener("jobs", listener)
            asking = asyncio.create_task(conn.execute("DO"))
            async with asyncio.timeout(5):
                while not conn._session.paused:
                    await asyncio.sleep(0.002)
            spent = time.thread_time()
            await asyncio.sleep(0.3)
            assert time.thread_time() - spent < 0.1
            assert not heard
            assert not asking.done()
            go_on.set()
            assert await asking == "DO"
            async with asyncio.timeout(5):
                while len(heard) < 100_000:
                    await asyncio.sleep(0.002)
            assert len(heard) == 100_000


async def test_behind_the_last_listener() -> None:
    script = [*WELCOME, LISTEN, send(LISTENED), UNLISTEN, send(HELLO, UNLISTENED, HELLO), *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            ear = Ear()
            await conn.add_listener("jobs", ear)
            await conn.remove_listener("jobs", ear)
            await asyncio.sleep(0.01)
            assert ear.heard == []


@pytest.mark.parametrize("others", [0, 1])
async def test_cancelled_in_the_moment_of_the_answer(others: int) -> None:
    """It is not there, unless another task has added it, too."""
    # All in one packet, so that no task has gone on when the queue is empty.
    answers = [LISTEN, *[LISTEN] * others, send(*[LISTENED, HELLO] * (1 + others))]
    taken_back = [] if others else [UNLISTEN, send(UNLISTENED)]
    script = [*WELCOME, *answers, *taken_back]
    with ScriptedServer([*script, *FAREWELL]) as server:
        async with call(server) as conn:
            ear = Ear()
            adding = asyncio.create_task(conn.add_listener("jobs", ear))
            staying = [asyncio.create_task(conn.add_listener("jobs", ear)) for _ in range(others)]
            on_head = conn._session.on_head
            assert on_head is not None

            def cancel() -> None:
                adding.cancel()
                on_head()

            conn._session.on_head = cancel
            await asyncio.wait([adding, *staying])
            conn._session.on_head = on_head
            assert adding.cancelled()
            async with asyncio.timeout(5):
                while conn._session.requests:
                    await asyncio.sleep(0.002)
            await asyncio.sleep(0.01)
            assert ear.heard == ["hello"] * (2 if others else 0)
            assert bool(conn._channels._channels) is bool(others)


async def test_hit_by_another_ones_cancellation() -> None:
    """It is undone and can do no harm: it is said again."""
    hit = send(CANCELLED, ready_for_query())
    script = [*WELCOME, LISTEN, hit, LISTEN, hit, LISTEN, send(LISTENED), UNLISTEN, hit, UNLISTEN]
    with ScriptedServer([*script, send(UNLISTENED), *FAREWELL]) as server:
        async with call(server) as conn:
            conn._session.exposed = True  # as if a signal were still on its way
            ear = Ear()
            await conn.add_listener("jobs", ear)
            await conn.remove_listener("jobs", ear)
            async with asyncio.timeout(5):  # UNLISTEN goes on without its caller
                while conn._channels._channels:
                    await asyncio.sleep(0.002)


async def test_hit_again_and_again() -> None:
    hit = [LISTEN, send(CANCELLED, ready_for_query())]
    with ScriptedServer([*WELCOME, *hit * (TRIES + 1), *FAREWELL]) as server:
        async with call(server) as conn:
            conn._session.exposed = True
            with pytest.raises(pgallop.CollateralCancelError):
                await conn.add_listener("jobs", print)
            assert not conn._channels._channels


async def test_hit_in_a_transaction() -> None:
    script = [
        *WELCOME,
        expect("Query sql='BEGIN; LISTEN"),
        send(command_complete("BEGIN"), CANCELLED, ready_for_query("E")),
        expect("Query sql='ROLLBACK'"),
        send(command_complete("ROLLBACK"), ready_for_query()),
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            conn._session.exposed = True
            with pytest.raises(pgallop.CollateralCancelError):
                async with conn.transaction():
                    await conn.add_listener("jobs", print)
            assert not conn._channels._channels


async def test_refused_when_it_is_said_again() -> None:
    """Behind a transaction that was rolled back; nobody waits for it, so the loop is told."""
    script = [
        *WELCOME,
        expect("Query sql='BEGIN; LISTEN"),
        send(command_complete("BEGIN"), command_complete("LISTEN"), ready_for_query("T")),
        expect("Query sql='ROLLBACK'"),
        send(command_complete("ROLLBACK"), ready_for_query()),
        LISTEN,
        send(error_response("53200", "out of memory"), ready_for_query()),
        *FAREWELL,
    ]
    seen: list[str] = []
    loop = asyncio.get_running_loop()
    handler = loop.get_exception_handler()
    loop.set_exception_handler(lambda loop, context: seen.append(context["message"]))
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            with pytest.raises(ZeroDivisionError):
                async with conn.transaction():
                    await conn.add_listener("jobs", print)
                    raise ZeroDivisionError
    loop.set_exception_handler(handler)
    assert len(seen) == 1
    assert seen[0].startswith('"jobs" is not listened to any more')


@pytest.mark.parametrize("end", [close(), wait(0)])
async def test_lost_while_it_waits(end: Step) -> None:
    with ScriptedServer([*WELCOME, LISTEN, end]) as server:
        conn = await call(server)
        adding = asyncio.create_task(conn.add_listener("jobs", print))
        await asyncio.sleep(0.02)
        conn.terminate()
        with pytest.raises((pgallop.ConnectionDoesNotExistError, pgallop.InterfaceError)):
            await adding
        assert not conn._channels._channels
        await conn.remove_listener("jobs", print)
