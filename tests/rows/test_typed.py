"""`into=`: what rows are made into, kind by kind."""

from __future__ import annotations

import functools
import gc
import sys
import weakref
from collections import namedtuple
from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Generic, NamedTuple, NotRequired, TypedDict, TypeVar

import attrs
import msgspec
import pytest
from conversation import Conversation, at_every_split
from typed_conversation import fetch, finished, made, made_by_the_reader, typed_statement

from pgallop.rows.building import TypedRows
from pgallop.session.statement import MOST_TARGETS

USERS = [("id", "int4"), ("name", "text")]
ADA, BO = (1, "Ada"), (2, "Bo")

T = TypeVar("T")


@dataclass
class User:
    id: int
    name: str | None
    tags: list[str] = field(default_factory=list)
    level: int = 7


@dataclass(frozen=True, slots=True)
class Frozen:
    id: int
    name: str
    level: int = field(default=7, init=False)


@dataclass(slots=True)
class Child(User):
    born: date = date(2000, 1, 1)


@dataclass
class OnlyByName:
    name: str
    _: KW_ONLY
    id: int = 0


@dataclass(frozen=True)
class Renamed:
    key: int = field(metadata={"column": "id"})
    name: str = ""


@dataclass
class Box(Generic[T]):
    id: T
    name: str
    count: ClassVar[int] = 3


class Pair(NamedTuple):
    name: str
    id: int
    note: str = "none"


Plain = namedtuple("Plain", ["id", "name"])


class Row(TypedDict):
    id: int
    name: NotRequired[str]


class Struct(msgspec.Struct, rename="camel"):
    user_id: int
    name: str = "nobody"


@attrs.define
class Attrs:
    id: int
    _name: str = "nobody"
    note: str = attrs.field(default="none", init=False)


KINDS: list[tuple[Any, Any]] = [
    (User, User(1, "Ada", [], 7)),
    (Frozen, Frozen(1, "Ada")),
    (Child, Child(1, "Ada")),
    (OnlyByName, OnlyByName("Ada", id=1)),
    (Renamed, Renamed(1, "Ada")),
    (Box, Box(1, "Ada")),
    (Box[int], Box(1, "Ada")),
    (Pair, Pair("Ada", 1)),
    (Plain, Plain(1, "Ada")),
    (Row, {"id": 1, "name": "Ada"}),
    (dict, {"id": 1, "name": "Ada"}),
    (dict[str, Any], {"id": 1, "name": "Ada"}),
    (tuple, (1, "Ada")),
    (list, [1, "Ada"]),
    (lambda name, id: f"{id} {name}", "1 Ada"),
    (lambda id, **others: (id, others), (1, {"name": "Ada"})),
    (functools.partial(Pair, note="x"), Pair("Ada", 1, "x")),
]


@pytest.mark.parametrize(
    ("into", "expected"), KINDS, ids=lambda each: getattr(each, "__name__", "")
)
def test_every_kind(into: Any, expected: Any) -> None:
    (first, second) = made(into, USERS, ADA, BO)
    assert first == expected
    assert type(first) is type(expected)
    assert second != first


def test_an_answer_cut_anywhere() -> None:
    @at_every_split
    def hold(talk: Conversation) -> None:
        answer = fetch(talk, User, USERS, ADA, BO)
        rows, command = answer.result
        assert (finished(rows), command) == ([User(1, "Ada"), User(2, "Bo")], b"SELECT 2")

    hold()


def test_values_come_in_the_order_of_the_columns() -> None:
    turned = [("name", "text"), ("id", "int4")]
    assert made(User, turned, ("Ada", 1)) == [User(1, "Ada")]
    assert made(Pair, turned, ("Ada", 1)) == [Pair("Ada", 1)]
    assert made(Plain, turned, ("Ada", 1)) == [Plain(1, "Ada")]
    assert made(OnlyByName, turned, ("Ada", 1)) == [OnlyByName("Ada", id=1)]
    assert list(made(dict, turned, ("Ada", 1))[0]) == ["name", "id"]


def test_defaults_are_those_of_the_class() -> None:
    first, second = made(User, USERS, ADA, BO)
    assert first.tags == second.tags == []
    assert first.tags is not second.tags
    assert first.level == 7
    (frozen,) = made(Frozen, USERS, ADA)
    assert frozen.level == 7
    assert made(Pair, [("name", "text"), ("id", "int4")], ("Ada", 1))[0].note == "none"
    assert made(Row, [("id", "int4")], (1,)) == [{"id": 1}]
    assert made(Struct, [("userId", "int4")], (1,)) == [Struct(1, "nobody")]
    assert made(Attrs, [("id", "int4")], (1,)) == [Attrs(1)]


def test_instances_are_like_those_that_the_class_makes() -> None:
    (user,) = made(User, USERS, ADA)
    assert vars(user) == vars(User(1, "Ada"))
    user.level = 8
    user.more = 9
    with pytest.raises(AttributeError):
        made(Frozen, USERS, ADA)[0].id = 2
    assert hash(made(Frozen, USERS, ADA)[0]) == hash(Frozen(1, "Ada"))
    assert gc.is_tracked(user)


def test_names_in_structs_and_attrs() -> None:
    assert made(Struct, [("userId", "int4")], (1,)) == [Struct(1)]
    assert made(Struct, [("name", "text"), ("user_id", "int4")], ("Ada", 1)) == [Struct(1, "Ada")]
    assert made(Attrs, USERS, ADA) == [Attrs(1, "Ada")]


@dataclass
class Counting:
    id: int
    name: InitVar[str]
    length: int = 0

    def __post_init__(self, name: str) -> None:
        self.length = len(name)


class Slow(msgspec.Struct):
    id: int
    name: str

    def __post_init__(self) -> None:
        self.name = self.name.upper()


@dataclass
class Guarded:
    id: int
    name: str

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, f"<{value}>")


@dataclass
class Own:
    id: int
    name: str

    def __init__(self, id: int, name: str) -> None:
        self.id, self.name = -id, name


@dataclass(init=False)
class Inheriting(User):
    born: date = date(2000, 1, 1)


class Pairs(Pair):
    def __new__(cls, *args: Any, **fields: Any) -> Pairs:
        return super().__new__(cls, fields["name"] + "!", fields["id"])


@dataclass
class WithFactory:
    id: int
    name: str
    number: int = field(default_factory=lambda: 5)


@dataclass
class WithProperty:
    name: str
    id: int  # pyright: ignore[reportRedeclaration]

    @property  # type: ignore[no-redef]
    def id(self) -> int:
        return self._id + 100

    @id.setter
    def id(self, value: int) -> None:
        self._id = value


@pytest.mark.parametrize(
    ("into", "tell", "expected"),
    [
        (Counting, lambda made: made.length, 3),
        (Slow, lambda made: made.name, "ADA"),
        (Guarded, lambda made: made.name, "<Ada>"),
        (Own, lambda made: made.id, -1),
        (Inheriting, lambda made: vars(made), vars(User(1, "Ada"))),
        (WithFactory, lambda made: made.number, 5),
        (WithProperty, lambda made: made.id, 101),
        (lambda **fields: Pairs(**fields), lambda made: made.name, "Ada!"),
    ],
)
def test_code_of_the_class_runs_and_not_while_rows_are_read(
    into: Any, tell: Any, expected: Any
) -> None:
    assert tell(made(into, USERS, ADA)[0]) == expected
    assert not made_by_the_reader(into, USERS, ADA)


@pytest.mark.parametrize(
    "into",
    [User, Frozen, Child, OnlyByName, Renamed, Box[int], Pair, Plain, Row, dict, tuple, list],
)
def test_what_runs_no_code_is_made_while_rows_are_read(into: Any) -> None:
    assert made_by_the_reader(into, USERS, ADA)
    assert made_by_the_reader(Struct, [("userId", "int4")], (1,))


def test_slots_are_filled_where_they_are() -> None:
    (child,) = made(Child, [*USERS, ("born", "date")], (1, "Ada", date(1815, 12, 10)))
    assert child == Child(1, "Ada", [], 7, date(1815, 12, 10))
    before = sys.getrefcount(child.name)
    del child
    assert before < 10


def test_a_result_without_rows() -> None:
    assert made(User, USERS) == []
    assert made(lambda id, name: id, USERS) == []


def test_values_of_containers_are_seen_by_the_collector() -> None:
    (row,) = made(tuple, [("numbers", "_int4")], ([1, 2],))
    row[0].append(row)
    reference = weakref.ref(Marker())
    assert reference() is None
    assert gc.is_tracked(row)


class Marker:
    pass


def test_annotations_are_looked_through() -> None:
    @dataclass
    class Invoice:
        id: Annotated[int, "the key"]
        total: Annotated[Decimal | None, ...]

    Invoice.__annotations__ = {
        "id": Annotated[int, "the key"],
        "total": Annotated[Decimal | None, ...],
    }
    columns = [("id", "int4"), ("total", "numeric")]
    assert made(Invoice, columns, (1, None)) == [Invoice(1, None)]


def test_a_plan_is_kept_for_the_statement_and_the_target() -> None:
    statement = typed_statement(USERS)
    assert statement.decoder is not None
    before = dict(statement.typed)
    assert before == {}
    Conversation().submit(execute_of(statement, User))
    kept = statement.typed[User]
    assert isinstance(kept, TypedRows)
    Conversation().submit(execute_of(statement, User))
    assert statement.typed[User] is kept


def test_classes_that_are_made_for_each_call_do_not_pile_up() -> None:
    statement = typed_statement(USERS)
    left = []
    for _ in range(3 * MOST_TARGETS):

        @dataclass
        class Temporary:
            id: Any
            name: Any

        Temporary.__annotations__ = {"id": Any, "name": Any}
        left.append(weakref.ref(Temporary))
        Conversation().submit(execute_of(statement, Temporary))
        del Temporary
    assert len(statement.typed) == MOST_TARGETS
    gc.collect()
    assert sum(reference() is not None for reference in left) == MOST_TARGETS


def test_what_cannot_be_hashed_can_be_called() -> None:
    class Maker:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, id: int, name: str) -> str:
            return name * id

    assert made(Maker(), USERS, BO) == ["BoBo"]


def execute_of(statement: Any, into: Any) -> Any:
    from pgallop.session.execute import Execute

    return Execute(None, statement, (), False, into)


def test_finished_rows_are_a_list_of_their_own() -> None:
    answer = fetch(Conversation(), lambda id, name: name, USERS, ADA, BO)
    assert finished(answer.result[0]) == ["Ada", "Bo"]
