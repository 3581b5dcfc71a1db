"""Several hosts: which of them is taken, by what it is, and what is said where none will do."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from fake_server import Client, FakeServer
from live import Monitor
from scripts import (
    AUTHENTICATION_OK,
    BOOL,
    EMPTY_QUERY_RESPONSE,
    authentication,
    column,
    command_complete,
    data_row,
    error_response,
    int2,
    message,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop.cli.installation import unprivileged_account
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall
from pgallop.transport.hosts import is_of_kind

WHAT = "SELECT pg_is_in_recovery(), current_setting('transaction_read_only') = 'on'"
PRIMARY, STANDBY = (False, False), (True, True)


@pytest.fixture(scope="module")
def standby(monitors: list[Monitor]) -> Iterator[EmbeddedServer]:
    """A server that only replays, and lets everybody read."""
    settings = {"wal_level": "replica", "max_wal_senders": "1"}
    with EmbeddedServer(listen=True, auth="trust", settings=settings) as server:
        signal = server.folder / "data" / "standby.signal"
        signal.touch(0o600)
        account = unprivileged_account()
        if account is not None:
            os.chown(signal, account.uid, account.gid)
        server.restart()
        with psycopg.connect(server.dsn, autocommit=True) as connection:
            monitors.append(Monitor(connection))
            yield server
            monitors.pop()


@pytest.fixture(scope="module")
def nobody() -> int:
    """A port where nobody listens."""
    return 1


def call(*ports: int, **options: Any) -> ConnectCall:
    options = {"user": "postgres", "database": "postgres", "timeout": 10, "ssl": False, **options}
    return pgallop.connect(host=["127.0.0.1"] * len(ports), port=list(ports), **options)


async def what(attempt: ConnectCall) -> tuple[bool, bool]:
    async with attempt as conn:
        row = await conn.fetchrow(WHAT)
        assert row is not None
        return row[0], row[1]


@pytest.mark.parametrize(
    ("wanted", "first", "second"),
    [
        # of a primary and a standby, and the other way round
        ("any", PRIMARY, STANDBY),
        ("primary", PRIMARY, PRIMARY),
        ("read-write", PRIMARY, PRIMARY),
        ("standby", STANDBY, STANDBY),
        ("read-only", STANDBY, STANDBY),
        ("prefer-standby", STANDBY, STANDBY),
        (None, PRIMARY, STANDBY),
    ],
)
async def test_which_one(
    server: EmbeddedServer,
    standby: EmbeddedServer,
    nobody: int,
    wanted: Any,
    first: tuple[bool, bool],
    second: tuple[bool, bool],
) -> None:
    ports = (server.port, standby.port)
    assert await what(call(*ports, target_session_attrs=wanted)) == first
    assert await what(call(*ports[::-1], target_session_attrs=wanted)) == second
    assert await what(call(nobody, *ports, nobody, target_session_attrs=wanted)) == first


async def test_from_the_dsn_and_the_environment(
    server: EmbeddedServer, standby: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = f"postgresql://postgres@127.0.0.1:{server.port},127.0.0.1:{standby.port}/postgres"
    assert await what(pgallop.connect(f"{dsn}?target_session_attrs=standby")) == STANDBY
    monkeypatch.setenv("PGTARGETSESSIONATTRS", "standby")
    assert await what(pgallop.connect(dsn)) == STANDBY
    assert await what(pgallop.connect(dsn, target_session_attrs="primary")) == PRIMARY


async def test_sessions_that_only_read(server: EmbeddedServer, standby: EmbeddedServer) -> None:
    reading = {"default_transaction_read_only": "on"}
    options: dict[str, Any] = {"server_settings": reading}
    expected = (False, True)
    assert await what(call(server.port, target_session_attrs="read-only", **options)) == expected
    assert await what(call(server.port, target_session_attrs="primary", **options)) == expected
    with pytest.raises(pgallop.TargetServerAttributeNotMatched):
        await call(server.port, standby.port, target_session_attrs="read-write", **options)


async def test_none_will_do(server: EmbeddedServer, standby: EmbeddedServer, nobody: int) -> None:
    with pytest.raises(pgallop.TargetServerAttributeNotMatched) as caught:
        await call(nobody, standby.port, standby.port, target_session_attrs="primary")
    assert str(caught.value).startswith(
        f'host "127.0.0.1", port {standby.port} is not of the kind that '
        "target_session_attrs='primary' asks for"
    )
    notes = caught.value.__notes__
    assert len(notes) == 2
    assert notes[0].startswith(f'tried as well: cannot connect to host "127.0.0.1", port {nobody}')
    with pytest.raises(pgallop.CannotConnectError, match=f"port {nobody}"):
        await call(nobody, nobody, target_session_attrs="prefer-standby")


async def test_a_standby_is_preferred_and_not_needed(server: EmbeddedServer, nobody: int) -> None:
    assert await what(call(nobody, server.port, target_session_attrs="prefer-standby")) == PRIMARY


async def test_servers_that_report_nothing(server: EmbeddedServer, standby: EmbeddedServer) -> None:
    """Those before PostgreSQL 14: they are asked."""
    for where, true, false in (
        (server, ("primary", "read-write"), ("standby", "read-only")),
        (standby, ("standby", "read-only"), ("primary", "read-write")),
    ):
        async with call(where.port) as conn:
            link = conn._link
            for name in ("in_hot_standby", "default_transaction_read_only"):
                assert link.session.parameters.pop(name) in ("on", "off")
            loop = conn._loop
            assert [await is_of_kind(loop, link, kind) for kind in true] == [True, True]
            assert [await is_of_kind(loop, link, kind) for kind in false] == [False, False]


ONE_BOOL = message("T", int2(1) + column("pg_is_in_recovery", BOOL, format=0))


@pytest.mark.parametrize(
    "answer",
    [
        None,
        error_response("42501", "not for you") + ready_for_query(),
        EMPTY_QUERY_RESPONSE + ready_for_query(),
        ONE_BOOL + command_complete("SELECT 0") + ready_for_query(),
        row_description() + data_row() + command_complete("SELECT 1") + ready_for_query(),
        ONE_BOOL + data_row(b"maybe") + command_complete("SELECT 1") + ready_for_query(),
    ],
    ids=["closed", "an error", "nothing", "no row", "no column", "no bool"],
)
async def test_a_server_that_does_not_say_is_left_for_the_next(
    server: EmbeddedServer, answer: bytes | None
) -> None:
    left: list[bytes] = []

    async def silent(client: Client) -> None:
        await client.startup()
        client.send(authentication(AUTHENTICATION_OK), ready_for_query())
        await client.until("Q")
        if answer is not None:
            client.send(answer)
            left.append(await client.the_end())

    async with FakeServer(silent) as fake:
        assert await what(call(fake.port, server.port, target_session_attrs="primary")) == PRIMARY
        with pytest.raises(
            pgallop.TargetServerAttributeNotMatched,
            match=f'^host "127.0.0.1", port {fake.port} does not say of what kind it is: ',
        ):
            await call(fake.port, target_session_attrs="primary")
        async with asyncio.timeout(5):
            while len(left) < 2 and answer is not None:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("bad", ["", "best", 1, "Primary"])
async def test_bad_values(server: EmbeddedServer, bad: Any) -> None:
    if bad == "":  # as if it was not given
        assert await what(call(server.port, target_session_attrs=bad)) == PRIMARY
        return
    with pytest.raises(pgallop.ClientConfigurationError, match=r"^target_session_attrs: exp"):
        await call(server.port, target_session_attrs=bad)


async def test_a_server_that_starts_is_left_for_the_next(server: EmbeddedServer) -> None:
    async def starting(client: Client) -> None:
        await client.startup()
        client.send(error_response("57P03", "the database system is starting up", "FATAL"))

    async with FakeServer(starting) as fake:
        assert await what(call(fake.port, server.port)) == PRIMARY
        with pytest.raises(pgallop.CannotConnectNowError, match="is starting up") as caught:
            await call(fake.port, fake.port)
        place = f'while connecting to host "127.0.0.1", port {fake.port}'
        unverified = "unverified: said before authentication, by whoever answers there"
        assert caught.value.__notes__ == [
            unverified,
            place,
            f"tried as well: the database system is starting up ({unverified}, {place})",
        ]
