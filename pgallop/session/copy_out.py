"""COPY to the client: the bytes as the server sends them, taken a block at a time.

Writes:  Query
Reads:   CopyOutResponse  CopyData*  CopyDone  CommandComplete  ReadyForQuery

Who wants the data takes it (`take`) while more comes. When so much is here that nobody has taken,
the request is `full`: the session goes no further, the stream does not read, and the server waits.

Nothing is written behind it before it ends: what waits can be dropped for nothing meanwhile, and a
cancellation of the COPY hits nothing else.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "COPY Operations".
"""

from typing import Any

from pgallop.session.request import Request, Waiter
from pgallop.session.simple import SimpleQuery
from pgallop.session.transitions import COPY_OUT, compile_table
from pgallop.wire import backend
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(COPY_OUT)

# The states in which it begins, on its own and behind a BEGIN.
RESPONSE = 0
BEGIN = 5

# So many bytes are here at most that nobody has taken, and one CopyData more.
FULL = 262144


class CopyOut(SimpleQuery):
    """Run `query`, a COPY to the client; the result is its command tag.

    `original`: a statement that runs what the COPY runs, as its caller has written it. `data`: what
    has come and was not taken, for which there is so much `room`; `arrival`: a future for who waits
    for more of it, or for the end. `taken`: how many bytes were. `responded`: the server has begun
    to run it. `has_failed`: nobody is to see what comes or has come.
    """

    __slots__ = ("arrival", "data", "has_failed", "original", "responded", "room", "taken")

    original: str
    data: Writer
    room: int
    arrival: Any
    taken: int
    responded: bool
    has_failed: bool

    def __init__(self, waiter: Waiter | None, query: str, original: str) -> None:
        super().__init__(waiter, query)
        self.table = TABLE
        self.original = original
        self.alone = True
        self.data = Writer()
        self.room = FULL
        self.arrival = None
        self.taken = 0
        self.responded = False
        self.has_failed = False

    def carry(self, begin: str) -> None:
        SimpleQuery.carry(self, begin)
        self.state = BEGIN

    # Reading

    def on_message(self, tag: int, reader: Reader) -> bool:
        if tag == 100:  # CopyData
            self.step(tag)
            self.keep(reader)
            self.arrive()
            return False
        if tag == 72:  # CopyOutResponse
            self.step(tag)
            backend.copy_response(reader)
            self.responded = True
            return False
        return SimpleQuery.on_message(self, tag, reader)

    def on_copy_data(self, framing: Framing, most: int) -> int:
        self.on_message(100, framing.reader)
        if self.discarded or self.full:
            return 1
        # Nothing but data for a while, and nothing to be looked at in between.
        count = framing.copy_bodies(100, most - 1, self.data, self.room)
        self.full = self.data.pos >= self.room
        return 1 + count

    def keep(self, reader: Reader) -> None:
        """Keep what a CopyData has, unless nobody wants it any more."""
        if not self.discarded:
            self.data.write_rest(reader)
            self.full = self.data.pos >= self.room

    def arrive(self) -> None:
        """Wake who waits: there is data, or there will be none."""
        if self.arrival is not None and not self.arrival.done():
            self.arrival.set_result(None)

    def take(self) -> bytes:
        """What has come since this was called last; nothing if there is none."""
        data = self.data.take()
        self.taken += len(data)
        self.full = False
        return data

    # Its end

    def fail(self, error: BaseException) -> None:
        Request.fail(self, error)
        self.has_failed = True
        self.arrive()

    def runs(self) -> tuple[str, ...] | None:
        return (self.original,)

    def discard(self) -> None:
        Request.discard(self)
        self.data = Writer()
        self.full = False
        self.arrive()

    def complete(self) -> None:
        Request.complete(self)
        self.arrive()
