"""DataRow to Record.

A result of a million rows is a million objects for the garbage collector to walk, again and again
while the list grows: 572 ns a row tracked, 87 ns untracked. So where every column yields values
that cannot refer back to the record (`Codec.atomic`), record and tuple leave the collector's sight
at creation.
"""

from typing import Any

from pgallop.codecs.codec import Codec, TypesNeeded
from pgallop.errors import DataError, ProtocolError
from pgallop.rows import cpython, record, recycling
from pgallop.rows.record import Record, Shape
from pgallop.wire import bigendian
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader

recycling.recycle(Record)


class RowDecoder:
    """Reads the rows of one statement: a codec per column, bound once.

    `names`: the columns' names; `codecs`: what reads each of them. `nulls` counts those that are
    read, for whoever sets it to 0.
    """

    __slots__ = ("atomic", "codecs", "column", "nulls", "shape", "width")

    shape: Shape
    codecs: tuple[Codec, ...]
    width: int
    atomic: bool
    column: int
    nulls: int

    def __init__(self, names: tuple[str, ...], codecs: tuple[Codec, ...]) -> None:
        if len(names) != len(codecs):
            raise ValueError(f"{len(names)} columns with {len(codecs)} codecs")
        self.shape = Shape(names)
        self.codecs = codecs
        self.width = len(codecs)
        self.column = 0
        self.nulls = 0
        self.atomic = all(codec.atomic for codec in codecs)

    def decode(self, reader: Reader) -> Record:
        """Read a DataRow to its end."""
        try:
            return self.read(reader)
        except Exception as error:
            told = self.told(error)
            raise told from told.__cause__

    def decode_rows(self, framing: Framing, rows: list[Record], most: int) -> int:
        """Read the DataRows that are at hand, up to `most`, into `rows`; how many they were."""
        reader = framing.reader
        count = 0
        try:
            while count < most and framing.next_of(68):
                rows.append(self.read(reader))
                count += 1
        except Exception as error:
            told = self.told(error)
            raise told from told.__cause__
        return count

    def read(self, reader: Reader) -> Record:
        """Read the values of a DataRow; `column` is the number of the one that raises."""
        width = self.width
        base = reader.base
        pos = reader.pos
        end = reader.end
        if end - pos < 2 or bigendian.load_uint16(base, pos) != width:
            raise ProtocolError(f"a row does not have the {width} columns that were described")
        pos += 2
        codecs = self.codecs
        row = recycling.kept(width)
        if row is None:
            row = record.new_record(self.shape, cpython.new_tuple(width), True)
        row.shape = self.shape
        values: Any = row.fields  # interpreted a list, until it is filled
        for i in range(width):
            if end - pos < 4:
                raise self.lie(i, 4, end - pos)
            size = bigendian.load_int32(base, pos)
            pos += 4
            if size == -1:
                cpython.fill(values, i, None)
                self.nulls += 1
                continue
            if size < 0 or size > end - pos:
                raise self.lie(i, size, end - pos)
            codec = cpython.codec_at(codecs, i)
            # The codec sees its field and nothing else, and has to read all of it.
            reader.pos = pos
            pos += size
            reader.end = pos
            self.column = i
            cpython.fill(values, i, codec.decode(reader, size))
            if reader.pos != pos:
                raise self.misfit(i, size)
        if pos != end:
            raise ProtocolError(f"{end - pos} bytes are left over in a row")
        row.fields = cpython.filled(values)
        if not self.atomic:
            cpython.track(values)
            cpython.track(row)
        return row

    def misfit(self, column: int, size: int) -> ProtocolError:
        return ProtocolError(
            f"column {self.shape.names[column]!r} has {size} bytes, which is not what its type "
            f"{self.codecs[column].name} takes"
        )

    def lie(self, column: int, size: int, left: int) -> ProtocolError:
        return ProtocolError(
            f"column {self.shape.names[column]!r} would take {size} bytes where {left} are left"
        )

    def told(self, error: Exception) -> Exception:
        """What the caller is told of `error`: it is his if a value cannot be held by Python."""
        if isinstance(error, (ProtocolError, MemoryError, TypesNeeded)):
            return error
        name = self.shape.names[self.column]
        told = DataError(
            f"column {name!r} ({self.codecs[self.column].name}) cannot be read: {error}",
            hint="cast it to text in the query to see it as it is",
        )
        told.__cause__ = error
        return told
