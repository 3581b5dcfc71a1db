"""Poolers of the tests' own, beside that of the run."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from live import Monitor
from poolers.pgbouncer import PgBouncer
from poolers.sessions import SESSIONS

from pgallop.cli.server import EmbeddedServer


@pytest.fixture(scope="session")
def monitor(server: EmbeddedServer) -> Iterator[Monitor]:
    """A look at the server past all poolers."""
    with psycopg.connect(server.dsn, autocommit=True, application_name="monitor") as connection:
        yield Monitor(connection)


@pytest.fixture(scope="module")
def small(server: EmbeddedServer) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode with few sessions for any number of clients."""
    settings = {"default_pool_size": SESSIONS, "min_pool_size": SESSIONS}
    with PgBouncer(server, "transaction", settings) as pgbouncer:
        yield pgbouncer
