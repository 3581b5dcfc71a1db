"""`Request`: one operation in a session's queue, from its messages to its ReadyForQuery."""

from typing import Any, Protocol

from pgallop.errors import ProtocolError
from pgallop.session.transitions import DONE, ILLEGAL
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer


class Waiter(Protocol):
    """What a request reports to: an asyncio future, or anything like it."""

    def done(self) -> bool: ...
    def set_result(self, result: Any, /) -> None: ...
    def set_exception(self, exception: Any, /) -> None: ...


class Request:
    """One operation: what it writes, which replies it takes, what it makes of them.

    `waiter` learns the result. A request whose caller has gone is `discarded`: its replies are
    still read, to the ReadyForQuery that ends them, and reported to nobody. An `alone` request has
    nothing written behind it until it is answered (COPY, where the server would read it as data).
    What `on_message` leaves in `reply` is sent at once. `status` is the transaction status it ended
    in.
    """

    __slots__ = (
        "alone",
        "discarded",
        "error",
        "finished",
        "reply",
        "state",
        "status",
        "table",
        "timer",
        "waiter",
    )

    waiter: Any  # a Waiter, or None
    timer: Any
    error: BaseException | None
    discarded: bool
    finished: bool
    alone: bool
    reply: bytes
    state: int
    table: bytes

    def __init__(self, table: bytes, waiter: Waiter | None) -> None:
        self.table = table
        self.waiter = waiter
        self.timer = None
        self.error = None
        self.discarded = False
        self.finished = False
        self.alone = False
        self.reply = b""
        self.state = 0
        self.status = 0

    def write(self, writer: Writer) -> None:
        """Write the request's messages; whatever it raises, nothing of them is sent."""

    def on_message(self, tag: int, reader: Reader) -> bool:
        """Take one message of the server; True with the one that ends the request."""
        return self.step(tag) == DONE

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
        waiter = self.waiter
        self.waiter = None
        # A waiter that is done was cancelled in this very tick.
        if waiter is None or waiter.done():
            return
        if self.discarded:
            waiter.set_result(None)  # whoever waits now only wants to know that it is over
            return
        result = None
        if self.error is None:
            try:
                result = self.result()
            except Exception as error:
                self.error = error
        if self.error is None:
            waiter.set_result(result)
        else:
            waiter.set_exception(self.error)
