"""bit and varbit."""

from __future__ import annotations

import array
from typing import Any

import pytest
from array_bytes import wire
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop import BitString
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

BITS = BitString("10101")

texts = st.lists(st.text("01", max_size=40), max_size=100)


class Flags(BitString):
    """A subclass."""

    __slots__ = ()


@pytest.fixture(scope="module", params=["bit", "varbit"])
def codec(request: pytest.FixtureRequest) -> Codec:
    return builtin_registry().get(OIDS[request.param])


@settings(deadline=None)
@given(values=texts)
def test_the_server_reads_and_writes_the_same(
    oracle: Oracle, codec: Codec, values: list[str]
) -> None:
    data = [codec.dumps(BitString(value)) for value in values]
    assert oracle.text(codec.oid, data) == values
    assert oracle.binary(codec.oid, list(values)) == data
    assert [codec.loads(item) for item in data] == [BitString(value) for value in values]


@settings(deadline=None)
@given(values=texts)
def test_the_server_orders_them_alike(oracle: Oracle, values: list[str]) -> None:
    literals = ", ".join(f"('{value}'::varbit)" for value in values) or "('1'::varbit)"
    rows = f"(VALUES {literals}) AS v(b)"
    _, text = oracle.select(f"(SELECT string_agg(b::text, ',' ORDER BY b) FROM {rows})")
    ordered = sorted(map(BitString, values)) or [BitString("1")]
    assert text.decode() == ",".join(bits.as_string("") for bits in ordered)


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (BITS, b"\0\0\0\5\xa8"),
        (Flags("10101"), b"\0\0\0\5\xa8"),
        (BitString(), b"\0\0\0\0"),
        (BitString("00000000 1"), b"\0\0\0\x09\0\x80"),
        (b"", b"\0\0\0\0"),
        (b"ab", b"\0\0\0\x10ab"),
        (bytearray(b"ab"), b"\0\0\0\x10ab"),
        (memoryview(b"ab"), b"\0\0\0\x10ab"),
    ],
)
def test_what_is_taken(codec: Codec, value: object, data: bytes) -> None:
    assert codec.dumps(value) == data


def test_a_value_is_whole(codec: Codec) -> None:
    bits = codec.loads(b"\0\0\0\5\xa8")
    assert type(bits) is BitString
    assert bits == BITS
    assert hash(bits) == hash(BITS)
    assert (bits.bytes, bits.length, repr(bits)) == (b"\xa8", 5, "BitString('10101')")
    with pytest.raises(AttributeError, match="immutable"):
        bits.length = 4


@pytest.mark.parametrize("value", [5, True, None, [1, 0, 1], (1,), array.array("B", [1]), object()])
def test_other_types_are_refused(codec: Codec, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        codec.dumps(value)
    assert caught.value.reason == (
        f"expected BitString, bytes, bytearray or memoryview, got {type(value).__name__}"
    )


def test_text_is_refused_with_a_way_out(codec: Codec) -> None:
    """Not with a cast: of '101'::bit one bit is left."""
    with pytest.raises(Unencodable, match="got str") as caught:
        codec.dumps("101")
    assert caught.value.hint == "pass BitString('101')"
    with pytest.raises(Unencodable, match="not contiguous"):
        codec.dumps(memoryview(b"abcd")[::2])


def test_arrays(registry: Registry, codec: Codec) -> None:
    several = registry.get(ARRAYS[codec.name])
    data = [codec.dumps(BITS), None]
    assert several.dumps([BITS, None]) == wire(data, (2, 1), oid=codec.oid)
    assert several.dumps((BITS, None)) == wire(data, (2, 1), oid=codec.oid)
    assert several.dumps([[BITS], [None]]) == wire(data, (2, 1), (1, 1), oid=codec.oid)
    assert several.loads(several.dumps([[BITS], [None]])) == [[BITS], [None]]
    # A BitString is an element also where another one would be a sub-array of bits.
    assert several.loads(several.dumps([BITS, BITS])) == [BITS, BITS]
    with pytest.raises(Unencodable, match="got int") as caught:
        several.dumps([BITS, 5])
    assert caught.value.place == "[1]"


@pytest.mark.parametrize("bits", [2147483641, 2**31])
def test_more_than_the_type_can_have(codec: Codec, bits: int) -> None:
    value = BitString()
    object.__setattr__(value, "length", bits)  # the bytes would be 256 MiB
    with pytest.raises(Unencodable, match=f"has {bits} bits, more than the 2147483640 of"):
        codec.dumps(value)


# --- as no server should send them ----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        *[b"\0\0\0\x0a\xff\xc0"[:cut] for cut in range(6)],
        b"\0\0\0\x0a\xff\xc0\0",
        b"\0\0\0\0\0",
        b"\0\0\0\1",
        b"\0\0\0\x08\0\0",
        b"\0\0\0\x09\0",
        b"\xff\xff\xff\xff",
        b"\x80\0\0\0",
        b"\xff\xff\xff\xf9\0",
        b"\x7f\xff\xff\xff\0",
        b"\x7f\xff\xff\xf8",
    ],
)
def test_lies_about_the_length(codec: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        codec.loads(data)


@pytest.mark.parametrize("length", range(1, 17))
def test_bits_beyond_the_end(codec: Codec, length: int) -> None:
    size = (length + 7) // 8
    head = length.to_bytes(4)
    good = ((1 << length) - 1 << -length % 8).to_bytes(size)
    assert codec.loads(head + good) == BitString("1" * length)
    for beyond in range(-length % 8):
        bad = (int.from_bytes(good) | 1 << beyond).to_bytes(size)
        with pytest.raises(ProtocolError, match=f"with bits beyond its {length}"):
            codec.loads(head + bad)


@given(data=st.binary(max_size=12))
def test_any_bytes_are_bits_or_a_typed_error(codec: Codec, data: bytes) -> None:
    try:
        value: Any = codec.loads(data)
    except ProtocolError:
        return
    assert codec.dumps(value) == data
