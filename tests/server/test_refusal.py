"""An error in the place of the answer to SSLRequest: told, and not believed too far."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import time
from typing import Any

import pytest
import scripts
import trustme
from fake_server import Client, FakeServer, Handler
from tls_front import TlsFront

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall

FULL = scripts.error_response("53300", "sorry, too many clients already", "FATAL", H="buy more")
# What a postmaster sends that cannot fork: protocol 2, whatever was asked.
NO_FORK = b"Ecould not fork new process for connection: Resource temporarily unavailable\n\0"


def says(*parts: bytes, then_waits: bool = False) -> Handler:
    """A server that answers the first eight bytes by these, one send each."""

    async def handler(client: Client) -> None:
        await client.reader.readexactly(8)
        for part in parts:
            client.send(part)
            await client.writer.drain()
            await asyncio.sleep(0)
        if then_waits:
            await client.the_end()

    return handler


def call(server: FakeServer, **options: Any) -> ConnectCall:
    options = {"ssl": "require", "timeout": 5, **options}
    return pgallop.connect(
        host=server.host, port=server.port, user="ada", password="secret", **options
    )


@pytest.mark.parametrize("mode", ["prefer", "require", True, ssl.create_default_context()])
@pytest.mark.parametrize("then_waits", [True, False])
async def test_an_error_response(mode: Any, then_waits: bool) -> None:
    async with FakeServer(says(FULL, then_waits=then_waits)) as server:
        with pytest.raises(pgallop.TooManyConnectionsError) as caught:
            await call(server, ssl=mode)
    error = caught.value
    assert str(error).startswith("unverified, said before TLS: sorry, too many clients already\n")
    assert "clear text" in str(error)
    assert "buy more" not in str(error)
    assert (error.sqlstate, error.severity) == ("53300", "FATAL")
    assert any(f"port {server.port}" in note for note in error.__notes__)


async def test_in_pieces() -> None:
    pieces = [FULL[i : i + 1] for i in range(len(FULL))]
    async with FakeServer(says(*pieces)) as server:
        with pytest.raises(pgallop.TooManyConnectionsError, match="unverified"):
            await call(server)


@pytest.mark.parametrize("text", [NO_FORK, NO_FORK[:-1], b"Enot\0", b"E\0\0\0\0\0"])
async def test_protocol_2(text: bytes) -> None:
    """A text without a length, which some end without the NUL."""
    async with FakeServer(says(text)) as server:
        with pytest.raises(pgallop.PostgresError, match="unverified") as caught:
            await call(server)
    shown = text[1:].partition(b"\0")[0].decode().strip()
    assert str(caught.value).startswith(f"unverified, said before TLS: {shown}\n")


@pytest.mark.parametrize("sqlstate", ["00000", "XXXXX", "57P03", ""])
async def test_any_sqlstate(sqlstate: str) -> None:
    async with FakeServer(says(scripts.error_response(sqlstate, "no", "FATAL"))) as server:
        with pytest.raises(pgallop.PostgresError, match="unverified, said before TLS: no"):
            await call(server)


MADE_UP = "done\n id | password\n----+---------\n\x1b[31m  1 | \u202ehunter2\x07\n" + "x" * 5000


@pytest.mark.parametrize("protocol", [2, 3])
async def test_a_text_that_is_made_to_look_like_something_else(protocol: int) -> None:
    message = scripts.error_response("28000", MADE_UP, D=MADE_UP, H=MADE_UP, W=MADE_UP, q=MADE_UP)
    if protocol == 2:
        message = b"E" + MADE_UP.encode() + b"\0"
    async with FakeServer(says(message)) as server:
        with pytest.raises(pgallop.PostgresError) as caught:
            await call(server)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2, lines
    assert len(lines[0]) < 250
    assert lines[0].endswith("...")
    assert str(caught.value).replace("\n", "").isprintable()
    assert "hunter2" not in str(caught.value.as_dict()).replace(lines[0], "")


@pytest.mark.parametrize(
    "start", [b"E", b"E\0\0\x75\x31", b"E\x7f\xff\xff\xff", b"E\xff\xff\xff\xff"]
)
async def test_no_more_is_read_than_makes_sense(start: bytes) -> None:
    """30,000 bytes, whatever length is announced, from a server that never stops."""

    async def talks(client: Client) -> None:
        await client.reader.readexactly(8)
        client.send(start)
        with contextlib.suppress(ConnectionError):
            while True:
                client.send(b"x" * 1000)
                await client.writer.drain()
                await asyncio.sleep(0)

    async with FakeServer(talks) as server:
        begun = time.monotonic()
        with pytest.raises(pgallop.PostgresError, match="unverified"):
            await call(server)
        assert time.monotonic() - begun < 2


@pytest.mark.parametrize("cut", [1, 3, 5, 10, len(FULL) - 1])
async def test_closes_in_the_middle(cut: int) -> None:
    async with FakeServer(says(FULL[:cut])) as server:
        with pytest.raises(ConnectionError) as caught:
            await call(server)
        assert isinstance(caught.value, pgallop.CannotConnectError)
        assert f"port {server.port}" in str(caught.value)


@pytest.mark.parametrize("cut", [1, 3, 10, len(FULL) - 1])
async def test_stalls_in_the_middle(cut: int) -> None:
    async with FakeServer(says(FULL[:cut], then_waits=True)) as server:
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            await call(server, timeout=0.15)
        assert 0.12 < time.monotonic() - begun < 1.5


@pytest.mark.parametrize(
    "message",
    [
        scripts.message("E", b"Mno end"),
        scripts.message("E", b"Mend\0\0and more"),
        scripts.message("E", b"Mno zero\0"),
    ],
)
async def test_a_malformed_one(message: bytes) -> None:
    async with FakeServer(says(message)) as server:
        with pytest.raises(pgallop.ProtocolError) as caught:
            await call(server)
        assert any(f"port {server.port}" in note for note in caught.value.__notes__)


class FullFront(TlsFront):
    """Takes one client, and refuses the others before TLS."""

    refused = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.versions:
            await super()._serve(reader, writer)
            return
        self.refused += 1
        assert await reader.readexactly(8) == struct.pack("!ii", 8, 80877103)
        writer.write(NO_FORK)
        writer.close()
        await writer.wait_closed()


async def test_the_cancel_connection_is_refused(server: EmbeddedServer) -> None:
    """It is tried again, and the statement's own end is as good; nobody hears of the refusal."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    with FullFront(server, context) as front:
        async with pgallop.connect(
            host=front.host, port=front.port, user="postgres", ssl="require"
        ) as conn:
            with pytest.raises(TimeoutError):
                await conn.execute("SELECT pg_sleep(0.6)", timeout=0.05)
            assert await conn.fetchval("SELECT 1") == 1
    assert front.refused >= 2
