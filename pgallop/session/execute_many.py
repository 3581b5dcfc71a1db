"""Bind and Execute of one statement for many rows of arguments, and one Sync: all of it or nothing.

Writes:  (Bind  Execute)+  Sync
Reads:   (BindComplete  DataRow*  (CommandComplete | EmptyQueryResponse))+  ReadyForQuery

A statement without a name is parsed once, and its result described with the first execution:

Writes:  Parse  Bind  Describe  Execute  (Bind  Execute)*  Sync

It is encoded in pieces, so that any number of rows takes little memory: the request is `open` until
the last one is written, and nothing else is written meanwhile. One that cannot be written to its
end is ended by an error of ours in the place of the Sync's commit: the server undoes all of it.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Pipelining".
"""

from collections.abc import Iterable, Iterator, Mapping, Set, Sized
from typing import Any

from pgallop.codecs.codec import shown
from pgallop.errors import DataError, InterfaceError, ProtocolError
from pgallop.session.execute import Execute, wrong_count
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import Statement
from pgallop.session.transitions import DONE, EXECUTE_MANY, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(EXECUTE_MANY)

# The states in which it begins, by kind of statement, in which rows come, and behind the last of
# the executions that are written.
BIND = 0
ROWS = 1
SYNC = 2
FAILED = 3
PARSE = 4
FIRST_BIND = 5

# How many bytes are encoded at a time.
PIECE = 65536

# No SQL, so that the server answers it by an error, and says this in its log.
NO_SQL = "pgallop gave up: what stands before this is to be rolled back"


class ExecuteMany(Execute):
    """Run `statement` for each of many rows of arguments; the result is (rows, last command tag).

    `keeps`: whether the rows that it returns are wanted. `encoded`: how many executions are
    encoded, of which `written` were given to the session and `answered` have ended. `culprit`: the
    number of the arguments that cannot be encoded, or -1. `affected`: how many rows the executions
    were about, by their command tags. `aborted`: an error is due. `kept`: the arguments of the
    first piece, while no other one was begun. `room`: a future for who waits to write on.
    """

    __slots__ = (
        "aborted",
        "affected",
        "answered",
        "culprit",
        "encoded",
        "keeps",
        "kept",
        "output",
        "room",
        "written",
    )

    keeps: bool
    encoded: int
    written: int
    answered: int
    affected: int
    culprit: int
    aborted: bool
    kept: list[Any] | None
    output: Writer
    room: Any

    def __init__(
        self, waiter: Waiter | None, statement: Statement, keeps: bool, into: Any = None
    ) -> None:
        super().__init__(waiter, statement, (), False, into)
        self.table = TABLE
        self.state = PARSE if statement.parse else FIRST_BIND if statement.varies else BIND
        self.keeps = keeps
        self.encoded = 0
        self.written = 0
        self.answered = 0
        self.affected = 0
        self.culprit = -1
        self.aborted = False
        self.kept = []
        self.open = True
        self.room = None
        self.output = Writer()
        self.output.write_bytes(statement.parse)

    # Encoding: the code of the arguments runs here, and not while the session writes

    def fill(self, rows: Iterator[Any]) -> None:
        """Encode arguments from `rows` until a piece is full; not `open` if there are no more."""
        if self.written:
            self.kept = None
        for arguments in rows:
            try:
                self.encode(arguments)
            except (DataError, InterfaceError) as error:
                self.culprit = self.encoded
                raise located(error, self.encoded) from error
            self.encoded += 1
            if self.output.pos >= PIECE:
                return
        self.open = False
        frontend.sync(self.output)

    def encode(self, arguments: Any) -> None:
        statement = self.statement
        writer = self.output
        self.arguments = arguments if type(arguments) is tuple else as_tuple(arguments)
        if self.kept is not None:
            self.kept.append(self.arguments)
        if len(self.arguments) != len(statement.parameters):
            raise wrong_count(statement, self.arguments)
        start = writer.begin_message(66)  # Bind
        writer.write_bytes(statement.head)
        self.write_arguments(writer)
        writer.write_bytes(statement.tail)
        writer.finish_message(start)
        if not self.encoded and (statement.parse or statement.varies):
            frontend.describe_portal(writer, b"")
        frontend.execute(writer, b"", 0)

    def piece(self) -> bytes:
        """What was encoded, to be given to the session."""
        if self.state == SYNC and self.encoded > self.written:
            self.state = BIND
        self.written = self.encoded
        return self.output.take()

    def write(self, writer: Writer) -> None:
        writer.write_bytes(self.piece())

    def abort(self) -> bytes:
        """What ends the request so that nothing of it stays."""
        self.open = False
        writer = Writer()
        if self.state != FAILED:
            frontend.parse(writer, b"", NO_SQL, ())
            self.aborted = True
        frontend.sync(writer)
        return writer.take()

    def on_room(self) -> None:
        if self.room is not None and not self.room.done():
            self.room.set_result(None)

    # Reading

    def on_message(self, tag: int, reader: Reader) -> bool:
        if tag == 68 and self.state == ROWS:  # DataRow
            if self.keeps or self.statement.decoder is None:
                self.on_row(reader)
            return False
        if tag == 69:  # ErrorResponse
            self.on_error(reader)
            return False
        if self.on_prologue(tag, reader):
            return False
        successor = self.step(tag)
        if successor == DONE:
            if self.open or (self.aborted and self.state != FAILED):
                raise ProtocolError("the server ended a request that is not written to its end")
            return True
        if tag == 67:  # CommandComplete
            self.command = reader.read_cstring()
            self.affected += rows_told(self.command)
            if self.statement.notable:
                self.note(self.command.decode("utf-8", "replace"))
        elif tag == 84:  # RowDescription
            self.statement.on_portal(reader.read_bytes(reader.end - reader.pos))
        elif tag == 110:  # NoData
            self.statement.on_portal(None)
        elif tag == 50:  # BindComplete
            self.bound = True
        reader.expect_end()
        if tag == 67 or tag == 73:  # EmptyQueryResponse
            self.answered += 1
            if self.answered == self.written:
                self.state = SYNC
        return False

    def on_rows(self, framing: Framing, most: int) -> int:
        return Request.on_rows(self, framing, most)

    def on_error(self, reader: Reader) -> None:
        """Fail by the server's error, which says in which execution it came up."""
        in_executions = self.state != PARSE and self.begin_replies == 0
        self.begin_replies = 0
        self.step(69)
        is_first = self.error is None
        self.refuse(backend.error_fields(reader))
        # Behind the last one it is the Sync's, as that of a deferred constraint.
        in_executions &= self.answered < self.written
        in_executions &= self.bound or self.statement.refusal is None
        if is_first and in_executions and self.error is not None:
            self.error.add_note(f"in the execution with args[{self.answered}]")
        self.on_room()  # nothing more has to be written but the end

    def discard(self) -> None:
        Request.discard(self)
        self.on_room()

    def complete(self) -> None:
        Request.complete(self)
        self.on_room()


def rows_told(command: bytes) -> int:
    """How many rows a command tag tells of, such as `INSERT 0 1`; 0 if it tells of none."""
    end = len(command)
    start = end
    count = 0
    while start > 0 and 48 <= command[start - 1] <= 57:  # a digit
        start -= 1
    # No count of the server's has more digits than an int8.
    if start == end or end - start > 18 or start == 0 or command[start - 1] != 32:
        return 0
    for i in range(start, end):
        count = 10 * count + command[i] - 48
    return count


def is_row(arguments: object) -> bool:
    """Whether these are the arguments of an execution: a sequence that is no text and no mapping.

    What has no length could be read only once, and a row may have to be encoded again.
    """
    is_sequence = isinstance(arguments, Iterable) and isinstance(arguments, Sized)
    return is_sequence and not isinstance(arguments, (str, bytes, Mapping, Set))


def as_tuple(arguments: Any) -> tuple[Any, ...]:
    if is_row(arguments):
        return tuple(arguments)
    raise InterfaceError(
        f"expected a sequence of arguments, got {shown(arguments)} ({type(arguments).__name__})",
        hint="args has a tuple or list for each execution: [(1, 'a'), (2, 'b')]",
    )


def located(error: DataError | InterfaceError, i: int) -> DataError | InterfaceError:
    """The error of one execution's arguments, saying which."""
    kind = DataError if isinstance(error, DataError) else InterfaceError
    message = f"args[{i}]: {error.message}"
    return kind(message, detail=error.detail, hint=error.hint)
