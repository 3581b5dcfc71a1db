"""`connect`, whose result can be awaited and entered with `async with`."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from pgallop.codecs.codec import shown
from pgallop.config.codecs import Geometry, Json, OutOfRange, Vectors
from pgallop.config.options import NOT_GIVEN, NotGiven, SessionAttribute, resolve
from pgallop.config.type_codecs import TypeCodecs
from pgallop.connection import Connection
from pgallop.errors import ClientConfigurationError, InterfaceError
from pgallop.files import LocalFiles, os_user
from pgallop.knowledge import Knowledge
from pgallop.limits import MAX_MESSAGE_SIZE, MAX_SCRAM_ITERATIONS
from pgallop.rows.record import Record
from pgallop.transport.hosts import open_link

# What `connection_class` says, Connection where it is not given. Python has defaults since 3.13,
# type checkers know them by the name of the package that had them first.
if TYPE_CHECKING:
    from typing_extensions import TypeVar

    C = TypeVar("C", bound=Connection, default=Connection)
else:
    from typing import TypeVar

    C = TypeVar("C", bound=Connection)


def connect(
    dsn: str | None = None,
    *,
    host: str | Sequence[str] | None = None,
    port: int | str | Sequence[int | str] | None = None,
    user: str | None = None,
    password: str | Callable[[], str | Awaitable[str]] | None = None,
    passfile: str | PathLike[str] | None = None,
    service: str | None = None,
    servicefile: str | PathLike[str] | None = None,
    database: str | None = None,
    timeout: float | NotGiven | None = NOT_GIVEN,
    command_timeout: float | None = None,
    server_settings: Mapping[str, str] | None = None,
    ssl: Any = None,
    direct_tls: bool | None = None,
    sslrootcert: str | PathLike[str] | None = None,
    sslcert: str | PathLike[str] | None = None,
    sslkey: str | PathLike[str] | None = None,
    sslpassword: str | None = None,
    sslcertmode: Literal["disable", "allow"] | None = None,
    sslcrl: str | PathLike[str] | None = None,
    sslcrldir: str | PathLike[str] | None = None,
    ssl_min_protocol_version: str | None = None,
    ssl_max_protocol_version: str | None = None,
    sslkeylogfile: str | PathLike[str] | None = None,
    krbsrvname: str | None = None,
    gsslib: Literal["gssapi", "sspi"] | None = None,
    target_session_attrs: SessionAttribute | None = None,
    statement_cache_size: int = 100,
    max_cached_statement_lifetime: float = 300,
    max_cacheable_statement_size: int = 15360,
    statement_mode: Literal["named", "unnamed", "simple"] | None = None,
    describe_first: bool = False,
    knowledge: Knowledge | None = None,
    drain_timeout: float = 5.0,
    max_message_size: int = MAX_MESSAGE_SIZE,
    scram_max_iterations: int = MAX_SCRAM_ITERATIONS,
    allow_cleartext_password: bool = False,
    strict: bool = False,
    connection_class: type[C] = Connection,  # type: ignore[assignment]
    record_class: type[Record] = Record,
    keepalives: bool | int | None = None,
    keepalives_idle: int | None = None,
    keepalives_interval: int | None = None,
    keepalives_count: int | None = None,
    tcp_user_timeout: int | None = None,
    out_of_range: OutOfRange = "raise",
    json: Json = "stdlib",
    vectors: Vectors = "list",
    geometry: Geometry = "bytes",
    codecs: TypeCodecs | None = None,
) -> "ConnectCall[C]":
    """Connect to a PostgreSQL server.

    What is not given as an argument comes from the DSN, then from the service it names, then from
    the environment (PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE and others), then from the
    defaults.

    Args:
        dsn: `postgresql://user:password@host:port/database?sslmode=require`, or libpq's
            `host=localhost user=ada`.
        host: a name, an address, or the directory of a Unix socket; a sequence is tried in order.
        port: 5432 by default; a sequence gives one for each host.
        user: the role; the operating system's user by default.
        password: text, or a function that returns it (or an awaitable of it) at each connect.
        passfile: the file that has the passwords of servers where none was given, `~/.pgpass` by
            default; it is left aside, with a warning, if others may read it.
        service: the name of a service, whose parameters are in the service file.
        servicefile: that file; `~/.pg_service.conf` by default, then the one in PGSYSCONFDIR.
        database: the user's name by default.
        timeout: seconds for all of connecting, 60 by default, None for no limit.
        command_timeout: seconds for each statement that has no `timeout` of its own.
        server_settings: settings for the session, such as `{"search_path": "app"}`.
        ssl: "disable", "allow" (TLS only if the server wants it), "prefer" (the default over TCP),
            "require", "verify-ca" (the certificate is checked), "verify-full" (so is the host's
            name), True (as "verify-full", against the system's authorities) or an `ssl.SSLContext`,
            in the place of all that follow.
        direct_tls: begin with the handshake instead of asking for TLS, as PostgreSQL 17 takes it.
        sslrootcert: the file of the authorities to trust, `~/.postgresql/root.crt` by default, or
            "system".
        sslcert: the file of the client's certificate, `~/.postgresql/postgresql.crt` by default.
        sslkey: the file of its private key, `~/.postgresql/postgresql.key` by default.
        sslpassword: that of the private key.
        sslcertmode: "allow" (the default), or "disable" to show no certificate.
        sslcrl: a file of revoked certificates, `~/.postgresql/root.crl` by default.
        sslcrldir: a directory of such files.
        ssl_min_protocol_version: "TLSv1.2" by default.
        ssl_max_protocol_version: the newest there is by default.
        sslkeylogfile: a file to write the sessions' keys to, for Wireshark and the like.
        krbsrvname: the name of the service that a Kerberos ticket is asked for, "postgres" by
            default; the host's name is added to it.
        gsslib: the library for Kerberos: "gssapi" (python-gssapi), or "sspi" (sspilib), the default
            on Windows.
        target_session_attrs: what kind of server it has to be, if several hosts are given: "any",
            "read-write", "read-only", "primary", "standby" or "prefer-standby".
        statement_cache_size: how many prepared statements to keep, the most recently used ones. 0
            is for poolers as `statement_mode="unnamed"`, which it is the default of then.
        max_cached_statement_lifetime: seconds that one is kept, 0 for no limit.
        max_cacheable_statement_size: characters of the longest text that is kept, 0 for no limit.
        statement_mode: "named" (the default): statements are prepared once, under a name.
            "unnamed": they are parsed each time, still in one round trip but one at a time, for
            poolers that give each transaction another server (PgBouncer). "simple": as text, for
            servers without the extended protocol; no arguments, no pipelines.
        describe_first: ask for the types of a statement that this connection has not run yet, at
            the price of a round trip, instead of relying on what is known of its text.
        knowledge: a `Knowledge` that the connection shares with others: what one of them has run,
            the others run in one round trip from the first time on.
        drain_timeout: seconds an abandoned statement may hold up the connection.
        max_message_size: bytes of the longest message accepted from the server.
        scram_max_iterations: the most rounds of key derivation the server may ask for.
        allow_cleartext_password: let the password travel as it is over an unencrypted network.
        strict: refuse a statement while another task's is in progress, with an InterfaceError that
            names the task; by default it queues.
        connection_class: a subclass of Connection that is to be made. Its `__init__`, if it has
            one, passes on what it is given.
        record_class: a subclass of Record that rows become, with properties or methods of its own;
            it must not have an `__init__` or `__new__`. Its records take a little longer to make.
        keepalives: over TCP, probe a silent server, so that a dead one is noticed: True (the
            default) or False. With the defaults of the next three that takes at most two minutes.
        keepalives_idle: seconds of silence before the first probe, 60 by default; 0 here and below
            stands for the operating system's default.
        keepalives_interval: seconds between probes, 10 by default.
        keepalives_count: unanswered probes after which the connection is lost, 6 by default.
        tcp_user_timeout: milliseconds that sent data may stay unacknowledged, the system's default
            if not given; a server that dies with a statement on its way to it is noticed by this.
        out_of_range: what to do about values that Python does not have, such as the year 10000 or
            24:00: "raise" a DataError, "clamp" them to the nearest one that Python has, or read and
            write the server's "text". For all of date, time, timetz, timestamp, timestamptz and
            interval, or for some in a mapping, as in `{"date": "text"}`.
        json: what reads and writes json and jsonb: "stdlib", "orjson", "msgspec", or a pair of
            functions (dumps, loads), of which `dumps(object)` returns str or bytes, and `loads` is
            given a str.
        vectors: what pgvector's vector and halfvec are read as: a "list" of floats, or a "numpy"
            array. Both are taken, always.
        geometry: what PostGIS's geometry and geography are read as: the "bytes" of their EWKB, or
            "shapely" geometries. Both are taken, always.
        codecs: what reads and writes values of single types, by their names: "mood",
            "schema.mood" or ("schema", "mood"). Two functions (`TypeCodec`), an `Enum` for an enum
            type, a dataclass or another class for a composite type. Nothing is asked for it before
            a type is seen; `Connection.set_type_codec` does the same later.

    Returns:
        Something to await, which gives a `Connection`, or to enter with `async with`, which closes
        the connection at the end of the block.

    Raises:
        ClientConfigurationError: an argument, the DSN or a variable is malformed.
        InterfaceError: `connection_class` or `record_class` is none.
        CannotConnectError: no host can be reached (an OSError, of the kind of its cause).
        GSSAuthenticationError: the server asks for Kerberos, and there is no ticket for it, or it
            is not who it has to be.
        TargetServerAttributeNotMatched: none is what `target_session_attrs` asks for.
        PostgresError: the server refused: wrong password, no such database, too many connections.

    Example:
        >>> async with pgallop.connect("postgresql://localhost/shop") as conn:
        ...     await conn.fetchval("SELECT version()")

    Source: PostgreSQL documentation, libpq, "Database Connection Control Functions".
    """
    arguments = locals()
    kind: type[C] = arguments.pop("connection_class")
    check_connection_class(kind)
    learnt = arguments.pop("knowledge")
    if learnt is not None and not isinstance(learnt, Knowledge):
        raise ClientConfigurationError(f"knowledge: expected a Knowledge, got {shown(learnt)}")

    async def open_connection() -> C:
        options = resolve(**arguments, environ=os.environ, default_user=os_user, files=LocalFiles())
        loop = asyncio.get_running_loop()
        shared = Knowledge() if learnt is None else learnt
        link = await open_link(options, loop)
        try:
            return kind(link, options, loop, shared)
        except BaseException:
            link.stream.lose(InterfaceError(f"{kind.__name__} could not be made"))
            raise

    return ConnectCall(open_connection)


def check_connection_class(kind: object) -> None:
    """Raise InterfaceError unless `kind` is Connection or a subclass."""
    told = shown(kind)
    if not (isinstance(kind, type) and issubclass(kind, Connection)):
        raise InterfaceError(
            f"connection_class is expected to be a subclass of pgallop.Connection, got {told}"
        )


class ConnectCall(Coroutine[Any, Any, C]):
    """A call of `connect` that has not been made yet: await it, or enter it.

    It is a coroutine to asyncio (`create_task`, `run` and `wait_for` take it), and nothing has been
    opened if it is never used.
    """

    def __init__(self, open_connection: Callable[[], Coroutine[Any, Any, C]]) -> None:
        self._open = open_connection
        self._coroutine: Coroutine[Any, Any, C] | None = None
        self._connection: C | None = None

    def _started(self) -> Coroutine[Any, Any, C]:
        if self._coroutine is None:
            self._coroutine = self._open()
        return self._coroutine

    def send(self, value: Any) -> Any:
        return self._started().send(value)

    def throw(self, *exception: Any) -> Any:
        return self._started().throw(*exception)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, C]:
        if self._coroutine is not None:
            raise InterfaceError("this connect() was awaited before: call it again")
        return self._started().__await__()

    async def __aenter__(self) -> C:
        if self._coroutine is not None:
            raise InterfaceError("this connect() was used before: call it again")
        self._connection = await self._started()
        return self._connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection = self._connection
        self._connection = None
        assert connection is not None
        if kind is None:
            await connection.close()
        else:
            await close_after_error(connection)


async def close_after_error(connection: Connection) -> None:
    """Close on the way out of an error, which is the one to see: politely, not for long."""
    try:
        await connection.close(timeout=connection.drain_timeout)
    except TimeoutError:
        return  # aborted, and so closed
