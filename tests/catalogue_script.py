"""What a scripted server is asked about types, and what its catalogue tells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scripted_server import Step, expect, send
from scripts import (
    BIND_COMPLETE,
    PARSE_COMPLETE,
    command_complete,
    data_row,
    ready_for_query,
    row_description,
)

from pgallop.catalogue import COLUMNS, oid_of
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.introspection import COMPOSITE, ENUM, TypeInfo

OIDS = [oid_of(name) for name in COLUMNS]

# Types of the user.
MOOD, PAIR = 100_000, 100_002
MOOD_INFO = TypeInfo(MOOD, "public", "mood", ENUM)
PAIR_INFO = TypeInfo(PAIR, "public", "pair", COMPOSITE, fields=(("a", 23), ("m", MOOD)))

QUESTION: Step = expect("Parse sql='WITH level0", "Bind", "Describe", "Execute", "Sync")


def row_of(info: TypeInfo) -> tuple[Any, ...]:
    """What the query returns of a type."""
    names = [name for name, _ in info.fields]
    types = [oid for _, oid in info.fields]
    return (*info[:8], names, types)


def answer(*rows: Sequence[Any]) -> bytes:
    """Rows of the catalogue, of values that are written as such or bytes as they are."""
    registry = builtin_registry()
    said = PARSE_COMPLETE + BIND_COMPLETE
    said += row_description(*[(f"column{i}", oid) for i, oid in enumerate(OIDS)])
    for row in rows:
        values = [
            value if value is None or isinstance(value, bytes) else registry.get(oid).dumps(value)
            for value, oid in zip(row, OIDS, strict=True)
        ]
        said += data_row(*values)
    return said + command_complete(f"SELECT {len(rows)}") + ready_for_query()


def asked(*infos: TypeInfo) -> list[Step]:
    """The question, and what is known of some types."""
    return [QUESTION, send(answer(*map(row_of, infos)))]
