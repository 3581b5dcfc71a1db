"""What servers that are almost PostgreSQL leave out, add or answer differently, one by one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
import scripts
from almost_server import AlmostServer, Product
from fake_server import FakeServer
from scripted_server import FAREWELL, ScriptedServer, expect, send, stall

import pgallop

HELLO = [expect("StartupMessage")]
OK = scripts.authentication(scripts.AUTHENTICATION_OK)
READY = scripts.ready_for_query()
DONE = scripts.command_complete("DO") + READY


def call(server: Any, **options: Any) -> Any:
    return pgallop.connect(
        host=server.host, port=server.port, user="ada", ssl="disable", timeout=5, **options
    )


# At the beginning of a session


async def test_nothing_but_readiness() -> None:
    """No BackendKeyData, no ParameterStatus."""
    script = [*HELLO, send(OK, READY), expect("Query"), send(DONE), *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            assert conn.get_server_version() == (0, 0, 0, "final", 0)
            assert dict(conn.get_settings()) == {}
            assert conn.get_server_pid() == 0
            assert conn.get_reset_query() == ""
            await conn.reset()
            assert await conn.execute("DO") == "DO"


@pytest.mark.parametrize(
    "missing",
    ["server_version", "client_encoding", "TimeZone", "integer_datetimes", "DateStyle"],
)
async def test_a_setting_that_is_not_reported(missing: str) -> None:
    reported = {
        "server_version": "18.0",
        "client_encoding": "UTF8",
        "TimeZone": "UTC",
        "integer_datetimes": "on",
        "DateStyle": "ISO, MDY",
    }
    del reported[missing]
    almost = AlmostServer(Product(reported))
    async with FakeServer(almost.serve) as server, call(server) as conn:
        assert await conn.fetchval("SELECT 41") == 41
        async with conn.pipeline() as pipeline:
            number = pipeline.fetchval("SELECT 1")
        assert number.result() == 1
        assert dict(conn.get_settings()) == reported


async def test_dates_and_times_as_floating_point_numbers() -> None:
    """They would be taken for other dates and times."""
    status = scripts.parameter_status("integer_datetimes", "off")
    with (
        ScriptedServer([*HELLO, send(OK, status, READY), stall()]) as server,
        pytest.raises(pgallop.UnsupportedServerFeatureError, match="integer_datetimes"),
    ):
        await call(server)


@pytest.mark.parametrize("options", [(), ("_pq_.shiny",)])
async def test_an_older_protocol(options: tuple[str, ...]) -> None:
    negotiation = scripts.negotiate_protocol_version(196608, *options)
    script = [*HELLO, send(negotiation, OK, READY), expect("Query"), send(DONE), *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            assert await conn.execute("DO") == "DO"


@pytest.mark.parametrize(
    ("sqlstate", "text"),
    [
        ("08P01", "unsupported startup parameter: application_name"),  # PgBouncer
        ("0A000", "Feature not supported: application_name"),
        ("42704", 'unrecognized configuration parameter "application_name"'),
    ],
)
async def test_a_setting_that_is_refused(sqlstate: str, text: str) -> None:
    """What is refused is what the caller has asked for: it is not left out without a word."""
    refusal = scripts.error_response(sqlstate, text, "FATAL")
    script = [expect("StartupMessage application_name"), send(refusal), stall()]
    with ScriptedServer(script) as server:
        with pytest.raises(pgallop.PostgresError, match="application_name") as raised:
            await call(server, server_settings={"application_name": "shop"})
        assert raised.value.sqlstate == sqlstate


async def test_an_application_name_that_is_changed() -> None:
    """A pooler adds to it; and says so again whenever it likes."""
    status = [scripts.parameter_status("application_name", name) for name in ("app - 7", "else")]
    script = [*HELLO, send(OK, status[0], READY), expect("Query"), send(status[1], DONE), *FAREWELL]
    with ScriptedServer(script) as server:
        async with call(server, server_settings={"application_name": "app"}) as conn:
            assert conn.get_settings()["application_name"] == "app - 7"
            await conn.execute("DO")
            assert conn.get_settings()["application_name"] == "else"


# No key to cancel with


async def test_a_timeout_without_a_key() -> None:
    """The caller has his answer; the statement may take the drain timeout, and nobody connects."""
    almost = AlmostServer(Product({"server_version": "15.4"}, key=None))
    async with FakeServer(almost.serve) as server:
        conn = await call(server, drain_timeout=0.3)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await conn.fetch("SELECT 1 FROM never", timeout=0.1)
        assert time.monotonic() - start < 0.25
        with pytest.raises(pgallop.ConnectionDoesNotExistError) as raised:
            await conn.execute("SELECT 2")
        assert 0.3 <= time.monotonic() - start < 1
        assert "no key to cancel" in str(raised.value)
        assert conn.is_closed()
        assert (server.clients, almost.cancels) == (1, 0)


@pytest.mark.parametrize("how", ["cancelled", "timed out", "closed"])
async def test_a_statement_that_ends_in_time_without_a_key(how: str) -> None:
    """The connection goes on: whoever is next is not hit, and has waited for nothing else."""
    busy, ended = asyncio.Event(), asyncio.Event()

    class Slow(AlmostServer):
        async def _run(self, statement: str, in_text: bool) -> tuple[bytes, bool]:
            if statement == "SELECT 1":
                busy.set()
                await ended.wait()
            return await super()._run(statement, in_text)

    slow = Slow(Product({"server_version": "15.4"}, key=None))
    async with FakeServer(slow.serve) as server:
        conn = await call(server, drain_timeout=2)
        timeout = 0.02 if how == "timed out" else None
        task = asyncio.create_task(conn.execute("SELECT 1", timeout=timeout))
        await busy.wait()
        if how != "timed out":
            task.cancel()
        with pytest.raises((asyncio.CancelledError, TimeoutError)):
            await task
        if how == "closed":
            closing = asyncio.create_task(conn.close())
            await asyncio.sleep(0.05)
            assert not closing.done()
            ended.set()
            await closing
        else:
            behind = [asyncio.create_task(conn.fetchval(f"SELECT {n}")) for n in (2, 3)]
            await asyncio.sleep(0.05)
            ended.set()
            assert await asyncio.gather(*behind) == [2, 3]
            await conn.close()
        assert (server.clients, slow.cancels) == (1, 0)


async def test_closing_does_not_hang_without_a_key() -> None:
    almost = AlmostServer(Product({"server_version": "15.4"}, key=None))
    async with FakeServer(almost.serve) as server:
        conn = await call(server, drain_timeout=0.2)
        task = asyncio.create_task(conn.fetch("SELECT 1 FROM never"))
        await asyncio.sleep(0.05)
        task.cancel()
        start = time.monotonic()
        await conn.close()
        assert time.monotonic() - start < 1
        assert conn.is_closed()


async def test_a_key_that_nobody_minds() -> None:
    """RDS Proxy takes cancellations and does nothing: that ends in the end of the connection."""
    almost = AlmostServer(Product({"server_version": "15.4"}, cancels=False))
    async with FakeServer(almost.serve) as server:
        conn = await call(server, drain_timeout=0.3)
        with pytest.raises(TimeoutError):
            await conn.fetch("SELECT 1 FROM never", timeout=0.05)
        with pytest.raises(pgallop.ConnectionDoesNotExistError):
            await conn.execute("SELECT 2")
        assert conn.is_closed()
        assert almost.cancels > 0


# Answers


@pytest.mark.parametrize("tag", ["SELECT", "SELECT 1", "SELECT 0 1", "", "FETCH 1"])
async def test_command_tags_of_other_servers(tag: str) -> None:
    product = Product({"server_version": "8.0.2"}, tags={"SELECT 1": tag})
    async with FakeServer(AlmostServer(product).serve) as server, call(server) as conn:
        assert await conn.execute("SELECT 41") == tag
        assert await conn.fetchval("SELECT 41") == 41
        async with conn.transaction():
            assert await conn.fetchval("SELECT 42") == 42
        async with conn.pipeline() as pipeline:
            value = pipeline.fetchval("SELECT 43")
            answer = pipeline.execute("SELECT 44")
        assert value.result() == 43
        assert answer.result() == tag
        assert value.outcome is answer.outcome is pgallop.Outcome.DONE


@pytest.mark.parametrize("status", ["I", "T"])
async def test_who_does_not_say_that_a_transaction_is_open(status: str) -> None:
    """A server that answers BEGIN and is always idle is believed; COMMIT is sent all the same."""
    script = [
        *HELLO,
        send(OK, READY),
        expect("Query sql='BEGIN; SELECT 1'"),
        send(
            scripts.command_complete("BEGIN"),
            scripts.command_complete("SELECT 1"),
            scripts.ready_for_query(status),
        ),
        expect("Query sql='COMMIT'"),
        send(scripts.command_complete("COMMIT"), READY),
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        async with call(server) as conn, conn.transaction():
            await conn.execute("SELECT 1")


@pytest.mark.parametrize(
    ("reported", "outcome"),
    [
        ({"server_version": "15.4"}, pgallop.Outcome.ROLLED_BACK),
        ({"server_version": "8.0.2"}, pgallop.Outcome.UNKNOWN),
        ({"server_version": "15.12-YB-2025.1.0.0-b137"}, pgallop.Outcome.UNKNOWN),
        ({"server_version": "13.0.0", "crdb_version": "v23.1.1"}, pgallop.Outcome.UNKNOWN),
        ({}, pgallop.Outcome.UNKNOWN),
    ],
)
async def test_what_a_failed_pipeline_is_said_to_have_undone(
    reported: dict[str, str], outcome: pgallop.Outcome
) -> None:
    product = Product(reported, refuses="UPDATE")
    async with FakeServer(AlmostServer(product).serve) as server, call(server) as conn:
        with pytest.raises(pgallop.PipelineError) as raised:
            async with conn.pipeline() as pipeline:
                pipeline.execute("SELECT 1")
                pipeline.execute("UPDATE nothing SET n = 1")
        first, second = raised.value.statements
        assert (first.outcome, second.outcome) == (outcome, pgallop.Outcome.FAILED)


# The reset


async def test_rollback_and_reset_travel_together() -> None:
    """One round trip: nothing is answered before both have come."""
    script = [
        *HELLO,
        send(OK, scripts.parameter_status("server_version", "8.0.2"), READY),
        expect("Query sql='BEGIN'"),
        send(scripts.command_complete("BEGIN"), scripts.ready_for_query("T")),
        expect("Query sql='ROLLBACK'", "Query sql='RESET ALL'", "Query sql='DO'"),
        send(scripts.command_complete("ROLLBACK"), READY, scripts.command_complete("RESET"), READY),
        send(DONE),
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            await conn.execute("BEGIN")
            await asyncio.gather(conn.reset(), conn.execute("DO"))


async def test_a_commit_that_is_under_way_needs_no_rollback() -> None:
    """Nor does a block of which nothing was sent: the server would log a warning each time."""
    script = [
        *HELLO,
        send(OK, scripts.parameter_status("server_version", "8.0.2"), READY),
        expect("Query sql='BEGIN; DO'"),
        send(scripts.command_complete("BEGIN"), scripts.command_complete("DO")),
        send(scripts.ready_for_query("T")),
        expect("Query sql='COMMIT'", "Query sql='RESET ALL'"),
        send(scripts.command_complete("COMMIT"), READY, scripts.command_complete("RESET"), READY),
        expect("Query sql='RESET ALL'"),
        send(scripts.command_complete("RESET"), READY),
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            transaction = conn.transaction()
            await transaction.start()
            await conn.execute("DO")
            await asyncio.gather(transaction.commit(), conn.reset())
            assert transaction.is_completed()
            unbegun = conn.transaction()
            await unbegun.start()
            await conn.reset()
            assert unbegun.is_completed()


async def test_a_transaction_that_shows_when_the_reset_is_on_its_way() -> None:
    script = [
        *HELLO,
        send(OK, scripts.parameter_status("server_version", "8.0.2"), READY),
        expect("Query sql='BEGIN'", "Query sql='RESET ALL'"),
        send(scripts.command_complete("BEGIN"), scripts.ready_for_query("T")),
        send(scripts.command_complete("RESET"), scripts.ready_for_query("T")),
        expect("Query sql='ROLLBACK'", "Query sql='RESET ALL'"),
        send(scripts.command_complete("ROLLBACK"), READY, scripts.command_complete("RESET"), READY),
        *FAREWELL,
    ]
    with ScriptedServer(script) as server:
        async with call(server) as conn:
            await asyncio.gather(conn.execute("BEGIN"), conn.reset())


async def test_a_transaction_that_never_ends() -> None:
    """No reset is reported that was none: the connection is closed."""
    almost = AlmostServer(Product({"server_version": "8.0.2"}, refuses="ROLLBACK"))
    async with FakeServer(almost.serve) as server:
        conn = await call(server)
        await conn.execute("BEGIN")
        with pytest.raises((pgallop.ProtocolError, pgallop.PostgresConnectionError)):
            await conn.reset()
        assert conn.is_closed()


async def test_a_cancellation_that_hits_the_reset() -> None:
    """It was meant for the statement before: the reset is undone, and is sent again."""
    almost = AlmostServer(Product({"server_version": "8.0.2"}))
    almost.late_hits = 1
    async with FakeServer(almost.serve) as server, call(server) as conn:
        task = asyncio.create_task(conn.execute("SELECT 1 FROM never"))
        resetting = asyncio.create_task(conn.reset())
        await asyncio.sleep(0.02)
        task.cancel()
        await resetting
        assert almost.queries == ["SELECT 1 FROM never", "RESET ALL", "RESET ALL"]


async def test_cancellations_that_hit_each_reset() -> None:
    """Which is not done then, and not said to be."""
    almost = AlmostServer(Product({"server_version": "8.0.2"}))
    almost.late_hits = 1000
    async with FakeServer(almost.serve) as server, call(server) as conn:
        task = asyncio.create_task(conn.execute("SELECT 1 FROM never"))
        resetting = asyncio.create_task(conn.reset())
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(pgallop.QueryCanceledError):
            await resetting
        assert not conn.is_closed()


# Settings that are another session's


STATUSES = {
    "server_version": "18.0",
    "client_encoding": "UTF8",
    "application_name": "ada's",
    "TimeZone": "Europe/Paris",
    "search_path": '"$user", public',
    "IntervalStyle": "postgres",
}
AGAIN = (
    "SELECT pg_catalog.set_config('client_encoding', 'UTF8', false),"
    " pg_catalog.set_config('application_name', 'ada''s', false),"
    " pg_catalog.set_config('TimeZone', 'Europe/Paris', false),"
    " pg_catalog.set_config('search_path', '\"$user\", public', false)"
)


@pytest.mark.parametrize(
    ("script", "is_followed"),
    [
        ("RESET ALL;", True),
        ("CLOSE ALL; reset  all -- and no more", True),
        ("DISCARD ALL", True),
        ("CLOSE ALL; RESET ROLE", False),
    ],
)
async def test_settings_that_a_pooler_has_set(
    monkeypatch: pytest.MonkeyPatch, script: str, is_followed: bool
) -> None:
    """RESET ALL goes back to what the pooler's session has begun with."""
    monkeypatch.setattr(pgallop.Connection, "get_reset_query", lambda conn: script)
    asked = {
        "application_name": "ada's",
        "timezone": "Europe/Paris",
        "search_path": '"$user", public',
        "my.tenant": "7",  # is not reported
    }
    almost = AlmostServer(Product(STATUSES))
    async with FakeServer(almost.serve) as server, call(server, server_settings=asked) as conn:
        await conn.reset()
    assert almost.queries == [f"{script}\n; {AGAIN}" if is_followed else script]
