"""`into=`: models and dataclasses of pydantic, which validate for themselves."""

from __future__ import annotations

import pydantic
import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass
from typed_conversation import made, made_by_the_reader, record

from pgallop.errors import DataError

USERS = [("id", "int4"), ("name", "text")]


class Author(BaseModel):
    id: int
    name: str = "nobody"


class Book(BaseModel):
    title: str
    author: Author | None = None
    others: list[Author] = []
    pair: tuple[Author, int] | None = None


class Aliased(BaseModel):
    key: int = Field(alias="id")
    name: str = Field(default="", validation_alias=AliasChoices("title", "label"))
    first: str = Field(default="", validation_alias=AliasPath("parts", 0))


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    key: int = Field(alias="id")


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: int


class Ignoring(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: int


@dataclass
class Point:
    x: int
    author: Author | None = None


def test_models() -> None:
    assert made(Author, USERS, (1, "Ada")) == [Author(id=1, name="Ada")]
    assert made(Author, [("id", "int4")], (1,)) == [Author(id=1)]
    assert not made_by_the_reader(Author, USERS, (1, "Ada"))


def test_the_model_validates() -> None:
    assert made(Author, [("id", "text")], ("12",)) == [Author(id=12)]
    with pytest.raises(pydantic.ValidationError, match="unable to parse string") as caught:
        made(Author, [("id", "text")], ("12",), ("x",))
    assert caught.value.__notes__ == ["in rows[1] of the result, into Author"]
    with pytest.raises(pydantic.ValidationError):
        made(Author, USERS, (1, None))


def test_nested_models() -> None:
    columns = [("title", "text"), ("author", "json"), ("others", "json"), ("pair", "json")]
    (book,) = made(
        Book, columns, ("A", record(id=1, name="Ada"), [record(id=2)], (record(id=3), 4))
    )
    assert book.author == Author(id=1, name="Ada")
    assert book.others == [Author(id=2)]
    assert book.pair == (Author(id=3), 4)


def test_aliases_are_the_names_of_the_columns() -> None:
    assert made(Aliased, [("id", "int4"), ("label", "text")], (1, "a"))[0].name == "a"
    assert made(Aliased, [("id", "int4"), ("parts", "json")], (1, ["a"]))[0].first == "a"
    with pytest.raises(DataError, match="column 'key' has no field in Aliased"):
        made(Aliased, [("key", "int4")], (1,))
    assert made(ByName, [("key", "int4")], (1,))[0].key == 1
    assert made(ByName, [("id", "int4")], (1,))[0].key == 1


def test_columns_without_a_field() -> None:
    with pytest.raises(DataError, match="column 'email' has no field in Author"):
        made(Author, [*USERS, ("email", "text")], (1, "Ada", "a@b"))
    assert made(Open, USERS, (1, "Ada"))[0].model_extra == {"name": "Ada"}
    assert made(Ignoring, USERS, (1, "Ada")) == [Ignoring(id=1)]
    with pytest.raises(DataError, match="field 'id' of Author has no default"):
        made(Author, [("name", "text")], ("Ada",))


def test_dataclasses() -> None:
    columns = [("x", "text"), ("author", "json")]
    (point,) = made(Point, columns, ("3", record(id=1)))
    assert point == Point(3, Author(id=1))
    with pytest.raises(pydantic.ValidationError):
        made(Point, columns, ("x", None))
    with pytest.raises(DataError, match="column 'y' has no field in Point"):
        made(Point, [("x", "int4"), ("y", "int4")], (1, 2))
