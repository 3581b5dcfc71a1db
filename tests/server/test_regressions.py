"""Bugs that users of other drivers reported, each told and kept from happening here.

They have numbers by which we speak of them. Those that are missing are in the files beside this.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Literal

import pytest
from interruption import MOMENTS, Moment, interruptions
from live import Connect, Monitor
from proxy import DelayProxy, End
from regressions import check_disconnection, through

import pgallop
from pgallop.cli.server import EmbeddedServer

SLEEP = "SELECT pg_sleep(30)"

# What becomes of every connection but the first, which is the session itself.
Fate = Literal["ignored", "closed", "reset"]


class CancelTrap(DelayProxy):
    """Forwards the first connection; the cancel connections that follow get nowhere."""

    def __init__(self, server: EmbeddedServer, fate: Fate) -> None:
        super().__init__(server.host, server.port)
        self.fate = fate
        self.trapped = 0

    async def _connect(self, client: End) -> None:
        if self.connections == 0:
            await super()._connect(client)
            return
        self.trapped += 1
        if self.fate == "reset":
            client.reset()
        elif self.fate == "closed":
            client.abort()


@contextlib.contextmanager
def took(most: float, least: float = 0.0) -> Iterator[None]:
    """Check how many seconds the block takes; timers may be a little early."""
    start = time.monotonic()
    yield
    elapsed = time.monotonic() - start
    assert least - 0.02 <= elapsed <= most, f"took {elapsed:.3f} s, {least} to {most} expected"


# 1


@pytest.mark.parametrize("how", ["command_timeout", "cancelled"])
async def test_1_close_while_the_cancel_connection_is_black_holed(
    server: EmbeddedServer, monitor: Monitor, how: str
) -> None:
    """A statement times out and the network is gone for new connections: close() has its deadline.

    In asyncpg a command that times out opens a connection for its CancelRequest, without any limit
    of time, and `close(timeout=2)` waits for it first: it hung for ever (asyncpg #1326).
    """
    async with CancelTrap(server, "ignored") as proxy:
        conn = await through(proxy, command_timeout=0.1, drain_timeout=60)
        task = asyncio.create_task(conn.execute(SLEEP, timeout=0.1 if how != "cancelled" else 60))
        if how == "cancelled":
            await monitor.until(conn.get_server_pid(), ["active"])
            task.cancel()
        with took(0.6), pytest.raises((TimeoutError, asyncio.CancelledError)):
            await task
        async with asyncio.timeout(2):
            while not proxy.trapped:
                await asyncio.sleep(0.005)
        with took(0.8, least=0.5), pytest.raises(TimeoutError):
            await conn.close(timeout=0.5)
        assert conn.is_closed()
        with took(0.25):
            await conn.close()
    monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())


@pytest.mark.parametrize("fate", ["closed", "reset"])
async def test_1_a_cancel_connection_that_fails(server: EmbeddedServer, fate: Fate) -> None:
    """A CancelRequest that does not get through is nobody's error.

    asyncpg raised the ConnectionError of the cancel connection in the cancelled task, in the place
    of its CancelledError, and into the ROLLBACK that followed (asyncpg #1310).
    """
    async with CancelTrap(server, fate) as proxy, through(proxy) as conn:
        with pytest.raises(TimeoutError, match="no answer within"):
            await conn.execute("SELECT pg_sleep(0.4)", timeout=0.05)
        assert await conn.fetchval("SELECT 1") == 1
        task = asyncio.create_task(conn.execute("SELECT pg_sleep(0.4)"))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(LookupError):
            async with conn.transaction():
                with pytest.raises(TimeoutError, match="no answer within"):
                    await conn.fetch("SELECT pg_sleep(0.4)", timeout=0.05)
                raise LookupError
        assert await conn.fetchval("SELECT 1") == 1
        assert not conn.is_in_transaction()
        assert proxy.trapped >= 3
    # What the loop was told about a task that failed fails this test, in tests/event_loops.py.


# 2


@pytest.mark.parametrize("ending", ["dropped", "dropped while it closes", "never dropped"])
async def test_2_a_frozen_server(server: EmbeddedServer, ending: str) -> None:
    """Packets are acknowledged and nothing answers; then the socket goes. All who wait are told.

    Behind a load balancer that has lost its server, cancelling a task that waits in psycopg had no
    effect, for it waited for the answer to the cancellation; so no asyncio.timeout() around a query
    ever ended (psycopg #1371). asyncpg's close() waited for the same, and when the socket was
    dropped at last it was not told (asyncpg #1356).
    """
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await through(proxy, drain_timeout=0.3 if ending == "never dropped" else 60)
        await conn.fetchval("SELECT $1::int", 1)
        proxy.freeze()

        async def block() -> None:
            async with conn.transaction():
                await conn.fetchval("SELECT 2")

        first = asyncio.create_task(conn.fetchval("SELECT $1::int", 2))
        calls = [conn.fetchval("SELECT $1::int", n) for n in range(5)]
        calls += [conn.execute("SELECT 3; SELECT 4"), conn.fetchval("SELECT 'new'")]
        others = [asyncio.create_task(call) for call in calls]
        await asyncio.sleep(0.02)
        with took(0.25):
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
        with took(0.4, least=0.1), pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await conn.fetchval("SELECT $1::int", 9)
        # By now the first one is being cancelled, and nothing new is sent.
        late = [asyncio.create_task(conn.fetchval("SELECT $1::int", 10))]
        late += [asyncio.create_task(block()) for _ in range(2)]
        await asyncio.sleep(0.05)
        closing = []
        if ending == "dropped while it closes":
            closing = [asyncio.create_task(conn.close())]
            await asyncio.sleep(0.05)
            assert not closing[0].done()
        if ending != "never dropped":
            proxy.cut()
        with took(1.5):
            done, pending = await asyncio.wait([*others, *late, *closing], timeout=5)
        assert not pending
        for task in done - set(closing):
            error = task.exception()
            assert error is not None
            check_disconnection(error)
        assert conn.is_closed()
        with took(0.25):
            await conn.close()


# 3


IMPATIENT = {"idle_in_transaction_session_timeout": "40"}


@pytest.mark.parametrize("loop_is_busy", [False, True])
async def test_3_idle_in_transaction_session_timeout(connect: Connect, loop_is_busy: bool) -> None:
    """The server ends sessions that dawdle in a transaction, just when they go on. All are told so.

    The server's FATAL, its end of the connection and the next statement meet in any order. asyncpg
    had 44 of 1,000 statements fail with "cannot switch to state 12; another operation (2) is in
    progress", an error that looks like a misuse, so SQLAlchemy's pool gave the dead connection to
    the next one (SQLAlchemy #13241, asyncpg #1069).
    """
    chance = random.Random(3)
    survived = 0
    reasons: list[str] = []

    async def neighbour(conn: pgallop.Connection) -> None:
        try:
            assert await conn.fetchval("SELECT 1") == 1
        except Exception as error:
            check_disconnection(error)

    async def dawdle() -> None:
        nonlocal survived
        conn = await connect(server_settings=IMPATIENT)
        waiting: list[asyncio.Task[None]] = []
        try:
            async with conn.transaction():
                assert await conn.fetchval("SELECT 2") == 2
                waiting += [asyncio.create_task(neighbour(conn)) for _ in range(3)]
                seconds = 0.002 if chance.random() < 0.2 else 0.036 + chance.random() * 0.01
                if loop_is_busy:
                    time.sleep(seconds)
                else:
                    await asyncio.sleep(seconds)
                calls = [
                    conn.fetchval("SELECT 3"),
                    conn.execute("SELECT 4"),
                    conn.fetch("SELECT 5"),
                ]
                for outcome in await asyncio.gather(*calls, return_exceptions=True):
                    if isinstance(outcome, BaseException):
                        check_disconnection(outcome)
                assert await conn.fetchval("SELECT 6") == 6
        except Exception as error:
            check_disconnection(error)
            async with asyncio.timeout(5):
                while not conn.is_closed():
                    await asyncio.sleep(0.001)
            for verb in (conn.fetch, conn.execute):
                with pytest.raises(pgallop.InterfaceError, match="connection is closed") as caught:
                    await verb("SELECT 7")
            reasons.append(str(caught.value))
        else:
            survived += 1
        async with asyncio.timeout(5):
            await asyncio.gather(*waiting)
            await conn.close()

    tasks = 1 if loop_is_busy else 10
    for _ in range(60 // tasks):
        await asyncio.gather(*[dawdle() for _ in range(tasks)])
    assert min(survived, len(reasons)) >= 3, (survived, reasons)
    # Who finds a closed socket before the server's last words are read learns no more than that.
    assert loop_is_busy or any("idle-in-transaction timeout" in reason for reason in reasons)


# 4


async def plain(conn: pgallop.Connection, n: int) -> None:
    async with conn.transaction():
        await conn.execute("INSERT INTO hidden VALUES ($1)", n)


async def nested(conn: pgallop.Connection, n: int) -> None:
    async with conn.transaction(), conn.transaction():
        await conn.execute("INSERT INTO hidden VALUES ($1)", n)


async def script(conn: pgallop.Connection, n: int) -> None:
    async with conn.transaction(isolation="serializable"):
        await conn.execute(f"INSERT INTO hidden VALUES ({n}); SELECT pg_sleep(0.001)")


async def empty(conn: pgallop.Connection, n: int) -> None:
    async with conn.transaction():
        await asyncio.sleep(0)


async def by_hand(conn: pgallop.Connection, n: int) -> None:
    transaction = conn.transaction()
    await transaction.start()
    try:
        await conn.execute("INSERT INTO hidden VALUES ($1)", n)
    except BaseException:
        await transaction.rollback()
        raise
    await transaction.commit()


@pytest.fixture
def hidden(monitor: Monitor) -> Iterator[None]:
    """A table to look into from outside."""
    monitor.ask("DROP TABLE IF EXISTS hidden; CREATE TABLE hidden (n int)")
    yield
    monitor.ask("DROP TABLE hidden")


def stored(monitor: Monitor, n: int) -> int:
    return int(monitor.ask("SELECT count(*) FROM hidden WHERE n = %s", n)[0][0])


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("block", [plain, nested, script, empty, by_hand])
async def test_4_cancelled_while_a_transaction_begins(
    connect: Connect,
    monitor: Monitor,
    block: Callable[[pgallop.Connection, int], Awaitable[None]],
    moment: Moment,
) -> None:
    """Whoever uses the connection next is in no transaction that somebody else began.

    A BEGIN whose task is cancelled has been sent all the same. When the driver believes that
    nothing was begun, all that follows on the connection goes into a transaction which nobody ends:
    the next user's writes are acknowledged, and gone with the connection.
    """
    users: list[int] = []

    async with connect() as conn:

        async def make() -> None:
            await block(conn, len(users))

        async for run in interruptions(make, moment, least=1 if block is empty else 2):
            cancelled, following = len(users), len(users) + 1
            # The next user: what is acknowledged is there for everybody, at once.
            assert await conn.execute("INSERT INTO hidden VALUES ($1)", following) == "INSERT 0 1"
            assert stored(monitor, following) == 1
            assert monitor.state(conn.get_server_pid()) == "idle"
            assert await conn.fetchval("SELECT txid_current_if_assigned()") is None
            assert not conn.is_in_transaction()
            # The cancelled one: all or nothing, and once at most.
            assert stored(monitor, cancelled) in (0, 1)
            if run.error is None and block is not empty:
                assert stored(monitor, cancelled) == 1
            users += [cancelled, following]
    assert users


@pytest.mark.usefixtures("hidden")
@pytest.mark.parametrize("moment", MOMENTS)
async def test_4_cancelled_and_closed(connect: Connect, monitor: Monitor, moment: Moment) -> None:
    """A connection that is closed right behind the cancellation leaves nothing on the server."""
    n = 0
    conns: list[pgallop.Connection] = []

    async def make() -> None:
        conns.append(await connect())
        try:
            await plain(conns[-1], n)
        finally:
            await conns[-1].close()

    async for _ in interruptions(make, moment, least=4):
        for conn in conns:
            await monitor.until(conn.get_server_pid(), [None])
        assert stored(monitor, n) in (0, 1)
        conns.clear()
        n += 1
