"""`Codec`: how values of one PostgreSQL type are read and written."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn

from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

if TYPE_CHECKING:
    from pgallop.codecs.registry import Registry

BINARY = 1
TEXT = 0


class Unencodable(Exception):
    """A value that a codec does not take; becomes a DataError that also names the argument.

    `place`: where inside the argument the value stands, such as `[3]` in an array, or nothing.
    """

    def __init__(self, codec: "Codec", value: object, reason: str, hint: str | None = None) -> None:
        super().__init__(f"{shown(value)}: {reason}")
        self.codec = codec
        self.value = value
        self.reason = reason
        self.hint = hint
        self.place = ""


class TypesNeeded(Exception):
    """Values of these types are not what is known of them, or nothing is: ask, and read again.

    Never seen by a caller, see `pgallop.converting`. `oids`: what the server is to be asked about.
    """

    def __init__(self, oids: Iterable[int], reason: str) -> None:
        super().__init__(reason)
        self.oids = frozenset(oids)


def shown(value: object, limit: int = 80) -> str:
    """`value` in an error message: its repr, cut to `limit` characters, or its type's name."""
    try:
        # The repr of a long text may be ten times as long.
        if isinstance(value, (str, bytes, bytearray)) and len(value) > limit:
            value = value[:limit]
        text = repr(value)
    except Exception:
        # Ints of thousands of digits, lists too deep, classes of the user: the error to be reported
        # is another one.
        return f"<{type(value).__name__}>"
    return text if len(text) <= limit else text[: limit - 3] + "..."


class Codec:
    """One PostgreSQL type, read from and written to the wire.

    `oid`, `name`: the type's, as in pg_type. `accepts`: the Python types it takes, for messages.
    `format`: 1 for binary, 0 for text. `atomic`: what it yields can never refer to another object
    that refers back (int, str, datetime, ..., but not a list).
    """

    __slots__ = ("accepts", "atomic", "format", "name", "oid")

    oid: int
    name: str
    accepts: str
    format: int
    atomic: bool

    def __init__(
        self, oid: int, name: str, accepts: str, format: int = BINARY, atomic: bool = True
    ) -> None:
        self.oid = oid
        self.name = name
        self.accepts = accepts
        self.format = format
        self.atomic = atomic

    def bind(self, registry: "Registry") -> "Codec":
        """This codec for the connections of `registry`; another one if it reads other types too."""
        return self

    def in_binary(self) -> "Codec | None":
        """What reads the binary form of the type, which within a record is the only one, if any."""
        return self if self.format == BINARY else None

    def writer(self) -> "Codec | None":
        """What writes the binary form of the type, as a part of something else, if anything can."""
        return self.in_binary()

    def parameter(self) -> "Codec":
        """What writes an argument of the type, which may go in another form than results come."""
        return self

    def encode(self, writer: Writer, value: Any) -> None:
        """Write the bytes of `value`, without their length, or raise Unencodable.

        `value` is never None: NULL is the caller's business.
        """
        self.refuse(value)

    def decode(self, reader: Reader, size: int) -> Any:
        """Read exactly `size` bytes; `reader` is clamped to them."""
        return reader.read_bytes(size)

    def refuse(self, value: object, reason: str = "", hint: str | None = None) -> NoReturn:
        """Raise Unencodable; without a reason, because of the value's type."""
        if not reason:
            reason = f"expected {self.accepts}, got {type(value).__name__}"
            if isinstance(value, str) and hint is None:
                hint = f"cast in SQL: $n::text::{self.name}, or convert the str in Python"
        raise Unencodable(self, value, reason, hint)

    def dumps(self, value: object) -> bytes:
        """The bytes of `value` on the wire."""
        writer = Writer()
        self.encode(writer, value)
        return writer.take()

    def loads(self, data: bytes) -> Any:
        """The value whose bytes on the wire are `data`."""
        reader = Reader(data)
        value = self.decode(reader, len(data))
        reader.expect_end()
        return value

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} ({self.oid})>"


class Unresolved(Codec):
    """A type of which the server has to be asked something before its values make sense.

    A stand-in, replaced when that is known (`resolving.py`): no value is read or written by it.
    That is money, whose digits are not known, and every type of which nothing is.
    """

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "nothing yet")

    def in_binary(self) -> Codec | None:
        return None

    def decode(self, reader: Reader, size: int) -> Any:
        raise TypesNeeded([self.oid], f"nothing is known of {self.name}")


class Verbatim(Codec):
    """The bytes of a value as they are on the wire, in either format."""

    __slots__ = ()

    def __init__(self, oid: int, name: str, format: int) -> None:
        super().__init__(oid, name, "bytes", format)

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, bytes):
            self.refuse(value)
        writer.write_bytes(value)
