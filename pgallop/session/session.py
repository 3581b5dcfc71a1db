"""`Session`: the FIFO of requests of one connection, without I/O.

One rule holds it together: requests are answered in order. What the server sends goes to the
request at the head; it leaves when it reports done, which is at its ReadyForQuery. Notices,
notifications and parameter changes belong to nobody and bypass it.

    submit(request)  writes the request's messages into `writer`; whoever owns the socket sends them
    hold(), release()  in between nothing new is written
    feed(data)       takes received bytes and completes requests
    lost(error)      the connection is gone: everybody still waiting is told
"""

from collections import deque
from collections.abc import Callable

from pgallop import errors
from pgallop.errors import (
    ConnectionDoesNotExistError,
    InterfaceError,
    PostgresError,
    ProtocolError,
    UnsupportedClientFeatureError,
)
from pgallop.session.request import Request
from pgallop.wire import backend
from pgallop.wire.framing import DEFAULT_MAX_MESSAGE_SIZE, Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

IDLE = 73  # I, in ReadyForQuery
IN_TRANSACTION = 84  # T
IN_FAILED_TRANSACTION = 69  # E

# A server has a few dozen reported settings; extensions may add some.
MAX_PARAMETERS = 1000
MAX_PARAMETER_SIZE = 65536


class Session:
    """The conversation with one server.

    `requests`: sent or being sent, in the order of their answers; `waiting`: not yet written,
    behind a request that has to be `alone`, or while `held`. `status`: the transaction status of
    the last ReadyForQuery. `parameters`: what ParameterStatus reported. `broken`: why the
    conversation ended, or None. `on_head` is called when the queue has run empty and when a
    discarded request has become its head.
    """

    __slots__ = (
        "blocker",
        "broken",
        "framing",
        "head",
        "held",
        "last_error",
        "on_head",
        "on_notice",
        "on_notification",
        "parameters",
        "requests",
        "status",
        "waiting",
        "writer",
    )

    framing: Framing
    writer: Writer
    requests: deque[Request]
    waiting: deque[Request]
    head: Request | None
    blocker: Request | None
    held: bool
    status: int
    parameters: dict[str, str]
    broken: BaseException | None
    last_error: PostgresError | None
    on_notice: Callable[[errors.PostgresMessage], None] | None
    on_notification: Callable[[int, str, str], None] | None
    on_head: Callable[[], None] | None

    def __init__(self, max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE) -> None:
        self.framing = Framing(max_message_size)
        self.writer = Writer()
        self.requests = deque()
        self.waiting = deque()
        self.head = None
        self.blocker = None
        self.held = False
        self.status = IDLE
        self.parameters = {}
        self.broken = None
        self.last_error = None
        self.on_notice = None
        self.on_notification = None
        self.on_head = None

    def submit(self, request: Request) -> None:
        """Queue `request`; an argument that cannot be encoded raises here and nothing is sent."""
        if self.broken is not None:
            raise InterfaceError(
                f"connection is closed: {self.broken}", safe_to_retry=True
            ) from self.broken
        if self.held or self.blocker is not None or self.waiting:
            self.waiting.append(request)
        else:
            self.enqueue(request)

    def enqueue(self, request: Request) -> None:
        mark = self.writer.pos
        try:
            request.write(self.writer)
        except BaseException:
            self.writer.truncate(mark)
            raise
        self.requests.append(request)
        if self.head is None:
            self.head = request
        if request.alone:
            self.blocker = request

    def feed(self, data: bytes) -> None:
        """Take received bytes; completes the requests whose answers they end.

        Raises ProtocolError when the server broke the protocol: the connection must be closed then.
        """
        framing = self.framing
        framing.feed(data)
        reader = framing.reader
        while framing.next():
            tag = framing.tag
            if tag in b"NAS":
                self.on_asynchronous(tag, reader)
                continue
            head = self.head
            if head is None:
                self.on_unsolicited(tag, reader)
                continue
            if tag == 90:  # ReadyForQuery
                self.status = backend.ready_for_query(reader)
            if head.on_message(tag, reader):
                self.finish_head()
            elif head.reply:
                self.send_reply_of(head)

    def on_asynchronous(self, tag: int, reader: Reader) -> None:
        if tag == 78:  # NoticeResponse
            fields = backend.error_fields(reader)
            if self.on_notice is not None:
                self.on_notice(errors.notice_from_fields(fields))
        elif tag == 65:  # NotificationResponse
            pid, channel, payload = backend.notification_response(reader)
            if self.on_notification is not None:
                self.on_notification(pid, channel, payload)
        else:  # ParameterStatus
            if reader.end - reader.pos > MAX_PARAMETER_SIZE:
                raise ProtocolError(
                    f"the server reported a parameter of more than {MAX_PARAMETER_SIZE} bytes"
                )
            name, value = backend.parameter_status(reader)
            if len(self.parameters) >= MAX_PARAMETERS and name not in self.parameters:
                raise ProtocolError(f"the server reported more than {MAX_PARAMETERS} parameters")
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
        head.complete()
        if self.blocker is head:
            self.blocker = None
            self.write_waiting()
        if self.on_head is not None and (self.head is None or self.head.discarded):
            self.on_head()

    def hold(self) -> None:
        """Write nothing new until `release`; what is abandoned meanwhile is never written."""
        self.held = True

    def release(self) -> None:
        self.held = False
        self.write_waiting()

    def write_waiting(self) -> None:
        """Write what had to wait, up to the next `alone` request."""
        while self.waiting and self.blocker is None and not self.held:
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
        self.broken = error
        # The server's last word (FATAL: it is shutting down) went to the head and concerns all.
        if self.head is not None and isinstance(self.head.error, PostgresError):
            error = self.head.error
        requests = [*self.requests, *self.waiting]
        unwritten = set(self.waiting)
        self.requests.clear()
        self.waiting.clear()
        self.head = None
        self.blocker = None
        for request in requests:
            # The head may have been told why already (FATAL: the server is shutting down).
            if request.error is None:
                loss = ConnectionDoesNotExistError(
                    f"connection was closed in the middle of operation: {error}",
                    safe_to_retry=request in unwritten,
                )
                loss.__cause__ = error
                request.fail(loss)
            request.complete()
        if self.on_head is not None:
            self.on_head()

    def disown(self, error: BaseException) -> None:
        """Refuse all use, and answer nobody: the tasks that wait are another process's."""
        self.broken = error
