"""bool, the integers, floats, numeric and money."""

from __future__ import annotations

from decimal import Decimal

from builtin_types.case import Case
from hypothesis import strategies as st

NAN, INFINITY = float("nan"), float("inf")

FLOAT4 = [0.0, -0.0, 1.5, NAN, INFINITY, -INFINITY, 2.0**-149, -(2.0**-126), 3.4028234663852886e38]
FLOAT8 = [0.0, -0.0, 0.1, NAN, INFINITY, -INFINITY, 5e-324, -2.2250738585072014e-308]
FLOAT8 += [1.7976931348623157e308, 1e15, 1e16, -1e-5, 2.0**53 + 2]

# PostgreSQL's numeric has up to 131,072 digits before the point and 16,383 behind it.
NUMERICS = ["0", "0.000", "-0", "-0.00", "1", "-1.500", "1E+5", "-1E-20", "NaN", "9999", "10000"]
NUMERICS += ["0.0001", "0.00010000", "1E+131071", "1E-16383", "9" * 200, f"-{'1' * 99}.{'7' * 99}"]

# Infinite numbers came with PostgreSQL 14.
INFINITE_NUMERICS = {14: [Decimal("Infinity"), Decimal("-Infinity")]}

AMOUNTS = ["0", "-0.00", "1", "-0.01", "0.1", "92233720368547758.07", "-92233720368547758.08"]
CENT = Decimal("0.01")


def integers(name: str, low: int, high: int, since: int = 10) -> Case:
    edges = sorted({low, low + 1, max(low, -1), 0, 1, 127, 128, high - 1, high})
    return Case(name, edges, st.integers(low, high), str, since=since)


def plain(value: Decimal) -> str:
    return f"{value:f}"


def numeric_kept(value: Decimal) -> Decimal:
    """PostgreSQL has no negative zero."""
    return abs(value) if value == 0 else value


def money_kept(value: Decimal) -> Decimal:
    """An amount has two digits behind the point, in most countries."""
    return numeric_kept(value).quantize(CENT)


def dollars(value: Decimal) -> str:
    """An amount as the server of the tests writes it."""
    return f"{'-' if value < 0 else ''}${abs(value):,.2f}"


decimals = st.builds(
    lambda sign, digits, exponent: Decimal((sign, tuple(map(int, str(digits))), exponent)),
    st.integers(0, 1),
    st.integers(0, 10**12) | st.integers(0, 10**60),
    st.integers(-80, 40),
)

CASES = [
    Case("bool", [True, False], st.booleans(), lambda value: str(value).lower()),
    integers("int2", -(2**15), 2**15 - 1),
    integers("int4", -(2**31), 2**31 - 1),
    integers("int8", -(2**63), 2**63 - 1),
    integers("oid", 0, 2**32 - 1),
    Case("float4", FLOAT4, st.floats(width=32), repr),
    Case("float8", FLOAT8, st.floats(), repr),
    Case(
        "numeric",
        [Decimal(text) for text in NUMERICS],
        decimals,
        plain,
        numeric_kept,
        later=INFINITE_NUMERICS,
    ),
    Case(
        "money",
        [Decimal(text) for text in AMOUNTS],
        st.integers(-(2**63), 2**63 - 1).map(lambda cents: cents * CENT),
        plain,
        money_kept,
        in_simple=dollars,  # "1,234" is a thousand in Japan, and one in Tunisia
    ),
]
