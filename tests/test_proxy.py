"""The delaying proxy keeps its promises: otherwise no measurement through it means anything."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psycopg
import pytest
from proxy import DelayProxy

from pgallop.cli.server import EmbeddedServer

pytestmark = [pytest.mark.anyio, pytest.mark.once]

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

DELAY = 0.05
SLACK = 0.2  # for a busy machine


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The proxy has to work on every loop that the driver is tested on."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Run a server on 127.0.0.1; its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
        await closed(writer)

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        # The server's own connections end when the proxy closes them; give them that turn.
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def proxied(handler: Handler, *, delay: float = 0.0) -> AsyncIterator[DelayProxy]:
    """Run a server with the proxy in front of it."""
    async with serving(handler) as port, DelayProxy("127.0.0.1", port, delay=delay) as proxy:
        yield proxy


@contextlib.asynccontextmanager
async def connected(proxy: DelayProxy) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    try:
        yield reader, writer
    finally:
        await closed(writer)


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 20):
        writer.write(data)
        await writer.drain()


async def ask(streams: Streams, question: bytes) -> bytes:
    reader, writer = streams
    writer.write(question)
    return await reader.readexactly(len(question))


async def test_delays_each_direction() -> None:
    async with proxied(echo, delay=DELAY) as proxy, connected(proxy) as streams:
        started = time.perf_counter()
        assert await ask(streams, b"hello") == b"hello"
        elapsed = time.perf_counter() - started
    assert 2 * DELAY <= elapsed < 2 * DELAY + SLACK
    assert (proxy.bytes_to_server, proxy.bytes_to_client) == (5, 5)


async def test_delay_is_latency_and_not_a_queue() -> None:
    chunks = 40
    async with proxied(echo, delay=DELAY) as proxy, connected(proxy) as (reader, writer):
        started = time.perf_counter()
        for number in range(chunks):
            writer.write(b"%04d" % number)
            await asyncio.sleep(0.002)  # apart, so that each is a chunk of its own
        received = await reader.readexactly(4 * chunks)
        elapsed = time.perf_counter() - started
    assert received == b"".join(b"%04d" % number for number in range(chunks))
    assert elapsed < chunks * DELAY / 4  # one after another they would take chunks * DELAY


async def test_large_stream_arrives_complete_and_in_order() -> None:
    data = b"".join(b"%07d\n" % number for number in range(1 << 20))
    async with proxied(echo, delay=0.01) as proxy, connected(proxy) as streams:
        assert await ask(streams, data) == data
    assert proxy.bytes_to_server == proxy.bytes_to_client == len(data)


async def test_counts_round_trips() -> None:
    async with proxied(echo, delay=0.02) as proxy, connected(proxy) as (reader, writer):
        await ask((reader, writer), b"one")
        await ask((reader, writer), b"two")
        assert proxy.round_trips == 2
        writer.write(b"three")
        await asyncio.sleep(0.005)
        writer.write(b"four")  # a burst of its own, before anything came back
        await reader.readexactly(9)
        assert proxy.round_trips == 3


async def test_a_client_that_goes_on_before_it_has_the_whole_answer() -> None:
    """It has waited for what it goes on by, so that is a round trip, whatever is still coming."""

    async def in_pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while question := await reader.read(100):
            for i in range(len(question)):
                writer.write(question[i : i + 1])
                await writer.drain()
                await asyncio.sleep(0.01)

    async with proxied(in_pieces, delay=0.005) as proxy, connected(proxy) as (reader, writer):
        writer.write(b"many")
        for trips in 1, 2, 3:
            await reader.readexactly(1)
            assert proxy.round_trips == trips
            writer.write(b"more")
            await asyncio.sleep(0.03)  # longer than it takes both ways
        await reader.readexactly(13)
        assert proxy.round_trips == 4


async def test_a_client_that_does_not_read_at_once() -> None:
    async with proxied(echo, delay=0.005) as proxy, connected(proxy) as (reader, writer):
        for trips in 1, 2, 3:
            writer.write(b"word")
            await asyncio.sleep(0.05)
            assert proxy.round_trips == trips
        await reader.readexactly(12)


async def test_what_is_not_answered_is_no_round_trip() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            writer.write(b"unasked")
            await asyncio.sleep(0.01)
        await reader.readexactly(8)

    async with proxied(speak, delay=0.005) as proxy, connected(proxy) as (reader, writer):
        await reader.readexactly(21)
        writer.write(b"farewell")
        assert await reader.read() == b""
        assert proxy.round_trips == 0


async def test_each_connection_has_its_own_round_trips() -> None:
    async with (
        proxied(echo, delay=0.005) as proxy,
        connected(proxy) as one,
        connected(proxy) as other,
    ):
        for trips in 2, 4:
            await asyncio.gather(ask(one, b"one"), ask(other, b"other"))
            assert proxy.round_trips == trips


async def test_passes_on_back_pressure() -> None:
    finished = asyncio.Event()

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await finished.wait()

    limit = 256 << 20  # more than all buffers on the way together
    async with proxied(deaf) as proxy, connected(proxy) as (_, writer):
        sent = 0
        is_held_up = False
        while sent < limit and not is_held_up:
            writer.write(bytes(1 << 20))
            sent += 1 << 20
            try:
                await asyncio.wait_for(writer.drain(), 0.5)
            except TimeoutError:
                is_held_up = True
        assert is_held_up
        writer.transport.abort()
        finished.set()


async def test_passes_on_the_end_after_the_data() -> None:
    async def farewell(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(2)
        writer.write(b"bye")

    async with proxied(farewell, delay=0.01) as proxy, connected(proxy) as (reader, writer):
        writer.write(b"hi")
        assert await reader.read() == b"bye"


async def test_freeze_and_thaw() -> None:
    async with proxied(echo, delay=0.01) as proxy, connected(proxy) as streams:
        await ask(streams, b"before")
        proxy.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await ask(streams, b"during")
        proxy.thaw()
        assert await streams[0].readexactly(6) == b"during"


async def test_freeze_holds_what_is_on_the_way() -> None:
    async with proxied(echo, delay=DELAY) as proxy, connected(proxy) as (reader, writer):
        writer.write(b"caught")
        await asyncio.sleep(DELAY * 1.5)  # the answer is on its way back
        proxy.freeze()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(DELAY * 2):
                await reader.readexactly(6)
        proxy.thaw()
        assert await reader.readexactly(6) == b"caught"


async def test_cut_resets_both_sides() -> None:
    ends: asyncio.Queue[str] = asyncio.Queue()

    async def observe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await echo(reader, writer)
        except ConnectionResetError:
            ends.put_nowait("reset")
        else:
            ends.put_nowait("end of file")

    async with proxied(observe) as proxy, connected(proxy) as streams:
        await ask(streams, b"hello")
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            await streams[0].read(1)
        assert await ends.get() == "reset"
        async with connected(proxy) as streams:
            assert await ask(streams, b"again") == b"again"
            assert proxy.connections == 2


@pytest.mark.parametrize("nbytes", [0, 1, 4, 5])
async def test_close_after(nbytes: int) -> None:
    async with proxied(echo, delay=0.01) as proxy:
        proxy.close_after(nbytes)
        async with connected(proxy) as (reader, writer):
            writer.write(b"hello")
            assert await reader.read() == b"hello"[:nbytes]
        assert proxy.bytes_to_client == nbytes
        async with connected(proxy) as streams:
            assert await ask(streams, b"hello") == b"hello"


@pytest.mark.parametrize("is_unix", [False, True])
async def test_refused_connection_is_broken(is_unix: bool) -> None:
    async with serving(echo) as port:
        pass  # nobody listens there now
    with tempfile.TemporaryDirectory() as folder:
        proxy = DelayProxy(folder if is_unix else "127.0.0.1", port)
        async with proxy, connected(proxy) as (reader, _):
            with pytest.raises(ConnectionResetError):
                await reader.read(1)
    assert proxy.connections == 0


async def test_leaves_no_task_and_no_connection() -> None:
    ended = asyncio.Event()

    async def observe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await echo(reader, writer)
        ended.set()

    before = asyncio.all_tasks()
    async with serving(observe) as port:
        async with DelayProxy("127.0.0.1", port, delay=10) as proxy:
            reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
            writer.write(b"never arrives")
            await asyncio.sleep(0.05)
        async with asyncio.timeout(5):
            await ended.wait()
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
        await closed(writer)
    assert asyncio.all_tasks() == before


@pytest.mark.parametrize("is_unix", [False, True])
async def test_in_front_of_postgresql(server: EmbeddedServer, is_unix: bool) -> None:
    host = server.host if is_unix else server.tcp_host
    async with DelayProxy(host, server.port, delay=DELAY) as proxy:
        connection = await psycopg.AsyncConnection.connect(
            host=proxy.host,
            port=proxy.port,
            user=server.user,
            dbname=server.database,
            sslmode="disable",
            autocommit=True,
        )
        trips = proxy.round_trips
        started = time.perf_counter()
        await connection.execute("SELECT 1")
        elapsed = time.perf_counter() - started
        assert proxy.round_trips == trips + 1
        assert 2 * DELAY <= elapsed < 2 * DELAY + SLACK
        await connection.close()
