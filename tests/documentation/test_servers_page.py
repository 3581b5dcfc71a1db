"""docs/servers.md is true: its tables say what the code makes of what the products report."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from documentation.pages import DOCS, table
from products import PRODUCTS

from pgallop.capabilities import Capabilities, capabilities

TEXT = (DOCS / "servers.md").read_text(encoding="utf-8")

ABILITIES = [field.name.replace("_", " ") for field in fields(Capabilities)]


HEADINGS, *ROWS = table(TEXT, "Product")


def test_every_product_has_its_row() -> None:
    assert ["Product", "Known by", *ABILITIES] == HEADINGS
    assert {row[0] for row in ROWS} == set(PRODUCTS)
    assert len(ROWS) == len(PRODUCTS)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row(row: list[str]) -> None:
    product, known_by, *cells = row
    reported = PRODUCTS[product].reported
    found = capabilities(reported)
    for name, cell in zip(ABILITIES, cells, strict=True):
        ability = getattr(found, name.replace(" ", "_"))
        conditional = isinstance(ability, str) and " WHERE " in ability
        assert cell == ("if enabled" if conditional else "yes" if ability else "no"), name
    if known_by == "nothing":
        assert not reported
    else:
        setting, value = re.fullmatch(r"`(\w+)` (.*)", known_by).groups()  # type: ignore[union-attr]
        assert reported[setting].startswith(value)
        # And by that alone, whatever else it reports.
        assert capabilities({setting: reported[setting]}) == found


def test_the_reset_query() -> None:
    _, *rows = table(TEXT, "Ability")
    statements = [statement.strip("`") for _, statement in rows]
    assert "; ".join(statements) == capabilities({"server_version": "18.0"}).reset_query
    assert [ability for ability, _ in rows] == ["roles", *ABILITIES[:-1]]


def test_the_versions() -> None:
    """A statement of the reset query is there from that version on, and not before."""
    _, *rows = table(TEXT, "Older than")
    for version, cell in rows:
        major, minor = map(int, version.split("."))
        before = f"{major}.{minor - 1}" if minor else f"{major - 1}.9"
        new, old = (
            set(capabilities({"server_version": each}).reset_query.split("; "))
            for each in (version, before)
        )
        assert new - old == set(re.findall("`([^`]+)`", cell))
    all_of_it = re.findall("`([^`]+)`", " ".join(cell for _, cell in rows))
    assert set(all_of_it) == set(capabilities({"server_version": "18.0"}).reset_query.split("; "))
