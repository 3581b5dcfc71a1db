"""How a connection comes about: the servers are tried in turn, each by `_connect_addr`."""

import asyncio
import dataclasses
import enum
import os
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from pgallop.asyncpg import protocol
from pgallop.asyncpg.differences import ARGUMENTS, CODECS, CONNECTION
from pgallop.asyncpg.protocol.record import Record
from pgallop.config.hosts import Host
from pgallop.config.options import ConnectOptions, Password, resolve
from pgallop.deadlines import checked_seconds, timed_out
from pgallop.errors import (
    CannotConnectNowError,
    InterfaceError,
    TargetServerAttributeNotMatched,
)
from pgallop.files import LocalFiles, os_user
from pgallop.knowledge import Knowledge
from pgallop.rows.record import check_record_class
from pgallop.transport.hosts import open_link

__all__ = ["SSLMode", "SessionAttribute", "_connect", "_connect_addr"]


class SSLMode(enum.IntEnum):
    """libpq's sslmode."""

    disable = 0
    allow = 1
    prefer = 2
    require = 3
    verify_ca = 4
    verify_full = 5

    @classmethod
    def parse(cls, sslmode: "str | SSLMode") -> "SSLMode":
        """The mode of this name, in which "-" and "_" are the same."""
        if isinstance(sslmode, SSLMode):
            return sslmode
        return cls[sslmode.replace("-", "_")]


class SessionAttribute(str, enum.Enum):  # noqa: UP042 (as in asyncpg)
    """libpq's target_session_attrs."""

    any = "any"
    primary = "primary"
    standby = "standby"
    prefer_standby = "prefer-standby"
    read_write = "read-write"
    read_only = "read-only"


class ConnectionParameters(NamedTuple):
    """What a server is told, and how; tracers read `user` and `database`."""

    user: str
    password: Password
    database: str
    ssl: Any
    sslmode: Any
    ssl_negotiation: Any
    server_settings: dict[str, str] | None
    target_session_attrs: SessionAttribute
    krbsrvname: str | None
    gsslib: str | None

    def __repr__(self) -> str:
        return f"<ConnectionParameters user={self.user!r} database={self.database!r}>"


class ConnectionConfiguration(NamedTuple):
    """What a connection is told."""

    command_timeout: float | None
    statement_cache_size: int
    max_cached_statement_lifetime: float
    max_cacheable_statement_size: int


class ClientConfiguration(ConnectionConfiguration):
    """Beside asyncpg's fields what pgallop needs.

    `deadline`: when connecting has to be over, on the loop's clock.
    """

    options: ConnectOptions
    knowledge: Knowledge
    hosts: Mapping[Any, Host]
    deadline: float | None


_ConnectionParameters = ConnectionParameters
_ClientConfiguration = ClientConfiguration


async def _connect(
    *,
    loop: asyncio.AbstractEventLoop | None,
    connection_class: type[Any],
    record_class: type[Record],
    timeout: float | None = 60,
    knowledge: Knowledge | None = None,
    **arguments: Any,
) -> Any:
    """Connect to the first server that will do."""
    check_classes(connection_class, record_class)
    running = asyncio.get_running_loop()
    if loop is not None and loop is not running:
        raise InterfaceError(f"loop: {loop!r:.100} is not the loop that runs")
    params, config = _parse_connect_arguments(record_class=record_class, **arguments)
    seconds = None if timeout is None else checked_seconds(timeout)
    config.knowledge = Knowledge() if knowledge is None else knowledge
    config.deadline = None if seconds is None else running.time() + seconds
    wanted: SessionAttribute = params.target_session_attrs
    rejected: list[Any] = []
    chosen = failure = None
    try:
        for addr in config.hosts:
            try:
                connection = await _connect_addr(
                    addr=addr,
                    loop=running,
                    params=params,
                    config=config,
                    connection_class=connection_class,
                    record_class=record_class,
                )
                rejected.append(connection)
                if await _can_use_connection(connection, wanted, left(config, running)):
                    chosen = connection
                    break
            except (OSError, CannotConnectNowError) as error:
                failure = error
        if chosen is None and rejected and wanted is SessionAttribute.prefer_standby:
            chosen = random.choice(rejected)
    finally:
        for connection in rejected:
            if connection is not chosen:
                connection.terminate()
    if chosen is not None:
        return chosen
    try:
        raise failure or TargetServerAttributeNotMatched(
            f"none of the hosts is of the kind that target_session_attrs={wanted.value!r} asks for"
        )
    finally:
        del failure  # its traceback knows this frame


async def _connect_addr(
    *,
    addr: tuple[str, int] | str,
    loop: asyncio.AbstractEventLoop,
    params: ConnectionParameters,
    config: ClientConfiguration,
    connection_class: type[Any],
    record_class: type[Record],
) -> Any:
    """Connect to one server."""
    seconds = left(config, loop)
    if seconds is not None and seconds <= 0:
        raise timed_out(config.options.timeout)
    mine = config.options
    options = dataclasses.replace(
        mine,
        hosts=(config.hosts[addr],),
        password=None if mine.host_passwords else params.password,
        target_session_attrs="any",
        timeout=seconds,
    )
    session = protocol.Protocol(addr, None, params, record_class, loop)
    session.link = link = await open_link(options, loop)
    try:
        return connection_class(session, link.stream, loop, addr, config, params)
    except BaseException as error:  # of the code of a subclass
        link.stream.lose(error)
        raise


def left(config: ClientConfiguration, loop: asyncio.AbstractEventLoop) -> float | None:
    """How many seconds there are left for connecting."""
    return None if config.deadline is None else config.deadline - loop.time()


def check_classes(connection_class: object, record_class: object) -> None:
    """Raise InterfaceError unless connections and rows can be of these classes."""
    from pgallop.asyncpg.connection import Connection

    if not isinstance(connection_class, type) or not issubclass(connection_class, Connection):
        raise InterfaceError(
            f"connection_class is expected to be a subclass of asyncpg.Connection, got "
            f"{connection_class!r:.100}"
        )
    check_record_class(record_class)


def _parse_connect_arguments(**arguments: Any) -> tuple[ConnectionParameters, ClientConfiguration]:
    """What the arguments of `connect` come to, with the DSN and the environment."""
    for name in ("host", "port"):  # as if it was not given
        arguments[name] = arguments.get(name) or None
    if isinstance(arguments.get("command_timeout"), str):
        arguments["command_timeout"] = float(arguments["command_timeout"])
    if arguments.get("direct_tls") is not None:
        arguments["direct_tls"] = bool(arguments["direct_tls"])
    arguments["sslkeylogfile"] = os.environ.get("SSLKEYLOGFILE")
    if isinstance(arguments.get("ssl"), SSLMode):
        arguments["ssl"] = arguments["ssl"].name.replace("_", "-")
    options = dataclasses.replace(
        resolve(
            **arguments,
            **ARGUMENTS,
            environ=os.environ,
            default_user=os_user,
            files=LocalFiles(),
        ),
        codecs=CODECS,
        **CONNECTION,
    )
    password = options.password
    if password is None:
        password = next(iter(options.host_passwords.values()), None)
    params = ConnectionParameters(
        user=options.user,
        password=password,
        database=options.database,
        ssl=options.ssl,
        sslmode=SSLMode.parse(options.ssl) if isinstance(options.ssl, str) else SSLMode.require,
        ssl_negotiation="direct" if options.tls.direct else "postgres",
        server_settings=dict(arguments.get("server_settings") or {}) or None,
        target_session_attrs=SessionAttribute(options.target_session_attrs),
        krbsrvname=options.gss.krbsrvname,
        gsslib=options.gss.gsslib,
    )
    config = ClientConfiguration(
        command_timeout=options.command_timeout,
        statement_cache_size=options.statement_cache_size,
        max_cached_statement_lifetime=options.max_cached_statement_lifetime,
        max_cacheable_statement_size=options.max_cacheable_statement_size,
    )
    config.options = options
    config.hosts = {addr_of(host): host for host in options.hosts}
    return params, config


def addr_of(host: Host) -> tuple[str, int] | str:
    """A server as asyncpg has it: host and port, or the path of a Unix socket."""
    return host.socket_path if host.is_unix else (host.host, host.port)


# What a server has to be


async def _can_use_connection(
    connection: Any, attr: SessionAttribute, timeout: float | None = None
) -> bool:
    """Whether the server is of the kind that was asked for."""
    if attr is SessionAttribute.any:
        return True
    settings = connection.get_settings()
    is_read_only = settings.get("default_transaction_read_only") == "on"
    if is_read_only and attr in (SessionAttribute.read_write, SessionAttribute.read_only):
        return attr is SessionAttribute.read_only
    reported = settings.get("in_hot_standby")  # since PostgreSQL 14
    if reported is None:
        is_standby = await connection.fetchval(
            "SELECT pg_catalog.pg_is_in_recovery()", timeout=timeout
        )
    else:
        is_standby = reported == "on"
    return is_standby is (attr not in (SessionAttribute.primary, SessionAttribute.read_write))
