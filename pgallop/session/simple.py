"""Query: one or several statements in one message, their rows dropped, the last command tag kept.

Writes:  Query
Reads:   (RowDescription DataRow* CommandComplete | CommandComplete | EmptyQueryResponse)*
         ReadyForQuery

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Simple Query".
"""

from typing import Any

from pgallop import errors
from pgallop._excerpt import offset_of
from pgallop.session import copy_refusal
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import reads_copy_data
from pgallop.session.transitions import DONE, SIMPLE, compile_table
from pgallop.sql.changes import is_notable
from pgallop.wire import backend, frontend
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(SIMPLE)


class SimpleQuery(Request):
    """Run the statements in `query`; the result is the last one's command tag."""

    __slots__ = ("begins", "command", "notable", "prefix", "query")

    query: str
    prefix: str
    begins: bool
    command: str
    notable: bool

    def __init__(self, waiter: Waiter | None, query: str) -> None:
        super().__init__(TABLE, waiter)
        self.query = query
        self.command = ""
        self.prefix = ""
        self.begins = False
        self.alone = reads_copy_data(query)
        # Of several statements the first says nothing of the others.
        self.notable = ";" in query or is_notable(query)

    def write(self, writer: Writer) -> None:
        frontend.query(writer, self.query, self.prefix.encode())

    def carry(self, begin: str) -> None:
        """Begin in the same message: if that fails, or one of these has no syntax, none runs."""
        self.prefix = f"{begin}; "
        self.begins = True

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.step(tag) == DONE:
            return True
        if tag == 67:  # CommandComplete
            self.command = backend.command_complete(reader)
            if self.begins:
                self.begins = False
                self.command = ""
            elif self.notable:
                self.note(self.command)
        elif tag == 69:  # ErrorResponse
            fields = backend.error_fields(reader)
            offset = offset_of(fields.get("P", ""))
            if self.prefix and offset >= 0:  # of our BEGIN and the query as one text
                fields["P"] = str(max(1, 1 + offset - len(self.prefix)))
            self.fail(errors.from_fields(fields, self.query))
        elif tag == 71 or tag == 72:  # CopyInResponse, CopyOutResponse
            copy_refusal.refuse_copy(self, tag, extended=False)
        elif tag == 73 or tag == 99:  # EmptyQueryResponse, CopyDone
            reader.expect_end()
        return False

    def text(self) -> str:
        return self.query

    def runs(self) -> tuple[str, ...] | None:
        return (self.query,)

    def result(self) -> Any:
        return self.command
