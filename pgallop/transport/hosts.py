"""From a list of hosts to a session with the first that will do."""

import asyncio
import inspect
from dataclasses import dataclass
from typing import cast

from pgallop.codecs.builtin import builtin_registry
from pgallop.config.hosts import Host
from pgallop.config.options import ConnectOptions
from pgallop.errors import (
    CannotConnectError,
    CannotConnectNowError,
    ClientConfigurationError,
    InterfaceError,
    PostgresError,
    ProtocolError,
    TargetServerAttributeNotMatched,
    cannot_connect,
)
from pgallop.session.simple_rows import SimpleRows
from pgallop.transport.connect import Link, open_host, told
from pgallop.wire import frontend

__all__ = ["open_link"]


async def open_link(options: ConnectOptions, loop: asyncio.AbstractEventLoop) -> Link:
    """Connect to the first host that will do, within `options.timeout` over all of them.

    Raises CannotConnectError (an OSError) when none can be reached, PostgresError when the server
    refuses (wrong password, no such database), TargetServerAttributeNotMatched when none is of the
    kind that was asked for, ProtocolError when what answers is no PostgreSQL.
    """
    place = Place(options.hosts[0])
    timer = asyncio.timeout(options.timeout)
    try:
        async with timer:
            return await open_first(options, loop, place)
    except TimeoutError as error:
        if not timer.expired():
            raise  # the password function's own
        host = place.host
        raise cannot_connect(
            host.host, host.port, TimeoutError(f"no answer within {options.timeout} seconds")
        ) from error


@dataclass(slots=True)
class Place:
    """Where we are in the list of hosts."""

    host: Host


async def open_first(
    options: ConnectOptions, loop: asyncio.AbstractEventLoop, place: Place
) -> Link:
    """Try the hosts in turn."""
    password = await resolve_password(options)
    failures: list[Exception] = []
    wanted = options.target_session_attrs
    # Who prefers a standby looks at all hosts for one, and then takes what there is.
    rounds = ("standby", "any") if wanted == "prefer-standby" else (wanted,)
    for kind in rounds:
        failures = []
        for host in options.hosts:
            place.host = host
            mine = options.host_passwords.get(host) if password is None else password
            try:
                link = await open_host(options, loop, host, mine)
                if await is_of_kind(loop, link, kind):
                    return link
                failures.append(leave(link, wanted))
            except CannotConnectNowError as error:
                error.add_note(f"while connecting to {host}")
                failures.append(error)
            except (CannotConnectError, TargetServerAttributeNotMatched) as error:
                failures.append(error)
            except (PostgresError, InterfaceError, ProtocolError) as error:
                error.add_note(f"while connecting to {host}")
                raise
    failure = next(
        (each for each in failures if isinstance(each, TargetServerAttributeNotMatched)),
        failures[-1],
    )
    for other in failures:
        if other is not failure:
            failure.add_note(f"tried as well: {told(other)}")
    raise failure


def leave(link: Link, wanted: str) -> TargetServerAttributeNotMatched:
    """Leave a server that is not what was asked for; the error says so."""
    error = TargetServerAttributeNotMatched(
        f"{link.host} is not of the kind that target_session_attrs={wanted!r} asks for"
    )
    frontend.terminate(link.session.writer)
    link.stream.flush()
    link.stream.lose(error)
    return error


async def is_of_kind(loop: asyncio.AbstractEventLoop, link: Link, kind: str) -> bool:
    """Whether the server is what was asked for: `kind` as in target_session_attrs.

    Since PostgreSQL 14 servers report what they are; others, and some poolers, are asked.

    Source: PostgreSQL documentation, libpq, "target_session_attrs".
    """
    if kind == "any":
        return True
    reported = link.session.parameters
    standby: object = reported.get("in_hot_standby")
    read_only: object = reported.get("default_transaction_read_only")
    if kind in ("primary", "standby"):
        if standby is None:
            standby = await ask(loop, link, "SELECT pg_catalog.pg_is_in_recovery()")
        return (standby in ("on", True)) is (kind == "standby")
    if standby is None or read_only is None:
        read_only = await ask(loop, link, "SHOW transaction_read_only")
    return ("on" in (standby, read_only)) is (kind == "read-only")


async def ask(loop: asyncio.AbstractEventLoop, link: Link, query: str) -> object:
    """The one value of a query, on a session that nobody else has yet.

    A server that does not give it is none that will do, as in libpq.
    """
    request = SimpleRows(loop.create_future(), query, builtin_registry(), False)
    link.session.submit(request)
    link.stream.submitted()
    try:
        rows, _ = await request.waiter
        if len(rows) != 1 or len(rows[0]) != 1:
            raise ProtocolError("the server did not answer with one value")
    except (PostgresError, InterfaceError, ProtocolError) as error:
        link.stream.lose(error)
        raise TargetServerAttributeNotMatched(
            f"{link.host} does not say of what kind it is: {error}"
        ) from error
    except BaseException as error:
        link.stream.lose(error)
        raise
    return cast("object", rows[0][0])


async def resolve_password(options: ConnectOptions) -> str | None:
    """The password, asked for where a function was given."""
    if not callable(options.password):
        return options.password
    password = cast(object, options.password())
    if inspect.isawaitable(password):
        password = await password
    if password is not None and not isinstance(password, str):
        raise ClientConfigurationError(
            f"password: the function returned {type(password).__name__}, expected str"
        )
    return password
