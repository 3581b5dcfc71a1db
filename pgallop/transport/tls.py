"""TLS as a filter between a session and its socket: bytes in, bytes out.

`ssl.MemoryBIO` keeps the TLS layer away from the socket, so there is no state in which it wants to
read while we write, no data that waits inside it while the socket is silent, and every kind of
stream and the cancel connection get the same protection.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from functools import lru_cache

from pgallop.config.tls import SYSTEM, TlsOptions
from pgallop.errors import ClientConfigurationError

READ_SIZE = 262144

# What follows inside TLS, by its registered name; servers before PostgreSQL 17 do not ask for it.
ALPN_PROTOCOL = "postgresql"


class TlsChannel:
    """The client's side of a TLS connection.

    `context`: the SSL context; `hostname`: the server's name for SNI and for the check of its
    certificate, or None. `ended`: the server has announced that it says nothing more.
    """

    __slots__ = ("_encrypted_in", "_encrypted_out", "_tls", "ended")

    def __init__(self, context: ssl.SSLContext, hostname: str | None) -> None:
        self.ended = False
        self._encrypted_in = ssl.MemoryBIO()
        self._encrypted_out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._encrypted_in, self._encrypted_out, server_hostname=hostname
        )

    async def handshake(
        self, receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]
    ) -> None:
        """Shake hands over `receive` and `send`; raises ssl.SSLError or ConnectionResetError."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await send(self.outgoing())
                data = await receive()
                if not data:
                    raise ConnectionResetError("the server closed during the handshake") from None
                self._encrypted_in.write(data)
            except ssl.SSLError:
                await send(self.outgoing())  # the alert that says why
                raise
            else:
                await send(self.outgoing())
                return

    def encrypt(self, data: bytes) -> bytes:
        """`data` as it goes over the network."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view) :]
        return self.outgoing()

    def decrypt(self, data: bytes) -> bytes:
        """What the server said in the received bytes `data`; b"" while a record is incomplete."""
        self._encrypted_in.write(data)
        parts: list[bytes] = []
        while True:
            try:
                part = self._tls.read(READ_SIZE)
            except ssl.SSLWantReadError:
                break
            if not part:  # close_notify
                self.ended = True
                break
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def outgoing(self) -> bytes:
        """What the TLS layer itself has to send (handshake, key updates, alerts)."""
        return self._encrypted_out.read() if self._encrypted_out.pending else b""


async def shake_hands(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    context: ssl.SSLContext,
    hostname: str | None,
) -> TlsChannel:
    """A TLS channel over a connected non-blocking socket."""
    channel = TlsChannel(context, hostname)
    await channel.handshake(
        lambda: loop.sock_recv(sock, READ_SIZE), lambda data: loop.sock_sendall(sock, data)
    )
    return channel


def make_context(mode: str, options: TlsOptions) -> ssl.SSLContext:
    """Return the context for one of libpq's modes; reads files, which takes 10 ms and more.

    Raises:
        ClientConfigurationError: a file is not there, cannot be read or is not what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    verified = mode in ("verify-ca", "verify-full")
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion[options.min_version.replace(".", "_")]
    if options.max_version is not None:
        context.maximum_version = ssl.TLSVersion[options.max_version.replace(".", "_")]
    context.set_alpn_protocols([ALPN_PROTOCOL])
    if verified:
        trust(context, options)
    if options.cert is not None:
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(options.cert, options.key, lambda: options.password)
        except (OSError, ValueError) as error:  # a ValueError: of a password of 1024 bytes and more
            files = options.cert if options.key is None else f"{options.cert} with {options.key}"
            raise bad_file("sslcert", files, "a certificate and its private key", error) from error
    if options.key_log_file is not None:
        try:
            # Who has the keys reads what was sent: nobody else may, as with libpq.
            os.close(os.open(options.key_log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
            context.keylog_filename = options.key_log_file
        except OSError as error:
            raise bad_file("sslkeylogfile", options.key_log_file, "a file", error) from error
    return context


# 125 us of CPU for each, and servers without TLS have no use for it.
@lru_cache(maxsize=32)
def shared_context(mode: str, min_version: str, max_version: str | None) -> ssl.SSLContext:
    """Return the context for options that name no files: the same one for all connections."""
    return make_context(mode, TlsOptions(min_version=min_version, max_version=max_version))


def trust(context: ssl.SSLContext, options: TlsOptions) -> None:
    """Have a context trust these authorities, but not what they have revoked."""
    if options.root_cert == SYSTEM:
        context.load_default_certs()
    for keyword, path, directory in (
        ("sslrootcert", options.root_cert if options.root_cert != SYSTEM else None, None),
        ("sslcrl", options.crl, None),
        ("sslcrldir", None, options.crl_dir),
    ):
        place = path or directory
        if place is None:
            continue
        try:
            context.load_verify_locations(path, directory)
        except OSError as error:
            raise bad_file(keyword, place, "certificates in PEM", error) from error
        if keyword != "sslrootcert":
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN


def bad_file(keyword: str, path: str, expected: str, cause: Exception) -> ClientConfigurationError:
    """The error for a file that is of no use; an SSLError is an OSError, too."""
    reason = getattr(cause, "strerror", None) or str(cause)
    return ClientConfigurationError(f"{keyword}: expected {expected}, in {path}: {reason}")


def reads_files(options: TlsOptions) -> bool:
    """Whether `make_context` does what takes time."""
    files = (options.root_cert, options.cert, options.key_log_file)
    return any(path is not None for path in files)
