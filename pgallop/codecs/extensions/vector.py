"""pgvector's vector and halfvec as lists or numpy arrays, and sparsevec as `SparseVector`.

On the wire: the number of dimensions and a zero, both int2, then the numbers, float4 or IEEE's half
precision. Of a sparsevec the dimensions, the number of elements and a zero, all int4, the indices,
which are int4 and count from 0, and their numbers, float4 that are not 0.
Source: vector_recv, halfvec_recv and sparsevec_recv in pgvector's vector.c, halfvec.c, sparsevec.c.
"""

from importlib import import_module
from itertools import islice
from typing import Any

from pgallop.codecs import arrays, clist
from pgallop.codecs.arrays import ArrayCodec
from pgallop.codecs.choices import NUMPY, CodecChoices
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.extensions import cvector
from pgallop.errors import ProtocolError
from pgallop.values.sparse_vector import SparseVector
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# What is rounded to infinity: the largest number and half a unit of its last place; and to zero.
FLOAT4_OVERFLOW = (2 - 2.0**-24) * 2.0**127
FLOAT4_UNDERFLOW = 2.0**-150
HALF_OVERFLOW = (2 - 2.0**-11) * 2.0**15

# pgvector's VECTOR_MAX_DIM and HALFVEC_MAX_DIM, SPARSEVEC_MAX_NNZ, SPARSEVEC_MAX_DIM.
MAX_DIMENSIONS = 16000
MAX_ELEMENTS = 16000
MAX_SPARSE_DIMENSIONS = 1000000000

ACCEPTS = "list of numbers, numpy array or another sequence"


class NumbersCodec(Codec):
    """What all three share: numbers that are finite, in the precision called `numbers`.

    What is too small for it becomes 0, as where the server reads text. `limit`: what is too large.
    """

    __slots__ = ("limit", "numbers")

    limit: float
    numbers: str

    def write_numbers(self, writer: Writer, items: tuple[Any, ...]) -> None:
        i = 0
        try:
            for i in range(len(items)):
                number = bigendian.float64(items[i])
                # Nor is NaN between them.
                if not -self.limit < number < self.limit:
                    self.refuse(items[i], f"not finite, or too large for {self.numbers}")
                self.write_number(writer, number)
        except Unencodable as error:
            error.place = f"[{i}]"
            raise
        except TypeError:
            kind = type(items[i]).__name__
            raise self.misfit(items, i, f"expected float or int, got {kind}") from None
        except OverflowError:
            raise self.misfit(items, i, f"too large for {self.numbers}") from None

    def misfit(self, items: Any, i: int, reason: str) -> Unencodable:
        error = Unencodable(self, items[i], reason)
        error.place = f"[{i}]"
        return error

    def write_number(self, writer: Writer, number: float) -> None:
        writer.write_float32(number)


class DenseCodec(NumbersCodec):
    """vector and halfvec: a list of floats, or a numpy array of their own precision.

    Taken are numpy arrays of one dimension and any numbers, other containers, and what has a
    `to_list`, as pgvector's own classes. `width`: bytes of a number.
    """

    __slots__ = ("frombuffer", "native", "sent", "width")

    width: int
    frombuffer: Any
    sent: Any
    native: Any

    def __init__(self, oid: int, name: str, width: int, vectors: str) -> None:
        super().__init__(oid, name, ACCEPTS, atomic=False)
        self.width = width
        self.frombuffer = self.sent = self.native = None
        if vectors == NUMPY:
            numpy = import_module("numpy")
            self.frombuffer = numpy.frombuffer
            self.sent = numpy.dtype(f">f{width}")
            self.native = numpy.dtype(f"f{width}")

    def encode(self, writer: Writer, value: Any) -> None:
        if type(value) is list or type(value) is tuple:
            self.write_items(writer, value)
        elif not self.write_buffer(writer, value):
            self.write_items(writer, self.listed(value))

    def write_items(self, writer: Writer, items: Any) -> None:
        """Write the numbers of a list or tuple."""
        self.write_head(writer, items, len(items))
        # A copy: objects may run code of their own to become a float, and that change the list.
        self.write_numbers(writer, tuple(items))

    def write_head(self, writer: Writer, value: Any, count: int) -> None:
        if count == 0:
            self.refuse(value, f"PostgreSQL has no {self.name} without dimensions")
        if count > MAX_DIMENSIONS:
            self.refuse(value, f"has more than {MAX_DIMENSIONS} dimensions")
        writer.write_uint16(count)
        writer.write_uint16(0)

    def write_buffer(self, writer: Writer, value: Any) -> bool:
        """Write what lies in memory as the machine has it, if that is so."""
        return False

    def listed(self, value: Any) -> Any:
        """What is not a list or tuple, as one."""
        items: Any = self.items(value)
        if items.__class__ is list:
            return items
        # What is endless, whatever it tells of its length, ends here.
        ended: Any = islice(items, MAX_DIMENSIONS + 1)
        return list(ended)

    def items(self, value: Any) -> Any:
        # A set has no order.
        if arrays.count_items(value) >= 0 and hasattr(value, "__getitem__"):
            dimensions = getattr(value, "ndim", 1)
            if dimensions != 1:
                self.refuse(value, f"an array of {dimensions} dimensions, expected one")
            # Half the time that numpy's own numbers take.
            return value.tolist() if hasattr(value, "tolist") else value
        view: Any = value
        if isinstance(value, memoryview):
            if view.ndim == 1 and view.format in ("f", "d"):
                return view.tolist()
            self.refuse(view)
        if isinstance(value, SparseVector) or hasattr(value, "indices"):
            self.refuse(
                value,
                f"expected {self.accepts}, got {type(value).__name__}",
                f"pass value.to_list(), or cast in SQL: $n::sparsevec::{self.name}",
            )
        if isinstance(value, str) or not hasattr(value, "to_list"):
            self.refuse(value)
        return value.to_list()

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_uint16()
        unused = reader.read_uint16()
        if count == 0 or unused != 0 or count * self.width != reader.end - reader.pos:
            raise ProtocolError(
                f"the server sent a {self.name} of {count} dimensions, then {unused}, in "
                f"{reader.end - reader.pos} bytes"
            )
        if self.frombuffer is None:
            return self.read_list(reader, count)
        # A copy, which can be written to.
        return self.frombuffer(reader.read_bytes(count * self.width), self.sent).astype(self.native)

    def read_list(self, reader: Reader, count: int) -> list[float]:
        values = clist.new_list(count)
        pos = reader.take(count * self.width)
        for i in range(count):
            clist.fill(values, i, self.load(reader, pos + i * self.width))
        return clist.filled(values)

    def load(self, reader: Reader, pos: int) -> float:
        """The number at `pos`, whose bytes are known to be there."""
        return bigendian.load_float32(reader.base, pos)


class VectorCodec(DenseCodec):
    __slots__ = ()

    def __init__(self, oid: int, name: str, vectors: str) -> None:
        super().__init__(oid, name, 4, vectors)
        self.limit = FLOAT4_OVERFLOW
        self.numbers = "float4"

    def write_buffer(self, writer: Writer, value: Any) -> bool:
        try:
            view = memoryview(value)
        except (TypeError, ValueError, BufferError):
            return False
        if view.format != "f" or view.ndim != 1 or not view.c_contiguous:
            return False
        count = len(view)
        self.write_head(writer, value, count)
        data = view.tobytes()
        pos = writer.reserve(4 * count)
        wrong = cvector.store_floats(writer.base, pos, data, count)
        if wrong >= 0:
            raise self.misfit(view, wrong, f"not finite, or too large for {self.numbers}")
        return True


class HalfvecCodec(DenseCodec):
    __slots__ = ()

    def __init__(self, oid: int, name: str, vectors: str) -> None:
        super().__init__(oid, name, 2, vectors)
        self.limit = HALF_OVERFLOW
        self.numbers = "half precision"

    def write_number(self, writer: Writer, number: float) -> None:
        pos = writer.reserve(2)
        cvector.store_half(writer.base, pos, number)

    def load(self, reader: Reader, pos: int) -> float:
        return cvector.load_half(reader.base, pos)


class SparsevecCodec(NumbersCodec):
    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "SparseVector")
        self.limit = FLOAT4_OVERFLOW
        self.numbers = "float4"

    def write_number(self, writer: Writer, number: float) -> None:
        # The server takes no zeros among them.
        if abs(number) <= FLOAT4_UNDERFLOW:
            self.refuse(number, f"too small for {self.numbers}, and would become 0")
        writer.write_float32(number)

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, SparseVector):
            value = self.converted(value)
        indices: tuple[int, ...] = value.indices
        numbers: tuple[float, ...] = value.values
        count = len(indices)
        if not 0 < value.dimensions <= MAX_SPARSE_DIMENSIONS:
            self.refuse(value, f"has no dimensions, or more than {MAX_SPARSE_DIMENSIONS}")
        if count > MAX_ELEMENTS:
            self.refuse(value, f"has {count} numbers that are not 0, at most are {MAX_ELEMENTS}")
        writer.write_int32(value.dimensions)
        writer.write_int32(count)
        writer.write_int32(0)
        for i in range(count):
            writer.write_int32(indices[i])
        self.write_numbers(writer, numbers)

    def converted(self, value: Any) -> SparseVector:
        """An instance of pgvector's class, which has methods where ours has attributes."""
        try:
            pairs = dict(zip(value.indices(), value.values(), strict=True))
            return SparseVector(pairs, value.dimensions())
        except (AttributeError, TypeError, ValueError):
            if isinstance(value, str):
                self.refuse(value)
            self.refuse(
                value,
                f"expected {self.accepts}, got {type(value).__name__}",
                "pass SparseVector({index: number, ...}, dimensions) or SparseVector(numbers)",
            )

    def decode(self, reader: Reader, size: int) -> Any:
        dimensions = reader.read_int32()
        count = reader.read_int32()
        unused = reader.read_int32()
        room = reader.end - reader.pos
        # Compared without a product that could overflow.
        if dimensions < 1 or unused != 0 or room % 8 != 0 or count != room // 8:
            raise ProtocolError(
                f"the server sent a sparsevec of {count} numbers, {dimensions} dimensions, then "
                f"{unused}, in {room} bytes"
            )
        indices = clist.new_list(count)
        last = -1
        for i in range(count):
            index = reader.read_int32()
            if index <= last or index >= dimensions:
                raise ProtocolError(
                    f"the server sent a sparsevec of {dimensions} dimensions with the index "
                    f"{index} behind {last}"
                )
            clist.fill(indices, i, index)
            last = index
        numbers = clist.new_list(count)
        for i in range(count):
            clist.fill(numbers, i, reader.read_float32())
        vector = SparseVector.__new__(SparseVector)
        # They cannot be set in another way.
        object.__setattr__(vector, "dimensions", dimensions)
        object.__setattr__(vector, "indices", tuple(indices))
        object.__setattr__(vector, "values", tuple(numbers))
        return vector


class VectorArrayCodec(ArrayCodec):
    """An array of lists: what has numbers in it is one vector, what has containers a sub-array.

    A vector has numbers in it, all of them, so the two cannot be mistaken for each other.
    """

    __slots__ = ()

    def nested(self, value: Any) -> int:
        count = arrays.count_items(value)
        if count <= 0:
            return count
        first = next(iter(value), None)
        return count if first is None or arrays.count_items(first) >= 0 else -1


def vector(oid: int, name: str, choices: CodecChoices) -> Codec:
    return VectorCodec(oid, name, choices.vectors)


def halfvec(oid: int, name: str, choices: CodecChoices) -> Codec:
    return HalfvecCodec(oid, name, choices.vectors)


def sparsevec(oid: int, name: str, choices: CodecChoices) -> Codec:
    return SparsevecCodec(oid, name)


CODECS = {"vector": vector, "halfvec": halfvec, "sparsevec": sparsevec}
