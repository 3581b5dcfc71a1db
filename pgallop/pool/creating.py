"""`create_pool`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pgallop.connection import Connection
from pgallop.pool.options import Connector, Hook
from pgallop.pool.pool import Pool
from pgallop.rows.record import Record


def create_pool(
    dsn: str | None = None,
    *,
    init_size: int | None = None,
    min_size: int | None = None,
    max_size: int = 10,
    max_queries: int = 50000,
    max_inactive_connection_lifetime: float = 300.0,
    max_lifetime: float = 3600.0,
    max_waiting: int | None = None,
    acquire_timeout: float | None = 30.0,
    check: str | Hook | None = ";",
    check_after: float = 60.0,
    warm_up: Iterable[str] = (),
    connect: Connector | None = None,
    setup: Hook | None = None,
    init: Hook | None = None,
    reset: Hook | None = None,
    connection_class: type[Connection] = Connection,
    record_class: type[Record] = Record,
    record_stacks: bool = False,
    **connect_kwargs: Any,
) -> Pool:
    """Make a pool of connections.

    Args:
        dsn: as for `connect`, and so are all keywords that are not listed here. All connections
            share what they learn (`knowledge`).
        init_size: how many connections are opened before the pool is there, `min_size` by default.
        min_size: how many are kept open, at least, 10 by default or `max_size` if that is less;
            what is lost is opened anew in the background.
        max_size: how many there are at most. See the page on pools for how many are right.
        max_queries: a connection is replaced after so many requests.
        max_inactive_connection_lifetime: seconds after which an idle connection beyond `min_size`
            is closed; 0 for never.
        max_lifetime: seconds after which any connection is replaced when nobody uses it, at random
            up to a tenth earlier; 0 for never.
        max_waiting: how many may wait for a connection; who comes then gets PoolFullError.
        acquire_timeout: seconds that one waits for a connection; None for ever.
        check: what is run on a connection that was idle for `check_after` seconds before anybody
            gets it: a statement, or a coroutine function of the connection. If it fails, or takes
            longer than the connection's `drain_timeout`, another connection takes its place. None
            for no check. By default it is an empty statement, which is a round trip.
        check_after: seconds; 0 checks each time.
        warm_up: statements that each new connection prepares before anybody gets it.
        connect: a coroutine function to be called in place of `connect`, with its arguments.
        setup: a coroutine function of a connection, called each time before it is given to
            somebody, also for a single statement.
        init: a coroutine function of a connection, called once when it was opened.
        reset: a coroutine function of a connection, called when it was given back, in place of
            running `get_reset_query()`. Open transactions are rolled back, and listeners removed,
            before.
        connection_class: a subclass of Connection that the connections are of, and what `acquire`
            gives. Where it has a `fetch` or the like of its own, that of the pool calls it.
        record_class: a subclass of Record that rows become. This and `connection_class` stay when
            `set_connect_args` changes the others.
        record_stacks: remember the call stack of each `acquire`, for what close() says of those who
            still have a connection.

    Returns:
        A `Pool`, to be awaited or entered with `async with`.

    Raises:
        ClientConfigurationError: an argument makes no sense.
        InterfaceError: `connection_class` or `record_class` is none.
        TypeError: `connect` has no such argument.

    When it is awaited or entered, what opening the first connections raises: see `connect`.

    Example:
        >>> async with pgallop.create_pool("postgresql://localhost/shop", max_size=20) as pool:
        ...     await pool.fetchval("SELECT count(*) FROM users")
    """
    arguments = locals()
    connect_kwargs = arguments.pop("connect_kwargs")
    return Pool(**arguments, **connect_kwargs)
