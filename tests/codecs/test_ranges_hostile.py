"""Ranges and multiranges as no server should send them."""

from __future__ import annotations

import struct
import time
import tracemalloc
from contextlib import suppress

import pytest
from array_bytes import number, wire
from hypothesis import given
from hypothesis import strategies as st
from leaks import assert_nothing_leaks
from range_bytes import FLAGS, SENT, multiranged, ranged

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.codec import Codec
from pgallop.codecs.ranges import RangeCodec
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual import textual
from pgallop.errors import ProtocolError
from pgallop.values import Range

RANGE_NAMES = ["int4range", "int8range", "numrange", "daterange", "tsrange", "tstzrange"]
MULTIRANGE_NAMES = [name.replace("range", "multirange") for name in RANGE_NAMES]

ONE, TWO = number(1), number(2)
BOUNDED = ranged(2, ONE, TWO)


@pytest.fixture(scope="module")
def ranges(registry: Registry) -> Codec:
    return registry.get(OIDS["int4range"])


@pytest.fixture(scope="module")
def multiranges(registry: Registry) -> Codec:
    return registry.get(OIDS["int4multirange"])


@pytest.mark.parametrize("flags", range(256))
def test_flags(ranges: Codec, flags: int) -> None:
    """What a server sends says of each bound one thing, or that there is nothing at all."""
    bounds = 0 if flags & 1 else 2 - (flags >> 3 & 1) - (flags >> 4 & 1)
    data = ranged(flags, *[ONE, TWO][:bounds])
    if flags not in SENT:
        with pytest.raises(ProtocolError, match=f"sent int4range with the flags {flags:#x}$"):
            ranges.loads(data)
        return
    value = ranges.loads(data)
    kept = (value.isempty, value.lower_inc, value.upper_inc, value.lower_inf, value.upper_inf)
    assert kept == tuple(bool(flags & flag) for flag in FLAGS)
    assert ranges.dumps(value) == data
    # With a bound less or one more.
    for lie in (data + sized_one, data[:-8] if bounds else b"", data + b"\0"):
        with pytest.raises(ProtocolError):
            ranges.loads(lie)


sized_one = struct.pack("!ii", 4, 1)

LIES = [
    b"",
    b"\2",
    ranged(2, ONE),
    ranged(2, None, TWO),
    ranged(2, ONE, None),
    ranged(8, None),
    ranged(2, b"", TWO),
    ranged(2, ONE[:3], TWO),
    ranged(2, ONE + b"\0", TWO),
    ranged(2, ONE, TWO + b"\0"),
    ranged(2, ONE, TWO) + b"\0",
    ranged(1, ONE),
    ranged(24, ONE),
    *(b"\2" + struct.pack("!i", lie) + BOUNDED[5:] for lie in (-2, -(2**31), 3, 5, 13, 2**31 - 1)),
    *(BOUNDED[:9] + struct.pack("!i", lie) + TWO for lie in (-2, -(2**31), 3, 5, 2**31 - 1)),
    *(BOUNDED[:end] for end in range(len(BOUNDED))),
]


@pytest.mark.parametrize("data", LIES)
def test_illegal_ranges(ranges: Codec, multiranges: Codec, registry: Registry, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        ranges.loads(data)
    with pytest.raises(ProtocolError):
        multiranges.loads(multiranged(BOUNDED, data))
    with pytest.raises(ProtocolError):
        registry.get(ARRAYS["int4range"]).loads(wire([data], (1, 1), oid=OIDS["int4range"]))


WHOLE = multiranged(BOUNDED, ranged(18, ONE))
MULTI_LIES = [
    *(multiranged(BOUNDED, count=count) for count in (-1, -(2**31), 0, 2, 2**28, 2**31 - 1)),
    multiranged(None),
    multiranged(BOUNDED, None),
    multiranged(b""),
    multiranged(BOUNDED, b""),
    multiranged(BOUNDED + b"\0"),
    multiranged(BOUNDED[:-1]),
    multiranged(BOUNDED) + b"\0",
    # The length of a range, one byte off.
    *(number(1) + struct.pack("!i", lie) + BOUNDED for lie in (-2, 16, 18, -(2**31), 2**31 - 1)),
    *(WHOLE[:end] for end in range(len(WHOLE))),
]


@pytest.mark.parametrize("data", MULTI_LIES)
def test_illegal_multiranges(multiranges: Codec, registry: Registry, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        multiranges.loads(data)
    several = registry.get(ARRAYS["int4multirange"])
    with pytest.raises(ProtocolError):
        several.loads(wire([data], (1, 1), oid=OIDS["int4multirange"]))


@pytest.mark.parametrize("name", [*RANGE_NAMES, *MULTIRANGE_NAMES])
def test_every_prefix(registry: Registry, name: str) -> None:
    zero = b"\0" * (4 if name.startswith(("int4", "date")) else 8)
    data = ranged(2, zero, zero)
    if name in MULTIRANGE_NAMES:
        data = multiranged(data, ranged(1))
    codec = registry.get(OIDS[name])
    assert codec.loads(data)
    for end in range(len(data)):
        with pytest.raises(ProtocolError):
            codec.loads(data[:end])


@pytest.mark.parametrize("count", [3, 2**28, 2**31 - 1])
def test_a_lie_costs_no_memory(multiranges: Codec, count: int) -> None:
    lie = multiranged(ranged(1), ranged(1), count=count)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=f"int4multirange of {count} ranges in 10 bytes"):
            multiranges.loads(lie)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_as_many_as_there_is_room_for(multiranges: Codec) -> None:
    assert multiranges.loads(multiranged(*[ranged(1)] * 10_000)) == [Range(empty=True)] * 10_000


# --- what Python cannot hold ----------------------------------------------------------------------

FAR = struct.pack("!i", 3_000_000)


@pytest.mark.parametrize(
    ("flags", "bounds", "words"),
    [
        (2, (ONE, FAR), "upper bound: the date 10213-"),
        (2, (FAR, FAR), "lower bound: the date 10213-"),
        (18, (FAR,), "lower bound: the date 10213-"),
        (8, (FAR,), "upper bound: the date 10213-"),
    ],
)
def test_the_bound_is_named(
    registry: Registry, flags: int, bounds: tuple[bytes, ...], words: str
) -> None:
    data = ranged(flags, *bounds)
    with pytest.raises(ValueError, match=f"^{words}") as caught:
        registry.get(OIDS["daterange"]).loads(data)
    assert isinstance(caught.value.__cause__, ValueError)
    with pytest.raises(ValueError, match=f"^range 1: {words}"):
        registry.get(OIDS["datemultirange"]).loads(multiranged(ranged(1), data))
    text = {2: "[2000-01-02,10213-10-01)", 18: "[10213-10-01,)", 8: "(,10213-10-01)"}[flags]
    with pytest.raises(ValueError, match="the date 10213-"):
        textual(registry.get(OIDS["daterange"])).loads(text.encode())


def test_no_utf8(registry: Registry) -> None:
    words = RangeCodec(16385, "words", registry.get(OIDS["text"]))
    with pytest.raises(ValueError, match=r"^lower bound: 'utf-8' codec can't decode"):
        words.loads(ranged(18, b"\xff"))


# --- any bytes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*RANGE_NAMES, *MULTIRANGE_NAMES])
@given(data=st.data())
def test_any_bytes(registry: Registry, name: str, data: st.DataObject) -> None:
    codec = registry.get(OIDS[name])
    bounds = st.binary(max_size=9) | st.sampled_from([b"\0" * 4, b"\0" * 8]) | st.none()
    flags = st.sampled_from(SENT) | st.integers(0, 255)
    one = st.builds(ranged, flags, bounds, bounds) | st.builds(ranged, flags)
    forms = st.binary(max_size=30) | one
    if name in MULTIRANGE_NAMES:
        forms |= st.lists(one | st.none(), max_size=3).map(lambda ranges: multiranged(*ranges))
    hostile = data.draw(forms)
    with suppress(ProtocolError, ValueError):
        assert type(codec.loads(hostile)) is (Range if name in RANGE_NAMES else list)


def test_nothing_is_leaked(registry: Registry) -> None:
    codec = registry.get(OIDS["datemultirange"])
    good = multiranged(ranged(2, ONE, TWO), ranged(18, TWO), ranged(1))
    bad = [
        multiranged(ranged(2, ONE, TWO), ranged(2, ONE, FAR)),
        multiranged(ranged(2, ONE, TWO), ranged(2, ONE, None)),
        multiranged(ranged(2, ONE, TWO), ranged(3)),
        multiranged(ranged(2, ONE, TWO), ranged(2, ONE, TWO) + b"\0"),
    ]

    def work() -> None:
        for _ in range(200):
            codec.loads(good)
            for hostile in bad:
                with pytest.raises((ProtocolError, ValueError)):
                    codec.loads(hostile)

    assert_nothing_leaks(work)


# --- text that no server writes -------------------------------------------------------------------

BAD = [
    *(b"", b"1", b"[", b"[]", b"()", b"[1]", b"[1,2", b"1,2)", b"[1,2)x", b" [1,2)", b"[1,2)\n"),
    *(b"[1, 2)", b"[ 1,2)", b"[1;2)", b"[1,2,3)", b"[,1)", b"[1,]", b"[,]", b"{1,2}", b"EMPTY"),
    *(b"empty ", b"Empty", b"[a,2)", b"[1,2147483648)", b'["1,2)', b'["1",2', b'["1"2,3)'),
    *(b'[1"2",3)', b'["",2)', b"[(1,2)", b"[1,2))", b"[[1,2)", b"[\\1,2)", b"[1,2)[1,2)", b"\xff"),
]
BAD_MULTIRANGES = [
    *(b"", b"{", b"}", b"{}}", b"{{}}", b"[1,2)", b"{[1,2)", b"[1,2)}", b"{[1,2),}", b"{,[1,2)}"),
    *(
        b"{[1,2)[3,4)}",
        b"{[1,2), [3,4)}",
        b"{ [1,2)}",
        b"{[1,2)}\n",
        b"{NULL}",
        b'{"[1,2)"}',
        b"{,}",
    ),
    *(b"{[1,2);[3,4)}", b"{[1,2),3}", b"empty", *(b"{" + text + b"}" for text in BAD[1:])),
]


@pytest.mark.parametrize("text", BAD)
def test_no_range(registry: Registry, text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        textual(registry.get(OIDS["int4range"])).loads(text)


@pytest.mark.parametrize("text", BAD_MULTIRANGES)
def test_no_multirange(registry: Registry, text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        textual(registry.get(OIDS["int4multirange"])).loads(text)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("int4range", b"[1,x)", "upper bound: 'x' is not the text of an int4"),
        ("int4range", b"1,2", "'1,2' is not the text of a range"),
        ("int4range", b"[,2)", "'[,2)' is not the text of a range: a bound that is missing is in"),
        (
            "int4multirange",
            b"{[1,2),(3,x)}",
            "range 1: upper bound: 'x' is not the text of an int4",
        ),
        ("int4multirange", b"{[1,2),(3", "',(3' is not what comes next in a multirange"),
        ("int4multirange", b"[1,2)", "'[1,2)' is not the text of a multirange"),
        ("daterange", b"[01/02/2024,)", "lower bound: '01/02/2024' is not a date in ISO style"),
    ],
)
def test_errors_tell_what_is_wrong(registry: Registry, name: str, text: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        textual(registry.get(OIDS[name])).loads(text)
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize(
    ("name", "head", "piece"),
    [
        ("int4range", b'["', b"1"),
        ("int4range", b'["', b'""'),
        ("int4range", b'["', b"\\a"),
        ("int4range", b"[", b"1"),
        ("int4range", b"[", b"["),
        ("int4multirange", b"{", b"[1,2),"),
        ("int4multirange", b"{", b"empty,"),
        ("int4multirange", b'{["', b'""'),
    ],
)
def test_time_grows_with_the_length_only(
    registry: Registry, name: str, head: bytes, piece: bytes
) -> None:
    """In quadratic time that would be minutes."""
    reader = textual(registry.get(OIDS[name]))
    start = time.process_time()
    with pytest.raises(ValueError, match=r"."):
        reader.loads(head + piece * 100_000)
    assert time.process_time() - start < 5
