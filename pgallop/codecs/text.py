"""What is text on the wire (text, varchar, name, xml, jsonpath, ...), and "char".

`TextCodec` is for the types that travel in their text form, because they have no other or it is the
useful one.
"""

import re
from typing import TYPE_CHECKING, Any, NoReturn

from pgallop.codecs import ctext
from pgallop.codecs._oids import OIDS
from pgallop.codecs.choices import DEFAULT, CodecChoices
from pgallop.codecs.codec import BINARY, TEXT, Codec
from pgallop.errors import ProtocolError
from pgallop.wire import bigendian
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

if TYPE_CHECKING:
    from pgallop.codecs.registry import Registry

# Their text form and their binary form are the same. bpchar is char(n), whose values come padded
# with blanks. unknown is a literal without a type. cstring is what the output functions of types
# return. refcursor is a cursor's name. pg_node_tree is in the catalogue; the server takes none.
TEXT_TYPES = (
    *("text", "varchar", "bpchar", "name", "unknown", "cstring"),
    *("refcursor", "pg_node_tree"),
)

# An XML declaration up to its encoding, which is left out of what is kept.
XML_ENCODING = re.compile(r"""^(<\?xml\s[^>]*?)\s+encoding\s*=\s*("[^">]*"|'[^'>]*')""")

# The text form of a byte that is no ASCII character, as PostgreSQL's charin and charout have it.
OCTAL = re.compile(r"\\([0-3][0-7][0-7])")

# What "char" shows for each byte.
CHARACTERS = ("", *map(chr, range(1, 128)), *(f"\\{byte:03o}" for byte in range(128, 256)))


class StrCodec(Codec):
    """UTF-8: the connection's client_encoding is always that."""

    __slots__ = ()

    def __init__(
        self,
        oid: int,
        name: str,
        accepts: str = "str",
        format: int = BINARY,
        atomic: bool = True,
    ) -> None:
        super().__init__(oid, name, accepts, format, atomic)

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, str):
            self.refuse(value)
        self.write_text(writer, value)

    def decode(self, reader: Reader, size: int) -> Any:
        return reader.read_utf8(size)

    def write_text(self, writer: Writer, text: str) -> None:
        """Write what a database can store: no NUL and no lone surrogate."""
        if ctext.is_ascii(text):
            size = len(text)
            pos = writer.reserve(size)
            if bigendian.find_nul(ctext.ascii_bytes(text), 0, size) >= 0:
                self.refuse_nul(text)
            bigendian.store_bytes(writer.base, pos, ctext.ascii_bytes(text), size)
        else:
            writer.write_bytes(self.utf8(text))

    def utf8(self, text: str) -> bytes:
        try:
            data = ctext.utf8_bytes(text)
        except UnicodeEncodeError as error:
            surrogate, index = ascii(text[error.start]), error.start
            self.refuse(
                text,
                f"has the lone surrogate {surrogate} at index {index}, which is no character",
                "replace it: value.encode(errors='replace').decode(), or use bytea",
            )
        if 0 in data:
            self.refuse_nul(text)
        return data

    def refuse_nul(self, text: str) -> NoReturn:
        index = text.index("\0")
        self.refuse(
            text,
            f"has a NUL character at index {index}, which PostgreSQL's text cannot contain",
            "remove it, or use bytea for binary data",
        )


class TextCodec(StrCodec):
    """A type that travels in its text form, both ways, as a str.

    `binary`: what reads its binary form, which within a record is the only one; None if that has
    no meaning here.

    Example::

        registry.add(TextCodec(OIDS["aclitem"], "aclitem"))
    """

    __slots__ = ("binary",)

    binary: Codec | None

    def __init__(self, oid: int, name: str, binary: Codec | None = None) -> None:
        super().__init__(oid, name, "str (its text form)", TEXT)
        self.binary = binary

    def in_binary(self) -> Codec | None:
        return self.binary


class XmlCodec(StrCodec):
    """A str has no encoding, whatever its XML declaration says that the file once had.

    In binary the server would obey the declaration (xml_recv), and read our UTF-8 as, say, Latin-1.
    In text it ignores it (xml_in), and leaves it out of what it sends; so it is left out here.
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, str):
            self.refuse(value)
        self.write_text(writer, XML_ENCODING.sub(r"\1", value))


class VersionedCodec(StrCodec):
    """A version byte, always 1, before the text: jsonpath, and types of extensions."""

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        writer.write_byte(1)
        StrCodec.encode(self, writer, value)

    def decode(self, reader: Reader, size: int) -> Any:
        version = reader.read_byte()
        if version != 1:
            raise ProtocolError(f"the server sent {self.name} of version {version}, known is 1")
        return reader.read_utf8(size - 1)


class CharCodec(Codec):
    r"""PostgreSQL's `"char"`, one byte, as the str that PostgreSQL shows for it.

    An ASCII character stands for itself, "" for the zero byte, and a backslash with three octal
    digits for any other: "\377".
    """

    __slots__ = ()

    def encode(self, writer: Writer, value: Any) -> None:
        if not isinstance(value, str):
            self.refuse(value)
        writer.write_byte(self.byte(value))

    def byte(self, value: str) -> int:
        if len(value) == 1 and "\0" < value <= "\x7f":
            return ord(value)
        if value == "":
            return 0
        octal = OCTAL.fullmatch(value)
        if octal is None:
            self.refuse(
                value,
                'not a "char", which is one byte: an ASCII character, "", or an octal "\\377"',
                "for longer text use another type; in SQL char without quotes is another type, too",
            )
        return int(octal[1], 8)

    def decode(self, reader: Reader, size: int) -> Any:
        return CHARACTERS[reader.read_byte()]


class VoidCodec(Codec):
    """What a function without a result returns: None. `void` has no values to send."""

    __slots__ = ()

    def decode(self, reader: Reader, size: int) -> Any:
        reader.take(size)
        return None


def register(registry: "Registry", choices: CodecChoices = DEFAULT) -> None:
    for name in TEXT_TYPES:
        registry.add(StrCodec(OIDS[name], name))
    registry.add(XmlCodec(OIDS["xml"], "xml"))
    registry.add(VersionedCodec(OIDS["jsonpath"], "jsonpath"))
    registry.add(VoidCodec(OIDS["void"], "void", "nothing"))
    if not choices.char_as_bytes:
        registry.add(
            CharCodec(OIDS["char"], "char", 'str: one ASCII character, "" or an octal "\\377"')
        )
