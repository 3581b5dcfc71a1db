"""A database for the tutorial's programs, and no test of its text where the text is not."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from seed.flattened import TEXTS

from pgallop.cli.server import EmbeddedServer

collect_ignore = [] if TEXTS else ["test_seed_text.py", "test_seed_unmodified.py"]


@pytest.fixture(scope="module")
def empty_dsn(server: EmbeddedServer) -> Iterator[str]:
    """A database without tables, in which a module must not leave sessions."""
    name = "tutorial"
    with psycopg.connect(server.dsn, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name}")
        yield f"{server.tcp_dsn.rpartition('/')[0]}/{name}"
        owner.execute(f"DROP DATABASE {name}")  # fails if a session is still there after 5 s
