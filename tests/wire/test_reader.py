"""The cursor's bounds, wherever it stands. Python cannot reach the compiled one, nor misuse it."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

import pytest
from scripts import message, notification_response, string

import pgallop
from pgallop.errors import ProtocolError
from pgallop.session.session import Session
from pgallop.wire.reader import Reader

READS: dict[str, int] = {
    "read_byte": 1,
    "read_int16": 2,
    "read_uint16": 2,
    "read_int32": 4,
    "read_uint32": 4,
    "read_int64": 8,
    "read_uint64": 8,
    "read_float32": 4,
    "read_float64": 8,
}


@pytest.mark.parametrize("name", [*READS, "attach", "take", "read_bytes", "clamp", "unclamp"])
def test_only_the_interpreted_reader_is_open_to_python(name: str) -> None:
    assert hasattr(Reader(b""), name) is not pgallop.__compiled__


def test_a_reader_has_its_bytes() -> None:
    reader = Reader(b"abc")
    assert (reader.owner, reader.pos, reader.end) == (b"abc", 0, 3)
    assert Reader().owner == b""


@pytest.mark.parametrize(
    "data",
    [
        message("S", b"name\0value"),
        message("S", b"name"),
        message("A", b"\0\0\0\1channel\0payload"),
        message("N", b"Stext"),
        message("E", b"Stext"),
    ],
)
def test_a_string_does_not_reach_into_the_next_message(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="does not end within its message"):
        Session().feed(data + notification_response(1, "c", "p") * 3 + string("") * 30)


if not pgallop.__compiled__:

    @pytest.fixture
    def reader() -> Reader:
        """Bytes 4 to 12 of 16: what is around them belongs to others."""
        reader = Reader()
        reader.attach(bytes(range(16)), 4, 12)
        return reader

    @pytest.mark.parametrize("name", READS)
    def test_numbers(reader: Reader, name: str) -> None:
        size = READS[name]
        code = {"byte": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I"} | {
            "int64": "q",
            "uint64": "Q",
            "float32": "f",
            "float64": "d",
        }
        read: Callable[[], float] = getattr(reader, name)
        values = [read() for _ in range(8 // size)]
        expected = pack(f"!{8 // size}{code[name.removeprefix('read_')]}", *values)
        assert expected == bytes(range(4, 12))
        with pytest.raises(ProtocolError, match=f"announced {size} bytes where 0 remain"):
            read()
        assert reader.pos == 12

    @pytest.mark.parametrize("size", [-1, -(2**31), 9, 12, 2**31 - 1])
    @pytest.mark.parametrize("name", ["take", "read_bytes", "read_utf8", "clamp"])
    def test_sizes_that_lie(reader: Reader, name: str, size: int) -> None:
        with pytest.raises(ProtocolError, match=f"{size} bytes where 8 remain"):
            getattr(reader, name)(size)
        assert (reader.pos, reader.end) == (4, 12)

    def test_bytes_and_text(reader: Reader) -> None:
        assert reader.read_bytes(3) == b"\4\5\6"
        assert reader.read_utf8(5) == "\7\x08\t\n\x0b"
        assert reader.read_bytes(0) == b""
        reader.expect_end()

    def test_a_field(reader: Reader) -> None:
        end = reader.clamp(4)
        assert (end, reader.end) == (12, 8)
        with pytest.raises(ProtocolError, match="announced 5 bytes where 4 remain"):
            reader.read_bytes(5)
        assert reader.read_bytes(4) == bytes(range(4, 8))
        reader.unclamp(end)
        assert reader.read_bytes(4) == bytes(range(8, 12))

    def test_a_field_that_is_not_read_to_its_end(reader: Reader) -> None:
        end = reader.clamp(4)
        reader.read_bytes(3)
        with pytest.raises(ProtocolError, match="1 bytes of a field were left over"):
            reader.unclamp(end)
        assert reader.end == 12

    def test_a_message_that_is_not_read_to_its_end(reader: Reader) -> None:
        with pytest.raises(ProtocolError, match="8 bytes are left over in a message"):
            reader.expect_end()

    @pytest.mark.parametrize("size", [-2, -(2**31), 5, 2**31 - 1])
    def test_a_field_length_that_lies(size: int) -> None:
        with pytest.raises(ProtocolError, match=f"field of {size} bytes where 4 remain"):
            Reader(pack("!ii", size, 0)).read_size()

    def test_field_lengths() -> None:
        for size in (-1, 0, 4):
            assert Reader(pack("!ii", size, 0)).read_size() == size
