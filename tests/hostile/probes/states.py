"""Messages that are legal somewhere, said where they are not.

`tests/session/test_transitions.py` says every message in every state, to the session alone. Here
are some for each state, to a connection: the caller gets the error, and the connection is closed.
"""

from __future__ import annotations

from hostile.probe import (
    ONE,
    ONE_ROW,
    Probe,
    description,
    execute,
    fetch,
    finished,
    idle,
    look_on,
    pipelined,
    prepare,
    rows,
    run_pipeline,
    run_script,
    run_transaction,
    said,
    simple,
    startup,
)
from scripted_server import WELCOME, Script, expect, send
from scripts import (
    AUTHENTICATION_OK,
    BIND_COMPLETE,
    CLOSE_COMPLETE,
    COPY_DONE,
    EMPTY_QUERY_RESPONSE,
    NO_DATA,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    authentication,
    backend_key_data,
    command_complete,
    copy_data,
    copy_response,
    error_response,
    message,
    negotiate_protocol_version,
    parameter_description,
    ready_for_query,
    row_description,
)

import pgallop

MESSAGES = {
    "R": authentication(AUTHENTICATION_OK),
    "K": backend_key_data(1, b"1234"),
    "v": negotiate_protocol_version(196608),
    "Z": ready_for_query(),
    "1": PARSE_COMPLETE,
    "2": BIND_COMPLETE,
    "3": CLOSE_COMPLETE,
    "t": parameter_description(),
    "T": row_description(ONE),
    "n": NO_DATA,
    "D": ONE_ROW,
    "C": command_complete("SELECT 1"),
    "I": EMPTY_QUERY_RESPONSE,
    "s": PORTAL_SUSPENDED,
    "G": copy_response("G", 0),
    "H": copy_response("H", 0),
    "W": copy_response("W", 0),
    "d": copy_data(b"data"),
    "c": COPY_DONE,
    "V": message("V", b"\0\0\0\0"),
}

OK = authentication(AUTHENTICATION_OK)
FAILED = error_response("22012", "division by zero")
OUT = copy_response("H", 0)

# A transaction whose first statement carries its BEGIN.
begin = [
    *prepare(description(ONE)),
    expect("Bind", "Execute", "Sync"),
    send(BIND_COMPLETE, ONE_ROW, finished()),
    expect("Parse sql='BEGIN'", "Bind", "Execute", "Bind", "Execute", "Sync"),
]


async def fetch_in_transaction(conn: pgallop.Connection) -> object:
    await conn.fetch("SELECT 1")
    async with conn.transaction():
        return await conn.fetch("SELECT 1")


# State: its script, what is asked, and the types that must not come.
STATES = {
    "authentication": (startup(), None, "KZ12TDCGWd"),
    "settings": (startup(OK), None, "Rv1DCWd"),
    "nothing was asked": (idle(), look_on, "RKvZ123tTnDCIsGHWdcV"),
    "ParseComplete is due": (prepare(), fetch, "RZ2tTDCWV"),
    "ParameterDescription is due": (prepare(PARSE_COMPLETE), fetch, "Z1TnDW"),
    "RowDescription is due": (prepare(PARSE_COMPLETE, MESSAGES["t"]), fetch, "Z1tDCW"),
    "the end of Prepare is due": (
        prepare(PARSE_COMPLETE, MESSAGES["t"], MESSAGES["T"]),
        fetch,
        "1tTnDCW",
    ),
    "Prepare has failed": (prepare(FAILED), fetch, "1tTnDCW"),
    "BindComplete is due": (execute(), fetch, "RKZ13TDCIsGHWdc"),
    "rows are due": (rows(), fetch, "RKZ123tTnWdcVv"),
    "among rows": (rows(ONE_ROW), fetch, "Z12TnWdcV"),
    "behind the last row": (rows(ONE_ROW, MESSAGES["C"]), fetch, "12TDCIsGHWdc"),
    "Execute has failed": (execute(FAILED), fetch, "2DCIsGHWdc"),
    "in a COPY": (rows(OUT), fetch, "ZDTGHW"),
    "behind a COPY": (rows(OUT, COPY_DONE), fetch, "Z2TWd"),
    "a script's answer is due": (simple(), run_script, "RK123tDsnWdcV"),
    "a script's first row is due": (simple(MESSAGES["T"]), run_script, "Z12IsGHWd"),
    "among a script's rows": (simple(MESSAGES["T"], ONE_ROW), run_script, "ZT12IsGHWd"),
    "in a script's COPY": (simple(OUT), run_script, "ZDTGHW"),
    "a script has failed": (simple(FAILED), run_script, "TDCIGHWd"),
    "a pipeline's BindComplete is due": (pipelined(), run_pipeline, "Z13TDCGHWd"),
    "a pipeline's rows are due": (pipelined(BIND_COMPLETE), run_pipeline, "Z2TnGHWd"),
    "a pipeline's second BindComplete is due": (
        pipelined(BIND_COMPLETE, ONE_ROW, MESSAGES["C"]),
        run_pipeline,
        "ZDCTGHWd",
    ),
    "behind a pipeline": (
        pipelined(*[BIND_COMPLETE, ONE_ROW, MESSAGES["C"]] * 2),
        run_pipeline,
        "12DCTW",
    ),
    "BEGIN's ParseComplete is due": (begin, fetch_in_transaction, "Z2CDTWG"),
    "BEGIN's BindComplete is due": ([*begin, *said(PARSE_COMPLETE)], fetch_in_transaction, "Z1CDW"),
    "BEGIN's tag is due": (
        [*begin, *said(PARSE_COMPLETE, BIND_COMPLETE)],
        fetch_in_transaction,
        "Z2DIsTWH",
    ),
    "BEGIN has failed": ([*begin, *said(FAILED)], fetch_in_transaction, "12CDTW"),
    "COMMIT's answer is due": (
        [
            *WELCOME,
            expect("Query sql='BEGIN; DO'"),
            *said(command_complete("BEGIN"), command_complete("DO"), ready_for_query("T")),
            expect("Query sql='COMMIT'"),
        ],
        run_transaction,
        "12DKRW",
    ),
}


def first_reason(state: str) -> tuple[type[Exception], str] | None:
    """The error that was there before the illegal message: of several the first is reported."""
    if "has failed" in state:
        return pgallop.DivisionByZeroError, "division by zero"
    if "COPY" in state:
        return pgallop.UnsupportedClientFeatureError, "COPY TO STDOUT"
    return None


def illegal(state: str, script: Script, tag: str) -> Probe:
    """A message that must not come, in that state; the connection is closed because of it."""
    ask = STATES[state][1]
    unasked = pgallop.InterfaceError if ask is look_on else pgallop.ProtocolError
    error, words = first_reason(state) or (unasked, f"b{tag!r}")
    return Probe(
        name=f"{tag!r} when {state}" if " is due" in state else f"{tag!r}, {state}",
        script=[*script, *said(MESSAGES[tag])],
        ask=ask,
        error=error,
        words=words,
    )


PROBES = [
    illegal(state, script, tag) for state, (script, _, tags) in STATES.items() for tag in tags
]
