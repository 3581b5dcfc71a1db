"""A server that follows a script: what it expects of the client, and what it says to that.

A script is a list of steps. Like PostgreSQL it answers at a Flush, a Sync or a Query: an `expect`
names the messages up to there, and what follows it is sent when the last of them has come.

    script = [
        *WELCOME,
        expect("Parse sql='SELECT 1'", "Describe", "Sync"),
        send(PARSE_COMPLETE, parameter_description(), NO_DATA, ready_for_query()),
        expect("Bind", "Execute", "Sync"),
        send(data_row(b"not announced")),
        stall(),
    ]
    with ScriptedServer(script) as server:
        ...  # connect to server.host, server.port
    perform(session, script)  # the same without a network

The messages are written as `pgallop.wire.trace` shows them: their names, and any of the words that
follow. What a client does against the script fails the test.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self

import scripts

from pgallop.wire.trace import Trace

# The beginning of a CancelRequest: its length and its code.
CANCEL_REQUEST = struct.pack("!ii", 16, 80877102)

# What the server says beyond that is not traced: it would take longer than to say it.
MAX_TRACED = 65536


@dataclass(frozen=True, slots=True)
class Expect:
    """Wait for these messages, and for no others."""

    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Send:
    """Say this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """Say what `make` makes of the bodies of the messages that were expected last."""

    make: Callable[[list[bytes]], bytes]


@dataclass(frozen=True, slots=True)
class Flood:
    """Say all of this, made piece by piece while it is sent, as far as the client listens."""

    pieces: Callable[[], Iterable[bytes]]


@dataclass(frozen=True, slots=True)
class Wait:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Listen and say nothing until the client leaves."""


@dataclass(frozen=True, slots=True)
class Close:
    """Leave; with `reset` without a farewell (RST)."""

    reset: bool = False


Step = Expect | Send | Reply | Flood | Wait | Stall | Close
Script = Sequence[Step]


def expect(*messages: str) -> Step:
    """`"Parse"` or `"Parse statement='s1' types=[]"`: the name, and words that must be there."""
    return Expect(messages)


def send(*data: bytes) -> Step:
    return Send(b"".join(data))


def reply(make: Callable[[list[bytes]], bytes]) -> Step:
    return Reply(make)


def flood(piece: bytes, count: int) -> Step:
    """`piece`, so many times."""
    return Flood(lambda: (piece for _ in range(count)))


def wait(seconds: float) -> Step:
    return Wait(seconds)


def stall() -> Step:
    return Stall()


def close() -> Step:
    return Close()


def reset() -> Step:
    return Close(reset=True)


# What a server says to a client that needs no password.
GREETING = b"".join(
    [
        scripts.authentication(scripts.AUTHENTICATION_OK),
        scripts.parameter_status("server_version", "18.0"),
        scripts.parameter_status("client_encoding", "UTF8"),
        scripts.backend_key_data(7, b"key!"),
        scripts.ready_for_query(),
    ]
)
WELCOME: list[Step] = [expect("StartupMessage"), send(GREETING)]
# The end of a connection that both sides part from in peace.
FAREWELL: list[Step] = [expect("Terminate")]


class Deviation(AssertionError):
    """The client did not do what the script expects."""


class Role:
    """Follows one script, without I/O.

    Args:
        script: the steps.
        startup: whether the client has still to introduce itself.
    """

    def __init__(self, script: Script, startup: bool = True) -> None:
        self._steps = deque(script)
        self._unread = b""
        self._untyped = startup
        self._trace = Trace(startup=startup)
        #: The messages that came and were not expected yet: in words, and their bodies.
        self._heard: deque[tuple[str, bytes]] = deque()
        self._bodies: list[bytes] = []

    def hear(self, data: bytes) -> None:
        """Take what the client says."""
        self._unread += data
        while (message := self._next_message()) is not None:
            (line,) = self._trace.feed("F", message)
            words = line.removeprefix("F ")
            if self._untyped:
                self._untyped = not words.startswith("StartupMessage")
                body = message[4:]
            else:
                body = message[5:]
            self._heard.append((words, body))

    def _next_message(self) -> bytes | None:
        head = 0 if self._untyped else 1
        if len(self._unread) < head + 4:
            return None
        (length,) = struct.unpack_from("!i", self._unread, head)
        end = head + length
        if len(self._unread) < end:
            return None
        message, self._unread = self._unread[:end], self._unread[end:]
        return message

    def next(self) -> Step | None:
        """The next step that can be taken now; None while more must be heard, and at the end."""
        while self._steps:
            step = self._steps[0]
            if isinstance(step, Expect):
                if not self._fulfilled(step):
                    return None
                self._steps.popleft()
                continue
            self._steps.popleft()
            if isinstance(step, Reply):
                step = Send(step.make(self._bodies))
            if isinstance(step, Send):
                self._trace.feed("B", step.data[:MAX_TRACED])
            return step
        return None

    @property
    def over(self) -> bool:
        """Whether the script has come to its end."""
        return not self._steps

    def left(self) -> None:
        """The client has gone: it may leave where the script has nothing more to expect."""
        missing = [step for step in self._steps if isinstance(step, Expect)]
        if missing:
            raise Deviation(f"the client left, expected were {missing[0].messages}")

    def _fulfilled(self, step: Expect) -> bool:
        """Whether all messages of the step have come, which are taken then."""
        for expected, (heard, _) in zip(step.messages, self._heard, strict=False):
            name, *words = expected.split(" ", 1)
            if heard.split(" ", 1)[0] != name or not all(each in heard for each in words):
                raise Deviation(f"expected {expected!r}, the client sent {heard!r}")
        if len(self._heard) < len(step.messages):
            return False
        self._bodies = [self._heard.popleft()[1] for _ in step.messages]
        return True


class Listener(Protocol):
    """A session, as far as a script is concerned."""

    def take(self) -> bytes: ...
    def feed(self, data: bytes) -> None: ...


def perform(session: Listener, script: Script, startup: bool = True) -> None:
    """Let a session talk to a script, as far as both get; what the session raises is raised.

    Waiting takes no time, and leaving is for the test to do.
    """
    role = Role(script, startup)
    while True:
        role.hear(session.take())
        step = role.next()
        if isinstance(step, Send):
            session.feed(step.data)
        elif isinstance(step, Flood):
            for piece in step.pieces():
                session.feed(piece)
        elif not isinstance(step, Wait):
            return


class ScriptedServer:
    """A server on 127.0.0.1, in a thread of its own, that follows scripts.

    In a thread, so that what it does is no load on the test's event loop. Whoever sends a
    CancelRequest is left at once, as by PostgreSQL, and takes no script. Nothing is expected
    of who says nothing at all, which may be a cancellation given up.

    Args:
        scripts: one for each connection in turn; the last one for all that follow.
    """

    host = "127.0.0.1"

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server((self.host, 0))
        self.port: int = self._listener.getsockname()[1]
        #: How many clients have come, and how many more have only asked for a cancellation.
        self.clients = 0
        self.cancels = 0
        self._turn = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._failures: list[BaseException] = []
        self._closing = False

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        with contextlib.suppress(OSError):  # wakes the thread that accepts
            socket.create_connection((self.host, self.port)).close()
        self._threads[0].join()
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # it is closed already
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        if error is None and self._failures:
            raise self._failures[0]

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, name="scripted server", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._closing:
                sock.close()
                return
            # What a script says in two steps is not to wait for the client's delayed ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(sock)
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with sock:
            try:
                first = sock.recv(8, socket.MSG_PEEK | socket.MSG_WAITALL)
                if first == CANCEL_REQUEST:
                    sock.recv(16)  # a socket that is closed with something unread is reset
                    self.cancels += 1
                    return
                with self._turn:
                    script = self._scripts[min(self.clients, len(self._scripts) - 1)]
                    self.clients += 1
                if first:
                    self._follow(sock, Role(script))
            except OSError:
                pass  # the client has left, which it may do at any time
            except BaseException as error:
                self._failures.append(error)

    def _follow(self, sock: socket.socket, role: Role) -> None:
        while True:
            step = role.next()
            if step is None:
                if role.over:
                    return
                data = sock.recv(262144)
                if not data:
                    if not self._closing:
                        role.left()
                    return
                role.hear(data)
            elif isinstance(step, Send):
                sock.sendall(step.data)
            elif isinstance(step, Flood):
                for piece in step.pieces():
                    sock.sendall(piece)
            elif isinstance(step, Wait):
                time.sleep(step.seconds)
            elif isinstance(step, Stall):
                while sock.recv(262144):
                    pass
                return
            else:
                assert isinstance(step, Close)
                if step.reset:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
