"""json and jsonb, as Python objects."""

from collections.abc import Callable
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from typing import Any

from pgallop.codecs._oids import OIDS
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import StrCodec
from pgallop.errors import ProtocolError
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

# PostgreSQL's JSON has no NaN and no infinities.
to_json = JSONEncoder(allow_nan=False).encode

parse = JSONDecoder().raw_decode

# All that JSON takes for white space.
BLANK = " \t\n\r"


def from_json(text: str) -> Any:
    """What `json.loads` returns, in a third of the time: it asks a lot before it comes to this."""
    text = text.strip(BLANK)
    value, end = parse(text)
    if end != len(text):
        raise JSONDecodeError("Extra data", text, end)
    return value


class JsonCodec(StrCodec):
    """Text on the wire; `encoder` and `decoder` make it from Python objects and back.

    `encoder(object)` returns str or bytes, `decoder(str)` an object; by default they are those of
    the standard library. A str is a value like others: it becomes a JSON string.

    Example::

        registry.add(JsonbCodec(OIDS["jsonb"], "jsonb", orjson.dumps, orjson.loads))
    """

    __slots__ = ("decoder", "encoder")

    encoder: Callable[[Any], str | bytes]
    decoder: Callable[[str], Any]

    def __init__(
        self,
        oid: int,
        name: str,
        encoder: Callable[[Any], str | bytes] = to_json,
        decoder: Callable[[str], Any] = from_json,
    ) -> None:
        super().__init__(oid, name, "what JSON can say", atomic=False)
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, writer: Writer, value: Any) -> None:
        try:
            text = self.encoder(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            self.refuse(value, f"cannot become {self.name}: {error}")
        if isinstance(text, str):
            self.write_text(writer, text)
        elif type(text) is not bytes:
            self.refuse(value, f"the encoder returned {type(text).__name__}, expected str or bytes")
        elif 0 in text:
            self.refuse(value, "the encoder returned a NUL, which PostgreSQL's text cannot contain")
        else:
            writer.write_bytes(text)

    def decode(self, reader: Reader, size: int) -> Any:
        text = reader.read_utf8(size)
        try:
            return self.decoder(text)
        except (ValueError, RecursionError) as error:
            start = text if len(text) <= 40 else f"{text[:40]}..."
            raise ValueError(
                f"the {self.name} value {start!r} cannot be decoded ({error}); "
                "to get its text, cast it in SQL: column::text"
            ) from error


class JsonbCodec(JsonCodec):
    """A version byte, always 1, before the text."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        writer.write_byte(1)
        JsonCodec.encode(self, writer, value)

    def decode(self, reader: Reader, size: int) -> Any:
        version = reader.read_byte()
        if version != 1:
            raise ProtocolError(f"the server sent jsonb of version {version}, known is 1")
        return JsonCodec.decode(self, reader, size - 1)


def register(registry: Registry) -> None:
    registry.add(JsonCodec(OIDS["json"], "json"))
    registry.add(JsonbCodec(OIDS["jsonb"], "jsonb"))
