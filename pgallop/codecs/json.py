"""json and jsonb, as Python objects."""

from collections.abc import Callable
from json import JSONDecodeError, JSONDecoder, JSONEncoder
from typing import Any

from pgallop.codecs._oids import OIDS
from pgallop.codecs.choices import DEFAULT, CodecChoices, JsonFunctions
from pgallop.codecs.codec import Unencodable
from pgallop.codecs.registry import Registry
from pgallop.codecs.text import StrCodec, VersionedCodec
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


STDLIB = JsonFunctions(to_json, from_json)


class JsonCodec(StrCodec):
    """Text on the wire; `encoder` and `decoder` make it from Python objects and back.

    `encoder(object)` returns str or bytes; `decoder(text)`, which is given a str, or bytes if it
    `takes_bytes`, returns an object. They may be the user's, and raise anything; by default they
    are those of the standard library. A str is a value like others: it becomes a JSON string.

    Example::

        registry.add(JsonbCodec(OIDS["jsonb"], "jsonb", orjson.dumps, orjson.loads, True))
    """

    __slots__ = ("decoder", "encoder", "takes_bytes")

    encoder: Callable[[Any], str | bytes]
    decoder: Callable[[Any], Any]
    takes_bytes: bool

    def __init__(
        self,
        oid: int,
        name: str,
        encoder: Callable[[Any], str | bytes] = to_json,
        decoder: Callable[[Any], Any] = from_json,
        takes_bytes: bool = False,
    ) -> None:
        super().__init__(oid, name, "what JSON can say", atomic=False)
        self.encoder = encoder
        self.decoder = decoder
        self.takes_bytes = takes_bytes

    def encode(self, writer: Writer, value: Any) -> None:
        try:
            text = self.encoder(value)
        except MemoryError:
            raise
        except Exception as error:
            raise Unencodable(self, value, f"cannot become {self.name}: {told(error)}") from error
        if isinstance(text, str):
            self.write_text(writer, text)
        elif type(text) is not bytes:
            self.refuse(value, f"the encoder returned {type(text).__name__}, expected str or bytes")
        elif 0 in text:
            self.refuse(value, "the encoder returned a NUL, which PostgreSQL's text cannot contain")
        else:
            writer.write_bytes(text)

    def decode(self, reader: Reader, size: int) -> Any:
        text = reader.read_bytes(size) if self.takes_bytes else reader.read_utf8(size)
        try:
            return self.decoder(text)
        except MemoryError:
            raise
        except Exception as error:
            start = text if isinstance(text, str) else text[:50].decode("utf-8", "replace")
            start = start if len(start) <= 40 else f"{start[:40]}..."
            raise ValueError(
                f"the {self.name} value {start!r} cannot be decoded ({told(error)}); "
                "to get its text, cast it in SQL: column::text"
            ) from error


def told(error: Exception) -> str:
    """What an error says, or its class where that says all."""
    return str(error) or type(error).__name__


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


def register(registry: Registry, choices: CodecChoices = DEFAULT) -> None:
    if choices.json_as_text:
        registry.add(StrCodec(OIDS["json"], "json"))
        registry.add(VersionedCodec(OIDS["jsonb"], "jsonb"))
        return
    dumps, loads, takes_bytes = choices.json or STDLIB
    registry.add(JsonCodec(OIDS["json"], "json", dumps, loads, takes_bytes))
    registry.add(JsonbCodec(OIDS["jsonb"], "jsonb", dumps, loads, takes_bytes))
