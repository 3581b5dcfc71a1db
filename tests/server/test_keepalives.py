"""Keepalives and tcp_user_timeout: what the kernel is told about each socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import Any

import pytest
from fake_server import Client, FakeServer
from live import Connect

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.config import TcpOptions
from pgallop.transport.tcp import set_tcp_options

# As the kernel counts them, in the order of `settings`.
Settings = tuple[int, int, int, int, int]


def settings(sock: socket.socket) -> Settings:
    """On or off, idle, interval, count, user timeout."""
    tcp = socket.IPPROTO_TCP
    return (
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        sock.getsockopt(tcp, socket.TCP_KEEPIDLE),
        sock.getsockopt(tcp, socket.TCP_KEEPINTVL),
        sock.getsockopt(tcp, socket.TCP_KEEPCNT),
        sock.getsockopt(tcp, socket.TCP_USER_TIMEOUT),
    )


OLDER: set[str] = set()


@pytest.fixture(autouse=True)
def older(server: EmbeddedServer) -> None:
    """Remember the sockets that other tests have left open on purpose."""
    OLDER.clear()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):
            OLDER.add(os.readlink(f"/proc/self/fd/{fd}"))


def sockets_to(peer: object) -> list[socket.socket]:
    """Copies of this process's sockets that are connected to `peer`: a port, or a Unix address.

    Without those that were there before the test: the monitor has one, too.
    """
    found = []
    seen: set[str] = set()  # by inode: a copy can take a number that is still to come
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:  # that of the listing itself
            continue
        if not target.startswith("socket:") or target in seen | OLDER:
            continue
        seen.add(target)
        sock = socket.socket(fileno=os.dup(int(fd)))
        try:
            name = sock.getpeername()
        except OSError:  # not connected
            name = None
        if peer == (name[1] if isinstance(name, tuple) and len(name) > 1 else name):
            found.append(sock)
        else:
            sock.close()
    return found


def settings_to(port: int) -> list[Settings]:
    """What the kernel was told about each connection to that port, made by this process."""
    seen = []
    for sock in sockets_to(port):
        with sock:
            seen.append(settings(sock))
    return seen


def keepalives_to(path: str) -> list[int]:
    """Whether they are on, for each connection to that Unix socket; it has the option too."""
    seen = []
    for sock in sockets_to(path):
        with sock:
            seen.append(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    return seen


with socket.socket() as untouched:
    _, IDLE, INTERVAL, COUNT, USER_TIMEOUT = settings(untouched)

ASKED: dict[str, tuple[dict[str, Any], Settings]] = {
    "nothing": ({}, (1, 60, 10, 6, USER_TIMEOUT)),
    "all": (
        {
            "keepalives": True,
            "keepalives_idle": 7,
            "keepalives_interval": 8,
            "keepalives_count": 9,
            "tcp_user_timeout": 12345,
        },
        (1, 7, 8, 9, 12345),
    ),
    "the system's": (
        {
            "keepalives_idle": 0,
            "keepalives_interval": 0,
            "keepalives_count": 0,
            "tcp_user_timeout": 0,
        },
        (1, IDLE, INTERVAL, COUNT, USER_TIMEOUT),
    ),
    "off": (
        {"keepalives": 0, "keepalives_idle": 7, "tcp_user_timeout": 5},
        (0, IDLE, INTERVAL, COUNT, 5),
    ),
    "the most": (
        {
            "keepalives_idle": 32767,
            "keepalives_interval": 32767,
            "keepalives_count": 127,
            "tcp_user_timeout": 2**31 - 1,
        },
        (1, 32767, 32767, 127, 2**31 - 1),
    ),
}


@pytest.mark.parametrize(("options", "expected"), ASKED.values(), ids=ASKED)
async def test_a_connection(
    server: EmbeddedServer, connect: Connect, options: dict[str, Any], expected: Settings
) -> None:
    async with connect(**options) as conn:
        assert await conn.fetchval("SELECT 1") == 1
        assert settings_to(server.port) == [expected]


@pytest.mark.parametrize("separator", ["&", " "])
async def test_from_the_dsn(server: EmbeddedServer, separator: str) -> None:
    options, expected = ASKED["all"]
    parameters = separator.join(f"{name}={int(value)}" for name, value in options.items())
    if separator == "&":
        dsn = f"postgresql://postgres@127.0.0.1:{server.port}/postgres?{parameters}"
    else:
        dsn = f"host=127.0.0.1 port={server.port} user=postgres {parameters}"
    async with pgallop.connect(dsn):
        assert settings_to(server.port) == [expected]
    async with pgallop.connect(dsn, keepalives_idle=70):
        assert settings_to(server.port) == [(1, 70, 8, 9, 12345)]


async def test_a_unix_socket_has_none(server: EmbeddedServer) -> None:
    options, _ = ASKED["all"]
    path = f"{server.host}/.s.PGSQL.{server.port}"
    others = keepalives_to(path)
    async with pgallop.connect(server.dsn, **options) as conn:
        assert await conn.fetchval("SELECT 1") == 1
        assert keepalives_to(path) == [*others, 0]


async def test_while_it_connects() -> None:
    """They hold before there is any answer, as a server may be lost then too."""

    async def is_silent(client: Client) -> None:
        await client.the_end()

    options, expected = ASKED["all"]
    async with FakeServer(is_silent) as server:
        call = pgallop.connect(host=server.host, port=server.port, user="ada", **options)
        connecting = asyncio.create_task(call)
        async with asyncio.timeout(5):
            while not server.clients:
                await asyncio.sleep(0.001)
        assert settings_to(server.port) == [expected]
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting


async def test_the_cancel_connection(server: EmbeddedServer) -> None:
    """It can be lost as silently as any other."""
    seen: list[Settings] = []

    async def relays_the_first(client: Client) -> None:
        if front.clients > 1:
            await client.reader.readexactly(16)  # the CancelRequest, which goes nowhere
            seen.extend(settings_to(front.port))
            return
        from_server, to_server = await asyncio.open_connection(server.tcp_host, server.port)
        try:
            await asyncio.gather(relay(client.reader, to_server), relay(from_server, client.writer))
        finally:
            to_server.transport.abort()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    options, expected = ASKED["all"]
    async with FakeServer(relays_the_first) as front:
        conn = await pgallop.connect(
            host=front.host, port=front.port, user="postgres", ssl="disable", **options
        )
        with pytest.raises(TimeoutError):
            await conn.execute("SELECT pg_sleep(0.5)", timeout=0.1)
        await conn.close(timeout=5)
    assert seen[:2] == [expected, expected]


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        ({"keepalives_idle": -1}, "keepalives_idle: expected whole seconds"),
        ({"keepalives_count": "many"}, "keepalives_count: expected a whole number"),
        ({"keepalives": "yes"}, "keepalives: expected True or False"),
        ({"dsn": "tcp_user_timeout=1s"}, "tcp_user_timeout in the DSN: expected whole"),
    ],
)
async def test_refused(options: dict[str, Any], culprit: str) -> None:
    with pytest.raises(pgallop.ClientConfigurationError, match=f"^{culprit}"):
        await pgallop.connect(host="127.0.0.1", **options)


# Other systems


class FakeSocket:
    """Records what is set, and fails as told."""

    def __init__(self, failures: dict[int, int]) -> None:
        self.set: dict[tuple[int, int], int] = {}
        self._failures = failures

    def setsockopt(self, level: int, option: int, value: int) -> None:
        if level == socket.IPPROTO_TCP and option in self._failures:
            raise OSError(self._failures[option], "no")
        self.set[level, option] = value


def recorded(options: TcpOptions, failures: dict[int, int] | None = None) -> dict[str, int]:
    """What is set on a socket, by the name of the option."""
    sock: Any = FakeSocket(failures or {})
    set_tcp_options(sock, options)
    names = {(socket.SOL_SOCKET, socket.SO_KEEPALIVE): "SO_KEEPALIVE"}
    for name in dir(socket):
        if name.startswith("TCP_"):
            names[socket.IPPROTO_TCP, getattr(socket, name)] = name
    return {names[key]: value for key, value in sock.set.items()}


ALL = TcpOptions(keepalives_idle=7, keepalives_interval=8, keepalives_count=9, tcp_user_timeout=5)


def test_on_linux() -> None:
    assert recorded(ALL) == {
        "TCP_NODELAY": 1,
        "SO_KEEPALIVE": 1,
        "TCP_KEEPIDLE": 7,
        "TCP_KEEPINTVL": 8,
        "TCP_KEEPCNT": 9,
        "TCP_USER_TIMEOUT": 5,
    }


def test_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(socket, "TCP_KEEPIDLE")
    monkeypatch.delattr(socket, "TCP_USER_TIMEOUT")
    monkeypatch.setattr(socket, "TCP_KEEPALIVE", 0x1000, raising=False)
    assert recorded(ALL) == {
        "TCP_NODELAY": 1,
        "SO_KEEPALIVE": 1,
        "TCP_KEEPALIVE": 7,
        "TCP_KEEPINTVL": 8,
        "TCP_KEEPCNT": 9,
    }


def test_on_a_system_that_has_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"):
        monkeypatch.delattr(socket, name)
    assert recorded(ALL) == {"TCP_NODELAY": 1, "SO_KEEPALIVE": 1}


@pytest.mark.parametrize("number", [errno.ENOPROTOOPT, errno.EOPNOTSUPP])
def test_on_a_system_that_only_has_the_names(number: int) -> None:
    failures = {socket.TCP_KEEPIDLE: number, socket.TCP_USER_TIMEOUT: number}
    assert recorded(ALL, failures) == {
        "TCP_NODELAY": 1,
        "SO_KEEPALIVE": 1,
        "TCP_KEEPINTVL": 8,
        "TCP_KEEPCNT": 9,
    }


def test_a_refused_value_is_an_error() -> None:
    with pytest.raises(OSError, match="no"):
        recorded(ALL, {socket.TCP_KEEPCNT: errno.EINVAL})
