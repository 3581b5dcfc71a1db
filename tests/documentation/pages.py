"""The pages of the documentation, as tests see them: their code, their tables and their links.

What authors have to know is in CONTRIBUTING.md, section "Write".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CHECKOUT = Path(__file__).parents[2]
DOCS = CHECKOUT / "docs"
README = CHECKOUT / "README.md"

# Those whose Python is run.
PAGES = [README, *sorted(DOCS.glob("*.md"))]

# A fence and what is in it, wherever it is indented to.
FENCE = re.compile(r"^([ \t]*)(`{3,})([^\n`]*)\n(.*?)^\1\2[ \t]*$", re.MULTILINE | re.DOTALL)

# Python, perhaps with an excuse in front of it, and perhaps with what it prints behind it.
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<excuse>[^\n]*?) -->\n\n?)?"
    r"^```python\n(?P<source>.*?)^```\n"
    r"(?:\n```text\n(?P<output>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)

HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^()\s]+)\)")
COLUMN = re.compile(r"(?<!\\)\|")


class Block(NamedTuple):
    """Python in a page: where it begins, what it is to print, and why it is not run, if so."""

    line: int
    source: str
    output: str
    excuse: str

    @property
    def is_program(self) -> bool:
        """Whether it is complete, to be run in a process of its own."""
        return "asyncio.run(" in self.source


class Fence(NamedTuple):
    """Any fenced code of a page: the line, and what stands behind the opening fence."""

    line: int
    language: str


def blocks(text: str) -> list[Block]:
    """The Python of a page, in order."""
    return [
        Block(
            line_of(text, found.start("source")),
            found["source"],
            found["output"] or "",
            found["excuse"] or "",
        )
        for found in BLOCK.finditer(text)
    ]


def fences(text: str) -> list[Fence]:
    """All fenced code of a page, in order."""
    return [
        Fence(line_of(text, found.start(2)), found[3].strip()) for found in FENCE.finditer(text)
    ]


def line_of(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def prose(text: str) -> str:
    """A page without its code."""
    return re.sub(r"`[^`\n]*`", "code", FENCE.sub("", text))


def links(text: str) -> list[str]:
    """The targets of the links to other pages, files and headings."""
    targets = LINK.findall(prose(text))
    return [target for target in targets if not target.startswith(("https://", "http://"))]


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links, as GitHub does it."""
    headings = HEADING.findall(FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def table(text: str, first: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, the heading's own included."""
    rows: list[list[str]] = []
    for line in text.partition(f"\n| {first} |")[2].splitlines():
        if rows and not line.startswith("|"):
            break
        rows.append(cells(line))
    rows[0].insert(0, first)
    return [row for row in rows if set(row[0]) != {"-"}]


def tables(text: str) -> Iterator[list[list[str]]]:
    """All tables of a page, each with the row of its headings."""
    for found in re.finditer(r"(?:^\|.*\|\n)+", FENCE.sub("", text), re.MULTILINE):
        heading, _, *rows = map(cells, found[0].splitlines())
        yield [heading, *rows]


def cells(line: str) -> list[str]:
    """The cells of a line of a table; a bar that is escaped belongs to its cell."""
    line = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in COLUMN.split(line)]
