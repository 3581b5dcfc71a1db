"""Bind and Execute of several prepared statements, and one Sync.

Writes:  (Bind  Execute)+  Sync
Reads:   (BindComplete  DataRow*  (CommandComplete | PortalSuspended | EmptyQueryResponse))+
         ReadyForQuery

Statements without a name are parsed and described each time, as in `execute.py`.

After an ErrorResponse the server skips what is left, up to the Sync.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Pipelining".
"""

from pgallop import errors
from pgallop.errors import CommitNotReplicated, DataError, InterfaceError, PostgresError
from pgallop.rows.record import Record
from pgallop.session.execute import Execute, Unreadable
from pgallop.session.request import Request, Waiter
from pgallop.session.transitions import DONE, PARSE_PIPELINE, PIPELINE, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(PIPELINE)
PARSE_TABLE = compile_table(PARSE_PIPELINE)

# The states in which rows come, and that in which the last statement begins.
ROWS = 1
LAST_ROWS = 3
LAST_BIND = 2

# The states of a named statement whose result is described.
DESCRIBE = 6
LAST_DESCRIBE = 7

SYNC_SIZE = 5


class Pipeline(Request):
    """Run `executes`, which are never submitted themselves, under one Sync.

    `answered`: how many have reported success; `bound`: whether the next one has begun to run;
    `refusal`: the server's error, which concerns that one, or the Sync when all were answered;
    `culprit`: the number of one whose arguments cannot be encoded, or -1. `begun`: False if the
    BEGIN that travelled in front was refused.
    """

    __slots__ = ("answered", "begun", "bound", "culprit", "executes", "failure", "refusal")

    executes: list[Execute]
    answered: int
    begun: bool
    bound: bool
    culprit: int
    refusal: PostgresError | None
    failure: BaseException | None

    def __init__(self, waiter: Waiter | None, executes: list[Execute]) -> None:
        # All of one connection have a name, or none has.
        super().__init__(PARSE_TABLE if executes[0].statement.parse else TABLE, waiter)
        self.executes = executes
        self.answered = 0
        self.begun = True
        self.bound = False
        self.culprit = -1
        self.refusal = None
        self.failure = None
        self.state = LAST_BIND if len(executes) == 1 else 0

    def write(self, writer: Writer) -> None:
        for i in range(len(self.executes)):
            execute = self.executes[i]
            try:
                execute.write(writer)
            except (DataError, InterfaceError) as error:
                self.culprit = i
                raise named(error, i, len(self.executes)) from error
            writer.truncate(writer.pos - SYNC_SIZE)
        frontend.sync(writer)

    def on_message(self, tag: int, reader: Reader) -> bool:
        if tag == 68 and (self.state == ROWS or self.state == LAST_ROWS):  # DataRow
            if not self.discarded:
                execute = self.executes[self.answered]
                execute.on_row(reader)
            return False
        if tag == 69 and self.begin_replies:  # ErrorResponse
            self.begun = False
        if self.on_prologue(tag, reader):
            return False
        successor = self.step(tag)
        if successor == DONE:
            return True
        if tag == 69:  # ErrorResponse
            self.refuse(errors.from_fields(backend.error_fields(reader), self.query()))
        elif tag == 84:  # RowDescription
            statement = self.executes[self.answered].statement
            statement.on_portal(reader.read_bytes(reader.end - reader.pos))
        elif tag == 110:  # NoData
            reader.expect_end()
            statement = self.executes[self.answered].statement
            statement.on_portal(None)
        elif tag == 49 or tag == 50:  # ParseComplete, BindComplete
            reader.expect_end()
            self.bound = tag == 50
            statement = self.executes[self.answered].statement
            if tag == 50 and statement.varies and not statement.parse:
                self.state = DESCRIBE if self.state == ROWS else LAST_DESCRIBE
        else:  # CommandComplete, EmptyQueryResponse, PortalSuspended
            self.on_end_of_statement(tag, reader)
        return False

    def on_end_of_statement(self, tag: int, reader: Reader) -> None:
        execute = self.executes[self.answered]
        if tag == 67:  # CommandComplete
            execute.command = reader.read_cstring()
            if execute.statement.notable:
                self.note(execute.command.decode("utf-8", "replace"))
        reader.expect_end()
        unreadable = execute.unreadable()
        if unreadable is not None:
            execute.fail(unreadable)
        self.answered += 1
        self.bound = False
        if self.answered == len(self.executes) - 1:
            self.state = LAST_BIND

    def text(self) -> str:
        notable = [each.statement for each in self.executes if each.statement.notable]
        return "; ".join([statement.query for statement in notable])

    def runs(self) -> tuple[str, ...] | None:
        return tuple([each.statement.query for each in self.executes])

    def query(self) -> str | None:
        """The statement whose turn it is."""
        if self.answered == len(self.executes) or not self.begun:
            return None
        return self.executes[self.answered].statement.query

    def fail(self, error: BaseException) -> None:
        """Remember `error`; that of a COMMIT in the middle stays with its statement."""
        if isinstance(error, CommitNotReplicated) and self.answered < len(self.executes):
            self.executes[self.answered].fail(error)
        else:
            super().fail(error)

    def refuse(self, error: PostgresError) -> None:
        """The server has refused to go on; of several reasons the first is the one reported."""
        if self.refusal is None:
            self.refusal = error
        self.fail(error)

    def complete(self) -> None:
        """Keep the error: what became of the statements is worked out after it was told."""
        self.failure = self.error
        Request.complete(self)

    def answers(self) -> list[tuple[list[Record], bytes, BaseException | None]]:
        """Of each statement that reported success: rows, command tag, what is wrong with it."""
        return [
            (each.all_rows(), each.command, readable_error(each.error))
            for each in self.executes[: self.answered]
        ]


def readable_error(error: BaseException | None) -> BaseException | None:
    """`error`, or in the place of an Unreadable that was not converted what a caller may see."""
    if not isinstance(error, Unreadable):
        return error
    return DataError(
        "its columns have changed since it was described, and have come in another form",
        hint="it has run; the next time it will be described again",
    )


def named(error: DataError | InterfaceError, i: int, count: int) -> DataError | InterfaceError:
    """The error of one statement's arguments, saying which statement."""
    kind = DataError if isinstance(error, DataError) else InterfaceError
    message = f"statement {i + 1} of {count}: {error.message}"
    return kind(message, detail=error.detail, hint=error.hint)
