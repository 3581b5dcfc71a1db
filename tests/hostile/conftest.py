"""A recorded connection, and a server that says it again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hostile.cut_connections import Recording, record
from hostile.replay_server import ReplayServer

from pgallop.cli.server import EmbeddedServer


@pytest.fixture(scope="session")
def recording(server: EmbeddedServer) -> Recording:
    return asyncio.run(record(server.tcp_host, server.port))


@pytest.fixture(scope="session")
def replay_port(recording: Recording) -> Iterator[int]:
    with ReplayServer(recording.said) as replay:
        yield replay.port
