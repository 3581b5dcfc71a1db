"""Parse, Describe, Sync: make a prepared statement and learn its types.

Writes:  Close* (statements that left the cache)  Parse  Describe  Sync
Reads:   CloseComplete*  ParseComplete  ParameterDescription  RowDescription | NoData  ReadyForQuery

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
"""

from typing import Any

from pgallop import errors
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import Statement
from pgallop.session.transitions import DONE, PREPARE, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.backend import Field
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(PREPARE)


class Prepare(Request):
    """Prepare `query` under `name`; the result is its Statement.

    `closes`: names of statements that the server may forget.
    """

    __slots__ = ("closes", "columns", "name", "parameter_oids", "query", "registry", "unanswered")

    query: str
    name: bytes
    closes: tuple[bytes, ...]
    registry: Registry
    parameter_oids: tuple[int, ...]
    columns: list[Field] | None
    unanswered: int

    def __init__(
        self,
        waiter: Waiter | None,
        query: str,
        name: bytes,
        registry: Registry,
        closes: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(TABLE, waiter)
        self.query = query
        self.name = name
        self.registry = registry
        self.closes = closes
        self.unanswered = len(closes)
        self.parameter_oids = ()
        self.columns = None

    def write(self, writer: Writer) -> None:
        for name in self.closes:
            frontend.close_statement(writer, name)
        frontend.parse(writer, self.name, self.query, ())
        frontend.describe_statement(writer, self.name)
        frontend.sync(writer)

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.on_prologue(tag, reader):
            return False
        if self.step(tag) == DONE:
            return True
        if tag == 116:  # ParameterDescription
            self.parameter_oids = backend.parameter_description(reader)
        elif tag == 84:  # RowDescription
            self.columns = backend.row_description(reader)
        elif tag == 69:  # ErrorResponse
            self.fail(errors.from_fields(backend.error_fields(reader), self.query))
        else:  # ParseComplete, CloseComplete, NoData: no body
            reader.expect_end()
            self.unanswered -= tag == 51  # CloseComplete
            if self.unanswered < 0:
                raise ProtocolError("the server closed a statement that was not to be closed")
        return False

    def result(self) -> Any:
        return Statement(self.query, self.name, self.parameter_oids, self.columns, self.registry)
