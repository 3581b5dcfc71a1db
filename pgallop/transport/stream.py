"""`Stream`: a session's bytes on the network; `SocketStream` owns its socket, the fast way.

A stream reads into the session and sends what the session's writer holds: at once when nothing was
under way, otherwise once per tick of the event loop for everything queued meanwhile.
"""

import asyncio
import os
import socket
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from pgallop.errors import InterfaceError
from pgallop.session.session import Session
from pgallop.transport import syscalls

if TYPE_CHECKING:
    from pgallop.transport.tls import TlsChannel

# How often a socket with an error is read before the event loop gets its turn again.
READS_PER_EVENT = 2

# What was received is walked for so long before the event loop gets its turn again, in seconds, and
# so many messages between two looks at the clock.
TURN_SECONDS = 0.003
MESSAGES_PER_LOOK = 64


class Stream:
    """What all transports of a session share.

    `tls`: encrypts and decrypts, or None. `closed`: nothing can be sent or received any more.
    `busy`: what was received is still being walked, a turn of the event loop at a time, which ends
    at `turn_ends` on the loop's clock (0 until it is looked at). Until then nothing more is read;
    who holds the session up calls `go_on_soon` when it may go on. `on_lost` is called once, when it
    is closed, by whichever side and after all requests have failed.
    """

    __slots__ = (
        "__weakref__",
        "busy",
        "closed",
        "foreign",
        "loop",
        "on_lost",
        "scheduled",
        "session",
        "tls",
        "turn_ends",
    )

    session: Session
    loop: asyncio.AbstractEventLoop
    tls: "TlsChannel | None"
    on_lost: Callable[[], None] | None
    busy: bool
    closed: bool
    foreign: bool
    scheduled: bool
    turn_ends: float

    def __init__(
        self, loop: asyncio.AbstractEventLoop, session: Session, tls: "TlsChannel | None"
    ) -> None:
        self.loop = loop
        self.session = session
        self.tls = tls
        self.on_lost = None
        self.busy = False
        self.turn_ends = 0.0
        self.closed = False
        self.foreign = False
        self.scheduled = False
        living.add(self)

    def submitted(self) -> None:
        """Something was submitted to the session: see that it is sent."""
        if self.scheduled or self.session.writer.pos == 0:
            return
        if len(self.session.requests) == 1:
            self.flush()
        else:
            self.scheduled = True
            self.loop.call_soon(self.flush)

    def submitted_soon(self) -> None:
        """The same, but it is sent together with what follows in this tick."""
        if not self.scheduled and self.session.writer.pos:
            self.scheduled = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        """Send all that the session has written, unless earlier bytes still wait."""
        self.scheduled = False
        if self.closed or self.blocked() or self.session.writer.pos == 0:
            return
        data = self.session.take()
        if not data:
            return  # all of it was dropped, or is not whole yet
        if self.tls is not None:
            try:
                data = self.tls.encrypt(data)
            except OSError as error:  # ssl.SSLError is one
                self.lose(error)
                return
        self.transmit(data)
        if self.session.writer.pos and not self.scheduled:
            # What had to wait for room, in the next turn of the loop.
            self.scheduled = True
            self.loop.call_soon(self.flush)

    def received(self, data: bytes) -> None:
        """Feed received bytes to the session; whatever that raises ends the connection.

        May return before the session has seen all of them, and is then `busy`: a long result must
        not keep the event loop from its other work.
        """
        if self.tls is not None:
            try:
                data = self.tls.decrypt(data)
                answer = self.tls.outgoing()
            except OSError as error:
                self.lose(error)
                return
            if answer:
                self.transmit(answer)
        self.walk(data)

    def walk(self, data: bytes) -> None:
        """Let the session walk what was received, as far as it gets in one turn of the loop.

        `data`: what came just now, nothing if only an earlier turn has left something.
        """
        if self.closed:
            return
        try:
            if data:
                self.session.receive(data)
            while self.session.pump(MESSAGES_PER_LOOK):
                if self.session.paused or self.session.is_full():
                    self.busy = True
                    self.stop_reading()
                    return
                now = self.loop.time()
                if self.turn_ends == 0:
                    self.turn_ends = now + TURN_SECONDS
                elif now >= self.turn_ends:
                    self.busy = True
                    self.loop.call_soon(self.go_on)
                    return
        except Exception as error:
            self.session.blame(error)
            self.lose(error)
            return
        except BaseException as error:
            self.lose(error)
            raise
        if self.tls is not None and self.tls.ended:
            # Not to be left to the end of the socket: who waits for our answer does not close it.
            self.ended()
        elif self.session.writer.pos and not self.scheduled:
            self.flush()

    def go_on_soon(self) -> None:
        """Go on in the next turn of the loop, if the session was held up."""
        if self.busy and not self.closed:
            self.loop.call_soon(self.go_on)

    def go_on(self) -> None:
        """Walk what an earlier turn has left, and then read on."""
        if not self.busy or self.session.is_full():
            return
        self.busy = False
        self.turn_ends = 0.0
        self.walk(b"")
        if not self.busy and not self.closed:
            self.read_on()

    def stop_reading(self) -> None:
        """Let what comes wait in the kernel, and then at the server, until `read_on`."""

    def read_on(self) -> None:
        """Read what came while the session was busy."""

    def ended(self) -> None:
        """The server has closed the connection."""
        self.lose(
            self.session.last_error
            or ConnectionResetError("the server closed the connection without a word")
        )

    def lose(self, error: BaseException) -> None:
        """Close without a word to the server; every pending request fails because of `error`."""
        if self.closed:
            return
        self.closed = True
        living.discard(self)
        self.disconnect()
        self.session.lost(error)
        if self.on_lost is not None:
            self.on_lost()

    def blocked(self) -> bool:
        """Whether earlier bytes still wait for the kernel."""
        return False

    def transmit(self, data: bytes) -> None:
        """Hand `data` to the network."""

    def disconnect(self) -> None:
        """Let go of the socket."""

    def disown(self) -> None:
        """In a forked child: let go of the parent's socket without touching what they share."""
        self.foreign = True
        self.closed = True
        self.session.disown(InterfaceError("the connection belongs to the parent process"))


class SocketStream(Stream):
    """A connected non-blocking socket, read and written by ourselves."""

    __slots__ = ("backlog", "backlog_start", "deaf", "fd", "has_sent", "sock", "tells_again")

    sock: socket.socket
    fd: int
    backlog: bytes
    backlog_start: int
    deaf: bool
    has_sent: bool
    tells_again: bool

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: Session,
        tls: "TlsChannel | None",
        sock: socket.socket,
    ) -> None:
        super().__init__(loop, session, tls)
        self.sock = sock
        self.fd = sock.fileno()
        self.backlog = b""
        self.backlog_start = 0
        self.deaf = False
        self.has_sent = False
        # libuv (uv__poll_io) stops to watch a socket at POLLERR, after one last event: what a reset
        # connection has received and the reset itself must both be read then. asyncio's own loops
        # tell of a readable socket as long as it is one.
        self.tells_again = isinstance(loop, asyncio.SelectorEventLoop)

    def start(self) -> None:
        """Begin to read; raises NotImplementedError on loops without `add_reader`."""
        self.loop.add_reader(self.fd, self.on_readable)

    def on_readable(self) -> None:
        self.turn_ends = 0.0
        for _ in range(READS_PER_EVENT):
            if self.closed or self.busy:
                return
            try:
                data = syscalls.receive(self.sock, self.fd)
            except OSError as error:
                self.lose(error)
                return
            if data is None:
                return
            if not data:
                self.ended()
                return
            self.has_sent = False
            self.received(data)
            if self.tells_again or self.has_sent or self.closed:
                return  # sending would have failed on a connection that was reset
            if not syscalls.has_failed(self.sock, self.fd):
                return  # the loop tells of what comes: more is here then, for the same effort
            data = None  # what nobody holds any more can take the next reception
        self.loop.call_soon(self.on_readable)

    def stop_reading(self) -> None:
        # The loop would tell of what nobody reads again and again.
        if not self.closed:
            self.loop.remove_reader(self.fd)
            self.deaf = True

    def read_on(self) -> None:
        if self.deaf:
            self.deaf = False
            self.loop.add_reader(self.fd, self.on_readable)
        # What the loop has told of meanwhile was left unread, and libuv may not tell of it again.
        self.on_readable()

    def blocked(self) -> bool:
        return len(self.backlog) > 0

    def transmit(self, data: bytes) -> None:
        if self.backlog:
            # TLS has to answer although the kernel is not ready for what came before.
            self.backlog = self.backlog[self.backlog_start :] + data
            self.backlog_start = 0
            return
        self.backlog = data
        self.backlog_start = 0
        self.has_sent = True
        self.send_backlog()
        if self.backlog and not self.closed:
            self.loop.add_writer(self.fd, self.on_writable)

    def send_backlog(self) -> None:
        try:
            self.backlog_start += syscalls.send(
                self.sock, self.fd, self.backlog, self.backlog_start
            )
        except ConnectionError as error:
            # Closed by the server, whose last words may be here and unread: they say why. libpq
            # looks for them too (pqHandleSendFailure).
            self.backlog = b""
            self.loop.call_soon(self.lose_after_reading, error)
            return
        except OSError as error:
            self.backlog = b""
            self.lose(error)
            return
        if self.backlog_start == len(self.backlog):
            self.backlog = b""

    def lose_after_reading(self, error: BaseException) -> None:
        self.on_readable()
        if not self.busy:  # else the end is found behind what is still being walked
            self.lose(self.session.last_error or error)

    def on_writable(self) -> None:
        if self.closed:
            return
        self.send_backlog()
        if not self.backlog and not self.closed:
            self.loop.remove_writer(self.fd)
            self.flush()

    def disconnect(self) -> None:
        # The loop forgets the descriptor before the number can be given to another socket.
        fd = self.fd
        self.fd = -1
        self.backlog = b""
        if not self.loop.is_closed():
            self.loop.remove_reader(fd)
            self.loop.remove_writer(fd)
        self.sock.close()

    def disown(self) -> None:
        # No remove_reader here: an epoll instance is shared with the parent, and so would be the
        # removal. Closing our copy of the descriptor does nothing to the parent's.
        super().disown()
        self.fd = -1
        self.sock.close()


def keep_freed_memory(size: int) -> None:
    """Let the C library keep up to twice `size` bytes of freed memory for the next result.

    glibc gives memory freed at the top of the heap back to the kernel beyond 128 KiB, and the next
    result takes it again, a page fault for each 4 KiB. That limit becomes twice the largest block
    ever freed (`man mallopt`, M_TRIM_THRESHOLD, and free() in malloc.c): free one.
    """
    block = bytes(size)
    del block


keep_freed_memory(1 << 20)

living: "weakref.WeakSet[Stream]" = weakref.WeakSet()


def disown_all() -> None:
    """What a parent process opened is not a child's to use."""
    for stream in list(living):
        stream.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=disown_all)
