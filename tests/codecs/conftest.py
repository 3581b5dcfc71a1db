"""Fixtures for the tests of codecs."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from oracle import Oracle

from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.registry import Registry


@pytest.fixture(scope="session")
def oracle(dsn: str) -> Iterator[Oracle]:
    """A connection to the session's server that turns text forms into bytes and back."""
    with psycopg.connect(dsn, autocommit=True, client_encoding="utf8") as connection:
        yield Oracle(connection)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return builtin_registry()
