"""Authentication by Kerberos for real: MIT's library and centre, and Debian's PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import asyncpg
import pytest
from kerberos.realm import PASSWORD, ROLE, STRANGER, Realm

import pgallop
import pgallop.asyncpg
from pgallop.cli.server import EmbeddedServer
from pgallop.errors import GSSAuthenticationError


def there(server: EmbeddedServer, driver: Any = pgallop, **options: Any) -> Any:
    names = {"host": server.tcp_host, "port": server.port, "user": ROLE, "database": "postgres"}
    return driver.connect(**{**names, "ssl": "disable", **options})


WHO = "SELECT current_user || ' ' || principal || ' ' || gss_authenticated FROM pg_stat_gssapi "
WHO += "WHERE pid = pg_backend_pid()"


@pytest.mark.parametrize("driver", [pgallop, asyncpg, pgallop.asyncpg])
async def test_with_a_ticket(guarded: EmbeddedServer, ticket: Realm, driver: Any) -> None:
    conn = await there(guarded, driver)
    assert await conn.fetchval(WHO) == "ada ada@PGALLOP.TEST true"
    await conn.close()


async def test_a_password_is_not_asked_for(guarded: EmbeddedServer, ticket: Realm) -> None:
    async with there(guarded, password="wrong") as conn:
        assert await conn.fetchval(WHO) == "ada ada@PGALLOP.TEST true"


@pytest.mark.parametrize("driver", [asyncpg, pgallop.asyncpg])
async def test_without_a_ticket_as_asyncpg(
    guarded: EmbeddedServer, the_realm: Realm, driver: Any
) -> None:
    with pytest.raises(driver.InternalClientError, match="No Kerberos credentials") as caught:
        await there(guarded, driver)
    assert type(caught.value.__cause__).__name__ == "MissingCredentialsError"


@pytest.mark.parametrize("driver", [pgallop, pgallop.asyncpg])
async def test_without_a_ticket(guarded: EmbeddedServer, the_realm: Realm, driver: Any) -> None:
    with pytest.raises(
        GSSAuthenticationError, match=r"no ticket for postgres@127.0.0.1: "
    ) as caught:
        await there(guarded, driver)
    assert "No Kerberos credentials available" in str(caught.value)
    assert "get a ticket with kinit" in str(caught.value)
    assert type(caught.value.__cause__).__name__ == "MissingCredentialsError"


async def test_an_old_ticket(guarded: EmbeddedServer, the_realm: Realm) -> None:
    the_realm.log_in(ROLE, PASSWORD, "-l", "1s")
    await asyncio.sleep(2.1)
    with pytest.raises(GSSAuthenticationError, match="Ticket expired") as caught:
        await there(guarded)
    assert "kinit" in str(caught.value.hint)
    the_realm.log_out()


@pytest.mark.parametrize("driver", [pgallop, asyncpg, pgallop.asyncpg])
@pytest.mark.parametrize("place", ["argument", "dsn", "variable"])
async def test_another_service(
    guarded: EmbeddedServer,
    ticket: Realm,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    driver: Any,
) -> None:
    """Whose key the server has, too."""
    options: dict[str, Any] = {}
    if place == "argument":
        options["krbsrvname"] = "other"
    elif place == "dsn":
        options["dsn"] = "postgresql:///?krbsrvname=other"
    else:
        monkeypatch.setenv("PGKRBSRVNAME", "other")
    conn = await there(guarded, driver, **options)
    assert await conn.fetchval(WHO) == "ada ada@PGALLOP.TEST true"
    await conn.close()
    tickets = ticket.run("klist")
    assert "other/127.0.0.1" in tickets
    assert "postgres/127.0.0.1" not in tickets


async def test_a_service_that_the_realm_does_not_know(
    guarded: EmbeddedServer, ticket: Realm
) -> None:
    with pytest.raises(GSSAuthenticationError, match="not found in Kerberos database") as caught:
        await there(guarded, krbsrvname="nothing")
    assert "krbsrvname=" in str(caught.value.hint)


async def test_a_service_whose_key_the_server_does_not_have(
    guarded: EmbeddedServer, ticket: Realm
) -> None:
    """It cannot read the ticket, and says so."""
    with pytest.raises(
        GSSAuthenticationError, match=r"proven to be lost@127.0.0.1: .* isn't for us"
    ):
        await there(guarded, krbsrvname="lost")


async def test_a_stranger(guarded: EmbeddedServer, the_realm: Realm) -> None:
    the_realm.log_in(STRANGER, PASSWORD)
    with pytest.raises(pgallop.InvalidAuthorizationSpecificationError) as caught:
        await there(guarded)
    assert "GSSAPI authentication failed" in str(caught.value)
    the_realm.log_out()


async def test_a_database_that_is_not_there(guarded: EmbeddedServer, ticket: Realm) -> None:
    """The server says so behind its proof, before the client has seen that it is one."""
    with pytest.raises(pgallop.InvalidCatalogNameError) as caught:
        await there(guarded, database="nowhere")
    assert not [note for note in caught.value.__notes__ if "unverified" in note]


async def test_a_pool(guarded: EmbeddedServer, ticket: Realm) -> None:
    names: dict[str, Any] = {
        "host": guarded.tcp_host,
        "port": guarded.port,
        "user": ROLE,
        "database": "postgres",
    }
    async with pgallop.create_pool(**names, ssl="disable", min_size=5, max_size=10) as pool:
        assert (
            await asyncio.gather(*[pool.fetchval(WHO) for _ in range(20)])
            == ["ada ada@PGALLOP.TEST true"] * 20
        )


async def longest_block(task: asyncio.Task[Any]) -> float:
    """How long the event loop kept its other work waiting until then, in seconds."""
    longest = 0.0
    last = time.perf_counter()
    while not task.done():
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        longest = max(longest, now - last)
        last = now
    return longest


async def test_the_loop_goes_on_while_the_centre_is_silent(
    guarded: EmbeddedServer, ticket: Realm
) -> None:
    ticket.freeze()
    try:
        task = asyncio.create_task(there(guarded, timeout=20))
        thaw = asyncio.get_running_loop().call_later(1.0, ticket.thaw)
        start = time.perf_counter()
        block = await longest_block(task)
        assert time.perf_counter() - start > 0.9
        assert block < 0.5
        thaw.cancel()
        await (await task).close()
    finally:
        ticket.thaw()


async def test_the_time_is_over_while_the_centre_is_silent(
    guarded: EmbeddedServer, ticket: Realm
) -> None:
    ticket.freeze()
    try:
        start = time.perf_counter()
        with pytest.raises(pgallop.CannotConnectError, match="no answer in time"):
            await there(guarded, timeout=0.5)
        assert time.perf_counter() - start < 5
    finally:
        ticket.thaw()
