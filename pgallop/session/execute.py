"""Bind, Execute, Sync on a prepared statement: the hot path.

Writes:  Bind  Execute  Sync
Reads:   BindComplete  DataRow*  (CommandComplete | PortalSuspended | EmptyQueryResponse)
         ReadyForQuery

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
"""

from typing import Any

from pgallop import errors
from pgallop.codecs.codec import Unencodable, shown
from pgallop.errors import InterfaceError, ProtocolError
from pgallop.rows import cpython
from pgallop.rows.record import Record
from pgallop.session import copy_refusal
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import Statement
from pgallop.session.transitions import DONE, EXECUTE, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.reader import Reader
from pgallop.wire.writer import TooLong, Writer

TABLE = compile_table(EXECUTE)


def _execute_sync(max_rows: int) -> bytes:
    writer = Writer()
    frontend.execute(writer, b"", max_rows)
    frontend.sync(writer)
    return writer.take()


ALL_ROWS = _execute_sync(0)
FIRST_ROW = _execute_sync(1)


class Execute(Request):
    """Run `statement` with `arguments`; the result is the pair (rows, command tag).

    `limited`: stop after the first row. `bound`: whether the server has begun to run it.
    """

    __slots__ = ("arguments", "bound", "command", "limited", "rows", "statement")

    statement: Statement
    arguments: tuple[Any, ...]
    limited: bool
    rows: list[Record]
    command: bytes
    bound: bool

    def __init__(
        self,
        waiter: Waiter | None,
        statement: Statement,
        arguments: tuple[Any, ...],
        limited: bool = False,
    ) -> None:
        super().__init__(TABLE, waiter)
        self.statement = statement
        self.arguments = arguments
        self.limited = limited
        self.rows = []
        # Out of the collector's sight while it fills: a full collection would walk a million rows
        # that it has no use for.
        cpython.untrack(self.rows)
        self.command = b""
        self.bound = False
        self.alone = statement.alone

    def write(self, writer: Writer) -> None:
        statement = self.statement
        if len(self.arguments) != len(statement.parameters):
            raise wrong_count(statement, self.arguments)
        if statement.whole:
            writer.write_bytes(statement.whole_limited if self.limited else statement.whole)
            return
        start = writer.begin_message(66)  # Bind
        writer.write_bytes(statement.head)
        self.write_arguments(writer)
        writer.write_bytes(statement.tail)
        writer.finish_message(start)
        writer.write_bytes(FIRST_ROW if self.limited else ALL_ROWS)

    def write_arguments(self, writer: Writer) -> None:
        parameters = self.statement.parameters
        arguments = self.arguments
        i = 0
        try:
            for i in range(len(parameters)):
                value = arguments[i]
                if value is None:
                    writer.write_int32(-1)
                    continue
                codec = parameters[i]
                field = writer.begin_field()
                codec.encode(writer, value)
                writer.finish_field(field)
        except (Unencodable, UnicodeEncodeError, TooLong) as error:
            raise refused_argument(self.statement, i, arguments[i], error) from error

    def on_message(self, tag: int, reader: Reader) -> bool:
        if tag == 68 and self.state == 1:  # DataRow in state "rows", the hot one
            self.on_row(reader)
            return False
        if self.on_prologue(tag, reader):
            return False
        successor = self.step(tag)
        if successor == DONE:
            return True
        if tag == 67:  # CommandComplete
            self.command = reader.read_cstring()
            reader.expect_end()
        elif tag == 69:  # ErrorResponse
            self.fail(errors.from_fields(backend.error_fields(reader), self.statement.query))
        elif tag == 71 or tag == 72:  # CopyInResponse, CopyOutResponse
            copy_refusal.refuse_copy(self, tag, extended=True)
        elif tag != 100:  # CopyData is dropped; all others have no body
            reader.expect_end()
            self.bound = self.bound or tag == 50  # BindComplete
        return False

    def on_row(self, reader: Reader) -> None:
        if self.discarded or self.error is not None:
            return
        if self.limited and self.rows:
            return  # servers that are almost PostgreSQL may not mind the limit
        decoder = self.statement.decoder
        if decoder is None:
            raise ProtocolError("the server sent a row of a statement that returns none")
        try:
            self.rows.append(decoder.decode(reader))
        except errors.DataError as error:
            # A value that Python cannot hold: the caller's to know, and nobody else's.
            self.fail(error)

    def result(self) -> Any:
        return self.all_rows(), self.command

    def all_rows(self) -> list[Record]:
        """The rows, for the caller to do with as he likes."""
        cpython.track(self.rows)
        return self.rows


def wrong_count(statement: Statement, arguments: tuple[Any, ...]) -> InterfaceError:
    expected = len(statement.parameters)
    return InterfaceError(
        f"the query expects {expected} argument{'' if expected == 1 else 's'}, "
        f"{len(arguments)} given",
        hint=f"the query is {shown(statement.query)}; pass one value for each of $1, $2, ...",
    )


def refused_argument(
    statement: Statement, i: int, value: object, cause: Exception
) -> errors.DataError:
    """Why the argument `$i+1` cannot be sent, in words for who wrote the call."""
    codec = statement.parameters[i]
    if isinstance(cause, TooLong):
        # Not shown: its repr is longer still.
        return errors.DataError(
            f"invalid input for query argument ${i + 1} ({codec.name}): {cause.message}"
        )
    if isinstance(cause, Unencodable):
        codec, place, offender = cause.codec, cause.place, cause.value
        reason, hint = cause.reason, cause.hint
    else:
        place, offender, reason, hint = "", value, f"cannot be encoded as UTF-8: {cause}", None
    return errors.DataError(
        f"invalid input for query argument ${i + 1}{place} ({codec.name}): "
        f"{shown(offender)}: {reason}",
        hint=hint.replace("$n", f"${i + 1}") if hint else None,
    )
