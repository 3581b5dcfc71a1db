"""Whom a host's name stands for, and what is the same for all connections."""

import asyncio
import socket
from typing import Any, NoReturn

import pytest

from pgallop.config.hosts import Host
from pgallop.config.tls import TlsOptions
from pgallop.transport.connect import context_for, find_addresses

INET, INET6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that the loop was asked about."""
    names: list[str] = []

    async def getaddrinfo(_loop: Any, host: str, port: int, **_options: Any) -> list[Any]:
        names.append(host)
        return [(int(INET6), socket.SOCK_STREAM, 6, "", ("fe80::1", port, 0, 7))]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return names


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", (INET, ("127.0.0.1", 5432))),
        ("::1", (INET6, ("::1", 5432, 0, 0))),
        ("2001:db8::7", (INET6, ("2001:db8::7", 5432, 0, 0))),
    ],
)
def test_an_address_is_not_looked_up(asked: list[str], host: str, expected: Any) -> None:
    """That takes a thread."""

    async def main() -> None:
        found = await find_addresses(asyncio.get_running_loop(), Host(host, 5432))
        assert found == [expected]

    asyncio.run(main())
    assert asked == []


@pytest.mark.parametrize("host", ["localhost", "127.1", "fe80::1%eth0", "naïve.example"])
def test_all_else_is_looked_up(asked: list[str], host: str) -> None:
    async def main() -> None:
        found = await find_addresses(asyncio.get_running_loop(), Host(host, 5432))
        assert found == [(INET6, ("fe80::1", 5432, 0, 7))]
        assert isinstance(found[0][0], socket.AddressFamily)

    asyncio.run(main())
    assert asked == [host]


def test_contexts_are_shared_where_no_file_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = TlsOptions(password="of a key that is not there")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        first = await context_for(loop, "prefer", TlsOptions())
        assert first is not None
        assert await context_for(loop, "prefer", secret) is first
        assert await context_for(loop, "prefer", TlsOptions(min_version="TLSv1.3")) is not first
        system = TlsOptions(root_cert="system")
        trusting = await context_for(loop, "verify-full", system)
        assert trusting is not None
        # The files may be others by now.
        assert await context_for(loop, "verify-full", system) is not trusting
        assert await context_for(loop, "disable", TlsOptions()) is None

    asyncio.run(main())
    monkeypatch.setattr(asyncio.BaseEventLoop, "run_in_executor", refuse)
    asyncio.run(main_without_threads())


async def main_without_threads() -> None:
    loop = asyncio.get_running_loop()
    assert await context_for(loop, "require", TlsOptions()) is not None


def refuse(*_: Any) -> NoReturn:
    raise AssertionError("a thread was asked")
