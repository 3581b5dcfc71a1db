"""What the server writes for some values: their text forms, in the style that reads unambiguously.

Writes:  (Parse  Bind  Execute)+  Sync
Reads:   (ParseComplete  BindComplete  DataRow?  CommandComplete)+  ReadyForQuery

A `SELECT $1` for each value, behind settings that hold for this transaction only: in the session's
own style a float can lose digits, and a time have the name of a zone that is read as another one.
Within a transaction a savepoint takes the settings back.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query"; the
settings are those of pg_dump.
"""

from collections.abc import Sequence
from typing import Any

from pgallop import errors
from pgallop.codecs.codec import BINARY, TEXT
from pgallop.errors import ProtocolError
from pgallop.session.convert import QUERY
from pgallop.session.request import Request, Waiter
from pgallop.session.transitions import DONE, TEXTS, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(TEXTS)

# The state behind the last statement.
SYNC = 4

SETTINGS = (
    "SELECT pg_catalog.set_config('DateStyle', 'ISO', true), "
    "pg_catalog.set_config('IntervalStyle', 'postgres', true), "
    "pg_catalog.set_config('extra_float_digits', '3', true)"
)
SAVEPOINT = ("SAVEPOINT pgallop_texts",)
UNDO = ("ROLLBACK TO SAVEPOINT pgallop_texts", "RELEASE SAVEPOINT pgallop_texts")


class Texts(Request):
    """Turn `values`, pairs of a type's OID and bytes in binary, into their text forms, a list.

    `before`, `behind`: statements around that. `answered`: how many statements have ended.
    """

    __slots__ = ("answered", "before", "behind", "texts", "values")

    values: Sequence[tuple[int, bytes]]
    before: tuple[str, ...]
    behind: tuple[str, ...]
    answered: int
    texts: list[bytes]

    def __init__(
        self, waiter: Waiter | None, values: Sequence[tuple[int, bytes]], in_transaction: bool
    ) -> None:
        super().__init__(TABLE, waiter)
        self.values = values
        self.before = (*SAVEPOINT, SETTINGS) if in_transaction else (SETTINGS,)
        self.behind = UNDO if in_transaction else ()
        self.answered = 0
        self.texts = []

    def write(self, writer: Writer) -> None:
        plain, as_text = frontend.bind_head(b"", b"", ()), frontend.bind_tail((TEXT,))
        for sql in self.before:
            frontend.parse(writer, b"", sql, ())
            frontend.bind_execute(writer, plain, as_text, 0)
        head = frontend.bind_head(b"", b"", (BINARY,))
        for oid, value in self.values:
            frontend.parse(writer, b"", QUERY, (oid,))
            start = writer.begin_message(66)  # Bind
            writer.write_bytes(head)
            field = writer.begin_field()
            writer.write_bytes(value)
            writer.finish_field(field)
            writer.write_bytes(as_text)
            writer.finish_message(start)
            frontend.execute(writer, b"", 0)
        for sql in self.behind:
            frontend.parse(writer, b"", sql, ())
            frontend.bind_execute(writer, plain, as_text, 0)
        frontend.sync(writer)

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.on_prologue(tag, reader):
            return False
        if self.step(tag) == DONE:
            return True
        if tag == 68:  # DataRow
            self.on_row(reader)
        elif tag == 67:  # CommandComplete
            backend.command_complete(reader)
            self.answered += 1
            if self.answered == len(self.before) + len(self.values) + len(self.behind):
                self.state = SYNC
        elif tag == 69:  # ErrorResponse
            self.fail(errors.from_fields(backend.error_fields(reader), QUERY))
        else:  # ParseComplete, BindComplete
            reader.expect_end()
        return False

    def on_row(self, reader: Reader) -> None:
        """Take a text; the row of the settings says nothing."""
        i = self.answered - len(self.before)
        if i < 0:
            return
        if i != len(self.texts) or i >= len(self.values) or reader.read_uint16() != 1:
            raise ProtocolError("the server has not answered `SELECT $1` by one value")
        size = reader.read_size()
        if size < 0:
            raise ProtocolError("a value that is not NULL was converted to NULL")
        self.texts.append(reader.read_bytes(size))
        reader.expect_end()

    def runs(self) -> tuple[str, ...] | None:
        # Only the types' own functions, which are to run anyway, and what its end takes back.
        return ()

    def result(self) -> Any:
        if len(self.texts) != len(self.values):
            raise ProtocolError("the server has not answered each `SELECT $1`")
        return self.texts
