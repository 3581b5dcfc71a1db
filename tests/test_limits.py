"""docs/limits.md is true: its table has all limits, with their values and their options."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import NamedTuple

import pgallop
from pgallop import limits
from pgallop.config.options import resolve

TEXT = (Path(__file__).parents[1] / "docs" / "limits.md").read_text(encoding="utf-8")

ROW = re.compile(r"^\| `(\w+)` \| ([0-9,]+) \| (?:`(\w+)` )?\| (\S.*) \|$", re.MULTILINE)


class Limit(NamedTuple):
    name: str
    value: int
    option: str
    meaning: str


TABLE = [
    Limit(name, int(value.replace(",", "")), *rest) for name, value, *rest in ROW.findall(TEXT)
]
CONSTANTS = {name: value for name, value in vars(limits).items() if name.isupper()}


def test_every_line_of_the_table_is_read() -> None:
    assert len(TABLE) == sum(line.startswith("| `") for line in TEXT.splitlines()) > 10


def test_the_table_has_all_limits_and_their_values() -> None:
    assert {limit.name: limit.value for limit in TABLE} == CONSTANTS
    assert len(TABLE) == len(CONSTANTS)


def test_options_have_these_defaults() -> None:
    documented = {limit.option: limit.value for limit in TABLE if limit.option}
    for function in (pgallop.connect, resolve):
        parameters = inspect.signature(function).parameters
        options = {name: parameters[name].default for name in parameters if "max_" in name}
        # Those of the statement cache and of TLS are no limits of what a server can do.
        del options["max_cached_statement_lifetime"], options["max_cacheable_statement_size"]
        del options["ssl_max_protocol_version"]
        assert options == documented


def test_each_limit_says_why() -> None:
    """A sentence stands below it in the source."""
    source = inspect.getsource(limits)
    for name in CONSTANTS:
        assert re.search(rf'^{name}: Final = [^\n]+\n"""[A-Z][^"]+\."""$', source, re.MULTILINE), (
            name
        )


def test_the_table_shows_numbers_in_groups() -> None:
    for limit in TABLE:
        assert f"| {limit.value:,} |" in TEXT
