"""The trace: each message in words, secrets kept, any bytes survived."""

from __future__ import annotations

import doctest
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts import (
    AUTHENTICATION_OK,
    BIND_COMPLETE,
    CLEARTEXT_PASSWORD,
    CLOSE_COMPLETE,
    COPY_DONE,
    EMPTY_QUERY_RESPONSE,
    INT4,
    MD5_PASSWORD,
    NO_DATA,
    PARSE_COMPLETE,
    PORTAL_SUSPENDED,
    SASL_CONTINUE,
    SASL_FINAL,
    TEXT,
    authentication,
    authentication_sasl,
    backend_key_data,
    command_complete,
    copy_data,
    copy_response,
    data_row,
    error_response,
    int2,
    int4,
    message,
    negotiate_protocol_version,
    notice_response,
    notification_response,
    parameter_description,
    parameter_status,
    ready_for_query,
    row_description,
    string,
)

from pgallop.wire import trace as trace_module
from pgallop.wire.trace import MAX_SHOWN, Trace


def startup(code: int, rest: bytes = b"") -> bytes:
    """A message of a frontend that has no type yet."""
    return int4(8 + len(rest)) + int4(code) + rest


SSL_REQUEST = startup(80877103)
STARTUP_MESSAGE = startup(196608, string("user") + string("ada") + b"\0")

# Messages of a connection that is through its startup, and what is shown of them.
FRONTEND = {
    message("Q", string("SELECT 'x'")): """Query sql="SELECT 'x'\"""",
    message("Q", string("SELECT\n\x1b\xff")): r"Query sql='SELECT\n\x1bÿ'",
    message("Q", string(b"SELECT \xff")): r"Query sql='SELECT \\xff'",
    message("P", string("s1") + string("SELECT $1") + int2(0)): (
        "Parse statement='s1' sql='SELECT $1' types=[]"
    ),
    message("P", string("") + string("x") + int2(2) + int4(INT4) + b"\xff\xff\xff\xff"): (
        "Parse statement='' sql='x' types=[23, 4294967295]"
    ),
    message(
        "B",
        string("p")
        + string("s1")
        + int2(2)
        + int2(0)
        + int2(1)
        + (int2(3) + int4(2) + b"42" + int4(-1) + int4(0))
        + (int2(1) + int2(1)),
    ): "Bind portal='p' statement='s1' formats=[0, 1] values=[2 bytes, NULL, 0 bytes] results=[1]",
    message("D", b"S" + string("s1")): "Describe statement='s1'",
    message("D", b"P" + string("")): "Describe portal=''",
    message("C", b"S" + string("s1")): "Close statement='s1'",
    message("C", b"P" + string("p")): "Close portal='p'",
    message("E", string("") + int4(0)): "Execute portal='' max_rows=0",
    message("E", string("p") + int4(100)): "Execute portal='p' max_rows=100",
    message("F", int4(42) + int2(0) + int2(1) + int4(3) + b"abc" + int2(1)): (
        "FunctionCall function=42 formats=[] values=[3 bytes] result=1"
    ),
    message("H"): "Flush",
    message("S"): "Sync",
    message("X"): "Terminate",
    message("c"): "CopyDone",
    message("d", b"1\tsecret\n"): "CopyData 9 bytes",
    message("f", string("no")): "CopyFail reason='no'",
}

BACKEND = {
    PARSE_COMPLETE: "ParseComplete",
    BIND_COMPLETE: "BindComplete",
    CLOSE_COMPLETE: "CloseComplete",
    NO_DATA: "NoData",
    EMPTY_QUERY_RESPONSE: "EmptyQueryResponse",
    PORTAL_SUSPENDED: "PortalSuspended",
    COPY_DONE: "CopyDone",
    copy_data(b"1\t2\n"): "CopyData 4 bytes",
    copy_response("G", 0, 0): "CopyInResponse format=0 columns=[0, 0]",
    copy_response("H", 1): "CopyOutResponse format=0 columns=[1]",
    copy_response("W"): "CopyBothResponse format=0 columns=[]",
    authentication(AUTHENTICATION_OK): "AuthenticationOk",
    authentication(2): "AuthenticationKerberosV5",
    authentication(CLEARTEXT_PASSWORD): "AuthenticationCleartextPassword",
    authentication(MD5_PASSWORD, b"salt"): "AuthenticationMD5Password salt=***",
    authentication(7): "AuthenticationGSS",
    authentication(8, b"token"): "AuthenticationGSSContinue ***",
    authentication(9): "AuthenticationSSPI",
    authentication_sasl("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"): (
        "AuthenticationSASL mechanisms=['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256']"
    ),
    authentication(SASL_CONTINUE, b"r=abc,s=abc,i=1"): "AuthenticationSASLContinue ***",
    authentication(SASL_FINAL, b"v=abc"): "AuthenticationSASLFinal ***",
    authentication(99, b"secret"): "Authentication method=99 ***",
    backend_key_data(258, b"secr"): "BackendKeyData pid=258 key=***",
    parameter_status("TimeZone", "Europe/Zürich"): "ParameterStatus TimeZone='Europe/Zürich'",
    negotiate_protocol_version(196608, "_pq_.a"): (
        "NegotiateProtocolVersion version=3.0 options=['_pq_.a']"
    ),
    ready_for_query("I"): "ReadyForQuery idle",
    ready_for_query("T"): "ReadyForQuery in transaction",
    ready_for_query("E"): "ReadyForQuery in failed transaction",
    parameter_description(INT4, TEXT): "ParameterDescription types=[23, 25]",
    row_description(("id", INT4), ("name", TEXT)): (
        "RowDescription columns=['id' type=23 format=1, 'name' type=25 format=1]"
    ),
    data_row(int4(7), b"Ada\n", None, b"", b"\xff\xfe"): (
        r"DataRow values=[\x00000007, 'Ada\n', NULL, '', \xfffe]"
    ),
    command_complete("INSERT 0 1"): "CommandComplete tag='INSERT 0 1'",
    error_response("42601", 'syntax error at or near "FRM"', P="10", R="scanner_yyerror"): (
        "ErrorResponse severity='ERROR' sqlstate='42601' "
        "message='syntax error at or near \"FRM\"' position='10'"
    ),
    message("E", b"Sx\0\xffy\0\0"): "ErrorResponse severity='x' 'ÿ'='y'",
    notice_response("careful"): (
        "NoticeResponse severity='NOTICE' sqlstate='00000' message='careful'"
    ),
    notification_response(258, "ch", "hello"): (
        "NotificationResponse pid=258 channel='ch' payload='hello'"
    ),
    message("V", int4(3) + b"abc"): "FunctionCallResponse value='abc'",
    message("V", int4(-1)): "FunctionCallResponse value=NULL",
}


@pytest.mark.parametrize("data", FRONTEND)
def test_a_message_of_the_frontend(data: bytes) -> None:
    assert Trace(startup=False).feed("F", data) == [f"F {FRONTEND[data]}"]


@pytest.mark.parametrize("data", BACKEND)
def test_a_message_of_the_backend(data: bytes) -> None:
    assert Trace().feed("B", data) == [f"B {BACKEND[data]}"]


def test_the_example() -> None:
    assert doctest.testmod(trace_module).failed == 0
    assert doctest.testmod(trace_module).attempted == 2


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (SSL_REQUEST, "F SSLRequest"),
        (startup(80877104), "F GSSENCRequest"),
        (startup(80877102, int4(258) + b"secr"), "F CancelRequest pid=258 key=***"),
        (STARTUP_MESSAGE, "F StartupMessage version=3.0 user='ada'"),
        (startup(196610, b"\0"), "F StartupMessage version=3.2"),
        (
            startup(196608, b"user\0grace\0app.password\0sesam\0\0"),
            "F StartupMessage version=3.0 user='grace' app.password=***",
        ),
    ],
)
def test_the_first_message_has_no_type(data: bytes, line: str) -> None:
    for place in range(len(data)):
        trace = Trace()
        assert trace.feed("F", data[:place]) == []
        assert trace.feed("F", data[place:]) == [line]


def test_encryption_is_asked_for_and_refused() -> None:
    trace = Trace()
    assert trace.feed("F", startup(80877104)) == ["F GSSENCRequest"]
    assert trace.feed("B", b"N") == ["B GSSENCResponse N"]
    assert trace.feed("F", SSL_REQUEST) == ["F SSLRequest"]
    assert trace.feed("B", b"") == []
    assert trace.feed("B", b"S") == ["B SSLResponse S"]
    assert trace.feed("F", STARTUP_MESSAGE) == ["F StartupMessage version=3.0 user='ada'"]
    assert trace.feed("F", message("S")) == ["F Sync"]
    assert trace.feed("B", ready_for_query()) == ["B ReadyForQuery idle"]


def test_an_old_server_does_not_know_encryption() -> None:
    trace = Trace()
    trace.feed("F", SSL_REQUEST)
    data = message("E", b"Mno\0\0")
    assert trace.feed("B", data[:1]) == []
    assert trace.feed("B", data[1:]) == ["B ErrorResponse message='no'"]


def test_an_answer_to_the_request_for_encryption_that_is_none() -> None:
    trace = Trace()
    trace.feed("F", SSL_REQUEST)
    words = "B SSLResponse malformed: b'h', and what follows cannot be read"
    assert trace.feed("B", b"http/1.1") == [words]
    assert trace.feed("B", ready_for_query()) == []


# --- secrets --------------------------------------------------------------------------------------

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("question", "answer", "line"),
    [
        (authentication(CLEARTEXT_PASSWORD), string(SECRET), "F PasswordMessage ***"),
        (authentication(MD5_PASSWORD, b"salt"), string(SECRET), "F PasswordMessage ***"),
        (
            authentication_sasl("SCRAM-SHA-256"),
            string("SCRAM-SHA-256") + int4(7) + SECRET.encode(),
            "F SASLInitialResponse mechanism='SCRAM-SHA-256' ***",
        ),
        (authentication(SASL_CONTINUE, b"x"), SECRET.encode(), "F SASLResponse ***"),
        (authentication(7), SECRET.encode(), "F GSSResponse ***"),
        (authentication(8, b"x"), SECRET.encode(), "F GSSResponse ***"),
        (authentication(99), SECRET.encode(), "F PasswordMessage ***"),
        (b"", SECRET.encode(), "F PasswordMessage ***"),
        # Malformed ones are no reason to show them.
        (
            authentication(CLEARTEXT_PASSWORD),
            SECRET.encode(),
            "F PasswordMessage malformed: a string without its end",
        ),
        (
            authentication_sasl("X"),
            string("X") + int4(99) + SECRET.encode(),
            "F SASLInitialResponse malformed: 99 bytes announced, 7 left",
        ),
        (
            authentication(CLEARTEXT_PASSWORD),
            string("x") + SECRET.encode(),
            "F PasswordMessage malformed: 7 bytes too many",
        ),
    ],
)
def test_what_answers_a_question_for_a_password(question: bytes, answer: bytes, line: str) -> None:
    trace = Trace(startup=False)
    trace.feed("B", question)
    assert trace.feed("F", message("p", answer)) == [line]


@pytest.mark.parametrize(
    ("sql", "shown"),
    [
        ("ALTER ROLE ada PASSWORD 'hunter2'", "ALTER ROLE ada PASSWORD ***"),
        (
            "create user x with encrypted password E'hunter2' login",
            "create user x with encrypted password ***",
        ),
        ("ALTER ROLE ada PASSWORD\n$$hunter2$$", "ALTER ROLE ada PASSWORD\\n***"),
        ("ALTER ROLE ada PASSWORD$x$hunter2$x$", "ALTER ROLE ada PASSWORD***"),
        ("ALTER ROLE ada PASSWORD U&'hunter2'", "ALTER ROLE ada PASSWORD ***"),
        ("ALTER ROLE ada PASSWORD 'hunter2", "ALTER ROLE ada PASSWORD ***"),
        ("SELECT dblink('host=x password=hunter2 user=y')", None),
        ("SELECT 1 FROM t WHERE password = 'hunter2'", "SELECT 1 FROM t WHERE password ***"),
        # Nothing is hidden that is no secret.
        ("SELECT password FROM t WHERE x = 'y'", "SELECT password FROM t WHERE x = 'y'"),
        ("SELECT 1 FROM t WHERE password = $1", "SELECT 1 FROM t WHERE password = $1"),
        ("ALTER ROLE ada PASSWORD NULL", "ALTER ROLE ada PASSWORD NULL"),
    ],
)
def test_a_password_in_sql(sql: str, shown: str | None) -> None:
    for tag, body in {"Q": string(sql), "P": string("") + string(sql) + int2(0)}.items():
        (line,) = Trace(startup=False).feed("F", message(tag, body))
        assert SECRET not in line
        assert shown is None or shown in line


def test_a_password_is_hidden_before_the_text_is_shortened() -> None:
    for extra in range(220):
        sql = f"ALTER ROLE {'x' * extra} PASSWORD '{SECRET}'"
        (line,) = Trace(startup=False).feed("F", message("Q", string(sql)))
        assert SECRET[:2] not in line


@pytest.mark.parametrize(
    "text", ["password ", "password = ", "password $", "passwordpassword $a", "u&", "password\n\n"]
)
def test_hiding_takes_no_time(text: str) -> None:
    """A backtracking pattern would need hours for these."""
    for body in (text * 50_000, text + " " * 500_000, "password$" + "x" * 500_000):
        started = time.perf_counter()
        Trace(startup=False).feed("F", message("Q", string(body)))
        assert time.perf_counter() - started < 5


# --- long things ----------------------------------------------------------------------------------


def test_long_texts_and_values_and_lists_are_shortened() -> None:
    trace = Trace(startup=False)
    assert trace.feed("F", message("Q", string("x" * 201))) == [f"F Query sql='{'x' * 197}...'"]
    assert trace.feed("F", message("Q", string("x" * 200))) == [f"F Query sql='{'x' * 200}'"]
    assert trace.feed("B", data_row(b"y" * 41, bytes(21), bytes(20))) == [
        f"B DataRow values=['{'y' * 37}...', \\x{'00' * 20}..., \\x{'00' * 20}]"
    ]
    shown = ", ".join(["25"] * 16)
    assert trace.feed("B", parameter_description(*[TEXT] * 65535)) == [
        f"B ParameterDescription types=[{shown}, 65519 more]"
    ]
    assert trace.feed("B", parameter_description(*[TEXT] * 16)) == [
        f"B ParameterDescription types=[{shown}]"
    ]


def test_a_message_too_long_to_be_shown_passes_by() -> None:
    trace = Trace()
    longest = copy_data(bytes(MAX_SHOWN - 4))
    assert trace.feed("B", longest) == [f"B CopyData {MAX_SHOWN - 4} bytes"]
    data = copy_data(bytes(MAX_SHOWN - 3)) + ready_for_query()
    line = f"B CopyData of {MAX_SHOWN + 1} bytes"
    assert trace.feed("B", data) == [line, "B ReadyForQuery idle"]
    for place in (1, 5, 6, 1000, len(data) - 7, len(data) - 6, len(data) - 5, len(data) - 1):
        trace = Trace()
        lines = trace.feed("B", data[:place]) + trace.feed("B", data[place:])
        assert lines == [line, "B ReadyForQuery idle"]


def test_a_gibibyte_is_not_kept() -> None:
    trace, piece = Trace(), bytes(65536)
    assert trace.feed("B", b"D\x7f\xff\xff\xff") == []
    tracemalloc.start()
    for _ in range(1000):
        assert trace.feed("B", piece) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MAX_SHOWN


# --- hostile bytes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "data", "words"),
    [
        ("B", message("Z", b"x"), "ReadyForQuery malformed: transaction status b'x'"),
        ("B", message("Z"), "ReadyForQuery malformed: 1 bytes announced, 0 left"),
        ("B", message("Z", b"I\0"), "ReadyForQuery malformed: 1 bytes too many"),
        ("B", message("1", b"x"), "ParseComplete malformed: 1 bytes too many"),
        ("B", message("C", b"SELECT"), "CommandComplete malformed: a string without its end"),
        ("B", message("D", int2(1)), "DataRow malformed: 4 bytes announced, 0 left"),
        ("B", message("D", int2(-1)), "DataRow malformed: 4 bytes announced, 0 left"),
        ("B", message("D", int2(1) + int4(-2)), "DataRow malformed: -2 bytes announced, 0 left"),
        ("B", message("D", int2(1) + int4(2**31 - 1) + b"x"), "DataRow malformed: 2147483647"),
        ("B", message("T", int2(-1)), "RowDescription malformed"),
        ("B", message("v", int4(0) + int4(2**31 - 1)), "NegotiateProtocolVersion malformed"),
        ("B", message("R", b"\0\0"), "Authentication malformed: 4 bytes announced, 2 left"),
        ("B", message("R", int4(5)), "Authentication malformed: 4 bytes announced, 0 left"),
        ("B", message("R", int4(10) + b"X\0"), "Authentication malformed: a string without its"),
        ("B", message("E", b"Sx\0"), "ErrorResponse malformed: 1 bytes announced, 0 left"),
        ("B", message("!", b"x"), "message b'!' malformed: there is no such message"),
        ("B", message("0"), "message b'0' malformed: there is no such message"),
        ("F", message("!", b"x"), "message b'!' malformed: there is no such message"),
        ("F", message("D", b"Xs\0"), "Describe malformed: b'X' where S or P is expected"),
        ("F", message("B", b"\0\0"), "Bind malformed: 2 bytes announced, 0 left"),
    ],
)
def test_a_malformed_message_and_the_next(direction: str, data: bytes, words: str) -> None:
    trace = Trace(startup=False)
    line, after = trace.feed(direction, data + message("H" if direction == "F" else "2"))
    assert line.startswith(f"{direction} {words}")
    assert after == ("F Flush" if direction == "F" else "B BindComplete")


@pytest.mark.parametrize("length", [0, 1, 2, 3, -1, -(2**31)])
@pytest.mark.parametrize(("direction", "name"), [("F", "Query"), ("B", "b'Q'")])
def test_a_length_that_cannot_be_ends_its_direction(direction: str, name: str, length: int) -> None:
    trace = Trace(startup=False)
    (line,) = trace.feed(direction, message("Q", b"x", length) + message("S"))
    assert name in line
    assert line.endswith(f"malformed: its length is {length}, and what follows cannot be read")
    assert trace.feed(direction, message("S")) == []
    other = "B" if direction == "F" else "F"
    assert len(trace.feed(other, message("H" if other == "F" else "1"))) == 1


@pytest.mark.parametrize("length", [0, 7, 10_005, 2**31 - 1, -1])
def test_a_startup_that_is_none(length: int) -> None:
    trace = Trace()
    (line,) = trace.feed("F", int4(length) + int4(196608) + b"user\0")
    assert line.startswith("F StartupMessage malformed: its length is ")
    assert trace.feed("F", STARTUP_MESSAGE) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (startup(196608), "StartupMessage malformed: a string without its end"),
        (startup(196608, b"user\0"), "StartupMessage malformed: a string without its end"),
        (startup(196608, b"user\0ada\0"), "StartupMessage malformed: a string without its end"),
        (startup(196608, b"user\0ada\0\0x"), "StartupMessage malformed: 1 bytes too many"),
        (startup(80877103, b"x"), "SSLRequest malformed: 1 bytes too many"),
        (startup(80877102, b"xyz"), "CancelRequest malformed: 4 bytes announced, 3 left"),
    ],
)
def test_a_malformed_startup(data: bytes, words: str) -> None:
    assert Trace().feed("F", data) == [f"F {words}"]


def test_another_direction_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="direction 'X': expected 'F' or 'B'"):
        Trace().feed("X", b"")


ALL = {"F": b"".join(FRONTEND), "B": b"".join(BACKEND)}
LINES = {
    "F": [f"F {line}" for line in FRONTEND.values()],
    "B": [f"B {line}" for line in BACKEND.values()],
}


@pytest.mark.parametrize("direction", ["F", "B"])
def test_every_split(direction: str) -> None:
    data = ALL[direction]
    for place in range(len(data)):
        trace = Trace(startup=False)
        lines = trace.feed(direction, data[:place]) + trace.feed(direction, data[place:])
        assert lines == LINES[direction]
    trace = Trace(startup=False)
    assert [
        line for i in range(len(data)) for line in trace.feed(direction, data[i : i + 1])
    ] == LINES[direction]


@pytest.mark.parametrize("direction", ["F", "B"])
def test_every_changed_byte(direction: str) -> None:
    data = ALL[direction]
    for i in range(len(data)):
        for lie in (0x00, 0x7F, 0xFF):
            trace = Trace(startup=False)
            lines = trace.feed(direction, data[:i] + bytes([lie]) + data[i + 1 :])
            assert all(line.isprintable() for line in lines)


@given(st.lists(st.tuples(st.sampled_from("FB"), st.binary(max_size=60))), st.booleans())
def test_any_bytes(pieces: list[tuple[str, bytes]], started: bool) -> None:
    trace = Trace(startup=started)
    for direction, data in pieces:
        for line in trace.feed(direction, data):
            assert line.startswith(f"{direction} ")
            assert line.isprintable()


@given(
    st.sampled_from("FB"),
    st.sampled_from(sorted({*"BCDEFHPQSXcdfp123AGIKNRTVWZnstv"})),
    st.binary(),
)
def test_any_body(direction: str, tag: str, body: bytes) -> None:
    trace = Trace(startup=False)
    line, _ = trace.feed(direction, message(tag, body) + message("c"))
    assert line.isprintable()
