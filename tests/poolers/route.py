"""The way of the server tests through a pooler: PGALLOP_TEST_POOLER=session|transaction|pgpool.

The fixtures `dsn`, `unix_dsn` and `connect` lead through it then. What does not use them says
nothing about poolers and is left out, in transaction mode also what does not use `connect`, which
alone passes `statement_mode="unnamed"`. What cannot make sense is skipped, with the reason
(`unsuitable.py`). Tests that are marked with `pooler` are for such a run only.
"""

from __future__ import annotations

import inspect
import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal, cast, get_args
from weakref import WeakKeyDictionary

import psycopg
import pytest
from live import Connect, Monitor
from poolers.pgbouncer import PgBouncer
from poolers.pgpool import Pgpool
from poolers.pooler import Pooler
from poolers.unsuitable import PGPOOL_FILES, reason_against
from psycopg.rows import dict_row

import pgallop
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall

Kind = Literal["session", "transaction", "pgpool"]

# What leads through the pooler. asyncpg and psycopg, and `pgallop.connect` as it is, prepare
# statements, which does not work in transaction mode.
WAYS: dict[Kind, frozenset[str]] = {
    "session": frozenset({"connect", "dsn", "unix_dsn"}),
    "transaction": frozenset({"connect"}),
    "pgpool": frozenset({"connect"}),
}


def chosen() -> Kind | None:
    """The pooler of this run, None in an ordinary one."""
    name = os.environ.get("PGALLOP_TEST_POOLER")
    if name and name not in get_args(Kind):
        raise pytest.UsageError(f"PGALLOP_TEST_POOLER={name}: expected {', '.join(get_args(Kind))}")
    return cast(Kind, name) if name else None


def select(items: list[pytest.Item], kind: Kind | None) -> list[pytest.Item]:
    """Leave the tests of this run, and mark those to be skipped; the others are returned."""
    dropped = []
    for item in items:
        marker = item.get_closest_marker("pooler")
        if marker is not None:
            belongs = kind in marker.args
        else:
            belongs = kind is None or goes_through(item, kind)
            reason = kind and belongs and reason_against(item.nodeid, kind)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
        if not belongs:
            dropped.append(item)
    others = set(dropped)
    items[:] = [item for item in items if item not in others]
    return dropped


def goes_through(item: pytest.Item, kind: Kind) -> bool:
    """Whether the pooler would see anything of this test."""
    if kind == "pgpool" and item.path.name not in PGPOOL_FILES:
        return False
    function = cast(pytest.Function, item)
    parameters = function.callspec.params.values() if hasattr(function, "callspec") else ()
    if kind == "transaction" and "named" in parameters:  # the statement_mode of some tests
        return False
    if kind == "transaction" and "dsn" in inspect.signature(function.obj).parameters:
        return False  # another driver's way, beside `connect`
    return not WAYS[kind].isdisjoint(function.fixturenames)


@contextmanager
def pooler_of_the_run(server: EmbeddedServer, kind: Kind | None) -> Iterator[Pooler | None]:
    """The pooler that was chosen, running; None if none was."""
    if kind is None:
        yield None
    elif kind == "pgpool":
        with Pgpool(server) as pgpool:
            yield pgpool
    else:
        notice_lost_clients(server)
        settings: dict[str, object] = {"default_pool_size": 60}
        if kind == "transaction":
            # And what one test has left does no harm to others. (The name has to stay: see below.)
            settings["server_reset_query"] = "RESET search_path; DISCARD TEMP"
            settings["server_reset_query_always"] = 1
        with PgBouncer(server, kind, settings) as pgbouncer:
            yield pgbouncer


def notice_lost_clients(server: EmbeddedServer) -> None:
    """Have backends look for their client while they work.

    PgBouncer closes a session whose client has left it in a statement; the backend would go on with
    that, and keep its locks.
    """
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        if connection.info.server_version >= 140000:
            connection.execute("ALTER SYSTEM SET client_connection_check_interval = '100ms'")
            connection.execute("SELECT pg_reload_conf()")


def renew_sessions(pooler: Pooler | None) -> None:
    """Have PgBouncer close its sessions, and give it two others in transaction mode.

    When a client leaves with several statements under way, PgBouncer 1.18 takes the first
    ReadyForQuery for the last one, and the other answers come to who has the session next. And
    those of `min_pool_size` it opens only when it gets to it: a test must not be lucky.
    """
    if not isinstance(pooler, PgBouncer):
        return
    pooler.ask("RECONNECT")
    if pooler.pool_mode == "transaction":
        with ExitStack() as clients:
            for _ in range(2):
                client = psycopg.connect(pooler.dsn, cursor_factory=psycopg.ClientCursor)
                clients.enter_context(client).execute("SELECT 1")  # in a transaction


# They tell the connections of a run apart, and its backends.
NUMBERS = itertools.count()
NAME = "test connection"


def through(dsn: str, kind: Kind) -> Connect:
    """`pgallop.connect` to the pooler, as its users have to call it.

    Each connection has a name, which its backend has too while it works for it: poolers pass
    `application_name` on. A backend is given to who says something, so an empty query is said.
    """
    modes = {"statement_mode": "unnamed"} if kind == "transaction" else {}

    def connect(**options: Any) -> ConnectCall:
        name = f"{NAME} {next(NUMBERS)}"
        settings = {"application_name": name, **options.pop("server_settings", {})}
        call: ConnectCall = pgallop.connect(
            dsn, **{**modes, **options, "server_settings": settings}
        )

        async def open_connection() -> pgallop.Connection:
            connection = await call
            try:
                await connection.execute("")
            except BaseException:
                connection.terminate()
                raise
            return connection

        return ConnectCall(open_connection)

    return connect


class Backends:
    """The backends of connections through PgBouncer, which makes up the process ids it reports."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor = monitor
        self._known: WeakKeyDictionary[pgallop.Connection, int] = WeakKeyDictionary()

    def pid(self, connection: pgallop.Connection) -> int:
        """The process id of the backend that works for it, or has worked for it last."""
        # In transaction mode several have the name of their last client.
        query = (
            "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
            " ORDER BY state <> 'idle' DESC, state_change DESC LIMIT 1"
        )
        for (pid,) in self._monitor.ask(query, connection.get_settings()["application_name"]):
            self._known[connection] = pid
        if connection not in self._known:
            pytest.fail(f"no backend has worked for {connection!r} yet")
        return self._known[connection]


class PgBouncerMonitor(Monitor):
    """A look at the clients of a PgBouncer: the sessions behind it outlive them."""

    def __init__(self, pgbouncer: PgBouncer) -> None:
        super().__init__(
            psycopg.connect(
                pgbouncer.admin_dsn, autocommit=True, cursor_factory=psycopg.ClientCursor
            )
        )

    def sessions(self) -> set[int]:
        """The clients, those of the admin console excepted."""
        return {int(client["ptr"], 16) for client in self._clients()}

    def queries(self, pids: set[int]) -> list[tuple[Any, ...]]:
        """What PgBouncer knows of these clients."""
        return [
            tuple(client.values()) for client in self._clients() if int(client["ptr"], 16) in pids
        ]

    def close(self) -> None:
        self._connection.close()

    def _clients(self) -> list[dict[str, Any]]:
        cursor = self._connection.cursor(row_factory=dict_row)
        cursor.execute("SHOW CLIENTS")
        return [client for client in cursor.fetchall() if client["database"] != "pgbouncer"]


@contextmanager
def monitors_of(pooler: Pooler) -> Iterator[list[Monitor]]:
    """Who looks for clients that were left behind; pgpool-II does not tell."""
    if not isinstance(pooler, PgBouncer):
        yield []
        return
    monitor = PgBouncerMonitor(pooler)
    try:
        yield [monitor]
    finally:
        monitor.close()


@contextmanager
def true_process_ids(pooler: Pooler | None, monitor: Monitor) -> Iterator[None]:
    """Have `get_server_pid` tell the truth, by which tests look at their backend from outside."""
    if not isinstance(pooler, PgBouncer):
        yield
        return
    backends = Backends(monitor)
    reported = pgallop.Connection.get_server_pid

    def get_server_pid(connection: pgallop.Connection) -> int:
        name = connection.get_settings()["application_name"]
        return backends.pid(connection) if name.startswith(NAME) else reported(connection)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(pgallop.Connection, "get_server_pid", get_server_pid)
        yield
