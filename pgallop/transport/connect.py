"""From a list of hosts to a connected, encrypted and authenticated session."""

import asyncio
import inspect
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pgallop.auth.scram import KeyParameters, derive_salted_password
from pgallop.config.hosts import Host
from pgallop.config.options import ConnectOptions
from pgallop.config.tcp import TcpOptions
from pgallop.errors import (
    CannotConnectError,
    ClientConfigurationError,
    ConnectionDoesNotExistError,
    InterfaceError,
    PostgresError,
    ProtocolError,
    UnsupportedServerFeatureError,
    cannot_connect,
)
from pgallop.limits import MAX_SHORT_MESSAGE_SIZE
from pgallop.session.session import Session
from pgallop.session.startup import Startup
from pgallop.transport.fallback import TransportStream
from pgallop.transport.refusal import read_refusal
from pgallop.transport.stream import SocketStream, Stream
from pgallop.transport.tcp import set_tcp_options
from pgallop.transport.tls import TlsChannel, shake_hands, unverified_context
from pgallop.wire import frontend
from pgallop.wire.writer import Writer


@dataclass(frozen=True, slots=True)
class Link:
    """An authenticated session on its stream, and what it takes to reach the same server again.

    `address`: as for `socket.connect`; `context` and `hostname`: how its TLS was made, context None
    without TLS; `tcp`: its keepalives; `pid` and `key`: what a CancelRequest has to show.
    """

    session: Session
    stream: Stream
    host: Host
    family: socket.AddressFamily
    address: object
    context: ssl.SSLContext | None
    tcp: TcpOptions
    pid: int
    key: bytes


async def open_link(options: ConnectOptions, loop: asyncio.AbstractEventLoop) -> Link:
    """Connect to the first host that answers, within `options.timeout` over all of them.

    Raises CannotConnectError (an OSError) when none can be reached, PostgresError when the server
    refuses (wrong password, no such database), ProtocolError when what answers is no PostgreSQL.
    """
    host = options.hosts[0]
    failures: list[CannotConnectError] = []
    timer = asyncio.timeout(options.timeout)
    try:
        async with timer:
            password = await resolve_password(options)
            for host in options.hosts:
                try:
                    return await open_host(options, loop, host, password)
                except CannotConnectError as error:
                    failures.append(error)
                except (PostgresError, InterfaceError, ProtocolError) as error:
                    error.add_note(f"while connecting to {host}")
                    raise
    except TimeoutError as error:
        if not timer.expired():
            raise  # the password function's own
        raise cannot_connect(
            host.host, host.port, TimeoutError(f"no answer within {options.timeout} seconds")
        ) from error
    failure = failures.pop()
    for earlier in failures:
        failure.add_note(f"tried before: {earlier}")
    raise failure


async def open_host(
    options: ConnectOptions,
    loop: asyncio.AbstractEventLoop,
    host: Host,
    password: str | None,
) -> Link:
    """Connect to one host, encrypt as far as wanted, authenticate."""
    try:
        sock, family, address = await open_socket(loop, host, options.tcp)
    except OSError as error:
        raise cannot_connect(host.host, host.port, error) from error
    except UnicodeError as error:
        raise ClientConfigurationError(f"host: {host.host!r} is no host name: {error}") from error
    try:
        context, hostname = tls_wanted(options, host)
        tls = await start_tls(loop, sock, context, hostname, options.ssl_for(host) == "prefer")
        # Whoever answers there has not shown yet who it is.
        session = Session(min(options.max_message_size, MAX_SHORT_MESSAGE_SIZE))
        stream = await open_stream(loop, session, tls, sock)
    except (OSError, ssl.SSLError) as error:
        sock.close()
        raise cannot_connect(host.host, host.port, error) from error
    except BaseException:
        sock.close()
        raise
    private = host.is_unix or tls is not None or options.allow_cleartext_password
    parameters = {"user": options.user, "database": options.database, **options.server_settings}
    startup = Startup(None, parameters, password, private, options.scram_max_iterations)
    try:
        await authenticate(loop, session, stream, startup, password)
        check_settings(session.parameters)
    except BaseException as error:
        stream.lose(error)
        # One with this SQLSTATE that the server has said has no cause.
        if isinstance(error, ConnectionDoesNotExistError) and error.__cause__ is not None:
            reset = ConnectionResetError("the server closed the connection during startup")
            raise cannot_connect(host.host, host.port, reset) from error
        known = startup.accepted() or is_proven(host, context)
        if isinstance(error, PostgresError) and not known:
            error.add_note("unverified: said before authentication, by whoever answers there")
        raise
    session.trust(options.max_message_size)
    return Link(
        session,
        stream,
        host,
        family,
        address,
        None if tls is None else context,
        options.tcp,
        startup.pid,
        startup.key,
    )


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


async def open_socket(
    loop: asyncio.AbstractEventLoop, host: Host, tcp: TcpOptions
) -> tuple[socket.socket, socket.AddressFamily, object]:
    """A connected non-blocking socket, its family and the address it is connected to."""
    if host.is_unix:
        path = host.socket_path
        address = "\0" + path[1:] if path.startswith("@") else path
        sock = await connect_socket(loop, socket.AF_UNIX, address, tcp)
        return sock, socket.AF_UNIX, address
    found = await loop.getaddrinfo(host.host, host.port, type=socket.SOCK_STREAM)
    failure: OSError | None = None
    for family, _, _, _, target in found:
        try:
            sock = await connect_socket(loop, family, target, tcp)
        except OSError as error:
            failure = failure or error
            continue
        return sock, socket.AddressFamily(family), target
    raise failure or OSError(f"{host.host} has no address")


async def connect_socket(
    loop: asyncio.AbstractEventLoop, family: int, address: object, tcp: TcpOptions
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family in (socket.AF_INET, socket.AF_INET6):
            set_tcp_options(sock, tcp)
        await loop.sock_connect(sock, address)  # type: ignore[arg-type]
    except BaseException:
        sock.close()
        raise
    return sock


def tls_wanted(options: ConnectOptions, host: Host) -> tuple[ssl.SSLContext | None, str | None]:
    """The context to shake hands with, None for no TLS, and the name to expect."""
    mode = options.ssl_for(host)
    if isinstance(mode, ssl.SSLContext):
        return mode, host.host
    if mode == "verify":
        return ssl.create_default_context(), host.host
    if mode in ("prefer", "require"):
        return unverified_context(), host.host
    return None, None


async def start_tls(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    context: ssl.SSLContext | None,
    hostname: str | None,
    optional: bool,
) -> TlsChannel | None:
    """Ask for TLS and shake hands; None if it is not wanted, or optional and not offered."""
    if context is None:
        return None
    writer = Writer()
    frontend.ssl_request(writer)
    await loop.sock_sendall(sock, writer.take())
    # One byte and no more: what else came along in clear text must not be taken for the server's
    # word after the handshake (CVE-2021-23222). It is left to the handshake, which fails on it.
    answer = await loop.sock_recv(sock, 1)
    if answer == b"S":
        return await shake_hands(loop, sock, context, hostname)
    if answer == b"N":
        if optional:
            return None
        raise InterfaceError(
            "the server does not offer TLS",
            hint="set ssl = on in postgresql.conf, or connect with ssl='disable' if the network is "
            "trusted",
        )
    if not answer:
        raise ConnectionResetError("the server closed when asked for TLS")
    if answer == b"E":
        raise await read_refusal(loop, sock)
    raise ProtocolError(f"the server answered {answer!r} when asked for TLS: is this PostgreSQL?")


async def open_stream(
    loop: asyncio.AbstractEventLoop, session: Session, tls: TlsChannel | None, sock: socket.socket
) -> Stream:
    """A stream on our own socket, or an asyncio transport where the loop cannot watch sockets."""
    stream = SocketStream(loop, session, tls, sock)
    try:
        stream.start()
    except NotImplementedError:
        return await TransportStream.open(loop, session, tls, sock)
    return stream


def check_settings(reported: Mapping[str, str]) -> None:
    """Refuse a server whose values we would read wrongly, from what ParameterStatus has said.

    Up to PostgreSQL 9.6 a server could be built without `integer_datetimes`, with dates and times
    as floating point numbers. Who does not report it has no such choice.
    """
    if reported.get("integer_datetimes", "on") != "on":
        raise UnsupportedServerFeatureError(
            "the server was built without integer_datetimes: it sends dates and times as floating "
            "point numbers, which pgallop would take for other dates and times"
        )


def is_proven(host: Host, context: ssl.SSLContext | None) -> bool:
    """Whether we know who talks before anybody has authenticated."""
    return host.is_unix or (context is not None and context.verify_mode == ssl.CERT_REQUIRED)


async def authenticate(
    loop: asyncio.AbstractEventLoop,
    session: Session,
    stream: Stream,
    startup: Startup,
    password: str | None,
) -> None:
    """Run the startup conversation to its first ReadyForQuery."""
    waiter = startup.waiter = loop.create_future()
    session.submit(startup)
    stream.submitted()
    question = await waiter
    if isinstance(question, KeyParameters):
        # Milliseconds of computation, or a second if a hostile server could choose: not here.
        assert password is not None
        key = await loop.run_in_executor(None, derive_salted_password, password, question)
        waiter = loop.create_future()
        startup.continue_sasl(key, waiter)
        session.send_reply(startup)
        stream.submitted()
        await waiter
