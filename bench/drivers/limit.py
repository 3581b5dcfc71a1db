"""The limit for tasks that share a connection: bytes made beforehand, answers thrown away unread.

All that a driver does is left out, so this is what the server, the kernel and Python's calls of
them take. It knows no authentication but trust.
"""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from bench.drivers.driver import Driver, Fetch, Rows
from bench.works import Work

_PROTOCOL_3_0 = 196608
_AUTHENTICATION_OK = b"R\0\0\0\x08\0\0\0\0"
_PARSE_COMPLETE = b"1\0\0\0\x04"
_READY_FOR_QUERY = b"Z\0\0\0\x05"  # and a byte with the transaction's status
_TIMEOUT = 10.0


def _message(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack("!i", len(body) + 4) + body


class Wire:
    """A blocking socket with one prepared statement behind it."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), _TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._burst = b""
        self._answer_size = 0

    def log_in(self, user: str, database: str) -> None:
        fields = ("user", user, "database", database, "", "")
        body = struct.pack("!i", _PROTOCOL_3_0) + "\0".join(fields).encode()
        self._expect(_message(b"", body), _AUTHENTICATION_OK)

    def prepare(self, query: str, depth: int) -> None:
        """Make ready to run `query`, which has no arguments, `depth` times in one burst."""
        sync = _message(b"S", b"")
        self._expect(_message(b"P", b"\0" + query.encode() + b"\0\0\0") + sync, _PARSE_COMPLETE)
        # The unnamed portal of the unnamed statement, no arguments, binary results, all rows.
        bind = _message(b"B", struct.pack("!xxhhhh", 0, 0, 1, 1))
        run = bind + _message(b"E", struct.pack("!xi", 0)) + sync
        self._answer_size = depth * len(self._expect(run, b"2"))
        self._burst = depth * run

    async def fetch(self, query: str, *args: object) -> Rows:
        """Run the burst; it gives no rows."""
        self._socket.sendall(self._burst)
        missing = self._answer_size
        while missing:
            missing -= len(self._receive())
        return ()

    def close(self) -> None:
        self._socket.close()

    def _expect(self, request: bytes, beginning: bytes) -> bytes:
        self._socket.sendall(request)
        answer = b""
        while answer[-6:-1] != _READY_FOR_QUERY:
            answer += self._receive()
            if not beginning.startswith(answer[: len(beginning)]):
                raise ConnectionError(f"the limit understands no other answer: {answer[:80]!r}")
        return answer

    def _receive(self) -> bytes:
        received = self._socket.recv(1 << 18)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


class Limit(Driver[Wire]):
    decodes = False

    def version(self) -> str:
        return "bytes made beforehand, answers thrown away"

    def supports(self, work: Work) -> bool:
        return work.connections == 1 and work.shares_connections and work.arguments == ((),)

    def setting(self, work: Work) -> str:
        return f"bursts of {work.tasks}"

    def runs_per_call(self, work: Work) -> int:
        return work.tasks

    async def connect(self, dsn: str) -> Wire:
        server = urlsplit(dsn)
        if server.hostname is None:
            raise ConnectionError("the limit needs a DSN like postgresql://user@host/database")
        wire = Wire(server.hostname, server.port or 5432)
        try:
            wire.log_in(server.username or "postgres", server.path.lstrip("/") or "postgres")
        except BaseException:
            wire.close()
            raise
        return wire

    def fetcher(self, connection: Wire) -> Fetch:
        return connection.fetch

    async def close(self, connection: Wire) -> None:
        connection.close()

    @asynccontextmanager
    async def lanes(self, dsn: str, work: Work) -> AsyncIterator[list[Fetch]]:
        wire = await self.connect(dsn)
        try:
            wire.prepare(work.query, work.tasks)
            yield [wire.fetch]
        finally:
            await self.close(wire)


DRIVER = Limit()
