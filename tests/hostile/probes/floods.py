"""Servers that do not stop, and servers that do not listen.

What is never-ending ends with the caller's deadline, and with `drain_timeout` when the server goes
on; until then it takes no memory, and other tasks have their turn.
"""

from __future__ import annotations

import asyncio
import itertools
from functools import partial

from hostile.probe import (
    ONE,
    ONE_ROW,
    Probe,
    fetch,
    finished,
    give_up_fetch,
    give_up_script,
    idle,
    rows,
    run_script,
    simple,
    until_closed,
)
from scripted_server import WELCOME, Flood, Step, flood, wait
from scripts import (
    TEXT,
    command_complete,
    copy_data,
    copy_response,
    data_row,
    notice_response,
    notification_response,
    parameter_status,
    row_description,
)

import pgallop

NOTICE = notice_response("look out")
NOTIFICATION = notification_response(7, "news", "x" * 20)
SETTING = parameter_status("TimeZone", "Asia/Tokyo")

OUT = copy_response("H", 0)

texts = partial(rows, columns=[("text", TEXT)])

FETCH = give_up_fetch(0.05)
SCRIPT = give_up_script(0.3)

KINDS = {"notices": NOTICE, "notifications": NOTIFICATION, "settings of one name": SETTING}


def endless(piece: bytes) -> Step:
    """`piece`, again and again, as long as the client listens."""
    return Flood(lambda: itertools.repeat(piece * (1 + 65536 // len(piece))))


async def crowd(conn: pgallop.Connection) -> object:
    """A hundred tasks with a megabyte each to say to a server that does not listen."""
    text = "SELECT '" + "x" * 1_000_000 + "'"
    calls = [conn.execute(text, timeout=0.5) for _ in range(100)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    await until_closed(conn)
    assert all(isinstance(each, TimeoutError) for each in answers), set(map(repr, answers))
    raise TimeoutError("all hundred of them")


MANY = [
    Probe(
        name=f"300,000 {kind} {where}",
        script=make(*before, flood(piece * 100, 3000), *behind),
        ask=ask,
        error=None,
        value=value,
        usable=True,
        seconds=15.0,
    )
    for kind, piece in KINDS.items()
    for where, make, before, behind, ask, value in (
        ("among rows", rows, (ONE_ROW,), (finished(),), fetch, [(1,)]),
        ("in a script", simple, (), (finished("DO"),), run_script, "DO"),
    )
]

NEVER_ENDING = [
    Probe(
        name=f"never-ending {kind} when nothing was asked",
        script=idle(endless(piece)),
        ask=SCRIPT,
        error=TimeoutError,
        words="no answer within 0.3 seconds",
        seconds=3.0,
    )
    for kind, piece in KINDS.items()
] + [
    Probe(
        name=f"never-ending {kind} {where}",
        script=make(*before, endless(piece)),
        ask=ask,
        error=TimeoutError,
        words="no answer within",
        seconds=3.0,
        megabytes=megabytes,
    )
    for kind, where, make, before, piece, ask, megabytes in (
        ("rows", "to a caller who has gone", texts, (), data_row(b"x" * 8000), FETCH, 200.0),
        ("tiny rows", "to a caller who has gone", rows, (), ONE_ROW, FETCH, 100.0),
        ("rows", "of a script", simple, (row_description(ONE),), ONE_ROW, SCRIPT, 8.0),
        ("results", "of a script", simple, (), command_complete("DO"), SCRIPT, 8.0),
        ("CopyData", "of a query", rows, (OUT,), copy_data(b"x" * 1000), FETCH, 8.0),
        ("CopyData", "of a script", simple, (OUT,), copy_data(b"x" * 1000), SCRIPT, 8.0),
        ("notices", "among rows", rows, (ONE_ROW,), NOTICE, FETCH, 8.0),
    )
]

SILENT = [
    Probe(
        name="a server that does not listen to a hundred megabytes",
        script=[*WELCOME, wait(2.0)],
        ask=crowd,
        error=TimeoutError,
        words="all hundred of them",
        megabytes=16.0,
        seconds=4.0,
    ),
    Probe(
        name="a server that sends a byte each 50 ms",
        script=rows(*[step for byte in ONE_ROW * 4 for step in (bytes([byte]), wait(0.05))]),
        ask=give_up_fetch(0.4),
        error=TimeoutError,
        words="no answer within 0.4 seconds",
        options={"drain_timeout": 0.3},
    ),
]

PROBES = [*MANY, *NEVER_ENDING, *SILENT]
