"""money."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import pytest

from pgallop.codecs import money
from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Unencodable, Unresolved
from pgallop.codecs.money import MoneyCodec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

LEAST, MOST = -(2**63), 2**63 - 1


def codec(digits: int = 2) -> MoneyCodec:
    return MoneyCodec(money.MONEY, "money", "Decimal", digits)


@pytest.mark.parametrize("digits", [0, 1, 2, 3, 10])
@pytest.mark.parametrize("units", [0, 1, -1, 99, 100, -12345, MOST, LEAST, LEAST + 1])
def test_units(units: int, digits: int) -> None:
    data = units.to_bytes(8, "big", signed=True)
    value = codec(digits).loads(data)
    sign, numerals, exponent = value.as_tuple()
    assert (int("".join(map(str, numerals))), exponent) == (abs(units), -digits)
    assert sign == (units < 0)
    assert codec(digits).dumps(value) == data


def test_the_threads_context_does_not_matter() -> None:
    with localcontext(Context(prec=1, Emin=0, Emax=0, traps=[])):
        value = codec().loads(MOST.to_bytes(8, "big"))
        assert str(value) == "92233720368547758.07"
        assert codec().dumps(value) == MOST.to_bytes(8, "big")


@pytest.mark.parametrize(
    ("value", "units"),
    [
        *[(1, 100), (-1, -100), (Decimal("0.01"), 1), (0.25, 25), ("12.30", 1230)],
        *[(Decimal("1E+3"), 100000), (Decimal("1.2300"), 123), (Decimal("-0.0"), 0)],
        *[(Decimal(0), 0), (Decimal("0E-100"), 0), (Decimal("0E+1000"), 0)],
    ],
)
def test_what_is_taken(value: Any, units: int) -> None:
    assert codec().dumps(value) == units.to_bytes(8, "big", signed=True)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Decimal("0.001"), "more than 2 digits after the decimal point"),
        (0.1, "more than 2 digits after the decimal point"),
        (Decimal("1E-400000"), "more than 2 digits after the decimal point"),
        (Decimal("NaN"), "not a finite number"),
        (Decimal("sNaN"), "not a finite number"),
        (Decimal("-Infinity"), "not a finite number"),
        (Decimal("92233720368547758.08"), "out of range for money"),
        (Decimal("-92233720368547758.09"), "out of range for money"),
        (Decimal("1E+999999"), "out of range for money"),
        (10**1000, "out of range for money"),
        ("$1.00", "not a decimal number"),
        (object(), "expected Decimal"),
        (b"1", "expected Decimal"),
    ],
)
def test_what_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        codec().dumps(value)
    assert reason in caught.value.reason


@pytest.mark.parametrize("size", [0, 1, 7, 9])
def test_other_sizes(size: int) -> None:
    with pytest.raises(ProtocolError):
        codec().loads(bytes(size))


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("$0.01", 2),
        ("0,01 \u20ac", 2),
        ("\u00a51", 0),
        ("KWD 0.001", 3),
        ("1", 0),
        ("0.0000000001", 10),
    ],
)
def test_digits_of_a_session(text: str, digits: int) -> None:
    assert money.digits_of(text.encode()) == digits


@pytest.mark.parametrize("text", ["", "$", "$0.02", "1.00", "0.00000000001", "0.01 0.01", "1" * 99])
def test_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match="not the text of the smallest amount"):
        money.digits_of(text.encode())


def test_a_registry_learns_and_forgets() -> None:
    registry = builtin_registry().copy()
    for oid in (money.MONEY, OIDS["_money"]):
        assert isinstance(registry.get(oid), Unresolved)
    assert not money.unresolve(registry)
    money.resolve(registry, 2)
    array = registry.get(OIDS["_money"])
    values = [Decimal("1.20"), None]
    assert array.loads(array.dumps(values)) == values
    assert money.unresolve(registry)
    assert isinstance(registry.get(money.MONEY), Unresolved)
    assert isinstance(builtin_registry().get(money.MONEY), Unresolved)
    assert isinstance(Registry().get(money.MONEY).loads(b"1"), str)
