"""From a host to a connected, encrypted and authenticated session."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from pgallop.auth.gss import GssService, GssStep
from pgallop.auth.salted import SaltedPasswords
from pgallop.auth.scram import KeyParameters, derive_salted_password
from pgallop.config.hosts import Host
from pgallop.config.options import ConnectOptions
from pgallop.config.tcp import TcpOptions
from pgallop.config.tls import SslMode, TlsOptions
from pgallop.errors import (
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
from pgallop.transport.tls import (
    TlsChannel,
    make_context,
    reads_files,
    shake_hands,
    shared_context,
)
from pgallop.wire import frontend
from pgallop.wire.writer import Writer


@dataclass(frozen=True, slots=True)
class Link:
    """An authenticated session on its stream, and what it takes to reach the same server again.

    `address`: as for `socket.connect`; `context`: how its TLS was made, None without TLS; `direct`:
    the handshake came first; `tcp`: its keepalives; `pid` and `key`: what a CancelRequest has to
    show.
    """

    session: Session
    stream: Stream
    host: Host
    family: socket.AddressFamily
    address: object
    context: ssl.SSLContext | None
    direct: bool
    tcp: TcpOptions
    pid: int
    key: bytes


# For all connections of the process.
salted_passwords = SaltedPasswords()


class TryOtherwise(Exception):
    """One way has failed, with TLS or without, where the other one is allowed; for its cause."""


async def open_host(
    options: ConnectOptions,
    loop: asyncio.AbstractEventLoop,
    host: Host,
    password: str | None,
) -> Link:
    """Connect to one host; with and without TLS, where the mode leaves that to us."""
    mode = options.ssl_for(host)
    other = OTHER_MODE.get(mode) if isinstance(mode, str) else None
    try:
        first = "disable" if mode == "allow" else mode
        return await open_as(options, loop, host, password, first, retry=other is not None)
    except TryOtherwise as signal:
        failure = cast("Exception", signal.__cause__)
    assert other is not None
    try:
        return await open_as(options, loop, host, password, other, retry=False)
    except Exception as error:
        error.add_note(f"tried before, {FIRST_TRIED[mode]} TLS: {told(failure)}")
        raise


def told(error: Exception) -> str:
    """The text of an error for the note of another one, with its own notes."""
    notes = ", ".join(getattr(error, "__notes__", ()))
    return f"{error} ({notes})" if notes else str(error)


# The ways to go on where the first one was refused, and what that one was.
OTHER_MODE: Mapping[object, SslMode] = {"allow": "require", "prefer": "disable"}
FIRST_TRIED: Mapping[object, str] = {"allow": "without", "prefer": "with"}


async def open_as(
    options: ConnectOptions,
    loop: asyncio.AbstractEventLoop,
    host: Host,
    password: str | None,
    mode: SslMode | object,
    *,
    retry: bool,
) -> Link:
    """Connect to one host, encrypt as far as wanted, authenticate.

    With `retry`, raises TryOtherwise where a connection with TLS, or without it, may be welcome.
    """
    try:
        sock, family, address = await open_socket(loop, host, options.tcp)
    except OSError as error:
        raise cannot_connect(host.host, host.port, error) from error
    except UnicodeError as error:
        raise ClientConfigurationError(f"host: {host.host!r} is no host name: {error}") from error
    direct = options.tls.direct
    context = None
    try:
        context = await context_for(loop, mode, options.tls)
        tls = await start_tls(loop, sock, context, host.host, mode == "prefer", direct)
        # Whoever answers there has not shown yet who it is.
        session = Session(min(options.max_message_size, MAX_SHORT_MESSAGE_SIZE))
        stream = await open_stream(loop, session, tls, sock)
    except OSError as error:  # an SSLError is one
        sock.close()
        failure = cannot_connect(host.host, host.port, error)
        if direct and context is not None:
            failure.add_note(DIRECT_NOTE)
        if retry and context is not None:
            raise TryOtherwise from failure
        raise failure from error
    except BaseException:
        sock.close()
        raise
    startup = make_startup(options, host, password, encrypted=tls is not None)
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
        refused = isinstance(error, PostgresError) and error.sqlstate == NOT_IN_HBA
        if retry and refused and not startup.accepted() and (tls is not None) == (mode == "prefer"):
            raise TryOtherwise from error
        raise
    session.trust(options.max_message_size)
    return Link(
        session,
        stream,
        host,
        family,
        address,
        None if tls is None else context,
        direct,
        options.tcp,
        startup.pid,
        startup.key,
    )


def make_startup(
    options: ConnectOptions, host: Host, password: str | None, *, encrypted: bool
) -> Startup:
    gss = options.gss
    return Startup(
        None,
        {"user": options.user, "database": options.database, **options.server_settings},
        password,
        host.is_unix or encrypted or options.allow_cleartext_password,
        options.scram_max_iterations,
        # A Unix socket has no host's name, which Kerberos knows a server by.
        service=None if host.is_unix else GssService(gss.krbsrvname, host.host, gss.gsslib),
    )


DIRECT_NOTE = (
    "the TLS handshake came first (direct_tls, sslnegotiation), which PostgreSQL understands since "
    '17, and from an SSLContext with set_alpn_protocols(["postgresql"])'
)

# invalid_authorization_specification: pg_hba.conf has no line for this user, host and encryption.
NOT_IN_HBA = "28000"


async def open_socket(
    loop: asyncio.AbstractEventLoop, host: Host, tcp: TcpOptions
) -> tuple[socket.socket, socket.AddressFamily, object]:
    """A connected non-blocking socket, its family and the address it is connected to."""
    if host.is_unix:
        path = host.socket_path
        address = "\0" + path[1:] if path.startswith("@") else path
        sock = await connect_socket(loop, socket.AF_UNIX, address, tcp)
        return sock, socket.AF_UNIX, address
    failure: OSError | None = None
    for family, target in await find_addresses(loop, host):
        try:
            sock = await connect_socket(loop, family, target, tcp)
        except OSError as error:
            failure = failure or error
            continue
        return sock, family, target
    raise failure or OSError(f"{host.host} has no address")


async def find_addresses(
    loop: asyncio.AbstractEventLoop, host: Host
) -> list[tuple[socket.AddressFamily, object]]:
    """The addresses of a host's name, or the one that it is, for which no thread is troubled."""
    for family, rest in ((socket.AF_INET, ()), (socket.AF_INET6, (0, 0))):
        try:
            socket.inet_pton(family, host.host)
        except (OSError, ValueError):  # a ValueError: of a NUL, or what is not ASCII
            continue
        return [(family, (host.host, host.port, *rest))]
    found = await loop.getaddrinfo(host.host, host.port, type=socket.SOCK_STREAM)
    return [(socket.AddressFamily(family), target) for family, _, _, _, target in found]


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


async def context_for(
    loop: asyncio.AbstractEventLoop, mode: SslMode | object, options: TlsOptions
) -> ssl.SSLContext | None:
    """The context to shake hands with, None for no TLS."""
    if not isinstance(mode, str):
        return cast("ssl.SSLContext", mode)  # one by its methods: libraries put theirs in its place
    if mode == "disable":
        return None
    if reads_files(options):
        return await loop.run_in_executor(None, make_context, mode, options)
    return shared_context(mode, options.min_version, options.max_version)


async def start_tls(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    context: ssl.SSLContext | None,
    hostname: str,
    optional: bool,
    direct: bool,
) -> TlsChannel | None:
    """Ask for TLS, unless it begins `direct`, and shake hands.

    None if it is not wanted, or optional and not offered.
    """
    if context is None:
        return None
    if direct:
        return await shake_hands(loop, sock, context, hostname)
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
        assert password is not None
        key = salted_passwords.find(password, question)
        if key is None:
            # Milliseconds of computation, or 20 if a hostile server could choose: not here.
            key = await loop.run_in_executor(None, derive_salted_password, password, question)
        waiter = loop.create_future()
        startup.continue_sasl(key, waiter)
        session.send_reply(startup)
        stream.submitted()
        await waiter
        salted_passwords.add(password, question, key)
    while isinstance(question, GssStep):
        # It reads files, and waits for the key distribution centre: not here.
        token = await loop.run_in_executor(None, question.client.step, question.token)
        waiter = loop.create_future()
        if startup.continue_gss(token, waiter):
            session.send_reply(startup)
            stream.submitted()
        question = await waiter
