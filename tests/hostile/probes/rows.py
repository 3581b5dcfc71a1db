"""DataRow: counts of fields and their lengths."""

from __future__ import annotations

from hostile.probe import ONE, ONE_ROW, Probe, fetch, finished, pipelined, rows, run_pipeline
from scripted_server import flood
from scripts import BIND_COMPLETE, BOOL, TEXT, command_complete, data_row, int2, int4, message

import pgallop
from pgallop.codecs._oids import OIDS

BYTEA = OIDS["bytea"]

TEXTS = [("a", TEXT), ("b", TEXT)]


def row(name: str, body: bytes, words: str, columns: list[tuple[str, int]] | None = None) -> Probe:
    """A row of this body, in a result of two texts."""
    script = rows(message("D", body), finished(), columns=columns or TEXTS)
    return Probe(name=name, script=script, ask=fetch, words=words)


def field(size: int, data: bytes = b"") -> bytes:
    """A field that claims to have that size."""
    return int4(size) + data


async def count(conn: pgallop.Connection) -> object:
    """How many rows come."""
    return len(await conn.fetch("SELECT 1"))


async def size(conn: pgallop.Connection) -> object:
    """The length of the one value."""
    return len(await conn.fetchval("SELECT 1"))


DONE = command_complete("SELECT 1")
BIG_ROW = message("D", int2(1) + int4(50_000_000), length=50_000_010)

PROBES = [
    row("nothing", b"", "does not have the 2 columns"),
    row("half a count", b"\0", "does not have the 2 columns"),
    row("no fields", int2(0), "does not have the 2 columns"),
    row("one field too few", int2(1) + field(1, b"x"), "does not have the 2 columns"),
    row("one field too many", int2(3) + field(1, b"x") * 3, "does not have the 2 columns"),
    row("65,535 fields in 4 bytes", b"\xff\xff" + field(-1), "does not have the 2 columns"),
    row("two fields announced, and none there", int2(2), "would take 4 bytes where 0 are left"),
    row(
        "two fields announced, and one there", int2(2) + field(-1), "column 'b' would take 4 bytes"
    ),
    row("half a length", int2(2) + field(-1) + b"\0\0", "take 4 bytes where 2 are left"),
    row("a length of -2", int2(2) + field(-2) + field(-1), "column 'a' would take -2 bytes"),
    row("a length of -2^31", int2(2) + field(-(2**31)) + field(-1), "take -2147483648 bytes"),
    row("a length of 2^31-1", int2(2) + field(2**31 - 1) + field(-1), "take 2147483647 bytes"),
    row("a length of 2^24 in an empty field", int2(2) + field(2**24), "take 16777216 bytes"),
    row(
        "a length that takes the next field's",
        int2(2) + field(5, b"x") + b"yyyy",
        "column 'b' would take 4 bytes where 0 are left",
    ),
    row(
        "a length of one byte more than there is",
        int2(2) + field(-1) + field(4, b"xyz"),
        "column 'b' would take 4 bytes where 3 are left",
    ),
    row(
        "two lengths whose sum overflows",
        int2(2) + field(2**31 - 1, b"x" * 10) + field(2**31 - 1),
        "take 2147483647 bytes",
    ),
    row("a byte left over", int2(2) + field(-1) * 2 + b"x", "1 bytes are left over in a row"),
    row(
        "a row left over",
        int2(2) + field(-1) * 2 + message("D", int2(2) + field(-1) * 2),
        "left over in a row",
    ),
    row("an empty bool", int2(1) + field(0), "announced 1 bytes where 0 remain", [("b", BOOL)]),
    row("a row of 1 MB for two columns", int2(2) + field(-1) * 2 + bytes(1_000_000), "left over"),
    Probe(
        name="the second row lies",
        script=rows(ONE_ROW, data_row(b"123"), finished()),
        ask=fetch,
        words="announced 4 bytes where 3 remain",
    ),
    Probe(
        name="the last of 100,000 rows lies",
        script=rows(flood(ONE_ROW * 1000, 100), data_row(b"123"), finished()),
        ask=fetch,
        words="announced 4 bytes where 3 remain",
        megabytes=40.0,
        seconds=5.0,
    ),
    Probe(
        name="a row of the second statement lies",
        script=pipelined(BIND_COMPLETE, ONE_ROW, DONE, BIND_COMPLETE, data_row(b"1"), finished()),
        ask=run_pipeline,
        words="announced 4 bytes where 1 remain",
    ),
    Probe(
        name="NULL in every field",
        script=rows(data_row(*[None] * 1600), finished(), columns=[ONE] * 1600),
        ask=fetch,
        error=None,
        value=[(None,) * 1600],
        usable=True,
    ),
    Probe(
        name="a million rows of nothing",
        script=rows(flood(data_row() * 1000, 1000), finished(), columns=[]),
        ask=count,
        error=None,
        value=1_000_000,
        usable=True,
        seconds=20.0,
        megabytes=150.0,
    ),
    Probe(
        name="a million tiny rows",
        script=rows(flood(ONE_ROW * 1000, 1000), finished()),
        ask=count,
        error=None,
        value=1_000_000,
        usable=True,
        seconds=20.0,
        megabytes=150.0,
    ),
    Probe(
        name="a row of 50 MB, announced and sent",
        script=rows(BIG_ROW, flood(b"x" * 1_000_000, 50), finished(), columns=[("big", BYTEA)]),
        ask=size,
        error=None,
        value=50_000_000,
        usable=True,
        megabytes=160.0,
        seconds=5.0,
        block=0.3,  # 50 MB are copied at a time: 0.06 s, thrice that beside a busy neighbour
    ),
]
