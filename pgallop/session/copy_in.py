"""COPY FROM STDIN: what the client sends, into a table.

Writes:  Parse  Bind  Execute  CopyData*  CopyDone  Sync
Reads:   ParseComplete  BindComplete  CopyInResponse  CommandComplete  ReadyForQuery

The data does not wait for CopyInResponse: a server that refuses skips all up to the Sync. It is
encoded in pieces, so that any amount of it takes little memory: the request is `open` until the
last one is written, and nothing else is written meanwhile, for the server would read it as data.
What cannot be written to its end is ended by CopyFail, and the server undoes all of it.

Records are written in the binary format, whose values say nothing of their types: an int8 would
become a float8 without an error. So the columns are described in front, under the same Sync and
thereby in the same transaction, which locks the table against changes up to its end:

Writes:  Describe  Parse  Bind  Execute  CopyData*  CopyDone  Sync
Reads:   ParameterDescription  RowDescription  and all as above

A statement that has a name the server compares with what it told of it, and refuses here if that
has changed. One without a name is parsed just before, and the data is kept back until the answer
has come, and is what the records were written for.

In the simple protocol the text goes as a Query, and there is no Sync: a server that refuses says
ReadyForQuery at once, and ignores the rest of the data.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "COPY Operations"; COPY,
section "Binary Format".
"""

from collections.abc import Callable, Iterator
from typing import Any

from pgallop import errors
from pgallop._excerpt import offset_of
from pgallop.codecs.codec import BINARY, Codec, Unencodable, shown
from pgallop.errors import DataError, InterfaceError, OutdatedSchemaCacheError, ProtocolError
from pgallop.session.execute_many import is_row
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import Statement
from pgallop.session.transitions import COPY_IN, DONE, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.reader import Reader
from pgallop.wire.writer import TooLong, Writer

TABLE = compile_table(COPY_IN)

# The states in which it begins, and how it ends.
EXECUTE = 2
COPYING = 3
FAILED = 5
PARSE_COLUMNS = 6
PARAMETERS = 7
BEGIN = 9

# How many bytes of data are encoded at a time, and go as one message.
PIECE = 65536

# How many characters of a reason go to the server, which ends the connection over a CopyFail of
# more than 10,000 bytes (PQ_SMALL_MESSAGE_LIMIT). The name of a class may be of any length.
MAX_REASON = 200

# The signature of the binary format, no flags, no extension.
BINARY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


class CopyIn(Request):
    """Run `query`, a COPY FROM STDIN, with data that comes piece by piece; returns the command tag.

    `columns`: the statement whose columns records are written for, by these `codecs`; None where
    what is added are bytes. `count`: how many records there were. `moved`: how many bytes of data
    were handed over. `kept`: the records of the first pieces, as long as nothing but these was
    handed over. `culprit`: whether a record was refused. `is_checked`: the columns
    are what the records were written for, or the server will say. `has_begun`: the server takes the
    data. `aborted`: an error is due. `simple`: the simple protocol is spoken. `watcher` is called
    whenever there may be room to write on, and when nothing more is to be written.
    """

    __slots__ = (
        "aborted",
        "begin",
        "binary",
        "codecs",
        "columns",
        "command",
        "count",
        "culprit",
        "has_begun",
        "is_checked",
        "kept",
        "message",
        "moved",
        "output",
        "query",
        "simple",
        "watcher",
    )

    query: str
    columns: Statement | None
    codecs: tuple[Codec, ...]
    simple: bool
    binary: bool
    begin: str
    command: str
    kept: list[Any] | None
    output: Writer
    message: int
    moved: int
    count: int
    culprit: bool
    is_checked: bool
    has_begun: bool
    aborted: bool
    watcher: Callable[[], None] | None

    def __init__(
        self,
        waiter: Waiter | None,
        query: str,
        columns: Statement | None = None,
        codecs: tuple[Codec, ...] = (),
        simple: bool = False,
    ) -> None:
        super().__init__(TABLE, waiter)
        self.query = query
        self.columns = columns
        self.codecs = codecs
        self.simple = simple
        self.binary = columns is not None
        self.begin = ""
        self.command = ""
        self.kept = []
        self.output = Writer()
        self.message = -1
        self.moved = 0
        self.count = 0
        self.culprit = False
        self.is_checked = True
        self.has_begun = False
        self.aborted = False
        self.watcher = None
        self.open = True
        if simple:
            self.state = EXECUTE
        elif columns is not None:
            self.is_checked = not columns.parse
            self.state = PARSE_COLUMNS if columns.parse else PARAMETERS

    # Encoding: the code of the source and of its values runs here, and not while the session writes

    def fill(self, records: Iterator[Any]) -> bool:
        """Encode `records` until a piece is full; False if there are no more."""
        for record in records:
            if self.add_record(record):
                break
        else:
            return False
        return True

    def add_record(self, record: Any) -> bool:
        """Encode a record; whether a piece is full."""
        if self.kept is not None:
            self.kept.append(record)
        kind = type(record)  # pyright: ignore[reportUnknownVariableType]
        values: tuple[Any, ...] = record if kind is tuple else self.as_tuple(record)
        codecs = self.codecs
        count = len(codecs)
        if len(values) != count:
            raise self.wrong_width(len(values))
        writer = self.output
        self.begin_data()
        writer.write_int16(count)
        i = 0
        try:
            for i in range(count):
                value = values[i]
                if value is None:
                    writer.write_int32(-1)
                    continue
                codec = codecs[i]
                field = writer.begin_field()
                codec.encode(writer, value)
                writer.finish_field(field)
        except (Unencodable, UnicodeEncodeError, TooLong) as error:
            raise self.refused(i, values[i], error) from error
        self.count += 1
        return writer.pos >= PIECE

    def add_bytes(self, data: bytes) -> bool:
        """Take data as it is; whether a piece is full."""
        if data:
            self.begin_data()
            self.output.write_bytes(data)
        return self.output.pos >= PIECE

    def begin_data(self) -> None:
        """Begin a CopyData message, unless there is one."""
        if self.message < 0:
            self.message = self.output.begin_message(100)
            if self.binary and self.moved == 0:
                self.output.write_bytes(BINARY_HEADER)

    def end_data(self) -> None:
        if self.message >= 0:
            self.moved += self.output.pos - self.message - 4
            self.output.finish_message(self.message)
            self.message = -1

    def piece(self) -> bytes:
        """What was encoded, to be given to the session."""
        self.end_data()
        self.kept = None
        return self.output.take()

    def finish(self) -> None:
        """No more data comes."""
        if self.binary:
            self.begin_data()
            self.output.write_int16(-1)
        self.end_data()

    def end(self) -> None:
        """Encode the end, behind which the server stores all of it; it is `is_checked`."""
        self.open = False
        frontend.copy_done(self.output)
        if not self.simple:
            frontend.sync(self.output)

    # Writing

    def carry(self, begin: str) -> None:
        if self.simple:
            self.begin = f"{begin}; "
            self.state = BEGIN
        else:
            Request.carry(self, begin)

    def write(self, writer: Writer) -> None:
        columns = self.columns
        if self.simple:
            frontend.query(writer, self.query, self.begin.encode())
        else:
            if columns is not None:
                writer.write_bytes(columns.parse)
                frontend.describe_statement(writer, columns.name)
            frontend.parse(writer, b"", self.query, ())
            head, tail = frontend.bind_head(b"", b"", ()), frontend.bind_tail(())
            frontend.bind_execute(writer, head, tail, 0)
        if self.is_checked:
            self.end_data()
            writer.write_bytes(self.output.take())

    def abort(self) -> bytes:
        """What ends the request so that nothing of it stays."""
        self.open = False
        writer = Writer()
        if self.state != FAILED:
            frontend.copy_fail(writer, self.reason())
            self.aborted = True
        if not self.simple:
            frontend.sync(writer)
        return writer.take()

    def reason(self) -> str:
        """Why it is given up, for the server's log, which is not to quote what the program says."""
        if self.error is None:
            return "its caller has gone"
        kind = type(self.error.__cause__ or self.error).__name__
        return f"its source has failed by {kind:.{MAX_REASON}}".encode("ascii", "replace").decode()

    # Reading

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.on_prologue(tag, reader):
            return False
        before = self.state
        if self.step(tag) == DONE:
            if (self.open and not self.simple) or (self.aborted and before != FAILED):
                raise ProtocolError("the server ended a COPY that is not written to its end")
            self.open = False
            return True
        if tag == 71:  # CopyInResponse
            self.on_copy_in(reader)
        elif tag == 84:  # RowDescription
            self.on_columns(backend.row_description(reader))
        elif tag == 116:  # ParameterDescription
            backend.parameter_description(reader)
        elif tag == 69:  # ErrorResponse
            self.on_error(backend.error_fields(reader), before)
        elif tag == 67:  # CommandComplete
            command = backend.command_complete(reader)
            if before == COPYING:
                if self.open:
                    raise ProtocolError("the server ended a COPY before its data")
                self.command = command
        else:  # ParseComplete, BindComplete
            reader.expect_end()
        return False

    def on_copy_in(self, reader: Reader) -> None:
        format, count = backend.copy_response(reader)
        if self.binary and (format != BINARY or count != len(self.codecs)):
            self.fail(self.other_columns(count))
        self.has_begun = True
        self.tell_watcher()

    def on_columns(self, columns: list[backend.Field]) -> None:
        """Compare the columns with those that the records are written for."""
        assert self.columns is not None
        if [each.type_oid for each in columns] == [each.type_oid for each in self.columns.columns]:
            self.is_checked = True
        elif not self.open:
            raise ProtocolError("the server took records for other columns than it has described")
        else:
            self.fail(
                OutdatedSchemaCacheError("the columns of the table are of other types by now")
            )
        self.tell_watcher()

    def on_error(self, fields: dict[str, str], state: int) -> None:
        query = self.query
        if self.columns is not None and state in (PARSE_COLUMNS, PARAMETERS, PARAMETERS + 1):
            query = self.columns.query
        offset = offset_of(fields.get("P", ""))
        if self.begin and offset >= 0:  # of our BEGIN and the query as one text
            fields["P"] = str(max(1, 1 + offset - len(self.begin)))
        self.begin_replies = 0
        self.fail(errors.from_fields(fields, query))
        self.tell_watcher()

    def tell_watcher(self) -> None:
        if self.watcher is not None:
            self.watcher()

    def on_room(self) -> None:
        self.tell_watcher()

    def discard(self) -> None:
        Request.discard(self)
        self.tell_watcher()

    def complete(self) -> None:
        self.open = False
        Request.complete(self)
        self.tell_watcher()

    def runs(self) -> tuple[str, ...] | None:
        return (self.query,)

    def result(self) -> Any:
        return self.command

    # What is wrong with a record

    def as_tuple(self, record: Any) -> tuple[Any, ...]:
        if is_row(record):
            return tuple(record)
        self.culprit = True
        raise InterfaceError(
            f"records[{self.count}]: expected a sequence of values, got {shown(record)} "
            f"({type(record).__name__})",
            hint="each record is a tuple or list with a value for each column",
        )

    def wrong_width(self, width: int) -> InterfaceError:
        self.culprit = True
        names = self.names()
        return InterfaceError(
            f"records[{self.count}]: {counted(width, 'value')}, and there "
            f"{'is' if len(names) == 1 else 'are'} {counted(len(names), 'column')}: "
            f"{', '.join(names)[:200]}"
        )

    def refused(self, i: int, value: object, cause: Exception) -> DataError:
        """Why the value of column number `i` cannot be sent."""
        self.culprit = True
        codec = self.codecs[i]
        place, hint = "", None
        what = ""
        if isinstance(cause, TooLong):  # not shown: its repr is longer still
            reason = cause.message
        elif isinstance(cause, Unencodable):
            codec, place, hint = cause.codec, cause.place, cause.hint
            what, reason = f"{shown(cause.value)}: ", cause.reason
        else:
            what, reason = f"{shown(value)}: ", f"cannot be encoded as UTF-8: {cause}"
        if hint is not None and "$n" in hint:
            hint = "convert it in Python: COPY has no casts"
        column = self.names()[i]
        return DataError(
            f'invalid value in records[{self.count}], column "{column}"{place} ({codec.name}): '
            f"{what}{reason}",
            hint=hint,
        )

    def other_columns(self, count: int) -> InterfaceError:
        return InterfaceError(
            f"COPY takes {counted(count, 'column')} of this table, and it has "
            f"{len(self.codecs)}: {', '.join(self.names())[:200]}",
            hint="generated columns are not copied: name all others, columns=[...]",
        )

    def names(self) -> list[str]:
        assert self.columns is not None
        return [column.name for column in self.columns.columns]


def counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
