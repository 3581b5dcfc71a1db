"""Records that are freed and used again: each has its own values, whatever became of the others."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from conversation import Conversation
from scripts import BIND_COMPLETE, command_complete, data_row, ready_for_query

from pgallop.codecs._oids import OIDS
from pgallop.codecs.builtin import builtin_registry
from pgallop.errors import DataError
from pgallop.rows.record import Record
from pgallop.session.execute import Execute
from pgallop.session.statement import Description, Statement
from pgallop.wire.backend import Field

# More than are kept.
MANY = 20_000


def fetch(types: list[str], *rows: Sequence[bytes | None], prefix: str = "c") -> list[Record]:
    """Rows of columns of these types, from their bytes on the wire."""
    columns = tuple(
        Field(f"{prefix}{i}", 0, 0, OIDS[name], -1, -1, 1) for i, name in enumerate(types)
    )
    talk = Conversation()
    statement = Statement("SELECT", b"s", Description((), columns), builtin_registry())
    answer = talk.submit(Execute(None, statement, ()))
    talk.server(BIND_COMPLETE, *[data_row(*row) for row in rows])
    talk.server(command_complete(f"SELECT {len(rows)}"), ready_for_query())
    if answer.errors:
        raise answer.errors[0]
    result: list[Record] = answer.result[0]
    return result


def test_values_are_let_go_at_once() -> None:
    rows = fetch(["bytea"], [b"some bytes"])
    value = rows[0][0]
    held = sys.getrefcount(value)
    rows.clear()
    assert sys.getrefcount(value) == held - 1


def test_each_result_has_its_own_names_and_values() -> None:
    assert [dict(row) for row in fetch(["text"], [b"a"], [b"b"], prefix="x")] == [
        {"x0": "a"},
        {"x0": "b"},
    ]
    assert [dict(row) for row in fetch(["bytea"], [b"c"], [None])] == [{"c0": b"c"}, {"c0": None}]


@pytest.mark.parametrize("width", [0, 1, 2, 15, 16, 17, 100])
def test_widths(width: int) -> None:
    for turn in range(3):
        texts = [f"{turn} {i}" for i in range(width)]
        rows = fetch(["text"] * width, *[[text.encode() for text in texts]] * 3)
        assert [tuple(row) for row in rows] == [tuple(texts)] * 3
        rows.clear()


def test_more_than_are_kept() -> None:
    rows: list[Record] = []
    for turn in range(3):
        rows.clear()
        rows = fetch(["text"], *[[b"%d %d" % (turn, i)] for i in range(MANY)])
        assert [row[0] for row in rows] == [f"{turn} {i}" for i in range(MANY)]
        assert len({id(row) for row in rows}) == MANY


def test_an_iterator_outlives_its_record() -> None:
    rows = fetch(["text", "text"], [b"first", b"second"])
    fields = iter(rows[0])
    everything = rows[0][:]
    assert next(fields) == "first"
    rows.clear()
    assert [tuple(row) for row in fetch(["text", "text"], [b"x", b"y"])] == [("x", "y")]
    assert next(fields) == "second"
    assert everything == ("first", "second")


def test_a_row_that_cannot_be_read_leaves_nothing_behind() -> None:
    value = b"some bytes that are read"
    for _ in range(3):
        with pytest.raises(DataError, match="column 'c1'"):
            fetch(["bytea", "text"], [value, b"\xff"])
    assert [tuple(row) for row in fetch(["bytea", "text"], [b"1", b"2"])] == [(b"1", "2")]


def test_records_of_other_makers() -> None:
    class Mine(Record):
        pass

    row = fetch(["text"], [b"a"])[0]
    mine: Any = pickle.loads(pickle.dumps(row))
    assert mine == row
    rebuilt, (_, names, fields) = row.__reduce__()
    for _ in range(3):
        made = rebuilt(Mine, names, fields)
        assert (type(made), tuple(made)) == (Mine, ("a",))
        del made
        assert tuple(fetch(["text"], [b"b"])[0]) == ("b",)


def test_deep_ones_are_freed_without_a_stack() -> None:
    rebuild, (kind, names, fields) = fetch(["text"], [b"a"])[0].__reduce__()
    for _ in range(200_000):
        fields = (rebuild(kind, names, fields),)
    del fields
    assert tuple(fetch(["text"], [b"b"])[0]) == ("b",)
