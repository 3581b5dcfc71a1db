"""A server on 127.0.0.1 that does what a test says, in the test's own event loop.

async def closes_at_once(client: Client) -> None:
    pass

async with FakeServer(closes_at_once) as server:
    ...  # connect to server.host, server.port
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

SSL_REQUEST = 80877103


class Client:
    """One client of a fake server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def startup(self, tls_answer: bytes = b"N") -> bytes:
        """Read to the StartupMessage, which is returned; refuse TLS before it if asked for."""
        while True:
            (length,) = struct.unpack("!i", await self.reader.readexactly(4))
            body = await self.reader.readexactly(length - 4)
            if body != struct.pack("!i", SSL_REQUEST):
                return body
            self.send(tls_answer)

    async def message(self) -> tuple[str, bytes]:
        """The next message: its type and its body."""
        head = await self.reader.readexactly(5)
        tag, length = struct.unpack("!ci", head)
        return tag.decode(), await self.reader.readexactly(length - 4)

    async def until(self, tag: str) -> None:
        """Read to the end of the next message of this type."""
        while (await self.message())[0] != tag:
            pass

    async def the_end(self) -> bytes:
        """Read until the client closes; all that it still says."""
        return await self.reader.read()

    def send(self, *data: bytes) -> None:
        self.writer.write(b"".join(data))


Handler = Callable[[Client], Awaitable[None]]


class FakeServer:
    """Runs `handler` for each client, and closes the connection when it returns."""

    host = "127.0.0.1"

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.clients = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        for result in results:
            if isinstance(result, AssertionError):
                raise result

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.clients += 1
        self._tasks.add(asyncio.get_running_loop().create_task(self._serve(Client(reader, writer))))

    async def _serve(self, client: Client) -> None:
        # Clients leave whenever they like.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            try:
                await self._handler(client)
                client.writer.close()
                await client.writer.wait_closed()
            finally:
                client.writer.transport.abort()
