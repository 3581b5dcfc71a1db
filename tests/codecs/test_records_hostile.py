"""Records as no server should send them."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
from array_bytes import number, wire
from hypothesis import given
from hypothesis import strategies as st
from leaks import assert_nothing_leaks
from record_bytes import field, record, tower

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import Codec
from pgallop.errors import ProtocolError
from pgallop.limits import MAX_NESTING

INT4, TEXT = OIDS["int4"], OIDS["text"]
RECORD, RECORDS = OIDS["record"], ARRAYS["record"]
ONE = (INT4, number(1))


@pytest.fixture(scope="module")
def records() -> Codec:
    return builtin_registry().get(RECORD)


@pytest.fixture(scope="module")
def arrays() -> Codec:
    return builtin_registry().get(RECORDS)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0\0",
        record(count=1),
        record(count=-1),
        record(count=-(2**31)),
        record(count=2**28),
        record(count=2**31 - 1),
        record(ONE, count=0),
        record(ONE, count=2),
        record(ONE, count=-1),
        record(ONE) + b"\0",
        record(ONE)[:-1],
        record(ONE, ONE)[:-4],
        record(count=1) + struct.pack("!I", INT4),
        record(count=1) + struct.pack("!Ii", INT4, 4),
        record(count=1) + field(INT4, number(1), -2),
        record(count=1) + field(INT4, number(1), -(2**31)),
        record(count=1) + field(INT4, number(1), 5),
        record(count=1) + field(INT4, number(1), 2**31 - 1),
        record(count=1) + field(INT4, number(1), 3),
        record(count=1) + field(INT4, number(1), 0),
        record((INT4, b"\0" * 3)),
        record((INT4, b"\0" * 5)),
        record((INT4, b"\0" * 8)),
        record((OIDS["int8"], number(1))),
        record((OIDS["uuid"], b"x" * 15)),
        # A lie within a field is one about the field, not about the record.
        record((RECORD, record(count=1)), ONE),
        record((RECORD, record(ONE) + b"\0"), ONE),
        record((RECORD, record(ONE)[:-1]), ONE),
        record((RECORD, b"")),
        record((ARRAYS["int4"], wire([number(1)], (2, 1)))),
        record((RECORDS, wire([number(1)], (1, 1)))),
        record((RECORDS, wire([record(ONE)], (1, 1), oid=INT4))),
        record((RECORDS, wire([record(count=2**28)], (1, 1), oid=RECORD))),
    ],
)
def test_illegal_forms_break_the_protocol(records: Codec, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        records.loads(data)


@pytest.mark.parametrize("count", [2, 2**28, 2**31 - 1])
def test_a_lie_costs_no_memory(records: Codec, arrays: Codec, count: int) -> None:
    lie = record(ONE, count=count)
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match=f"a record of {count} fields in 12 bytes"):
            records.loads(lie)
        with pytest.raises(ProtocolError, match=f"a record of {count} fields in 12 bytes"):
            arrays.loads(wire([lie], (1, 1), oid=RECORD))
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def tower_of_arrays(levels: int) -> bytes:
    """A record of an array of a record of an array ..., so many records in all."""
    head = len(wire([b""], (1, 1), oid=RECORD)) + len(record((RECORDS, b"")))
    pieces, size = [record()], len(record())
    for _ in range(levels - 1):
        array = wire([], (1, 1), oid=RECORD) + number(size)
        pieces.append(number(1) + struct.pack("!Ii", RECORDS, size + head - 12) + array)
        size += head
    return b"".join(reversed(pieces))


def test_a_tower_of_arrays_is_one(records: Codec) -> None:
    assert tower_of_arrays(2) == record((RECORDS, wire([record()], (1, 1), oid=RECORD)))
    assert records.loads(tower_of_arrays(3)) == ([([()],)],)
    records.loads(tower_of_arrays(MAX_NESTING))


@pytest.mark.parametrize("make", [tower, tower_of_arrays])
@pytest.mark.parametrize("levels", [MAX_NESTING + 1, 200_000])
def test_a_tower_is_refused_at_once(
    records: Codec, make: Callable[[int], bytes], levels: int
) -> None:
    data = make(levels)
    start = time.perf_counter()
    with pytest.raises(ProtocolError, match=f"nested deeper than {MAX_NESTING} levels"):
        records.loads(data)
    assert time.perf_counter() - start < 0.5
    # It leaves nothing behind.
    assert records.loads(tower(MAX_NESTING))


@given(st.data())
def test_any_bytes_are_a_record_or_a_typed_error(data: st.DataObject) -> None:
    oids = st.sampled_from([INT4, TEXT, RECORD, RECORDS, ARRAYS["int4"], OIDS["point"], 0, 99999])
    items = st.lists(st.tuples(oids, st.none() | st.binary(max_size=20)), max_size=4)
    inner = record(*data.draw(items), count=data.draw(st.none() | st.integers(-1, 5)))
    whole = record(*data.draw(items), (RECORD, inner))
    cut = data.draw(st.integers(0, len(whole)))
    codec = builtin_registry().get(RECORD)
    for hostile in (inner, whole, whole[:cut], data.draw(st.binary(max_size=60))):
        try:
            value = codec.loads(hostile)
        except (ProtocolError, ValueError):
            continue
        assert type(value) is tuple


def test_nothing_is_leaked(records: Codec) -> None:
    good = record(ONE, (TEXT, b"a word"), (RECORD, record(ONE, (TEXT, None))))
    bad = [
        record((TEXT, b"a word"), (INT4, b"\0")),
        record((TEXT, b"a word"), (TEXT, b"\xff")),
        record((TEXT, b"a word"), (99999, b"x")),
        tower(MAX_NESTING + 1),
    ]

    def work() -> None:
        for _ in range(200):
            records.loads(good)
            for hostile in bad:
                with pytest.raises((ProtocolError, ValueError)):
                    records.loads(hostile)

    assert_nothing_leaks(work)
