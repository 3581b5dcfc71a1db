"""Records of a subclass: how they are made, and what of them the garbage collector has to see."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import scripts
from conversation import Conversation
from typed_conversation import made, typed_statement

import pgallop
from pgallop import InterfaceError, Record
from pgallop.rows.record import check_record_class
from pgallop.session.execute import Execute

USERS = [("id", "int4"), ("name", "text")]
ADA, BO = (1, "Ada"), (2, None)


class User(Record):
    """With attributes of its own, and so with a `__dict__`."""

    @property
    def shout(self) -> str:
        return str(self["name"]).upper()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Slim(Record):
    __slots__ = ()


class Slotted(Record):
    __slots__ = ("note",)

    note: str


class Renamed(User):
    def __getitem__(self, key: Any) -> Any:
        return super().__getitem__("name" if key == "nick" else key)


def rows_of(kind: type[Record], *rows: Any) -> list[Any]:
    found: list[Any] = made(kind, USERS, *rows)
    assert [type(each) for each in found] == [kind] * len(rows)
    return found


@pytest.mark.parametrize("kind", [User, Slim, Slotted, Renamed])
def test_made_as_records_are(kind: type[Record]) -> None:
    ada, bo = rows_of(kind, ADA, BO)
    assert ada == ADA
    assert bo == BO
    assert hash(ada) == hash(ADA)
    assert (ada["id"], ada[1], ada[0:2], len(ada)) == (1, "Ada", ADA, 2)
    assert (dict(ada), list(ada.keys())) == ({"id": 1, "name": "Ada"}, ["id", "name"])
    assert repr(ada) == f"<{kind.__name__} id=1 name='Ada'>"


def test_methods_and_attributes() -> None:
    (ada,) = rows_of(User, ADA)
    assert (ada.shout, ada.name) == ("ADA", "Ada")
    ada.seen = True
    assert vars(ada) == {"seen": True}
    with pytest.raises(AttributeError, match="nothing"):
        _ = ada.nothing
    (slotted,) = rows_of(Slotted, ADA)
    slotted.note = "x"
    assert slotted.note == "x"
    assert not hasattr(slotted, "__dict__")
    assert rows_of(Renamed, ADA)[0]["nick"] == "Ada"


def test_two_columns_of_one_name() -> None:
    columns = [("a", "int4"), ("a", "int4")]
    (row,) = made(Slim, columns, (1, 2))
    assert (row == (1, 2), row["a"], row[0]) == (True, 2, 1)


def test_no_columns_and_no_rows() -> None:
    (row,) = made(User, [], ())
    assert row == ()
    assert type(row) is User
    assert made(User, USERS) == []


def test_tracked_and_never_used_again() -> None:
    """An attribute of it can refer to it, so the collector has to know it, whatever its columns."""
    for _ in range(3):  # a plain record would be used again
        for row in rows_of(User, ADA, BO):
            assert gc.is_tracked(row)
            row.me = row
            weak = weakref.ref(row)
        del row
        gc.collect()
        assert weak() is None
        assert [vars(row) for row in rows_of(User, ADA, BO)] == [{}, {}]
    assert made(Record, USERS, ADA) == [ADA]


def test_values_stay_with_it() -> None:
    """The plain record that it is made of is used again for the next row."""
    rows = rows_of(Slim, *[(i, f"name {i}") for i in range(100)])
    assert rows == [(i, f"name {i}") for i in range(100)]


def test_a_value_that_cannot_be_read() -> None:
    talk = Conversation()
    answer = talk.submit(Execute(None, typed_statement(USERS), (), False, User))
    talk.server(
        scripts.BIND_COMPLETE,
        scripts.data_row(b"\0\0\0\1", b"Ada"),
        scripts.data_row(b"\0\0\0\2", b"\xff"),
        scripts.command_complete("SELECT 2"),
        scripts.ready_for_query(),
    )
    (error,) = answer.errors
    assert isinstance(error, pgallop.DataError)
    assert str(error).startswith("column 'name' (text) cannot be read: ")


class WithInit(Record):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)


class WithNew(Record):
    def __new__(cls, *args: Any) -> WithNew:
        return super().__new__(cls)


@pytest.mark.parametrize("kind", [dict, tuple, 3, "Record", None, User.__mro__, Record.__init__])
def test_no_class_of_records(kind: Any) -> None:
    with pytest.raises(InterfaceError, match=r"subclass of pgallop\.Record, got"):
        check_record_class(kind)


@pytest.mark.parametrize("kind", [WithInit, WithNew])
def test_made_without_its_code(kind: Any) -> None:
    with pytest.raises(InterfaceError, match="must not redefine __new__ or __init__"):
        check_record_class(kind)
    with pytest.raises(InterfaceError, match="must not redefine __new__ or __init__"):
        made(kind, USERS, ADA)


def test_classes_of_records() -> None:
    for kind in (Record, User, Slim, Slotted, Renamed):
        check_record_class(kind)
    assert pgallop.Record is Record
