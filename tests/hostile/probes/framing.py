"""Lengths and types of messages: the five bytes in front of everything."""

from __future__ import annotations

from hostile.probe import (
    ONE_ROW,
    Probe,
    execute,
    fetch,
    finished,
    give_up_fetch,
    idle,
    look_on,
    prepare,
    rows,
    run_script,
    said,
    simple,
    startup,
)
from scripted_server import expect, flood
from scripts import (
    AUTHENTICATION_OK,
    BIND_COMPLETE,
    COPY_DONE,
    EMPTY_QUERY_RESPONSE,
    NO_DATA,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    authentication,
    command_complete,
    copy_data,
    copy_response,
    message,
    ready_for_query,
)

import pgallop
from pgallop import limits

# Each kind of message where it is legal, so that only its length is a lie.
LEGAL_PLACES = {
    "R": (startup(), None),
    "K": (startup(authentication(AUTHENTICATION_OK)), None),
    "S": (startup(authentication(AUTHENTICATION_OK)), None),
    "v": (startup(), None),
    "E": (execute(), fetch),
    "N": (execute(), fetch),
    "A": (execute(), fetch),
    "1": (prepare(), fetch),
    "t": (prepare(PARSE_COMPLETE), fetch),
    "T": (prepare(PARSE_COMPLETE, message("t", b"\0\0")), fetch),
    "n": (prepare(PARSE_COMPLETE, message("t", b"\0\0")), fetch),
    "2": (execute(), fetch),
    "D": (rows(), fetch),
    "C": (rows(), fetch),
    "I": (rows(), fetch),
    "s": (rows(), fetch),
    "Z": (rows(command_complete("SELECT 0")), fetch),
    "G": (rows(), fetch),
    "H": (rows(), fetch),
}

LENGTHS = {
    "-1": -1,
    "0": 0,
    "3": 3,
    "-2^31": -(2**31),
    "2^31-1": 2**31 - 1,
}

LIES = [
    Probe(
        name=f"{tag!r} of length {words}",
        script=[*script, *said(message(tag, b"", length))],
        ask=ask,
        words=f"announced a b{tag!r} message of {length} bytes",
    )
    for tag, (script, ask) in LEGAL_PLACES.items()
    for words, length in LENGTHS.items()
    if tag in "RSEDCZ" or words in ("3", "2^31-1")
]

# A COPY is refused by us before it is read, and the first reason is the one reported.
IN_COPY = [
    Probe(
        name=f"in a COPY: {name}",
        script=rows(copy_response("H", 0), data),
        ask=fetch,
        error=pgallop.UnsupportedClientFeatureError,
        words="COPY TO STDOUT",
    )
    for name, data in (
        *((f"'d' of length {words}", message("d", b"", size)) for words, size in LENGTHS.items()),
        *((f"'c' of length {words}", message("c", b"", size)) for words, size in LENGTHS.items()),
        ("a message of type 'd' + 128", b"\xe4\0\0\0\4"),
        ("a byte behind the end of CopyDone", message("c", b"x")),
    )
]

CAPS = [
    Probe(
        name="a row of one byte more than max_message_size",
        script=rows(message("D", b"", 100_001)),
        ask=fetch,
        words="between 4 and 100000 are allowed",
        options={"max_message_size": 100_000},
    ),
    Probe(
        name="a row of 2 GB of which no end comes",
        script=rows(message("D", b"", 2**31 - 1), flood(bytes(65536), 1600)),
        ask=fetch,
        words="between 4 and 1073741824 are allowed",
    ),
    Probe(
        name="a ReadyForQuery of 1 MB",
        script=rows(command_complete("SELECT 0"), message("Z", b"", 1_000_000)),
        ask=fetch,
        words="1000000 bytes",
    ),
    Probe(
        name="a CommandComplete of 1 GB",
        script=rows(message("C", b"", 2**30)),
        ask=fetch,
        words="1073741824 bytes",
    ),
    Probe(
        name="a description of more than its cap",
        script=prepare(PARSE_COMPLETE, message("t", b"", limits.MAX_DESCRIPTION_SIZE + 1)),
        ask=fetch,
        words=f"between 4 and {limits.MAX_DESCRIPTION_SIZE} are allowed",
    ),
    Probe(
        name="an announced row of which one byte comes",
        script=rows(message("D", b"\0", 1000)),
        ask=give_up_fetch(0.2),
        error=TimeoutError,
        words="no answer within 0.2 seconds",
        options={"drain_timeout": 0.2},
    ),
]

KNOWN = "RSKZ123nsITtDCEANGHWdcVv"

UNKNOWN = [
    Probe(
        name=f"a message of type {bytes([tag])!r}, {where}",
        script=[*script, *said(bytes([tag]) + b"\0\0\0\4")],
        ask=ask,
        error=pgallop.InterfaceError if ask is look_on else pgallop.ProtocolError,
        words=f"unknown type {bytes([tag])!r}",
    )
    for tag, where, script, ask in (
        (0, "at startup", startup(), None),
        (72 + 128, "at startup", startup(), None),
        (ord("F"), "in the answer to Parse", prepare(), fetch),
        (ord("?"), "in the answer to Bind", execute(), fetch),
        (0, "among rows", rows(ONE_ROW), fetch),
        (255, "among rows", rows(ONE_ROW), fetch),
        (ord("x"), "in the answer to Query", simple(), run_script),
        (0, "when nothing was asked", idle(), look_on),
        (10, "when nothing was asked", idle(), look_on),
    )
]

LEFT_OVER = [
    Probe(
        name=f"a byte behind the end of {name}",
        script=[*script, *said(message(tag, body + b"\0"))],
        ask=ask,
        words="left over",
    )
    for name, tag, body, script, ask in (
        ("ParseComplete", "1", b"", prepare(), fetch),
        ("BindComplete", "2", b"", execute(), fetch),
        ("NoData", "n", b"", prepare(PARSE_COMPLETE, message("t", b"\0\0")), fetch),
        ("EmptyQueryResponse", "I", b"", rows(), fetch),
        ("PortalSuspended", "s", b"", rows(), fetch),
        ("CommandComplete", "C", b"SELECT 0\0", rows(), fetch),
        ("ReadyForQuery", "Z", b"I", rows(command_complete("SELECT 0")), fetch),
        ("a script's CommandComplete", "C", b"DO\0", simple(), run_script),
        ("a script's EmptyQueryResponse", "I", b"", simple(), run_script),
        ("AuthenticationOk", "R", bytes(4), startup(), None),
        ("ParameterStatus", "S", b"a\0b\0", execute(), fetch),
        ("NotificationResponse", "A", bytes(4) + b"a\0b\0", execute(), fetch),
        ("ErrorResponse", "E", b"MHelp\0\0", execute(), fetch),
        ("NoticeResponse", "N", b"MHelp\0\0", execute(), fetch),
    )
]

# The other way round: what looks like a lie and is none.
HARMLESS = [
    Probe(
        name="an empty query where a result was expected",
        script=execute(BIND_COMPLETE, EMPTY_QUERY_RESPONSE, ready_for_query()),
        ask=fetch,
        error=None,
        value=[],
        usable=True,
    ),
    Probe(
        name="a suspended portal where no limit was given",
        script=rows(ONE_ROW, PORTAL_SUSPENDED, ready_for_query()),
        ask=fetch,
        error=None,
        value=[(1,)],
        usable=True,
    ),
    Probe(
        name="empty CopyData",
        script=rows(copy_response("H", 0), copy_data(b""), COPY_DONE, finished("COPY 0")),
        ask=fetch,
        error=pgallop.UnsupportedClientFeatureError,
        words="COPY TO STDOUT",
        usable=True,
    ),
    Probe(
        name="a statement that returns nothing, fetched",
        script=[
            *prepare(PARSE_COMPLETE, message("t", b"\0\0"), NO_DATA, ready_for_query()),
            expect("Bind", "Execute", "Sync"),
            *said(BIND_COMPLETE, finished("DO")),
        ],
        ask=fetch,
        error=None,
        value=[],
        usable=True,
    ),
]

PROBES = [*LIES, *IN_COPY, *CAPS, *UNKNOWN, *LEFT_OVER, *HARMLESS]
