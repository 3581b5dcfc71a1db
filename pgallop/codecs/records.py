"""`record` and `record[]`: rows that have no type of their own, such as `ROW(1, 'a')`, as tuples.

On the wire: the number of fields, then for each field the OID of its type, its length or -1 for
NULL, and its bytes, in the binary form of that type whatever format was asked for. The fields have
no names. The server sends such values and takes none.
Source: record_send and record_recv in PostgreSQL's rowtypes.c.
"""

from typing import Any

from pgallop.codecs import clist
from pgallop.codecs._oids import OIDS
from pgallop.codecs.arrays import ArrayCodec
from pgallop.codecs.codec import Codec, TypesNeeded, Unresolved
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError
from pgallop.limits import MAX_NESTING
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# So many types of one record are asked about at once; a row has 1,664 fields at most.
MAX_UNKNOWN = 1664

NOT_TAKEN = "PostgreSQL sends rows without a type of their own, but does not take them"
HINT = "pass the fields one by one, as in ROW($1, $2), or the text of a composite type that exists"


class RecordCodec(Codec):
    """A row as a tuple of its fields, each read by the codec of its type.

    `registry`: where these are looked up, once for each type; what is added later for a type that
    was seen is not noticed, for which each statement has another codec than this one.
    """

    __slots__ = ("codecs", "registry")

    registry: Registry
    codecs: dict[int, Codec]

    def __init__(self, oid: int, name: str, registry: Registry) -> None:
        super().__init__(oid, name, "nothing", atomic=False)
        self.registry = registry
        self.codecs = {}

    def bind(self, registry: Registry) -> Codec:
        return self if registry is self.registry else RecordCodec(self.oid, self.name, registry)

    def encode(self, writer: Writer, value: Any) -> None:
        self.refuse(value, NOT_TAKEN, HINT)

    def decode(self, reader: Reader, size: int) -> Any:
        count = reader.read_int32()
        # Each field takes eight bytes at least: its type and its length.
        if count < 0 or count > (reader.end - reader.pos) // 8:
            raise ProtocolError(
                f"the server announced a record of {count} fields in "
                f"{reader.end - reader.pos} bytes"
            )
        if reader.depth == MAX_NESTING:
            raise ProtocolError(f"the server sent records nested deeper than {MAX_NESTING} levels")
        reader.depth += 1
        start = reader.pos
        end = reader.end
        try:
            return self.fields(reader, count)
        except TypesNeeded as needed:
            reader.pos = start
            reader.end = end
            raise TypesNeeded(needed.oids | self.unknown(reader, count), str(needed)) from None
        finally:
            reader.depth -= 1

    def unknown(self, reader: Reader, count: int) -> set[int]:
        """The types of all fields of which nothing is known: they are asked about at once."""
        oids: set[int] = set()
        for _ in range(count):
            oid = reader.read_uint32()
            if len(oids) < MAX_UNKNOWN and isinstance(self.registry.get(oid), Unresolved):
                oids.add(oid)
            reader.take(max(0, reader.read_size()))
        return oids

    def fields(self, reader: Reader, count: int) -> tuple[Any, ...]:
        values = clist.new_list(count)
        end = reader.end
        i = 0
        try:
            for i in range(count):
                oid = reader.read_uint32()
                size = reader.read_size()
                if size < 0:
                    clist.fill(values, i, None)
                    continue
                codec = self.codec_of(oid)
                # The codec sees its field and nothing else, and has to read all of it.
                start = reader.pos
                reader.end = start + size
                clist.fill(values, i, codec.decode(reader, size))
                if reader.pos != start + size:
                    raise ProtocolError(
                        f"field {i + 1} of {self.name} has {size} bytes, which is not what its "
                        f"type {codec.name} takes"
                    )
                reader.end = end
        except ValueError as error:
            raise ValueError(f"field {i + 1}: {error}") from error
        return tuple(values)

    def codec_of(self, oid: int) -> Codec:
        codec = self.codecs.get(oid)
        if codec is None:
            found = self.registry.get(oid)
            if isinstance(found, Unresolved):
                raise TypesNeeded([oid], f"nothing is known of {type_name(oid)}")
            codec = found.in_binary()
            if codec is None:
                raise ValueError(
                    f"the type {type_name(oid)} can be read as text only, and within a record it "
                    "comes in binary; cast it there, as in ROW(1, field::text)"
                )
            self.codecs[oid] = codec
        return codec


class RecordArrayCodec(ArrayCodec):
    """A list of such rows."""

    __slots__ = ()

    def bind(self, registry: Registry) -> Codec:
        element = self.element.bind(registry)
        return self if element is self.element else RecordArrayCodec(self.oid, self.name, element)

    def encode(self, writer: Writer, value: Any) -> None:
        self.refuse(value, NOT_TAKEN, HINT)


def type_name(oid: int) -> str:
    """The name of one of PostgreSQL's own types, the OID of any other."""
    return next((name for name, own in OIDS.items() if own == oid), f"with OID {oid}")


def register(registry: Registry) -> None:
    record = RecordCodec(OIDS["record"], "record", registry)
    registry.add(record)
    registry.add(RecordArrayCodec(OIDS["_record"], "record[]", record))
