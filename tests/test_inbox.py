"""The inbox of listeners: in order, a little at a time, and with bounds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
from scripts import (
    command_complete,
    notice_response,
    notification_response,
    parameter_status,
    ready_for_query,
)

from pgallop import inbox
from pgallop.errors import InterfaceError, PostgresLogMessage
from pgallop.inbox import Inbox, Listener, memory_of
from pgallop.session.session import Session
from pgallop.session.simple import SimpleQuery
from pgallop.transport.stream import TURN_SECONDS, Stream

ANSWER = command_complete("DO") + ready_for_query()


class Someone:
    """Stands for a connection."""


class Desk:
    """An inbox on a stream without a network, and what is delivered from it."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.stream = Stream(loop, Session(), None)
        self.connection: Someone | None = Someone()
        self.inbox = Inbox(loop, self.stream, lambda: self.connection)
        self.heard: list[object] = []
        self.tasks: list[asyncio.Task[Any]] = []

    def hear(self, connection: object, number: object) -> None:
        assert connection is self.connection
        self.heard.append(number)

    async def wait(self, connection: object, number: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.append(task)
        await asyncio.Event().wait()

    def put(self, *numbers: object, listener: Listener | None = None) -> None:
        listeners: Mapping[Listener, object] = {listener or self.hear: None}
        for number in numbers:
            self.inbox.put(listeners, (number,))

    @property
    def paused(self) -> bool:
        return self.stream.session.paused

    async def dismiss(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


async def test_later_and_in_order() -> None:
    desk = Desk()
    desk.put(1, 2, 3)
    assert desk.heard == []
    await asyncio.sleep(0)
    assert desk.heard == [1, 2, 3]


async def test_whoever_listens_when_its_turn_comes() -> None:
    desk = Desk()
    listeners: dict[Listener, object] = {desk.hear: None}
    desk.inbox.put(listeners, (1,))
    listeners.clear()
    desk.inbox.put(listeners, (2,))
    await asyncio.sleep(0)
    assert desk.heard == []


async def test_a_little_at_a_time() -> None:
    desk = Desk()

    def slow(connection: object, number: object) -> None:
        time.sleep(2 * TURN_SECONDS)  # the clock of uvloop ticks in milliseconds
        desk.heard.append(number)

    desk.put(1, 2, 3, listener=slow)
    for turns in range(1, 4):
        await asyncio.sleep(0)
        assert len(desk.heard) == turns
    await asyncio.sleep(0)
    assert desk.heard == [1, 2, 3]


async def test_nobody_holds_the_connection_any_more() -> None:
    desk = Desk()
    desk.put(1, 2)
    desk.connection = None
    await asyncio.sleep(0)
    desk.connection = Someone()
    desk.put(3)
    await asyncio.sleep(0)
    assert desk.heard == [3]


async def test_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session pauses, until half of them are delivered."""
    monkeypatch.setattr(inbox, "MAX_PENDING_MESSAGES", 10)
    monkeypatch.setattr(inbox, "TURN_SECONDS", 0.0)  # one a turn
    desk = Desk()
    desk.put(*range(9))
    assert not desk.paused
    desk.put(9)
    assert desk.paused
    while len(desk.heard) < 4:
        await asyncio.sleep(0)
        assert desk.paused
    await asyncio.sleep(0)
    assert not desk.paused
    while len(desk.heard) < 10:
        await asyncio.sleep(0)


async def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_PENDING_BYTES", 100_000)
    desk = Desk()
    desk.put("x" * 50_000)
    assert not desk.paused
    desk.put("x" * 50_000)
    assert desk.paused
    await asyncio.sleep(0)
    assert not desk.paused
    assert len(desk.heard) == 2


async def test_too_many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Further calls wait for one that ends, and so does what is behind them."""
    monkeypatch.setattr(inbox, "MAX_LISTENER_TASKS", 3)
    desk = Desk()
    desk.put(*range(5), listener=desk.wait)
    desk.put("plain")
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(desk.tasks) == 3
    desk.tasks[1].cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(desk.tasks) == 4
    for task in desk.tasks:
        task.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(desk.tasks) == 5
    assert desk.heard == ["plain"]
    await desk.dismiss()


async def test_no_task_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MAX_LISTENER_TASKS", 2)
    monkeypatch.setattr(inbox, "STALL_SECONDS", 0.2)
    desk = Desk()
    desk.put(*range(42), listener=desk.wait)
    for ended in range(30):  # as long as one of them ends now and then all is well
        await asyncio.sleep(0.02)
        desk.tasks[ended].cancel()
    assert not desk.stream.closed
    async with asyncio.timeout(5):
        while not desk.stream.closed:
            await asyncio.sleep(0.01)
    with pytest.raises(InterfaceError, match="2 calls of listeners are under way, and none of"):
        raise desk.stream.session.broken or LookupError
    while len(desk.tasks) < 42:  # what has come is told nevertheless
        await desk.dismiss()
        await asyncio.sleep(0)
    await desk.dismiss()


@pytest.mark.parametrize(
    "aside",
    [notice_response("x"), notification_response(7, "ch", "x"), parameter_status("a", "b")],
)
async def test_a_stream_whose_session_is_paused(aside: bytes) -> None:
    """It goes no further than the next message of listeners, at each `go_on`."""
    stream = Stream(asyncio.get_running_loop(), Session(), None)
    query = SimpleQuery(None, "DO")
    stream.session.submit(query)
    stream.session.paused = True
    stream.received(aside + aside + ANSWER)
    for _ in range(2):
        await asyncio.sleep(0.01)
        assert stream.busy
        assert not query.finished
        stream.go_on()
    assert query.finished
    assert not stream.busy
    again = SimpleQuery(None, "DO")
    stream.session.submit(again)
    stream.received(ANSWER)  # nothing in it is for listeners
    assert again.finished


def test_an_interruption() -> None:
    """It ends the run of the loop, as from any callback; the rest is told in the next run."""

    def interrupted(connection: object, number: object) -> None:
        raise KeyboardInterrupt

    async def make() -> Desk:
        return Desk()

    loop = asyncio.new_event_loop()
    try:
        desk = loop.run_until_complete(make())
        desk.put(1)
        desk.put(2, listener=interrupted)
        desk.put(3)
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(asyncio.sleep(0.05))
        assert desk.heard == [1]
        loop.run_until_complete(asyncio.sleep(0.01))
        assert desk.heard == [1, 3]
        del desk
    finally:
        loop.close()


def test_memory_is_what_is_kept() -> None:
    message = PostgresLogMessage("x" * 1000)
    message.__dict__["unknown_fields"] = {"!": "y" * 5000}
    assert 6000 < memory_of(message) < 8000
    assert memory_of("x" * 1000) > 1000
    assert memory_of("\N{SNOWMAN}" * 1000) > 2000
    assert memory_of(7) < 100


async def test_held() -> None:
    """What comes waits, from the next message on, until all who hold have let go."""
    desk = Desk()
    holders = [object(), object()]

    def hear_and_hold(connection: object, number: object) -> None:
        desk.heard.append(number)
        for holder in holders:
            desk.inbox.hold(holder)

    desk.put(1, 2, listener=hear_and_hold)
    desk.put(3)
    for holder in holders:
        await asyncio.sleep(0.01)
        assert desk.heard == [1]
        desk.inbox.let_go(holder)
    holders.clear()
    await asyncio.sleep(0.01)
    assert desk.heard == [1, 2, 3]


async def test_held_when_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server has to wait, as long as it likes; closed is what an answer waits behind."""
    monkeypatch.setattr(inbox, "MAX_PENDING_MESSAGES", 3)
    monkeypatch.setattr(inbox, "STALL_SECONDS", 0.02)
    desk = Desk()
    desk.inbox.hold(desk)
    desk.put(*range(5))
    assert desk.paused
    desk.inbox._go_on()
    await asyncio.sleep(0.1)
    assert not desk.stream.closed
    desk.stream.session.submit(SimpleQuery(None, "SELECT 1"))
    for _ in range(5):  # whoever takes something in time keeps it alive
        await asyncio.sleep(0.01)
        desk.inbox.hold(None)
        desk.inbox.let_go(None)
    assert not desk.stream.closed
    await asyncio.sleep(0.1)
    assert desk.stream.closed
    assert "nobody has taken anything" in str(desk.stream.session.broken)
    desk.put(5)  # those who listen have to hear of the end
    await asyncio.sleep(0.01)
    assert desk.heard == list(range(6))
