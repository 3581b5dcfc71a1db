"""Arrays, int2vector, oidvector."""

from __future__ import annotations

import array
import asyncio
import collections
import struct
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import asyncpg
import numpy
import pytest
from array_bytes import ONE, THREE, TWO, wire
from array_values import ELEMENTS, SAMPLES, SINCE, nested_lists
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import Oracle

from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.arrays import array_of
from pgallop.codecs.codec import Codec, Unencodable
from pgallop.codecs.registry import Registry
from pgallop.codecs.text_arrays import TextArrayCodec

INT4 = 23


def text_form(value: object, delimiter: str = ",") -> str:
    """Any value of these types as PostgreSQL reads it, lists as arrays."""
    match value:
        case None:
            return "NULL"
        case list():
            return "{" + delimiter.join(text_form(item, delimiter) for item in value) + "}"
        case bytes():
            text = f"\\x{value.hex()}"
        case _:
            text = str(value)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.fixture(scope="session")
def int4s(registry: Registry) -> Codec:
    return registry.get(ARRAYS["int4"])


def test_each_array_has_samples(registry: Registry) -> None:
    arrays = {
        name
        for name, oid in ARRAYS.items()
        if oid in registry and type(registry.get(oid)) is not TextArrayCodec
    }
    assert arrays == {*SAMPLES, "xml", "record", "money"}
    assert all(OIDS[name] in registry for name in arrays)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_server_reads_and_writes_the_same(
    registry: Registry, oracle: Oracle, name: str
) -> None:
    if oracle.version < SINCE.get(name, 10):
        pytest.skip(f"new in PostgreSQL {SINCE[name]}")
    element, codec = registry.get(OIDS[name]), registry.get(ARRAYS[name])
    data = oracle.binary(element.oid, SAMPLES[name])
    values = [element.loads(item) for item in data if item is not None]
    delimiter = ";" if name == "box" else ","
    expected = {text_form([*SAMPLES[name], None], delimiter): [*values, None]}
    if name not in ("json", "jsonb", "int2vector", "oidvector"):
        expected[text_form([SAMPLES[name]] * 2, delimiter)] = [values] * 2
    for text, value in expected.items():
        (on_wire,) = oracle.binary(codec.oid, [text])
        assert on_wire is not None
        assert codec.loads(on_wire) == value
        assert codec.dumps(value) == on_wire


@pytest.mark.parametrize("name", ELEMENTS)
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_any_shape_is_the_same_on_the_server(
    oracle: Oracle, registry: Registry, name: str, data: st.DataObject
) -> None:
    codec = registry.get(ARRAYS[name])
    values = data.draw(st.lists(nested_lists(ELEMENTS[name]), min_size=1, max_size=10))
    written = [codec.dumps(value) for value in values]
    assert [codec.loads(item) for item in written] == values
    assert oracle.binary(codec.oid, [text_form(value) for value in values]) == written


def test_what_an_array_is_like(registry: Registry, int4s: Codec) -> None:
    assert repr(int4s) == "<FixedWidthCodec int4[] (1007)>"
    assert not int4s.atomic
    assert int4s.format == 1
    assert type(int4s.loads(int4s.dumps((1, 2)))) is list


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ([], wire([])),
        ([[]], wire([])),
        ([[], []], wire([])),
        ([[[[[[]]]]]], wire([])),
        ([1], wire([ONE], (1, 1))),
        ([1, None, 3], wire([ONE, None, THREE], (3, 1))),
        ([None], wire([None], (1, 1))),
        ([[1, 2], [3, None]], wire([ONE, TWO, THREE, None], (2, 1), (2, 1))),
        ([[[[[[1]]]]]], wire([ONE], *[(1, 1)] * 6)),
        ([[1], [2], [3]], wire([ONE, TWO, THREE], (3, 1), (1, 1))),
    ],
)
def test_exact_bytes(int4s: Codec, value: list[Any], data: bytes) -> None:
    assert int4s.dumps(value) == data
    count = struct.unpack("!i", data[:4])[0]
    assert int4s.loads(data) == (value if count else [])


class Counted:
    """What has a length and can be iterated over, and nothing else."""

    def __init__(self, *items: object, length: int | None = None) -> None:
        self.items = items
        self.length = len(items) if length is None else length

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[object]:
        return iter(self.items)


CONTAINERS: list[Callable[[], Any]] = [
    lambda: [1, 2, 3],
    lambda: (1, 2, 3),
    lambda: range(1, 4),
    lambda: {1, 2, 3},
    lambda: frozenset([1, 2, 3]),
    lambda: {1: "a", 2: "b", 3: "c"}.keys(),
    lambda: {"a": 1, "b": 2, "c": 3}.values(),
    lambda: collections.deque([1, 2, 3]),
    lambda: array.array("i", [1, 2, 3]),
    lambda: numpy.array([1, 2, 3]),
    lambda: numpy.array([[1, 2, 3], [4, 5, 6]]),
    lambda: [[1, 2, 3], range(4, 7)],
    lambda: Counted(1, 2, 3),
    lambda: [Counted(1), collections.deque([2])],
]


@pytest.mark.parametrize("make", CONTAINERS)
def test_containers_are_arrays(int4s: Codec, make: Callable[[], Any]) -> None:
    expected = [list(item) if hasattr(item, "__iter__") else item for item in make()]
    assert int4s.loads(int4s.dumps(make())) == expected


def test_asyncpg_takes_the_same_containers(int4s: Codec, dsn: str) -> None:
    async def ask() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return [await connection.fetchval("SELECT $1::int4[]", make()) for make in CONTAINERS]
        finally:
            await connection.close()

    assert asyncio.run(ask()) == [int4s.loads(int4s.dumps(make())) for make in CONTAINERS]


def test_nested_tuples_are_sub_arrays(int4s: Codec) -> None:
    assert int4s.dumps(((1, 2), [3, None])) == int4s.dumps([[1, 2], [3, None]])


@pytest.mark.parametrize(
    "value",
    [
        *(5, 1.5, object(), "{1,2}", b"12", bytearray(b"12"), memoryview(b"12")),
        *({1: 2}, collections.Counter([1])),
        *(iter([1]), (item for item in [1]), numpy.array(5)),
    ],
)
def test_other_types_are_refused(int4s: Codec, value: object) -> None:
    with pytest.raises(Unencodable) as caught:
        int4s.dumps(value)
    name = type(value).__name__
    assert caught.value.reason == f"expected list or another container with a length, got {name}"
    assert caught.value.place == ""
    assert caught.value.codec is int4s


@pytest.mark.parametrize(
    ("value", "place", "reason"),
    [
        (["a"], "[0]", "expected int, got str"),
        ([1, 2, "3"], "[2]", "expected int, got str"),
        ([1, [2]], "[1]", "expected int, got list"),
        ([None, [2]], "[1]", "expected int, got list"),
        ([[1, 2], [3, 2**31]], "[1][1]", "out of range for int4: -2147483648 to 2147483647"),
        ([[[1], [2]], [[3], [4.5]]], "[1][1][0]", "expected int, got float"),
        ([[1, 2], [3]], "[1]", "has 1 items where the first sub-array of this level has 2 items"),
        ([[1], []], "[1]", "has 0 items where the first sub-array of this level has 1 items"),
        ([[], [1]], "[1]", "has 1 items where the first sub-array of this level has 0 items"),
        ([[1], 2], "[1]", "is of type int where the first sub-array of this level has 1 items"),
        ([[], None], "[1]", "is of type NoneType where the first sub-array of this level has 0 "),
        ([[1], "2"], "[1]", "is of type str where the first sub-array of this level has 1 items"),
        ([[[1], [2]], [[3]]], "[1]", "has 1 items where the first sub-array of this level has 2"),
        ([[[1], [2]], [[3], []]], "[1][1]", "has 0 items where the first sub-array of this "),
        ([[[[[[[1]]]]]]], "", "has more than 6 dimensions"),
        (Counted(1, 2, length=3), "", "yields more or fewer items than its length, 3"),
        (Counted(1, 2, length=1), "", "yields more or fewer items than its length, 1"),
        (Counted(length=1), "", "yields more or fewer items than its length, 1"),
        ([[1], Counted(1, 2, length=1)], "[1]", "yields more or fewer items than its length, 1"),
        (range(2**40), "", "has more than 134217727 elements"),
        ([range(2**28)], "", "has more than 134217727 elements"),
    ],
)
def test_a_refusal_names_the_place(int4s: Codec, value: object, place: str, reason: str) -> None:
    with pytest.raises(Unencodable) as caught:
        int4s.dumps(value)
    assert caught.value.place == place
    assert caught.value.reason.startswith(reason)


def test_a_list_within_itself_is_refused(int4s: Codec) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(Unencodable) as caught:
        int4s.dumps(value)
    assert caught.value.reason == "has more than 6 dimensions"


def test_the_hint_casts_the_whole_array(int4s: Codec) -> None:
    for value in (["1", "2"], [["1"], ["2"]]):
        with pytest.raises(Unencodable) as caught:
            int4s.dumps(value)
        hint = "cast in SQL: $n::text[]::int4[], or convert the str in Python"
        assert caught.value.hint == hint


class Vandal:
    """An int that empties the list that it is in."""

    def __init__(self, home: list[Any]) -> None:
        self.home = home

    def __index__(self) -> int:
        self.home.clear()
        return 7


def test_a_list_that_changes_under_our_hands_is_refused(int4s: Codec) -> None:
    home: list[Any] = []
    home += [Vandal(home), 2, 3]
    with pytest.raises(Unencodable, match="more or fewer items than its length, 3"):
        int4s.dumps(home)


# -- elements that are lists themselves ---


@pytest.mark.parametrize("name", ["json", "jsonb"])
@pytest.mark.parametrize(
    ("value", "texts", "shape"),
    [
        ([[1], [2, 3]], ["[1]", "[2, 3]"], [(2, 1)]),
        ([[], {}], ["[]", "{}"], [(2, 1)]),
        (([1], [2]), ["[1]", "[2]"], [(2, 1)]),
        ([(1, 2), (3, [4])], ["1", "2", "3", "[4]"], [(2, 1), (2, 1)]),
        (((), ()), [], []),
        ([None, "null"], [None, '"null"'], [(2, 1)]),
    ],
)
def test_lists_are_json_values_and_tuples_sub_arrays(
    registry: Registry,
    name: str,
    value: object,
    texts: list[str | None],
    shape: list[tuple[int, int]],
) -> None:
    version = b"\1" if name == "jsonb" else b""
    items = [None if text is None else version + text.encode() for text in texts]
    codec = registry.get(ARRAYS[name])
    assert codec.dumps(value) == wire(items, *shape, oid=OIDS[name])


def test_json_arrays_of_more_dimensions_are_read(registry: Registry) -> None:
    data = wire([b"1", b"[2]"], (2, 1), (1, 1), oid=OIDS["json"])
    assert registry.get(ARRAYS["json"]).loads(data) == [[1], [[2]]]


@pytest.mark.parametrize(("name", "element"), [("int2vector", "int2"), ("oidvector", "oid")])
def test_vectors(registry: Registry, oracle: Oracle, name: str, element: str) -> None:
    codec = registry.get(OIDS[name])
    data = oracle.binary(codec.oid, ["1 2 300", "", "7"])
    assert [codec.loads(item or b"") for item in data] == [[1, 2, 300], [], [7]]
    assert codec.dumps([1, 2, 300]) == data[0]
    assert codec.dumps((7,)) == data[2]
    assert oracle.text(codec.oid, [codec.dumps(range(1, 4))]) == ["1 2 3"]
    for value, reason in {
        (): "cannot be sent empty",
        (1, None): "cannot contain NULL",
        (None,): "cannot contain NULL",
        ((1, 2), (3, 4)): f"expected int, got {tuple.__name__}",
        (-1.5,): "expected int, got float",
        "1 2": "expected list or another container with a length, got str",
    }.items():
        with pytest.raises(Unencodable) as caught:
            codec.dumps(value)
        assert caught.value.reason == reason
    assert registry.get(ARRAYS[name]).dumps([[1, 2], [3]]) == wire(
        [codec.dumps([1, 2]), codec.dumps([3])], (2, 1), oid=codec.oid
    )


def test_array_of_takes_any_codec(registry: Registry) -> None:
    element = registry.get(INT4)
    codec = array_of(element)
    assert (codec.oid, codec.name) == (1007, "int4[]")
    assert codec.element is element
    with pytest.raises(KeyError):
        array_of(Codec(99999, "mine", "anything"))


def test_uuids_are_uuids(registry: Registry) -> None:
    value = [UUID(int=5), None, UUID(int=2**127)]
    codec = registry.get(ARRAYS["uuid"])
    loaded = codec.loads(codec.dumps(value))
    assert loaded == value
    assert [type(item) for item in loaded] == [UUID, type(None), UUID]
