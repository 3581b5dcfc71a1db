"""Figures as no server should send them."""

from __future__ import annotations

import tracemalloc
from struct import pack

import pytest
from array_bytes import wire
from hypothesis import given
from hypothesis import strategies as st

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

SIZES = {"point": 16, "line": 24, "lseg": 32, "box": 32, "circle": 24}
HEADS = {"path": b"\0", "polygon": b""}
NAMES = [*SIZES, *HEADS]


def codec_of(name: str) -> Codec:
    return builtin_registry().get(OIDS[name])


def points(name: str, count: int, there: int) -> bytes:
    return HEADS[name] + pack("!i", count) + pack(f"!{2 * there}d", *range(2 * there))


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, wrong) for name, size in SIZES.items() for wrong in (*range(size), size + 1, size + 8)],
)
def test_another_size(name: str, size: int) -> None:
    with pytest.raises(ProtocolError):
        codec_of(name).loads(bytes(size))


@pytest.mark.parametrize("name", HEADS)
def test_each_cut(name: str) -> None:
    whole = points(name, 3, 3)
    assert len(codec_of(name).loads(whole)) == 3
    for cut in range(len(whole)):
        with pytest.raises(ProtocolError):
            codec_of(name).loads(whole[:cut])


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize(
    ("count", "there"),
    [(0, 0), (0, 1), (-1, 0), (-1, 1), (-(2**31), 1), (1, 0), (2, 1), (1, 2), (2**28, 1)],
)
def test_lies_about_the_count(name: str, count: int, there: int) -> None:
    with pytest.raises(ProtocolError):
        codec_of(name).loads(points(name, count, there))


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("count", [2, 2**27 + 1, 2**28, 2**31 - 1])
def test_a_lie_costs_no_memory(registry: Registry, name: str, count: int) -> None:
    lie = points(name, count, 1)
    tracemalloc.start()
    try:
        words = f"a {name} of {count} points in 16 bytes"
        with pytest.raises(ProtocolError, match=words):
            codec_of(name).loads(lie)
        with pytest.raises(ProtocolError, match=words):
            registry.get(ARRAYS[name]).loads(wire([lie], (1, 1), oid=OIDS[name]))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("closed", [2, 127, 128, 255])
def test_a_path_is_open_or_closed(closed: int) -> None:
    with pytest.raises(ProtocolError, match=f"closed by {closed}, not 0 or 1"):
        codec_of("path").loads(bytes([closed]) + points("path", 1, 1)[1:])


@pytest.mark.parametrize("name", NAMES)
def test_an_element_sees_its_own_bytes_only(registry: Registry, name: str) -> None:
    """Bytes that one of them has too many or too few are not those of the next one."""
    good = bytes(SIZES[name]) if name in SIZES else points(name, 1, 1)
    several = registry.get(ARRAYS[name])
    assert len(several.loads(wire([good, good], (2, 1), oid=OIDS[name]))) == 2
    for first, second in ((good + b"\0", good[:-1]), (good[:-1], b"\0" + good), (b"", good * 2)):
        with pytest.raises(ProtocolError):
            several.loads(wire([first, second], (2, 1), oid=OIDS[name]))


@given(name=st.sampled_from(NAMES), data=st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_typed_error(name: str, data: bytes) -> None:
    codec = codec_of(name)
    try:
        value = codec.loads(data)
    except ProtocolError:
        return
    assert type(value).__name__.lower() in (name, "linesegment")
