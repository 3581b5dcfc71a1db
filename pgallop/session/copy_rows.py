"""COPY to the client in binary, read as rows, with the columns described in the same trip.

Writes:  Parse (the query)  Describe  Parse (its COPY)  Bind  Execute  Sync
Reads:   ParseComplete  ParameterDescription  RowDescription | NoData  ParseComplete  BindComplete
         CopyOutResponse  CopyData*  CopyDone  CommandComplete  ReadyForQuery

The data tells no types. What Describe tells is true of them, for it is in the transaction of the
COPY: to parse the query locks its tables. Of the server each CopyData is one row, the first one
with the header in front, and has then the form of a DataRow; the last one is the trailer.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "COPY Operations", and
"Message Formats", CopyData; COPY, section "Binary Format".
"""

from collections.abc import Callable, Collection
from typing import Any

from pgallop import errors
from pgallop.codecs.codec import BINARY, TypesNeeded, Unresolved
from pgallop.codecs.registry import Registry
from pgallop.errors import DataError, ProtocolError
from pgallop.rows.building import TypedRows
from pgallop.rows.decode import RowDecoder
from pgallop.rows.typed import typed_rows
from pgallop.session.copy_out import CopyOut
from pgallop.session.request import Request, Waiter
from pgallop.session.transitions import COPY_ROWS, DONE, compile_table
from pgallop.wire import backend, bigendian, frontend
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(COPY_ROWS)

# The first state in which not the query's text is looked at but that of its COPY.
COPY = 3

SIGNATURE = b"PGCOPY\n\xff\r\n\0"

# Of the flags in the header those of which a reader has to know what they mean.
CRITICAL_FLAGS = 0xFFFF0000

# So many rows, and so many bytes of them, are here at most that nobody has taken.
MOST_ROWS = 4096
MOST_BYTES = 262144


class CopyRows(CopyOut):
    """Run `query`, a COPY in binary of the query `source`; `rows` are those that have come.

    `registry`: the codecs; `into`: what rows are made into, Records if None. `decoder`: what reads
    them, and `typed` what makes them, once the columns are known. `size`: how many bytes they had
    that were not taken; `before`: how many rows were. `has_header`, `ended`: the header and the
    trailer have come. `is_unreadable`: they cannot be read, and the server goes on sending.
    `needed`: the types of which something else was known than what has come. `on_left` is called
    when nobody wants them any more.
    """

    __slots__ = (
        "before",
        "decoder",
        "ended",
        "has_header",
        "into",
        "is_unreadable",
        "needed",
        "on_left",
        "registry",
        "rows",
        "size",
        "source",
        "typed",
    )

    source: str
    registry: Registry
    into: Any
    decoder: RowDecoder | None
    typed: TypedRows | None
    rows: list[Any]
    size: int
    has_header: bool
    ended: bool
    is_unreadable: bool
    needed: Collection[int]
    on_left: Callable[[], None] | None
    before: int

    def __init__(
        self,
        waiter: Waiter | None,
        query: str,
        original: str,
        source: str,
        registry: Registry,
        into: Any = None,
    ) -> None:
        super().__init__(waiter, query, original)
        self.table = TABLE
        self.iterated = True
        self.source = source
        self.registry = registry
        self.into = into
        self.decoder = None
        self.typed = None
        self.rows = []
        self.size = 0
        self.has_header = False
        self.ended = False
        self.is_unreadable = False
        self.needed = ()
        self.on_left = None
        self.before = 0

    def carry(self, begin: str) -> None:
        Request.carry(self, begin)

    def write(self, writer: Writer) -> None:
        frontend.parse(writer, b"", self.source, ())
        frontend.describe_statement(writer, b"")
        frontend.parse(writer, b"", self.query, ())
        frontend.bind_execute(writer, frontend.bind_head(b"", b"", ()), frontend.bind_tail(()), 0)
        frontend.sync(writer)

    # Reading

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.on_prologue(tag, reader):
            return False
        is_copy = self.state >= COPY
        if self.step(tag) == DONE:
            return True
        if tag == 100:  # CopyData
            self.on_data(reader)
        elif tag == 69:  # ErrorResponse
            fields = backend.error_fields(reader)
            self.fail(errors.from_fields(fields, self.query if is_copy else self.source))
        elif tag == 84:  # RowDescription
            self.describe(backend.row_description(reader))
        elif tag == 116:  # ParameterDescription
            backend.parameter_description(reader)
        elif tag == 72:  # CopyOutResponse
            self.on_response(reader)
        elif tag == 67:  # CommandComplete
            self.command = backend.command_complete(reader)
            if self.notable:
                self.note(self.command)
        else:  # ParseComplete, NoData, BindComplete, CopyDone
            reader.expect_end()
            if tag == 99 and not self.ended and self.is_wanted():
                raise ProtocolError("the data of a COPY in binary has no trailer")
        return False

    def is_wanted(self) -> bool:
        """Whether rows are still read."""
        return not self.has_failed and not self.discarded

    def describe(self, columns: list[backend.Field]) -> None:
        """Find out what reads the rows."""
        codecs = [self.registry.get(column.type_oid) for column in columns]
        names = tuple([column.name for column in columns])
        self.decoder = RowDecoder(names, tuple(codecs))
        for name, codec in zip(names, codecs, strict=True):
            if isinstance(codec, Unresolved):
                self.needed = (codec.oid,)
                self.give_up(not_known(name))
            elif codec.format != BINARY:
                self.give_up(
                    DataError(
                        f"column {name!r} ({codec.name}) is read from its text, and the rows of "
                        f"a COPY come in binary",
                        hint="cast it to text in the query, or run that by fetch() or stream()",
                    )
                )
        if self.into is not None and not self.has_failed:
            try:
                self.typed = typed_rows(self.decoder, self.into)
            except DataError as error:
                self.give_up(error)

    def give_up(self, error: DataError) -> None:
        """The rows cannot be read, which the server knows nothing of."""
        self.is_unreadable = True
        self.fail(error)

    def on_response(self, reader: Reader) -> None:
        format, count = backend.copy_response(reader)
        self.responded = True
        width = -1 if self.decoder is None else len(self.decoder.codecs)
        if format != BINARY or count != width:
            raise ProtocolError(
                f"the server begins a COPY of {count} columns in format {format}, where {width} "
                f"in binary were described"
            )

    def on_data(self, reader: Reader) -> None:
        """Take the first CopyData, or any other by itself."""
        if not self.has_header:
            self.has_header = True
            read_header(reader)
            if reader.pos == reader.end:
                return
        self.read_one(reader)
        self.full = len(self.rows) >= MOST_ROWS or self.size >= MOST_BYTES
        self.arrive()

    def on_copy_data(self, framing: Framing, most: int) -> int:
        self.on_message(100, framing.reader)
        count = 1
        # Nothing but rows for a while.
        while count < most and not self.full and self.is_wanted() and framing.next_of(100):
            self.read_one(framing.reader)
            self.full = len(self.rows) >= MOST_ROWS or self.size >= MOST_BYTES
            count += 1
        return count

    def read_one(self, reader: Reader) -> None:
        """Read a row, or the trailer."""
        if not self.is_wanted() or self.decoder is None:
            return
        size = reader.end - reader.pos
        if self.ended:
            raise ProtocolError("the server sent data behind the trailer of a COPY")
        if size == 2 and bigendian.load_int16(reader.base, reader.pos) == -1:
            self.ended = True
            return
        self.size += size
        try:
            if self.typed is None:
                self.rows.append(self.decoder.decode(reader))
            else:
                self.rows.append(self.typed.decode(reader, self.before + len(self.rows)))
        except TypesNeeded as needed:
            self.needed = needed.oids
            self.give_up(not_known(self.decoder.shape.names[self.decoder.column]))
        except DataError as error:
            self.give_up(error)

    def has_rows(self) -> bool:
        """Whether rows have come that were not taken."""
        return len(self.rows) > 0

    def take_rows(self) -> Any:
        """The rows that have come since this was called last, or what `into.built` takes."""
        rows = self.rows
        self.rows = []
        self.taken += self.size
        self.size = 0
        self.full = False
        self.before += len(rows)
        return rows if self.typed is None else self.typed.finished(rows)

    def discard(self) -> None:
        self.rows = []
        self.size = 0  # or it would be full again with the next row
        CopyOut.discard(self)
        if self.on_left is not None:
            self.on_left()


def read_header(reader: Reader) -> None:
    """Read what the data begins with."""
    if reader.read_bytes(len(SIGNATURE)) != SIGNATURE:
        raise ProtocolError("the data of a COPY in binary does not begin with its signature")
    flags = reader.read_uint32()
    if flags & CRITICAL_FLAGS:
        raise ProtocolError(f"the data of a COPY has the unknown flags {flags:#010x}")
    reader.take(reader.read_int32())  # an extension, of which a reader may know nothing


def not_known(column: str) -> DataError:
    return DataError(
        f"column {column!r} cannot be read: its type is not what was known of it when the COPY "
        f"began",
        hint="run it again: the server will be asked about its types",
    )
