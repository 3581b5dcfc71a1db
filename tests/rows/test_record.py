"""Record: a row by name, by index, as a sequence; what of it the garbage collector has to see."""

from __future__ import annotations

import asyncio
import copy
import gc
import operator
import pickle
import weakref
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pgallop
from pgallop import Record
from pgallop.rows.record import Shape


def record(**columns: Any) -> Record:
    return Record(Shape(tuple(columns)), tuple(columns.values()))


ada = record(id=7, name="Ada", nothing=None)
twins = Record(Shape(("a", "b", "a")), (1, 2, 3))
empty = record()


def fetch(dsn: str, query: str) -> list[Record]:
    async def ask() -> list[Record]:
        async with pgallop.connect(dsn) as conn:
            return await conn.fetch(query)

    return asyncio.run(ask())


# Reading


def test_by_name_and_index() -> None:
    assert (ada["id"], ada["name"], ada["nothing"]) == (7, "Ada", None)
    assert [ada[i] for i in (0, 1, 2, -1, -2, -3)] == [7, "Ada", None, None, "Ada", 7]
    assert ada[True] == "Ada"  # as in every sequence
    assert operator.itemgetter("name", 0)(ada) == ("Ada", 7)


def test_by_a_subclass_of_str() -> None:
    class Name(str):
        __slots__ = ()

    assert ada[Name("id")] == 7
    assert ada.get(Name("id")) == 7
    assert Name("id") in ada


def test_slices() -> None:
    assert ada[:] == (7, "Ada", None)
    assert ada[1:] == ("Ada", None)
    assert ada[::-1] == (None, "Ada", 7)
    assert ada[5:9] == ()
    assert type(ada[:2]) is tuple


@pytest.mark.parametrize("key", ["z", "", "ID", "0"])
def test_no_such_column(key: str) -> None:
    with pytest.raises(KeyError) as caught:
        ada[key]
    assert caught.value.args == (key,)


@pytest.mark.parametrize("index", [3, -4, 2**31, 2**63, -(2**70)])
def test_no_such_index(index: int) -> None:
    with pytest.raises(IndexError):
        ada[index]


@pytest.mark.parametrize("key", [1.0, None, b"id", [0], (0,)])
def test_what_is_neither_name_nor_index(key: Any) -> None:
    with pytest.raises(TypeError):
        ada[key]


def test_get() -> None:
    assert ada.get("name") == "Ada"
    assert ada.get("z") is None
    assert ada.get("z", 5) == 5
    assert ada.get("nothing", 5) is None  # NULL is a value


def test_in_asks_for_a_column() -> None:
    assert "name" in ada
    assert "z" not in ada
    assert "Ada" not in ada
    assert 7 not in ada
    assert None not in ada


def test_sequence() -> None:
    assert len(ada) == 3
    assert list(ada) == [7, "Ada", None]
    assert list(reversed(ada)) == [None, "Ada", 7]
    identity, *rest = ada
    assert (identity, rest) == (7, ["Ada", None])


def test_keys_values_items() -> None:
    assert list(ada.keys()) == ["id", "name", "nothing"]
    assert list(ada.values()) == [7, "Ada", None]
    assert list(ada.items()) == [("id", 7), ("name", "Ada"), ("nothing", None)]
    assert next(ada.items()) == ("id", 7)


def test_mapping() -> None:
    assert dict(ada) == {"id": 7, "name": "Ada", "nothing": None}
    assert {**ada} == dict(ada)
    assert "{name} has {id}".format_map(ada) == "Ada has 7"


def test_columns_of_one_name() -> None:
    assert list(twins.items()) == [("a", 1), ("b", 2), ("a", 3)]
    assert (twins["a"], twins.get("a"), twins[0]) == (3, 3, 1)
    assert dict(twins) == {"a": 3, "b": 2}
    assert repr(twins) == "<Record a=1 b=2 a=3>"
    assert tuple(copy.copy(twins).items()) == tuple(twins.items())


def test_columns_named_like_methods() -> None:
    row = record(get=1, keys=2, fields=3, shape=4, __len__=5)
    assert [row[name] for name in ("get", "keys", "fields", "shape", "__len__")] == [1, 2, 3, 4, 5]
    assert row.get("keys") == 2
    assert len(row) == 5


def test_no_columns() -> None:
    assert len(empty) == 0
    assert [*empty, *empty.keys(), *empty.values(), *empty.items()] == []
    assert empty == ()
    assert dict(empty) == {}
    assert not empty
    with pytest.raises(IndexError):
        empty[0]


def test_methods_by_name() -> None:
    """`map(row.__getitem__, names)` and the like: the methods, and not only what is behind []."""
    assert list(map(ada.__getitem__, ["name", "id"])) == ["Ada", 7]
    assert Record.__getitem__(ada, 0) == 7
    assert Record.__len__(ada) == 3
    assert Record.__contains__(ada, "id")
    assert Record.__eq__(ada, (7, "Ada", None))
    assert Record.__hash__(ada) == hash(ada)
    assert list(filter(ada.__contains__, ["x", "id"])) == ["id"]


# Comparing


def test_equal_to_the_tuple_of_its_values() -> None:
    assert ada == (7, "Ada", None)
    assert ada == (7, "Ada", None)
    assert ada != (7, "Ada")
    assert ada != (7, "Ada", 0)
    assert ada == record(id=7, name="Ada", nothing=None)
    assert ada == record(a=7, b="Ada", c=None)  # like tuples: names are not values
    assert ada in [(7, "Ada", None)]


@pytest.mark.parametrize("other", [[7, "Ada", None], {"id": 7}, "Ada", None, 7, object()])
def test_equal_to_nothing_else(other: object) -> None:
    assert ada != other
    assert other != ada
    with pytest.raises(TypeError):
        assert ada < other


def test_hash() -> None:
    assert hash(ada) == hash((7, "Ada", None))
    assert {ada: "found"}[(7, "Ada", None)] == "found"  # type: ignore[index]
    assert len({ada, record(a=7, b="Ada", c=None), twins}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(record(tags=["a"]))


VALUES = st.tuples(st.integers(0, 2), st.floats(allow_nan=True), st.text(max_size=2))


@given(mine=VALUES, other=VALUES, width=st.integers(0, 3))
def test_compares_like_a_tuple(mine: tuple[Any, ...], other: tuple[Any, ...], width: int) -> None:
    row, shorter = record(a=mine[0], b=mine[1], c=mine[2]), other[:width]
    twin = Record(Shape(("a", "b", "c")[:width]), shorter)
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        expected = compare(mine, shorter)
        assert compare(row, shorter) is expected
        assert compare(row, twin) is expected
        assert compare(mine, twin) is expected
    assert row == row  # also with NaN: like tuples, they look at identity first


def test_sorts() -> None:
    rows = [record(n=n) for n in (3, 1, 2)]
    assert sorted(rows) == [(1,), (2,), (3,)]
    assert max(rows) == (3,)


# Showing, copying


def test_repr() -> None:
    assert repr(ada) == str(ada) == "<Record id=7 name='Ada' nothing=None>"
    assert repr(empty) == "<Record>"


def test_repr_of_a_record_inside_itself() -> None:
    row = record(tags=[])
    row["tags"].append(row)
    assert "..." in repr(row)
    row["tags"].clear()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("row", [ada, twins, empty, record(tags=[1, {"a": None}])])
def test_pickle(row: Record, protocol: int) -> None:
    twin = pickle.loads(pickle.dumps(row, protocol))
    assert type(twin) is Record
    assert list(twin.items()) == list(row.items())
    assert repr(twin) == repr(row)


def test_copies() -> None:
    row = record(tags=["a"])
    shallow, deep = copy.copy(row), copy.deepcopy(row)
    assert shallow == deep == row
    assert shallow["tags"] is row["tags"]
    assert deep["tags"] is not row["tags"]


def test_cannot_be_changed() -> None:
    changes: list[Callable[[Any], object]] = [
        lambda row: operator.setitem(row, 0, 1),
        lambda row: operator.setitem(row, "id", 1),
        lambda row: operator.delitem(row, 0),
        lambda row: setattr(row, "id", 1),
        lambda row: setattr(row, "__dict__", {}),
    ]
    for change in changes:
        with pytest.raises((TypeError, AttributeError)):
            change(ada)
    assert ada == (7, "Ada", None)


def test_columns_are_no_attributes() -> None:
    with pytest.raises(AttributeError):
        ada.id  # type: ignore[attr-defined]  # noqa: B018


# Making one


def test_as_many_values_as_columns() -> None:
    for values in ((), (1,), (1, 2, 3)):
        with pytest.raises(ValueError, match="for 2 columns"):
            Record(Shape(("a", "b")), values)


class Unfinished(Record):
    """A subclass that does not say what it holds."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize("make", [Unfinished, lambda: Record.__new__(Record)])
def test_one_without_values_is_an_error_and_no_crash(make: Callable[[], Record]) -> None:
    uses: list[Callable[[Record], object]] = [
        repr,
        len,
        list,
        dict,
        pickle.dumps,
        lambda row: row[0],
        lambda row: row["a"],
        lambda row: row[:],
        lambda row: "a" in row,
        lambda row: row.get("a"),
        lambda row: row.keys(),
        lambda row: row.values(),
        lambda row: list(row.items()),
        lambda row: row < (1,),
    ]
    for use in uses:
        with pytest.raises((AttributeError, TypeError)):
            use(make())


class Person(Record):
    @property
    def greeting(self) -> str:
        return f"Hello {self['name']}"


def test_subclass() -> None:
    person = Person(Shape(("id", "name")), (7, "Ada"))
    assert person.greeting == "Hello Ada"
    assert (person[0], person["id"], person[1:], person.get("id")) == (7, 7, ("Ada",), 7)
    assert person == record(a=7, b="Ada") == (7, "Ada")
    assert record(a=7, b="Ada") == person
    assert hash(person) == hash((7, "Ada"))
    assert dict(person) == {"id": 7, "name": "Ada"}
    assert repr(person) == "<Person id=7 name='Ada'>"
    twin = pickle.loads(pickle.dumps(person))
    assert type(twin) is Person
    assert twin == person


# The garbage collector

ATOMIC = """SELECT 1, 'text', NULL::text, 1.5::float8, 1.5::numeric, true, now(), '\\x00'::bytea,
    gen_random_uuid(), interval '1 day', current_date"""


def test_records_of_atomic_values_are_left_out_of_collection(dsn: str) -> None:
    rows = fetch(dsn, f"{ATOMIC} FROM generate_series(1, 100)")
    assert {gc.is_tracked(row) for row in rows} == {not pgallop.__compiled__}
    if pgallop.__compiled__:
        seen = {id(one) for one in gc.get_objects()}
        assert not seen.intersection(id(row) for row in rows)
    gc.collect()
    assert all(row[:3] == (1, "text", None) and len(row) == 11 for row in rows)
    # Untracked or not, they go like everything else.
    del rows
    gc.collect()


@pytest.mark.parametrize("column", ["'[1]'::json", "'[1]'::jsonb", "ARRAY[1]", "ARRAY['a']"])
def test_records_that_may_close_a_cycle_are_collected(dsn: str, column: str) -> None:
    (row,) = fetch(dsn, f"SELECT 1 AS id, {column} AS list")
    assert gc.is_tracked(row)

    class Token:
        pass

    token = Token()
    gone = weakref.ref(token)
    row["list"].extend([row, token])
    gc.disable()
    try:
        del row, token
        assert gone() is not None
    finally:
        gc.enable()
    gc.collect()
    assert gone() is None


def test_values_outlive_the_record_and_the_record_its_connection(dsn: str) -> None:
    (row,) = fetch(dsn, "SELECT 'a' || 'b' AS word, timestamptz '2024-02-29 12:00 UTC' AS moment")
    word, moment = row
    del row
    gc.collect()
    assert (word, moment) == ("ab", datetime(2024, 2, 29, 12, tzinfo=UTC))


def test_records_keep_no_connection_alive(dsn: str) -> None:
    async def ask() -> tuple[Record, weakref.ref[pgallop.Connection]]:
        conn = await pgallop.connect(dsn)
        row = await conn.fetchrow("SELECT 1 AS one, '[]'::json AS list")
        await conn.close()
        assert row is not None
        return row, weakref.ref(conn)

    row, connection = asyncio.run(ask())
    gc.collect()
    assert connection() is None
    assert row == (1, [])
