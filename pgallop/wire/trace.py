"""The traffic of a connection in human words, one line a message: for logs and for tests.

    F Parse statement='s1' sql='SELECT name FROM users WHERE id = $1' types=[]
    B DataRow values=['Ada']

F is what the frontend sends, B what the backend sends. Nothing is shared with the modules whose work
it shows, so that it can show their mistakes; and it trusts no byte: what it cannot read it calls
malformed.

Passwords, SASL data and secret keys are never shown, nor what stands behind the word PASSWORD in SQL.
Other SQL and the values of rows are: a trace is as confidential as the data.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Message Formats". The idea is
that of libpq's PQtrace.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final

from pgallop._message import FIELD_NAMES

SECRET: Final = "***"

# Longer messages are named and measured only, so that nobody can make a trace hoard bytes.
MAX_SHOWN: Final = 1 << 20
MAX_STARTUP: Final = 10_000  # MAX_STARTUP_PACKET_LENGTH in the server's pqcomm.h
MAX_TEXT: Final = 200  # characters of a text
MAX_VALUE: Final = 40  # bytes of a value
MAX_ITEMS: Final = 16  # of a list

# PASSWORD 'x', PASSWORD $$x$$, and password=x as in connection strings, but not password = $1. The
# possessive quantifiers keep the time linear whatever the text is.
_PASSWORD: Final = re.compile(
    r"(password\s*+)(?:=\s*+(?!\$\d)|(?:[en]|u&)?+(?:'|\$\w*+\$)).*", re.IGNORECASE | re.DOTALL
)

# The fields of an error that tell its place in the server's own source are left out.
_UNTOLD_FIELDS: Final = frozenset("VFLR")


class _Malformed(Exception):
    """The bytes of a message are not what its type asks for; the reason is in words."""


class _Body:
    """A cursor over the body of one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0

    def left(self) -> int:
        return len(self._data) - self._pos

    def take(self, size: int) -> bytes:
        if not 0 <= size <= self.left():
            raise _Malformed(f"{size} bytes announced, {self.left()} left")
        self._pos += size
        return self._data[self._pos - size : self._pos]

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big", signed=True)

    def count(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def oid(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        nul = self._data.find(0, self._pos)
        if nul < 0:
            raise _Malformed("a string without its end")
        text = self.take(nul - self._pos)
        self._pos += 1
        return text

    def text(self) -> str:
        return _text(self.string())

    def value(self) -> bytes | None:
        """A length and so many bytes, or -1 for NULL."""
        size = self.integer(4)
        return None if size == -1 else self.take(size)


def _text(data: bytes) -> str:
    """Quoted and escaped: one line, whatever is in it."""
    text = _PASSWORD.sub(rf"\1{SECRET}", data.decode("utf-8", "backslashreplace"))
    return repr(text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}...")


def _setting(name: bytes, value: bytes) -> str:
    shown = SECRET if b"password" in name.lower() else _text(value)
    return f"{_text(name)[1:-1]}={shown}"


def _value(value: bytes | None) -> str:
    """A value of a row: nobody told its format, so what looks like text is shown as text."""
    if value is None:
        return "NULL"
    dots = "..." if len(value) > MAX_VALUE else ""
    try:
        if value.decode("utf-8").isprintable():
            return _text(value) if not dots else _text(value[:MAX_VALUE]) + dots
    except UnicodeDecodeError:
        pass
    return f"\\x{value[:MAX_VALUE].hex()}{dots}"


def _length(value: bytes | None) -> str:
    return "NULL" if value is None else f"{len(value)} bytes"


def _list(items: Iterable[object]) -> str:
    """The first items, and how many more there are; all of them are read."""
    iterator = iter(items)
    shown = [str(item) for item in islice(iterator, MAX_ITEMS)]
    more = sum(1 for _ in iterator)
    return f"[{', '.join([*shown, f'{more} more'] if more else shown)}]"


def _codes(body: _Body) -> str:
    return _list(body.integer(2) for _ in range(body.count()))


# One function a message: what it shows behind the message's name, with the space in between.


def _nothing(body: _Body) -> str:
    return ""


def _secret(body: _Body) -> str:
    body.take(body.left())
    return f" {SECRET}"


def _data(body: _Body) -> str:
    return f" {len(body.take(body.left()))} bytes"


def _query(body: _Body) -> str:
    return f" sql={body.text()}"


def _parse(body: _Body) -> str:
    statement, sql = body.text(), body.text()
    types = _list(body.oid() for _ in range(body.count()))
    return f" statement={statement} sql={sql} types={types}"


def _bind(body: _Body) -> str:
    portal, statement, formats = body.text(), body.text(), _codes(body)
    values = _list(_length(body.value()) for _ in range(body.count()))
    return f" portal={portal} statement={statement} formats={formats} values={values} results={_codes(body)}"


def _named(body: _Body) -> str:
    kind = body.take(1)
    if kind not in (b"S", b"P"):
        raise _Malformed(f"{kind!r} where S or P is expected")
    return f" {'statement' if kind == b'S' else 'portal'}={body.text()}"


def _execute(body: _Body) -> str:
    return f" portal={body.text()} max_rows={body.integer(4)}"


def _function_call(body: _Body) -> str:
    function, formats = body.oid(), _codes(body)
    values = _list(_length(body.value()) for _ in range(body.count()))
    return f" function={function} formats={formats} values={values} result={body.integer(2)}"


def _function_call_response(body: _Body) -> str:
    return f" value={_value(body.value())}"


def _copy_fail(body: _Body) -> str:
    return f" reason={body.text()}"


def _copy_response(body: _Body) -> str:
    return f" format={body.integer(1)} columns={_codes(body)}"


def _authentication(body: _Body) -> str:
    kind = body.integer(4)
    name, detail = _AUTHENTICATION.get(kind, (f" method={kind}", _secret))
    return name + detail(body)


def _md5_salt(body: _Body) -> str:
    body.take(4)
    return f" salt={SECRET}"


def _mechanisms(body: _Body) -> str:
    # They are names and no secrets. An empty one ends the list.
    return f" mechanisms={_list(map(_text, iter(body.string, b'')))}"


def _sasl_initial_response(body: _Body) -> str:
    mechanism = body.text()
    body.value()
    return f" mechanism={mechanism} {SECRET}"


def _password(body: _Body) -> str:
    body.string()
    return f" {SECRET}"


def _backend_key_data(body: _Body) -> str:
    return f" pid={body.integer(4)} key={_secret(body).strip()}"


def _parameter_status(body: _Body) -> str:
    return f" {_setting(body.string(), body.string())}"


def _ready_for_query(body: _Body) -> str:
    status = body.take(1)
    if status not in _STATUS:
        raise _Malformed(f"transaction status {status!r}")
    return f" {_STATUS[status]}"


def _command_complete(body: _Body) -> str:
    return f" tag={body.text()}"


def _fields(body: _Body) -> str:
    shown = []
    while (code := body.take(1)) != b"\0":
        text, letter = body.text(), code.decode("latin-1")
        if letter not in _UNTOLD_FIELDS:
            shown.append(f" {FIELD_NAMES.get(letter, repr(letter))}={text}")
    return "".join(shown)


def _notification_response(body: _Body) -> str:
    return f" pid={body.integer(4)} channel={body.text()} payload={body.text()}"


def _parameter_description(body: _Body) -> str:
    return f" types={_list(body.oid() for _ in range(body.count()))}"


def _column(body: _Body) -> str:
    name = body.text()
    body.take(6)  # the table's OID, the number of the column in it
    oid = body.oid()
    body.take(6)  # the type's size and modifier
    return f"{name} type={oid} format={body.integer(2)}"


def _row_description(body: _Body) -> str:
    return f" columns={_list(_column(body) for _ in range(body.count()))}"


def _data_row(body: _Body) -> str:
    return f" values={_list(_value(body.value()) for _ in range(body.count()))}"


def _negotiate_protocol_version(body: _Body) -> str:
    version, count = body.oid(), body.integer(4)
    options = _list(body.text() for _ in range(count))
    return f" version={version >> 16}.{version & 0xFFFF} options={options}"


_Describe = Callable[[_Body], str]

_STATUS: Final = {b"I": "idle", b"T": "in transaction", b"E": "in failed transaction"}

_AUTHENTICATION: Final[Mapping[int, tuple[str, _Describe]]] = {
    0: ("Ok", _nothing),
    2: ("KerberosV5", _nothing),
    3: ("CleartextPassword", _nothing),
    5: ("MD5Password", _md5_salt),
    7: ("GSS", _nothing),
    8: ("GSSContinue", _secret),
    9: ("SSPI", _nothing),
    10: ("SASL", _mechanisms),
    11: ("SASLContinue", _secret),
    12: ("SASLFinal", _secret),
}

# What the frontend's `p` is: an answer to the last Authentication message, which alone can tell.
_ANSWERS: Final[Mapping[int, tuple[str, _Describe]]] = {
    3: ("PasswordMessage", _password),
    5: ("PasswordMessage", _password),
    7: ("GSSResponse", _secret),
    8: ("GSSResponse", _secret),
    9: ("GSSResponse", _secret),
    10: ("SASLInitialResponse", _sasl_initial_response),
    11: ("SASLResponse", _secret),
}

_FRONTEND: Final[Mapping[bytes, tuple[str, _Describe]]] = {
    b"B": ("Bind", _bind),
    b"C": ("Close", _named),
    b"D": ("Describe", _named),
    b"E": ("Execute", _execute),
    b"F": ("FunctionCall", _function_call),
    b"H": ("Flush", _nothing),
    b"P": ("Parse", _parse),
    b"Q": ("Query", _query),
    b"S": ("Sync", _nothing),
    b"X": ("Terminate", _nothing),
    b"c": ("CopyDone", _nothing),
    b"d": ("CopyData", _data),
    b"f": ("CopyFail", _copy_fail),
    b"p": ("PasswordMessage", _secret),
}

_BACKEND: Final[Mapping[bytes, tuple[str, _Describe]]] = {
    b"1": ("ParseComplete", _nothing),
    b"2": ("BindComplete", _nothing),
    b"3": ("CloseComplete", _nothing),
    b"A": ("NotificationResponse", _notification_response),
    b"C": ("CommandComplete", _command_complete),
    b"D": ("DataRow", _data_row),
    b"E": ("ErrorResponse", _fields),
    b"G": ("CopyInResponse", _copy_response),
    b"H": ("CopyOutResponse", _copy_response),
    b"I": ("EmptyQueryResponse", _nothing),
    b"K": ("BackendKeyData", _backend_key_data),
    b"N": ("NoticeResponse", _fields),
    b"R": ("Authentication", _authentication),
    b"S": ("ParameterStatus", _parameter_status),
    b"T": ("RowDescription", _row_description),
    b"V": ("FunctionCallResponse", _function_call_response),
    b"W": ("CopyBothResponse", _copy_response),
    b"Z": ("ReadyForQuery", _ready_for_query),
    b"c": ("CopyDone", _nothing),
    b"d": ("CopyData", _data),
    b"n": ("NoData", _nothing),
    b"s": ("PortalSuspended", _nothing),
    b"t": ("ParameterDescription", _parameter_description),
    b"v": ("NegotiateProtocolVersion", _negotiate_protocol_version),
}
