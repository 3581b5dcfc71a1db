"""A server that says what another one has said, up to a certain byte, in a process of its own.

`Recorder` stands between a client and a server and keeps what the server says. `ReplayServer` runs
this file as a program, which says it again. The client chooses by the name of its database what
happens where: "stall-70" says 70 bytes and falls silent.

    split   goes on after a pause
    close   closes the connection (FIN)
    reset   closes it without a farewell (RST)
    stall   keeps it open and says nothing more
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import subprocess
import sys
from types import TracebackType
from typing import Literal, Self

HOST = "127.0.0.1"
CHUNK = 65536

# Long enough for the client to have read what came before it.
PAUSE_SECONDS = 0.005

CANCEL_REQUEST = 80877102

Ending = Literal["split", "close", "reset", "stall"]

# How many messages the client has sent that want an answer, and what it is told then.
Said = list[tuple[int, bytes]]


class Questions:
    """Counts the messages of a client that want an answer.

    `database`: which one it wants; empty while it has not said so, and if it only wants to cancel.
    """

    def __init__(self) -> None:
        self.count = 0
        self.database = ""
        self._unread = b""

    def hear(self, data: bytes) -> None:
        self._unread += data
        while (message := self._next()) is not None:
            if self.count == 0:
                self.count = 1
                self._introduced(message)
            elif message[:1] in (b"Q", b"S", b"f"):  # Query, Sync, CopyFail
                self.count += 1

    def _next(self) -> bytes | None:
        head = 1 if self.count else 0  # the first message has no type
        if len(self._unread) < head + 4:
            return None
        end = head + int.from_bytes(self._unread[head : head + 4])
        if len(self._unread) < end:
            return None
        message, self._unread = self._unread[:end], self._unread[end:]
        return message

    def _introduced(self, message: bytes) -> None:
        if int.from_bytes(message[4:8]) != CANCEL_REQUEST:
            words = message[8:].decode().split("\0")
            self.database = dict(zip(words[::2], words[1::2], strict=False))["database"]


class Recorder:
    """Between one client and a server: `async with`; `said` is what the server has said so far."""

    host = HOST

    def __init__(self, server_host: str, server_port: int) -> None:
        self.said: Said = []
        self.port = 0
        self._server = server_host, server_port

    @property
    def size(self) -> int:
        """How many bytes the server has said."""
        return sum(len(data) for _, data in self.said)

    async def __aenter__(self) -> Self:
        self._listener = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        self._over = asyncio.get_running_loop().create_future()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self._over
        self._listener.close()
        await self._listener.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._server)
        questions = Questions()

        async def ask() -> None:
            while data := await reader.read(CHUNK):
                questions.hear(data)
                far_writer.write(data)
            far_writer.close()

        async def answer() -> None:
            while data := await far_reader.read(CHUNK):
                self.said.append((questions.count, data))
                writer.write(data)
            writer.close()

        await asyncio.gather(ask(), answer())
        self._over.set_result(None)


class ReplayServer:
    """The process that says again what was recorded."""

    host = HOST

    def __init__(self, said: Said) -> None:
        self.port = 0
        self._said = said

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        said = [(count, data.hex()) for count, data in self._said]
        print(json.dumps(said), file=self._process.stdin, flush=True)
        self.port = int(self._process.stdout.readline())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()


class Role:
    """One connection of the process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._questions = Questions()

    async def play(self, said: Said) -> None:
        with contextlib.suppress(ConnectionError):  # the client may leave at any time
            if await self._asked(1) and self._questions.database:
                await self._say(said)
        self._writer.close()

    async def _asked(self, count: int) -> bool:
        """Wait until the client has asked so often; False if it leaves."""
        while self._questions.count < count:
            data = await self._reader.read(CHUNK)
            if not data:
                return False
            self._questions.hear(data)
        return True

    async def _say(self, said: Said) -> None:
        ending, _, place = self._questions.database.partition("-")
        left = int(place)
        for count, data in said:
            if not await self._asked(count):
                return
            if 0 <= left < len(data):
                self._writer.write(data[:left])
                await self._writer.drain()
                if ending != "split":
                    await self._end(ending)
                    return
                await asyncio.sleep(PAUSE_SECONDS)
                self._writer.write(data[left:])
            else:
                self._writer.write(data)
            left -= len(data)
        await self._left()

    async def _end(self, ending: str) -> None:
        if ending == "reset":
            sock: socket.socket = self._writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
            return
        if ending == "close":
            self._writer.write_eof()
        await self._left()

    async def _left(self) -> None:
        """Wait until the client leaves."""
        while await self._reader.read(CHUNK):
            pass


async def serve(said: Said) -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Role(reader, writer).play(said)

    async with await asyncio.start_server(play, HOST, 0, backlog=1000) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve([(count, bytes.fromhex(data)) for count, data in json.loads(input())]))
