"""COPY that nobody asked for, data that is none, and directions that were not agreed."""

from __future__ import annotations

from hostile.probe import Ask, Probe, execute, fetch, finished, rows, run_script, said, simple
from scripted_server import Script, close, expect
from scripts import (
    COPY_DONE,
    command_complete,
    copy_data,
    copy_response,
    error_response,
    message,
    ready_for_query,
)

import pgallop

OUT = copy_response("H", 0)
INTO = copy_response("G", 0)
BOTH = copy_response("W", 0)
REFUSED = pgallop.UnsupportedClientFeatureError
CANCELED = error_response("57014", "COPY from stdin failed: ...") + ready_for_query()


def lies(name: str, script: Script, words: str, ask: Ask = fetch) -> Probe:
    return Probe(name=name, script=script, ask=ask, words=words)


def broken_off(name: str, script: Script, ask: Ask = fetch) -> Probe:
    """A COPY that is refused by us, which is what is reported, and then breaks the protocol."""
    return Probe(name=name, script=script, ask=ask, error=REFUSED, words="COPY ")


def refused(name: str, script: Script, words: str, ask: Ask = fetch) -> Probe:
    """A COPY that is in order, and that a plain call cannot do."""
    return Probe(name=name, script=script, ask=ask, error=REFUSED, words=words, usable=True)


PROBES = [
    lies("CopyBothResponse to Bind", execute(BOTH), "illegal b'W'"),
    lies("CopyBothResponse behind BindComplete", rows(BOTH), "illegal b'W'"),
    lies("CopyBothResponse in a script", simple(BOTH), "illegal b'W'", run_script),
    broken_off("CopyBothResponse in a COPY", rows(OUT, BOTH)),
    broken_off("CopyOutResponse twice", rows(OUT, OUT)),
    broken_off("CopyInResponse in COPY TO", rows(OUT, INTO)),
    lies("CopyData outside of a COPY", rows(copy_data(b"data")), "illegal b'd'"),
    lies("CopyData outside of a COPY, in a script", simple(copy_data(b"")), "b'd'", run_script),
    lies("CopyDone outside of a COPY", rows(COPY_DONE), "illegal b'c'"),
    broken_off("CopyData behind CopyDone", rows(OUT, COPY_DONE, copy_data(b"x"))),
    broken_off("CopyDone twice", rows(OUT, COPY_DONE, COPY_DONE)),
    broken_off("a row in a COPY", rows(OUT, message("D", b"\0\0"))),
    broken_off("the end of the statement in a COPY", rows(OUT, finished())),
    broken_off("CopyData of length 3", rows(OUT, message("d", b"", 3))),
    broken_off("CopyData of length -1", rows(OUT, message("d", b"", -1))),
    broken_off("CopyData of length 2^31-1", rows(OUT, message("d", b"", 2**31 - 1))),
    broken_off("a script's CopyData of length 3", simple(OUT, message("d", b"", 3)), run_script),
    broken_off(
        "CopyInResponse twice, in a script",
        simple(INTO, INTO),
        run_script,
    ),
    refused(
        "COPY TO",
        rows(OUT, copy_data(b"x" * 1000), COPY_DONE, finished("COPY 1")),
        "COPY TO STDOUT",
    ),
    refused(
        "COPY TO, in a script",
        simple(OUT, copy_data(b"x" * 1000), COPY_DONE, finished("COPY 1")),
        "COPY TO STDOUT",
        run_script,
    ),
    refused("COPY TO that fails", rows(OUT, copy_data(b"x"), CANCELED), "COPY TO STDOUT"),
    refused(
        "COPY FROM", [*rows(INTO), expect("CopyFail", "Sync"), *said(CANCELED)], "COPY FROM STDIN"
    ),
    refused(
        "COPY FROM, in a script",
        [*simple(INTO), expect("CopyFail"), *said(CANCELED)],
        "COPY FROM STDIN",
        run_script,
    ),
    refused(
        "COPY FROM with 65,535 columns in 3 bytes",
        [*rows(message("G", b"\0\xff\xff")), expect("CopyFail", "Sync"), *said(CANCELED)],
        "COPY FROM STDIN",
    ),
    refused(
        "COPY TO with an empty answer",
        rows(message("H"), COPY_DONE, finished("COPY 0")),
        "COPY TO STDOUT",
    ),
    # What is reported is the first thing that was wrong.
    *(
        Probe(
            name=f"COPY FROM{name}",
            script=[*rows(INTO), expect("CopyFail", "Sync"), *said(answer)],
            ask=fetch,
            error=REFUSED,
            words="COPY FROM STDIN",
        )
        for name, answer in (
            (" that succeeds all the same", command_complete("COPY 1")),
            (" that is forgotten", ready_for_query()),
            (", and nonsense", b"\0\0\0\0\0"),
            (", and the end", close()),
        )
    ),
]
