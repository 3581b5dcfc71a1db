"""Write the tables of docs/types.md: what the registry says of every type of PostgreSQL.

    python -m tools.generate_types_page

The page is written by hand but for the tables between its two marks. What a type is read as is
found out by reading the samples of `documented_types.py`; what is accepted is said in the words
that error messages use. A test compares the page with what this makes, and the tables with a
server.
"""

from __future__ import annotations

import builtins
import datetime
import decimal
import ipaddress
import re
import uuid
from collections.abc import Iterable
from pathlib import Path

import pgallop
from pgallop.codecs import money
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.codec import BINARY, Codec
from pgallop.codecs.registry import Registry
from pgallop.codecs.textual import textual
from pgallop.values import Range
from tools.documented_types import FAMILIES, Row

PAGE = Path(__file__).parent.parent / "docs" / "types.md"
BEGIN = "<!-- tables: begin (tools/generate_types_page.py writes them) -->\n"
END = "<!-- tables: end -->\n"

MODULES = (datetime, decimal, ipaddress, uuid, pgallop)

HEADINGS = ("PostgreSQL", "array", "read as", "accepted", "format", "notes")


def registry() -> Registry:
    """The codecs of a connection to a server whose money has two digits after the point."""
    registry = builtin_registry().copy()
    money.resolve(registry, 2)
    return registry


def codec_of(row: Row, registry: Registry) -> Codec:
    return registry.get(OIDS[row.name])


def kind(value: object) -> str:
    """What the page calls the type of a value: `list[datetime.date]`, `pgallop.Range[int]`."""
    if value is None:
        return "None"
    name = public_name(type(value))
    if isinstance(value, list) and value:
        return f"{name}[{kind(value[0])}]"
    if isinstance(value, Range):
        return f"{name}[{kind(value.lower)}]"
    return name


def public_name(found: type) -> str:
    """The name that programs know a class by."""
    if found.__module__ == "builtins":
        return found.__name__
    for module in MODULES:
        if getattr(module, found.__name__, None) is found:
            return f"{module.__name__}.{found.__name__}"
    raise LookupError(f"{found} has no public name")


def read_as(row: Row, codec: Codec) -> list[str]:
    """The types of what the samples are read as, each once."""
    if row.reads:
        return [row.reads]
    values = [textual(codec).loads(text.encode()) for text in row.texts]
    values += [codec.loads(codec.dumps(value)) for value in row.values]
    return list(dict.fromkeys(map(kind, values)))


def types_named(words: str) -> dict[str, type]:
    """The Python types that are named in a text such as "uuid.UUID or its text"."""
    found = {}
    for name in re.findall(r"[A-Za-z_][\w.]*\w", words):
        home, _, last = name.rpartition(".")
        for module in MODULES if home else (builtins, *MODULES):
            candidate = getattr(module, last, None)
            if isinstance(candidate, type) and home in ("", module.__name__):
                found[name] = candidate
                break
    return found


def marked_up(words: str) -> str:
    """`words` with the Python types in them as code."""
    names = types_named(words)
    return re.sub(
        r"[A-Za-z_][\w.]*\w",
        lambda found: f"`{found[0]}`" if found[0] in names else found[0],
        words,
    )


def any_of(choices: Iterable[str]) -> str:
    """Code in a cell: one, or one of several."""
    *others, last = (f"`{choice}`" for choice in choices)
    return f"{', '.join(others)} or {last}" if others else last


def cells(row: Row, registry: Registry) -> list[str]:
    """What the tables show of a type."""
    codec = codec_of(row, registry)
    name = row.name if row.name != "char" else '"char"'  # without quotes SQL takes it for bpchar
    return [
        ", ".join(f"`{each}`" for each in (name, *filter(None, row.also.split(", ")))),
        f"`{name}[]`" if row.name in ARRAYS else "none",
        any_of(read_as(row, codec)),
        marked_up(codec.accepts) if row.values else "nothing",
        "binary" if codec.format == BINARY else "text",
        row.note,
    ]


def line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def tables() -> str:
    """All tables, each under its heading."""
    known = registry()
    parts = []
    for family in FAMILIES:
        parts.append(f"\n### {family.heading}\n\n")
        parts.append(line(HEADINGS))
        parts.append(line("---" for _ in HEADINGS))
        parts += [line(cells(row, known)) for row in family.rows]
    return "".join(parts) + "\n"


def generate(page: str) -> str:
    """The page with its tables made anew.

    Errors raised
        ValueError: it has not the two marks.
    """
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the marks are missing: {BEGIN!r}, {END!r}")
    return head + begin + tables() + end + tail


def main() -> None:
    """Write the page."""
    PAGE.write_text(generate(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
