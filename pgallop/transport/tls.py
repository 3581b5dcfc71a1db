"""TLS as a filter between a session and its socket: bytes in, bytes out.

`ssl.MemoryBIO` keeps the TLS layer away from the socket, so there is no state in which it wants to
read while we write, no data that waits inside it while the socket is silent, and every kind of
stream and the cancel connection get the same protection.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

READ_SIZE = 262144


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


def unverified_context() -> ssl.SSLContext:
    """What sslmode `prefer` and `require` promise: encryption, but no word on who answers."""
    # Not create_default_context: it reads the system's certificates, which takes 10 ms and more.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
