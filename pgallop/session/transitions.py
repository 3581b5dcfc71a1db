"""Which replies are legal, as data: for each request its states, and per state what may come.

A reply that is not listed is a ProtocolError and ends the connection. NoticeResponse,
NotificationResponse and ParameterStatus may come at any time and are not listed. "done" is always
ReadyForQuery, but for the end of a connection that is refused.

The tables are compiled to bytes, one row of 256 a state, so that following one costs an index.
"""

from typing import Final

ILLEGAL: Final = 255
DONE: Final = 254

# State: {message: next state}. The first state is where a request begins.
# The server closes behind the ErrorResponse with which it refuses a connection.
STARTUP = {
    "authentication": {"R": "authentication", "v": "authentication", "E": "done"},
    "settings": {"K": "settings", "Z": "done", "E": "done"},
}

PREPARE = {
    "parse": {"3": "parse", "1": "parameters", "E": "failed"},
    "parameters": {"t": "columns", "E": "failed"},
    "columns": {"T": "sync", "n": "sync", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
}

# A portal suspended by its row limit ends there: it does not outlive the Sync.
EXECUTE = {
    "bind": {"2": "rows", "E": "failed"},
    "rows": {
        "D": "rows",
        "C": "sync",
        "I": "sync",
        "s": "sync",
        "G": "copy in",
        "H": "copy out",
        "E": "failed",
    },
    "copy in": {"E": "failed"},
    "copy out": {"d": "copy out", "c": "rows", "E": "failed"},
    # A deferred constraint fails here, after CommandComplete.
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
}

# The unnamed statement: Parse and Describe each time. "rows" has the place it has in EXECUTE.
PARSE_EXECUTE = {
    "parse": {"1": "bind", "E": "failed"},
    **{name: EXECUTE[name] for name in ("rows", "copy in", "copy out", "sync", "failed")},
    "bind": {"2": "describe", "E": "failed"},
    "describe": {"T": "rows", "n": "rows", "E": "failed"},
}

# A statement whose columns may be others each time: its result is described. "rows" as above.
DESCRIBE_EXECUTE = {
    "bind": {"2": "describe", "E": "failed"},
    **{name: EXECUTE[name] for name in ("rows", "copy in", "copy out", "sync", "failed")},
    "describe": {"T": "rows", "n": "rows", "E": "failed"},
}

# Execute several times under one Sync. COPY is refused before it is sent, so that none may begin.
# "describe" is for statements as above: where it is due, `Pipeline` goes there.
PIPELINE = {
    "bind": {"2": "rows", "E": "failed"},
    "rows": {"D": "rows", "C": "bind", "I": "bind", "s": "bind", "E": "failed"},
    "last bind": {"2": "last rows", "E": "failed"},
    "last rows": {"D": "last rows", "C": "sync", "I": "sync", "s": "sync", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
    "describe": {"T": "rows", "n": "rows", "E": "failed"},
    "last describe": {"T": "last rows", "n": "last rows", "E": "failed"},
}

# The same with unnamed statements, each parsed and described.
PARSE_PIPELINE = {
    "parse": {"1": "bind", "E": "failed"},
    "rows": {"D": "rows", "C": "parse", "I": "parse", "s": "parse", "E": "failed"},
    "last parse": {"1": "last bind", "E": "failed"},
    "last rows": {"D": "last rows", "C": "sync", "I": "sync", "s": "sync", "E": "failed"},
    "bind": {"2": "describe", "E": "failed"},
    "describe": {"T": "rows", "n": "rows", "E": "failed"},
    "last bind": {"2": "last describe", "E": "failed"},
    "last describe": {"T": "last rows", "n": "last rows", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
}

# One statement for many rows of arguments; behind the last one that is written, "sync". It begins
# in "bind", "parse" or "first bind", by kind of statement.
EXECUTE_MANY = {
    "bind": {"2": "rows", "E": "failed"},
    "rows": {"D": "rows", "C": "bind", "I": "bind", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
    "parse": {"1": "first bind", "E": "failed"},
    "first bind": {"2": "describe", "E": "failed"},
    "describe": {"T": "rows", "n": "rows", "E": "failed"},
}

# COPY to the client, in a Query; "begin" is for one that a BEGIN travels in front of. The commit
# that ends the statement may fail in "end".
COPY_OUT = {
    "response": {"H": "copy", "E": "failed"},
    "copy": {"d": "copy", "c": "tag", "E": "failed"},
    "tag": {"C": "end", "E": "failed"},
    "end": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
    "begin": {"C": "response", "E": "failed"},
}

# The same in binary, behind a description of its columns, in the extended protocol.
COPY_ROWS = {
    "parse query": {"1": "parameters", "E": "failed"},
    "parameters": {"t": "columns", "E": "failed"},
    "columns": {"T": "parse", "n": "parse", "E": "failed"},
    "parse": {"1": "bind", "E": "failed"},
    "bind": {"2": "response", "E": "failed"},
    **{name: COPY_OUT[name] for name in ("response", "copy", "tag", "end", "failed")},
}

# COPY FROM STDIN. It begins in "parse"; in front of records their columns are described, from
# "parse columns" on, or from "parameters" on if their statement has a name. In the simple protocol
# it begins in "execute", or in "begin" with a BEGIN in front.
COPY_IN = {
    "parse": {"1": "bind", "E": "failed"},
    "bind": {"2": "execute", "E": "failed"},
    "execute": {"G": "copy in", "E": "failed"},
    "copy in": {"C": "sync", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
    "parse columns": {"1": "parameters", "E": "failed"},
    "parameters": {"t": "columns", "E": "failed"},
    "columns": {"T": "parse", "E": "failed"},
    "begin": {"C": "execute", "E": "failed"},
}

# Close of a portal.
CLOSE = {
    "close": {"3": "sync", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
}

# `SELECT $1` several times under one Sync.
CONVERT = {
    "parse": {"1": "bind", "E": "failed"},
    "bind": {"2": "row", "E": "failed"},
    "row": {"D": "tag", "E": "failed"},
    "tag": {"C": "bind", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
}

# Statements one after the other, each with one row or none, under one Sync.
TEXTS = {
    "parse": {"1": "bind", "E": "failed"},
    "bind": {"2": "row", "E": "failed"},
    "row": {"D": "tag", "C": "parse", "E": "failed"},
    "tag": {"C": "parse", "E": "failed"},
    "sync": {"Z": "done", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
}

SIMPLE = {
    "statement": {
        "T": "columns",
        "C": "statement",
        "I": "statement",
        "G": "copy in",
        "H": "copy out",
        "E": "failed",
        "Z": "done",
    },
    # pgpool-II describes its own SHOW commands twice.
    "columns": {"T": "columns", "D": "rows", "C": "statement", "E": "failed"},
    "rows": {"D": "rows", "C": "statement", "E": "failed"},
    "copy in": {"E": "failed"},
    "copy out": {"d": "copy out", "c": "statement", "E": "failed"},
    "failed": {"Z": "done", "E": "failed"},
}


def compile_table(states: dict[str, dict[str, str]]) -> bytes:
    """The table as bytes: `table[256 * state + message]` is the next state, DONE or ILLEGAL."""
    numbers = {name: number for number, name in enumerate(states)} | {"done": DONE}
    table = bytearray([ILLEGAL]) * (256 * len(states))
    for number, replies in enumerate(states.values()):
        for message, successor in replies.items():
            table[256 * number + ord(message)] = numbers[successor]
    return bytes(table)
