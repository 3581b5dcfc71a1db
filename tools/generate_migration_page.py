"""Write the tables of docs/migration.md: where pgallop, its drop-in and asyncpg differ.

    python -m tools.generate_migration_page

The page is written by hand but for what is between its marks, which is that of
`pgallop/asyncpg/differences.py`. A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pgallop.asyncpg.differences import CHOICES, DIFFERENCES

PAGE = Path(__file__).parent.parent / "docs" / "migration.md"


def marks(name: str) -> tuple[str, str]:
    """What a table stands between."""
    return (
        f"<!-- {name}: begin (tools/generate_migration_page.py writes this) -->\n",
        f"<!-- {name}: end -->\n",
    )


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n" + "".join(map(line, [headings, tuple("---" for _ in headings), *rows])) + "\n"


def tables() -> dict[str, str]:
    """The tables by their names."""
    return {
        "choices": table(
            ("What", "pgallop", "asyncpg, and `pgallop.asyncpg`"),
            [(each.topic, each.native, each.asyncpg) for each in CHOICES],
        ),
        "differences": table(
            ("What", "asyncpg", "`pgallop.asyncpg`", "Why"),
            [(each.topic, each.asyncpg, each.ours, each.why) for each in DIFFERENCES],
        ),
    }


def generate(page: str) -> str:
    """The page with its tables made anew.

    Errors raised
        ValueError: it has not the marks.
    """
    for name, made in tables().items():
        begin, end = marks(name)
        head, found_begin, rest = page.partition(begin)
        _, found_end, tail = rest.partition(end)
        if not found_begin or not found_end:
            raise ValueError(f"the marks are missing: {begin!r}, {end!r}")
        page = head + begin + made + end + tail
    return page


def main() -> None:
    """Write the page."""
    PAGE.write_text(generate(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
