"""`Statement`: a statement as it is run, bound once to codecs and constant bytes."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any, NamedTuple

from pgallop.codecs.codec import BINARY, TEXT, Codec, Unresolved, Verbatim
from pgallop.codecs.registry import Registry
from pgallop.rows.building import TypedRows
from pgallop.rows.decode import RowDecoder
from pgallop.rows.typed import typed_rows
from pgallop.session.outcomes import words
from pgallop.sql.changes import has_any, is_notable
from pgallop.wire import backend, frontend
from pgallop.wire.backend import Field
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

if TYPE_CHECKING:
    from pgallop.session.prepare import Prepare


# For so many targets (`into=`) a statement remembers how to make them: classes and functions that
# are made anew for each call must not pile up.
MOST_TARGETS = 8


class Description(NamedTuple):
    """What the server tells of a statement: its parameters' types, its columns.

    `columns` is None if it returns no rows (rows can have no columns).
    """

    parameters: tuple[int, ...]
    columns: tuple[Field, ...] | None


def _execute_sync(max_rows: int, described: bool) -> bytes:
    writer = Writer()
    if described:
        frontend.describe_portal(writer, b"")
    frontend.execute(writer, b"", max_rows)
    frontend.sync(writer)
    return writer.take()


ALL_ROWS = _execute_sync(0, described=False)
FIRST_ROW = _execute_sync(1, described=False)
ALL_ROWS_DESCRIBED = _execute_sync(0, described=True)
FIRST_ROW_DESCRIBED = _execute_sync(1, described=True)


class Statement:
    """A statement that the server has parsed under `name`, or parses each time if that is empty.

    `key`: what it is found by, its text if none is given. `parameters`: the codecs of its
    arguments; `decoder`: reads its rows, None if it returns none. `presumed`: its description was
    not asked for this time, so what the server says of its types may differ. Without any
    description it is run without arguments, with all results in binary, whatever they turn out to
    be. `unreadable`: the columns that come in another form than their codec reads. `described`:
    what the server has said instead of what was presumed. `generation`: that of the knowledge it
    was made from.

    `varies`: its columns may be others each time, without an error: the server does not compare
    what FETCH and EXECUTE return with what it described. `once`: the formats that its columns come
    in hold for this time only. `is_unresolved`: the server has to be asked about one of its types
    before it is run (`resolving.py`), or they have other codecs by now. `is_guess`: it was run
    without any description.

    While its Parse is on the way that is `prepare`; if it was refused, the error's fields are the
    `refusal` of all that rely on it.
    """

    __slots__ = (
        "alone",
        "columns",
        "decoder",
        "described",
        "formats",
        "generation",
        "head",
        "is_guess",
        "is_unresolved",
        "key",
        "name",
        "notable",
        "once",
        "parameter_oids",
        "parameters",
        "parse",
        "prepare",
        "presumed",
        "query",
        "refusal",
        "registry",
        "row_description",
        "run_all",
        "run_one",
        "tail",
        "typed",
        "unreadable",
        "varies",
        "whole",
        "whole_limited",
    )

    key: Hashable
    prepare: "Prepare | None"
    query: str
    name: bytes
    registry: Registry
    parameter_oids: tuple[int, ...]
    parameters: tuple[Codec, ...]
    columns: tuple[Field, ...]
    decoder: RowDecoder | None
    typed: dict[Any, TypedRows]
    alone: bool
    notable: bool
    varies: bool
    once: bool
    is_guess: bool
    is_unresolved: bool
    presumed: bool
    generation: int
    formats: tuple[int, ...]
    unreadable: tuple[int, ...]
    described: Description | None
    row_description: bytes | None
    refusal: dict[str, str] | None
    parse: bytes
    head: bytes
    tail: bytes
    run_all: bytes
    run_one: bytes
    whole: bytes
    whole_limited: bytes

    def __init__(
        self,
        query: str,
        name: bytes,
        description: Description | None,
        registry: Registry,
        key: Hashable = None,
        presumed: bool = False,
    ) -> None:
        self.key = query if key is None else key
        self.query = query
        self.name = name
        self.registry = registry
        self.presumed = presumed or description is None
        self.is_guess = description is None
        self.generation = 0
        self.prepare = None
        self.refusal = None
        self.described = None
        self.row_description = None
        self.alone = reads_copy_data(query)
        self.notable = is_notable(query)
        self.varies = varies(query)
        self.bind(description)

    def bind(self, description: Description | None) -> None:
        """Look the codecs up, as the registry has them now."""
        get = self.registry.get
        self.parameter_oids = () if description is None else description.parameters
        parameters = [get(oid) for oid in self.parameter_oids]
        self.parameters = tuple([codec.parameter() for codec in parameters])
        self.formats = (BINARY,)
        columns = None if description is None else description.columns
        codecs = [get(column.type_oid) for column in columns or ()]
        if description is not None:
            self.formats = tuple([codec.format for codec in codecs])
        self.is_unresolved = any(
            isinstance(codec, Unresolved) for codec in (*self.parameters, *codecs)
        )
        # One for all holds for any number of columns.
        self.once = self.varies and len(set(self.formats)) > 1
        self.read_as(columns, self.formats)
        self.make_messages()

    def outdate(self) -> None:
        """Its types have other codecs now: it is not to be run any more, but `renewed`."""
        self.is_unresolved = True

    def renewed(self) -> "Statement":
        """The same statement with the codecs that the registry has now.

        This one stays as it is, for what is under way was written for its formats.
        """
        description = self.described
        if description is None and (self.decoder is not None or not self.is_guess):
            columns = None if self.decoder is None else self.columns
            description = Description(self.parameter_oids, columns)
        twin = Statement(self.query, self.name, description, self.registry, self.key, self.presumed)
        twin.generation = self.generation
        return twin

    def types(self) -> list[int]:
        """The types of its parameters and columns."""
        return [*self.parameter_oids, *[column.type_oid for column in self.columns]]

    def read_as(self, columns: tuple[Field, ...] | None, formats: tuple[int, ...]) -> None:
        """Read rows as these columns, which come in these formats (as Bind asks for them)."""
        self.columns = columns or ()
        codecs = [self.registry.get(column.type_oid) for column in self.columns]
        unreadable: list[int] = []
        for i, codec in enumerate(codecs):
            format = format_of(i, formats)
            if codec.format != format or isinstance(codec, Unresolved):
                codecs[i] = Verbatim(codec.oid, codec.name, format)
                unreadable.append(i)
        self.unreadable = tuple(unreadable)
        names = tuple([column.name for column in self.columns])
        self.decoder = None if columns is None else RowDecoder(names, tuple(codecs))
        self.typed = {}

    def rows_into(self, into: Any) -> TypedRows:
        """What makes its rows, of which there are some to come, into `into`; see `typed_rows`."""
        assert self.decoder is not None
        try:
            found = self.typed.get(into)
        except TypeError:  # not hashable
            return typed_rows(self.decoder, into)
        if found is None:
            found = typed_rows(self.decoder, into)
            if len(self.typed) == MOST_TARGETS:
                del self.typed[next(iter(self.typed))]
            self.typed[into] = found
        return found

    def is_read_as(self, columns: tuple[Field, ...] | None) -> bool:
        """Whether rows of these columns are read as they should be."""
        if columns is None or self.decoder is None:
            return columns is None and self.decoder is None
        return [(each.name, each.type_oid) for each in columns] == [
            (each.name, each.type_oid) for each in self.columns
        ]

    def correct(self, description: Description) -> None:
        """Take what the server tells of the statement for what was presumed."""
        same = self.is_read_as(description.columns)
        if not same:
            self.read_as(description.columns, self.formats)
        if not same or self.parameter_oids != description.parameters:
            self.described = description

    def on_portal(self, row_description: bytes | None) -> None:
        """Take the RowDescription of an execution, None for NoData; mostly it is the last one."""
        if row_description is not None and row_description == self.row_description:
            return
        columns = None
        if row_description is not None:
            columns = tuple(backend.row_description(Reader(row_description)))
        if not self.is_read_as(columns):
            self.described = Description(self.parameter_oids, columns)
        self.read_as(columns, tuple([column.format for column in columns or ()]))
        self.row_description = row_description

    def make_messages(self) -> None:
        """The constant parts of all messages, so that running only adds the arguments."""
        formats = tuple([codec.format for codec in self.parameters])
        self.head = frontend.bind_head(b"", self.name, formats)
        self.tail = frontend.bind_tail(self.formats)
        self.parse = b""
        self.run_all = ALL_ROWS
        self.run_one = FIRST_ROW
        if not self.name:
            writer = Writer()
            frontend.parse(writer, b"", self.query, self.parameter_oids)
            self.parse = writer.take()
        if not self.name or self.varies:
            self.run_all = ALL_ROWS_DESCRIBED
            self.run_one = FIRST_ROW_DESCRIBED
        # Without arguments all of it is constant.
        self.whole = b""
        self.whole_limited = b""
        if not self.parameters:
            writer = Writer()
            writer.write_bytes(self.parse)
            frontend.bind(writer, self.head, self.tail)
            whole = writer.take()
            self.whole = whole + self.run_all
            self.whole_limited = whole + self.run_one


def varies(query: str) -> bool:
    """Whether the server may return other columns than it has described, and raise no error.

    What it plans it also plans anew and compares; FETCH returns what the cursor has that bears this
    name now, EXECUTE what the statement has (`PlanCacheComputeResultDesc` in plancache.c).
    """
    return any(word.lower() in ("fetch", "execute") for word in words(query, 1))


def format_of(i: int, formats: tuple[int, ...]) -> int:
    """The format of column `i` where Bind asks for `formats` (see `bind_tail`)."""
    if BINARY not in formats:
        return TEXT
    if TEXT not in formats:
        return BINARY
    return formats[i] if i < len(formats) else TEXT


def reads_copy_data(query: str) -> bool:
    """Whether the server may answer `query` with CopyInResponse and read what follows as data.

    The server takes STDIN and STDOUT for the same word (gram.y), so FROM STDOUT is one too. A false
    alarm costs a round trip and nothing else.
    """
    if not has_any(query, ("copy",)):
        return False
    text = query.lower()
    return "stdin" in text or ("from" in text and "stdout" in text)
