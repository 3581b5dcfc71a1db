"""Servers that cannot be reached, are none, or go away: typed errors in time, nothing left."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from pathlib import Path
from typing import Any

import pytest
import scripts
from event_loops import open_sockets
from fake_server import SSL_REQUEST, Client, FakeServer, Handler
from live import Connect

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall

STARTED = (
    scripts.authentication(scripts.AUTHENTICATION_OK),
    scripts.parameter_status("server_version", "18.0"),
    scripts.parameter_status("client_encoding", "UTF8"),
    scripts.backend_key_data(7, b"key!"),
    scripts.ready_for_query(),
)


def call(server: FakeServer, **options: Any) -> ConnectCall:
    options = {"ssl": "disable", "timeout": 5, **options}
    return pgallop.connect(
        host=server.host, port=server.port, user="ada", password="secret", **options
    )


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check(error: BaseException, *words: str) -> None:
    """A connection error is an OSError that says where it was and what to check."""
    assert isinstance(error, pgallop.CannotConnectError)
    assert isinstance(error, OSError)
    assert error.hint
    for word in words:
        assert word in str(error), str(error)
    assert "secret" not in str(error)


async def test_nobody_listens() -> None:
    port = unused_port()
    with pytest.raises(ConnectionRefusedError) as caught:
        await pgallop.connect(host="127.0.0.1", port=port, user="ada", password="secret")
    check(caught.value, '"127.0.0.1"', f"port {port}", "refused", "Is the server running")


async def test_no_such_socket(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        await pgallop.connect(host=str(tmp_path), port=1234, user="ada")
    check(caught.value, f"{tmp_path}/.s.PGSQL.1234", "no such socket")


async def test_a_socket_that_nobody_serves(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / ".s.PGSQL.5432"))
    with pytest.raises(ConnectionRefusedError) as caught:
        await pgallop.connect(host=str(tmp_path), port=5432, user="ada")
    check(caught.value, f"{tmp_path}/.s.PGSQL.5432")


async def test_a_socket_path_that_is_too_long(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="long") as caught:
        await pgallop.connect(host=f"{tmp_path}/{'x' * 120}", user="ada")
    check(caught.value)


async def test_unknown_host() -> None:
    with pytest.raises(pgallop.CannotConnectError) as caught:
        await pgallop.connect(host="no-such-host.invalid", user="ada", timeout=20)
    check(caught.value, "no-such-host.invalid", "port 5432")


@pytest.mark.parametrize("host", ["x" * 64 + ".example", ".example", "a..b", "\ud800"])
async def test_a_host_that_is_no_name(host: str) -> None:
    with pytest.raises((pgallop.ClientConfigurationError, pgallop.CannotConnectError)):
        await pgallop.connect(host=host, user="ada", timeout=20)


# Servers that are none


async def closes_at_once(client: Client) -> None:
    pass


async def closes_after_the_first_message(client: Client) -> None:
    await client.reader.read(8)


async def resets(client: Client) -> None:
    await client.reader.read(1)
    sock: socket.socket = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def stalls(client: Client) -> None:
    await client.the_end()


async def stalls_later(client: Client) -> None:
    if await client.reader.readexactly(8) == scripts.int4(8) + scripts.int4(SSL_REQUEST):
        client.send(b"S")
    else:
        client.send(b"".join(STARTED)[:20])
    await client.the_end()


async def speaks_http(client: Client) -> None:
    await client.reader.read(8)
    client.send(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


async def speaks_nonsense(client: Client) -> None:
    await client.reader.read(8)
    client.send(bytes(range(256)) * 20)
    await client.the_end()


async def echoes(client: Client) -> None:
    while data := await client.reader.read(1000):
        client.send(data)


async def is_silent_and_closes_in_the_handshake(client: Client) -> None:
    await client.reader.read(8)
    client.send(b"S")
    await client.reader.read(10)


CLOSING = [closes_at_once, closes_after_the_first_message, resets]
LYING = [speaks_http, speaks_nonsense, echoes]


@pytest.mark.parametrize("ssl", ["disable", "prefer", "require"])
@pytest.mark.parametrize("handler", CLOSING)
async def test_closes(handler: Handler, ssl: str) -> None:
    async with FakeServer(handler) as server:
        start = time.monotonic()
        with pytest.raises(OSError, match=r"closed|TLS") as caught:
            await call(server, ssl=ssl)
        assert time.monotonic() - start < 2
        check(caught.value, '"127.0.0.1"', f"port {server.port}")
        assert isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize("ssl", ["disable", "prefer", "require"])
@pytest.mark.parametrize("handler", LYING)
async def test_lies(handler: Handler, ssl: str) -> None:
    async with FakeServer(handler) as server:
        with pytest.raises((pgallop.ProtocolError, pgallop.CannotConnectError)) as caught:
            await call(server, ssl=ssl)
        assert "secret" not in str(caught.value)
        # Whoever reads this in a log has to know which server it was.
        notes = getattr(caught.value, "__notes__", [])
        assert str(server.port) in "\n".join([str(caught.value), *notes])


@pytest.mark.parametrize("ssl", ["disable", "prefer", "require"])
@pytest.mark.parametrize("handler", [stalls, stalls_later])
async def test_stalls(handler: Handler, ssl: str) -> None:
    async with FakeServer(handler) as server:
        start = time.monotonic()
        with pytest.raises(TimeoutError) as caught:
            await call(server, ssl=ssl, timeout=0.15)
        assert 0.12 < time.monotonic() - start < 1.5
        check(caught.value, '"127.0.0.1"', f"port {server.port}", "in time")


async def test_closes_in_the_handshake() -> None:
    async with FakeServer(is_silent_and_closes_in_the_handshake) as server:
        for ssl in ("prefer", "require"):
            with pytest.raises(OSError, match="closed") as caught:
                await call(server, ssl=ssl)
            check(caught.value, f"port {server.port}")


async def test_clear_text_behind_the_answer_to_the_tls_request() -> None:
    """What came unencrypted must not pass for what was said after the handshake."""

    async def injects(client: Client) -> None:
        await client.reader.read(8)
        client.send(b"S", *STARTED)
        await client.the_end()

    async with FakeServer(injects) as server:
        with pytest.raises((OSError, pgallop.ProtocolError)):
            await call(server, ssl="require")


@pytest.mark.parametrize("ending", ["closes", "stalls"])
async def test_every_end_of_the_startup(ending: str) -> None:
    conversation = b"".join(STARTED)
    sent = 0

    async def breaks_off(client: Client) -> None:
        await client.startup()
        client.send(conversation[:sent])
        if ending == "stalls":
            await client.the_end()

    step = 1 if ending == "closes" else 17
    async with FakeServer(breaks_off) as server:
        for sent in range(0, len(conversation), step):  # noqa: B007 (the server reads it)
            with pytest.raises((ConnectionError, TimeoutError)) as caught:
                await call(server, timeout=5 if ending == "closes" else 0.05)
            check(caught.value, f"port {server.port}")
        sent = len(conversation)
        conn = await call(server)
        if ending == "stalls":
            assert not conn.is_closed()
            conn.terminate()
        else:
            await asyncio.sleep(0.05)
            assert conn.is_closed()


async def test_refused_with_a_reason() -> None:
    async def is_full(client: Client) -> None:
        await client.startup()
        client.send(scripts.error_response("53300", "sorry, too many clients already", "FATAL"))

    async with FakeServer(is_full) as server:
        with pytest.raises(pgallop.TooManyConnectionsError, match="too many clients"):
            await call(server)


async def test_closes_while_the_key_is_computed() -> None:
    """SCRAM's key takes milliseconds in another thread; the server may be gone meanwhile."""

    async def begins_scram(client: Client) -> None:
        await client.startup()
        client.send(scripts.authentication_sasl("SCRAM-SHA-256"))
        _, body = await client.message()
        scram = scripts.ScramServer("secret", iterations=100_000)
        client.send(scripts.authentication(scripts.SASL_CONTINUE, scram.first(body)))

    async with FakeServer(begins_scram) as server:
        with pytest.raises(ConnectionError) as caught:
            await call(server)
        check(caught.value, f"port {server.port}", "closed")


async def test_an_error_while_the_key_is_computed() -> None:
    async def begins_scram(client: Client) -> None:
        await client.startup()
        client.send(scripts.authentication_sasl("SCRAM-SHA-256"))
        _, body = await client.message()
        scram = scripts.ScramServer("secret", iterations=100_000)
        client.send(scripts.authentication(scripts.SASL_CONTINUE, scram.first(body)))
        client.send(scripts.error_response("57P01", "the administrator says no", "FATAL"))

    async with FakeServer(begins_scram) as server:
        with pytest.raises(pgallop.AdminShutdownError, match="says no"):
            await call(server)


@pytest.mark.parametrize("method", [2, 6, 1000])
async def test_unknown_authentication(method: int) -> None:
    async def asks(client: Client) -> None:
        await client.startup()
        client.send(scripts.authentication(method))
        assert await client.the_end() == b""

    async with FakeServer(asks) as server:
        with pytest.raises(pgallop.UnsupportedClientFeatureError):
            await call(server)


# Servers that go away later


async def start(client: Client) -> None:
    await client.startup()
    client.send(*STARTED)


ROW_DESCRIPTION = scripts.row_description(("n", scripts.INT4))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        scripts.PARSE_COMPLETE[:3],
        scripts.PARSE_COMPLETE,
        scripts.PARSE_COMPLETE + scripts.parameter_description() + ROW_DESCRIPTION[:9],
    ],
)
async def test_closes_in_the_middle_of_a_query(answer: bytes) -> None:
    async def closes(client: Client) -> None:
        await start(client)
        await client.until("S")
        client.send(answer)

    async with FakeServer(closes) as server:
        conn = await call(server)
        calls = [conn.fetch("SELECT 1"), conn.execute("SELECT 2"), conn.fetch("SELECT 1")]
        results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
        for result in results:
            assert isinstance(result, pgallop.ConnectionDoesNotExistError), result
        assert not any(result.safe_to_retry for result in results)
        assert conn.is_closed()
        for verb in (conn.fetch, conn.fetchrow, conn.fetchval, conn.execute):
            with pytest.raises(pgallop.InterfaceError, match="connection is closed"):
                await verb("SELECT 1")
        with pytest.raises(pgallop.InterfaceError, match="closed"):
            await conn.transaction().start()
        await conn.close()
        conn.terminate()


async def test_lies_in_the_middle_of_a_query() -> None:
    async def lies(client: Client) -> None:
        await start(client)
        await client.until("S")
        client.send(scripts.PARSE_COMPLETE, scripts.data_row(b"1"))
        await client.the_end()

    async with FakeServer(lies) as server:
        conn = await call(server)
        results = await asyncio.gather(
            conn.fetch("SELECT 1"), conn.fetch("SELECT 2"), return_exceptions=True
        )
        assert isinstance(results[0], pgallop.ProtocolError)
        assert isinstance(results[1], pgallop.ConnectionDoesNotExistError)
        assert conn.is_closed()


@pytest.mark.parametrize("size", [0, 3, -1, 2**31 - 1])
async def test_lies_about_a_size_in_two_receptions(size: int) -> None:
    """The header is put together from both; that it is a lie ends the connection all the same."""
    header = b"1" + size.to_bytes(4, signed=True)

    async def lies(client: Client) -> None:
        await start(client)
        await client.until("S")
        client.send(header[:3])
        await asyncio.sleep(0.05)
        client.send(header[3:])
        await client.the_end()

    async with FakeServer(lies) as server:
        conn = await call(server)
        results = await asyncio.wait_for(
            asyncio.gather(conn.fetch("SELECT 1"), conn.fetch("SELECT 2"), return_exceptions=True),
            5,
        )
        assert isinstance(results[0], pgallop.ProtocolError)
        assert isinstance(results[1], pgallop.ConnectionDoesNotExistError)
        assert conn.is_closed()


async def test_terminated_by_the_administrator(connect: Connect) -> None:
    async with connect() as conn, connect() as admin:
        sleeping = asyncio.create_task(conn.execute("SELECT pg_sleep(60)"))
        behind = asyncio.create_task(conn.fetch("SELECT 1"))
        await asyncio.sleep(0.1)
        assert await admin.fetchval("SELECT pg_terminate_backend($1)", conn.get_server_pid())
        for task in (sleeping, behind):
            with pytest.raises(pgallop.ConnectionDoesNotExistError) as caught:
                await task
            assert isinstance(caught.value.__cause__, pgallop.AdminShutdownError)
        assert conn.is_closed()


async def test_terminated_while_idle(connect: Connect) -> None:
    async with connect() as conn, connect() as admin:
        assert await admin.fetchval("SELECT pg_terminate_backend($1)", conn.get_server_pid())
        async with asyncio.timeout(5):
            while not conn.is_closed():
                await asyncio.sleep(0.01)
        with pytest.raises(pgallop.InterfaceError, match="terminating connection"):
            await conn.fetch("SELECT 1")


# Several hosts


async def test_the_next_host(server: EmbeddedServer, tmp_path: Path) -> None:
    hosts = ["127.0.0.1", str(tmp_path), "no-such-host.invalid", server.host, "127.0.0.1"]
    ports = [unused_port(), 1, 1, server.port, server.port]
    async with pgallop.connect(host=hosts, port=ports, user="postgres") as conn:
        assert await conn.fetchval("SELECT inet_client_addr() IS NULL")


async def test_no_host_at_all(tmp_path: Path) -> None:
    port = unused_port()
    with pytest.raises(pgallop.CannotConnectError) as caught:
        await pgallop.connect(host=["127.0.0.1", str(tmp_path)], port=[port, 1], user="ada")
    notes = "\n".join(getattr(caught.value, "__notes__", []))
    assert str(tmp_path) in str(caught.value)
    assert f"port {port}" in notes


async def test_a_host_that_lies_is_followed_by_the_next(server: EmbeddedServer) -> None:
    async with FakeServer(closes_at_once) as closing:
        hosts, ports = ["127.0.0.1", server.host], [closing.port, server.port]
        async with pgallop.connect(host=hosts, port=ports, user="postgres") as conn:
            assert await conn.fetchval("SELECT 1") == 1


async def test_a_refusal_is_final(server: EmbeddedServer) -> None:
    """A wrong database is a mistake of the program: as in libpq the next host is not tried."""
    hosts, port = [server.host, server.host], server.port
    with pytest.raises(pgallop.InvalidCatalogNameError):
        await pgallop.connect(host=hosts, port=port, user="postgres", database="nowhere")


async def test_the_timeout_is_for_all_hosts() -> None:
    async with FakeServer(stalls) as server:
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await pgallop.connect(
                host=[server.host] * 3,
                port=server.port,
                user="ada",
                timeout=0.15,
            )
        assert time.monotonic() - start < 1
        assert server.clients == 1


async def test_no_timeout_at_all(connect: Connect) -> None:
    async with connect(timeout=None) as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_failures_leave_no_socket() -> None:
    async with FakeServer(closes_at_once) as server:
        for _ in range(20):
            sockets = open_sockets()
            with pytest.raises(ConnectionError):
                await call(server)
            await asyncio.sleep(0.01)
            assert len(open_sockets()) <= len(sockets) + 1  # the server's side may still close


def speak_and_reset(listener: socket.socket) -> None:
    """Serve one client in a thread: start up, wait for a Query, say a part of the answer, reset."""
    client, _ = listener.accept()
    with client:
        client.recv(4096)
        client.sendall(b"".join(STARTED))
        client.recv(4096)
        client.sendall(scripts.command_complete("SELECT 1"))
        # SO_LINGER without a time: close() sends RST.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_the_last_words_and_a_reset_in_one_event() -> None:
    """uvloop tells of both together, and never again."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = asyncio.create_task(asyncio.to_thread(speak_and_reset, listener))
        conn = await pgallop.connect(
            host="127.0.0.1", port=listener.getsockname()[1], user="me", ssl="disable"
        )
        call = asyncio.create_task(conn.execute("SELECT 1"))
        await asyncio.sleep(0)  # the statement is sent
        time.sleep(0.2)  # and the loop sees nothing until both are there
        async with asyncio.timeout(5):
            with pytest.raises(pgallop.ConnectionDoesNotExistError):
                await call
        assert conn.is_closed()
        await served
