"""TLS: when it is used, what is checked, and that everything works inside it too."""

from __future__ import annotations

import asyncio
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import pytest
import trustme
from live import Connect, Monitor
from proxy import DelayProxy
from tls_front import TlsFront

import pgallop
from pgallop.cli.installation import unprivileged_account
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall

# Embedded PostgreSQL has no TLS; a front does it for it. Where one of Debian's is installed, as on
# the machines of CI, it is used as well.
DEBIAN = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
KINDS = ["front", "postgresql"] if DEBIAN else ["front"]

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()


class Place(NamedTuple):
    """Where TLS is offered, with a certificate for `localhost` and 127.0.0.1."""

    kind: str
    port: int

    def call(self, **options: Any) -> ConnectCall:
        options = {"host": "localhost", "timeout": 10, "ssl": trusting(AUTHORITY), **options}
        return pgallop.connect(port=self.port, user="postgres", database="postgres", **options)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture(scope="module")
def front(server: EmbeddedServer) -> Iterator[TlsFront]:
    certificate = AUTHORITY.issue_cert("localhost", "127.0.0.1")
    with TlsFront(server, serving(certificate)) as front:
        yield front


@pytest.fixture(scope="module")
def debian(monitors: list[Monitor]) -> Iterator[EmbeddedServer]:
    certificate = AUTHORITY.issue_cert("localhost", "127.0.0.1")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        files = {
            "ssl_cert_file": (Path(folder, "server.crt"), certificate.cert_chain_pems[0].bytes()),
            "ssl_key_file": (Path(folder, "server.key"), certificate.private_key_pem.bytes()),
        }
        account = unprivileged_account()
        for path, content in files.values():
            path.write_bytes(content)
            path.chmod(0o600)
            if account is not None:
                os.chown(path, account.uid, account.gid)
        Path(folder).chmod(0o755)
        settings = {"ssl": "on", **{name: str(path) for name, (path, _) in files.items()}}
        with (
            EmbeddedServer(max(DEBIAN), listen=True, auth="trust", settings=settings) as server,
            psycopg.connect(server.dsn, autocommit=True) as connection,
        ):
            monitors.append(Monitor(connection))
            yield server
            monitors.pop()


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "front":
        return Place("front", request.getfixturevalue("front").port)
    return Place("postgresql", request.getfixturevalue("debian").port)


@pytest.fixture
def plain(server: EmbeddedServer) -> Place:
    """A server without TLS."""
    return Place("plain", server.port)


async def encrypted(call: ConnectCall) -> bool:
    """Whether this connection is: Session and Stream know, and so does the server where asked."""
    async with call as conn:
        tls = conn._stream.tls is not None
        shown = await conn.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        if conn.get_server_version() < (16,):
            assert shown is tls
        return tls


# When it is used


@pytest.mark.parametrize("mode", ["prefer", "require", None])
async def test_used(place: Place, mode: str | None) -> None:
    assert await encrypted(place.call(ssl=mode, host="127.0.0.1"))


@pytest.mark.parametrize("mode", ["disable", False])
async def test_not_used(place: Place, mode: Any) -> None:
    assert not await encrypted(place.call(ssl=mode))


async def test_from_the_dsn_and_the_environment(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = f"postgresql://postgres@localhost:{place.port}/postgres"
    assert await encrypted(pgallop.connect(f"{dsn}?sslmode=require"))
    assert not await encrypted(pgallop.connect(f"{dsn}?sslmode=disable"))
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert not await encrypted(pgallop.connect(dsn))
    assert await encrypted(pgallop.connect(dsn, ssl="require"))


async def test_a_server_without_it(plain: Place) -> None:
    assert not await encrypted(plain.call(ssl="prefer"))
    assert not await encrypted(plain.call(ssl=None))
    for mode in ("require", True, trusting(AUTHORITY)):
        with pytest.raises(pgallop.InterfaceError, match="does not offer TLS") as caught:
            await plain.call(ssl=mode)
        assert "ssl = on" in str(caught.value)
        assert any(f"port {plain.port}" in note for note in caught.value.__notes__)


async def test_not_on_a_unix_socket(server: EmbeddedServer) -> None:
    call = pgallop.connect(
        host=server.host, port=server.port, user="postgres", ssl=trusting(AUTHORITY)
    )
    assert not await encrypted(call)


# What is checked


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_right_certificate(place: Place, host: str) -> None:
    assert await encrypted(place.call(host=host))


async def test_unknown_authority(place: Place) -> None:
    for context in (trusting(STRANGER), ssl.create_default_context(), True):
        with pytest.raises(OSError, match="certificate verify failed") as caught:
            await place.call(ssl=context)
        assert isinstance(caught.value, pgallop.CannotConnectError)
        assert f"port {place.port}" in str(caught.value)


async def test_wrong_host_name(server: EmbeddedServer) -> None:
    certificate = AUTHORITY.issue_cert("db.example.org")
    with TlsFront(server, serving(certificate)) as front:
        place = Place("front", front.port)
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(OSError, match=f"not valid for '{host}'") as caught:
                await place.call(host=host)
            assert isinstance(caught.value, pgallop.CannotConnectError)
        context = trusting(AUTHORITY)
        context.check_hostname = False
        assert await encrypted(place.call(ssl=context))


async def test_client_certificate(server: EmbeddedServer) -> None:
    demanding = serving(AUTHORITY.issue_cert("localhost"))
    demanding.verify_mode = ssl.CERT_REQUIRED
    AUTHORITY.configure_trust(demanding)
    with TlsFront(server, demanding) as front:
        place = Place("front", front.port)
        with pytest.raises(pgallop.CannotConnectError):
            await place.call()
        context = trusting(AUTHORITY)
        AUTHORITY.issue_cert("ada@example.org").configure_cert(context)
        assert await encrypted(place.call(ssl=context))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_versions(place: Place, front: TlsFront, version: ssl.TLSVersion) -> None:
    context = trusting(AUTHORITY)
    context.minimum_version = context.maximum_version = version
    assert await encrypted(place.call(ssl=context))
    if place.kind == "front":
        assert front.versions[-1] == version.name.replace("_", ".")


async def test_no_common_version(server: EmbeddedServer) -> None:
    modern = serving(AUTHORITY.issue_cert("localhost"))
    modern.minimum_version = ssl.TLSVersion.TLSv1_3
    context = trusting(AUTHORITY)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with TlsFront(server, modern) as front:
        with pytest.raises(pgallop.CannotConnectError) as caught:
            await Place("front", front.port).call(ssl=context)
        assert f"port {front.port}" in str(caught.value)


# What goes on inside


async def test_everything_works(place: Place) -> None:
    async with place.call() as conn:
        rows = await conn.fetch("SELECT i, repeat('x', i % 100) FROM generate_series(1, 20000) i")
        assert len(rows) == 20_000
        async with conn.transaction():
            results = await asyncio.gather(*[conn.fetchval("SELECT $1::int", i) for i in range(99)])
        assert results == list(range(99))
        with pytest.raises(pgallop.DivisionByZeroError):
            await conn.fetch("SELECT 1/0")
        assert await conn.fetchval("SELECT 1") == 1


async def test_large_statements_both_ways(place: Place) -> None:
    data = os.urandom(3_000_000)
    async with place.call() as conn, asyncio.timeout(30):
        answers = await asyncio.gather(*[conn.fetchval("SELECT $1::bytea", data) for _ in range(8)])
        assert all(answer == data for answer in answers)


async def test_records_in_pieces(place: Place) -> None:
    """What arrives is no whole number of TLS records, nor these of messages."""
    data = os.urandom(200_000)
    async with (
        DelayProxy("127.0.0.1", place.port, delay=0.001) as proxy,
        pgallop.connect(
            host=proxy.host,
            port=proxy.port,
            user="postgres",
            database="postgres",
            ssl=trusting(AUTHORITY),
        ) as conn,
    ):
        for size in (0, 1, 16_383, 16_384, 16_385, 65_536, 200_000):
            assert await conn.fetchval("SELECT $1::bytea", data[:size]) == data[:size]


async def test_the_cancel_request_is_encrypted_too(place: Place, front: TlsFront) -> None:
    """It carries a key that lets anybody cancel this session's statements."""
    async with place.call() as conn:
        before = len(front.versions)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await conn.fetch("SELECT pg_sleep(30)", timeout=0.1)
        assert await conn.fetchval("SELECT 1", timeout=5) == 1
        assert time.monotonic() - start < 3
        if place.kind == "front":
            assert front.versions[before:] == ["TLSv1.3"]


async def test_a_server_that_goes_away(place: Place, connect: Connect) -> None:
    async with place.call() as conn, place.call() as admin:
        sleeping = asyncio.create_task(conn.execute("SELECT pg_sleep(60)"))
        await asyncio.sleep(0.05)
        await admin.fetchval("SELECT pg_terminate_backend($1)", conn.get_server_pid())
        with pytest.raises(pgallop.ConnectionDoesNotExistError, match="administrator"):
            await sleeping
        assert conn.is_closed()


async def test_cut_in_the_middle(place: Place) -> None:
    async with DelayProxy("127.0.0.1", place.port) as proxy:
        conn = await pgallop.connect(
            host=proxy.host,
            port=proxy.port,
            user="postgres",
            database="postgres",
            ssl=trusting(AUTHORITY),
        )
        proxy.close_after(100_000)
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            await conn.fetch("SELECT repeat('x', 1000000)")
        assert conn.is_closed()
        with pytest.raises(OSError, match="closed"):
            proxy.close_after(500)
            await pgallop.connect(
                host=proxy.host, port=proxy.port, user="postgres", ssl=trusting(AUTHORITY)
            )


async def test_garbage_inside(place: Place) -> None:
    """A broken record ends the connection with a typed error, like every broken message."""
    async with place.call() as conn:
        await conn.fetchval("SELECT 1")
        conn._stream.received(b"\x17\x03\x03\x00\x05broken and not decryptable")
        assert conn.is_closed()
        with pytest.raises(pgallop.InterfaceError, match="closed"):
            await conn.fetchval("SELECT 1")
