"""PgBouncer's admin console, which knows no SQL and nothing of the extended protocol."""

from __future__ import annotations

import pytest
from poolers.pgbouncer import PgBouncer

import pgallop
from pgallop.connecting import ConnectCall

pytestmark = pytest.mark.pooler("transaction")


def console(pgbouncer: PgBouncer) -> ConnectCall:
    return pgallop.connect(pgbouncer.admin_dsn, statement_mode="simple")


async def test_tables(small: PgBouncer) -> None:
    async with console(small) as admin:
        pools = await admin.fetch("SHOW POOLS")
        assert {pool["database"] for pool in pools} >= {"pgbouncer", "postgres"}
        assert [pool["pool_mode"] for pool in pools if pool["database"] == "postgres"] == [
            "transaction"
        ]
        names = {row["key"]: row["value"] for row in await admin.fetch("SHOW CONFIG")}
        assert names["pool_mode"] == "transaction"
        row = await admin.fetchrow("SHOW VERSION")
        assert row is not None
        assert row["version"].startswith("PgBouncer 1.")
        assert await admin.fetchval("SHOW VERSION") == row["version"]


async def test_commands(small: PgBouncer) -> None:
    async with console(small) as admin:
        for command in ("PAUSE", "RESUME", "RELOAD", "RECONNECT"):
            assert await admin.execute(command) == command
        assert await admin.fetch("PAUSE") == []
        assert await admin.fetch("RESUME") == []


async def test_help_comes_as_a_notice(small: PgBouncer) -> None:
    heard: list[pgallop.PostgresMessage] = []
    async with console(small) as admin:
        admin.add_log_listener(lambda conn, message: heard.append(message))
        await admin.execute("SHOW HELP")
        await admin.fetch("SHOW VERSION")
    assert len(heard) == 1
    assert "SHOW" in str(heard[0].detail)


async def test_errors(small: PgBouncer) -> None:
    async with console(small) as admin:
        with pytest.raises(pgallop.PostgresError, match="invalid command"):
            await admin.fetch("SELECT 1")
        assert await admin.fetchval("SHOW VERSION")
        # There are no arguments in the simple protocol, and nothing is ever written into SQL.
        with pytest.raises(pgallop.InterfaceError):
            await admin.fetch("SHOW $1", "POOLS")
        assert await admin.fetchval("SHOW VERSION")


async def test_facts(small: PgBouncer) -> None:
    async with console(small) as admin:
        assert admin.get_server_version() >= (1, 18)
        assert not admin.is_in_transaction()


async def test_the_wrong_mode_is_told(small: PgBouncer) -> None:
    async with pgallop.connect(small.admin_dsn) as admin:
        with pytest.raises(pgallop.PostgresError, match="extended query protocol not supported"):
            await admin.fetch("SHOW POOLS")
