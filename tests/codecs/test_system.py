"""xid, cid, xid8, pg_lsn, tid, pg_snapshot, txid_snapshot."""

from __future__ import annotations

import struct
import tracemalloc
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leaks import assert_nothing_leaks
from oracle import Oracle

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.codec import Unencodable
from pgallop.codecs.registry import Registry
from pgallop.errors import ProtocolError

uint32 = st.integers(0, 2**32 - 1)
uint64 = st.integers(0, 2**64 - 1)

# In text an xip is less than xmax, in binary it can be xmax.
# Before PostgreSQL 13 a snapshot's transactions have a sign. Afterwards none ends in 32 zero bits.
xids = st.integers(1, 2**63 - 1).filter(lambda xid: xid & 0xFFFFFFFF)
snapshots = st.builds(
    lambda ends, inner: (ends[0], ends[1], tuple(x for x in inner if ends[0] <= x < ends[1])),
    st.tuples(xids, xids).map(sorted),
    st.lists(xids, unique=True, max_size=20).map(sorted),
)


def snapshot_text(value: Any) -> str:
    xmin, xmax, running = value
    return f"{xmin}:{xmax}:{','.join(map(str, running))}"


VALUES: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "xid": (uint32, str),
    "cid": (uint32, str),
    "xid8": (uint64, str),
    "pg_lsn": (uint64, lambda value: f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"),
    "tid": (st.tuples(uint32, st.integers(0, 65535)), lambda value: f"({value[0]},{value[1]})"),
    "pg_snapshot": (snapshots, snapshot_text),
    "txid_snapshot": (snapshots, snapshot_text),
}
SINCE = {"xid8": 13, "pg_snapshot": 13}


@pytest.mark.parametrize("name", VALUES)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_the_server_reads_and_writes_the_same(
    oracle: Oracle, registry: Registry, name: str, data: st.DataObject
) -> None:
    if oracle.version < SINCE.get(name, 10):
        pytest.skip(f"new in PostgreSQL {SINCE[name]}")
    strategy, text = VALUES[name]
    values = data.draw(st.lists(strategy, max_size=50))
    codec = registry.get(OIDS[name])
    written = [codec.dumps(value) for value in values]
    assert oracle.binary(codec.oid, [text(value) for value in values]) == written
    assert [codec.loads(item) for item in written] == values
    again = oracle.binary(codec.oid, oracle.text(codec.oid, written))
    assert again == written


def test_arrays_of_tuples(registry: Registry) -> None:
    """A tuple is a value, a list a sub-array."""
    values: Any
    for name, values in (
        ("tid", [(1, 2), (3, 4)]),
        ("pg_snapshot", [(1, 5, (2, 3)), (1, 1, ())]),
    ):
        codec = registry.get(ARRAYS[name])
        for value in ([], values, tuple(values), [[values[0], None], values]):
            assert codec.loads(codec.dumps(value)) == (list(value) if value else [])


def test_what_else_is_taken(registry: Registry) -> None:
    assert registry.get(OIDS["xid8"]).dumps(numpy.uint64(2**64 - 1)) == b"\xff" * 8
    assert registry.get(OIDS["tid"]).dumps([1, numpy.int16(2)]) == b"\0\0\0\1\0\2"
    snapshot = registry.get(OIDS["pg_snapshot"])
    assert snapshot.dumps([1, 5, [2, 3]]) == snapshot.dumps((1, 5, (2, 3)))


class Shrinking(list[Any]):
    """Its first item, asked for its number, takes the others away."""

    def __index__(self) -> int:
        self.clear()
        return 2


def test_a_list_that_changes_meanwhile(registry: Registry) -> None:
    running = Shrinking()
    running += [running, 3]
    data = registry.get(OIDS["pg_snapshot"]).dumps((1, 5, running))
    assert registry.get(OIDS["pg_snapshot"]).loads(data) == (1, 5, (2, 3))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("xid", -1, "out of range for xid"),
        ("cid", 2**32, "out of range for cid"),
        ("xid8", -1, "out of range: 0 to 18446744073709551615"),
        ("xid8", 2**64, "out of range"),
        ("xid8", "1", "expected int, got str"),
        ("xid8", 1.0, "expected int, got float"),
        ("pg_lsn", "16/B374D848", "expected int, got str"),
        ("tid", "(0,1)", r"expected a tuple \(block, offset\), got str"),
        ("tid", 5, "got int"),
        ("tid", (1,), r"has 1 parts, expected a tuple \(block, offset\)"),
        ("tid", (1, 2, 3), "has 3 parts"),
        ("tid", (2**32, 1), "the block is out of range: 0 to 4294967295"),
        ("tid", (1, 65536), "the offset is out of range: 0 to 65535"),
        ("tid", (1, -1), "the offset is out of range"),
        ("tid", (1, "2"), "the offset is of type str"),
        ("pg_snapshot", "1:1:", "expected a tuple"),
        ("pg_snapshot", (1, 2), "has 2 parts"),
        ("pg_snapshot", (1, 2, 3), "the xips are of type int"),
        ("pg_snapshot", (0, 2, ()), "xmin is 0"),
        ("pg_snapshot", (3, 2, ()), "above xmax"),
        ("pg_snapshot", (1, 2**64, ()), "xmax is out of range"),
        ("pg_snapshot", (-1, 2, ()), "xmin is out of range"),
        ("pg_snapshot", (1.5, 2, ()), "xmin is of type float"),
        ("pg_snapshot", (2, 9, (1,)), "not in ascending order"),
        ("pg_snapshot", (2, 9, (10,)), "not in ascending order"),
        ("pg_snapshot", (2, 9, (4, 3)), "not in ascending order"),
        ("pg_snapshot", (2, 9, (4, 4)), "not in ascending order"),
        ("pg_snapshot", (2, 9, (None,)), "an xip is of type NoneType"),
        ("txid_snapshot", (2, 9, (4, 4)), "not in ascending order"),
    ],
)
def test_what_is_refused(registry: Registry, name: str, value: object, reason: str) -> None:
    with pytest.raises(Unencodable, match=reason) as caught:
        registry.get(OIDS[name]).dumps(value)
    assert caught.value.value is value
    assert caught.value.codec.name == name


# --- what no server sends -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size"), [("xid", 4), ("cid", 4), ("xid8", 8), ("pg_lsn", 8), ("tid", 6)]
)
def test_another_size(registry: Registry, name: str, size: int) -> None:
    registry.get(OIDS[name]).loads(bytes(size))
    for other in {*range(20)} - {size}:
        with pytest.raises(ProtocolError):
            registry.get(OIDS[name]).loads(bytes(other))


def wire(count: int, xmin: int, xmax: int, *running: int) -> bytes:
    return struct.pack(f"!i{2 + len(running)}Q", count, xmin, xmax, *running)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        *(wire(1, 1, 9, 5)[:size] for size in range(28)),
        wire(1, 1, 9, 5) + b"\0",
        wire(0, 1, 9, 5),
        wire(2, 1, 9, 5),
        wire(-1, 1, 9),
        wire(-(2**31), 1, 9),
        wire(2**31 - 1, 1, 9),
        wire(2**28, 1, 9),
        wire(0, 0, 9),
        wire(0, 2, 1),
        wire(1, 2, 9, 1),
        wire(1, 2, 9, 10),
        wire(2, 2, 9, 5, 4),
        wire(2, 2, 9, 5, 5),
        wire(1, 9, 2, 5),
    ],
)
def test_illegal_snapshots_break_the_protocol(registry: Registry, data: bytes) -> None:
    for name in ("pg_snapshot", "txid_snapshot"):
        tracemalloc.start()
        try:
            with pytest.raises(ProtocolError):
                registry.get(OIDS[name]).loads(data)
            assert tracemalloc.get_traced_memory()[1] < 100_000
        finally:
            tracemalloc.stop()


def test_nothing_is_leaked(registry: Registry) -> None:
    codec = registry.get(OIDS["pg_snapshot"])

    def work() -> None:
        for _ in range(300):
            codec.loads(codec.dumps((10**12, 10**13, (10**12 + 1, 10**12 + 2))))
            for bad in (wire(2, 2, 9, 5, 4), wire(1, 1, 9, 5)[:-1]):
                with pytest.raises(ProtocolError):
                    codec.loads(bad)
            with pytest.raises(Unencodable):
                codec.dumps((2, 9, (3, 4, 4)))

    assert_nothing_leaks(work)
