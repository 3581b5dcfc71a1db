"""cube, in binary and on servers that only have its text; seg."""

from __future__ import annotations

import math
from collections.abc import Callable
from struct import pack
from typing import Any

import pytest
from extensions.databases import Type, array_of, known
from hypothesis import given, settings
from hypothesis import strategies as st
from live import Connect
from oracle import Oracle

import pgallop
from pgallop import Cube
from pgallop.codecs.codec import TEXT, Unencodable
from pgallop.codecs.textual import textual

CUBE = known("cube")
BY_TEXT = known("cube", binary=False)

# A NaN has a sign and more bits that no text form has.
numbers = st.floats().map(lambda number: math.nan if math.isnan(number) else number)


@st.composite
def cubes(draw: st.DrawFn) -> Cube:
    size = draw(st.integers(0, 5))
    corners = st.lists(numbers, min_size=size, max_size=size)
    return Cube(draw(corners), draw(st.none() | corners))


@settings(deadline=None, max_examples=30)
@given(values=st.lists(cubes(), min_size=1, max_size=20))
def test_the_server_gives_back_the_same(
    server_oracle: Oracle, typed: Callable[[str], Type], values: list[Cube]
) -> None:
    """In binary, and in the texts of either side."""
    oid = typed("cube").oid
    if not typed("cube").binary:
        pytest.skip("the server has no binary form of cube")
    echoes = server_oracle.binary(oid, [BY_TEXT.dumps(value).decode() for value in values])
    forms = server_oracle.text(oid, [CUBE.dumps(value) for value in values])
    for value, form, echo in zip(values, forms, echoes, strict=True):
        assert form is not None
        assert echo is not None
        assert repr(CUBE.loads(echo)) == repr(value)
        assert repr(textual(CUBE).loads(form.encode())) == repr(value)
        assert repr(BY_TEXT.loads(form.encode())) == repr(value)


@pytest.mark.parametrize(
    ("value", "data", "text"),
    [
        (Cube([]), pack("!I", 1 << 31), b"()"),
        (Cube([1, 2]), pack("!I2d", 2 + (1 << 31), 1, 2), b"(1.0,2.0)"),
        (Cube([1, 2], [1, 2]), pack("!I2d", 2 + (1 << 31), 1, 2), b"(1.0,2.0)"),
        (Cube([3, 1], [2, 4]), pack("!I4d", 2, 3, 1, 2, 4), b"(3.0,1.0),(2.0,4.0)"),
        (Cube([math.nan], [-math.inf]), pack("!I2d", 1, math.nan, -math.inf), b"(nan),(-inf)"),
    ],
)
def test_bytes_and_text(value: Cube, data: bytes, text: bytes) -> None:
    assert CUBE.dumps(value) == data
    assert repr(CUBE.loads(data)) == repr(value)
    assert BY_TEXT.format == TEXT
    assert BY_TEXT.dumps(value) == text


def test_a_point_that_was_sent_as_a_box() -> None:
    assert CUBE.loads(pack("!I2d", 1, 5, 5)) == Cube([5])
    assert CUBE.loads(bytes(4)) == Cube([])


@pytest.mark.parametrize("codec", [CUBE, BY_TEXT])
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((1, 2), "expected Cube, got tuple"),
        ("(1,2)", "expected Cube, got str"),
        (Cube(range(101)), "has more than 100 dimensions"),
    ],
)
def test_what_is_refused(codec: Any, value: Any, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        codec.dumps(value)
    assert caught.value.reason == reason
    assert len(CUBE.dumps(Cube(range(100)))) == 804


TEXTS = "SELECT '(1,2),(3,4)'::cube, ARRAY['(1)'::cube, NULL, '()'], '(NaN),(-inf)'::cube"


async def test_a_statement(extended: Connect, typed: Callable[[str], Type]) -> None:
    typed("cube")
    box, several = Cube((1, 2), (3, 4)), [Cube([0.1]), None, Cube([])]
    # Without a binary form a statement without arguments is refused, if it is not described first.
    async with (
        extended() as conn,
        extended(statement_mode="simple") as simple,
    ):
        row = await conn.fetchrow("SELECT $1::cube, $2::cube[], NULL::cube", box, several)
        assert row is not None
        assert list(row.values()) == [box, several, None]
        assert await conn.fetchval("SELECT $1::cube[]", [[box], [None]]) == [[box], [None]]
        assert await conn.fetchval("SELECT cube_dim($1)", box) == 2
        for each in (conn, simple):
            row = await each.fetchrow(TEXTS)
            assert row is not None
            expected = [box, [Cube([1]), None, Cube([])], Cube([math.nan], [-math.inf])]
            assert repr(list(row.values())) == repr(expected)
        with pytest.raises(pgallop.DataError, match=r"\$1 \(cube\): \(1, 2\): expected Cube"):
            await conn.fetch("SELECT $1::cube", (1, 2))


async def test_within_a_record(extended: Connect, typed: Callable[[str], Type]) -> None:
    """There it comes in binary, if at all."""
    if not typed("cube").binary:
        pytest.skip("the server has no binary form of cube")
    async with extended() as conn:
        assert await conn.fetchval("SELECT ROW('(1),(2)'::cube)") == (Cube([1], [2]),)


def test_arrays_of_text() -> None:
    several = array_of(BY_TEXT)
    value = [[Cube([1], [2])], [None]]
    assert several.dumps(value) == b'{{"(1.0),(2.0)"},{NULL}}'
    assert several.loads(b'{{"(1),(2)"},{NULL}}') == value


async def test_seg(extended: Connect, typed: Callable[[str], Type]) -> None:
    typed("seg")
    async with extended() as conn, extended(statement_mode="simple") as simple:
        query = "SELECT $1::seg, $2::seg[]"
        row = await conn.fetchrow(query, "1.50 .. 2", ["<3", None])
        assert row is not None
        assert list(row.values()) == ["1.50 .. 2", ["<3", None]]
        assert await simple.fetchval("SELECT '{1.50 .. 2}'::seg[]") == ["1.50 .. 2"]
        assert await conn.fetchval("SELECT $1 && $2::seg", "1 .. 3", "2") is True
