"""More bugs of other drivers: a pipeline that fills up, and one that dies with the connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from live import Connect, Monitor
from proxy import DelayProxy
from regressions import LOST, check_disconnection, through

import pgallop
from pgallop.cli.server import EmbeddedServer

# 8


@pytest.mark.parametrize("size", [1_000, 300_000])
async def test_8_a_pipeline_larger_than_the_buffers(any_dsn: str, size: int) -> None:
    """Statements that fill the way there, answers that fill the way back: neither waits for ever.

    A server whose answers are not read stops reading. psycopg's pipeline wrote on without reading,
    until both waited for the other (psycopg #685; PgJDBC #194 is the same).
    """
    count = 20_000_000 // size  # the kernel buffers much on TCP, 0.2 MB on Unix
    async with pgallop.connect(any_dsn, ssl="disable") as conn, asyncio.timeout(45):
        await conn.execute("CREATE TEMP TABLE big (i int, data text)")
        query = "INSERT INTO big VALUES ($1, $2) RETURNING i, data"

        async def insert(i: int) -> int:
            row = await conn.fetchrow(query, i, chr(65 + i % 26) * size)
            assert row is not None
            assert row["i"] == i
            assert row["data"] == chr(65 + i % 26) * size
            return i

        await insert(-1)
        assert await asyncio.gather(*[insert(i) for i in range(count)]) == list(range(count))
        total = await conn.fetchval("SELECT sum(length(data)) FROM big")
        assert total == (count + 1) * size


async def test_8_notices_fill_the_way_back(any_dsn: str) -> None:
    """What nobody has asked for fills it as well."""
    async with pgallop.connect(any_dsn, ssl="disable") as conn, asyncio.timeout(30):
        await conn.execute(
            "CREATE FUNCTION pg_temp.loud(data text) RETURNS int LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE NOTICE '%', data; RETURN length(data); END $$"
        )
        data = "x" * 100_000
        calls = [conn.fetchval("SELECT pg_temp.loud($1)", data) for _ in range(200)]
        assert set(await asyncio.gather(*calls)) == {len(data)}


# 9


@pytest.fixture
def entries(monitor: Monitor) -> Iterator[None]:
    """A table whose rows tell which session wrote them."""
    monitor.ask(
        "DROP TABLE IF EXISTS entries;"
        "CREATE TABLE entries (who text, pid int DEFAULT pg_backend_pid())"
    )
    yield
    monitor.ask("DROP TABLE entries")


def stored(monitor: Monitor, who: str) -> int:
    return int(monitor.ask("SELECT count(*) FROM entries WHERE who = %s", who)[0][0])


class Writers:
    """One task in the midst of a transaction, and others that want the same connection."""

    INSERT = "INSERT INTO entries VALUES ($1)"
    ROWS = 30

    def __init__(self, conn: pgallop.Connection) -> None:
        self.conn = conn
        self.inside = asyncio.Event()
        self.lost = asyncio.Event()
        #: What each statement came to, by the nonce it writes: None if acknowledged.
        self.outcomes: dict[str, BaseException | None] = {}

    async def write(self, nonce: str) -> None:
        try:
            await self.conn.execute(self.INSERT, nonce)
        except Exception as error:
            self.outcomes[nonce] = error
            raise
        self.outcomes[nonce] = None

    async def long(self) -> None:
        """A transaction of many rows, in the middle of which the connection dies."""
        async with self.conn.transaction():
            await self.write("long 0")
            self.inside.set()
            calls = [self.write(f"long {n}") for n in range(1, self.ROWS)]
            await asyncio.gather(*calls, return_exceptions=True)
            await self.lost.wait()
            # Not everybody hears at once: this task goes on as if nothing had happened.
            with contextlib.suppress(pgallop.InterfaceError, LOST):
                await self.write("long, late")
        # and COMMIT

    async def short(self, n: int) -> None:
        """A transaction of its own, which waits for the other's end and would commit."""
        await self.inside.wait()
        async with self.conn.transaction():
            await self.write(f"short {n}")

    async def single(self, n: int) -> None:
        await self.inside.wait()
        await self.write(f"single {n}")


@contextlib.asynccontextmanager
async def dying(
    server: EmbeddedServer, monitor: Monitor, how: str
) -> AsyncIterator[tuple[pgallop.Connection, Callable[[], None]]]:
    """A connection, and what kills it in that way."""
    async with DelayProxy(server.host, server.port) as proxy:
        conn = await through(proxy)

        def die() -> None:
            if how == "killed":
                monitor.ask("SELECT pg_terminate_backend(%s)", conn.get_server_pid())
            elif how == "reset":
                proxy.cut()
            else:
                proxy.close_after(int(how))

        try:
            yield conn, die
        finally:
            conn.terminate()


@pytest.mark.usefixtures("entries")
@pytest.mark.parametrize("how", ["killed", "reset", "0", "1", "37", "200", "500"])
async def test_9_the_connection_dies_inside_a_transaction(
    server: EmbeddedServer, monitor: Monitor, connect: Connect, how: str
) -> None:
    """Half a transaction is none, whatever the others on the connection do, and later ones.

    A pool of postgres.js gave a connection to a second transaction while the first, whose socket
    had been replaced under it, was still writing: the second's COMMIT stored the first's half, and
    the rest of the first ran outside any transaction (postgres.js #1204, #1216).
    """
    async with dying(server, monitor, how) as (conn, die):
        writers = Writers(conn)
        await conn.fetchval("SELECT 1")
        long = asyncio.create_task(writers.long())
        others = [asyncio.create_task(writers.short(n)) for n in range(4)]
        others += [asyncio.create_task(writers.single(n)) for n in range(4)]
        async with asyncio.timeout(10):
            await writers.inside.wait()
            await asyncio.sleep(0)
            die()
            while not conn.is_closed():
                await asyncio.sleep(0.001)
            writers.lost.set()
            results = await asyncio.gather(long, *others, return_exceptions=True)
        # Somebody else's transaction on a connection of their own commits what is theirs.
        async with connect() as other, other.transaction():
            await other.execute(Writers.INSERT, "other")
        await monitor.until(conn.get_server_pid(), [None])

        for result in results:
            assert isinstance(result, BaseException)
            check_disconnection(result)
        for nonce, outcome in writers.outcomes.items():
            count = stored(monitor, nonce)
            assert count == 0, f"{nonce} was stored outside of its transaction"
            if outcome is not None:
                check_disconnection(outcome)
        for n in range(4):
            assert getattr(writers.outcomes[f"single {n}"], "safe_to_retry", False)
        assert stored(monitor, "other") == 1
        assert monitor.ask("SELECT count(*) FROM entries") == [(1,)]
        assert monitor.ask(
            "SELECT count(*) FROM entries WHERE pid = %s", conn.get_server_pid()
        ) == [(0,)]


@pytest.mark.usefixtures("entries")
async def test_9_the_connection_dies_around_commit(
    server: EmbeddedServer, monitor: Monitor
) -> None:
    """At each byte of the last answers: all or nothing, and what was acknowledged is there."""
    acknowledged = 0
    for nbytes in range(40):
        who = f"commit {nbytes}"
        async with dying(server, monitor, str(nbytes)) as (conn, die):

            async def waits(conn: pgallop.Connection = conn, who: str = who) -> None:
                async with conn.transaction():
                    await conn.execute(Writers.INSERT, f"{who}, another")

            transaction = conn.transaction()
            await transaction.start()
            await conn.execute(Writers.INSERT, who)
            await conn.execute(Writers.INSERT, who)
            die()
            committing = asyncio.create_task(transaction.commit())
            await asyncio.sleep(0)
            waiting = asyncio.create_task(waits())
            async with asyncio.timeout(5):
                first, second = await asyncio.gather(committing, waiting, return_exceptions=True)
            conn.terminate()
            await monitor.until(conn.get_server_pid(), [None])
            assert stored(monitor, who) in (0, 2)
            if first is None:
                acknowledged += 1
                assert stored(monitor, who) == 2
            else:
                assert isinstance(first, LOST)
                assert not first.safe_to_retry
            assert isinstance(second, BaseException)
            check_disconnection(second)
            assert stored(monitor, f"{who}, another") == 0
    assert 0 < acknowledged < 40
