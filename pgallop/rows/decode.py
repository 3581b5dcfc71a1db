"""DataRow to Record.

A result of a million rows is a million objects for the garbage collector to walk, again and again
while the list grows: 572 ns a row tracked, 87 ns untracked. So where every column yields values
that cannot refer back to the record (`Codec.atomic`), record and tuple leave the collector's sight
at creation.
"""

from typing import Any

from pgallop.codecs.codec import Codec
from pgallop.errors import DataError, ProtocolError
from pgallop.rows import cpython
from pgallop.rows.record import Record, Shape
from pgallop.wire import bigendian
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader


class RowDecoder:
    """Reads the rows of one statement: a codec per column, bound once.

    `names`: the columns' names; `codecs`: what reads each of them.
    """

    __slots__ = ("atomic", "codecs", "shape", "width")

    shape: Shape
    codecs: tuple[Codec, ...]
    width: int
    atomic: bool

    def __init__(self, names: tuple[str, ...], codecs: tuple[Codec, ...]) -> None:
        if len(names) != len(codecs):
            raise ValueError(f"{len(names)} columns with {len(codecs)} codecs")
        self.shape = Shape(names)
        self.codecs = codecs
        self.width = len(codecs)
        self.atomic = all(codec.atomic for codec in codecs)

    def decode(self, reader: Reader) -> Record:
        """Read a DataRow to its end."""
        record = Record.__new__(Record)
        record.shape = self.shape
        record.fields = self.fields(reader)
        if self.atomic:
            cpython.untrack(record)
        else:
            cpython.track(record.fields)
        return record

    def decode_rows(self, framing: Framing, rows: list[Record], most: int) -> int:
        """Read the DataRows that are at hand, up to `most`, into `rows`; how many they were."""
        count = 0
        while count < most and framing.next_row():
            rows.append(self.decode(framing.reader))
            count += 1
        return count

    def fields(self, reader: Reader) -> tuple[Any, ...]:
        width = self.width
        if reader.read_uint16() != width:
            raise ProtocolError(f"a row does not have the {width} columns that were described")
        values = cpython.new_tuple(width)
        base = reader.base
        pos = reader.pos
        end = reader.end
        i = 0
        try:
            for i in range(width):
                if end - pos < 4:
                    raise self.lie(i, 4, end - pos)
                size = bigendian.load_int32(base, pos)
                pos += 4
                if size == -1:
                    cpython.fill(values, i, None)
                    continue
                if size < 0 or size > end - pos:
                    raise self.lie(i, size, end - pos)
                codec = self.codecs[i]
                # The codec sees its field and nothing else, and has to read all of it.
                reader.pos = pos
                pos += size
                reader.end = pos
                cpython.fill(values, i, codec.decode(reader, size))
                if reader.pos != pos:
                    raise self.misfit(i, size)
        except (ProtocolError, MemoryError):
            raise
        except Exception as error:
            raise self.undecodable(i, error) from error
        if pos != end:
            raise ProtocolError(f"{end - pos} bytes are left over in a row")
        return cpython.filled(values)

    def misfit(self, i: int, size: int) -> ProtocolError:
        return ProtocolError(
            f"column {self.shape.names[i]!r} has {size} bytes, which is not what its type "
            f"{self.codecs[i].name} takes"
        )

    def lie(self, i: int, size: int, left: int) -> ProtocolError:
        return ProtocolError(
            f"column {self.shape.names[i]!r} would take {size} bytes where {left} are left"
        )

    def undecodable(self, i: int, cause: Exception) -> DataError:
        return DataError(
            f"column {self.shape.names[i]!r} ({self.codecs[i].name}) cannot be read: {cause}",
            hint="cast it to text in the query to see it as it is",
        )
