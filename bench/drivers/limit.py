"""The limit: bytes made beforehand, answers thrown away unread.

All that a driver does is left out, so this is what the server, the kernel and Python's calls of
them take, and where answers are awaited one by one what the event loop takes. Of arguments it knows
the first ones, and asks for the same again and again. It knows no authentication but trust.
"""

import asyncio
import select
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from urllib.parse import urlsplit

from bench.drivers.driver import Driver, Fetch, Rows
from bench.work import NEAR, Work

_PROTOCOL_3_0 = 196608
_AUTHENTICATION_OK = b"R\0\0\0\x08\0\0\0\0"
_PARSE_COMPLETE = b"1\0\0\0\x04"
_READY_FOR_QUERY = b"Z\0\0\0\x05"  # and a byte with the transaction's status
_TIMEOUT = 10.0

# How many bursts there are of each of several sockets before they wait for one another.
_ROUNDS = 20

# Small answers, one at a time on each socket: awaited on the event loop, as a driver's are.
_ONE_BY_ONE = frozenset({"select1", "pk"})


def _message(tag: bytes, body: bytes) -> bytes:
    return tag + struct.pack("!i", len(body) + 4) + body


_SYNC = _message(b"S", b"")
_EXECUTE = _message(b"E", struct.pack("!xi", 0))  # the unnamed portal, all rows


def _bind(args: Sequence[object]) -> bytes:
    """The unnamed statement with these arguments, as text, and with binary results."""
    values = [str(arg).encode() for arg in args]
    body = struct.pack("!xxhh", 0, len(values))
    body += b"".join(struct.pack("!i", len(value)) + value for value in values)
    return _message(b"B", body + struct.pack("!hh", 1, 1))


class Wire:
    """A blocking socket with one prepared statement behind it."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), _TIMEOUT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Always the same one: as large, a new one took longer than all else.
        self._buffer = bytearray(1 << 18)
        self._burst = b""
        self._answer_size = 0
        self._missing = 0

    def log_in(self, user: str, database: str) -> None:
        fields = ("user", user, "database", database, "", "")
        body = struct.pack("!i", _PROTOCOL_3_0) + "\0".join(fields).encode()
        self._expect(_message(b"", body), _AUTHENTICATION_OK)

    def prepare(self, query: str, arguments: Sequence[Sequence[object]]) -> None:
        """Make ready to run `query` with each of these arguments, in one burst."""
        parse = _message(b"P", b"\0" + query.encode() + b"\0\0\0")
        self._expect(parse + _SYNC, _PARSE_COMPLETE)
        sizes: dict[bytes, int] = {}
        for args in arguments:
            run = _bind(args) + _EXECUTE + _SYNC
            if run not in sizes:
                sizes[run] = len(self._expect(run, b"2"))
            self._burst += run
            self._answer_size += sizes[run]

    def send(self) -> None:
        """Ask for all that was prepared."""
        self._socket.sendall(self._burst)
        self._missing = self._answer_size

    def receive(self) -> bool:
        """Take what there is, or wait for something; whether that was all of the answers."""
        self._missing -= self._receive()
        return self._missing == 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def _expect(self, request: bytes, beginning: bytes) -> bytearray:
        self._socket.sendall(request)
        answer = bytearray()
        while answer[-6:-1] != _READY_FOR_QUERY:
            answer += self._buffer[: self._receive()]
            if not beginning.startswith(answer[: len(beginning)]):
                raise ConnectionError(
                    f"the limit understands no other answer: {bytes(answer[:80])!r}"
                )
        return answer

    def _receive(self) -> int:
        """Fill the buffer, or wait for something; how many bytes there are."""
        received = self._socket.recv_into(self._buffer)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


class Awaited:
    """A wire whose answer one task at a time awaits."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wire: Wire) -> None:
        self._loop = loop
        self._wire = wire
        self._answer: asyncio.Future[None] = loop.create_future()
        loop.add_reader(wire.fileno(), self._on_readable)

    async def fetch(self, query: str, *args: object) -> Rows:
        """Ask for what was prepared; there are no rows."""
        self._answer = self._loop.create_future()
        self._wire.send()
        await self._answer
        return ()

    def _on_readable(self) -> None:
        if self._wire.receive():
            self._answer.set_result(None)

    def close(self) -> None:
        self._loop.remove_reader(self._wire.fileno())


class Limit(Driver[Wire]):
    decodes = False

    def version(self) -> str:
        return "bytes made beforehand, answers thrown away"

    def supports(self, work: Work) -> bool:
        once = work.reconnects or work.is_new or work.warms_up or work.bursts
        left_out = once or work.into is not None
        return work.verb == "fetch" and work.place == NEAR and not left_out

    def setting(self, work: Work) -> str:
        depth = work.tasks // work.connections
        wires = "1 socket" if work.connections == 1 else f"{work.connections} sockets"
        if work.name in _ONE_BY_ONE:
            return f"{wires}, awaited"
        return wires if depth == 1 else f"{wires}, bursts of {depth}"

    def runs_per_call(self, work: Work) -> int:
        return 1 if work.name in _ONE_BY_ONE else work.tasks * _rounds(work)

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
        return _fetcher([connection], 1)

    async def close(self, connection: Wire) -> None:
        connection.close()

    @asynccontextmanager
    async def lanes(self, dsn: str, work: Work) -> AsyncIterator[list[Fetch]]:
        depth = work.tasks // work.connections
        wires = []
        with ExitStack() as stack:
            for i in range(work.connections):
                wire = await self.connect(dsn)
                stack.callback(wire.close)
                known = work.arguments
                places = range(i * depth, (i + 1) * depth)
                wire.prepare(work.query, [known[place % len(known)] for place in places])
                wires.append(wire)
            if work.name in _ONE_BY_ONE:
                loop = asyncio.get_running_loop()
                awaited = [Awaited(loop, wire) for wire in wires]
                for each in awaited:
                    stack.callback(each.close)
                yield [each.fetch for each in awaited]
            else:
                yield [_fetcher(wires, _rounds(work))]


def _rounds(work: Work) -> int:
    """How many bursts of each wire are one call."""
    return 1 if work.connections == 1 else _ROUNDS


def _fetcher(wires: Sequence[Wire], rounds: int) -> Fetch:
    async def fetch(query: str, *args: object) -> Rows:
        """Run so many bursts on each wire; there are no rows."""
        if len(wires) == 1:
            wires[0].send()
            while not wires[0].receive():
                pass
        else:
            _run_together(wires, rounds)
        return ()

    return fetch


def _run_together(wires: Sequence[Wire], rounds: int) -> None:
    """Let none of them wait for another."""
    missing = {wire.fileno(): rounds for wire in wires}
    by_number = {wire.fileno(): wire for wire in wires}
    ready = select.poll()
    for number, wire in by_number.items():
        ready.register(number, select.POLLIN)
        wire.send()
    while missing:
        for number, _ in ready.poll():
            wire = by_number[number]
            if not wire.receive():
                continue
            missing[number] -= 1
            if missing[number]:
                wire.send()
            else:
                del missing[number]


DRIVER = Limit()
