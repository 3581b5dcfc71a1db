"""Bind, Execute, Sync on a prepared statement: the hot path.

Writes:  Bind  Execute  Sync
Reads:   BindComplete  DataRow*  (CommandComplete | PortalSuspended | EmptyQueryResponse)
         ReadyForQuery

A statement without a name is parsed each time, and its result described:

Writes:  Parse  Bind  Describe  Execute  Sync
Reads:   ParseComplete  BindComplete  (RowDescription | NoData)  and all as above

FETCH and EXECUTE have a name, but their result is described all the same (`Statement.varies`).

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
"""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from pgallop import errors
from pgallop.codecs.codec import TypesNeeded, Unencodable, Verbatim, shown
from pgallop.errors import InterfaceError, ProtocolError
from pgallop.rows import cpython
from pgallop.rows.building import TypedRows
from pgallop.rows.decode import RowDecoder
from pgallop.rows.record import Record
from pgallop.session import copy_refusal
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import Statement
from pgallop.session.transitions import (
    DESCRIBE_EXECUTE,
    DONE,
    EXECUTE,
    PARSE_EXECUTE,
    compile_table,
)
from pgallop.wire import backend
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import TooLong, Writer

TABLE = compile_table(EXECUTE)
PARSE_TABLE = compile_table(PARSE_EXECUTE)
DESCRIBE_TABLE = compile_table(DESCRIBE_EXECUTE)

# The state in which rows come; the states before it are those of Parse.
ROWS = 1


class Part(NamedTuple):
    """Rows in which some columns are the bytes that have come.

    `first`: from which row on, up to the next part. `decoder`: what has read them, for the next
    execution may have brought the statement another one; `columns`: the numbers of the columns.
    """

    first: int
    decoder: RowDecoder
    columns: tuple[int, ...]


class Unreadable(Exception):
    """A result has come in another form than its codecs read: its types were not known before.

    Never seen by a caller: `pgallop.converting` has the server convert it. `oids`: the types of
    which something else was known than what has come. `command`: the command tag.
    """

    def __init__(self, parts: Sequence[Part], oids: Collection[int], command: bytes) -> None:
        super().__init__("columns have come in another form than their codecs read")
        self.parts = parts
        self.oids = oids
        self.command = command


class Execute(Request):
    """Run `statement` with `arguments`; the result is the pair (rows, command tag).

    `limited`: stop after the first row. `into`: what rows are made into, Records if None; where
    that runs code of the program the rows of the result are `Unbuilt`. `typed`: what makes them,
    once it is known. `before`: how many rows of its result came before. `bound`: whether the server
    has begun to run it.
    `raw`: from the row `first_raw` on, what keeps them as they come, because the server has to be
    asked about the types in `needed` before they can be read.
    """

    __slots__ = (
        "arguments",
        "before",
        "bound",
        "command",
        "first_raw",
        "into",
        "limited",
        "needed",
        "raw",
        "rows",
        "statement",
        "typed",
    )

    statement: Statement
    arguments: tuple[Any, ...]
    limited: bool
    into: Any
    typed: TypedRows | None
    rows: list[Record]
    before: int
    command: bytes
    bound: bool
    raw: RowDecoder | None
    first_raw: int
    needed: Collection[int]

    def __init__(
        self,
        waiter: Waiter | None,
        statement: Statement,
        arguments: tuple[Any, ...],
        limited: bool = False,
        into: Any = None,
    ) -> None:
        table = DESCRIBE_TABLE if statement.varies else TABLE
        self.set_up(PARSE_TABLE if statement.parse else table, waiter)
        self.statement = statement
        self.arguments = arguments
        self.limited = limited
        self.into = into
        self.typed = None
        if into is not None and statement.decoder is not None:
            self.typed = self.statement.rows_into(into)  # what cannot be is said before it is sent
        self.rows = []
        # Out of the collector's sight while it fills: a full collection would walk a million rows
        # that it has no use for.
        cpython.untrack(self.rows)
        self.before = 0
        self.command = b""
        self.bound = False
        self.raw = None
        self.first_raw = 0
        self.needed = ()
        self.alone = statement.alone

    def write(self, writer: Writer) -> None:
        statement = self.statement
        if len(self.arguments) != len(statement.parameters):
            raise wrong_count(statement, self.arguments)
        if statement.whole:
            writer.write_bytes(statement.whole_limited if self.limited else statement.whole)
            return
        if statement.parse:
            writer.write_bytes(statement.parse)
        start = writer.begin_message(66)  # Bind
        writer.write_bytes(statement.head)
        self.write_arguments(writer)
        writer.write_bytes(statement.tail)
        writer.finish_message(start)
        writer.write_bytes(statement.run_one if self.limited else statement.run_all)

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
        # DataRow in state ROWS, the hot one: a number compares in C, a global does not.
        if tag == 68 and self.state == 1:
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
            if self.statement.notable:
                self.note(self.command.decode("utf-8", "replace"))
        elif tag == 69:  # ErrorResponse
            self.refuse(backend.error_fields(reader))
        elif tag == 84:  # RowDescription
            self.statement.on_portal(reader.read_bytes(reader.end - reader.pos))
        elif tag == 71 or tag == 72:  # CopyInResponse, CopyOutResponse
            copy_refusal.refuse_copy(self, tag, extended=True)
        elif tag != 100:  # CopyData is dropped; all others have no body
            reader.expect_end()
            if tag == 50:  # BindComplete
                self.bound = True
            elif tag == 110:  # NoData
                self.statement.on_portal(None)
        return False

    def on_rows(self, framing: Framing, most: int) -> int:
        self.on_message(68, framing.reader)
        decoder = self.statement.decoder
        if (
            self.state != 1
            or self.discarded
            or self.error is not None
            or self.limited
            or not decoder
            or self.raw is not None
        ):
            return 1
        # Nothing but rows for a while, and nothing to be looked at in between.
        pos = framing.pos
        count = len(self.rows)
        typed = self.typed
        try:
            if typed is not None and not self.statement.unreadable:
                return 1 + typed.decode_rows(framing, self.rows, most - 1)
            return 1 + decoder.decode_rows(framing, self.rows, most - 1)
        except TypesNeeded as needed:
            # Once more, as they come.
            del self.rows[count:]
            framing.pos = pos
            raw = self.keep_raw(decoder, needed)
            return 1 + raw.decode_rows(framing, self.rows, most - 1)
        except errors.DataError as error:
            self.fail(error)
            return 1

    def refuse(self, fields: dict[str, str]) -> None:
        """Fail by the server's error, or by that of the Parse which this has relied on."""
        if self.statement.refusal is not None and not self.bound:
            fields = self.statement.refusal
        self.fail(errors.from_fields(fields, self.statement.query))

    def on_row(self, reader: Reader) -> None:
        if self.discarded or self.error is not None:
            return
        if self.limited and self.rows:
            return  # servers that are almost PostgreSQL may not mind the limit
        decoder = self.statement.decoder if self.raw is None else self.raw
        if decoder is None:
            raise ProtocolError("the server sent a row of a statement that returns none")
        pos = reader.pos
        end = reader.end
        try:
            if self.into is None or self.raw is not None or self.statement.unreadable:
                self.rows.append(decoder.decode(reader))
            else:
                typed = self.typed_rows()
                self.rows.append(typed.decode(reader, self.before + len(self.rows)))
        except TypesNeeded as needed:
            reader.pos = pos
            reader.end = end
            self.rows.append(self.keep_raw(decoder, needed).decode(reader))
        except (errors.DataError, InterfaceError) as error:
            # A value that Python cannot hold, or that does not fit: the caller's to know, and
            # nobody else's.
            self.fail(error)

    def keep_raw(self, decoder: RowDecoder, needed: TypesNeeded) -> RowDecoder:
        """Keep rows as they come from now on, and ask about types when the statement has ended."""
        raw = verbatim(decoder)
        self.raw = raw
        self.first_raw = len(self.rows)
        self.needed = needed.oids
        return raw

    def typed_rows(self) -> TypedRows:
        """What makes rows into what the caller wants, of the columns that are known by now."""
        typed = self.typed
        if typed is None or typed.decoder is not self.statement.decoder:
            try:
                typed = self.typed = self.statement.rows_into(self.into)
            except errors.DataError as error:
                hint = f"{error.hint}; " if error.hint else ""
                vars(error)["hint"] = f"{hint}the statement has run"
                raise
        return typed

    def text(self) -> str:
        return self.statement.query

    def runs(self) -> tuple[str, ...] | None:
        return (self.statement.query,)

    def result(self) -> Any:
        unreadable = self.unreadable()
        if unreadable is not None:
            raise unreadable
        rows = self.all_rows()
        if self.into is None or self.statement.decoder is None:
            return rows, self.command
        # Without a row, too, the columns have to fit.
        return self.typed_rows().finished(rows), self.command

    def unreadable(self) -> Unreadable | None:
        """What is to be converted in the rows, which have just come to their end."""
        decoder, columns, raw = self.statement.decoder, self.statement.unreadable, self.raw
        if not self.rows:
            return None
        parts: list[Part] = []
        if decoder is not None and columns and (raw is None or self.first_raw):
            parts.append(Part(0, decoder, columns))
        if raw is not None:
            parts.append(Part(self.first_raw, raw, tuple(range(len(raw.codecs)))))
        return Unreadable(parts, self.needed, self.command) if parts else None

    def all_rows(self) -> list[Record]:
        """The rows, for the caller to do with as he likes."""
        cpython.track(self.rows)
        return self.rows


def verbatim(decoder: RowDecoder) -> RowDecoder:
    """What reads the same rows and leaves all values as they come."""
    codecs = [Verbatim(codec.oid, codec.name, codec.format) for codec in decoder.codecs]
    return RowDecoder(decoder.shape.names, tuple(codecs))


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
