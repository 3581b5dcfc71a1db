"""Parse, Describe, Sync: make a prepared statement and learn its types.

Writes:  Close* (statements that left the cache)  Parse  Describe  Sync
Reads:   CloseComplete*  ParseComplete  ParameterDescription  RowDescription | NoData  ReadyForQuery

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
"""

from collections.abc import Hashable
from typing import Any

from pgallop import errors
from pgallop.codecs.registry import Registry
from pgallop.errors import InterfaceError, ProtocolError
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import Description, Statement
from pgallop.session.transitions import DONE, PREPARE, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.backend import Field
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(PREPARE)


class Prepare(Request):
    """Prepare `query` under `name`; the result is its Statement.

    `presumed`: a statement that is run behind this one, under the same name, before this is
    answered; it learns of the answer at once, in front of its own rows. `riders`: how many rely on
    this one. `closes`: names of statements that the server may forget, of which so many are
    `unanswered`. `parsed`: the server has the statement, whatever fails behind that. `generation`:
    that of the knowledge when it was asked.
    """

    __slots__ = (
        "closes",
        "columns",
        "description",
        "generation",
        "key",
        "name",
        "parameter_oids",
        "parsed",
        "presumed",
        "query",
        "refusal",
        "registry",
        "riders",
        "statement",
        "unanswered",
    )

    key: Hashable
    query: str
    name: bytes
    closes: tuple[bytes, ...]
    registry: Registry
    presumed: Statement | None
    statement: Statement | None
    description: Description | None
    refusal: dict[str, str] | None
    parameter_oids: tuple[int, ...]
    columns: list[Field] | None
    unanswered: int
    parsed: bool
    riders: int
    generation: int

    def __init__(
        self,
        waiter: Waiter | None,
        query: str,
        name: bytes,
        registry: Registry,
        closes: tuple[bytes, ...] = (),
        key: Hashable = None,
        presumed: Statement | None = None,
    ) -> None:
        super().__init__(TABLE, waiter)
        self.key = query if key is None else key
        self.query = query
        self.name = name
        self.registry = registry
        self.closes = closes
        self.unanswered = len(closes)
        self.presumed = presumed
        self.helper = presumed is not None
        self.statement = None
        self.description = None
        self.refusal = None
        # The types that arguments are encoded with: with others inferred, their bytes would be
        # taken for values of those.
        self.parameter_oids = () if presumed is None else presumed.parameter_oids
        self.columns = None
        self.parsed = False
        self.riders = 0
        self.generation = 0

    def write(self, writer: Writer) -> None:
        for name in self.closes:
            frontend.close_statement(writer, name)
        frontend.parse(writer, self.name, self.query, self.parameter_oids)
        frontend.describe_statement(writer, self.name)
        frontend.sync(writer)

    def runs(self) -> tuple[str, ...] | None:
        return ()

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.on_prologue(tag, reader):
            return False
        if self.step(tag) == DONE:
            self.settle()
            return True
        if tag == 116:  # ParameterDescription
            self.parameter_oids = backend.parameter_description(reader)
        elif tag == 84:  # RowDescription
            self.columns = backend.row_description(reader)
        elif tag == 69:  # ErrorResponse
            self.refusal = backend.error_fields(reader)
            self.fail(errors.from_fields(self.refusal, self.query))
        else:  # ParseComplete, CloseComplete, NoData: no body
            reader.expect_end()
            self.parsed |= tag == 49  # ParseComplete
            self.unanswered -= tag == 51  # CloseComplete
            if self.unanswered < 0:
                raise ProtocolError("the server closed a statement that was not to be closed")
        return False

    def settle(self) -> None:
        """Make the statement, and tell the one that was run before this was known."""
        if self.error is None:
            columns = None if self.columns is None else tuple(self.columns)
            self.description = Description(self.parameter_oids, columns)
            try:
                self.statement = Statement(
                    self.query, self.name, self.description, self.registry, self.key
                )
            except InterfaceError as error:
                self.fail(error)
        presumed = self.presumed
        if presumed is not None:
            presumed.prepare = None
            presumed.refusal = self.refusal
            if self.description is not None:
                presumed.correct(self.description)

    def result(self) -> Any:
        return self.statement
