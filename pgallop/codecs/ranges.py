"""Ranges as `Range`, multiranges as lists of it; of any type that has a binary form.

On the wire: a byte of flags, then the lower bound with its length in front, then the upper one, as
far as there are any. A multirange: how many ranges there are, then each with its length.
Source: range_recv and range_send in the server's rangetypes.c, multirange_* in multirangetypes.c.
"""

# pyright: reportPrivateUsage=false
# Ranges are made and read by their slots: nothing written in Python runs for each of them.

from collections.abc import Callable, Sequence
from typing import Any

from pgallop.codecs import arrays, clist
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.arrays import ArrayCodec, TuplesCodec
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.introspection import RANGES
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.values.range import EMPTY, LOWER_INC, LOWER_INF, UPPER_INC, UPPER_INF, Range
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# Where these flags are set, a range does not have the bound; and those of which one at most is.
NO_LOWER = EMPTY | LOWER_INF
NO_UPPER = EMPTY | UPPER_INF
OF_LOWER = LOWER_INC | LOWER_INF
OF_UPPER = UPPER_INC | UPPER_INF

# Makes an instance without its constructor.
new: Callable[[type[Any]], Any] = object.__new__

ACCEPTED = "Range, or a tuple or list of its bounds"


def is_sent(flags: int) -> bool:
    """Whether a server sends these flags of a range."""
    if flags & EMPTY:
        return flags == EMPTY
    return flags <= 31 and flags & OF_LOWER != OF_LOWER and flags & OF_UPPER != OF_UPPER


class RangeCodec(Codec):
    """A range of what `element` reads and writes.

    As in asyncpg it is also taken as a tuple or list: of both bounds, *which belong to it*, of its
    lower bound, or of nothing if it is empty. None is no bound. In arrays only as a tuple.
    """

    __slots__ = ("element",)

    element: Codec

    def __init__(self, oid: int, name: str, element: Codec) -> None:
        super().__init__(oid, name, ACCEPTED, atomic=element.atomic)
        self.element = element

    def encode(self, writer: Writer, value: Any) -> None:
        given: Range[Any] = value
        if not isinstance(value, Range):
            given = self.range_of(value)
        flags = given._flags
        writer.write_byte(flags)
        if not flags & NO_LOWER:
            self.write_bound(writer, given._lower, ".lower")
        if not flags & NO_UPPER:
            self.write_bound(writer, given._upper, ".upper")

    def range_of(self, value: Any) -> Range[Any]:
        """What is given as a tuple or list."""
        bounds: Sequence[Any] = value
        if not isinstance(value, (tuple, list)):
            self.refuse(value)
        if len(bounds) > 2:
            self.refuse(bounds, f"has {len(bounds)} items, and a range has two bounds at most")
        return Range(*bounds, upper_inc=True) if bounds else Range(empty=True)

    def write_bound(self, writer: Writer, bound: Any, place: str) -> None:
        element = self.element
        try:
            start = writer.begin_field()
            element.encode(writer, bound)
            writer.finish_field(start)
        except Unencodable as error:
            within(error, place, element, self)
            raise

    def decode(self, reader: Reader, size: int) -> Any:
        flags = reader.read_byte()
        if not is_sent(flags):
            raise ProtocolError(f"the server sent {self.name} with the flags {flags:#x}")
        value = new(Range)
        value._flags = flags
        value._lower = None if flags & NO_LOWER else self.read_bound(reader, "lower")
        value._upper = None if flags & NO_UPPER else self.read_bound(reader, "upper")
        return value

    def read_bound(self, reader: Reader, which: str) -> Any:
        element = self.element
        end = reader.end
        size = reader.read_size()
        if size < 0:
            raise ProtocolError(f"the server sent {self.name} whose {which} bound is NULL")
        # The codec sees its bound and nothing else, and has to read all of it.
        start = reader.pos
        reader.end = start + size
        try:
            bound = element.decode(reader, size)
        except ValueError as error:
            raise ValueError(f"{which} bound: {error}") from error
        if reader.pos != start + size:
            raise ProtocolError(
                f"the {which} bound of {self.name} has {size} bytes, which is not what its type "
                f"{element.name} takes"
            )
        reader.end = end
        return bound


class MultirangeCodec(Codec):
    """A list of ranges; the server orders them, joins those that touch and drops empty ones."""

    __slots__ = ("element",)

    element: Codec

    def __init__(self, oid: int, name: str, element: Codec) -> None:
        super().__init__(oid, name, "list or another container of Range", atomic=False)
        self.element = element

    def encode(self, writer: Writer, value: Any) -> None:
        count = arrays.count_items(value)
        if count < 0:
            self.refuse(value)
        writer.write_int32(count)
        i = 0
        try:
            for item in value:
                if i == count:
                    i = -1
                    break
                start = writer.begin_field()
                self.element.encode(writer, item)
                writer.finish_field(start)
                i += 1
        except Unencodable as error:
            within(error, f"[{i}]", self.element, self)
            raise
        if i != count:
            self.refuse(value, f"yields more or fewer items than its length, {count}")

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_int32()
        # Each range takes five bytes at least: its length and its flags.
        if count < 0 or count > (reader.end - reader.pos) // 5:
            raise ProtocolError(
                f"the server announced {self.name} of {count} ranges in "
                f"{reader.end - reader.pos} bytes"
            )
        values = clist.new_list(count)
        end = reader.end
        i = 0
        try:
            for i in range(count):
                size = reader.read_size()
                if size < 0:
                    raise ProtocolError(f"the server sent {self.name} in which range {i} is NULL")
                start = reader.pos
                reader.end = start + size
                clist.fill(values, i, self.element.decode(reader, size))
                if reader.pos != start + size:
                    raise ProtocolError(
                        f"range {i} of {self.name} has {size} bytes, which is not what it takes"
                    )
                reader.end = end
        except ValueError as error:
            raise ValueError(f"range {i}: {error}") from error
        return clist.filled(values)


class MultirangeArrayCodec(ArrayCodec):
    """An array whose elements are lists themselves, which have Ranges in them, or tuples.

    So a list of containers or NULLs is a sub-array, and every array that can be read can be
    written. One without items is a multirange.
    """

    __slots__ = ()

    def nested(self, value: Any) -> int:
        count = arrays.count_items(value)
        if count > 0 and not isinstance(value, tuple):
            first = next(iter(value), None)
            if first is None or arrays.count_items(first) >= 0:
                return count
        return -1


def within(error: Unencodable, place: str, part: Codec, whole: Codec) -> None:
    """Say of a value that is refused where it stands, and what can be cast: what is sent."""
    error.place = f"{place}{error.place}"
    if error.hint is not None:
        error.hint = error.hint.replace(f"$n::text::{part.name}", f"$n::text::{whole.name}")


def register(registry: Registry) -> None:
    for element, (name, several) in RANGES.items():
        codec = RangeCodec(OIDS[name], name, registry.get(OIDS[element]))
        registry.add(codec)
        registry.add(TuplesCodec(ARRAYS[name], f"{name}[]", codec))
        multirange = MultirangeCodec(OIDS[several], several, codec)
        registry.add(multirange)
        registry.add(MultirangeArrayCodec(ARRAYS[several], f"{several}[]", multirange))
