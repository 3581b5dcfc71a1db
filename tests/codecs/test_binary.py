"""bytea."""

from __future__ import annotations

import array
import mmap

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable


class Key(bytes):
    __slots__ = ()


@pytest.fixture(scope="session")
def bytea() -> Codec:
    return builtin_registry().get(OIDS["bytea"])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=50))
def test_the_server_reads_and_writes_the_same(
    oracle: Oracle, bytea: Codec, values: list[bytes]
) -> None:
    data = [bytea.dumps(value) for value in values]
    assert data == values
    assert oracle.text(bytea.oid, data) == [f"\\x{value.hex()}" for value in values]
    loaded = [bytea.loads(item) for item in data]
    assert loaded == values
    assert all(type(value) is bytes for value in loaded)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (b"", b""),
        (b"\0\1\xff", b"\0\1\xff"),
        (Key(b"key"), b"key"),
        (bytearray(b"mutable"), b"mutable"),
        (memoryview(b"view")[1:3], b"ie"),
        (memoryview(b""), b""),
        (array.array("H", [1]), array.array("H", [1]).tobytes()),
        (memoryview(b"abcd").cast("B", [2, 2]), b"abcd"),
        (numpy.array([[1, 2], [3, 4]], dtype="i1"), b"\1\2\3\4"),
        (numpy.bytes_(b"numpy"), b"numpy"),
    ],
)
def test_takes_every_contiguous_buffer(bytea: Codec, value: object, data: bytes) -> None:
    assert bytea.dumps(value) == data


def test_takes_a_memory_map(bytea: Codec) -> None:
    with mmap.mmap(-1, 4096) as pages:
        pages[:3] = b"map"
        assert bytea.dumps(pages) == b"map" + bytes(4093)


def test_a_buffer_is_let_go(bytea: Codec) -> None:
    value = bytearray(b"grow")
    bytea.dumps(value)
    value.extend(b"ing")  # a BufferError while somebody looks at it
    assert bytea.dumps(value) == b"growing"


@pytest.mark.parametrize("value", ["text", numpy.str_("text"), 5, [1, 2], None, object()])
def test_other_types_are_refused(bytea: Codec, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        bytea.dumps(value)
    expected = "expected bytes, bytearray, memoryview or another buffer, got "
    assert caught.value.reason == expected + type(value).__name__
    assert caught.value.codec is bytea


@pytest.mark.parametrize(
    "value", [memoryview(b"abcdef")[::2], numpy.zeros((2, 2), order="F"), memoryview(b"ab")[::-1]]
)
def test_scattered_bytes_are_refused(bytea: Codec, value: object) -> None:
    with pytest.raises(Unencodable, match="not contiguous") as caught:
        bytea.dumps(value)
    assert caught.value.hint == "pass a copy: bytes(value)"


def test_a_released_buffer_is_refused(bytea: Codec) -> None:
    view = memoryview(b"gone")
    view.release()
    with pytest.raises(Unencodable):
        bytea.dumps(view)


@given(st.binary(max_size=100))
def test_all_bytes_are_a_value(bytea: Codec, data: bytes) -> None:
    assert bytea.loads(data) == data
