"""`Request`: one operation in a session's queue, from its messages to its ReadyForQuery."""

from collections.abc import Callable
from typing import Any, Protocol

from pgallop.errors import ProtocolError
from pgallop.session.transitions import DONE, ILLEGAL
from pgallop.wire import frontend
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

PROLOGUE_REPLIES = b"12C"  # ParseComplete, BindComplete, CommandComplete

# So many different command tags of one script are looked at; PostgreSQL has about 200.
MAX_TAGS = 300


class Waiter(Protocol):
    """What a request reports to: an asyncio future, or anything like it."""

    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, exception: Any, /) -> None: ...


class Request:
    """One operation: what it writes, which replies it takes, what it makes of them.

    `waiter` learns the result; `timer` gives it up at its `deadline` on the loop's clock. A request
    whose caller has gone is `discarded`: its replies are still read, to the ReadyForQuery that ends
    them, and reported to nobody. An `alone` request has nothing written behind it until it is
    answered (COPY, where the server would read it as data). An `open` one is
    written in part, and nothing behind it before its end is.
    What `on_message` leaves in `reply` is sent at once. `status_before` and `status` are the
    transaction statuses it began and ended in.

    `position`: where its messages begin in all that the session writes, -1 while not written; the
    session knows from it what was sent. `exposed`: a cancellation meant for another request may hit
    it. `prologue`: the messages of a BEGIN that travels in front of its own, under the same Sync,
    and `begin_replies` how many replies to it are due. `on_end` is called when the request is
    answered, dropped or lost; `after` behind that, when its waiter knows the outcome, with the
    request and whether that is an error of which somebody was told. `full`: it takes nothing more
    from the server before something of what it has was taken from it. `tags`: the command tags of
    statements that may have changed what others were prepared under. `helper`: it is there for the
    request behind it, whose caller is to know what was wrong with it. `iterated`: somebody reads
    its rows one by one while more of them come.
    """

    __slots__ = (
        "after",
        "alone",
        "begin_replies",
        "deadline",
        "discarded",
        "error",
        "exposed",
        "finished",
        "full",
        "helper",
        "iterated",
        "on_end",
        "open",
        "position",
        "prologue",
        "reply",
        "state",
        "status",
        "status_before",
        "table",
        "tags",
        "timer",
        "waiter",
    )

    waiter: Any  # a Waiter, or None
    timer: Any
    deadline: float | None
    error: BaseException | None
    on_end: Callable[["Request"], None] | None
    after: Callable[["Request", bool], None] | None
    discarded: bool
    exposed: bool
    finished: bool
    full: bool
    alone: bool
    helper: bool
    iterated: bool
    open: bool
    prologue: bytes
    begin_replies: int
    reply: bytes
    state: int
    position: int
    table: bytes
    tags: list[str] | None

    def __init__(self, table: bytes, waiter: Waiter | None) -> None:
        self.set_up(table, waiter)

    def set_up(self, table: bytes, waiter: Waiter | None) -> None:
        """What `__init__` does; called in C by those of which there are many."""
        self.table = table
        self.waiter = waiter
        self.timer = None
        self.tags = None
        self.deadline = None
        self.error = None
        self.on_end = None
        self.after = None
        self.discarded = False
        self.exposed = False
        self.finished = False
        self.full = False
        self.alone = False
        self.helper = False
        self.iterated = False
        self.open = False
        self.prologue = b""
        self.begin_replies = 0
        self.reply = b""
        self.state = 0
        self.position = -1
        self.status_before = 0
        self.status = 0

    def carry(self, begin: str) -> None:
        """Let `begin` travel in front of this request: if it fails, the server skips the rest."""
        writer = Writer()
        frontend.parse(writer, b"", begin, ())
        frontend.bind_execute(writer, frontend.bind_head(b"", b"", ()), frontend.bind_tail(()), 0)
        self.prologue = writer.take()
        self.begin_replies = len(PROLOGUE_REPLIES)

    def on_prologue(self, tag: int, reader: Reader) -> bool:
        """Take a reply to the prologue; False if `tag` is the request's own to take."""
        if self.begin_replies == 0:
            return False
        if tag == 69:  # ErrorResponse: the server skips the rest, as if it had failed itself
            self.begin_replies = 0
            return False
        due = PROLOGUE_REPLIES[len(PROLOGUE_REPLIES) - self.begin_replies]
        if tag != due:
            raise ProtocolError(f"the server answered BEGIN by an illegal {bytes([tag])!r} message")
        self.begin_replies -= 1
        if tag == 67:  # CommandComplete
            reader.read_cstring()
        reader.expect_end()
        return True

    def write(self, writer: Writer) -> None:
        """Write the request's messages; whatever it raises, nothing of them is sent."""

    def on_room(self) -> None:
        """What was written of an open request has left: more of it may be written."""

    def abort(self) -> bytes:
        """What ends an open request so that nothing of it stays."""
        return b""

    def on_message(self, tag: int, reader: Reader) -> bool:
        """Take one message of the server; True with the one that ends the request."""
        return self.step(tag) == DONE

    def on_rows(self, framing: Framing, most: int) -> int:
        """Take a DataRow, and up to `most` if more are at hand; how many were taken."""
        self.on_message(68, framing.reader)
        return 1

    def on_copy_data(self, framing: Framing, most: int) -> int:
        """Take a CopyData, and up to `most` if more are at hand; how many were taken."""
        self.on_message(100, framing.reader)
        return 1

    def step(self, tag: int) -> int:
        """Move to the next state, or raise if `tag` may not come now."""
        successor = self.table[256 * self.state + tag]
        if successor == ILLEGAL:
            raise ProtocolError(
                f"the server sent an illegal {bytes([tag])!r} message in state {self.state} of "
                f"{type(self).__name__}"
            )
        if successor != DONE:
            self.state = successor
        return successor

    def text(self) -> str:
        """What was sent, of which `tags` tell."""
        return ""

    def runs(self) -> tuple[str, ...] | None:
        """The texts of all statements that it runs, but for BEGIN; None if that is not known."""
        return None

    def note(self, tag: str) -> None:
        """Keep the tag of a notable statement."""
        if self.tags is None:
            self.tags = []
        tag = tag.rstrip("0123456789 ")  # what they tell does not depend on how many rows
        if tag not in self.tags and len(self.tags) < MAX_TAGS:
            self.tags.append(tag)

    def result(self) -> Any:
        """What the waiter gets if nothing failed."""
        return None

    def fail(self, error: BaseException) -> None:
        """Remember why the request fails; of several reasons the first is the one reported."""
        if self.error is None:
            self.error = error

    def discard(self) -> None:
        """The caller has gone: nobody is to be told the outcome."""
        self.discarded = True
        if self.timer is not None:
            self.timer.cancel()
        self.waiter = None

    def complete(self) -> None:
        """The request is answered (or never will be): tell the waiter."""
        self.finished = True
        if self.timer is not None:
            self.timer.cancel()
        if self.on_end is not None:
            self.on_end(self)
        has_failed = self.tell()
        if self.after is not None:
            self.after(self, has_failed)

    def tell(self) -> bool:
        """Tell the waiter the outcome, if there is one; whether that is an error."""
        waiter = self.waiter
        self.waiter = None
        # A waiter that is done was cancelled in this very tick.
        if waiter is None or waiter.done():
            return False
        if self.discarded:
            waiter.set_result(None)  # whoever waits now only wants to know that it is over
            return False
        result = None
        if self.error is None:
            try:
                result = self.result()
            except Exception as error:
                self.error = error
        if self.error is None:
            waiter.set_result(result)
            return False
        waiter.set_exception(self.error)
        # Its traceback will lead to frames that know this request.
        self.error = None
        return True
