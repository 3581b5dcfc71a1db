"""A TCP proxy in front of a server that adds latency, counts round trips and breaks things.

    async with DelayProxy(server.host, server.port, delay=0.05) as proxy:
        ...  # connect to proxy.host, proxy.port: each direction takes 50 ms
        assert proxy.round_trips == 2

A round trip is counted by cause and effect, and not by the clock: what a client sends belongs to
the trip behind the last one of which it has got anything, what the server sends to the last one of
which that has got anything. So a client that is slow to read, or that goes on before it has all of
an answer, makes no trip invisible, and each one counted takes both delays at least. What nobody
answers, such as Terminate, is none.

Everything happens in callbacks of the event loop that entered the block, so no lock is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from types import TracebackType
from typing import Self, cast


class DelayProxy:
    """Forward each accepted connection to a server, and every chunk `delay` seconds later.

    The delay is latency and not a limit: chunks are on the way together, as on a long line.
    Accepting a connection takes no time. When a side does not read, the proxy stops reading from
    the other one once its own buffer is full, so that back pressure is passed on.

    Args:
        server_host: the server's address, or the folder of its Unix socket.
        server_port: the server's port.
        delay: seconds that each direction takes.
    """

    host = "127.0.0.1"

    def __init__(self, server_host: str, server_port: int, *, delay: float = 0.0) -> None:
        self.delay = delay
        self.port = 0
        #: Times that a client got an answer to what it had sent knowing all answers before that.
        self.round_trips = 0
        self.bytes_to_server = 0
        self.bytes_to_client = 0
        self.connections = 0
        self.frozen = False
        #: Accept new connections, and neither read from them nor answer.
        self.black_hole = False
        #: Reset new connections when the first bytes of the client have come.
        self.reset_new = False
        self.bytes_until_close: int | None = None
        self._server_host = server_host
        self._server_port = server_port
        self._listener: asyncio.Server | None = None
        self._ends: set[End] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(lambda: End(self, is_client=True), self.host, 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._listener is not None
        self._listener.close()
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        ends = tuple(self._ends)
        for end in ends:
            end.abort()
        await asyncio.gather(*(end.lost for end in ends))
        await self._listener.wait_closed()

    def freeze(self) -> None:
        """Forward and read nothing until `thaw()`, as if the network were gone silently."""
        self.frozen = True
        for end in self._ends:
            end.update_reading()

    def thaw(self) -> None:
        """Go on after `freeze()`; what was on the way arrives now."""
        self.frozen = False
        for end in self._ends:
            end.update_reading()
            end.arm()

    def cut(self) -> None:
        """Break all connections at once, with an RST on TCP; new ones may follow."""
        for end in tuple(self._ends):
            end.reset()

    def close_after(self, nbytes: int) -> None:
        """Let so many more bytes through to the clients, then close the connection, once.

        The bytes count over all connections; it closes the one that carries the last of them.
        With 0 it closes in place of the next byte.
        """
        self.bytes_until_close = nbytes

    def opened(self, end: End, *, is_client: bool) -> None:
        """Called by an end that is connected."""
        self._ends.add(end)
        if is_client and not self.black_hole:
            task = asyncio.get_running_loop().create_task(self._connect(end))
            self._connecting.add(task)
            task.add_done_callback(self._connecting.discard)

    def closed(self, end: End) -> None:
        """Called by an end that is closed."""
        self._ends.discard(end)

    async def _connect(self, client: End) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._server_host.startswith("/"):
                path = f"{self._server_host}/.s.PGSQL.{self._server_port}"
                _, server = await loop.create_unix_connection(lambda: End(self), path)
            else:
                _, server = await loop.create_connection(
                    lambda: End(self), self._server_host, self._server_port
                )
        except OSError:
            client.reset()  # the client sees a refused connection as a broken one
            return
        self.connections += 1
        client.join(server)
        server.join(client)


class End(asyncio.Protocol):
    """One of the two sockets of a forwarded connection, with what is on the way to it."""

    def __init__(self, proxy: DelayProxy, *, is_client: bool = False) -> None:
        self._proxy = proxy
        self._is_client = is_client
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._peer: End | None = None
        self._early: list[tuple[bytes, int]] = []  # received before there was a peer
        # When it arrives, what, and of which round trip; None: the other side closed.
        self._coming: deque[tuple[float, bytes | None, int]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_full = False
        self._resets = is_client and proxy.reset_new
        self._trip = 0  # the last round trip of which anything was delivered here
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def join(self, peer: End) -> None:
        """Begin to forward what arrives here to the peer."""
        self._peer = peer
        self.update_reading()
        for data, trip in self._early:
            peer.push(data, trip)
        if self.lost.done():
            peer.push(None)

    # -- called by the event loop ----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._proxy.opened(self, is_client=self._is_client)

    def data_received(self, data: bytes) -> None:
        if self._resets:
            self.reset()
            return
        if self._is_client:
            self._proxy.bytes_to_server += len(data)
        trip = self._trip + self._is_client
        if self._peer is None:
            self._early.append((data, trip))
        else:
            self._peer.push(data, trip)

    def connection_lost(self, exc: Exception | None) -> None:
        self._proxy.closed(self)
        if self._timer is not None:
            self._timer.cancel()
        if self._peer is not None:
            self._peer.push(None)
        self.lost.set_result(None)

    def pause_writing(self) -> None:
        self._is_full = True
        self._update_peer()

    def resume_writing(self) -> None:
        self._is_full = False
        self._update_peer()

    # -- called by the proxy and by the peer -----------------------------------------------------

    def push(self, data: bytes | None, trip: int = 0) -> None:
        """Send this on its way here; it belongs to that round trip."""
        assert self._transport is not None
        if not self._transport.is_closing():
            self._coming.append((self._loop.time() + self._proxy.delay, data, trip))
            self.arm()

    def arm(self) -> None:
        """See to it that what is on the way is delivered in time."""
        if self._coming and self._timer is None and not self._proxy.frozen:
            self._timer = self._loop.call_at(self._coming[0][0], self._deliver)

    def update_reading(self) -> None:
        """Read only what can be forwarded."""
        assert self._transport is not None
        if self._transport.is_closing():
            return
        if self._proxy.frozen or (self._peer is not None and self._peer._is_full):
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def reset(self) -> None:
        """Close with an RST (on a Unix socket: at once)."""
        assert self._transport is not None
        sock: socket.socket = self._transport.get_extra_info("socket")
        if sock.family != socket.AF_UNIX:
            linger = struct.pack("ii", 1, 0)
            with contextlib.suppress(OSError):  # closed already by the other side
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._transport.abort()

    def abort(self) -> None:
        assert self._transport is not None
        self._transport.abort()

    def _deliver_to_client(self, data: bytes) -> None:
        assert self._transport is not None
        limit = self._proxy.bytes_until_close
        if limit is not None:
            data = data[:limit]
            self._proxy.bytes_until_close = limit - len(data)
        self._proxy.bytes_to_client += len(data)
        self._transport.write(data)
        if self._proxy.bytes_until_close == 0:
            self._proxy.bytes_until_close = None
            self._transport.close()

    def _deliver(self) -> None:
        """Hand over all that is due, and come back for the rest."""
        assert self._transport is not None
        self._timer = None
        while self._coming and self._coming[0][0] <= self._loop.time() and not self._proxy.frozen:
            _, data, trip = self._coming.popleft()
            if self._is_client and trip > self._trip:
                self._proxy.round_trips += 1
            self._trip = max(self._trip, trip)
            if data is None:
                self._transport.close()
            elif self._is_client:
                self._deliver_to_client(data)
            else:
                self._transport.write(data)
            if self._transport.is_closing():
                self._coming.clear()
        self.arm()

    def _update_peer(self) -> None:
        if self._peer is not None:
            self._peer.update_reading()
