"""`into=`: rows in rows, of composite types and of JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import attrs
import msgspec
import pytest
from typed_conversation import made, made_by_the_reader, record

from pgallop.errors import DataError


@dataclass
class Author:
    id: int
    name: str | None = None


class Point(NamedTuple):
    x: float
    y: float


class Page(TypedDict):
    number: int


class Struct(msgspec.Struct):
    id: int


@attrs.define
class Attrs:
    id: int


@dataclass
class Node:
    name: str
    children: list[Node] = field(default_factory=list)


@dataclass
class Book:
    author: Author | None
    points: list[Point] = field(default_factory=list)
    page: Page | None = None
    struct: Annotated[Struct | None, "x"] = None
    attrs: Attrs | None = None
    others: list[Author | None] | None = None
    tree: Node | None = None


def test_records_become_what_is_declared() -> None:
    columns = [("author", "json"), ("points", "json"), ("page", "json"), ("struct", "json")]
    (book,) = made(
        Book,
        columns,
        (
            record(id=1, name="Ada"),
            [record(x=1.5, y=2), record(y=1.0, x=2.0)],
            record(number=3),
            record(id=4),
        ),
    )
    assert book == Book(
        Author(1, "Ada"), [Point(1.5, 2), Point(2.0, 1.0)], {"number": 3}, Struct(4)
    )
    assert type(book.points[1]) is Point


def test_nothing_and_objects_that_are_there_already() -> None:
    columns = [("author", "json"), ("attrs", "json"), ("others", "json")]
    ada = Author(1, "Ada")
    (book,) = made(Book, columns, (ada, record(id=2), [None, record(id=3, name=None), ada]))
    assert book.author is ada
    assert book.attrs == Attrs(2)
    assert book.others == [None, Author(3), ada]
    assert made(Book, columns, (None, None, None)) == [Book(None)]


def test_objects_of_json_are_rows_too() -> None:
    columns = [("author", "json"), ("tree", "json")]
    tree = {"name": "a", "children": [{"name": "b"}, {"name": "c", "children": [{"name": "d"}]}]}
    (book,) = made(Book, columns, ({"name": "Ada", "id": 1}, tree))
    assert book.author == Author(1, "Ada")
    assert book.tree == Node("a", [Node("b"), Node("c", [Node("d")])])


def test_the_caller_makes_what_runs_code_and_whatever_it_is_in() -> None:
    @dataclass
    class Counting:
        id: int

        def __post_init__(self) -> None:
            self.id += 1

    @dataclass
    class Outer:
        inner: Any

    Outer.__annotations__ = {"inner": list[Counting]}
    assert made(Outer, [("inner", "json")], ([record(id=1)],)) == [Outer([Counting(1)])]
    assert not made_by_the_reader(Outer, [("inner", "json")], ([],))
    assert made_by_the_reader(Book, [("author", "json")], (None,))


def test_a_list_that_somebody_else_may_hold_is_not_changed() -> None:
    held = [record(id=1)]
    (book,) = made(Book, [("author", "json"), ("others", "json")], (None, held))
    assert book.others == [Author(1)]
    assert held == [record(id=1)]


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("author", record(id="1"), ", at .id: expected int, got str: '1'"),
        ("author", record(id=None), ", at .id: expected int, got NULL"),
        ("author", record(name="Ada"), ": field 'id' of Author has no default, and no column 'id'"),
        ("author", record(id=1, age=3), ": column 'age' has no field in Author"),
        ("author", (1, "Ada"), ": expected Author | None, got tuple: (1, 'Ada')"),
        ("author", [], ": expected Author | None, got list: []"),
        ("author", {1: 2}, ": expected Author | None, got dict: {1: 2}"),
        ("points", [record(x=1.0, y=1.0), record(x=1.0, y="a")], ", at [1].y: expected float, "),
        ("points", [None], ", at [0]: expected Point, got NULL"),
        ("points", None, ": expected list[Point], got NULL"),
        ("tree", {"name": "a", "children": [{"name": 1}]}, ", at .children[0].name: expected str"),
    ],
)
def test_what_does_not_fit(column: str, value: Any, told: str) -> None:
    columns = [("author", "json")] if column == "author" else [("author", "json"), (column, "json")]
    row = (value,) if column == "author" else (None, value)
    with pytest.raises(DataError) as caught:
        made(Book, columns, row)
    shown = (
        str(caught.value).replace(f"{__name__}.", "").replace("Optional[Author]", "Author | None")
    )
    start = f"rows[0]: column '{column}' (json) does not fit the field '{column}' of Book"
    assert shown.startswith(start)
    assert told in shown


def test_a_row_without_names_is_refused_at_once() -> None:
    with pytest.raises(DataError, match="record is read as tuple") as caught:
        made(Book, [("author", "record")])
    assert caught.value.hint is not None
    assert "composite type" in caught.value.hint


class Color(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


@dataclass
class Choices:
    color: Color
    level: Level | None = None
    size: Literal["s", "m", None] = None
    either: Author | int | str | None = None
    matrix: list[list[int]] = field(default_factory=list)
    anything: list[Any] | None = None
    ratio: float = 0.0


def test_enums_literals_and_unions() -> None:
    columns = [("color", "text"), ("level", "int4"), ("size", "text"), ("either", "json")]
    assert made(Choices, columns, ("red", 1, "m", "x"), ("red", None, None, record(id=1))) == [
        Choices(Color.RED, Level.LOW, "m", "x"),
        Choices(Color.RED, None, None, Author(1)),
    ]
    (choices,) = made(Choices, [("color", "json"), ("ratio", "int4")], (Color.RED, 2))
    assert choices.color is Color.RED
    assert choices.ratio == 2


@pytest.mark.parametrize(
    ("columns", "row", "told"),
    [
        ([("color", "text")], ("blue",), "expected Color, got str: 'blue'"),
        ([("color", "text")], (None,), "expected Color, got NULL"),
        ([("color", "text"), ("size", "text")], ("red", "xl"), "expected Literal['s', 'm', None]"),
        ([("color", "text"), ("either", "json")], ("red", 1.5), "got float: 1.5"),
        ([("color", "text"), ("either", "json")], ("red", record(x=1)), "got Record: <Record x=1>"),
        (
            [("color", "text"), ("matrix", "_int4")],
            ("red", [1]),
            "at [0]: expected list[int], got ",
        ),
        ([("color", "text"), ("matrix", "_int4")], ("red", [[1, None]]), "at [0][1]: expected int"),
    ],
)
def test_choices_that_are_none(columns: Any, row: Any, told: str) -> None:
    with pytest.raises(DataError) as caught:
        made(Choices, columns, row)
    assert told in str(caught.value)


def test_arrays() -> None:
    columns = [("color", "text"), ("matrix", "_int4"), ("anything", "_text")]
    (choices,) = made(Choices, columns, ("red", [[1, 2], [3, 4]], ["a", None]))
    assert choices.matrix == [[1, 2], [3, 4]]
    assert choices.anything == ["a", None]
    with pytest.raises(DataError, match="text is read as str"):
        made(Choices, [("color", "text"), ("matrix", "_text")])


def test_rows_that_are_too_deep() -> None:
    """In C, too, they end in an error and not on the stack."""
    tree: Any = {"name": "leaf"}
    for _ in range(100_000):
        tree = {"name": "node", "children": [tree]}
    with pytest.raises(DataError, match="recursion"):
        made(Node, [("name", "text"), ("children", "json")], ("root", [tree]))
