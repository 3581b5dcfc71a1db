"""`into=`: what does not fit is refused, in words that name the column and the field."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict
from uuid import UUID

import attrs
import msgspec
import pytest
from conversation import Answer, Conversation
from scripts import BIND_COMPLETE, command_complete, data_row, ready_for_query
from typed_conversation import fetch, finished, made, typed_statement, wire_row

import pgallop
from pgallop.errors import DataError, InterfaceError
from pgallop.rows.typed import check_target
from pgallop.session.execute import Execute

if TYPE_CHECKING:
    from decimal import Decimal

USERS = [("id", "int4"), ("name", "text")]


@dataclass
class User:
    id: int
    name: str


class Pair(NamedTuple):
    id: int
    name: str


class Row(TypedDict):
    id: int
    name: str


class Struct(msgspec.Struct):
    id: int
    name: str


@attrs.define
class Attrs:
    id: int
    name: str


def function(id: int, name: str) -> tuple[int, str]:
    return id, name


CLASSES = [User, Pair, Row, Struct, Attrs, function]


@pytest.mark.parametrize("into", CLASSES)
def test_a_column_without_a_field(into: Any) -> None:
    columns = [*USERS, ("email", "text")]
    with pytest.raises(DataError, match=r"column 'email' has no field in \w+") as caught:
        made(into, columns, (1, "Ada", "a@b"))
    assert caught.value.detail == "its fields are of the columns id, name"


@pytest.mark.parametrize("into", CLASSES)
def test_a_field_without_a_column(into: Any) -> None:
    with pytest.raises(DataError, match=r"field 'name' of .* has no default, and no column 'name'"):
        made(into, [("id", "int4")], (1,))


@pytest.mark.parametrize("into", [*CLASSES, dict])
def test_two_columns_of_one_name(into: Any) -> None:
    columns = [*USERS, ("name", "text")]
    told = "columns 'name' and 'name' are both for the field 'name' of "
    with pytest.raises(DataError, match=told):
        made(into, columns, (1, "Ada", "Bo"))
    assert made(tuple, columns, (1, "Ada", "Bo")) == [(1, "Ada", "Bo")]
    assert made(list, columns, (1, "Ada", "Bo")) == [[1, "Ada", "Bo"]]


def test_two_columns_for_one_field() -> None:
    class Both(msgspec.Struct, rename="camel"):
        user_id: int

    with pytest.raises(DataError, match="columns 'userId' and 'user_id' are both for the field"):
        made(Both, [("userId", "int4"), ("user_id", "int4")], (1, 2))


@pytest.mark.parametrize("into", CLASSES)
def test_a_type_that_never_fits_is_refused_before_a_row(into: Any) -> None:
    told = (
        r"column 'id' \(text\) does not fit the field 'id' of \w+: expected int, and text is read "
        "as str"
    )
    with pytest.raises(DataError, match=told):
        made(into, [("id", "text"), ("name", "text")])


@pytest.mark.parametrize("into", CLASSES)
def test_null_where_a_value_is_needed(into: Any) -> None:
    told = (
        r"^rows\[1\]: column 'name' \(text\) does not fit the field 'name' of \w+: "
        "expected str, got NULL"
    )
    with pytest.raises(DataError, match=told):
        made(into, USERS, (1, "Ada"), (2, None), (3, "Bo"))


@pytest.mark.parametrize("into", CLASSES)
def test_a_value_of_another_class(into: Any) -> None:
    """The type of the column does not tell what its values are."""
    columns = [("id", "json"), ("name", "text")]
    assert made(into, columns, (1, "Ada"))
    told = (
        r"^rows\[2\]: column 'id' \(json\) does not fit the field 'id' of \w+: "
        "expected int, got str: 'one'$"
    )
    with pytest.raises(DataError, match=told):
        made(into, columns, (1, "Ada"), (True, "Bo"), ("one", "Cy"))


def test_what_cannot_fit_is_not_sent() -> None:
    talk = Conversation()
    statement = typed_statement([("id", "int4")], "INSERT")
    with pytest.raises(DataError, match="field 'name' of User"):
        talk.submit(Execute(None, statement, (), False, User))
    assert talk.written() == []


def test_the_rest_of_the_result_is_read_and_dropped() -> None:
    talk = Conversation()
    columns = [("id", "json"), ("name", "text")]
    answer = fetch(talk, User, columns, ("one", "Ada"), (2, "Bo"), (3, "Cy"))
    assert isinstance(answer.error, DataError)
    assert not talk.session.requests
    assert talk.session.broken is None
    rows, _ = fetch(talk, User, columns, (2, "Bo")).result
    assert finished(rows) == [User(2, "Bo")]


def test_rows_that_come_one_by_one() -> None:
    talk = Conversation()
    columns = [("id", "json"), ("name", "text")]
    answer = talk.submit(Execute(None, typed_statement(columns), (), False, User))
    talk.server(BIND_COMPLETE)
    for row in ((1, "Ada"), ("two", "Bo"), (3, None)):
        talk.server(wire_row(columns, row))
    talk.server(command_complete("SELECT 3"), ready_for_query())
    assert str(answer.error).startswith("rows[1]: column 'id'")


def test_a_value_that_python_cannot_hold() -> None:
    @dataclass
    class Day:
        day: Any

    Day.__annotations__ = {"day": date}
    talk = Conversation()
    answer = talk.submit(Execute(None, typed_statement([("day", "date")]), (), False, Day))
    late = (2**31 - 2).to_bytes(4, "big")
    talk.server(BIND_COMPLETE, data_row(late), command_complete("SELECT 1"), ready_for_query())
    assert isinstance(answer.error, DataError)
    assert "column 'day' (date) cannot be read" in str(answer.error)


def test_a_field_that_is_not_for_columns() -> None:
    @dataclass
    class Counted:
        id: int
        count: int = field(default=0, init=False)

    @attrs.define
    class AttrsCounted:
        id: int
        count: int = attrs.field(default=0, init=False)

    for into in (Counted, AttrsCounted):
        told = "column 'count' cannot be taken by .*: the field 'count' has init=False"
        with pytest.raises(DataError, match=told):
            made(into, [("id", "int4"), ("count", "int4")], (1, 2))


class Rude:
    def __call__(self, id: int, /, name: str) -> None:
        raise AssertionError("not to be called")


@pytest.mark.parametrize(
    ("into", "told"),
    [
        (5, "into: rows cannot be made into 5"),
        ("User", "into: rows cannot be made into 'User'"),
        (lambda id, /, name: id, "'id' can only be passed by position of <lambda>, and columns"),
        (Rude(), "the parameter 'id' can only be passed by position"),
        (int, "into: what int takes cannot be found out"),
    ],
)
def test_what_is_no_target(into: Any, told: str) -> None:
    with pytest.raises(InterfaceError, match=re.escape(told)):
        check_target(into)
    with pytest.raises(InterfaceError, match=re.escape(told)):
        made(into, USERS)


def test_an_optional_parameter_by_position() -> None:
    def of_name(id: int = 0, /, name: str = "") -> str:
        return name

    assert made(of_name, [("name", "text")], ("Ada",)) == ["Ada"]
    with pytest.raises(DataError, match="column 'id' cannot be taken by of_name: the parameter"):
        made(of_name, USERS, (1, "Ada"))


@dataclass
class Account:
    id: int
    balance: Decimal


def test_an_annotation_that_cannot_be_evaluated() -> None:
    told = "an annotation of Account cannot be evaluated: name 'Decimal' is not defined"
    with pytest.raises(InterfaceError, match=told):
        check_target(Account)
    with pytest.raises(InterfaceError, match=told):
        made(Account, [("id", "int4"), ("balance", "numeric")], (1, 2))


@pytest.mark.parametrize(
    ("annotation", "column", "read_as"),
    [
        (int, "text", "str"),
        (int, "numeric", "Decimal"),
        (bool, "int4", "int"),
        (str, "int8", "int"),
        (bytes, "text", "str"),
        (float, "numeric", "Decimal"),
        (date, "timestamptz", "datetime"),
        (datetime, "date", "date"),
        (UUID, "text", "str"),
        (str, "uuid", "UUID"),
        (list[int], "int4", "int"),
        (int, "_int4", "list"),
        (int | None, "text", "str"),
        (int | bytes, "text", "str"),
        (list[int] | int, "text", "str"),
        (User, "int4", "int"),
    ],
)
def test_types_that_never_fit(annotation: Any, column: str, read_as: str) -> None:
    @dataclass
    class One:
        x: Any

    One.__annotations__ = {"x": annotation}
    told = (
        rf"column 'x' \({re.escape(column.replace('_int4', 'int4[]'))}\) does not fit .* {read_as}$"
    )
    with pytest.raises(DataError, match=told):
        made(One, [("x", column)])


def raised(answer: Answer) -> BaseException:
    try:
        finished(answer.result[0])
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def test_an_error_of_the_program_is_its_own_with_the_row_in_a_note() -> None:
    class Own(Exception):
        pass

    def picky(id: int, name: str) -> int:
        if id == 3:
            raise Own("no threes")
        return id

    talk = Conversation()
    answer = fetch(talk, picky, USERS, (1, "a"), (2, "b"), (3, "c"), (4, "d"))
    error = raised(answer)
    assert type(error) is Own
    assert error.__notes__ == ["in rows[2] of the result, into picky"]
    assert talk.session.broken is None


def test_errors_are_of_the_same_class_as_those_of_arguments() -> None:
    assert issubclass(DataError, (pgallop.PostgresError, ValueError))
