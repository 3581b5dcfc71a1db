"""Values of extensions' types as no server should send them, in binary and in text."""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from struct import pack

import pytest
from array_bytes import wire
from extensions.databases import array_of, known
from hypothesis import given
from hypothesis import strategies as st

from pgallop import Cube, SparseVector
from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.extensions import CODECS
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError

HSTORE, LTREE, CUBE = map(known, ("hstore", "ltree", "cube"))
VECTOR, HALFVEC, SPARSEVEC = map(known, ("vector", "halfvec", "sparsevec"))
ARRAYS = known("vector", CodecChoices(vectors="numpy"))

# Those whose bytes say how many there are of something.
COUNTED: dict[str, tuple[Codec, bytes]] = {
    "hstore": (HSTORE, HSTORE.dumps({"a": "1", "b": None, "ü": ""})),
    "cube": (CUBE, CUBE.dumps(Cube([1, 2], [3, 4]))),
    "point": (CUBE, CUBE.dumps(Cube([1, 2]))),
    "vector": (VECTOR, VECTOR.dumps([1, 2, 3])),
    "array": (ARRAYS, ARRAYS.dumps([1, 2, 3])),
    "halfvec": (HALFVEC, HALFVEC.dumps([1, 2, 3])),
    "sparsevec": (SPARSEVEC, SPARSEVEC.dumps(SparseVector({1: 1, 7: 2}, 9))),
}

every_counted = pytest.mark.parametrize(("codec", "whole"), COUNTED.values(), ids=COUNTED)


@every_counted
def test_each_cut(codec: Codec, whole: bytes) -> None:
    for cut in range(len(whole)):
        with pytest.raises(ProtocolError):
            codec.loads(whole[:cut])
    for more in (b"\0", bytes(8), whole):
        with pytest.raises(ProtocolError):
            codec.loads(whole + more)


@every_counted
def test_an_element_sees_its_own_bytes_only(codec: Codec, whole: bytes) -> None:
    several = array_of(codec)
    assert len(several.loads(wire([whole, whole], (2, 1), oid=codec.oid))) == 2
    for first, second in ((whole + b"\0", whole[:-1]), (whole[:-1], b"\0" + whole), (b"", whole)):
        with pytest.raises(ProtocolError):
            several.loads(wire([first, second], (2, 1), oid=codec.oid))


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        # Counts.
        *[(HSTORE, pack("!i", count)) for count in (-1, 1, 2**28, 2**31 - 1, -(2**31))],
        *[(HSTORE, pack("!iii", count, 0, 0)) for count in (0, 2, -1, 2**31 - 1)],
        *[(CUBE, pack("!I", dimensions)) for dimensions in (1, 2**30, 2**31 - 1)],
        *[(CUBE, pack("!I", 2**31 + dimensions)) for dimensions in (1, 2**30, 2**31 - 1)],
        (CUBE, pack("!I101d", 2**31 + 101, *range(101))),
        (CUBE, pack("!I1d", 1, 1)),
        (CUBE, pack("!I2d", 2**31 + 1, 1, 2)),
        (CUBE, pack("!I4d", 2**31 - 2, 1, 2, 3, 4)),
        (VECTOR, pack("!HH", 0, 0)),
        (VECTOR, pack("!HH", 65535, 0)),
        (VECTOR, pack("!HHf", 1, 1, 1)),
        (VECTOR, pack("!HHf", 2, 0, 1)),
        (VECTOR, pack("!HHff", 1, 0, 1, 2)),
        (ARRAYS, pack("!HH", 0, 0)),
        (ARRAYS, pack("!HHf", 1, 65535, 1)),
        (HALFVEC, pack("!HH", 0, 0)),
        (HALFVEC, pack("!HHf", 1, 0, 1)),
        (SPARSEVEC, pack("!iii", 0, 0, 0)),
        (SPARSEVEC, pack("!iii", -1, 0, 0)),
        (SPARSEVEC, pack("!iii", 1, 0, 1)),
        (SPARSEVEC, pack("!iii", 1, -1, 0)),
        *[(SPARSEVEC, pack("!iiiif", 9, count, 0, 1, 1)) for count in (-1, 0, 2, 2**29, 2**31 - 1)],
        # Indices: out of range, twice, not in order.
        (SPARSEVEC, pack("!iiiif", 9, 1, 0, 9, 1)),
        (SPARSEVEC, pack("!iiiif", 9, 1, 0, -1, 1)),
        (SPARSEVEC, pack("!iiiif", 9, 1, 0, -(2**31), 1)),
        (SPARSEVEC, pack("!iiiiiff", 9, 2, 0, 4, 4, 1, 1)),
        (SPARSEVEC, pack("!iiiiiff", 9, 2, 0, 4, 3, 1, 1)),
        # Lengths.
        (HSTORE, pack("!iii", 1, -1, 0)),
        (HSTORE, pack("!iii", 1, -2, 0)),
        (HSTORE, pack("!iii", 1, 0, -2)),
        (HSTORE, pack("!iii", 1, 1, 0)),
        (HSTORE, pack("!iii", 1, 2**31 - 1, 0)),
        (HSTORE, pack("!iii", 1, 0, 2**31 - 1)),
        (HSTORE, pack("!iii", 1, 0, -(2**31))),
        # The same key twice.
        (HSTORE, pack("!iiiii", 2, 0, 0, 0, 0)),
        (HSTORE, pack("!ii1sii1si", 2, 1, b"a", -1, 1, b"a", 0)),
        # Versions.
        (LTREE, b""),
        (LTREE, b"\0a"),
        (LTREE, b"\2a"),
        (LTREE, b"a.b"),
    ],
)
def test_illegal_forms_break_the_protocol(codec: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.loads(data)


@pytest.mark.parametrize(
    "data", [pack("!ii1si", 1, 1, b"\xff", -1), pack("!iii1s", 1, 0, 1, b"\xff")]
)
def test_text_that_is_no_text(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        HSTORE.loads(data)


@pytest.mark.parametrize(
    ("codec", "lie"),
    [
        (HSTORE, pack("!iii", 2**31 - 1, 0, 0)),
        (CUBE, pack("!Id", 2**31 + 2**28, 1)),
        (VECTOR, pack("!HHf", 65535, 0, 1)),
        (ARRAYS, pack("!HHf", 65535, 0, 1)),
        (SPARSEVEC, pack("!iiiif", 2**31 - 1, 2**31 - 1, 0, 1, 1)),
        (SPARSEVEC, pack("!iii", 2**31 - 1, 2**28, 0)),
    ],
)
def test_a_lie_costs_no_memory(codec: Codec, lie: bytes) -> None:
    several = array_of(codec)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            codec.loads(lie)
        with pytest.raises(ProtocolError):
            several.loads(wire([lie], (1, 1), oid=codec.oid))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_dimensions_that_are_zeros_take_no_memory() -> None:
    """There may be a thousand million of them."""
    tracemalloc.start()
    try:
        vector = SPARSEVEC.loads(pack("!iii", 2**31 - 1, 0, 0))
        assert (vector.dimensions, vector.to_dict()) == (2**31 - 1, {})
        assert SPARSEVEC.loads(pack("!iiiif", 2**31 - 1, 1, 0, 2**31 - 2, 1)).indices == (
            2**31 - 2,
        )
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


# --- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        (
            "hstore",
            ["a=>1", '"a"', '"a"=>', '"a"=>null', '"a"=>"1",', '"a"=>"1","b"=>"2"', '"a"=>"1"x'],
        ),
        ("hstore", ['"a"=>"1', '"a\\', '"a"=>"1", ', ' "a"=>"1"', '"a"=>NULL "b"=>NULL', ", "]),
        (
            "cube",
            ["", "(", "1", "(1", "(1),", "(1),(1, 2)", "(1),(2),(3)", "(1,2)", "(x)", "(1, )"],
        ),
        ("cube", ["()()", "(),(1)", "(1)(2)", "(1e999)", "(inf)", " (1)"]),
        (
            "vector",
            ["", "[]", "[", "1", "[1", "[1,]", "[1, 2]", "[x]", "[NaNa]", "[1e99]", "[[1]]"],
        ),
        ("vector", ["[" + ",".join(["1"] * 65536) + "]"]),
        ("halfvec", ["", "[]", "[1,]", "[65520]", "[1e999]", "[NaN]", "[x]"]),
        ("sparsevec", ["", "{}", "{}/", "{}/0", "{}/x", "{1}/2", "{1:}/2", "{0:1}/2", "{1:1,}/2"]),
        ("sparsevec", ["{}/9999999999", "{9999999999:1}/2", "{1:1 }/2", "{x:1}/2", "{1:1}/2 "]),
        ("geometry", ["", "0", "0g", "POINT(1 2)", "01 01", "ü"]),
    ],
)
def test_what_is_no_text_of_the_type(name: str, texts: list[str]) -> None:
    codec = textual(known(name))
    for text in texts:
        with pytest.raises((ValueError, ProtocolError)):
            codec.loads(text.encode())


def test_indices_are_checked_in_text_too() -> None:
    for text in (b"{3:1}/2", b"{2:1,1:1}/2", b"{1:1,1:1}/2"):
        with pytest.raises(ProtocolError, match="with the index"):
            textual(SPARSEVEC).loads(text)


@pytest.mark.parametrize("name", ["hstore", "cube", "vector", "halfvec", "sparsevec", "geometry"])
@pytest.mark.parametrize(
    "piece", [b'"', b"\\", b'"a"=>', b'\\"', b"(", b"1, ", b"[1,", b"{1:1,", b"0"]
)
def test_a_long_text_takes_no_long_time(name: str, piece: bytes) -> None:
    codec = textual(known(name))
    start = time.process_time()
    for text in (piece * 100_000, b'"' + piece * 100_000, b"[" + piece * 100_000):
        try:
            codec.loads(text)
        except (ValueError, ProtocolError):
            continue
    assert time.process_time() - start < 1


# --- any bytes ------------------------------------------------------------------------------------


@given(name=st.sampled_from(list(CODECS)), data=st.binary(max_size=60), is_text=st.booleans())
def test_any_bytes_are_a_value_or_a_typed_error(name: str, data: bytes, is_text: bool) -> None:
    codec = known(name)
    reader = textual(codec) if is_text else codec
    try:
        value = reader.loads(data)
    except (ProtocolError, ValueError):
        return
    try:
        written = codec.dumps(value)
    except Unencodable:
        return
    assert repr(codec.loads(written)) == repr(value)


@every_counted
def test_nothing_is_leaked(codec: Codec, whole: bytes) -> None:
    value = codec.loads(whole)

    def work() -> None:
        for _ in range(300):
            codec.dumps(codec.loads(whole))
            for hostile in (whole[:-1], whole + b"\0", whole[:5]):
                with pytest.raises(ProtocolError):
                    codec.loads(hostile)
            with pytest.raises(Unencodable):
                codec.dumps(object())

    work()
    gc.collect()
    before = sys.getallocatedblocks()
    work()
    gc.collect()
    assert abs(sys.getallocatedblocks() - before) < 100
    assert repr(codec.loads(whole)) == repr(value)
