"""Products that are almost PostgreSQL: connecting, running statements, resetting."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from almost_server import AlmostServer, Product
from fake_server import FakeServer
from products import PRODUCTS, SETTINGS

import pgallop
from pgallop.capabilities import Capabilities, capabilities

# For which PostgreSQL's own is right.
ALIKE = {
    "PostgreSQL",
    "Amazon Aurora, RDS",
    "Google AlloyDB",
    "EDB Postgres Advanced Server",
    "Greenplum",
    "pgpool-II",
    "PgBouncer",
    "Amazon RDS Proxy",
}
AGAIN = "\n; SELECT pg_catalog.set_config('client_encoding', 'UTF8', false)"
WHOLE = capabilities({"server_version": "18.0"}).reset_query


@asynccontextmanager
async def connected(
    product: Product, **options: Any
) -> AsyncIterator[tuple[pgallop.Connection, AlmostServer]]:
    almost = AlmostServer(product)
    async with (
        FakeServer(almost.serve) as server,
        pgallop.connect(
            host=server.host, port=server.port, user="ada", ssl="disable", timeout=5, **options
        ) as conn,
    ):
        yield conn, almost


@pytest.mark.parametrize("mode", ["named", "unnamed", "simple"])
@pytest.mark.parametrize("name", PRODUCTS)
async def test_statements_and_settings(name: str, mode: str) -> None:
    product = PRODUCTS[name]
    async with connected(product, statement_mode=mode) as (conn, _):
        assert await conn.fetchval("SELECT 41") == 41
        assert await conn.fetchval("SELECT 41") == 41
        assert (await conn.execute("SELECT 42")).startswith("SELECT")
        assert dict(conn.get_settings()) == product.reported
        assert conn.get_server_pid() == (0 if product.key is None else 7)
        assert isinstance(conn.get_server_capabilities(), Capabilities)


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name != "PgBouncer's console"])
async def test_a_transaction_and_a_pipeline(name: str) -> None:
    async with connected(PRODUCTS[name]) as (conn, almost):
        async with conn.transaction():
            assert await conn.fetchval("SELECT 1") == 1
            assert await conn.fetchval("SELECT 2") == 2
        with pytest.raises(LookupError):
            async with conn.transaction():
                await conn.execute("SELECT 3")
                raise LookupError
        async with conn.pipeline() as pipeline:
            numbers = [pipeline.fetchval(f"SELECT {n}") for n in range(3)]
        assert [each.result() for each in numbers] == [0, 1, 2]
        assert [each.outcome for each in numbers] == [pgallop.Outcome.DONE] * 3
        words = [heard for heard in almost.heard if not heard.startswith("SELECT")]
        assert words == ["BEGIN", "COMMIT", "BEGIN", "ROLLBACK"]


@pytest.mark.parametrize("name", PRODUCTS)
async def test_the_reset_query_has_nothing_that_it_does_not_know(name: str) -> None:
    """Which would undo all of it; and PostgreSQL gets it whole."""
    product = PRODUCTS[name]
    async with connected(product) as (conn, almost):
        await conn.reset()
        script = conn.get_reset_query()
        # What is no PostgreSQL is not told of the settings that it has kept anyway.
        sent = script + AGAIN if name in (*ALIKE, "YugabyteDB") else script
        assert almost.queries == [sent] * bool(sent)
        assert script == capabilities(product.reported).reset_query
        assert (script == WHOLE) is (name in ALIKE)


async def test_the_model_refuses_what_the_product_refuses() -> None:
    """So that the test above can fail."""
    for name in ("YugabyteDB", "CockroachDB", "Amazon Redshift", "CrateDB", "reports no version"):
        async with connected(PRODUCTS[name]) as (conn, _):
            with pytest.raises(pgallop.PostgresSyntaxError):
                await conn.execute(WHOLE)


@pytest.mark.parametrize("name", [name for name in PRODUCTS if name != "PgBouncer's console"])
async def test_a_reset_ends_the_transaction_wherever(name: str) -> None:
    async with connected(PRODUCTS[name]) as (conn, almost):
        await conn.execute("BEGIN")
        await conn.reset()
        assert not conn.is_in_transaction()
        assert almost.status == "I"
        script = conn.get_reset_query()
        assert [text.removesuffix(AGAIN) for text in almost.queries] == [
            *("BEGIN", "ROLLBACK"),
            *[script] * bool(script),
        ]


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({}, ""),
        ({"server_version": ""}, ""),
        ({"server_version": "V008R006C008B0014"}, ""),
        ({"server_version": "1.25.1/bouncer"}, ""),
        ({"server_version": "8.0.2"}, "RESET ALL"),
        ({"server_version": "13.0.0", "crdb_version": "CockroachDB CCL v22.1.9 (x)"}, ""),
        ({"server_version": "13.0.0", "crdb_version": "of another form"}, ""),
        ({"server_version": "18.0"}, WHOLE),
        ({"server_version": "19devel"}, WHOLE),
        ({"server_version": "9.4.26"}, WHOLE),
        ({"server_version": "16.4-limitless"}, WHOLE),
    ],
)
def test_reset_queries(reported: dict[str, str], expected: str) -> None:
    assert capabilities(reported).reset_query == expected
    assert capabilities(SETTINGS | reported).reset_query == expected
