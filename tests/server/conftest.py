"""What the tests on a real server share.

The tests may leave nothing behind, no session on the server either.
"""

from __future__ import annotations

import functools
import gc
import time
from collections.abc import Iterator

import psycopg
import pytest
from live import Connect, Monitor
from poolers import route
from poolers.pooler import Pooler

import pgallop
from pgallop.cli.server import EmbeddedServer

SESSION_END_SECONDS = 3.0


@pytest.fixture(scope="session", autouse=True)
def quick_collections() -> Iterator[None]:
    """Spare the collector what was there before: the watch calls it after each test."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(scope="session")
def monitor(server: EmbeddedServer) -> Iterator[Monitor]:
    with psycopg.connect(server.dsn, autocommit=True, application_name="monitor") as connection:
        yield Monitor(connection)


@pytest.fixture(scope="session")
def monitors(monitor: Monitor, pooler: Pooler | None) -> Iterator[list[Monitor]]:
    """One for each server that runs; who starts another one adds its own."""
    if pooler is None:
        yield [monitor]
    else:
        with route.monitors_of(pooler) as monitors:
            yield monitors


@pytest.fixture(scope="session", autouse=True)
def true_process_ids(monitor: Monitor, pooler: Pooler | None) -> Iterator[None]:
    """Through a pooler, too, tests know the backend that works for them."""
    with route.true_process_ids(pooler, monitor):
        yield


@pytest.fixture(autouse=True)
def new_sessions(pooler: Pooler | None) -> None:
    """Each test gets other sessions of a pooler than the one before."""
    route.renew_sessions(pooler)


@pytest.fixture(autouse=True)
def no_session_left(monitors: list[Monitor], new_sessions: None) -> Iterator[None]:
    before = [monitor.sessions() for monitor in monitors]
    yield
    deadline = time.monotonic() + SESSION_END_SECONDS
    for monitor, own in zip(monitors, before, strict=False):
        while left := monitor.sessions() - own:
            if time.monotonic() > deadline:
                pytest.fail(f"sessions left on the server: {monitor.queries(left)}")
            time.sleep(0.01)


@pytest.fixture(params=["tcp", "unix"])
def any_dsn(request: pytest.FixtureRequest, dsn: str, unix_dsn: str) -> str:
    """The tests' server, through each kind of socket."""
    return dsn if request.param == "tcp" else unix_dsn


@pytest.fixture
def connect(dsn: str) -> Connect:
    """Connect to the tests' server through TCP; without TLS, which it does not have."""
    kind = route.chosen()
    return functools.partial(pgallop.connect, dsn) if kind is None else route.through(dsn, kind)
