"""Parse, then Bind and Execute for each of some values: the server turns them into another form.

Writes:  Parse  (Bind  Execute)+  Sync
Reads:   ParseComplete  (BindComplete  DataRow  CommandComplete)+  ReadyForQuery

The statement is `SELECT $1`: a type's input and output functions do the work, nothing else runs.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
"""

from collections.abc import Sequence
from typing import Any

from pgallop import errors
from pgallop.codecs.codec import BINARY, TEXT
from pgallop.errors import ProtocolError
from pgallop.session.request import Request, Waiter
from pgallop.session.transitions import CONVERT, DONE, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(CONVERT)

# The state behind the last statement.
SYNC = 4

QUERY = "SELECT $1"


class Convert(Request):
    """Turn `values` of the type `oid` from `format` into the other one; the result is a list."""

    __slots__ = ("converted", "format", "oid", "values")

    values: Sequence[bytes]
    oid: int
    format: int
    converted: list[bytes]

    def __init__(
        self, waiter: Waiter | None, values: Sequence[bytes], oid: int, format: int
    ) -> None:
        super().__init__(TABLE, waiter)
        self.values = values
        self.oid = oid
        self.format = format
        self.converted = []

    def write(self, writer: Writer) -> None:
        frontend.parse(writer, b"", QUERY, (self.oid,))
        head = frontend.bind_head(b"", b"", (self.format,))
        tail = frontend.bind_tail((TEXT if self.format == BINARY else BINARY,))
        for value in self.values:
            start = writer.begin_message(66)  # Bind
            writer.write_bytes(head)
            field = writer.begin_field()
            writer.write_bytes(value)
            writer.finish_field(field)
            writer.write_bytes(tail)
            writer.finish_message(start)
            frontend.execute(writer, b"", 0)
        frontend.sync(writer)

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.on_prologue(tag, reader):
            return False
        if self.step(tag) == DONE:
            return True
        if tag == 68:  # DataRow
            if reader.read_uint16() != 1:
                raise ProtocolError("a row of one column has another number of them")
            size = reader.read_size()
            if size < 0:
                raise ProtocolError("a value that is not NULL was converted to NULL")
            self.converted.append(reader.read_bytes(size))
            reader.expect_end()
        elif tag == 67:  # CommandComplete
            backend.command_complete(reader)
            if len(self.converted) == len(self.values):
                self.state = SYNC
        elif tag == 69:  # ErrorResponse
            self.fail(errors.from_fields(backend.error_fields(reader), QUERY))
        else:  # ParseComplete, BindComplete
            reader.expect_end()
        return False

    def runs(self) -> tuple[str, ...] | None:
        # Only the types' own functions, which the statement has called whose values these are.
        return ()

    def result(self) -> Any:
        return self.converted
