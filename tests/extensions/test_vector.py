"""vector, halfvec and sparsevec."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import repeat
from struct import pack, unpack
from typing import Any

import numpy
import pytest
from array_bytes import wire
from extensions.databases import Type, array_of, known
from hypothesis import given, settings
from hypothesis import strategies as st
from live import Connect
from oracle import Oracle

import pgallop
from pgallop import SparseVector
from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.codec import Unencodable
from pgallop.codecs.textual import textual

VECTOR, HALFVEC, SPARSEVEC = map(known, ("vector", "halfvec", "sparsevec"))
VECTORS = array_of(VECTOR)
NUMPY = CodecChoices(vectors="numpy")

LETTERS = {"vector": "f", "halfvec": "e"}
CODECS = {"vector": VECTOR, "halfvec": HALFVEC}
WIDTHS: dict[str, Any] = {"vector": 32, "halfvec": 16}


LARGEST = {"vector": 3.4028234663852886e38, "halfvec": 65504.0}


def floats(name: str) -> st.SearchStrategy[float]:
    return st.floats(-LARGEST[name], LARGEST[name], width=WIDTHS[name])


sparse = st.builds(
    SparseVector,
    st.dictionaries(st.integers(0, 999_999_999), floats("vector"), max_size=10),
    st.just(10**9),
)


def rounded(name: str, numbers: list[float]) -> list[float]:
    letters = f"{len(numbers)}{LETTERS[name]}"
    return list(unpack(letters, pack(letters, *numbers)))


@pytest.mark.parametrize("name", CODECS)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_the_server_gives_back_the_same(
    server_oracle: Oracle, typed: Callable[[str], Type], name: str, data: st.DataObject
) -> None:
    """In binary, and in text."""
    some = st.lists(floats(name), min_size=1, max_size=20)
    values = data.draw(st.lists(some, min_size=1, max_size=20))
    codec = typed(name).codec()
    arrays = typed(name).codec(NUMPY)
    forms = server_oracle.text(codec.oid, [codec.dumps(value) for value in values])
    echoes = server_oracle.binary(codec.oid, forms)
    for value, form, echo in zip(values, forms, echoes, strict=True):
        assert form is not None
        assert echo is not None
        assert repr(codec.loads(echo)) == repr(value)
        assert repr(textual(codec).loads(form.encode())) == repr(value)
        read = arrays.loads(echo)
        assert (read.dtype, read.tolist()) == (numpy.dtype(f"f{WIDTHS[name] // 8}"), value)
        assert arrays.dumps(read) == codec.dumps(read) == echo
        assert repr(textual(arrays).loads(form.encode())) == repr(read)


@settings(deadline=None, max_examples=30)
@given(values=st.lists(sparse, min_size=1, max_size=20))
def test_the_server_gives_back_the_same_sparse_ones(
    server_oracle: Oracle, typed: Callable[[str], Type], values: list[SparseVector]
) -> None:
    codec = typed("sparsevec").codec()
    forms = server_oracle.text(codec.oid, [codec.dumps(value) for value in values])
    echoes = server_oracle.binary(codec.oid, forms)
    for value, form, echo in zip(values, forms, echoes, strict=True):
        assert form is not None
        assert echo is not None
        assert codec.loads(echo) == value == textual(codec).loads(form.encode())
        assert form.count(":") == len(value.indices)


@given(data=st.data(), name=st.sampled_from(list(CODECS)))
def test_numbers_are_rounded_as_floats_are(data: st.DataObject, name: str) -> None:
    number = st.floats(-LARGEST[name], LARGEST[name])
    values = data.draw(st.lists(number, min_size=1, max_size=20))
    codec = CODECS[name]
    expected = repr(rounded(name, values))
    assert repr(codec.loads(codec.dumps(values))) == expected
    for kind in (tuple, deque, numpy.array, lambda each: array("d", each)):
        assert codec.dumps(kind(values)) == codec.dumps(values)


class Sequence:
    """What has a length and items, as the tensors of libraries do."""

    def __init__(self, *items: Any) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        return self._items[index]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)


class Listed:
    """As pgvector's own Vector and HalfVector: no container, but with a way to a list."""

    def to_list(self) -> list[float]:
        return [1.0, 2.5]


@pytest.mark.parametrize(
    "value",
    [
        [1, 2.5],
        (True, Decimal("2.5")),
        [numpy.float32(1), Fraction(5, 2)],
        array("f", [1, 2.5]),
        memoryview(array("f", [1, 2.5])),
        memoryview(array("d", [1, 2.5])),
        numpy.array([1, 2.5]),
        numpy.array([1, 2.5], dtype="f4"),
        numpy.array([1, 2.5], dtype=">f4"),
        numpy.array([1, 2.5], dtype="f2"),
        numpy.array([1, 9, 2.5, 9], dtype="f4")[::2],
        numpy.array([1, Decimal("2.5")], dtype=object),
        Sequence(1, 2.5),
        Listed(),
    ],
)
def test_what_is_taken(value: Any) -> None:
    for codec in CODECS.values():
        assert codec.loads(codec.dumps(value)) == [1.0, 2.5]


def test_whole_numbers() -> None:
    for kind in ("i1", "u8", "?"):
        assert VECTOR.loads(VECTOR.dumps(numpy.array([0, 1], dtype=kind))) == [0.0, 1.0]
    assert VECTOR.loads(VECTOR.dumps(range(3))) == [0.0, 1.0, 2.0]


ACCEPTED = "expected list of numbers, numpy array or another sequence"
NO_NUMBER = "not finite, or too large for float4"


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        (5, "", f"{ACCEPTED}, got int"),
        ("[1,2]", "", f"{ACCEPTED}, got str"),
        (b"ab", "", f"{ACCEPTED}, got bytes"),
        (memoryview(b"ab"), "", f"{ACCEPTED}, got memoryview"),
        ({1.0}, "", f"{ACCEPTED}, got set"),
        ({0: 1.0}, "", f"{ACCEPTED}, got dict"),
        (iter([1.0]), "", f"{ACCEPTED}, got list_iterator"),
        (numpy.array(1.0), "", f"{ACCEPTED}, got ndarray"),
        (SparseVector([1, 0]), "", f"{ACCEPTED}, got SparseVector"),
        (numpy.ones((2, 1)), "", "an array of 2 dimensions, expected one"),
        (numpy.ones((2, 1), dtype="f4"), "", "an array of 2 dimensions, expected one"),
        ([], "", "PostgreSQL has no vector without dimensions"),
        (numpy.array([], dtype="f4"), "", "PostgreSQL has no vector without dimensions"),
        ([0] * 16001, "", "has more than 16000 dimensions"),
        (numpy.zeros(16001, "f4"), "", "has more than 16000 dimensions"),
        ([1, None], "[1]", "expected float or int, got NoneType"),
        ([1, "2"], "[1]", "expected float or int, got str"),
        ([[1], [2]], "[0]", "expected float or int, got list"),
        ([1, math.nan], "[1]", NO_NUMBER),
        ([-math.inf], "[0]", NO_NUMBER),
        ([0, 3.4028236e38], "[1]", NO_NUMBER),
        ([10**400], "[0]", "too large for float4"),
        (numpy.array([1, math.nan], "f4"), "[1]", NO_NUMBER),
        (numpy.array([-math.inf, 1], "f4"), "[0]", NO_NUMBER),
        (numpy.array([1e300]), "[0]", NO_NUMBER),
        (numpy.array([1j]), "[0]", "expected float or int, got complex"),
    ],
)
def test_what_is_refused(value: Any, place: str, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        VECTOR.dumps(value)
    assert (caught.value.place, caught.value.reason) == (place, reason)


def test_half_precision_has_other_limits() -> None:
    assert HALFVEC.loads(HALFVEC.dumps([65519.0, 5.9604645e-08])) == [65504.0, 2.0**-24]
    for number in (65520.0, -1e6, math.inf, math.nan):
        with pytest.raises(Unencodable, match="not finite, or too large for half precision"):
            HALFVEC.dumps([number])


def test_what_is_too_small_is_zero(server_oracle: Oracle, typed: Callable[[str], Type]) -> None:
    """As where the server reads text; it takes no zeros among the elements of a sparse one."""
    for name, text in (("vector", "[1e-60,-1e-50]"), ("halfvec", "[1e-10,-1e-30]")):
        codec = typed(name).codec()
        (echo,) = server_oracle.binary(codec.oid, [text])
        assert echo is not None
        assert repr(codec.loads(echo)) == "[0.0, -0.0]"
        assert codec.dumps([float(number) for number in text[1:-1].split(",")]) == echo
    with pytest.raises(Unencodable, match="too small for float4, and would become 0"):
        SPARSEVEC.dumps(SparseVector({0: 1e-50}, 1))


class Endless(Sequence):
    """It tells a length, and has no end."""

    def __iter__(self) -> Iterator[Any]:
        return repeat(1)


class Emptying:
    """A number that empties the list in which it stands."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __float__(self) -> float:
        self._items.clear()
        return 1.0


def test_code_of_others() -> None:
    with pytest.raises(Unencodable, match="has more than 16000 dimensions"):
        VECTOR.dumps(Endless(1))
    numbers: list[Any] = [0, 2.5]
    numbers[0] = Emptying(numbers)
    assert VECTOR.loads(VECTOR.dumps(numbers)) == [1.0, 2.5]
    assert numbers == []


# --- sparse ones ----------------------------------------------------------------------------------


class Theirs:
    """As pgvector's own class: methods where ours has attributes."""

    def dimensions(self) -> int:
        return 5

    def indices(self) -> list[int]:
        return [0, 3]

    def values(self) -> list[float]:
        return [1.5, 2.0]

    def to_list(self) -> list[float]:
        raise AssertionError("it may have a thousand million dimensions")


def test_pgvectors_own_class_is_taken() -> None:
    expected = SparseVector({0: 1.5, 3: 2}, 5)
    assert SPARSEVEC.loads(SPARSEVEC.dumps(Theirs())) == expected
    with pytest.raises(Unencodable, match="expected list of numbers") as caught:
        VECTOR.dumps(Theirs())
    assert caught.value.hint == "pass value.to_list(), or cast in SQL: $n::sparsevec::vector"


def test_pgvectors_own_package() -> None:
    package = pytest.importorskip("pgvector", reason="pgvector's package is not installed")
    assert VECTOR.loads(VECTOR.dumps(package.Vector([1, 2.5]))) == [1.0, 2.5]
    assert HALFVEC.loads(HALFVEC.dumps(package.HalfVector([1, 2.5]))) == [1.0, 2.5]
    theirs = package.SparseVector({0: 1.5, 3: 2}, 5)
    assert SPARSEVEC.dumps(theirs) == theirs.to_binary()
    assert SPARSEVEC.loads(theirs.to_binary()) == SparseVector({0: 1.5, 3: 2}, 5)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1, 0], "expected SparseVector, got list"),
        ({0: 1.5}, "expected SparseVector, got dict"),
        ("{1:1}/2", "expected SparseVector, got str"),
        (numpy.array([1.0]), "expected SparseVector, got ndarray"),
        (SparseVector([]), "has no dimensions, or more than 1000000000"),
        (SparseVector({}, 10**9 + 1), "has no dimensions, or more than 1000000000"),
        (SparseVector([1] * 16001), "has 16001 numbers that are not 0, at most are 16000"),
        (SparseVector({5: math.inf}, 9), NO_NUMBER),
        (SparseVector({5: 1e39}, 9), NO_NUMBER),
    ],
)
def test_what_is_no_sparse_vector(value: Any, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        SPARSEVEC.dumps(value)
    assert caught.value.reason == reason


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "items", "shape"),
    [
        ([], [], []),
        ([[1, 2], [3]], [[1, 2], [3]], [(2, 1)]),
        ([[1, 2], None], [[1, 2], None], [(2, 1)]),
        ([None, [1]], [None, [1]], [(2, 1)]),
        (((1, 2), (3, 4)), [[1, 2], [3, 4]], [(2, 1)]),
        ([[[1, 2]], [[3]]], [[1, 2], [3]], [(2, 1), (1, 1)]),
        ([[None, [1]]], [None, [1]], [(1, 1), (2, 1)]),
        (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]], [(2, 1)]),
        (numpy.array([[1, 2], [3, 4]], "f4"), [[1, 2], [3, 4]], [(2, 1)]),
        (numpy.array([[[1], [2]]]), [[1], [2]], [(1, 1), (2, 1)]),
        ([numpy.array([1, 2]), Listed()], [[1, 2], [1, 2.5]], [(2, 1)]),
    ],
)
def test_arrays(value: Any, items: list[Any], shape: list[tuple[int, int]]) -> None:
    """A list of numbers is a vector, a list of lists is an array of them."""
    data = [None if item is None else VECTOR.dumps(item) for item in items]
    expected = wire(data, *shape, oid=VECTOR.oid)
    assert VECTORS.dumps(value) == expected
    assert VECTORS.dumps(VECTORS.loads(expected)) == expected


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([1, 2], "[0]"),
        ([[1], [2, "x"]], "[1][1]"),
        ([[[1]], [2]], "[1]"),
        ([[[1]], [[2], [3]]], "[1]"),
        ([[1], []], "[1]"),
    ],
)
def test_what_is_no_array(value: Any, place: str) -> None:
    with pytest.raises(Unencodable) as caught:
        VECTORS.dumps(value)
    assert caught.value.place in (place, "")


# --- statements -----------------------------------------------------------------------------------

QUERY = """
    SELECT $1::vector AS v, $2::halfvec AS h, $3::sparsevec AS s,
        ARRAY[$1::vector, NULL] AS vs, ARRAY[[$3::sparsevec]] AS ss, ROW($1::vector, $2::halfvec)
"""
TEXTS = """
    SELECT '[1,2.5]'::vector AS v, '[0.5]'::halfvec AS h, '{1:1.5,4:2}/5'::sparsevec AS s,
        ARRAY['[1,2.5]'::vector, NULL] AS vs, ARRAY[['{1:1.5,4:2}/5'::sparsevec]] AS ss
"""


async def test_a_statement(extended: Connect, typed: Callable[[str], Type]) -> None:
    typed("vector")
    one, half, few = [1.0, 2.5], [0.5], SparseVector({0: 1.5, 3: 2}, 5)
    expected = [one, half, few, [one, None], [[few]], (one, half)]
    async with extended() as conn, extended(statement_mode="simple") as simple:
        row = await conn.fetchrow(QUERY, one, half, few)
        assert row is not None
        assert list(row.values()) == expected
        for each in (conn, simple):
            row = await each.fetchrow(TEXTS)
            assert row is not None
            assert list(row.values()) == expected[:5]
        many = [[one], [None]]
        assert await conn.fetchval("SELECT $1::vector[]", many) == many
        assert await conn.fetchval("SELECT '[1,1]'::vector <-> $1", [4, 5]) == 5.0
        with pytest.raises(pgallop.DataError, match=r"argument \$1\[1\] \(vector\): 'x': expected"):
            await conn.fetch("SELECT $1::vector", [1, "x"])


@pytest.mark.parametrize("mode", ["named", "simple"])
async def test_numpy_arrays(extended: Connect, typed: Callable[[str], Type], mode: Any) -> None:
    typed("vector")
    async with extended(vectors="numpy", statement_mode=mode) as conn:
        row = await conn.fetchrow(TEXTS)
        assert row is not None
        dense, half, few, several, _ = row.values()
        assert repr(dense) == "array([1. , 2.5], dtype=float32)"
        assert repr(half) == "array([0.5], dtype=float16)"
        assert few == SparseVector({0: 1.5, 3: 2}, 5)
        assert repr(several) == "[array([1. , 2.5], dtype=float32), None]"
        dense += 1  # it is nobody else's
