"""Cancelling what runs on the server for a caller who has gone.

A CancelRequest names a backend and not a statement: it hits whatever runs when the signal arrives.
So nothing new is sent from a CancelRequest to the end of its connection (the server closes it when
the signal is out) and to the end of the request it was meant for. Checked on a real server: no late
hit in 4,000; without waiting for the end of the cancel connection 5 in 1,500. What was sent before
may be hit, and the session knows it (`Session.expose`). So a request with neighbours behind it gets
a short grace first: it may be finishing.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Canceling Requests in
Progress".
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from pgallop.errors import InterfaceError, PostgresError, ProtocolError
from pgallop.session.request import Request
from pgallop.transport.connect import Link, connect_socket, start_tls
from pgallop.transport.tls import TlsChannel
from pgallop.wire import frontend
from pgallop.wire.writer import Writer

# How long an abandoned request may go on when others' requests were sent behind it.
GRACE_SECONDS = 0.05

# How long when nobody's were, but it has only just begun to run: most end by themselves.
BEGINNING_SECONDS = 0.005

# How long a signal may be on its way whose cancel connection broke.
EXPOSURE_SECONDS = 60.0

# How long to wait for the effect of one CancelRequest before the next.
RETRY_SECONDS = 0.2


class Canceller:
    """Keeps abandoned requests from occupying the server, and tells when all are answered.

    `drain_timeout`: seconds after which a connection whose abandoned request does not end is
    aborted. `on_closed` is called when the connection is closed, by whichever side.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link, drain_timeout: float) -> None:
        self._loop = loop
        self._link = link
        self._drain_timeout = drain_timeout
        self._task: asyncio.Task[None] | None = None
        self._grace: asyncio.TimerHandle | None = None
        self._exposure: asyncio.TimerHandle | None = None
        self._idle: list[asyncio.Future[None]] = []
        self.on_closed: Callable[[], None] | None = None
        link.session.on_head = self._on_head

    def _on_head(self) -> None:
        if self._link.stream.closed:
            for timer in (self._grace, self._exposure):
                if timer is not None:
                    timer.cancel()
            if self._task is not None:
                self._task.cancel()
            if self.on_closed is not None:
                self.on_closed()
        elif self._link.session.requests:
            self._consider(BEGINNING_SECONDS)
            return
        for waiter in self._idle:
            if not waiter.done():
                waiter.set_result(None)
        self._idle.clear()

    def abandon(self, request: Request) -> bool:
        """The caller of `request` has gone: nobody shall have to wait for it longer than needed.

        Whether it is dropped, because nothing of it was sent.
        """
        dropped = self._link.session.discard(request)
        if not dropped:
            self._consider(0.0)
        return dropped

    def _consider(self, patience: float) -> None:
        """Cancel the head if it was sent and nobody waits for it, after `patience` or the grace."""
        session = self._link.session
        if self._task is not None or self._link.stream.closed or not session.requests:
            return
        head = session.requests[0]
        if not head.discarded or head.position >= session.sent:
            return
        if not self._link.key:
            self._let_end(head)
            return
        if session.wanted:
            patience = GRACE_SECONDS
        if self._grace is not None:
            if patience:
                return
            self._grace.cancel()
        if patience:
            self._grace = self._loop.call_later(patience, self._on_grace_over, head)
        else:
            self._cancel(head)

    def _let_end(self, head: Request) -> None:
        """Give the head the drain timeout to end: the server has sent no key to cancel it with."""
        if head.waiter is None:
            head.waiter = self._loop.create_future()
            self.expect(head.waiter)

    def _on_grace_over(self, head: Request) -> None:
        self._grace = None
        if not head.finished:
            self._cancel(head)
        else:
            self._consider(BEGINNING_SECONDS)

    def _cancel(self, head: Request) -> None:
        self._grace = None
        self._link.stream.flush()
        self._link.session.expose()
        self._task = self._loop.create_task(self._drain(head), name="pgallop: cancel")

    async def _drain(self, head: Request) -> None:
        """Cancel the head, until it has ended."""
        over = self._loop.create_future()
        head.waiter = over
        try:
            async with asyncio.timeout(self._drain_timeout):
                while not head.finished:
                    # A signal that arrives before the statement has begun is lost, and a connection
                    # for it may be refused: try again.
                    with contextlib.suppress(OSError, InterfaceError, PostgresError, ProtocolError):
                        if not await send_cancel(self._loop, self._link):
                            self._expose()
                    await asyncio.wait([over], timeout=RETRY_SECONDS)
        except TimeoutError as error:
            self._task = None  # not to be cancelled by the end of the connection
            self._abort(error)
        finally:
            self._task = None
            self._link.session.release()
            self._link.stream.flush()
            self._consider(BEGINNING_SECONDS)  # what was abandoned before it was released

    def _expose(self) -> None:
        """A signal may come, or not: whatever is sent in the next time may be hit."""
        session = self._link.session
        session.exposed = True
        if self._exposure is not None:
            self._exposure.cancel()
        self._exposure = self._loop.call_later(EXPOSURE_SECONDS, setattr, session, "exposed", False)

    def _abort(self, cause: Exception | None) -> None:
        reason = "" if self._link.key else ", and the server has sent no key to cancel it with"
        loss = ConnectionAbortedError(
            f"an abandoned query did not end within {self._drain_timeout} seconds{reason}"
        )
        loss.__cause__ = cause
        self._link.stream.lose(loss)

    def expect(self, answer: "asyncio.Future[str]") -> None:
        """See that a request comes to its end which nobody awaits and which must not be cancelled.

        `answer`: its waiter. The connection is aborted when the server takes more than the drain
        timeout for this request, and at most twice that; the time before its turn does not count.
        """
        if not answer.done():
            requests = self._link.session.requests
            is_head = bool(requests) and requests[0].waiter is answer
            timer = self._loop.call_later(self._drain_timeout, self._overdue, answer, is_head)
            answer.add_done_callback(lambda _: timer.cancel())

    def _overdue(self, answer: "asyncio.Future[str]", was_head: bool) -> None:
        if answer.done() or self._link.stream.closed:
            return
        if was_head:
            self._abort(None)
        else:
            self.expect(answer)

    async def settled(self) -> None:
        """Wait until every request is answered and no cancellation is under way."""
        session = self._link.session
        while self._task is not None or session.requests or session.waiting:
            if self._task is not None:
                await asyncio.wait([self._task])
                continue
            waiter = self._loop.create_future()
            self._idle.append(waiter)
            await waiter


async def send_cancel(loop: asyncio.AbstractEventLoop, link: Link) -> bool:
    """Ask the server to cancel what runs on `link`; whether its signal is known to be out.

    The server closes the connection when it is. One that breaks instead, in something between, says
    nothing: the signal may be out, come later, or never. Raises OSError and others where nothing
    was asked.
    """
    sock = await connect_socket(loop, link.family, link.address, link.tcp)
    try:
        tls = await start_tls(
            loop, sock, link.context, link.host.host, optional=False, direct=link.direct
        )
        writer = Writer()
        frontend.cancel_request(writer, link.pid, link.key)
        data = writer.take()
        await loop.sock_sendall(sock, data if tls is None else tls.encrypt(data))
        return await ended_in_order(loop, sock, tls)
    finally:
        sock.close()


async def ended_in_order(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, tls: TlsChannel | None
) -> bool:
    """Wait for the end of the cancel connection; False if it breaks."""
    try:
        while received := await loop.sock_recv(sock, 4096):
            if tls is not None:
                tls.decrypt(received)
                if tls.ended:
                    break
    except OSError:
        return False
    return True
