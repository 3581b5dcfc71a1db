"""Composite types, whose values are rows with named fields, and domains, which are another type.

On the wire: the number of fields, then for each the OID of its type, its length or -1 for NULL, and
its bytes. So what is known of a composite type is checked with each value: it may have changed.
Source: record_send and record_recv in the server's rowtypes.c.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pgallop.codecs.codec import Codec, TypesNeeded, Unencodable
from pgallop.errors import ProtocolError
from pgallop.rows import cpython, record
from pgallop.rows.record import Record, Shape
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

ACCEPTED = "tuple or list of all fields, Record or mapping with their names"


class CompositeCodec(Codec):
    """A composite value as a Record; taken in the order of its fields or by their names.

    `members`: what reads and writes each field, in its binary form.
    """

    __slots__ = ("members", "shape", "width", "yields_atoms")

    shape: Shape
    members: tuple[Codec, ...]
    width: int
    yields_atoms: bool

    def __init__(
        self, oid: int, name: str, names: tuple[str, ...], members: tuple[Codec, ...]
    ) -> None:
        atomic = all(codec.atomic for codec in members)
        super().__init__(oid, name, ACCEPTED, atomic=atomic)
        if len(names) != len(members):
            raise ValueError(f"{len(names)} fields with {len(members)} codecs")
        self.shape = Shape(names)
        self.members = members
        self.width = len(members)
        self.yields_atoms = atomic

    # Writing

    def encode(self, writer: Writer, value: Any) -> None:
        values = self.fields_of(value)
        codecs = self.members
        writer.write_int32(self.width)
        i = 0
        try:
            for i in range(self.width):
                codec = cpython.codec_at(codecs, i)
                writer.write_uint32(codec.oid)
                if values[i] is None:
                    writer.write_int32(-1)
                    continue
                start = writer.begin_field()
                codec.encode(writer, values[i])
                writer.finish_field(start)
        except Unencodable as error:
            error.place = f".{self.shape.names[i]}{error.place}"
            if error.hint is not None:
                # What is sent, and so what can be cast, is the whole.
                cast = f"$n::text::{self.members[i].name}"
                error.hint = error.hint.replace(cast, f"$n::text::{self.name}")
            raise

    def fields_of(self, value: Any) -> tuple[Any, ...]:
        """The values of all fields, in their order."""
        given: Any = value
        if isinstance(value, (Record, Mapping)):
            return self.named(given, given.keys())
        if not isinstance(value, (tuple, list)):
            self.refuse(given)
        values: tuple[Any, ...] = tuple(given)
        if len(values) != self.width:
            self.refuse(given, self.count_of(len(values)))
        return values

    def count_of(self, count: int) -> str:
        names = ", ".join(self.shape.names)
        return f"has {count} items, and {self.name} has {self.width} fields: {names}"

    def named(self, value: Any, given: Iterable[str]) -> tuple[Any, ...]:
        """The values of a Record or mapping, which has to have all fields and nothing else."""
        names = self.shape.names
        others = [name for name in given if name not in self.shape.index]
        if others:
            self.refuse(value, f"{self.name} has no field {others[0]!r}", self.fields_hint())
        try:
            return tuple([value[name] for name in names])
        except KeyError as error:
            self.refuse(value, f"has no field {error.args[0]!r}", self.fields_hint())

    def fields_hint(self) -> str:
        return f"the fields of {self.name} are {', '.join(self.shape.names)}; None is NULL"

    # Reading

    def decode(self, reader: Reader, size: int) -> Any:
        width = self.width
        if reader.read_int32() != width:
            raise self.changed("another number of fields")
        codecs = self.members
        values = cpython.new_tuple(width)
        end = reader.end
        i = 0
        try:
            for i in range(width):
                codec = cpython.codec_at(codecs, i)
                if reader.read_uint32() != codec.oid:
                    raise self.changed("a field of another type")
                size = reader.read_size()
                if size < 0:
                    cpython.fill(values, i, None)
                    continue
                # The codec sees its field and nothing else, and has to read all of it.
                start = reader.pos
                reader.end = start + size
                cpython.fill(values, i, codec.decode(reader, size))
                if reader.pos != start + size:
                    raise self.misfit(i, size)
                reader.end = end
        except ValueError as error:
            raise ValueError(f"field {self.shape.names[i]!r}: {error}") from error
        return self.made(cpython.filled(values))

    def made(self, values: tuple[Any, ...]) -> Any:
        """What a value is read as."""
        return record.new_record(self.shape, values, self.yields_atoms)

    def misfit(self, i: int, size: int) -> ProtocolError:
        codec = self.members[i]
        return ProtocolError(
            f"the field {self.shape.names[i]!r} of {self.name} has {size} bytes, which is not what "
            f"its type {codec.name} takes"
        )

    def changed(self, reason: str) -> TypesNeeded:
        return TypesNeeded(
            [self.oid], f"the server sent a value of the type {self.name} with {reason}"
        )


class DomainCodec(Codec):
    """A domain: what its base type reads and writes, under an OID of its own."""

    __slots__ = ("base",)

    base: Codec

    def __init__(self, oid: int, name: str, base: Codec) -> None:
        super().__init__(oid, name, base.accepts, base.format, base.atomic)
        self.base = base

    def in_binary(self) -> Codec | None:
        return self.over(self.base.in_binary())

    def writer(self) -> Codec | None:
        return self.over(self.base.writer())

    def parameter(self) -> Codec:
        base = self.base.parameter()
        return self if base is self.base else DomainCodec(self.oid, self.name, base)

    def over(self, base: Codec | None) -> Codec | None:
        """The domain over the same type, if that can be read or written."""
        if base is None or base is self.base:
            return base and self
        return DomainCodec(self.oid, self.name, base)

    def encode(self, writer: Writer, value: Any) -> None:
        self.base.encode(writer, value)

    def decode(self, reader: Reader, size: int) -> Any:
        return self.base.decode(reader, size)
