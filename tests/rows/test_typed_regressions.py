"""`into=`: what was refused, or answered by an error of the wrong kind."""

from __future__ import annotations

import enum
from collections.abc import Hashable
from dataclasses import dataclass, make_dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

import pydantic
import pytest
from typed_conversation import made, made_by_the_reader

from pgallop.errors import DataError

T = TypeVar("T")
U = TypeVar("U")


@dataclass
class Inner(Generic[T]):
    id: T


@dataclass
class Unhashable:
    plain: list[Annotated[int, {}]]
    inner: Inner[Annotated[int, []]]


def test_annotations_without_a_hash() -> None:
    columns = [("plain", "_int4"), ("inner", "json")]
    assert made(Unhashable, columns, ([1, 2], {"id": 3})) == [Unhashable([1, 2], Inner(3))]
    with pytest.raises(DataError, match=r"at \[1\]: expected int, got NULL"):
        made(Unhashable, columns, ([1, None], {"id": 3}))


class Lenient(enum.Enum):
    A = "a"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        if value == "b":
            return cls.A
        raise LookupError(value)


class Colour(enum.Enum):
    RED = "red"


class Asked(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        if instance == 3:
            raise LookupError(instance)
        return True


class Anything(metaclass=Asked):
    pass


@pytest.mark.parametrize(
    ("annotation", "value", "bad"),
    [
        (Lenient, "b", "c"),
        (Lenient | None, "b", "c"),
        (list[Lenient], ["b"], ["c"]),
        (Anything, 1, 3),
        (Anything | Colour, 1, 3),
    ],
)
def test_code_that_is_asked_what_fits(annotation: Any, value: Any, bad: Any) -> None:
    """It is the program's: not run while rows are read, and what it raises is told as it is."""
    into: Any = make_dataclass("Row", [("x", annotation)])
    columns = [("x", "json")]
    made(into, columns, (value,))
    assert not made_by_the_reader(into, columns, (value,))
    with pytest.raises(LookupError) as raised:
        made(into, columns, (bad,))
    assert raised.value.__notes__ == ["in rows[0] of the result, into Row"]


@pytest.mark.parametrize("annotation", [Colour, Literal["red"], list[Colour] | str, Hashable])
def test_code_of_the_standard_library_is_not(annotation: Any) -> None:
    into: Any = make_dataclass("Row", [("x", annotation)])
    assert made_by_the_reader(into, [("x", "json")], ("red",))


def test_a_root_model_validates_the_row() -> None:
    class Row(pydantic.RootModel[dict[str, int]]):
        pass

    assert made(Row, [("a", "int4"), ("b", "int4")], (1, 2)) == [Row({"a": 1, "b": 2})]


@dataclass
class Page(Generic[T]):
    """Its T is that of the class around it: looked for there again and again, it was a hang."""

    items: list[Inner[T]]
    first: Inner[T] | None = None


@dataclass
class Turned(Generic[T, U]):
    a: T
    b: U
    turned: Turned[U, T] | None = None


ANY_PAGE: Any = Page


@pytest.mark.timeout(10)
@pytest.mark.parametrize("into", [Page, Page[int], Page[Any], ANY_PAGE[T]])
def test_a_generic_class_in_a_generic_class(into: Any) -> None:
    columns = [("items", "json"), ("first", "json")]
    assert made(into, columns, ([{"id": 1}], {"id": 2})) == [Page([Inner(1)], Inner(2))]


@pytest.mark.timeout(10)
@pytest.mark.parametrize(
    ("into", "values", "words"),
    [
        (Page[int], ([{"id": "x"}], None), r"Page\[int\], at \[0\]\.id: expected int, got str"),
        (Page[int], ([], {"id": "x"}), r"at \.id: expected int, got str"),
        (Page[Inner[str]], ([], {"id": {"id": 1}}), r"at \.id\.id: expected str, got int"),
    ],
)
def test_what_stands_for_the_variables_of_a_class_within(
    into: Any, values: tuple[Any, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        made(into, [("items", "json"), ("first", "json")], values)


@pytest.mark.timeout(10)
def test_variables_that_change_places() -> None:
    columns = [("a", "int4"), ("b", "text"), ("turned", "json")]
    inner = {"a": "y", "b": 2, "turned": {"a": 3, "b": "z"}}
    expected = Turned(1, "x", Turned("y", 2, Turned(3, "z")))
    assert made(Turned[int, str], columns, (1, "x", inner)) == [expected]
    with pytest.raises(DataError, match=r"at \.a: expected str, got int"):
        made(Turned[int, str], columns, (1, "x", {"a": 1, "b": 2}))


def test_a_class_that_make_dataclass_has_made_of_names() -> None:
    into: Any = make_dataclass("Made", ["a", ("b", int)])
    assert made(into, [("a", "int4"), ("b", "int4")], (1, 2)) == [into(1, 2)]
