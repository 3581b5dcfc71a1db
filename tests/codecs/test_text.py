"""text and its relatives, xml, "char"."""

from __future__ import annotations

import enum

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

NAMES = ["text", "varchar", "bpchar", "name", "unknown", "cstring", "xml"]

# What a database can store.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.text(characters)


class Colour(enum.StrEnum):
    RED = "rouge"
    GREEN = "vert é"


class Shouting(str):
    """A str that lies about itself where it can."""

    __slots__ = ()

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        return b"AAAH"

    def __str__(self) -> str:
        return "AAAH"


@pytest.fixture(scope="session")
def char(registry: Registry) -> Codec:
    return registry.get(OIDS["char"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("", b""),
        ("hello", b"hello"),
        (" \t\r\n\x01\x7f", b" \t\r\n\x01\x7f"),
        ("é", b"\xc3\xa9"),
        ("日本", b"\xe6\x97\xa5\xe6\x9c\xac"),
        ("\U0001f40e!", b"\xf0\x9f\x90\x8e!"),
        ("x" * 5000, b"x" * 5000),
        ("é" * 5000, b"\xc3\xa9" * 5000),
    ],
)
def test_is_utf8(registry: Registry, name: str, value: str, data: bytes) -> None:
    codec = registry.get(OIDS[name])
    assert codec.name == name
    assert codec.format == 1
    assert codec.atomic
    assert codec.dumps(value) == data
    loaded = codec.loads(data)
    assert loaded == value
    assert type(loaded) is str


@settings(deadline=None)
@given(st.lists(texts, max_size=100))
def test_the_server_reads_and_writes_the_same(oracle: Oracle, values: list[str]) -> None:
    codec = builtin_registry().get(OIDS["text"])
    data = [codec.dumps(value) for value in values]
    assert oracle.text(codec.oid, data) == values
    assert oracle.binary(codec.oid, values) == data
    assert [codec.loads(item) for item in data] == values


@pytest.mark.parametrize("name", ["varchar", "bpchar", "name", "cstring"])
def test_the_server_takes_the_relatives(registry: Registry, oracle: Oracle, name: str) -> None:
    codec = registry.get(OIDS[name])
    values = ["", "a", "grüße", "quotes ' \" \\"]
    data = [codec.dumps(value) for value in values]
    assert oracle.text(codec.oid, data) == values
    assert oracle.binary(codec.oid, values) == data


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (Colour.RED, b"rouge"),
        (Colour.GREEN, b"vert \xc3\xa9"),
        (Shouting("quiet"), b"quiet"),
        (Shouting("qui\xe9t"), b"qui\xc3\xa9t"),
        (numpy.str_("numpy"), b"numpy"),
    ],
)
def test_subclasses_of_str_are_text(registry: Registry, value: str, data: bytes) -> None:
    assert registry.get(OIDS["text"]).dumps(value) == data


@pytest.mark.parametrize("value", [5, 1.5, b"x", None, ["x"], True, object()])
@pytest.mark.parametrize("name", NAMES)
def test_other_types_are_refused(registry: Registry, name: str, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        registry.get(OIDS[name]).dumps(value)
    assert caught.value.value is value
    assert caught.value.reason == f"expected str, got {type(value).__name__}"
    assert caught.value.place == ""


@pytest.mark.parametrize("value", ["\0", "a\0", "\0a", "é\0", "a" * 100 + "\0"])
@pytest.mark.parametrize("name", NAMES)
def test_nul_is_refused(registry: Registry, name: str, value: str) -> None:
    with pytest.raises(Unencodable) as caught:
        registry.get(OIDS[name]).dumps(value)
    assert f"NUL character at index {value.index(chr(0))}" in caught.value.reason
    assert "bytea" in str(caught.value.hint)


def test_lone_surrogates_are_refused(registry: Registry) -> None:
    with pytest.raises(Unencodable) as caught:
        registry.get(OIDS["text"]).dumps("abc\ud800")
    assert "lone surrogate '\\ud800' at index 3" in caught.value.reason
    assert caught.value.value == "abc\ud800"


@given(st.binary(max_size=50))
def test_any_bytes_are_text_or_a_value_error(data: bytes) -> None:
    codec = builtin_registry().get(OIDS["text"])
    try:
        value = codec.loads(data)
    except ValueError:
        with pytest.raises(UnicodeDecodeError):
            data.decode()
    else:
        assert value == data.decode()


@pytest.mark.parametrize(
    ("document", "sent"),
    [
        ("<a/>", "<a/>"),
        ('<?xml version="1.0"?><a/>', '<?xml version="1.0"?><a/>'),
        ('<?xml version="1.0" encoding="latin1"?><a>é</a>', '<?xml version="1.0"?><a>é</a>'),
        ("<?xml version='1.0'\nencoding = 'UTF-16' ?><a/>", "<?xml version='1.0' ?><a/>"),
        (
            '<?xml version="1.0" encoding="latin1" standalone="yes"?><a b="1"/>',
            '<?xml version="1.0" standalone="yes"?><a b="1"/>',
        ),
        # No declaration, or not the declaration's encoding.
        ('<a encoding="latin1"/>', '<a encoding="latin1"/>'),
        ('<?xml-style encoding="latin1"?><a/>', '<?xml-style encoding="latin1"?><a/>'),
        (
            '<?xml version="1.0"?><a encoding="latin1"/>',
            '<?xml version="1.0"?><a encoding="latin1"/>',
        ),
        ('<!-- <?xml encoding="latin1"?> --><a/>', '<!-- <?xml encoding="latin1"?> --><a/>'),
    ],
)
def test_xml_declares_no_encoding(registry: Registry, document: str, sent: str) -> None:
    codec = registry.get(OIDS["xml"])
    assert codec.dumps(document) == sent.encode()
    assert codec.loads(sent.encode()) == sent


def test_char_is_what_the_server_shows(char: Codec, oracle: Oracle) -> None:
    # Before PostgreSQL 16 bytes above 127 are shown as they are, which is no text in UTF-8.
    shown = range(256 if oracle.version >= 16 else 128)
    data = [bytes([byte]) for byte in shown]
    assert [char.loads(item) for item in data] == oracle.text(char.oid, data)


def test_char_survives_both_ways(char: Codec) -> None:
    values = [char.loads(bytes([byte])) for byte in range(256)]
    assert [char.dumps(value) for value in values] == [bytes([byte]) for byte in range(256)]
    assert len(set(values)) == 256
    assert all(type(value) is str for value in values)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("", b"\0"),
        ("a", b"a"),
        ("\\", b"\\"),
        ("\\000", b"\0"),
        ("\\101", b"A"),
        ("\\377", b"\xff"),
    ],
)
def test_char_reads_octal(char: Codec, value: str, data: bytes) -> None:
    assert char.dumps(value) == data


@pytest.mark.parametrize(
    "value", ["ab", "é", "\0", "\x80", "\\400", "\\08", "\\0000", "\\٣٧٧", "a\n", "\ud800"]
)
def test_char_refuses_what_is_no_byte(char: Codec, value: str) -> None:
    with pytest.raises(Unencodable, match="one byte"):
        char.dumps(value)


@pytest.mark.parametrize("value", [b"a", 97, None])
def test_char_refuses_other_types(char: Codec, value: object) -> None:
    with pytest.raises(Unencodable, match="expected str: one ASCII character"):
        char.dumps(value)


@pytest.mark.parametrize("data", [b"", b"ab"])
def test_char_of_another_size_breaks_the_protocol(char: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        char.loads(data)


def test_void_is_nothing(registry: Registry, oracle: Oracle) -> None:
    codec = registry.get(OIDS["void"])
    assert codec.loads(b"") is None
    with pytest.raises(Unencodable):
        codec.dumps("")
