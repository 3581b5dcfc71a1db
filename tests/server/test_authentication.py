"""Passwords: each method, right and wrong ones, and where they come from."""

from __future__ import annotations

import asyncio
import functools
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
import scripts
from fake_server import Client, FakeServer
from live import Connect, Monitor
from psycopg import sql

import pgallop
from pgallop.auth.salted import SaltedPasswords
from pgallop.auth.scram import KeyParameters, derive_salted_password
from pgallop.cli.server import EmbeddedServer
from pgallop.transport import connect as transport

PASSWORD = "open sesame"
METHODS = {"plain": "password", "hashed": "md5", "salted": "scram-sha-256"}

# Words whose SASLprep forms differ from themselves, or that need no preparation and look as if.
ODD_PASSWORDS = [
    "päßwörd",
    "I\u00adX",
    "\u2168",
    "with  spaces ",
    "'\"\\",
    "密码",
    "x" * 200,
    "\U0001f511",
]


@pytest.fixture(scope="module")
def strict(bin_dir: Any, monitors: list[Monitor]) -> Iterator[EmbeddedServer]:
    """A server that asks each role for its password by another method, on TCP and Unix socket."""
    hba = [
        f"{kind} all {role} {address} {method}"
        for role, method in METHODS.items()
        for kind, address in (("host", "127.0.0.1/32"), ("local", ""))
    ]
    settings = {"md5_password_warnings": "off"} if bin_dir is None else None
    with (
        EmbeddedServer(bin_dir, listen=True, hba=hba, settings=settings) as server,
        psycopg.connect(server.dsn, autocommit=True) as admin,
    ):
        for role in METHODS:
            encryption = "md5" if role == "hashed" else "scram-sha-256"
            admin.execute(f"SET password_encryption = '{encryption}'".encode())
            admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'".encode())
        monitors.append(Monitor(admin))
        yield server
        monitors.pop()


@pytest.fixture(params=["tcp", "unix"])
def there(request: pytest.FixtureRequest, strict: EmbeddedServer) -> Connect:
    """Connect to that server; a password may go in clear text if asked for."""
    host = strict.tcp_host if request.param == "tcp" else strict.host
    return functools.partial(
        pgallop.connect,
        host=host,
        port=strict.port,
        database="postgres",
        allow_cleartext_password=True,
    )


@pytest.mark.parametrize("role", METHODS)
async def test_right(there: Connect, role: str) -> None:
    async with there(user=role, password=PASSWORD) as conn:
        assert await conn.fetchval("SELECT current_user") == role


@pytest.mark.parametrize("wrong", ["open sesam", PASSWORD.upper(), f"{PASSWORD} ", "x" * 1000])
@pytest.mark.parametrize("role", METHODS)
async def test_wrong(there: Connect, role: str, wrong: str) -> None:
    with pytest.raises(pgallop.InvalidPasswordError, match=role) as caught:
        await there(user=role, password=wrong)
    assert caught.value.sqlstate == "28P01"
    assert wrong not in "".join(traceback.format_exception(caught.value))


async def test_over_tcp_it_is_unverified_who_refuses(strict: EmbeddedServer) -> None:
    for host, unverified in ((strict.tcp_host, True), (strict.host, False)):
        with pytest.raises(pgallop.InvalidPasswordError) as caught:
            await pgallop.connect(host=host, port=strict.port, user="salted", password="wrong")
        assert any("unverified" in note for note in caught.value.__notes__) is unverified


@pytest.mark.parametrize("role", METHODS)
async def test_empty(there: Connect, role: str) -> None:
    with pytest.raises(pgallop.InvalidPasswordError):
        await there(user=role, password="")


@pytest.mark.parametrize("role", METHODS)
async def test_none(there: Connect, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD", raising=False)
    with pytest.raises(pgallop.InvalidPasswordError, match="none was given") as caught:
        await there(user=role)
    assert "PGPASSWORD" in str(caught.value)


@pytest.mark.parametrize("role", METHODS)
async def test_from_each_source(
    strict: EmbeddedServer, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"127.0.0.1:{strict.port}/postgres"
    connect = functools.partial(pgallop.connect, allow_cleartext_password=True)
    await (await connect(f"postgresql://{role}:open%20sesame@{address}")).close()
    text = f"host=127.0.0.1 port={strict.port} dbname=postgres user={role}"
    await (await connect(f"{text} password='{PASSWORD}'")).close()
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    await (await connect(f"postgresql://{role}@{address}")).close()
    # The nearest wins.
    with pytest.raises(pgallop.InvalidPasswordError):
        await connect(f"postgresql://{role}:wrong@{address}")
    await (await connect(f"postgresql://{role}:wrong@{address}", password=PASSWORD)).close()


@pytest.mark.parametrize("password", ODD_PASSWORDS)
async def test_odd_passwords(there: Connect, strict: EmbeddedServer, password: str) -> None:
    with psycopg.connect(strict.dsn, autocommit=True) as admin:
        for role in METHODS:
            encryption = "md5" if role == "hashed" else "scram-sha-256"
            admin.execute(f"SET password_encryption = '{encryption}'".encode())
            literal = sql.Literal(password)
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), literal)
            )
        try:
            for role in METHODS:
                await (await there(user=role, password=password)).close()
                with pytest.raises(pgallop.InvalidPasswordError):
                    await there(user=role, password=f"{password}!")
        finally:
            for role in METHODS:
                encryption = "md5" if role == "hashed" else "scram-sha-256"
                admin.execute(f"SET password_encryption = '{encryption}'".encode())
                admin.execute(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'".encode())


async def test_clear_text_stays_at_home(strict: EmbeddedServer) -> None:
    connect = functools.partial(
        pgallop.connect, port=strict.port, user="plain", database="postgres"
    )
    with pytest.raises(pgallop.UnsupportedClientFeatureError, match="clear text") as caught:
        await connect(host="127.0.0.1", password=PASSWORD)
    assert "allow_cleartext_password" in str(caught.value)
    # It does on a Unix socket, which nobody can listen to.
    await (await connect(host=strict.host, password=PASSWORD)).close()


async def test_not_a_byte_of_it_leaves() -> None:
    heard: list[bytes] = []

    async def asks(client: Client) -> None:
        heard.append(await client.startup())
        client.send(scripts.authentication(scripts.CLEARTEXT_PASSWORD))
        heard.append(await client.the_end())

    async with FakeServer(asks) as server:
        with pytest.raises(pgallop.UnsupportedClientFeatureError, match="clear text"):
            await pgallop.connect(host=server.host, port=server.port, user="ada", password="xyzzy")
        await asyncio.sleep(0.01)
    assert len(heard) == 2
    assert b"xyzzy" not in b"".join(heard)


# A function for a password


async def later() -> str:
    await asyncio.sleep(0.01)
    return PASSWORD


async def late_nothing() -> None:
    return None


@pytest.mark.parametrize("function", [lambda: PASSWORD, later, functools.partial(str, PASSWORD)])
@pytest.mark.parametrize("role", METHODS)
async def test_function(there: Connect, role: str, function: Callable[[], Any]) -> None:
    async with there(user=role, password=function) as conn:
        assert await conn.fetchval("SELECT current_user") == role


async def test_function_is_called_for_each_connection(there: Connect) -> None:
    calls = 0

    def password() -> str:
        nonlocal calls
        calls += 1
        return PASSWORD

    call = functools.partial(there, user="salted", password=password)
    assert calls == 0
    for _ in range(3):
        await (await call()).close()
    assert calls == 3


@pytest.mark.parametrize("function", [lambda: 7, lambda: b"bytes", late_nothing])
async def test_function_that_returns_no_text(there: Connect, function: Callable[[], Any]) -> None:
    with pytest.raises((pgallop.ClientConfigurationError, pgallop.InvalidPasswordError)):
        await there(user="salted", password=function)


@pytest.mark.parametrize("bad", ["open\0sesame", "\ud800"])
@pytest.mark.parametrize("role", METHODS)
async def test_function_that_returns_the_unsendable(there: Connect, role: str, bad: str) -> None:
    with pytest.raises((pgallop.InterfaceError, pgallop.InvalidPasswordError)) as caught:
        await there(user=role, password=lambda: bad)
    assert bad not in "".join(traceback.format_exception(caught.value))


async def test_function_that_fails(there: Connect) -> None:
    def fails() -> str:
        raise LookupError("no such secret")

    async def fails_later() -> str:
        raise TimeoutError("the vault does not answer")

    with pytest.raises(LookupError, match="no such secret"):
        await there(user="salted", password=fails)
    with pytest.raises(TimeoutError, match="the vault does not answer"):
        await there(user="salted", password=fails_later)


async def test_function_that_never_returns(there: Connect) -> None:
    async def never() -> str:
        await asyncio.sleep(60)
        return PASSWORD

    with pytest.raises(pgallop.CannotConnectError, match="in time"):
        await there(user="salted", password=never, timeout=0.2)


async def test_the_password_is_in_no_repr(there: Connect) -> None:
    async with there(user="salted", password=PASSWORD) as conn:
        assert PASSWORD not in repr(conn)
        assert PASSWORD not in repr(vars(conn).values())


async def test_many_at_once(there: Connect) -> None:
    calls = [there(user="salted", password=PASSWORD) for _ in range(10)]
    connections = await asyncio.gather(*calls)
    for conn in connections:
        await conn.close()


async def test_the_key_is_derived_once(
    there: Connect, strict: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And again for another password, right or wrong."""
    derived: list[str] = []

    def derive(password: str, parameters: KeyParameters) -> bytes:
        derived.append(password)
        return derive_salted_password(password, parameters)

    monkeypatch.setattr(transport, "salted_passwords", SaltedPasswords())
    monkeypatch.setattr(transport, "derive_salted_password", derive)
    for _ in range(3):
        await (await there(user="salted", password=PASSWORD)).close()
    assert derived == [PASSWORD]
    for _ in range(2):
        with pytest.raises(pgallop.InvalidPasswordError):
            await there(user="salted", password="wrong")
    assert derived == [PASSWORD, "wrong", "wrong"]
    with psycopg.connect(strict.dsn, autocommit=True) as admin:
        admin.execute(f"ALTER ROLE salted PASSWORD '{PASSWORD}'".encode())  # with another salt
    for _ in range(2):
        await (await there(user="salted", password=PASSWORD)).close()
    assert derived[3:] == [PASSWORD]


async def test_the_loop_goes_on_while_the_key_is_computed(strict: EmbeddedServer) -> None:
    """PBKDF2 with the most rounds that are allowed takes tens of milliseconds."""
    with psycopg.connect(strict.dsn, autocommit=True) as admin:
        admin.execute(b"SET scram_iterations = 100000")
        admin.execute(f"CREATE ROLE slow LOGIN PASSWORD '{PASSWORD}'".encode())
        try:
            ticks = 0

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await asyncio.sleep(0.001)
                    ticks += 1

            ticking = asyncio.create_task(tick())
            connect = functools.partial(
                pgallop.connect, host="127.0.0.1", port=strict.port, database="postgres"
            )
            await (await connect(user="slow", password=PASSWORD)).close()
            assert ticks > 10
            ticking.cancel()
            await asyncio.wait([ticking])
            with pytest.raises(pgallop.ProtocolError, match="scram_max_iterations"):
                await connect(user="slow", password=PASSWORD, scram_max_iterations=99_999)
        finally:
            admin.execute(b"DROP ROLE slow")
