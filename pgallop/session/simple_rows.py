"""Query, with the rows kept: for servers that know nothing but the simple protocol.

Writes:  Query
Reads:   (RowDescription DataRow* CommandComplete | CommandComplete | EmptyQueryResponse)*
         ReadyForQuery

All values come in text. Of several statements the rows are those of the last that returned any.
Where nothing is known of a type, or something else than has come, rows are kept as they come.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Simple Query".
"""

from collections.abc import Collection
from typing import Any

from pgallop import errors
from pgallop.codecs.codec import TEXT, TypesNeeded, Unresolved, Verbatim
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.rows.building import Unbuilt
from pgallop.rows.decode import RowDecoder
from pgallop.rows.record import Record
from pgallop.rows.typed import typed_rows
from pgallop.session.execute import Part, Unreadable, verbatim
from pgallop.session.request import Waiter
from pgallop.session.simple import SimpleQuery
from pgallop.wire import backend
from pgallop.wire.backend import Field
from pgallop.wire.reader import Reader


class SimpleRows(SimpleQuery):
    """Run the statements in `query`; the result is the pair (rows, command tag).

    `limited`: keep the first row only. `into`: what rows are made into, as for `Execute`.
    """

    __slots__ = (
        "decoder",
        "first_raw",
        "into",
        "limited",
        "needed",
        "raw",
        "registry",
        "rows",
        "unknown",
    )

    registry: Registry
    limited: bool
    into: Any
    rows: list[Record]
    decoder: RowDecoder | None
    unknown: tuple[int, ...]
    raw: RowDecoder | None
    first_raw: int
    needed: Collection[int]

    def __init__(
        self,
        waiter: Waiter | None,
        query: str,
        registry: Registry,
        limited: bool,
        into: Any = None,
    ) -> None:
        super().__init__(waiter, query)
        self.into = into
        self.registry = registry
        self.limited = limited
        self.rows = []
        self.decoder = None
        self.unknown = ()
        self.raw = None
        self.first_raw = 0
        self.needed = ()

    def on_message(self, tag: int, reader: Reader) -> bool:
        if tag == 68:  # DataRow
            self.step(tag)
            self.on_row(reader)
            return False
        if tag == 84:  # RowDescription
            self.step(tag)
            self.on_columns(backend.row_description(reader))
            return False
        return SimpleQuery.on_message(self, tag, reader)

    def on_columns(self, columns: list[Field]) -> None:
        """Other rows come now."""
        # Imported by those to whom values come in text.
        from pgallop.codecs.textual import textual

        codecs = [self.registry.get(column.type_oid) for column in columns]
        unknown: list[int] = []
        for i, codec in enumerate(codecs):
            if isinstance(codec, Unresolved):
                codecs[i] = Verbatim(codec.oid, codec.name, TEXT)
                unknown.append(i)
            else:
                codecs[i] = textual(codec)
        self.decoder = RowDecoder(tuple([column.name for column in columns]), tuple(codecs))
        self.unknown = tuple(unknown)
        self.raw = None
        self.rows = []

    def on_row(self, reader: Reader) -> None:
        if self.discarded or self.error is not None or (self.limited and self.rows):
            return
        decoder = self.decoder if self.raw is None else self.raw
        if decoder is None:
            raise ProtocolError("the server sent a row before its description")
        pos = reader.pos
        end = reader.end
        try:
            self.rows.append(decoder.decode(reader))
        except TypesNeeded as needed:
            reader.pos = pos
            reader.end = end
            self.raw = verbatim(decoder)
            self.first_raw = len(self.rows)
            self.needed = needed.oids
            self.rows.append(self.raw.decode(reader))
        except errors.DataError as error:
            self.fail(error)

    def result(self) -> Any:
        decoder, raw = self.decoder, self.raw
        parts: list[Part] = []
        if decoder is not None and self.unknown and self.rows and (raw is None or self.first_raw):
            parts.append(Part(0, decoder, self.unknown))
        if raw is not None:
            parts.append(Part(self.first_raw, raw, tuple(range(len(raw.codecs)))))
        if parts:
            raise Unreadable(parts, self.needed, self.command.encode())
        if self.into is None or decoder is None:
            return self.rows, self.command.encode()
        # This way is slow already, so that all is made at the end.
        return Unbuilt(self.rows, typed_rows(decoder, self.into).builder), self.command.encode()

    def all_rows(self) -> list[Record]:
        """The rows, as they have been read."""
        return self.rows
