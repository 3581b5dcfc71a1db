"""`TransportStream`: for event loops without `add_reader`, such as Windows' Proactor loop."""

import asyncio
import socket

from pgallop.session.session import Session
from pgallop.transport.stream import Stream
from pgallop.transport.tls import TlsChannel


class TransportStream(Stream, asyncio.Protocol):
    """A session's bytes through an asyncio transport."""

    __slots__ = ("_paused", "_sock", "_transport")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: Session,
        tls: TlsChannel | None,
        sock: socket.socket,
    ) -> None:
        super().__init__(loop, session, tls)
        self._sock = sock
        self._transport: asyncio.Transport | None = None
        self._paused = False

    @classmethod
    async def open(
        cls,
        loop: asyncio.AbstractEventLoop,
        session: Session,
        tls: TlsChannel | None,
        sock: socket.socket,
    ) -> "TransportStream":
        """Wrap a connected socket."""
        stream = cls(loop, session, tls, sock)
        await loop.create_connection(lambda: stream, sock=sock)
        return stream

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.turn_ends = 0.0
        self.received(bytes(data))
        if self.busy and self._transport is not None:
            self._transport.pause_reading()

    def read_on(self) -> None:
        if self._transport is not None:
            self._transport.resume_reading()

    def eof_received(self) -> None:
        self.ended()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lose(exc or ConnectionResetError("the connection was closed"))

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        self.flush()

    def blocked(self) -> bool:
        return self._paused

    def transmit(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def disconnect(self) -> None:
        if self.loop.is_closed():
            self._sock.close()  # the transport closes in a callback of the loop, and never will
        elif self._transport is not None:
            self._transport.abort()

    def disown(self) -> None:
        # As with SocketStream: the loop is the parent's too and is not told, our copy of the
        # descriptor is closed. An open one would keep the session alive that the parent aborts.
        super().disown()
        self._transport = None
        self._sock.close()
