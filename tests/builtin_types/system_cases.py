"""What the server counts with, full-text search, names of the catalogue, and paths in JSON."""

from __future__ import annotations

from typing import Any

from builtin_types.case import Case
from builtin_types.number_cases import integers
from hypothesis import strategies as st

BIG = 2**64 - 1

TIDS = [(0, 0), (0, 1), (2**32 - 1, 2**16 - 1)]
tids = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))

SNAPSHOTS: list[tuple[int, int, tuple[int, ...]]] = [(1, 1, ()), (10, 20, (10, 14, 19))]
# No xid has the highest bit.
SNAPSHOTS += [(2**63 - 2, 2**63 - 1, (2**63 - 2,)), (1, 2**63 - 1, ())]


@st.composite
def snapshots(draw: st.DrawFn) -> tuple[int, int, tuple[int, ...]]:
    # Odd ones: no xid is 0 in its lower half, in which they are counted.
    xmin = 2 * draw(st.integers(0, 2**61)) + 1
    xmax = xmin + 2 * draw(st.integers(1, 50))
    running = draw(st.sets(st.integers(xmin, xmax - 1), max_size=5))
    return xmin, xmax, tuple(sorted(running))


def lsn_text(value: int) -> str:
    return f"{value >> 32:X}/{value & 0xFFFFFFFF:X}"


def tid_text(value: tuple[int, int]) -> str:
    return f"({value[0]},{value[1]})"


def snapshot_text(value: tuple[int, int, tuple[int, ...]]) -> str:
    return f"{value[0]}:{value[1]}:{','.join(map(str, value[2]))}"


def as_text(name: str, texts: list[str], since: int = 10, **rules: Any) -> Case:
    """A type whose values are the texts that the server prints."""
    rules.setdefault("expected", None)
    return Case(name, texts, st.sampled_from(texts), since=since, **rules)


VECTORS = ["", "a", "'a b':1A,2B,3C,4", "'it''s':7 'back\\\\slash'", "b a a c:16383", "grüße:1"]
QUERIES = [
    "",
    "a",
    "a & b | !c",
    "(a | b) & c",
    "a <-> b <3> c",
    "'it''s':*AB",
    "!!a",
    "a & 'b c':*",
]
PATHS = ["$", "strict $.a[*].b", '$[0 to last] ? (@ > 1 && @.x == "y")', '$."a b".size()']

NAMES: dict[str, list[str]] = {
    "regproc": ["-", "now", "boolin", "4294967295"],
    "regprocedure": ["-", "lower(text)", "now()"],
    "regoper": ["0", "|/", "||/"],
    "regoperator": ["0", "+(integer,integer)", "~(none,bigint)"],
    "regclass": ["pg_class", "information_schema.tables"],
    "regtype": ["-", "integer", "timestamp with time zone[]", '"char"'],
    "regrole": ["-", "postgres"],
    "regnamespace": ["-", "pg_catalog"],
    "regconfig": ["-", "simple", "english"],
    "regdictionary": ["-", "simple"],
}

CASES = [
    integers("xid", 0, 2**32 - 1),
    integers("cid", 0, 2**32 - 1),
    integers("xid8", 0, BIG, since=13),
    Case("pg_lsn", [0, 1, 2**32, BIG], st.integers(0, BIG), lsn_text),
    Case("tid", TIDS, tids, tid_text),
    Case("pg_snapshot", SNAPSHOTS, snapshots(), snapshot_text, since=13),
    Case("txid_snapshot", SNAPSHOTS, snapshots(), snapshot_text),
    as_text("tsvector", VECTORS),
    as_text("tsquery", QUERIES),
    as_text("jsonpath", PATHS, since=12),
    as_text("aclitem", ["=r/postgres", "postgres=arwd*/postgres"], alike_in_records=False),
    *(as_text(name, names, alike_in_records=False) for name, names in NAMES.items()),
    as_text("regcollation", ["-", '"C"'], since=13, alike_in_records=False),
]
