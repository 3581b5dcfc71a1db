"""TLS in front of a server that has none: what PostgreSQL does with `ssl = on`, done by Python.

It answers SSLRequest, shakes hands and forwards what is inside, from a thread of its own, so that
the event loop under test has nothing to do with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
import threading
from types import TracebackType
from typing import Self

from fake_server import SSL_REQUEST

from pgallop.cli.server import EmbeddedServer


class TlsFront:
    """Listens on 127.0.0.1; connections without TLS are forwarded as they are.

    Args:
        server: the server to forward to, through its Unix socket.
        context: the server's side of TLS.
        direct: the handshake comes first, without an SSLRequest.
    """

    host = "127.0.0.1"

    def __init__(
        self, server: EmbeddedServer, context: ssl.SSLContext, *, direct: bool = False
    ) -> None:
        self._server = server
        self._context = context
        self._direct = direct
        self.port = 0
        #: The TLS versions of the connections so far, "TLSv1.3" and the like; "" without TLS.
        self.versions: list[str] = []
        #: What was agreed on by ALPN in each of them.
        self.protocols: list[str | None] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls-front")
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _start(self) -> None:
        context = self._context if self._direct else None
        self._listener = await asyncio.start_server(self._accept, self.host, 0, ssl=context)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._listener.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Clients leave whenever they like, and do not like every certificate.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            try:
                first = await reader.readexactly(8)
                tls = writer.get_extra_info("ssl_object")
                version = "" if tls is None else tls.version()
                if first == struct.pack("!ii", 8, SSL_REQUEST):
                    writer.write(b"S")
                    await writer.start_tls(self._context)
                    first = await reader.readexactly(8)
                    tls = writer.get_extra_info("ssl_object")
                    version = tls.version()
                self.versions.append(version)
                self.protocols.append(None if tls is None else tls.selected_alpn_protocol())
                await self._forward(first, reader, writer)
            finally:
                writer.transport.abort()

    async def _forward(
        self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        path = f"{self._server.host}/.s.PGSQL.{self._server.port}"
        from_server, to_server = await asyncio.open_unix_connection(path)
        try:
            to_server.write(first)
            await asyncio.gather(_pump(reader, to_server), _pump(from_server, writer))
        finally:
            to_server.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()
