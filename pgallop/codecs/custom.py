"""Codecs of the user: functions that make values of what is exchanged, enums and classes.

What is exchanged is the text of a value, its bytes, or the numbers in it.
"""

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from pgallop.codecs import clist
from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec, Unencodable, shown
from pgallop.codecs.composites import CompositeCodec
from pgallop.codecs.numbers import Int4Codec, Int8Codec
from pgallop.codecs.text import StrCodec, TextCodec
from pgallop.codecs.textual_scalars import Form
from pgallop.rows import cpython
from pgallop.rows.record import Record
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer


class CustomCodec(Codec):
    """What `encoder` and `decoder` make of values; `exchange` takes and gives what they exchange.

    `plain`: the codec that the type has without them.
    """

    __slots__ = ("decoder", "encoder", "exchange", "plain")

    encoder: Callable[[Any], Any]
    decoder: Callable[[Any], Any]
    exchange: Codec
    plain: Codec

    def __init__(
        self,
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        exchange: Codec,
        plain: Codec,
    ) -> None:
        accepts = "what its encoder takes"
        super().__init__(exchange.oid, plain.name, accepts, exchange.format, atomic=False)
        self.encoder = encoder
        self.decoder = decoder
        self.exchange = exchange
        self.plain = plain

    def in_binary(self) -> Codec | None:
        exchange = self.exchange.in_binary()
        return None if exchange is None else self.over(exchange)

    def writer(self) -> Codec | None:
        exchange = self.exchange.writer()
        return None if exchange is None else self.over(exchange)

    def parameter(self) -> Codec:
        return self.over(self.exchange.parameter())

    def over(self, exchange: Codec) -> "CustomCodec":
        if exchange is self.exchange:
            return self
        return CustomCodec(self.encoder, self.decoder, exchange, self.plain)

    def encode(self, writer: Writer, value: Any) -> None:
        try:
            exchanged = self.encoder(value)
        except MemoryError:
            raise
        except Exception as error:
            reason = f"its encoder has raised {type(error).__name__}: {error}"
            raise Unencodable(self, value, reason) from error
        try:
            self.exchange.encode(writer, exchanged)
        except Unencodable as error:
            reason = f"its encoder has returned {shown(exchanged)}: {error.reason}"
            raise Unencodable(self, value, reason) from error

    def decode(self, reader: Reader, size: int) -> Any:
        exchanged = self.exchange.decode(reader, size)
        try:
            return self.decoder(exchanged)
        except MemoryError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise ValueError(f"its decoder has raised {said}") from error


class TextExchange(TextCodec):
    """The text of a value, as a str.

    `form`: what makes the binary form of it, in which it can be written as a part of something
    else; None if that is not known.
    """

    __slots__ = ("form",)

    form: Form | None

    def __init__(self, oid: int, name: str, form: Form | None) -> None:
        super().__init__(oid, name)
        self.form = form

    def writer(self) -> Codec | None:
        return None if self.form is None else FormWriter(self.oid, self.name, self.form)


class FormWriter(Codec):
    """Writes the binary form of a value that is given as text."""

    __slots__ = ("form",)

    form: Form

    def __init__(self, oid: int, name: str, form: Form) -> None:
        super().__init__(oid, name, "str (its text form)")
        self.form = form

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, str):
            self.refuse(value)
        try:
            writer.write_bytes(self.form(value.encode()))
        except ValueError as error:
            self.refuse(value, f"as a part of something else it goes in binary: {error}")


class BytesExchange(Codec):
    """The bytes of a value's binary form."""

    __slots__ = ()

    def __init__(self, oid: int, name: str) -> None:
        super().__init__(oid, name, "bytes, bytearray or memoryview (its binary form)")

    def encode(self, writer: Writer, value: Any) -> None:
        given: Any = value
        if not isinstance(value, (bytes, bytearray, memoryview)):
            self.refuse(given)
        writer.write_bytes(bytes(given))


class NumbersExchange(Codec):
    """The numbers in a value's binary form, as a tuple."""

    __slots__ = ("numbers",)

    numbers: tuple[Codec, ...]

    def __init__(self, oid: int, name: str, numbers: tuple[Codec, ...]) -> None:
        super().__init__(oid, name, f"tuple of {len(numbers)} ints")
        self.numbers = numbers

    def encode(self, writer: Writer, value: Any) -> None:
        given: Any = value
        if not isinstance(value, (tuple, list)) or len(given) != len(self.numbers):
            self.refuse(given)
        for i in range(len(self.numbers)):
            codec = self.numbers[i]
            codec.encode(writer, given[i])

    def decode(self, reader: Reader, size: int) -> Any:
        count = len(self.numbers)
        values = clist.new_list(count)
        for i in range(count):
            codec = self.numbers[i]
            clist.fill(values, i, codec.decode(reader, codec_size(codec)))
        return tuple(clist.filled(values))


class IntervalExchange(NumbersExchange):
    """Months, days and microseconds, which stand on the wire the other way round."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        given: Any = value
        is_sequence = isinstance(value, (tuple, list))
        NumbersExchange.encode(self, writer, given[::-1] if is_sequence else given)

    def decode(self, reader: Reader, size: int) -> Any:
        return NumbersExchange.decode(self, reader, size)[::-1]


def codec_size(codec: Codec) -> int:
    return 8 if isinstance(codec, Int8Codec) else 4


# Of the numbers that values with a tuple format are made of.
INTEGERS: dict[str, Codec] = {
    "int4": Int4Codec(OIDS["int4"], "int4", -(2**31), 2**31 - 1),
    "int8": Int8Codec(OIDS["int8"], "int8", -(2**63), 2**63 - 1),
}


class EnumCodec(StrCodec):
    """The members of an Enum, whose labels are their values if these are all str, or their names.

    Strings that are labels are taken too.
    """

    __slots__ = ("by_label", "labels", "members")

    members: type[Enum]
    by_label: dict[str, Enum]
    labels: dict[str, str]

    def __init__(self, oid: int, name: str, members: type[Enum]) -> None:
        super().__init__(oid, name, f"{members.__name__}, or a str that is one of its labels")
        self.members = members
        by_value = all(isinstance(member.value, str) for member in members)
        self.labels = {
            member.name: str.__str__(member.value) if by_value else member.name
            for member in members
        }
        # Other names of a member are labels, too.
        self.by_label = dict(members.__members__) if not by_value else {}
        self.by_label.update({self.labels[member.name]: member for member in members})

    def encode(self, writer: Writer, value: Any) -> None:
        label = None
        if isinstance(value, self.members):
            label = self.labels.get(value.name)  # several flags together are no member
        elif isinstance(value, str) and value in self.by_label:
            label = value
        if label is None:
            self.refuse(value, f"expected {self.accepts}, got {type(value).__name__}")
        self.write_text(writer, label)

    def decode(self, reader: Reader, size: int) -> Any:
        label = reader.read_utf8(size)
        member = self.by_label.get(label)
        if member is None:
            raise ValueError(f"{self.members.__name__} has no member for the label {label!r}")
        return member


class CompositeTupleCodec(CompositeCodec):
    """A composite value as a plain tuple."""

    __slots__ = ()

    def made(self, values: tuple[Any, ...]) -> Any:
        cpython.track(values)
        return values


class CompositeClassCodec(CompositeCodec):
    """A composite value as an instance of a class, made and read by the names of the fields.

    `in_order`: it is a NamedTuple with the same fields in the same order. `has_attributes`: the
    fields are attributes of the instances, which a dict or tuple has not.
    """

    __slots__ = ("has_attributes", "in_order", "kind")

    kind: Callable[..., Any]
    in_order: bool
    has_attributes: bool

    def __init__(
        self,
        oid: int,
        name: str,
        names: tuple[str, ...],
        members: tuple[Codec, ...],
        kind: Callable[..., Any],
    ) -> None:
        super().__init__(oid, name, names, members)
        self.kind = kind
        self.atomic = False
        self.in_order = isinstance(kind, type) and getattr(kind, "_fields", None) == names
        title = getattr(kind, "__name__", repr(kind))
        self.accepts = f"{title}, or a {self.accepts}"
        self.has_attributes = isinstance(kind, type) and (
            hasattr(kind, "_fields") or not issubclass(kind, (Record, Mapping, list, tuple))
        )

    def fields_of(self, value: Any) -> tuple[Any, ...]:
        kind: Any = self.kind
        if not self.has_attributes or not isinstance(value, kind):
            return CompositeCodec.fields_of(self, value)
        try:
            return tuple([getattr(value, name) for name in self.shape.names])
        except MemoryError:
            raise
        except Exception as error:
            reason = f"reading its fields has raised {type(error).__name__}: {error}"
            raise Unencodable(self, value, reason) from error

    def made(self, values: tuple[Any, ...]) -> Any:
        cpython.track(values)
        try:
            if self.in_order:
                return self.kind(*values)
            return self.kind(**dict(zip(self.shape.names, values, strict=True)))
        except MemoryError:
            raise
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            raise ValueError(f"{self.accepts.split(',')[0]} has raised {said}") from error


class RefusedCodec(Codec):
    """A type for which what the user has registered does not do; each value is told why."""

    __slots__ = ("reason",)

    reason: str

    def __init__(self, oid: int, name: str, reason: str) -> None:
        super().__init__(oid, name, "nothing")
        self.reason = reason

    def encode(self, writer: Writer, value: Any) -> None:
        self.refuse(value, self.reason)

    def decode(self, reader: Reader, size: int) -> Any:
        raise ValueError(self.reason)
