"""bool, int2, int4, int8, oid, float4, float8."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import OIDS
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

INTEGERS = {
    "int2": (-(2**15), 2**15 - 1),
    "int4": (-(2**31), 2**31 - 1),
    "int8": (-(2**63), 2**63 - 1),
    "oid": (0, 2**32 - 1),
}
LARGEST_FLOAT4 = struct.unpack("!f", b"\x7f\x7f\xff\xff")[0]


class Indexed:
    """Counts as an integer, as numpy's integers do."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


class Unwilling:
    def __index__(self) -> int:
        raise ZeroDivisionError("the user's own")


def codec_of(registry: Registry, name: str) -> Codec:
    return registry.get(OIDS[name])


@pytest.mark.parametrize("name", INTEGERS)
def test_integers_are_the_servers(registry: Registry, oracle: Oracle, name: str) -> None:
    low, high = INTEGERS[name]
    codec = codec_of(registry, name)
    values = [low, low + 1, -1 if low else 1, 0, 1, 255, 256, high - 1, high]
    expected = oracle.binary(codec.oid, [str(value) for value in values])
    assert [codec.dumps(value) for value in values] == expected
    assert [codec.loads(data) for data in expected if data is not None] == values


@pytest.mark.parametrize("name", INTEGERS)
@given(data=st.data())
def test_any_integer(registry: Registry, name: str, data: st.DataObject) -> None:
    low, high = INTEGERS[name]
    codec = codec_of(registry, name)
    value = data.draw(st.integers(low, high))
    assert codec.loads(codec.dumps(value)) == value
    assert codec.dumps(Indexed(value)) == codec.dumps(value)


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("beyond", [1, 2, 2**70])
def test_out_of_range(registry: Registry, name: str, beyond: int) -> None:
    low, high = INTEGERS[name]
    for value in (low - beyond, high + beyond, Indexed(high + beyond)):
        with pytest.raises(Unencodable) as caught:
            codec_of(registry, name).dumps(value)
        assert caught.value.reason == f"out of range for {name}: {low} to {high}"


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("value", ["1", b"1", 1.0, Decimal(1), Fraction(1), None, [1], object()])
def test_not_an_integer(registry: Registry, name: str, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        codec_of(registry, name).dumps(value)
    assert caught.value.reason == f"expected int, got {type(value).__name__}"


def test_an_error_of_the_users_own_is_not_hidden(registry: Registry) -> None:
    with pytest.raises(ZeroDivisionError):
        codec_of(registry, "int4").dumps(Unwilling())


def test_bool_counts_as_an_integer(registry: Registry) -> None:
    assert codec_of(registry, "int4").dumps(True) == b"\0\0\0\1"


def test_bool(registry: Registry, oracle: Oracle) -> None:
    codec = codec_of(registry, "bool")
    assert [codec.dumps(True), codec.dumps(False)] == oracle.binary(codec.oid, ["t", "f"])
    assert codec.loads(b"\1") is True
    assert codec.loads(b"\0") is False


@pytest.mark.parametrize("value", [0, 1, "t", None, 1.0])
def test_not_a_bool(registry: Registry, value: object) -> None:
    with pytest.raises(Unencodable):
        codec_of(registry, "bool").dumps(value)


FLOATS = ["0", "-0", "1", "-1.5", "1e-30", "3.4028235e38", "Infinity", "-Infinity", "1e-45"]


@pytest.mark.parametrize("name", ["float4", "float8"])
def test_floats_are_the_servers(registry: Registry, oracle: Oracle, name: str) -> None:
    codec = codec_of(registry, name)
    for text, data in zip(FLOATS, oracle.binary(codec.oid, FLOATS), strict=True):
        assert data is not None
        assert codec.dumps(float(text)) == data
        value = codec.loads(data)
        assert codec.dumps(value) == data
        assert math.copysign(1, value) == math.copysign(1, float(text))
    (nan,) = oracle.binary(codec.oid, ["NaN"])
    assert nan is not None
    assert math.isnan(codec.loads(nan))
    assert math.isnan(codec.loads(codec.dumps(math.nan)))


@given(value=st.floats(allow_nan=False))
def test_any_float8(registry: Registry, value: float) -> None:
    codec = codec_of(registry, "float8")
    assert codec.dumps(value) == struct.pack("!d", value)
    assert codec.loads(codec.dumps(value)) == value


@given(value=st.floats(width=32, allow_nan=False))
def test_any_float4(registry: Registry, value: float) -> None:
    codec = codec_of(registry, "float4")
    assert codec.dumps(value) == struct.pack("!f", value)
    assert codec.loads(codec.dumps(value)) == value


@pytest.mark.parametrize("value", [3.4028235677973366e38, -1e39, 1e308])
def test_too_large_for_float4(registry: Registry, value: float) -> None:
    with pytest.raises(Unencodable, match="too large for float4"):
        codec_of(registry, "float4").dumps(value)


@pytest.mark.parametrize("value", [2.0**-150, -(2.0**-150), 1e-46, -5e-324])
def test_too_small_for_float4(registry: Registry, oracle: Oracle, value: float) -> None:
    codec = codec_of(registry, "float4")
    with pytest.raises(Unencodable, match="too small for float4"):
        codec.dumps(value)
    with pytest.raises(ValueError, match="out of range"):
        oracle.binary(codec.oid, [repr(value)])


def test_what_rounds_to_the_smallest_float4(registry: Registry) -> None:
    codec = codec_of(registry, "float4")
    assert codec.loads(codec.dumps(math.nextafter(2.0**-150, 1))) == 2.0**-149
    assert codec.dumps(-0.0) == b"\x80\0\0\0"


def test_what_rounds_to_the_largest_float4(registry: Registry) -> None:
    codec = codec_of(registry, "float4")
    assert codec.loads(codec.dumps(3.4028235677973362e38)) == LARGEST_FLOAT4


@pytest.mark.parametrize("name", ["float4", "float8"])
def test_other_numbers_as_floats(registry: Registry, name: str) -> None:
    codec = codec_of(registry, name)
    for value in (2, True, Decimal("2.5"), Fraction(1, 4), Indexed(7)):
        expected = float(value.value if isinstance(value, Indexed) else value)
        assert codec.loads(codec.dumps(value)) == expected
    with pytest.raises(Unencodable, match="too large"):
        codec.dumps(10**400)


@pytest.mark.parametrize("name", ["float4", "float8"])
@pytest.mark.parametrize("value", ["1", b"1", None, [1.0], object()])
def test_not_a_float(registry: Registry, name: str, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        codec_of(registry, name).dumps(value)
    assert caught.value.reason == f"expected float or int, got {type(value).__name__}"


@pytest.mark.parametrize("name", ["bool", *INTEGERS, "float4", "float8"])
def test_sizes_that_lie(registry: Registry, name: str) -> None:
    codec = codec_of(registry, name)
    size = len(codec.dumps(True if name == "bool" else 1))
    for wrong in {0, 1, 2, 3, 4, 5, 7, 8, 9, 16} - {size}:
        with pytest.raises(ProtocolError):
            codec.loads(bytes(wrong))
