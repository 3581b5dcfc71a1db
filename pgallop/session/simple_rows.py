"""Query, with the rows kept: for servers that know nothing but the simple protocol.

Writes:  Query
Reads:   (RowDescription DataRow* CommandComplete | CommandComplete | EmptyQueryResponse)*
         ReadyForQuery

All values come in text. Of several statements the rows are those of the last that returned any.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Simple Query".
"""

from typing import Any

from pgallop import errors
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError
from pgallop.rows.decode import RowDecoder
from pgallop.rows.record import Record
from pgallop.session.request import Waiter
from pgallop.session.simple import SimpleQuery
from pgallop.wire import backend
from pgallop.wire.reader import Reader


class SimpleRows(SimpleQuery):
    """Run the statements in `query`; the result is the pair (rows, command tag).

    `limited`: keep the first row only.
    """

    __slots__ = ("decoder", "limited", "registry", "rows")

    registry: Registry
    limited: bool
    rows: list[Record]
    decoder: RowDecoder | None

    def __init__(
        self, waiter: Waiter | None, query: str, registry: Registry, limited: bool
    ) -> None:
        super().__init__(waiter, query)
        self.registry = registry
        self.limited = limited
        self.rows = []
        self.decoder = None

    def on_message(self, tag: int, reader: Reader) -> bool:
        if tag == 68:  # DataRow
            self.step(tag)
            self.on_row(reader)
            return False
        if tag == 84:  # RowDescription
            self.step(tag)
            columns = backend.row_description(reader)
            names = tuple([column.name for column in columns])
            codecs = tuple([textual(self.registry.get(column.type_oid)) for column in columns])
            self.decoder = RowDecoder(names, codecs)
            self.rows = []
            return False
        return SimpleQuery.on_message(self, tag, reader)

    def on_row(self, reader: Reader) -> None:
        if self.discarded or self.error is not None or (self.limited and self.rows):
            return
        decoder = self.decoder
        if decoder is None:
            raise ProtocolError("the server sent a row before its description")
        try:
            self.rows.append(decoder.decode(reader))
        except errors.DataError as error:
            self.fail(error)

    def result(self) -> Any:
        return self.rows, self.command.encode()
