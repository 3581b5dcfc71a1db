"""Databases with extensions, and connections to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest
from extensions.databases import Database, Type, extended_database
from live import Connect
from oracle import Oracle

import pgallop
from pgallop.cli.server import EmbeddedServer

POSTGIS = "PostGIS is not installed: apt-get install --no-install-recommends {}"


@pytest.fixture(scope="session")
def database(server: EmbeddedServer) -> Iterator[Database]:
    with extended_database(server.tcp_dsn) as database:
        yield database


@pytest.fixture(scope="session")
def postgis(
    server: EmbeddedServer, database: Database, pg15_bin_dir: Path | None
) -> Iterator[Database]:
    """A database with PostGIS, on Debian's server if the tests' own has none."""
    if "postgis" in database.extensions:
        yield database
        return
    if pg15_bin_dir is None:
        pytest.skip(POSTGIS.format("postgresql-15 postgresql-15-postgis-3"))
    with (
        EmbeddedServer(pg15_bin_dir, listen=True, auth="trust") as other,
        extended_database(other.tcp_dsn) as found,
    ):
        if "postgis" not in found.extensions:
            pytest.skip(POSTGIS.format("postgresql-15-postgis-3"))
        yield found


@pytest.fixture(scope="session")
def typed(database: Database) -> Callable[[str], Type]:
    """A type by its name; skips the test if the server does not have its extension."""

    def find(name: str) -> Type:
        if name not in database.types:
            pytest.skip(f"the server has no extension with a type {name}")
        return database.types[name]

    return find


@pytest.fixture(scope="session")
def server_oracle(database: Database) -> Iterator[Oracle]:
    with psycopg.connect(database.dsn, autocommit=True, client_encoding="utf8") as connection:
        connection.execute("SET extra_float_digits = 3")  # the default since PostgreSQL 12
        yield Oracle(connection)


@pytest.fixture(scope="session")
def postgis_oracle(postgis: Database) -> Iterator[Oracle]:
    with psycopg.connect(postgis.dsn, autocommit=True, client_encoding="utf8") as connection:
        yield Oracle(connection)


@pytest.fixture
def extended(database: Database) -> Connect:
    return partial(pgallop.connect, database.dsn)


@pytest.fixture
def extended_postgis(postgis: Database) -> Connect:
    return partial(pgallop.connect, postgis.dsn)
