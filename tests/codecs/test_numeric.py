"""numeric."""

from __future__ import annotations

from decimal import (
    ROUND_UP,
    Clamped,
    Context,
    Decimal,
    FloatOperation,
    Inexact,
    InvalidOperation,
    Rounded,
    localcontext,
)
from fractions import Fraction
from struct import pack
from typing import Any

import asyncpg
import asyncpg_peer
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

NUMERIC = OIDS["numeric"]
NEGATIVE = 0x4000

MOST_DIGITS = 131072
LARGEST_SCALE = 16383

# How PostgreSQL prints them.
TEXTS = [
    *["0", "1", "-1", "9999", "10000", "-10000", "10001", "99990000", "123456789012345678"],
    *["9999999999999999", "10000000000000000", "-9999999999999999999", "100000000000000000000"],
    *["0.0", "0.00", "0.000000000000000000000000000000", "1.100", "-1.5", "0.1", "0.0001"],
    *["0.00001", "0.00000000000000000001", "-0.00012345", "19.99", "10000.0001", "10000.00010000"],
    *["1000000.50", "12345678.9", "123456789012345678.99", "1234.5678901234567890"],
    *["100000000000000000000000000000.00000000000000000000000000001", "NaN"],
    "1" + "0" * (MOST_DIGITS - 1),
    "-" + "9" * MOST_DIGITS,
    "0." + "0" * LARGEST_SCALE,
    "0." + "0" * (LARGEST_SCALE - 1) + "1",
    "9" * MOST_DIGITS + "." + "9" * LARGEST_SCALE,
    "7" * 100_000,
]

# What a thread may have done to its context: everything is rounded, or raises.
ROUNDING = Context(prec=1, rounding=ROUND_UP, Emin=0, Emax=0, capitals=0, clamp=1, traps=[])
RAISING = Context(
    prec=1,
    Emin=0,
    Emax=0,
    capitals=1,
    traps=[Clamped, FloatOperation, Inexact, InvalidOperation, Rounded],
)


class Lying(Decimal):
    """A Decimal that shows itself as another one."""

    def __str__(self) -> str:
        return "666"


@pytest.fixture(scope="session")
def numeric(registry: Registry) -> Codec:
    return registry.get(NUMERIC)


def same(left: Any, right: Decimal) -> bool:
    """Equal in all that a Decimal is, its exponent included."""
    return type(left) is Decimal and left.as_tuple() == right.as_tuple()


def shown(value: Decimal) -> str:
    """The text of PostgreSQL; of what has a short form, too."""
    return f"{value:f}"


def wire(weight: int, sign: int, scale: int, *digits: int) -> bytes:
    return pack(f"!HhHH{len(digits)}H", len(digits), weight, sign, scale, *digits)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("0", wire(0, 0, 0)),
        ("0.00", wire(0, 0, 2)),
        ("1", wire(0, 0, 0, 1)),
        ("10000", wire(1, 0, 0, 1)),
        ("12345", wire(1, 0, 0, 1, 2345)),
        ("-1.100", wire(0, NEGATIVE, 3, 1, 1000)),
        ("0.00012345", wire(-1, 0, 8, 1, 2345)),
        ("0.00001", wire(-2, 0, 5, 1000)),
        ("10000.0001", wire(1, 0, 4, 1, 0, 1)),
        ("NaN", wire(0, 0xC000, 0)),
        ("Infinity", wire(0, 0xD000, 32)),
        ("-Infinity", wire(0, 0xF000, 32)),
    ],
)
def test_bytes(numeric: Codec, text: str, data: bytes) -> None:
    assert numeric.dumps(Decimal(text)) == data
    assert same(numeric.loads(data), Decimal(text))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (wire(250, 0, 0, 1), "1" + "0" * 1000),
        (wire(251, 0, 0, 1), "1E+1004"),
        (wire(252, NEGATIVE, 0, 12, 3400), "-1234E+1006"),
        (wire(512, NEGATIVE, 6, 1, 9999, 5000, 0), "-199995E+2043"),
        (wire(32767, 0, 16383, 1000), "1E+131071"),
        (wire(32767, 0, 16383), "0E-16383"),
        (wire(32767, NEGATIVE, 0, 0, 0), "0"),
        (wire(0, 0, 1000, 1), "1." + "0" * 1000),
        (wire(0, 0, 1001, 1), "1"),
        (wire(1, 0, 2000, 9999), "99990000"),
        (wire(250, 0, 2000, 1000), "1" + "0" * 1003),
        (wire(251, 0, 2000, 1000), "1E+1007"),
        (wire(-1, 0, 2000, 5000), "0.5"),
        (wire(-500, 0, 2000, 9), "9E-2000"),
        (wire(-500, 0, 1999, 19), "1E-1999"),
        (wire(-500, 0, 1996, 9999), "0E-1996"),
        (wire(-500, 0, 1990, 9999, 1), "0E-1990"),
        (wire(-32768, NEGATIVE, 16383, 1), "0E-16383"),
    ],
)
def test_zeros_that_were_not_sent(numeric: Codec, data: bytes, text: str) -> None:
    """A thousand are written out; ten bytes must not become a hundred thousand."""
    value = numeric.loads(data)
    assert same(value, Decimal(text))
    assert value == 0 or same(numeric.loads(numeric.dumps(value)), value)


def test_the_codec(numeric: Codec) -> None:
    assert (numeric.name, numeric.format, numeric.atomic) == ("numeric", 1, True)


def test_the_server_writes_and_reads_the_same(numeric: Codec, oracle: Oracle) -> None:
    texts = [*TEXTS, "Infinity", "-Infinity"] if oracle.version >= 14 else TEXTS
    values = [Decimal(text) for text in texts]
    data = [numeric.dumps(value) for value in values]
    assert oracle.binary(NUMERIC, texts) == data
    assert oracle.text(NUMERIC, data) == texts
    for item, value in zip(data, values, strict=True):
        assert item is not None
        loaded = numeric.loads(item)
        assert shown(loaded) == shown(value)
        assert same(loaded, value) or len(item) < 10 + len(shown(value)) // 1000


@st.composite
def plain_texts(draw: st.DrawFn, digits: int = 45) -> str:
    """Numbers as PostgreSQL prints them, runs of zeros and nines included."""
    runs = st.builds(lambda digit, n: digit * n, st.sampled_from("0123456789"), st.integers(1, 12))
    number = "".join(draw(st.lists(runs, min_size=1, max_size=8)))[:digits]
    scale = draw(st.integers(0, len(number)))
    whole = number[: len(number) - scale].lstrip("0") or "0"
    text = f"{whole}.{number[len(number) - scale :]}" if scale else whole
    return draw(st.sampled_from(["", "-"])) + text if text.strip("0.") else text


@settings(deadline=None)
@given(st.lists(plain_texts(), max_size=200))
def test_any_text_of_the_server(oracle: Oracle, texts: list[str]) -> None:
    codec = builtin_registry().get(NUMERIC)
    values = [Decimal(text) for text in texts]
    data = [codec.dumps(value) for value in values]
    assert oracle.binary(NUMERIC, texts) == data
    assert oracle.text(NUMERIC, data) == texts
    assert all(same(codec.loads(item), v) for item, v in zip(data, values, strict=True))


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            lambda sign, number, exponent: Decimal(f"{sign}{number}E{exponent}"),
            st.sampled_from(["", "-"]),
            st.integers(0, 10**30),
            st.integers(-60, 200),
        ),
        max_size=200,
    )
)
def test_any_decimal_as_the_server_reads_its_text(oracle: Oracle, values: list[Decimal]) -> None:
    codec = builtin_registry().get(NUMERIC)
    data = [codec.dumps(value) for value in values]
    assert oracle.binary(NUMERIC, [str(value) for value in values]) == data
    for item, value in zip(data, values, strict=True):
        loaded = codec.loads(item)
        assert loaded == value
        # PostgreSQL has neither exponents above zero nor a negative zero.
        assert loaded.as_tuple().exponent == min(value.as_tuple().exponent, 0)
        assert loaded.is_signed() == (value < 0)


wire_forms = st.builds(
    wire,
    st.integers(-6, 7),
    st.sampled_from([0, NEGATIVE]),
    st.integers(0, 30),
    *[st.sampled_from([0, 1, 9, 90, 1234, 5000, 9999]) for _ in range(3)],
)


@settings(deadline=None)
@given(st.lists(st.one_of(wire_forms, wire_forms.map(lambda d: b"\0\2" + d[2:12])), max_size=200))
def test_other_bytes_are_read_as_the_server_reads_them(oracle: Oracle, data: list[bytes]) -> None:
    """Zeros at the ends, digits beyond the scale, negative zeros: it writes none of them."""
    codec = builtin_registry().get(NUMERIC)
    for item, text in zip(data, oracle.text(NUMERIC, data), strict=True):
        assert text is not None
        assert same(codec.loads(item), Decimal(text))


@pytest.mark.parametrize("context", [ROUNDING, RAISING])
def test_the_threads_context_does_not_matter(numeric: Codec, context: Context) -> None:
    values: list[Any] = [Decimal(text) for text in [*TEXTS, "-Infinity", "1E+20", "1E-7"]]
    values += [7, -(10**4000), 0.1, float("nan"), "1.50", "12e-7"]
    data = [numeric.dumps(value) for value in values]
    loaded = [numeric.loads(item) for item in data]
    with localcontext(context) as inner:
        assert [numeric.dumps(value) for value in values] == data
        again = [numeric.loads(item) for item in data]
        for text in ["abc", "1e9999999999999999999"]:
            with pytest.raises(Unencodable):
                numeric.dumps(text)
        assert not any(inner.flags.values())
    assert all(same(left, right) for left, right in zip(again, loaded, strict=True))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5, "5"),
        (-(10**18), "-1000000000000000000"),
        (2**64, "18446744073709551616"),
        (True, "1"),
        (numpy.int64(-7), "-7"),
        (numpy.uint8(200), "200"),
        (1.5, "1.5"),
        (0.1, "0.1000000000000000055511151231257827021181583404541015625"),
        (-0.0, "0"),
        (5e-324, f"{Decimal.from_float(5e-324):f}"),
        (1.7976931348623157e308, f"{Decimal.from_float(1.7976931348623157e308):f}"),
        (numpy.float64(0.25), "0.25"),
        ("1.50", "1.50"),
        (" -1_000 ", "-1000"),
        ("1e3", "1000"),
        ((1, (1, 2, 3), -2), "-1.23"),
        (Lying("1.5"), "1.5"),
        (Decimal("-0.00"), "0.00"),
        (Decimal("-0"), "0"),
        (Decimal("0E-10"), "0.0000000000"),
        (Decimal("0E+999999999999"), "0"),
        (Decimal("1E+20"), "100000000000000000000"),
        (Decimal("sNaN"), "NaN"),
        (Decimal("-NaN123"), "NaN"),
        (float("nan"), "NaN"),
    ],
)
def test_takes_other_numbers(numeric: Codec, oracle: Oracle, value: object, text: str) -> None:
    data = numeric.dumps(value)
    assert oracle.text(NUMERIC, [data]) == [text]
    assert same(numeric.loads(data), Decimal(text))


@settings(deadline=None)
@given(st.integers(1, 200_000).flatmap(lambda bits: st.integers(-(2**bits), 2**bits)))
def test_any_int(value: int) -> None:
    codec = builtin_registry().get(NUMERIC)
    assert codec.dumps(value) == codec.dumps(Decimal(value))


@pytest.mark.parametrize("digits", [1232, 1234, 50_000, MOST_DIGITS])
def test_long_ints(numeric: Codec, digits: int) -> None:
    for value in (10**digits - 1, -(10 ** (digits - 1))):
        loaded = numeric.loads(numeric.dumps(value))
        assert loaded == value
        assert loaded.as_tuple().exponent == 0 or value % 10**1000 == 0


@pytest.mark.parametrize(
    "value",
    [
        Decimal(f"1E+{MOST_DIGITS}"),
        Decimal("-1E+999999999999999999"),
        Decimal("1" + "0" * MOST_DIGITS),
        Decimal("9" * MOST_DIGITS + "9.5"),
        10**MOST_DIGITS,
        -(10**MOST_DIGITS),
        1 << 100_000_000,
        f"1e{MOST_DIGITS}",
    ],
    ids=lambda value: type(value).__name__,
)
def test_too_large(numeric: Codec, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        numeric.dumps(value)
    assert caught.value.reason == "more than 131072 digits before the decimal point"


@pytest.mark.parametrize("exponent", [-LARGEST_SCALE - 1, -999999999999999999])
@pytest.mark.parametrize("digits", ["1", "0", "123456789"])
def test_too_many_places(numeric: Codec, exponent: int, digits: str) -> None:
    with pytest.raises(Unencodable) as caught:
        numeric.dumps(Decimal(f"{digits}E{exponent}"))
    assert caught.value.reason == "more than 16383 digits after the decimal point"


@pytest.mark.parametrize(
    "value", [b"1", 1j, Fraction(1, 2), object(), {}, {1}, numpy.float32(1), numpy.array([1, 2])]
)
def test_refuses_other_types(numeric: Codec, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        numeric.dumps(value)
    expected = f"expected Decimal, int, float or str, got {type(value).__name__}"
    assert caught.value.reason == expected


@pytest.mark.parametrize(
    "value",
    ["abc", "", "1,5", "0x10", (1, 2), (0, (12,), 0), (0, (1,), 10**30), [], "1e" + "9" * 30],
)
def test_refuses_what_is_no_number(numeric: Codec, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        numeric.dumps(value)
    assert caught.value.reason == "not a decimal number"


def test_a_refusal_leaves_the_codec_usable(numeric: Codec) -> None:
    with pytest.raises(Unencodable):
        numeric.dumps(Decimal(f"1E+{MOST_DIGITS}"))
    assert numeric.loads(numeric.dumps(Decimal("1.5"))) == Decimal("1.5")


@pytest.mark.parametrize(
    "data",
    [
        *[wire(1, 0, 5, 1, 2, 3)[:size] for size in range(14)],
        wire(0, 0, 0, 1) + b"\0",
        b"\xff\xff" + wire(0, 0, 0, 1)[2:],
        wire(0, 0, 0, 10000),
        wire(0, 0, 0, 0xFFFF),
        wire(20, 0, 0, 1, 2, 3, 4, 10000),
        wire(-9, 0, 0, 10000),
        wire(0, 0x4001, 0, 1),
        wire(0, 0x8000, 0),
        wire(0, 0xE000, 0),
        wire(0, 0xC000, 0, 1),
        wire(0, 0, LARGEST_SCALE + 1, 1),
        wire(0, 0, 0xFFFF, 1),
    ],
)
def test_hostile_bytes(numeric: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        numeric.loads(data)


@given(
    st.one_of(
        st.binary(max_size=40),
        st.builds(
            lambda header, digits: (
                pack("!H", len(digits)) + header + pack(f"!{len(digits)}H", *digits)
            ),
            st.binary(min_size=6, max_size=6),
            st.lists(st.integers(0, 10100), max_size=9),
        ),
    )
)
def test_any_bytes(data: bytes) -> None:
    codec = builtin_registry().get(NUMERIC)
    try:
        value = codec.loads(data)
    except ProtocolError:
        return
    assert type(value) is Decimal
    # 131072 + 16383 digits at most, whatever the bytes claim.
    assert len(value.as_tuple().digits) <= MOST_DIGITS + LARGEST_SCALE


def test_asyncpg_reads_equal_values(numeric: Codec, oracle: Oracle, dsn: str) -> None:
    data = oracle.binary(NUMERIC, TEXTS)
    for text, item, theirs in zip(
        TEXTS, data, asyncpg_peer.selected(dsn, "numeric", TEXTS), strict=True
    ):
        assert item is not None
        ours = numeric.loads(item)
        assert type(ours) is type(theirs)
        assert str(ours) == str(theirs) == "NaN" if text == "NaN" else ours == theirs


def test_asyncpg_takes_the_same_arguments(numeric: Codec, dsn: str) -> None:
    taken: list[object] = [
        Decimal("1.5"),
        7,
        1.5,
        True,
        "1.50",
        (0, (1, 2), -1),
        Decimal("-0.00"),
    ]
    for value, theirs in zip(taken, asyncpg_peer.echoes(dsn, "numeric", taken), strict=True):
        assert numeric.loads(numeric.dumps(value)) == theirs
    refused: list[object] = [b"1", "abc", 1j, Fraction(1, 2), (1, 2), Decimal("1E-16384")]
    for value, theirs in zip(refused, asyncpg_peer.echoes(dsn, "numeric", refused), strict=True):
        assert isinstance(theirs, asyncpg.DataError)
        with pytest.raises(Unencodable):
            numeric.dumps(value)
