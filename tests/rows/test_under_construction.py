"""Nobody sees a container that has empty slots: whoever walks all objects would crash on it."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from struct import pack
from typing import Any

import pytest
from conversation import Conversation
from scripts import BIND_COMPLETE, command_complete, data_row, ready_for_query

from pgallop.codecs._oids import OIDS
from pgallop.codecs.arrays import array_of
from pgallop.codecs.builtin import builtin_registry
from pgallop.codecs.json import JsonCodec
from pgallop.codecs.registry import Registry
from pgallop.session.execute import Execute
from pgallop.session.statement import Description, Statement
from pgallop.wire.backend import Field

# A number of items that no other container here has.
ITEMS = 137
JSON = OIDS["json"]


class Looker:
    """Decodes JSON, and looks at all objects meanwhile, as another thread might."""

    def __init__(self) -> None:
        self.calls = 0
        self.unfinished = 0

    def __call__(self, text: str) -> Any:
        self.calls += 1
        self.unfinished += sum(
            isinstance(each, (list, tuple))
            and len(each) == ITEMS
            and len(gc.get_referents(each)) < ITEMS
            for each in gc.get_objects()
        )
        return json.loads(text)


@pytest.fixture
def looker() -> Iterator[Looker]:
    gc.freeze()  # what is there already is not looked at again and again
    yield Looker()
    gc.unfreeze()


@pytest.fixture
def codec(looker: Looker) -> JsonCodec:
    return JsonCodec(JSON, "json", json.dumps, looker)


def test_an_array(looker: Looker, codec: JsonCodec) -> None:
    head = pack("!iiIii", 1, 0, JSON, ITEMS, 1)
    values = array_of(codec).loads(head + (pack("!i", 2) + b"{}") * ITEMS)
    assert values == [{}] * ITEMS
    assert (looker.calls, looker.unfinished) == (ITEMS, 0)
    assert gc.is_tracked(values)


def test_a_record(looker: Looker, codec: JsonCodec) -> None:
    registry = builtin_registry().copy()
    registry.add(codec)
    field = pack("!Ii", JSON, 2) + b"{}"
    assert registry.get(OIDS["record"]).loads(pack("!i", ITEMS) + field * ITEMS) == ({},) * ITEMS
    assert (looker.calls, looker.unfinished) == (ITEMS, 0)


def test_a_row(looker: Looker, codec: JsonCodec) -> None:
    registry = Registry()
    registry.add(codec)
    columns = [Field(f"c{i}", 0, 0, JSON, -1, -1, 0) for i in range(ITEMS)]
    talk = Conversation()
    execute = Execute(
        None, Statement("SELECT", b"s", Description((), tuple(columns)), registry), ()
    )
    answer = talk.submit(execute)
    talk.server(BIND_COMPLETE, data_row(*[b"{}"] * ITEMS), command_complete("SELECT 1"))
    talk.server(ready_for_query())
    assert [tuple(row) for row in answer.result[0]] == [({},) * ITEMS]
    assert (looker.calls, looker.unfinished) == (ITEMS, 0)
