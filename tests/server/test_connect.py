"""connect(): each source of its parameters, and each way to use what it returns."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from event_loops import open_sockets
from live import Connect, Monitor

import pgallop
from pgallop.cli.server import EmbeddedServer

WHO = "SELECT current_user || '/' || current_database()"
VARIABLES = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE", "PGAPPNAME")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


async def who(*args: Any, **options: Any) -> str:
    async with pgallop.connect(*args, **options) as conn:
        answer: str = await conn.fetchval(WHO)
        return answer


# Where the parameters come from


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
async def test_uri(server: EmbeddedServer, scheme: str) -> None:
    port = server.port
    assert await who(f"{scheme}://postgres@127.0.0.1:{port}/postgres") == "postgres/postgres"
    assert await who(f"{scheme}://postgres@localhost:{port}/template1") == "postgres/template1"
    # Without a database it is the user's name, which exists here.
    assert await who(f"{scheme}://postgres@127.0.0.1:{port}") == "postgres/postgres"
    query = f"host={quote(server.host)}&port={port}&user=postgres&dbname=template1"
    assert await who(f"{scheme}:///?{query}") == "postgres/template1"


async def test_key_value_string(server: EmbeddedServer) -> None:
    text = f"host='{server.host}' port = {server.port} user=postgres dbname=template1"
    assert await who(text) == "postgres/template1"
    assert await who(f"{text} sslmode=disable application_name='it\\'s'") == "postgres/template1"


async def test_keywords(server: EmbeddedServer) -> None:
    answer = await who(host=server.host, port=server.port, user="postgres", database="template1")
    assert answer == "postgres/template1"
    answer = await who(host=["127.0.0.1"], port=[str(server.port)], user="postgres")
    assert answer == "postgres/postgres"


async def test_keywords_win_over_the_dsn(server: EmbeddedServer, dsn: str) -> None:
    assert await who(dsn, database="template1") == "postgres/template1"
    wrong = f"postgresql://nobody@127.0.0.1:{server.port}/nowhere"
    assert await who(wrong, user="postgres", database="postgres") == "postgres/postgres"


async def test_environment(server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", server.host)
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", "postgres")
    monkeypatch.setenv("PGDATABASE", "template1")
    monkeypatch.setenv("PGAPPNAME", "from-the-environment")
    async with pgallop.connect() as conn:
        assert await conn.fetchval(WHO) == "postgres/template1"
        assert conn.get_settings()["application_name"] == "from-the-environment"
    # The DSN wins over the environment, keywords over both.
    assert await who("postgresql:///postgres") == "postgres/postgres"
    assert await who("postgresql:///nowhere", database="postgres") == "postgres/postgres"


async def test_environment_is_read_when_it_is_needed(
    server: EmbeddedServer, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = pgallop.connect(host=server.host, user="postgres", database="postgres")
    monkeypatch.setenv("PGPORT", str(server.port))
    async with call as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_server_settings(connect: Connect) -> None:
    settings = {
        "application_name": "Ada's program",
        "app.greeting": "Grüße, 世界",
        "search_path": "pg_catalog, public",
        "statement_timeout": "12345",
        "DateStyle": "SQL, DMY",
    }
    async with connect(server_settings=settings) as conn:
        for name, value in settings.items():
            shown = await conn.fetchval("SELECT current_setting($1)", name)
            assert shown in (value, "12345ms"), name
        assert conn.get_settings()["application_name"] == "Ada's program"
        await conn.execute("RESET ALL")  # what connect() set are the session's defaults
        assert await conn.fetchval("SHOW search_path") == "pg_catalog, public"


async def test_unknown_setting(connect: Connect) -> None:
    with pytest.raises(pgallop.UndefinedObjectError, match="no_such_setting"):
        await connect(server_settings={"no_such_setting": "1"})


@pytest.mark.parametrize(
    "options",
    [
        {"user": "po\0stgres"},
        {"database": "post\0gres"},
        {"password": "se\0cret"},
        {"host": "127.0.0.1\0"},
        {"server_settings": {"application_name": "a\0b"}},
        {"server_settings": {"application\0name": "ab"}},
    ],
)
async def test_nul_is_refused_before_anything_is_sent(
    connect: Connect, options: dict[str, Any]
) -> None:
    sockets = open_sockets()
    with pytest.raises(pgallop.ClientConfigurationError, match=next(iter(options))) as caught:
        await connect(**options)
    assert "se\0cret" not in str(caught.value)
    assert open_sockets() == sockets


async def test_both_kinds_of_socket(any_dsn: str) -> None:
    async with pgallop.connect(any_dsn) as conn:
        assert await conn.fetchval("SELECT $1::text", "hello") == "hello"
        through_unix = await conn.fetchval("SELECT inet_client_addr() IS NULL")
        assert through_unix == any_dsn.endswith(f"&port={any_dsn.rpartition('=')[2]}")


async def test_facts(connect: Connect, monitor: Monitor, server: EmbeddedServer) -> None:
    async with connect() as conn:
        assert conn.get_server_pid() in monitor.sessions()
        assert await conn.fetchval("SELECT pg_backend_pid()") == conn.get_server_pid()
        number = int(await conn.fetchval("SHOW server_version_num"))
        version = conn.get_server_version()
        assert (version.major, version.minor) == divmod(number, 10000)
        assert version >= (10,)
        assert conn.get_settings()["server_encoding"] == "UTF8"
        assert not conn.is_closed()
        assert not conn.is_in_transaction()
        assert f"postgres@127.0.0.1:{server.port}/postgres open" in repr(conn)
    assert conn.is_closed()
    assert "closed" in repr(conn)


async def test_settings_follow_the_server(connect: Connect) -> None:
    async with connect() as conn:
        await conn.execute("SET TimeZone = 'Asia/Tokyo'")
        assert conn.get_settings()["TimeZone"] == "Asia/Tokyo"
        with pytest.raises(TypeError):
            conn.get_settings()["TimeZone"] = "UTC"  # type: ignore[operator]


# What connect() returns


async def test_await(connect: Connect) -> None:
    conn = await connect()
    try:
        assert await conn.fetchval("SELECT 1") == 1
    finally:
        await conn.close()


async def test_task(connect: Connect) -> None:
    conn = await asyncio.create_task(connect())
    await conn.close()


async def test_wait_for(connect: Connect) -> None:
    conn = await asyncio.wait_for(connect(), 10)
    assert await conn.fetchval("SELECT 1") == 1
    await conn.close()


async def test_gather_and_task_group(connect: Connect) -> None:
    first, second = await asyncio.gather(connect(), connect())
    async with asyncio.TaskGroup() as group:
        third = group.create_task(connect())
    for conn in (first, second, third.result()):
        await conn.close()


async def test_ensure_future_and_shield(connect: Connect) -> None:
    await (await asyncio.ensure_future(connect())).close()
    await (await asyncio.shield(connect())).close()


async def test_block_closes_at_its_end(connect: Connect, monitor: Monitor) -> None:
    async with connect() as conn:
        pid = conn.get_server_pid()
        assert pid in monitor.sessions()
    assert conn.is_closed()
    await monitor.until(pid, [None])


async def test_block_closes_after_an_error(connect: Connect, monitor: Monitor) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with connect() as conn:
            await conn.execute("BEGIN")
            raise LookupError("mine")
    assert conn.is_closed()
    await monitor.until(conn.get_server_pid(), [None])


async def test_block_closes_after_a_cancellation(connect: Connect, monitor: Monitor) -> None:
    connections = []

    async def sleep_on_the_server() -> None:
        async with connect() as conn:
            connections.append(conn)
            await conn.execute("SELECT pg_sleep(60)")

    task = asyncio.create_task(sleep_on_the_server())
    while not connections:
        await asyncio.sleep(0.01)
    pid = connections[0].get_server_pid()
    await monitor.until(pid, ["active"])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    assert connections[0].is_closed()
    await monitor.until(pid, [None], seconds=2)


async def test_block_may_close_it_itself(connect: Connect) -> None:
    async with connect() as conn:
        await conn.close()
    async with connect() as conn:
        conn.terminate()


async def test_nothing_happens_unless_it_is_used(connect: Connect, monitor: Monitor) -> None:
    before = monitor.sessions()
    call = connect()
    await asyncio.sleep(0.05)
    assert monitor.sessions() == before
    del call  # no "was never awaited" either: warnings are errors here


async def test_one_call_is_one_connection(connect: Connect) -> None:
    call = connect()
    conn = await call
    with pytest.raises(pgallop.InterfaceError, match="call it again"):
        await call
    with pytest.raises(pgallop.InterfaceError, match="call it again"):
        async with call:
            pytest.fail("the block must not be entered")
    await conn.close()


async def test_a_call_that_failed_cannot_be_repeated(connect: Connect) -> None:
    call = connect(database="nowhere")
    with pytest.raises(pgallop.InvalidCatalogNameError):
        await call
    with pytest.raises(pgallop.InterfaceError, match="call it again"):
        await call


def test_run(dsn: str) -> None:
    conn = asyncio.run(pgallop.connect(dsn))
    # Its loop has ended with it: there is no way left to close it but to let it go.
    with pytest.warns(ResourceWarning, match="unclosed connection"):
        del conn


async def test_missing_database(connect: Connect) -> None:
    with pytest.raises(pgallop.InvalidCatalogNameError, match='"nowhere" does not exist') as caught:
        await connect(database="nowhere")
    assert caught.value.sqlstate == "3D000"


async def test_missing_role(connect: Connect) -> None:
    with pytest.raises(pgallop.InvalidAuthorizationSpecificationError, match="no_such_role"):
        await connect(user="no_such_role")
