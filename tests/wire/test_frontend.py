"""What a client sends, byte for byte, against bytes written by hand from "Message Formats"."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pgallop.errors import InterfaceError
from pgallop.wire import frontend, writer
from pgallop.wire.writer import Writer

Write = Callable[[Writer], object]


def written(write: Write) -> bytes:
    target = Writer()
    write(target)
    return target.take()


MESSAGES: dict[str, tuple[Write, bytes]] = {
    "StartupMessage": (
        lambda w: frontend.startup_message(w, {"user": "ada", "database": "grüße"}),
        b"\0\0\0\x23\0\3\0\0user\0ada\0database\0gr\xc3\xbc\xc3\x9fe\0\0",
    ),
    "StartupMessage without parameters": (
        lambda w: frontend.startup_message(w, {}),
        b"\0\0\0\x09\0\3\0\0\0",
    ),
    "CancelRequest": (
        lambda w: frontend.cancel_request(w, 258, b"\xde\xad\xbe\xef"),
        b"\0\0\0\x10\x04\xd2\x16\x2e\0\0\1\2\xde\xad\xbe\xef",
    ),
    "CancelRequest with a longer key and the last process id": (
        lambda w: frontend.cancel_request(w, 2**31 - 1, b"0123456789"),
        b"\0\0\0\x16\x04\xd2\x16\x2e\x7f\xff\xff\xff0123456789",
    ),
    "SSLRequest": (frontend.ssl_request, b"\0\0\0\x08\x04\xd2\x16\x2f"),
    "PasswordMessage": (
        lambda w: frontend.password_message(w, b"sesam"),
        b"p\0\0\0\x0asesam\0",
    ),
    "SASLInitialResponse": (
        lambda w: frontend.sasl_initial_response(w, "SCRAM-SHA-256", b"n,,n=,r=x"),
        b"p\0\0\0\x1fSCRAM-SHA-256\0\0\0\0\x09n,,n=,r=x",
    ),
    "SASLInitialResponse without data": (
        lambda w: frontend.sasl_initial_response(w, "X", b""),
        b"p\0\0\0\x0aX\0\0\0\0\0",
    ),
    "SASLResponse": (lambda w: frontend.sasl_response(w, b"c=biws"), b"p\0\0\0\x0ac=biws"),
    "GSSResponse": (lambda w: frontend.gss_response(w, b"`\0"), b"p\0\0\0\x06`\0"),
    "Query": (lambda w: frontend.query(w, "SELECT 1"), b"Q\0\0\0\x0dSELECT 1\0"),
    "Query of nothing": (lambda w: frontend.query(w, ""), b"Q\0\0\0\5\0"),
    "Query in UTF-8": (
        lambda w: frontend.query(w, "é€😀"),
        b"Q\0\0\0\x0e\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\0",
    ),
    "Parse": (
        lambda w: frontend.parse(w, b"s1", "SELECT $1", ()),
        b"P\0\0\0\x13s1\0SELECT $1\0\0\0",
    ),
    "Parse with types": (
        lambda w: frontend.parse(w, b"", "x", (23, 0, 2**32 - 1)),
        b"P\0\0\0\x15\0x\0\0\3\0\0\0\x17\0\0\0\0\xff\xff\xff\xff",
    ),
    "Describe a statement": (
        lambda w: frontend.describe_statement(w, b"s1"),
        b"D\0\0\0\x08Ss1\0",
    ),
    "Describe a portal": (lambda w: frontend.describe_portal(w, b""), b"D\0\0\0\6P\0"),
    "Close": (lambda w: frontend.close_statement(w, b"s1"), b"C\0\0\0\x08Ss1\0"),
    "CopyDone": (frontend.copy_done, b"c\0\0\0\4"),
    "CopyFail": (lambda w: frontend.copy_fail(w, "no"), b"f\0\0\0\7no\0"),
    "Execute": (lambda w: frontend.execute(w, b"", 0), b"E\0\0\0\x09\0\0\0\0\0"),
    "Execute with a limit": (
        lambda w: frontend.execute(w, b"p", 2**31 - 1),
        b"E\0\0\0\x0ap\0\x7f\xff\xff\xff",
    ),
    "Bind, Execute": (
        lambda w: frontend.bind_execute(
            w, frontend.bind_head(b"", b"s1", ()), frontend.bind_tail((1, 1)), 1
        ),
        b"B\0\0\0\x10\0s1\0\0\0\0\0\0\1\0\1E\0\0\0\x09\0\0\0\0\1",
    ),
    "Flush": (frontend.flush, b"H\0\0\0\4"),
    "Sync": (frontend.sync, b"S\0\0\0\4"),
    "Terminate": (frontend.terminate, b"X\0\0\0\4"),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_byte_for_byte(name: str) -> None:
    write, expected = MESSAGES[name]
    assert written(write) == expected


def test_messages_stand_behind_each_other() -> None:
    target = Writer()
    for write, _ in MESSAGES.values():
        write(target)
    assert target.take() == b"".join([data for _, data in MESSAGES.values()])
    assert target.take() == b""


@pytest.mark.parametrize(
    ("formats", "codes"),
    [
        ((), b"\0\0"),
        # No code at all means that everything is text, one code is for all.
        ((0,), b"\0\0"),
        ((0, 0, 0), b"\0\0"),
        ((1,), b"\0\1\0\1"),
        ((1, 1, 1), b"\0\1\0\1"),
        ((0, 1), b"\0\2\0\0\0\1"),
        ((1, 0, 1), b"\0\3\0\1\0\0\0\1"),
    ],
)
def test_formats_in_bind(formats: tuple[int, ...], codes: bytes) -> None:
    count = bytes([0, len(formats)])
    assert frontend.bind_head(b"p", b"s1", formats) == b"p\0s1\0" + codes + count
    assert frontend.bind_tail(formats) == codes


# --- limits ---------------------------------------------------------------------------------------


def test_the_most_parameters() -> None:
    text, binary, mixed = (0,) * 65535, (1,) * 65535, (1,) + (0,) * 65534
    assert frontend.bind_head(b"", b"", text) == b"\0\0\0\0\xff\xff"
    assert frontend.bind_head(b"", b"", binary) == b"\0\0\0\1\0\1\xff\xff"
    codes = b"\xff\xff\0\1" + b"\0\0" * 65534
    assert frontend.bind_head(b"", b"", mixed) == b"\0\0" + codes + b"\xff\xff"
    assert written(lambda w: frontend.parse(w, b"", "", (23,) * 65535)) == (
        b"P\0\4\0\4\0\0\xff\xff" + b"\0\0\0\x17" * 65535
    )


def test_one_parameter_too_many() -> None:
    with pytest.raises(InterfaceError, match="65536 parameters, a statement may have 65535"):
        frontend.bind_head(b"", b"", (0,) * 65536)
    target = Writer()
    with pytest.raises(InterfaceError, match="65536 parameters, a statement may have 65535"):
        frontend.parse(target, b"", "", (0,) * 65536)
    assert target.take() == b""


TEXTS: dict[str, Callable[[Writer, str], object]] = {
    "a connection parameter's name": lambda w, text: frontend.startup_message(w, {text: "x"}),
    "the connection parameter 'user'": lambda w, text: frontend.startup_message(w, {"user": text}),
    "the SASL mechanism": lambda w, text: frontend.sasl_initial_response(w, text, b""),
    "the query": frontend.query,
    "the reason": frontend.copy_fail,
}


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("text", ["\0", "a\0", "\0a", "grü\0ße"])
def test_a_nul_is_refused(what: str, text: str) -> None:
    with pytest.raises(InterfaceError) as raised:
        TEXTS[what](Writer(), text)
    message = str(raised.value)
    assert message.startswith(f"{what} contains a NUL character (at position {text.index(chr(0))})")


@pytest.mark.parametrize("what", TEXTS)
@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc80b"])
def test_a_lone_surrogate_is_refused(what: str, text: str) -> None:
    with pytest.raises(InterfaceError, match="cannot be encoded as UTF-8") as raised:
        TEXTS[what](Writer(), text)
    assert str(raised.value).startswith(what)


@pytest.mark.parametrize("text", ["\0", "\ud800"])
def test_a_query_to_parse_is_refused_before_a_byte_of_it(text: str) -> None:
    target = Writer()
    with pytest.raises(InterfaceError, match="the query"):
        frontend.parse(target, b"", text, ())
    with pytest.raises(InterfaceError, match="the query"):
        frontend.query(target, text)
    assert target.take() == b""


@pytest.mark.parametrize(
    "write",
    [
        lambda w, name: frontend.parse(w, name, "", ()),
        frontend.describe_statement,
        frontend.describe_portal,
        frontend.close_statement,
        lambda w, name: frontend.execute(w, name, 0),
        lambda w, name: frontend.bind_head(name, b"", ()),
        lambda w, name: frontend.bind_head(b"", name, ()),
    ],
)
def test_a_name_with_a_nul_is_refused(write: Callable[[Writer, bytes], object]) -> None:
    with pytest.raises(InterfaceError, match=r"the (statement|portal)'s name contains a NUL byte"):
        write(Writer(), b"s\0S\0\0\0\4")


def test_a_password_with_a_nul_is_refused_and_not_shown() -> None:
    with pytest.raises(InterfaceError) as raised:
        frontend.password_message(Writer(), b"ses\0am")
    assert str(raised.value).startswith("the password contains a NUL byte")
    assert "ses" not in str(raised.value)


def test_cstring_gives_the_bytes() -> None:
    assert frontend.cstring("grüße", "x") == b"gr\xc3\xbc\xc3\x9fe"
    assert frontend.cstring("", "x") == b""


def test_a_message_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    assert writer.MAX_LENGTH == 2**30 - 2  # the server's MaxAllocSize - 1
    monkeypatch.setattr(writer, "MAX_LENGTH", 100)
    assert len(written(lambda w: frontend.query(w, "x" * 95))) == 101
    with pytest.raises(InterfaceError, match="too long: with it the message has 101 bytes"):
        frontend.query(Writer(), "x" * 96)
    with pytest.raises(InterfaceError, match="too long"):
        frontend.startup_message(Writer(), {"user": "x" * 100})
    with pytest.raises(InterfaceError, match="too long"):
        frontend.sasl_response(Writer(), bytes(97))
    with pytest.raises(InterfaceError, match="too long"):
        frontend.sasl_initial_response(Writer(), "X", bytes(101))


def test_a_large_message_and_what_follows() -> None:
    target = Writer()
    for size in (1000, 1023, 1024, 100_000, 2_000_000):
        frontend.query(target, "x" * size)
        frontend.sync(target)
        length = (size + 5).to_bytes(4, "big")
        assert target.pos == size + 11
        assert target.take() == b"Q" + length + b"x" * size + b"\0" + b"S\0\0\0\4"
        assert target.pos == 0
