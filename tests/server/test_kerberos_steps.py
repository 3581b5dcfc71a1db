"""Steps of Kerberos on sockets, over a library that is none: the event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fake_kerberos import FakeKerberos, proof
from scripted_server import FAREWELL, GREETING, ScriptedServer, Step, expect, reply, send
from scripts import GSS, GSS_CONTINUE, authentication, error_response

import pgallop

HONEST: list[Step] = [
    expect("StartupMessage"),
    send(authentication(GSS)),
    expect("GSSResponse"),
    reply(lambda bodies: authentication(GSS_CONTINUE, proof(bodies[0])) + GREETING),
    *FAREWELL,
]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeKerberos:
    fake = FakeKerberos()
    monkeypatch.setitem(sys.modules, "gssapi", fake.gssapi)
    return fake


@pytest.fixture
def gate(fake: FakeKerberos) -> Iterator[threading.Event]:
    """No step ends before it is opened."""
    gate = threading.Event()
    fake.before = gate.wait
    yield gate
    gate.set()


def there(server: ScriptedServer, **options: Any) -> Any:
    names = {"host": server.host, "port": server.port, "user": "ada", "ssl": "disable"}
    return pgallop.connect(**{**names, **options})


async def test_the_event_loop_goes_on(fake: FakeKerberos) -> None:
    threads: list[int] = []

    def slowly() -> None:
        threads.append(threading.get_ident())
        time.sleep(0.3)

    fake.before = slowly
    with ScriptedServer(HONEST) as server:
        connecting = asyncio.ensure_future(there(server))
        ticks = 0
        while not connecting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await (await connecting).close()
    assert ticks > 10  # of 60
    assert len(threads) == 2
    assert threading.get_ident() not in threads


async def test_the_host_as_it_was_given(fake: FakeKerberos) -> None:
    with ScriptedServer(HONEST) as server:
        async with there(server, host="localhost", krbsrvname="pg"):
            pass
    assert fake.begun[0]["name"] == "hostbased pg@localhost"


async def test_the_time_is_over(gate: threading.Event) -> None:
    with ScriptedServer(HONEST[:2]) as server:
        with pytest.raises(pgallop.CannotConnectError, match="no answer in time"):
            await there(server, timeout=0.2)
        gate.set()


async def test_cancelled(gate: threading.Event) -> None:
    with ScriptedServer(HONEST[:2]) as server:
        connecting = asyncio.ensure_future(there(server))
        await asyncio.sleep(0.1)
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        gate.set()


async def test_refused_while_the_ticket_is_fetched(gate: threading.Event) -> None:
    """As authentication_timeout does."""
    refusal = error_response("57014", "canceling authentication due to timeout", "FATAL")
    with ScriptedServer([*HONEST[:2], send(refusal)]) as server:
        asyncio.get_running_loop().call_later(0.1, gate.set)
        with pytest.raises(pgallop.QueryCanceledError, match="due to timeout"):
            await there(server)


async def test_a_pool(fake: FakeKerberos) -> None:
    with ScriptedServer(HONEST) as server:
        names: dict[str, Any] = {
            "host": server.host,
            "port": server.port,
            "user": "ada",
            "ssl": "disable",
        }
        async with pgallop.create_pool(**names, krbsrvname="pg", min_size=3, max_size=3):
            assert [each["name"] for each in fake.begun] == ["hostbased pg@127.0.0.1"] * 3
