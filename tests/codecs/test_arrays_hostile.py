"""Arrays as a server may send them, and as none should."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import pytest
from array_bytes import ONE, THREE, TWO, number, wire
from hypothesis import given, settings
from hypothesis import strategies as st
from leaks import assert_nothing_leaks

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.arrays import ArrayCodec
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

INT4 = OIDS["int4"]

# Those whose elements can be read without asking the server anything.
RESOLVED = [
    name for name, oid in ARRAYS.items() if isinstance(builtin_registry().get(oid), ArrayCodec)
]


@pytest.fixture(scope="session")
def int4s() -> Codec:
    return builtin_registry().get(ARRAYS["int4"])


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (wire([ONE, TWO], (2, -5)), [1, 2]),
        (wire([ONE, TWO], (2, 2147483647)), [1, 2]),
        (wire([ONE, TWO], (2, 1), flags=1), [1, 2]),
        (wire([ONE, None], (2, 1), flags=0), [1, None]),
        (wire([None, None], (2, 1)), [None, None]),
        (wire([], (0, 1)), []),
        (wire([], (0, 1), (5, 1)), []),
        (wire([ONE, TWO, THREE, None], (2, 0), (2, -1)), [[1, 2], [3, None]]),
        (wire([ONE, TWO, THREE, THREE], (1, 1), (2, 0), (2, 9)), [[[1, 2], [3, 3]]]),
    ],
)
def test_legal_forms(int4s: Codec, data: bytes, value: list[Any]) -> None:
    assert int4s.loads(data) == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        wire([])[:-1],
        wire([]) + b"\0",
        wire([], count=-1),
        wire([], count=7),
        wire([ONE], *[(1, 1)] * 7),
        wire([], count=-(2**31)),
        wire([], count=2**31 - 1),
        wire([], flags=2),
        wire([], flags=-1),
        wire([ONE], (1, 1), flags=256),
        wire([ONE], (1, 1), oid=OIDS["int8"]),
        wire([], oid=0),
        wire([ONE], (1, 1), oid=2**32 - 1),
        wire([ONE], (-1, 1)),
        wire([ONE, TWO], (-1, 1), (-2, 1)),
        wire([ONE], (2, 1)),
        wire([ONE, TWO], (1, 1)),
        wire([ONE], (2**28, 1)),
        wire([ONE], (2**31 - 1, 1)),
        wire([ONE], *[(2**16, 1)] * 2),
        wire([ONE], *[(2**16, 1)] * 4),
        wire([ONE], *[(2**31 - 1, 1)] * 6),
        wire([ONE], (2**31 - 1, 1), (0, 1)),
        wire([], (1, 1), (0, 1)),
        wire([ONE], (1, 1))[:-1],
        wire([b"\0\0\0"], (1, 1)),
        wire([b"\0\0\0\1\0"], (1, 1)),
        wire([b""], (1, 1)),
        wire([ONE, None, b"\0"], (3, 1)),
        wire([None, b"\0" * 8], (2, 1)),
        struct.pack("!iiIii", 1, 0, INT4, 1, 1) + number(-2) + ONE,
        struct.pack("!iiIii", 1, 0, INT4, 1, 1) + number(2**31 - 1) + ONE,
        struct.pack("!iiIi", 1, 0, INT4, 1),
    ],
)
def test_illegal_forms_break_the_protocol(int4s: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        int4s.loads(data)


@pytest.mark.parametrize(
    "dimensions",
    [[(2**28, 1)], [(2**14, 1)] * 2, [(1, 1)] * 5 + [(2**30, 1)], [(2**31 - 1, 1)] * 6],
)
def test_a_lie_costs_no_memory(int4s: Codec, dimensions: list[tuple[int, int]]) -> None:
    data = wire([ONE], *dimensions)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError):
            int4s.loads(data)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", RESOLVED)
@settings(deadline=None, max_examples=50)
@given(data=st.data())
def test_any_bytes_are_an_array_or_a_typed_error(
    registry: Registry, name: str, data: st.DataObject
) -> None:
    codec = registry.get(ARRAYS[name])
    small = st.integers(-1, 3)
    dimensions = data.draw(st.lists(st.tuples(small, small), max_size=7))
    items = data.draw(st.lists(st.binary(max_size=20) | st.none(), max_size=10))
    flags = data.draw(st.integers(0, 2))
    form = wire(items, *dimensions, oid=OIDS[name], flags=flags)
    cut = data.draw(st.integers(0, len(form)))
    for hostile in (form, form[:cut], data.draw(st.binary(max_size=60))):
        try:
            value = codec.loads(hostile)
        except (ProtocolError, ValueError):
            continue
        assert isinstance(value, list)


def test_nothing_is_leaked(registry: Registry, int4s: Codec) -> None:
    texts = registry.get(ARRAYS["text"])
    numbers = [[100_000 + i, None] for i in range(50)]
    words = [f"word {i}" for i in range(50)]
    with_nulls = wire([number(100_000)] * 50 + [b"\0"], (51, 1))

    def work() -> None:
        for _ in range(200):
            int4s.loads(int4s.dumps(numbers))
            texts.loads(texts.dumps(words))
            with pytest.raises(ProtocolError):
                int4s.loads(with_nulls)

    assert_nothing_leaks(work)
