"""The tables of legal replies, followed to every state; whatever they do not list is refused."""

from __future__ import annotations

import pytest
from conversation import REGISTRY, Answer, Conversation, statement
from scripts import (
    BIND_COMPLETE,
    CLEARTEXT_PASSWORD,
    CLOSE_COMPLETE,
    COPY_DONE,
    COPY_HEADER,
    COPY_TRAILER,
    EMPTY_QUERY_RESPONSE,
    INT4,
    NO_DATA,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    authentication,
    backend_key_data,
    command_complete,
    copy_data,
    copy_response,
    data_row,
    error_response,
    int4,
    message,
    negotiate_protocol_version,
    notice_response,
    notification_response,
    parameter_description,
    parameter_status,
    ready_for_query,
    row_description,
)

from pgallop.errors import ProtocolError
from pgallop.session import transitions
from pgallop.session.convert import Convert
from pgallop.session.copy_in import CopyIn
from pgallop.session.copy_out import CopyOut
from pgallop.session.copy_rows import CopyRows
from pgallop.session.execute import Execute
from pgallop.session.execute_many import ExecuteMany
from pgallop.session.pipeline import Pipeline
from pgallop.session.portal import ClosePortal
from pgallop.session.texts import Texts
from pgallop.session.transitions import DONE, ILLEGAL, compile_table

Table = dict[str, dict[str, str]]

TABLES: dict[str, Table] = {
    name: value
    for name, value in vars(transitions).items()
    if name.isupper() and isinstance(value, dict)
}

# A good message of every type.
MESSAGES = {
    "R": authentication(CLEARTEXT_PASSWORD),
    "K": backend_key_data(1, b"1234"),
    "v": negotiate_protocol_version(196608),
    "Z": ready_for_query(),
    "1": PARSE_COMPLETE,
    "2": BIND_COMPLETE,
    "3": CLOSE_COMPLETE,
    "t": parameter_description(),
    "T": row_description(("id", INT4)),
    "n": NO_DATA,
    "D": data_row(int4(1)),
    "C": command_complete("SELECT 1"),
    "I": EMPTY_QUERY_RESPONSE,
    "s": PORTAL_SUSPENDED,
    "E": error_response("22012", "division by zero"),
    "G": copy_response("G"),
    "H": copy_response("H"),
    "W": copy_response("W"),
    "d": copy_data(b"1\n"),
    "c": COPY_DONE,
    "V": message("V", int4(-1)),
}

# And those that are good in one table only.
OWN_MESSAGES = {
    ("COPY_ROWS", "H"): copy_response("H", 1, format=1),
    ("COPY_ROWS", "d"): copy_data(COPY_HEADER),
}

ASYNCHRONOUS = {
    "N": notice_response("careful"),
    "A": notification_response(1, "c", ""),
    "S": parameter_status("a", "b"),
}

OK = authentication(0)

PARSED = (PARSE_COMPLETE, BIND_COMPLETE)

# COPY in binary, up to its end.
COPIED = (
    *(PARSE_COMPLETE, parameter_description(), MESSAGES["T"], PARSE_COMPLETE, BIND_COMPLETE),
    *(OWN_MESSAGES["COPY_ROWS", "H"], copy_data(COPY_HEADER + COPY_TRAILER), COPY_DONE),
)

# What the server says to bring a request into each state, by hand.
PATHS: dict[str, dict[str, tuple[bytes, ...]]] = {
    "STARTUP": {"authentication": (), "settings": (OK,)},
    "PREPARE": {
        "parse": (),
        "parameters": (PARSE_COMPLETE,),
        "columns": (PARSE_COMPLETE, parameter_description()),
        "sync": (PARSE_COMPLETE, parameter_description(), NO_DATA),
        "failed": (MESSAGES["E"],),
    },
    "EXECUTE": {
        "bind": (),
        "rows": (BIND_COMPLETE,),
        "copy in": (BIND_COMPLETE, MESSAGES["G"]),
        "copy out": (BIND_COMPLETE, MESSAGES["H"]),
        "sync": (BIND_COMPLETE, MESSAGES["C"]),
        "failed": (BIND_COMPLETE, MESSAGES["E"]),
    },
    "PIPELINE": {
        "bind": (),
        "rows": (BIND_COMPLETE,),
        "last bind": (BIND_COMPLETE, MESSAGES["C"]) * 2,
        "last rows": (*(BIND_COMPLETE, MESSAGES["C"]) * 2, BIND_COMPLETE),
        "sync": (BIND_COMPLETE, MESSAGES["C"]) * 3,
        "failed": (BIND_COMPLETE, MESSAGES["E"]),
        "describe": (BIND_COMPLETE,),
        "last describe": (*(BIND_COMPLETE, MESSAGES["C"]) * 2, BIND_COMPLETE),
    },
    "DESCRIBE_EXECUTE": {
        "bind": (),
        "rows": (BIND_COMPLETE, MESSAGES["T"]),
        "copy in": (BIND_COMPLETE, NO_DATA, MESSAGES["G"]),
        "copy out": (BIND_COMPLETE, NO_DATA, MESSAGES["H"]),
        "sync": (BIND_COMPLETE, MESSAGES["T"], MESSAGES["C"]),
        "failed": (BIND_COMPLETE, MESSAGES["E"]),
        "describe": (BIND_COMPLETE,),
    },
    "PARSE_EXECUTE": {
        "parse": (),
        "rows": (*PARSED, MESSAGES["T"]),
        "copy in": (*PARSED, NO_DATA, MESSAGES["G"]),
        "copy out": (*PARSED, NO_DATA, MESSAGES["H"]),
        "sync": (*PARSED, MESSAGES["T"], MESSAGES["C"]),
        "failed": (*PARSED, MESSAGES["E"]),
        "bind": (PARSE_COMPLETE,),
        "describe": PARSED,
    },
    "PARSE_PIPELINE": {
        "parse": (),
        "rows": (*PARSED, MESSAGES["T"]),
        "last parse": (*PARSED, MESSAGES["T"], MESSAGES["C"]) * 2,
        "last rows": (*(*PARSED, MESSAGES["T"], MESSAGES["C"]) * 2, *PARSED, MESSAGES["T"]),
        "bind": (PARSE_COMPLETE,),
        "describe": PARSED,
        "last bind": (*(*PARSED, MESSAGES["T"], MESSAGES["C"]) * 2, PARSE_COMPLETE),
        "last describe": (*(*PARSED, MESSAGES["T"], MESSAGES["C"]) * 2, *PARSED),
        "sync": (*PARSED, MESSAGES["T"], MESSAGES["C"]) * 3,
        "failed": (*PARSED, MESSAGES["E"]),
    },
    "EXECUTE_MANY": {
        "bind": (*PARSED, MESSAGES["T"], MESSAGES["C"]),
        "rows": (*PARSED, MESSAGES["T"]),
        "sync": (*PARSED, MESSAGES["T"], MESSAGES["C"], *(BIND_COMPLETE, MESSAGES["C"]) * 2),
        "failed": (*PARSED, MESSAGES["E"]),
        "parse": (),
        "first bind": (PARSE_COMPLETE,),
        "describe": PARSED,
    },
    "COPY_IN": {
        "parse": (PARSE_COMPLETE, MESSAGES["t"], MESSAGES["T"]),
        "bind": (PARSE_COMPLETE, MESSAGES["t"], MESSAGES["T"], PARSE_COMPLETE),
        "execute": (PARSE_COMPLETE, MESSAGES["t"], MESSAGES["T"], *PARSED),
        "copy in": (PARSE_COMPLETE, MESSAGES["t"], MESSAGES["T"], *PARSED, MESSAGES["G"]),
        "sync": (
            *(PARSE_COMPLETE, MESSAGES["t"], MESSAGES["T"], *PARSED),
            *(MESSAGES["G"], MESSAGES["C"]),
        ),
        "failed": (MESSAGES["E"],),
        "parse columns": (),
        "parameters": (PARSE_COMPLETE,),
        "columns": (PARSE_COMPLETE, MESSAGES["t"]),
        "begin": (),
    },
    "CLOSE": {
        "close": (),
        "sync": (CLOSE_COMPLETE,),
        "failed": (MESSAGES["E"],),
    },
    "CONVERT": {
        "parse": (),
        "bind": (PARSE_COMPLETE,),
        "row": PARSED,
        "tag": (*PARSED, MESSAGES["D"]),
        "sync": (PARSE_COMPLETE, *(BIND_COMPLETE, MESSAGES["D"], MESSAGES["C"]) * 3),
        "failed": (*PARSED, MESSAGES["E"]),
    },
    "COPY_OUT": {
        "response": (),
        "copy": (MESSAGES["H"],),
        "tag": (MESSAGES["H"], COPY_DONE),
        "end": (MESSAGES["H"], COPY_DONE, MESSAGES["C"]),
        "failed": (MESSAGES["E"],),
        "begin": (),
    },
    "COPY_ROWS": {
        "parse query": (),
        "parameters": COPIED[:1],
        "columns": COPIED[:2],
        "parse": COPIED[:3],
        "bind": COPIED[:4],
        "response": COPIED[:5],
        "copy": COPIED[:6],
        "tag": COPIED,
        "end": (*COPIED, MESSAGES["C"]),
        "failed": (MESSAGES["E"],),
    },
    "TEXTS": {
        "parse": (),
        "bind": (PARSE_COMPLETE,),
        "row": PARSED,
        "tag": (*PARSED, MESSAGES["D"]),
        "sync": (*PARSED, MESSAGES["D"], MESSAGES["C"]) * 2,
        "failed": (*PARSED, MESSAGES["E"]),
    },
    "SIMPLE": {
        "statement": (),
        "columns": (MESSAGES["T"],),
        "rows": (MESSAGES["T"], MESSAGES["D"]),
        "copy in": (MESSAGES["G"],),
        "copy out": (MESSAGES["H"],),
        "failed": (MESSAGES["E"],),
    },
}

COPY = "COPY (SELECT 1) TO STDOUT"


def good(name: str, tag: str) -> bytes:
    """A good message of that type, in a table."""
    return OWN_MESSAGES.get((name, tag), MESSAGES[tag])


STATES = [(name, state) for name, table in TABLES.items() for state in table]


def begin(name: str, state: str) -> tuple[Conversation, Answer]:
    """A conversation whose one request follows the table of that name, and can get to `state`."""
    talk = Conversation()
    if name == "STARTUP":
        return talk, talk.startup("sesam", private=True)
    if name == "PREPARE":
        return talk, talk.prepare("SELECT 1", closes=(b"evicted",))
    rows = statement("SELECT id FROM t", (), (("id", INT4),))
    if name == "EXECUTE":
        return talk, talk.execute(rows)
    varying = statement("FETCH c", (), (("id", INT4),))
    if name == "DESCRIBE_EXECUTE":
        return talk, talk.execute(varying)
    if name == "PIPELINE":
        first = varying if state == "describe" else rows
        last = varying if state == "last describe" else rows
        executes = [Execute(None, each, ()) for each in (first, rows, last)]
        return talk, talk.submit(Pipeline(None, executes))
    unnamed = statement("SELECT id FROM t", (), (("id", INT4),), name=b"")
    if name == "PARSE_EXECUTE":
        return talk, talk.execute(unnamed)
    if name == "PARSE_PIPELINE":
        return talk, talk.submit(Pipeline(None, [Execute(None, unnamed, ()) for _ in range(3)]))
    if name == "EXECUTE_MANY":
        many = ExecuteMany(None, unnamed, True)
        many.fill(iter([()] * 3))
        return talk, talk.submit(many)
    if name == "COPY_IN":
        in_a_block = state == "begin"
        columns = None if in_a_block else unnamed
        codecs = () if in_a_block else (REGISTRY.get(INT4),)
        copied = CopyIn(None, "COPY t FROM STDIN", columns, codecs, simple=in_a_block)
        copied.finish()
        copied.end()
        return talk, talk.begin(copied) if in_a_block else talk.submit(copied)
    if name == "CLOSE":
        return talk, talk.submit(ClosePortal(None, b"p1"))
    if name == "CONVERT":
        return talk, talk.submit(Convert(None, [int4(1)] * 3, INT4, 1))
    if name == "TEXTS":
        return talk, talk.submit(Texts(None, [(INT4, int4(1))], False))
    if name == "COPY_ROWS":
        return talk, talk.submit(CopyRows(None, COPY, "SELECT 1", "SELECT 1", REGISTRY))
    if name == "COPY_OUT":
        copy = CopyOut(None, COPY, "SELECT 1")
        return talk, talk.begin(copy) if state == "begin" else talk.submit(copy)
    return talk, talk.simple("SELECT 1")


def arrive(name: str, state: str) -> tuple[Conversation, Answer]:
    talk, answer = begin(name, state)
    talk.server(*PATHS[name][state])
    assert answer.request.state == list(TABLES[name]).index(state)
    assert not answer.done()
    return talk, answer


def test_there_is_a_way_to_every_state() -> None:
    assert {name: list(table) for name, table in TABLES.items()} == {
        name: list(paths) for name, paths in PATHS.items()
    }


@pytest.mark.parametrize(("name", "state"), STATES)
def test_every_legal_message(name: str, state: str) -> None:
    for tag, successor in TABLES[name][state].items():
        talk, answer = arrive(name, state)
        if (name, state, tag) == ("COPY_ROWS", "copy", "c"):
            talk.server(copy_data(COPY_HEADER + COPY_TRAILER))
        talk.server(good(name, tag))
        if successor == "done":
            assert answer.done()
            assert not talk.session.requests
        else:
            assert not answer.done()
            assert answer.request.state == list(TABLES[name]).index(successor)


@pytest.mark.parametrize(("name", "state"), STATES)
def test_every_illegal_message(name: str, state: str) -> None:
    for tag in MESSAGES.keys() - TABLES[name][state].keys():
        talk, answer = arrive(name, state)
        with pytest.raises(ProtocolError, match=f"illegal b'{tag}' message in state"):
            talk.server(MESSAGES[tag])
        assert not answer.done()


@pytest.mark.parametrize(("name", "state"), STATES)
def test_every_unknown_message(name: str, state: str) -> None:
    known = MESSAGES.keys() | ASYNCHRONOUS.keys()
    for tag in {chr(i) for i in range(256)} - known:
        talk, answer = arrive(name, state)
        with pytest.raises(ProtocolError, match="message of unknown type"):
            talk.server(message(tag))
        assert not answer.done()


@pytest.mark.parametrize(("name", "state"), STATES)
def test_every_asynchronous_message(name: str, state: str) -> None:
    talk, answer = arrive(name, state)
    talk.server(*ASYNCHRONOUS.values(), *ASYNCHRONOUS.values())
    assert talk.notices == ["careful"] * 2
    assert talk.notifications == [(1, "c", "")] * 2
    assert talk.session.parameters["a"] == "b"
    assert answer.request.state == list(TABLES[name]).index(state)


@pytest.mark.parametrize(("name", "state"), STATES)
def test_the_connection_is_lost(name: str, state: str) -> None:
    talk, answer = arrive(name, state)
    talk.session.lost(ConnectionResetError("gone"))
    assert answer.error is not None
    assert not talk.session.requests


def is_read(name: str, tag: str) -> bool:
    """Rows of a script, and all of a COPY that is refused, are dropped unread; text is anything."""
    if name in ("COPY_IN", "COPY_OUT", "COPY_ROWS"):
        return name != "COPY_OUT" or tag != "d"
    if name == "TEXTS":
        return tag != "D"  # that of the settings, which comes first
    return tag not in ("TD" if name == "SIMPLE" else "") + "GHd"


@pytest.mark.parametrize(("name", "state"), STATES)
def test_every_prefix_of_every_legal_message(name: str, state: str) -> None:
    for tag in TABLES[name][state]:
        body = good(name, tag)[5:]
        for size in range(len(body)):
            talk, answer = arrive(name, state)
            if is_read(name, tag):
                with pytest.raises(ProtocolError):
                    talk.server(message(tag, body[:size]))
            else:
                talk.server(message(tag, body[:size]))
            assert not answer.done()


def test_the_compiled_tables() -> None:
    table = compile_table({"a": {"X": "b"}, "b": {"X": "b", "Z": "done"}})
    assert len(table) == 512
    expected = {ord("X"): 1, 256 + ord("X"): 1, 256 + ord("Z"): DONE}
    assert all(table[i] == expected.get(i, ILLEGAL) for i in range(512))


def test_only_messages_that_there_are() -> None:
    for table in TABLES.values():
        for state, replies in table.items():
            assert replies.keys() <= MESSAGES.keys(), state
            assert set(replies.values()) <= table.keys() | {"done"}
            assert "E" in replies
