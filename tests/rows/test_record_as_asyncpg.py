"""Records beside asyncpg's: the same use gives the same, or a difference that is meant."""

from __future__ import annotations

import asyncio
import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any, TypeAlias

import asyncpg
import pytest

import pgallop


class Name(str):
    __slots__ = ()


QUERY = "SELECT 7 AS id, 'Ada' AS name, NULL AS nothing, 9 AS id"
VALUES = (7, "Ada", None, 9)

Either: TypeAlias = Any  # a record of asyncpg or of pgallop
Rows: TypeAlias = tuple[Either, Either]


@pytest.fixture(scope="module")
def rows(dsn: str) -> Rows:
    """The row of QUERY from asyncpg and from pgallop."""

    async def ask() -> Rows:
        theirs = await asyncpg.connect(dsn)
        try:
            async with pgallop.connect(dsn) as ours:
                return await theirs.fetchrow(QUERY), await ours.fetchrow(QUERY)
        finally:
            await theirs.close()

    return asyncio.run(ask())


USES: dict[str, Callable[[Either], object]] = {
    "index": lambda r: (r[0], r[-1], r[True], r[3]),
    "name": lambda r: (r["id"], r["name"], r[Name("name")]),
    "slice": lambda r: (r[1:], r[::-1], r[9:]),
    "no such index": lambda r: r[4],
    "no such negative index": lambda r: r[-5],
    "index too big": lambda r: r[2**70],
    "no such name": lambda r: r["z"],
    "in": lambda r: ("id" in r, "z" in r, 7 in r, None in r, Name("id") in r),
    "get": lambda r: (r.get("name"), r.get("z"), r.get("z", 1), r.get("nothing", 1), r.get(0)),
    "keys": lambda r: list(r.keys()),
    "values": lambda r: list(r.values()),
    "items": lambda r: list(r.items()),
    "iterators": lambda r: (next(r.keys()), next(r.values()), next(r.items())),
    "no len of keys": lambda r: len(r.keys()),
    "sequence": lambda r: (len(r), list(r), tuple(r), list(reversed(r)), bool(r)),
    "unpacking": lambda r: (lambda *args: args)(*r),
    "dict": dict,
    "equal": lambda r: (r == VALUES, r == VALUES, r != VALUES, r == list(VALUES), r == dict(r)),
    "order": lambda r: (r < (8,), r > (6, ""), r <= VALUES, r >= VALUES, r < VALUES),
    "order with a list": lambda r: r < [8],
    "hash": lambda r: hash(r) == hash(VALUES),
    "set": lambda r: {r, VALUES} == {VALUES},
    "repr": lambda r: (repr(r), str(r), f"{r}"),
    "format_map": "{name} {id}".format_map,
    "itemgetter": lambda r: operator.itemgetter("name", 0)(r),
    "method": lambda r: list(map(r.__getitem__, ["name", 0])),
    "no attribute": lambda r: r.name,
    "no new attribute": lambda r: setattr(r, "name", 1),
    "no item set": lambda r: operator.setitem(r, 0, 1),
    "no item deleted": lambda r: operator.delitem(r, 0),
    "no tuple": lambda r: isinstance(r, tuple),
    "no sum": lambda r: operator.add(r, (1,)),
}


@pytest.mark.parametrize("use", USES)
def test_equal_records(rows: Rows, use: str) -> None:
    theirs, ours = rows
    results = []
    for record in (theirs, ours):
        try:
            results.append(USES[use](record))
        except Exception as error:
            results.append(type(error))
    assert results[0] == results[1]
    assert theirs != ours  # each knows only its own kind and tuples


@pytest.mark.parametrize(
    ("use", "theirs", "ours"),
    [
        # A key that is neither name nor index is of the wrong type, as for lists.
        (lambda r: r[1.5], KeyError, TypeError),
        (lambda r: r[b"id"], KeyError, TypeError),
        (lambda r: [] in r, False, TypeError),
        (lambda r: r.get([]), None, TypeError),
        (lambda r: r.get("z", default=1), TypeError, 1),
        (lambda r: pickle.loads(pickle.dumps(r)) == r, TypeError, True),
        (lambda r: copy.copy(r) == r, TypeError, True),
    ],
)
def test_different_records(
    rows: Rows, use: Callable[[Either], object], theirs: object, ours: object
) -> None:
    for record, expected in zip(rows, (theirs, ours), strict=True):
        if isinstance(expected, type):
            with pytest.raises(expected):
                use(record)
        else:
            assert use(record) is expected or use(record) == expected
