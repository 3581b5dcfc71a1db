"""`Statement`: a prepared statement, bound once to codecs and constant bytes."""

from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.rows.decode import RowDecoder
from pgallop.wire import frontend
from pgallop.wire.backend import Field
from pgallop.wire.writer import Writer


class Statement:
    """A statement that the server has parsed under `name`.

    `parameters`: the codecs of its arguments; `columns`: its result's columns; `decoder`: reads
    its rows, None if it returns none (rows can have no columns).
    """

    __slots__ = (
        "alone",
        "columns",
        "decoder",
        "head",
        "name",
        "parameters",
        "query",
        "tail",
        "whole",
        "whole_limited",
    )

    query: str
    name: bytes
    parameters: tuple[Codec, ...]
    columns: list[Field]
    decoder: RowDecoder | None
    alone: bool
    head: bytes
    tail: bytes
    whole: bytes
    whole_limited: bytes

    def __init__(
        self,
        query: str,
        name: bytes,
        parameter_oids: tuple[int, ...],
        columns: list[Field] | None,
        registry: Registry,
    ) -> None:
        self.query = query
        self.name = name
        self.parameters = tuple([registry.get(oid) for oid in parameter_oids])
        self.columns = columns or []
        codecs = tuple([registry.get(column.type_oid) for column in self.columns])
        names = tuple([column.name for column in self.columns])
        self.decoder = None if columns is None else RowDecoder(names, codecs)
        self.alone = reads_copy_data(query)
        # The constant parts of Bind, so that running the statement only adds its arguments.
        self.head = frontend.bind_head(b"", name, tuple([c.format for c in self.parameters]))
        self.tail = frontend.bind_tail(tuple([codec.format for codec in codecs]))
        # Without arguments all of Bind, Execute and Sync is constant.
        self.whole = self._whole(0) if not parameter_oids else b""
        self.whole_limited = self._whole(1) if not parameter_oids else b""

    def _whole(self, max_rows: int) -> bytes:
        writer = Writer()
        frontend.bind_execute(writer, self.head, self.tail, max_rows)
        frontend.sync(writer)
        return writer.take()


def reads_copy_data(query: str) -> bool:
    """Whether the server may answer `query` with CopyInResponse and read what follows as data.

    The server takes STDIN and STDOUT for the same word (gram.y), so FROM STDOUT is one too. A false
    alarm costs a round trip and nothing else.
    """
    text = query.lower()
    return "copy" in text and ("stdin" in text or ("from" in text and "stdout" in text))
