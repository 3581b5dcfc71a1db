"""Arrays of any type that has a binary form, int2vector and oidvector.

On the wire: the number of dimensions, a flag for "has NULLs", the OID of the elements' type, the
length and the lower bound of each dimension, then the elements row by row, each with its length.
Source: array_send and array_recv in PostgreSQL's arrayfuncs.c.
"""

from collections.abc import Mapping, Sized
from typing import Any, NoReturn

from pgallop.codecs import clist, integers, numbers
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.codec import BINARY, Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.limits import MAX_ARRAY_DIMENSIONS
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# PostgreSQL's MaxArraySize.
MAX_ITEMS = 134217727

# Types whose values are lists, or can be.
SEQUENCES = frozenset({"json", "jsonb", "int2vector", "oidvector"})

# Types whose values are tuples, or have a length like them, but are no lists.
TUPLES = frozenset(
    {"point", "line", "lseg", "box", "path", "polygon", "circle", "bit", "varbit"}
    | {"tid", "pg_snapshot", "txid_snapshot"}
)


def count_items(value: Any) -> int:
    """How many items a container has that can stand for an array; -1 for everything else.

    That is what has a length and can be iterated over, but for text, bytes and mappings.
    """
    container: Sized = value
    if isinstance(value, (list, tuple)):
        return len(container)
    if not hasattr(value, "__iter__"):
        return -1
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping)):
        return -1
    try:
        return len(container)
    except TypeError:  # a generator, or numpy's array of no dimensions
        return -1


class ArrayCodec(Codec):
    """An array as a list, nested as deep as it has dimensions; lower bounds are not kept.

    Every container with a length is taken for an array and, within one, for a sub-array. Those of
    one level need the same length. Without elements an array has no dimensions, however nested.
    """

    __slots__ = ("element", "lower_bound")

    element: Codec
    lower_bound: int

    def __init__(self, oid: int, name: str, element: Codec, lower_bound: int = 1) -> None:
        super().__init__(oid, name, "list or another container with a length", atomic=False)
        self.element = element
        self.lower_bound = lower_bound

    def encode(self, writer: Writer, value: Any) -> None:
        shape = self.shape(value)
        empty = shape[-1] == 0
        writer.write_int32(0 if empty else len(shape))
        flags = writer.pos
        writer.write_int32(0)
        writer.write_uint32(self.element.oid)
        if not empty:
            for length in shape:
                writer.write_int32(length)
                writer.write_int32(self.lower_bound)
        if self.write_items(writer, value, shape, 0):
            writer.patch_int32(flags, 1)

    def shape(self, value: Any) -> tuple[int, ...]:
        """The length of each dimension, as the first items show them."""
        length = count_items(value)
        if length < 0:
            self.refuse(value)
        lengths: list[int] = []
        while length >= 0:
            if len(lengths) == MAX_ARRAY_DIMENSIONS:
                self.refuse(value, f"has more than {MAX_ARRAY_DIMENSIONS} dimensions")
            if length > MAX_ITEMS:
                self.refuse(value, f"has more than {MAX_ITEMS} elements")
            lengths.append(length)
            value = next(iter(value), None)
            length = self.nested(value)
        return tuple(lengths)

    def nested(self, value: Any) -> int:
        """The length of `value` if it is a sub-array, -1 if it is an element."""
        return count_items(value)

    def write_items(self, writer: Writer, items: Any, shape: tuple[int, ...], depth: int) -> bool:
        """Write the items of one level and all below them; return whether NULLs are among them."""
        length = shape[depth]
        innermost = depth + 1 == len(shape)
        element = self.element
        nulls = False
        i = 0
        try:
            for item in items:
                if i == length:
                    i = -1
                    break
                if not innermost:
                    if self.nested(item) != shape[depth + 1]:
                        self.refuse_ragged(item, shape[depth + 1])
                    if self.write_items(writer, item, shape, depth + 1):
                        nulls = True
                elif item is None:
                    writer.write_int32(-1)
                    nulls = True
                else:
                    start = writer.begin_field()
                    element.encode(writer, item)
                    writer.finish_field(start)
                i += 1
        except Unencodable as error:
            error.place = f"[{i}]{error.place}"
            if error.hint is not None:
                # What is sent, and so what can be cast, is the array.
                cast = f"$n::text::{element.name}"
                error.hint = error.hint.replace(cast, f"$n::text[]::{self.name}")
            raise
        if i != length:
            self.refuse(items, f"yields more or fewer items than its length, {length}")
        return nulls

    def refuse_ragged(self, item: Any, expected: int) -> NoReturn:
        found = self.nested(item)
        what = f"has {found} items" if found >= 0 else f"is of type {type(item).__name__}"
        self.refuse(item, f"{what} where the first sub-array of this level has {expected} items")

    def decode(self, reader: Reader, size: int) -> Any:
        dimensions = reader.read_int32()
        flags = reader.read_int32()
        oid = reader.read_uint32()
        if dimensions < 0 or dimensions > MAX_ARRAY_DIMENSIONS:
            raise ProtocolError(f"the server sent an array of {dimensions} dimensions")
        if flags != 0 and flags != 1:
            raise ProtocolError(f"the server sent an array with the flags {flags}")
        if oid != self.element.oid:
            raise ProtocolError(
                f"the server sent an array of the type with OID {oid} for {self.name}"
            )
        if dimensions == 0:
            return []
        shape: list[int] = []
        for _ in range(dimensions):
            shape.append(reader.read_int32())
            reader.read_int32()  # the lower bound
        # Each element takes four bytes at least. Compared without a product that could overflow.
        room = (reader.end - reader.pos) // 4
        count = 1
        for length in shape:
            if length < 0 or (count > 0 and length > room // count):
                raise ProtocolError(
                    f"the server announced an array of {' x '.join(map(str, shape))} elements in "
                    f"{reader.end - reader.pos} bytes"
                )
            count *= length
        if dimensions == 1 or count == 0:
            return self.read_items(reader, count)
        return self.read_nested(reader, tuple(shape), 0)

    def read_nested(self, reader: Reader, shape: tuple[int, ...], depth: int) -> list[Any]:
        if depth + 1 == len(shape):
            return self.read_items(reader, shape[depth])
        return [self.read_nested(reader, shape, depth + 1) for _ in range(shape[depth])]

    def read_items(self, reader: Reader, count: int) -> list[Any]:
        element = self.element
        values = clist.new_list(count)
        end = reader.end
        for i in range(count):
            size = reader.read_size()
            if size < 0:
                clist.fill(values, i, None)
                continue
            # The codec sees its element and nothing else, and has to read all of it.
            start = reader.pos
            reader.end = start + size
            clist.fill(values, i, element.decode(reader, size))
            if reader.pos != start + size:
                raise ProtocolError(
                    f"element {i} of {self.name} has {size} bytes, which is not what its type "
                    f"{element.name} takes"
                )
            reader.end = end
        return clist.filled(values)


# The kinds of numbers that C reads without help of a codec.
BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8 = range(7)


class FixedWidthCodec(ArrayCodec):
    """An array whose elements all take `width` bytes and are numbers of one `kind`.

    Looking at the bounds once for all of them, and calling nothing for each, it reads (and Python
    frees) an int that is made already in 45 instructions; element by element it is 135.
    """

    __slots__ = ("kind", "width")

    width: int
    kind: int

    def __init__(self, oid: int, name: str, element: Codec, width: int, kind: int) -> None:
        super().__init__(oid, name, element)
        self.width = width
        self.kind = kind

    def read_items(self, reader: Reader, count: int) -> list[Any]:
        width = self.width
        step = 4 + width
        kind = self.kind
        base = reader.base
        pos = reader.pos
        if count <= (reader.end - pos) // step:
            values = clist.new_list(count)
            for i in range(count):
                if bigendian.load_int32(base, pos) != width:
                    break
                # A choice that is always the same costs less than a call for each element.
                if kind == INT4:
                    integers.fill(values, i, bigendian.load_int32(base, pos + 4))
                elif kind == INT8:
                    integers.fill(values, i, bigendian.load_int64(base, pos + 4))
                elif kind == INT2:
                    integers.fill(values, i, bigendian.load_int16(base, pos + 4))
                elif kind == OID:
                    integers.fill(values, i, bigendian.load_uint32(base, pos + 4))
                elif kind == FLOAT8:
                    clist.fill(values, i, bigendian.load_float64(base, pos + 4))
                elif kind == FLOAT4:
                    clist.fill(values, i, bigendian.load_float32(base, pos + 4))
                else:
                    clist.fill(values, i, base[pos + 4] != 0)
                pos += step
            else:
                reader.pos = pos
                return clist.filled(values)
        # There are NULLs.
        return ArrayCodec.read_items(self, reader, count)


FIXED_WIDTH: dict[type[Codec], tuple[int, int]] = {
    numbers.BoolCodec: (1, BOOL),
    numbers.Int2Codec: (2, INT2),
    numbers.Int4Codec: (4, INT4),
    numbers.Int8Codec: (8, INT8),
    numbers.OidCodec: (4, OID),
    numbers.Float4Codec: (4, FLOAT4),
    numbers.Float8Codec: (8, FLOAT8),
}


class SequencesCodec(ArrayCodec):
    """An array whose elements may be lists themselves, as json's: only tuples are sub-arrays.

    Both come back as lists, so a json array of two dimensions, sent back, is one of JSON arrays.
    """

    __slots__ = ()

    def nested(self, value: Any) -> int:
        return count_items(value) if isinstance(value, tuple) else -1


class TuplesCodec(ArrayCodec):
    """An array whose elements may be tuples, as points: only lists are sub-arrays."""

    __slots__ = ()

    def nested(self, value: Any) -> int:
        return count_items(value) if isinstance(value, list) else -1


class VectorCodec(ArrayCodec):
    """int2vector and oidvector: arrays of one dimension that count from 0 and have no NULLs.

    The server cannot read an empty one in binary (int2vectorrecv, oidvectorrecv).
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if count_items(value) == 0:
            self.refuse(value, "cannot be sent empty", f"write it into the SQL: ''::{self.name}")
        ArrayCodec.encode(self, writer, value)

    def nested(self, value: Any) -> int:
        return -1

    def write_items(self, writer: Writer, items: Any, shape: tuple[int, ...], depth: int) -> bool:
        if ArrayCodec.write_items(self, writer, items, shape, depth):
            self.refuse(items, "cannot contain NULL")
        return False


def array_of(element: Codec) -> ArrayCodec:
    """The codec for arrays of what `element` reads and writes, for one of PostgreSQL's own types.

    Arguments
        element: a codec with a binary format.

    Errors raised
        KeyError: the type is none of PostgreSQL's own, or it has no array type.

    Example::

        registry.add(array_of(registry.get(OIDS["int4"])))
    """
    oid, name = ARRAYS[element.name], f"{element.name}[]"
    if type(element) in FIXED_WIDTH:
        return FixedWidthCodec(oid, name, element, *FIXED_WIDTH[type(element)])
    if element.name in SEQUENCES:
        return SequencesCodec(oid, name, element)
    if element.name in TUPLES:
        return TuplesCodec(oid, name, element)
    return ArrayCodec(oid, name, element)


def register(registry: Registry) -> None:
    for vector, element in (("int2vector", "int2"), ("oidvector", "oid")):
        registry.add(VectorCodec(OIDS[vector], vector, registry.get(OIDS[element]), 0))
    for name, oid in ARRAYS.items():
        if OIDS[name] in registry and oid not in registry:
            codec = registry.get(OIDS[name])
            if codec.format == BINARY:
                registry.add(array_of(codec))
