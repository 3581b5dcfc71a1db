"""docs/migration.md is true: its tables are those of the code, and what they set is what is set."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

import pgallop.asyncpg
from pgallop.asyncpg.differences import ARGUMENTS, CHOICES, CODECS, CONNECTION, POOL, Choice, Where
from pgallop.codecs.choices import DEFAULT
from pgallop.config.options import ConnectOptions
from pgallop.pool.options import PARAMETERS
from tools.generate_migration_page import PAGE, generate

pytestmark = pytest.mark.once


def test_the_page_is_what_the_tool_writes() -> None:
    page = PAGE.read_text("utf-8")
    assert page == generate(page), "python -m tools.generate_migration_page"


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the marks are missing"):
        generate("# From asyncpg to pgallop\n")


def native(choice: Choice) -> Any:
    """What the option is by default."""
    if choice.where is Where.CODECS:
        return getattr(DEFAULT, choice.option)
    if choice.where is Where.CONNECTION:
        fields = {field.name: field for field in dataclasses.fields(ConnectOptions)}
        return fields[choice.option].default
    if choice.where is Where.POOL:
        return PARAMETERS[choice.option][0]
    return False


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.option)
def test_an_option_makes_the_difference(choice: Choice) -> None:
    if choice.where is Where.METHOD:
        kind, _, name = choice.option.partition(".")
        assert name in vars(getattr(pgallop.asyncpg, kind, None) or find(kind))
    else:
        assert native(choice) != choice.value
        taken = {**CODECS._asdict(), **CONNECTION, **ARGUMENTS, **POOL}
        assert taken[choice.option] == choice.value


def find(kind: str) -> type:
    """A class of the drop-in that is not among its names at the top."""
    modules = (pgallop.asyncpg.transaction, pgallop.asyncpg.prepared_stmt)
    return next(getattr(each, kind) for each in modules if hasattr(each, kind))  # type: ignore[no-any-return]
