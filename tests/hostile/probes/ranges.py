"""Ranges and multiranges whose bytes no server sends."""

from __future__ import annotations

from struct import pack

from hostile.probe import Probe, fetch, value
from range_bytes import multiranged, ranged
from scripts import int4

import pgallop
from pgallop.codecs._oids import OIDS

ONE, TWO = int4(1), int4(2)
FAR = int4(3_000_000)


def lie(name: str, kind: str, data: bytes, words: str) -> Probe:
    return Probe(name=f"{kind}: {name}", script=value(data, OIDS[kind]), ask=fetch, words=words)


def unreadable(name: str, kind: str, data: bytes, words: str) -> Probe:
    """A value that is no lie and that Python does not have."""
    return Probe(
        name=f"{kind}: {name}",
        script=value(data, OIDS[kind]),
        ask=fetch,
        error=pgallop.DataError,
        words=words,
        usable=True,
    )


PROBES = [
    lie("nothing", "int4range", b"", "announced 1 bytes where 0 remain"),
    lie("empty, with bounds", "int4range", ranged(3, ONE, TWO), "with the flags 0x3"),
    lie("a bound that is missing and in it", "int4range", ranged(10, TWO), "with the flags 0xa"),
    lie("flags nobody knows", "int4range", ranged(0x80, ONE, TWO), "with the flags 0x80"),
    lie("NULL for a bound", "int4range", ranged(2, None, TWO), "whose lower bound is NULL"),
    lie("one bound of two", "int4range", ranged(2, ONE), "announced 4 bytes where 0 remain"),
    lie("one bound too many", "int4range", ranged(18, ONE, TWO), "which is not what its type"),
    lie("a bound of 3 bytes", "int4range", ranged(2, ONE, TWO[:3]), "4 bytes where 3 remain"),
    lie("a bound of 5 bytes", "int4range", ranged(2, ONE, TWO + b"\0"), "upper bound of int4range"),
    lie("a bound of 2 GB", "int4range", b"\2" + pack("!ii", 2**31 - 1, 1), "of 2147483647 bytes"),
    lie("a bound of -2 bytes", "tsrange", b"\2" + pack("!ii", -2, 1), "a field of -2 bytes"),
    lie("-1 ranges", "int4multirange", multiranged(count=-1), "of -1 ranges"),
    lie("2^31 - 1 ranges", "int4multirange", multiranged(count=2**31 - 1), "of 2147483647 ranges"),
    lie(
        "2^28 ranges in five bytes",
        "int4multirange",
        multiranged(ranged(1), count=2**28),
        "of 268435456 ranges in 5 bytes",
    ),
    lie(
        "NULL for a range", "int4multirange", multiranged(None, ranged(18, ONE)), "range 0 is NULL"
    ),
    lie("one range too many", "int4multirange", multiranged(*[ranged(1)] * 2, count=1), "not what"),
    lie(
        "a range of a byte more",
        "int4multirange",
        multiranged(ranged(1) + b"\0"),
        "range 0 of int4multirange has 2 bytes",
    ),
    unreadable("after 9999", "daterange", ranged(2, ONE, FAR), "upper bound: the date 10213-"),
    unreadable(
        "after 9999",
        "datemultirange",
        multiranged(ranged(1), ranged(18, FAR)),
        "range 1: lower bound: the date 10213-",
    ),
]
