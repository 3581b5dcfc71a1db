"""A statement that a cancellation has hit, and a proof that it is harmless which is none."""

from __future__ import annotations

import asyncio
import contextlib

from hostile.probe import ONE, Probe, description
from scripted_server import WELCOME, Script, Step, expect, send, wait
from scripts import (
    BIND_COMPLETE,
    BOOL,
    NO_DATA,
    PARSE_COMPLETE,
    command_complete,
    data_row,
    error_response,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop
from pgallop.codecs._oids import ARRAYS

PREPARED: list[Step] = [expect("Parse", "Describe", "Sync"), send(description(ONE))]
CANCELED = error_response("57014", "canceled") + ready_for_query()
NAMES = ARRAYS["text"]


def proven_by(columns: bytes, *rows: bytes) -> Script:
    """Two statements, canceled both though one was meant, and the answer about the other."""
    return [
        *WELCOME,
        *PREPARED,
        expect("Bind", "Execute", "Sync"),
        expect("Parse", "Describe", "Sync", "Bind", "Execute", "Sync"),
        wait(0.2),
        send(CANCELED, description(ONE), BIND_COMPLETE, CANCELED),
        expect("Parse", "Describe", "Sync"),
        send(PARSE_COMPLETE, parameter_description(NAMES, NAMES, NAMES), columns),
        send(ready_for_query()),
        expect("Bind", "Execute", "Sync"),
        send(BIND_COMPLETE, *rows, command_complete("SELECT"), ready_for_query()),
    ]


async def abandon_one_of_two(conn: pgallop.Connection) -> object:
    """Two statements under way together, the first of which is given up; the second's answer."""
    first = asyncio.ensure_future(conn.fetch("SELECT 1", timeout=0.1))
    second = asyncio.ensure_future(conn.fetch("SELECT 2"))
    with contextlib.suppress(TimeoutError):
        await first
    return await second


ANSWERS = {
    "nothing": (NO_DATA,),
    "no row": (row_description(("harmless", BOOL)),),
    "a row without columns": (row_description(), data_row()),
    "NULL": (row_description(("harmless", BOOL)), data_row(None)),
    "two rows": (row_description(("harmless", BOOL)), data_row(b"\1"), data_row(b"\1")),
}

PROBES = [
    Probe(
        name=f"whether a statement is harmless is answered by {name}",
        script=proven_by(*answer),
        ask=abandon_one_of_two,
        error=pgallop.CollateralCancelError,
        words="hit by the cancellation",
        usable=True,
    )
    for name, answer in ANSWERS.items()
]
