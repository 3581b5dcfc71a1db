"""Rows made into what a test wants, in a conversation without a network.

    made(User, [("id", "int4"), ("name", "text")], (1, "Ada"), (2, None))

Columns of the type json give whatever the test has put into `objects`, by its name: a Record, as a
composite type would give, or anything that no type of PostgreSQL's own is read as.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import scripts
from conversation import Answer, Conversation

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.choices import CodecChoices, JsonFunctions
from pgallop.rows.building import Unbuilt
from pgallop.rows.record import Record, Shape
from pgallop.session.execute import Execute
from pgallop.session.statement import Description, Statement
from pgallop.wire.backend import Field

Columns = Sequence[tuple[str, str]]

OBJECTS: dict[str, Any] = {}
REGISTRY = builtin_registry(CodecChoices(json=JsonFunctions(str, OBJECTS.__getitem__)))


def record(**fields: Any) -> Record:
    """What a column of a composite type gives."""
    return Record(Shape(tuple(fields)), tuple(fields.values()))


def typed_statement(columns: Columns, query: str = "SELECT") -> Statement:
    """A statement with columns of these names and types."""
    fields = [Field(name, 0, 0, OIDS[kind], -1, -1, 1) for name, kind in columns]
    return Statement(query, b"s1", Description((), tuple(fields)), REGISTRY)


def wire_row(columns: Columns, values: Sequence[Any]) -> bytes:
    """A DataRow; of json columns the values are put aside, and come back as they are."""
    fields: list[bytes | None] = []
    for (_, kind), value in zip(columns, values, strict=True):
        if value is None:
            fields.append(None)
        elif kind == "json":
            name = f"object {len(OBJECTS)}"
            OBJECTS[name] = value
            fields.append(name.encode())
        else:
            fields.append(REGISTRY.get(OIDS[kind]).dumps(value))
    return scripts.data_row(*fields)


def fetch(talk: Conversation, into: Any, columns: Columns, *rows: Sequence[Any]) -> Answer:
    """Run a statement that returns these rows, to be made into `into`."""
    answer = talk.submit(Execute(None, typed_statement(columns), (), False, into))
    talk.server(
        scripts.BIND_COMPLETE,
        *[wire_row(columns, values) for values in rows],
        scripts.command_complete(f"SELECT {len(rows)}"),
        scripts.ready_for_query(),
    )
    return answer


def finished(rows: Any) -> Any:
    """The rows, with what only the caller's task makes."""
    if isinstance(rows, Unbuilt):
        while not rows.proceed(2):
            pass
        return rows.rows
    return rows


def made(into: Any, columns: Columns, *rows: Sequence[Any]) -> list[Any]:
    """The rows made into `into`; raises what the caller would get."""
    answer = fetch(Conversation(), into, columns, *rows)
    if answer.errors:
        raise answer.errors[0]
    result: list[Any] = finished(answer.result[0])
    return result


def made_by_the_reader(into: Any, columns: Columns, *rows: Sequence[Any]) -> bool:
    """Whether the objects are made while the rows are read, and not by the caller's task."""
    answer = fetch(Conversation(), into, columns, *rows)
    rows = answer.result[0]
    return not isinstance(rows, Unbuilt) or rows.hidden > 0
