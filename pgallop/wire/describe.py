"""The body of a message in words: what `trace` shows behind the message's name.

One function a message, and tables of them by the message's type. Nothing is shared with the modules
whose work is shown (`frontend`, `backend`), and no byte is trusted: see `trace`.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Message Formats".
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final

from pgallop._message import FIELD_NAMES

SECRET: Final = "***"

MAX_TEXT: Final = 200  # characters of a text
MAX_VALUE: Final = 40  # characters of a value
MAX_ITEMS: Final = 16  # of a list

# PASSWORD 'x', PASSWORD $$x$$, and password=x as in connection strings, but not password = $1. The
# possessive quantifiers keep the time linear whatever the text is.
_PASSWORD: Final = re.compile(
    r"(password\s*+)(?:=\s*+(?!\$\d)|(?:[en]|u&)?+(?:'|\$\w*+\$)).*", re.IGNORECASE | re.DOTALL
)

# The fields of an error that tell its place in the server's own source are left out.
_UNTOLD_FIELDS: Final = frozenset("VFLR")


class Malformed(Exception):
    """The bytes of a message are not what its type asks for; the reason is in words."""


class Body:
    """A cursor over the body of one message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._pos = 0

    def left(self) -> int:
        return len(self._data) - self._pos

    def take(self, size: int) -> bytes:
        if not 0 <= size <= self.left():
            raise Malformed(f"{size} bytes announced, {self.left()} left")
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
            raise Malformed("a string without its end")
        text = self.take(nul - self._pos)
        self._pos += 1
        return text

    def text(self) -> str:
        return _text(self.string())

    def value(self) -> bytes | None:
        """A length and so many bytes, or -1 for NULL."""
        size = self.integer(4)
        return None if size == -1 else self.take(size)


def _text(data: bytes, limit: int = MAX_TEXT) -> str:
    """Quoted and escaped: one line, whatever is in it."""
    text = _PASSWORD.sub(rf"\1{SECRET}", data.decode("utf-8", "backslashreplace"))
    return repr(text if len(text) <= limit else f"{text[: limit - 3]}...")


def _setting(name: bytes, value: bytes) -> str:
    shown = SECRET if b"password" in name.lower() else _text(value)
    return f"{_text(name)[1:-1]}={shown}"


def _value(value: bytes | None) -> str:
    """A value of a row: nobody told its format, so what looks like text is shown as text."""
    if value is None:
        return "NULL"
    if "".join(value.decode("utf-8", "surrogateescape").split()).isprintable():
        return _text(value, MAX_VALUE)
    dots = "..." if len(value) > MAX_VALUE // 2 else ""
    return f"\\x{value[: MAX_VALUE // 2].hex()}{dots}"


def _length(value: bytes | None) -> str:
    return "NULL" if value is None else f"{len(value)} bytes"


def _list(items: Iterable[object]) -> str:
    """The first items, and how many more there are; all of them are read."""
    iterator = iter(items)
    shown = [str(item) for item in islice(iterator, MAX_ITEMS)]
    more = sum(1 for _ in iterator)
    return f"[{', '.join([*shown, f'{more} more'] if more else shown)}]"


def _codes(body: Body) -> str:
    return _list(body.integer(2) for _ in range(body.count()))


# One function a message: what is shown behind its name, with the space in between.


def _nothing(body: Body) -> str:
    return ""


def _secret(body: Body) -> str:
    body.take(body.left())
    return f" {SECRET}"


def _data(body: Body) -> str:
    return f" {len(body.take(body.left()))} bytes"


def unknown(body: Body) -> str:
    raise Malformed("there is no such message")


def _query(body: Body) -> str:
    return f" sql={body.text()}"


def _parse(body: Body) -> str:
    statement, sql = body.text(), body.text()
    types = _list(body.oid() for _ in range(body.count()))
    return f" statement={statement} sql={sql} types={types}"


def _bind(body: Body) -> str:
    portal, statement, formats = body.text(), body.text(), _codes(body)
    values = _list(_length(body.value()) for _ in range(body.count()))
    results = _codes(body)
    return (
        f" portal={portal} statement={statement}"
        f" formats={formats} values={values} results={results}"
    )


def _named(body: Body) -> str:
    kind = body.take(1)
    if kind not in (b"S", b"P"):
        raise Malformed(f"{kind!r} where S or P is expected")
    return f" {'statement' if kind == b'S' else 'portal'}={body.text()}"


def _execute(body: Body) -> str:
    return f" portal={body.text()} max_rows={body.integer(4)}"


def _function_call(body: Body) -> str:
    function, formats = body.oid(), _codes(body)
    values = _list(_length(body.value()) for _ in range(body.count()))
    return f" function={function} formats={formats} values={values} result={body.integer(2)}"


def _function_call_response(body: Body) -> str:
    return f" value={_value(body.value())}"


def _copy_fail(body: Body) -> str:
    return f" reason={body.text()}"


def _copy_response(body: Body) -> str:
    return f" format={body.integer(1)} columns={_codes(body)}"


def _authentication(body: Body) -> str:
    kind = body.integer(4)
    name, detail = _AUTHENTICATION.get(kind, (f" method={kind}", _secret))
    return name + detail(body)


def _md5_salt(body: Body) -> str:
    body.take(4)
    return f" salt={SECRET}"


def _mechanisms(body: Body) -> str:
    # They are names and no secrets. An empty one ends the list.
    return f" mechanisms={_list(map(_text, iter(body.string, b'')))}"


def _sasl_initial_response(body: Body) -> str:
    mechanism = body.text()
    body.value()
    return f" mechanism={mechanism} {SECRET}"


def _password(body: Body) -> str:
    body.string()
    return f" {SECRET}"


def _backend_key_data(body: Body) -> str:
    return f" pid={body.integer(4)} key={_secret(body).strip()}"


def startup_message(body: Body) -> str:
    version = body.oid()
    settings = [_setting(name, body.string()) for name in iter(body.string, b"")]
    return " ".join([f" version={version >> 16}.{version & 0xFFFF}", *settings])


def _cancel_request(body: Body) -> str:
    body.take(4)
    return _backend_key_data(body)


def _code(body: Body) -> str:
    body.take(4)
    return ""


def _parameter_status(body: Body) -> str:
    return f" {_setting(body.string(), body.string())}"


def _ready_for_query(body: Body) -> str:
    status = body.take(1)
    if status not in _STATUS:
        raise Malformed(f"transaction status {status!r}")
    return f" {_STATUS[status]}"


def _command_complete(body: Body) -> str:
    return f" tag={body.text()}"


def _fields(body: Body) -> str:
    shown: list[str] = []
    while (code := body.take(1)) != b"\0":
        text, letter = body.text(), code.decode("latin-1")
        if letter not in _UNTOLD_FIELDS:
            shown.append(f" {FIELD_NAMES.get(letter, repr(letter))}={text}")
    return "".join(shown)


def _notification_response(body: Body) -> str:
    return f" pid={body.integer(4)} channel={body.text()} payload={body.text()}"


def _parameter_description(body: Body) -> str:
    return f" types={_list(body.oid() for _ in range(body.count()))}"


def _column(body: Body) -> str:
    name = body.text()
    body.take(6)  # the table's OID, the number of the column in it
    oid = body.oid()
    body.take(6)  # the type's size and modifier
    return f"{name} type={oid} format={body.integer(2)}"


def _row_description(body: Body) -> str:
    return f" columns={_list(_column(body) for _ in range(body.count()))}"


def _data_row(body: Body) -> str:
    return f" values={_list(_value(body.value()) for _ in range(body.count()))}"


def _negotiate_protocol_version(body: Body) -> str:
    version, count = body.oid(), body.integer(4)
    options = _list(body.text() for _ in range(count))
    return f" version={version >> 16}.{version & 0xFFFF} options={options}"


Describe = Callable[[Body], str]

_STATUS: Final = {b"I": "idle", b"T": "in transaction", b"E": "in failed transaction"}

_AUTHENTICATION: Final[Mapping[int, tuple[str, Describe]]] = {
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
ANSWERS: Final[Mapping[int, tuple[str, Describe]]] = {
    3: ("PasswordMessage", _password),
    5: ("PasswordMessage", _password),
    7: ("GSSResponse", _secret),
    8: ("GSSResponse", _secret),
    9: ("GSSResponse", _secret),
    10: ("SASLInitialResponse", _sasl_initial_response),
    11: ("SASLResponse", _secret),
}

# What a frontend may send first has no type but a code, where StartupMessage has its version.
STARTUP: Final[Mapping[int, tuple[str, Describe]]] = {
    80877102: ("CancelRequest", _cancel_request),
    80877103: ("SSLRequest", _code),
    80877104: ("GSSENCRequest", _code),
}

# The one byte, no message, that answers such a request.
REPLIES: Final[Mapping[str, str]] = {
    "SSLRequest": "SSLResponse",
    "GSSENCRequest": "GSSENCResponse",
}

FRONTEND: Final[Mapping[bytes, tuple[str, Describe]]] = {
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

BACKEND: Final[Mapping[bytes, tuple[str, Describe]]] = {
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


def described(name: str, describe: Describe, data: bytes) -> str:
    body = Body(data)
    try:
        details = describe(body)
        if body.left():
            raise Malformed(f"{body.left()} bytes too many")
    except Malformed as malformed:
        return f"{name} malformed: {malformed}"
    return name + details
