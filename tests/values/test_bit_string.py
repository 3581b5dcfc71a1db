"""BitString."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, Literal

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgallop
from pgallop import BitString

# Its annotation says that it takes bytes.
Theirs: Any = asyncpg.BitString

BIT_ORDERS: list[Literal["big", "little"]] = ["big", "little"]

texts = st.text("01", max_size=70)


class Flags(BitString):
    """A subclass."""

    __slots__ = ()


@pytest.mark.parametrize("kind", [pgallop.BitString, asyncpg.BitString])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        (None, ""),
        ("", ""),
        ("  ", ""),
        ("1", "1"),
        ("0000 0000", "00000000"),
        ("1010 1", "10101"),
        (" 1 0 1 0 1 0 1 0 1 ", "101010101"),
        ([1, 0, True], "101"),
        (b"\1\0", "10"),
    ],
)
def test_the_constructor_is_asyncpgs(kind: Any, given: Any, text: str) -> None:
    bits = kind(given)
    assert len(bits) == len(text)
    assert [bits[i] for i in range(len(text))] == list(map(int, text))
    assert bits.as_string().replace(" ", "") == text


@given(texts)
def test_all_ways_to_the_same_bits(text: str) -> None:
    bits = BitString(text)
    theirs = Theirs(text)
    assert list(bits) == list(map(int, text))
    assert bits.as_string("") == text
    assert bits.as_string() == theirs.as_string()
    assert (bits.bytes, len(bits), bits.length) == (theirs.bytes, len(theirs), len(text))
    assert bool(bits) == bool(text)
    number = int(text or "0", 2)
    for same in (
        BitString(bits),
        BitString.frombytes(bits.bytes, len(bits)),
        BitString.from_int(number, len(text)),
        BitString.from_int(int(text[::-1] or "0", 2), len(text), "little"),
        BitString.from_int(bits.to_int(signed=True), len(text), signed=True),
        copy.copy(bits),
        copy.deepcopy(bits),
        eval(repr(bits)),
        *[pickle.loads(pickle.dumps(bits, protocol)) for protocol in range(6)],
    ):
        assert type(same) is BitString
        assert same == bits
        assert hash(same) == hash(bits)
    assert BitString(text + "0") != bits
    assert not bits != BitString(text)  # noqa: SIM202 (that it is not unequal)
    assert bits != text


@given(texts)
def test_numbers_are_asyncpgs(text: str) -> None:
    bits, theirs = BitString(text), Theirs(text)
    assert bits.to_int() == theirs.to_int() == int(text or "0", 2)
    for signed in (False, True):
        assert bits.to_int(signed=signed) == theirs.to_int(signed=signed)
        if text:  # asyncpg cannot turn around what is empty
            assert bits.to_int("little", signed=signed) == theirs.to_int("little", signed=signed)


@given(st.integers(-(2**20), 2**20), st.integers(0, 22), st.booleans())
def test_a_number_fits_or_is_refused(number: int, length: int, signed: bool) -> None:
    """As int.to_bytes has it: what comes out is the same number."""
    low, high = (-(2**length) // 2, (2**length - 1) // 2) if signed else (0, 2**length - 1)
    if low <= number <= high:
        for order in BIT_ORDERS:
            bits = BitString.from_int(number, length, order, signed=signed)
            assert len(bits) == length
            assert bits.to_int(order, signed=signed) == number
        if length:
            theirs = asyncpg.BitString.from_int(number, length, signed=signed)
            assert (
                theirs.as_string() == BitString.from_int(number, length, signed=signed).as_string()
            )
    else:
        with pytest.raises(OverflowError):
            BitString.from_int(number, length, signed=signed)


def test_a_sign_that_does_not_fit_is_refused() -> None:
    """asyncpg makes other numbers of these: 127 and -1."""
    assert asyncpg.BitString.from_int(-129, 8, signed=True).to_int(signed=True) == 127
    assert asyncpg.BitString.from_int(255, 8, signed=True).to_int(signed=True) == -1
    for number in (-129, 128, 255):
        with pytest.raises(OverflowError, match="int too big to convert: 8 bits"):
            BitString.from_int(number, 8, signed=True)


@pytest.mark.parametrize(
    "bits", ["2", "10 x", "\uff11", "+1", "1_0", "0b1", [2], [1, None], [[]], b"1"]
)
def test_what_is_no_bit(bits: Any) -> None:
    with pytest.raises(ValueError, match="invalid bit value at position"):
        BitString(bits)


def test_the_position_of_what_is_no_bit() -> None:
    with pytest.raises(ValueError, match="at position 3: 'x'"):
        BitString("10 x")


@pytest.mark.parametrize(
    ("data", "length", "text"),
    [
        (None, None, ""),
        (b"", None, ""),
        (b"", 0, ""),
        (b"\xa5", None, "10100101"),
        (b"\xff", 5, "11111"),
        (b"\x00\x80", 9, "000000001"),
        (None, 3, "000"),
        (None, 8, "00000000"),
        (bytearray(b"\xf0"), 4, "1111"),
    ],
)
def test_bytes(data: Any, length: int | None, text: str) -> None:
    bits = BitString.frombytes(data, length)
    assert bits == BitString(text)
    assert type(bits.bytes) is bytes


@pytest.mark.parametrize(
    ("data", "length"),
    [(b"", 1), (b"\0", 0), (b"\0", 9), (b"\0\0", 8), (b"\0", -1), (b"", -1), (None, -8)],
)
def test_bytes_of_another_length(data: bytes | None, length: int) -> None:
    with pytest.raises(ValueError, match="invalid bit length specified"):
        BitString.frombytes(data, length)


def test_bits_beyond_the_end_are_none() -> None:
    """asyncpg keeps them, and two bit strings of the same bits are not equal."""
    one, other = (BitString.frombytes(data, 4) for data in (b"\xff", b"\xf0"))
    assert one == other
    assert hash(one) == hash(other)
    assert one.bytes == other.bytes == b"\xf0"


@pytest.mark.parametrize("kind", [Theirs, BitString])
def test_its_arguments_have_asyncpgs_names(kind: Any) -> None:
    bits = kind(bitstring="101")
    assert kind.frombytes(bytes_=bits.bytes, bitlength=3) == bits
    assert kind.from_int(x=5, length=3, bitorder="big", signed=False) == bits
    assert bits.to_int(bitorder="little", signed=False) == 5


@given(texts, st.integers(-80, 80))
def test_an_index(text: str, index: int) -> None:
    bits = BitString(text)
    if -len(text) <= index < len(text):
        assert bits[index] == int(text[index])
    else:
        with pytest.raises(IndexError):
            bits[index]


@given(texts, st.slices(70))
def test_a_slice(text: str, part: slice) -> None:
    assert Flags(text)[part] == BitString(text[part])
    assert type(Flags(text)[part]) is Flags


@given(texts, texts)
def test_operators(one: str, other: str) -> None:
    left, right = BitString(one), BitString(other)
    assert (left + right).as_string("") == one + other
    assert [1 - bit for bit in left] == list(~left)
    if len(one) == len(other):
        pairs = list(zip(left, right, strict=True))
        assert list(left & right) == [a & b for a, b in pairs]
        assert list(left | right) == [a | b for a, b in pairs]
        assert list(left ^ right) == [a ^ b for a, b in pairs]
    else:
        with pytest.raises(ValueError, match="cannot be combined"):
            _ = left & right


@given(texts)
def test_operators_of_equal_lengths(text: str) -> None:
    bits = Flags(text)
    assert bits & bits == bits | bits == bits ^ ~bits & bits == bits
    assert bits ^ bits == BitString.frombytes(None, len(text))
    assert type(bits & BitString(text)) is type(~bits) is type(bits + bits) is Flags


@given(texts, texts)
def test_order(one: str, other: str) -> None:
    """That of text: 0 before 1, and a beginning before what it begins."""
    left, right = BitString(one), BitString(other)
    assert (left < right, right > left, left == right) == (one < other, one < other, one == other)
    assert (left <= right, right >= left) == (one <= other, one <= other)


@pytest.mark.parametrize("other", ["101", 5, b"\xa0", None, [1, 0, 1]])
def test_others_are_no_bits(other: Any) -> None:
    bits = BitString("101")
    assert bits != other
    operations: list[Callable[[], object]] = [
        lambda: bits & other,
        lambda: bits | other,
        lambda: bits ^ other,
        lambda: bits + other,
        lambda: bits < other,
        lambda: bits <= other,
        lambda: bits > other,
        lambda: bits >= other,
    ]
    for operate in operations:
        with pytest.raises(TypeError):
            operate()


def test_it_cannot_be_changed() -> None:
    bits: Any = BitString("101")
    for name in ("bytes", "length", "other"):
        with pytest.raises(AttributeError, match="BitString is immutable"):
            setattr(bits, name, 5)
        with pytest.raises(AttributeError, match="BitString is immutable"):
            delattr(bits, name)
    assert bits == BitString("101")


def test_it_is_shown_as_it_is_written() -> None:
    assert repr(BitString("1010 1")) == "BitString('10101')"
    assert repr(Flags()) == "Flags('')"


def test_subclasses_survive_pickling() -> None:
    again = pickle.loads(pickle.dumps(Flags("101")))
    assert type(again) is Flags
    assert again == BitString("101")


@pytest.mark.parametrize("order", ["", "middle", None])
def test_the_order_of_bits_has_two_names(order: Any) -> None:
    with pytest.raises(ValueError, match="'big' or 'little'"):
        BitString("101").to_int(order)
    with pytest.raises(ValueError, match="'big' or 'little'"):
        BitString.from_int(5, 3, order)


def test_a_length_is_not_negative() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        BitString.from_int(0, -1)


def test_millions_of_bits_take_no_time() -> None:
    text = "10" * 500_000
    bits = BitString(text)
    assert bits.as_string("") == text
    assert bits.to_int("little") == int(text[::-1], 2)
    assert (~bits)[0] == 0
    assert sum(bits) == 500_000
