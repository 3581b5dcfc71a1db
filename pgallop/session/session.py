"""`Session`: the FIFO of requests of one connection, without I/O.

One rule holds it together: requests are answered in order. What the server sends goes to the
request at the head; it leaves when it reports done, which is at its ReadyForQuery. Notices,
notifications and parameter changes belong to nobody and bypass it.

    submit(request)   writes the request's messages into the output, unless it has to wait
    take()            the output, for whoever owns the socket
    write_on(request) writes more of one that is open, which has not been written to its end
    receive(data)     takes received bytes
    pump(limit)       completes requests with them, so many messages at a time
    discard(request)  its caller has gone; drops it if nothing of it was sent
    expose()          a cancellation is about to be sent: nothing new is written until release()
    lost(error)       the connection is gone: everybody still waiting is told
"""

from collections import deque
from collections.abc import Callable
from sys import maxsize

from pgallop import errors
from pgallop.errors import (
    ConnectionDoesNotExistError,
    InFailedSQLTransactionError,
    InterfaceError,
    PostgresError,
    ProtocolError,
    QueryCanceledError,
    TransactionAborted,
    UnsupportedClientFeatureError,
)
from pgallop.limits import MAX_MESSAGE_SIZE, MAX_SETTINGS
from pgallop.session.request import Request
from pgallop.wire import backend
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

IDLE = 73  # I, in ReadyForQuery
IN_TRANSACTION = 84  # T
IN_FAILED_TRANSACTION = 69  # E

# So much output is made ahead of the socket; further requests wait unwritten, in order.
HIGH_WATER = 262144


class Session:
    """The conversation with one server.

    `requests`: written, in the order of their answers; `waiting`: not yet written, behind a request
    that is `open` or has to be `alone`, behind a full output, or while `held`. `sent`: how many
    bytes `take` has handed over; `wanted`: how many of the requests somebody waits for. `status`:
    the transaction status of the last ReadyForQuery; `failure`: what made the transaction fail that
    it is in. `received`: how many bytes have come; `answered`: how many requests were answered, and
    `refused`: how many of them by an error. `watcher` is called with each request before it is
    written. `exposed`: a cancellation may hit all that is written from now on, for nobody knows
    whether and when its signal comes. `orphaned`: the transaction is one that nobody will end, and
    its ROLLBACK is on the way. `parameters`: what ParameterStatus reported. `broken`: why the
    conversation ended, or None. `on_head` is called when the queue has run empty and when a
    discarded request is its head; `on_idle`, while it is set, when a request has ended outside of a
    transaction; `on_tags` with a request that has `tags`. `paused`: listeners do not keep up, and
    `pump` stops behind each message of theirs. `serial`: every request is `alone`, but for a
    `helper`.
    """

    __slots__ = (
        "answered",
        "blocker",
        "broken",
        "dropping",
        "exposed",
        "failure",
        "framing",
        "head",
        "held",
        "last_error",
        "on_head",
        "on_idle",
        "on_notice",
        "on_notification",
        "on_tags",
        "orphaned",
        "parameters",
        "paused",
        "received",
        "refused",
        "requests",
        "sent",
        "serial",
        "status",
        "waiting",
        "wanted",
        "watcher",
        "writer",
    )

    framing: Framing
    writer: Writer
    requests: deque[Request]
    waiting: deque[Request]
    head: Request | None
    blocker: Request | None
    held: bool
    dropping: bool
    exposed: bool
    orphaned: bool
    paused: bool
    serial: bool
    sent: int
    received: int
    answered: int
    refused: int
    wanted: int
    status: int
    failure: BaseException | None
    parameters: dict[str, str]
    broken: BaseException | None
    last_error: PostgresError | None
    on_notice: Callable[[errors.PostgresMessage], None] | None
    on_notification: Callable[[int, str, str], None] | None
    on_head: Callable[[], None] | None
    on_idle: Callable[[], None] | None
    on_tags: Callable[[Request], None] | None
    watcher: Callable[[Request], None] | None

    def __init__(self, max_message_size: int = MAX_MESSAGE_SIZE) -> None:
        self.framing = Framing(max_message_size)
        self.writer = Writer()
        self.requests = deque()
        self.waiting = deque()
        self.head = None
        self.blocker = None
        self.held = False
        self.dropping = False
        self.exposed = False
        self.orphaned = False
        self.paused = False
        self.serial = False
        self.sent = 0
        self.received = 0
        self.answered = 0
        self.refused = 0
        self.wanted = 0
        self.status = IDLE
        self.failure = None
        self.parameters = {}
        self.broken = None
        self.last_error = None
        self.on_notice = None
        self.on_notification = None
        self.on_head = None
        self.on_idle = None
        self.on_tags = None
        self.watcher = None

    def trust(self, max_message_size: int) -> None:
        """Take messages of so many bytes from now on: the server is who it has to be."""
        self.framing.max_message_size = max_message_size

    def submit(self, request: Request, at_once: bool = False) -> None:
        """Queue `request`; an argument that cannot be encoded raises here and nothing is sent.

        `at_once`: in front of those that wait to be written.
        """
        if self.broken is not None:
            raise InterfaceError(
                f"connection is closed: {self.broken}", safe_to_retry=True
            ) from self.broken
        if (
            not self.held
            and self.blocker is None
            and not self.waiting
            and self.writer.pos < HIGH_WATER
            and self.writer.message < 0
        ):
            try:
                self.enqueue(request)
            except BaseException:
                self.write_waiting()  # what the code of its arguments has submitted meanwhile
                raise
        elif at_once:
            self.waiting.appendleft(request)
        else:
            self.waiting.append(request)

    def enqueue(self, request: Request) -> None:
        if self.watcher is not None:
            self.watcher(request)
        writer = self.writer
        mark = writer.pos
        try:
            if request.prologue:
                writer.write_bytes(request.prologue)
            request.write(writer)
            if self.broken is not None:
                raise InterfaceError(
                    f"connection was closed while the arguments were encoded: {self.broken}",
                    safe_to_retry=True,
                ) from self.broken
        except BaseException:
            writer.give_up(mark)
            raise
        request.position = self.sent + mark
        request.exposed = self.exposed
        self.requests.append(request)
        self.wanted += 1
        if self.head is None:
            self.head = request
        if request.alone or request.open or (self.serial and not request.helper):
            self.blocker = request

    def take(self) -> bytes:
        """What is to be sent now; writes on with what had to wait for room."""
        if self.writer.message >= 0:
            return b""  # asked by the code of an argument that is being encoded
        if self.dropping:
            self.drop_unsent()
            self.write_waiting()
        data = self.writer.take()
        self.sent += len(data)
        self.write_waiting()
        blocker = self.blocker
        if blocker is not None and blocker.open:
            blocker.on_room()
        return data

    def has_room(self, request: Request) -> bool:
        """Whether more of `request`, which is open, may be written now."""
        return request.position >= 0 and self.writer.pos < HIGH_WATER

    def write_on(self, request: Request, data: bytes) -> None:
        """Write more of a request that was written in part; it is not open with its last piece."""
        if self.broken is not None:
            return
        self.writer.write_bytes(data)
        if not (request.open or request.alone or self.serial):
            self.blocker = None
            self.write_waiting()

    def break_off(self, request: Request) -> None:
        """End an open request that was sent in part, so that nothing of it stays."""
        if request.open:
            self.write_on(request, request.abort())

    def discard(self, request: Request) -> bool:
        """Nobody waits for `request` any more; whether it is dropped because nothing was sent.

        A request that was sent keeps its place: its replies are read for nobody.
        """
        request.discard()
        if request.position < 0:
            return True
        self.wanted -= 1
        if request.position < self.sent:
            self.break_off(request)
            return False
        self.dropping = True
        return True

    def drop_unsent(self) -> None:
        """Take the discarded requests that were not sent out of the queue and the output."""
        self.dropping = False
        unsent: list[Request] = []
        while self.requests and self.requests[-1].position >= self.sent:
            unsent.append(self.requests.pop())
        output = self.writer.take()
        ends = [request.position - self.sent for request in unsent]
        ends.insert(0, len(output))
        # Before them stands the rest of one that was sent in part.
        self.writer.write_bytes(output[: ends[-1]])
        dropped: list[Request] = []
        for i in range(len(unsent) - 1, -1, -1):
            request = unsent[i]
            if request.discarded:
                dropped.append(request)
                continue
            request.position = self.sent + self.writer.pos
            self.writer.write_bytes(output[ends[i + 1] : ends[i]])
            self.requests.append(request)
        self.head = self.requests[0] if self.requests else None
        for request in dropped:
            if self.blocker is request:
                self.blocker = None
            request.complete()
        if self.head is None and self.on_head is not None:
            self.on_head()

    def feed(self, data: bytes) -> None:
        """Take received bytes; completes the requests whose answers they end.

        Raises ProtocolError when the server broke the protocol: the connection must be closed then.
        """
        self.receive(data)
        self.pump(0)

    def receive(self, data: bytes) -> None:
        """Take received bytes, for `pump`, when it has taken all that came before."""
        self.received += len(data)
        self.framing.feed(data)

    def pump(self, limit: int) -> bool:
        """Walk up to `limit` received messages, 0 for all; whether more may be there."""
        if limit == 0:
            limit = maxsize
        framing = self.framing
        reader = framing.reader
        while framing.next():
            tag = framing.tag
            head = self.head
            if tag == 68 and head is not None:  # DataRow
                limit -= head.on_rows(framing, limit)
            elif tag == 100 and head is not None:  # CopyData
                limit -= head.on_copy_data(framing, limit)
                if head.full:
                    return True
            elif tag in b"NAS":
                self.on_asynchronous(tag, reader)
                if self.paused:
                    return True
                limit -= 1
            elif head is None:
                self.on_unsolicited(tag, reader)
            else:
                if tag == 90:  # ReadyForQuery
                    head.status_before = self.status
                    self.status = backend.ready_for_query(reader)
                if head.on_message(tag, reader):
                    self.finish_head()
                elif head.reply:
                    self.send_reply_of(head)
                limit -= 1
            if limit <= 0:
                return True
        return False

    def is_full(self) -> bool:
        """Whether `pump` must not go on before something was taken from the head."""
        return self.head is not None and self.head.full

    def on_asynchronous(self, tag: int, reader: Reader) -> None:
        if tag == 78:  # NoticeResponse
            fields = backend.error_fields(reader)
            # The wait for a synchronous standby was cancelled: a success that is none. Servers
            # translate the text and not the routine (syncrep.c).
            if fields.get("R") == "SyncRepWaitForLSN" and self.head is not None:
                self.head.fail(errors.not_replicated(fields))
            if self.on_notice is not None:
                self.on_notice(errors.notice_from_fields(fields))
        elif tag == 65:  # NotificationResponse
            pid, channel, payload = backend.notification_response(reader)
            if self.on_notification is not None:
                self.on_notification(pid, channel, payload)
        else:  # ParameterStatus
            name, value = backend.parameter_status(reader)
            if len(self.parameters) >= MAX_SETTINGS and name not in self.parameters:
                raise ProtocolError(f"the server reported more than {MAX_SETTINGS} settings")
            if name == "client_encoding" and value not in ("UTF8", "UNICODE", "SQL_ASCII"):
                raise UnsupportedClientFeatureError(
                    f"client_encoding was changed to {value}: pgallop speaks UTF8",
                    hint="convert in SQL with convert_to(text, encoding), which gives bytea",
                )
            self.parameters[name] = value

    def on_unsolicited(self, tag: int, reader: Reader) -> None:
        # A server that shuts down says so before it closes; nothing else may come unasked.
        if tag != 69:
            raise ProtocolError(f"the server sent {bytes([tag])!r} when nothing was asked of it")
        self.last_error = errors.from_fields(backend.error_fields(reader))

    def send_reply(self, request: Request) -> None:
        """Write what `request` has to say in the middle of its conversation."""
        self.send_reply_of(request)

    def send_reply_of(self, request: Request) -> None:
        # In the middle of a pipeline the reply would come behind other requests' messages.
        if len(self.requests) != 1:
            raise ProtocolError("the server began a COPY that its statement does not show")
        self.writer.write_bytes(request.reply)
        request.reply = b""

    def finish_head(self) -> None:
        head = self.requests.popleft()
        self.head = self.requests[0] if self.requests else None
        head.status = self.status
        if not head.discarded:
            self.wanted -= 1
        self.answered += 1
        if head.error is not None or self.orphaned:
            self.refused += 1
            self.judge(head)
        if head.tags is not None and self.on_tags is not None:
            self.on_tags(head)
        head.complete()
        if self.failure is not None and self.status != IN_FAILED_TRANSACTION:
            self.failure = None
        if self.blocker is head:
            self.blocker = None
            self.write_waiting()
        if self.on_idle is not None and self.status == IDLE:
            self.on_idle()
        if self.on_head is not None and (self.head is None or self.head.discarded):
            self.on_head()

    def judge(self, head: Request) -> None:
        """See what the error of an answered request means in the company of the others."""
        error = head.error
        if self.orphaned and self.status != IDLE:
            error = head.error = TransactionAborted(
                "rolled back: it came into a transaction that another task's statement had begun, "
                "which was abandoned then"
            )
        if head.exposed and isinstance(error, QueryCanceledError) and not head.discarded:
            error = head.error = errors.collateral_cancel(error)
        if self.status == IN_FAILED_TRANSACTION:
            if self.failure is None:
                self.failure = error
            elif isinstance(error, InFailedSQLTransactionError) and error.__cause__ is None:
                error.__cause__ = self.failure

    def expose(self) -> None:
        """A cancellation is about to be sent, which may hit any request that was written.

        Nothing new is written until `release`; what is abandoned meanwhile is never written.
        """
        self.held = True
        for request in self.requests:
            request.exposed = True

    def release(self) -> None:
        self.held = False
        self.write_waiting()

    def write_waiting(self) -> None:
        """Write what had to wait, up to the next `alone` request."""
        while (
            self.waiting
            and self.blocker is None
            and not self.held
            and self.writer.pos < HIGH_WATER
            and self.writer.message < 0
        ):
            request = self.waiting.popleft()
            if request.discarded:
                request.complete()
                continue
            try:
                self.enqueue(request)
            except Exception as error:
                # The caller's argument cannot be encoded; it is the caller's to know.
                request.fail(error)
                request.complete()

    def blame(self, error: BaseException) -> None:
        """`error` came up while the head's answer was read: its caller is the one to see it."""
        if self.head is not None:
            self.head.fail(error)

    def lost(self, error: BaseException) -> None:
        """The connection is gone because of `error`: every request fails, once."""
        if self.broken is not None:
            return
        # The server's last word (FATAL: it is shutting down) went to the head and concerns all.
        head = self.head
        if head is not None and head.error is not None:
            if is_fatal(head.error):
                error = head.error
                head.error = None
            elif head.error is not error:
                self.judge(head)  # all is said of it but its ReadyForQuery
        self.broken = error
        self.framing.drop()
        requests = [*self.requests, *self.waiting]
        if head is not None and head.helper and head.error is not None and len(requests) > 1:
            requests[1].fail(head.error)
        self.requests.clear()
        self.waiting.clear()
        self.wanted = 0
        self.head = None
        self.blocker = None
        for request in requests:
            if request.error is None:
                loss = ConnectionDoesNotExistError(
                    f"connection was closed in the middle of operation: {error}",
                    safe_to_retry=request.position < 0 or request.position >= self.sent,
                )
                loss.__cause__ = error
                request.fail(loss)
            request.complete()
        if self.on_head is not None:
            self.on_head()

    def disown(self, error: BaseException) -> None:
        """Refuse all use, and answer nobody: the tasks that wait are another process's."""
        self.broken = error


def is_open(status: int) -> bool:
    """Whether a request that ended in this status left a transaction open, failed or not.

    0, of one that was never answered, is no status.
    """
    return status in (IN_TRANSACTION, IN_FAILED_TRANSACTION)


def is_fatal(error: BaseException) -> bool:
    """Whether this is the error with which the server ends the connection."""
    if not isinstance(error, PostgresError):
        return False
    # Servers before 9.6 and some poolers tell the severity in their language only.
    return (error.severity_en or error.severity) in ("FATAL", "PANIC")
