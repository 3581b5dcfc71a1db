"""What a server says, in the words of the protocol's documentation, as bytes.

Written from section "Message Formats" with `struct` alone and nothing of pgallop: where both agree,
neither is likely to be wrong. A lie is told by the hand-made `message` and its `length`.

    row_description(("id", INT4), ("name", TEXT)) + data_row(int4(1), b"Ada")
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from struct import pack

# The OIDs of types, as in pg_type.
BOOL, INT8, INT2, INT4, TEXT, OID = 16, 20, 21, 23, 25, 26

# Authentication messages by the code behind their length.
AUTHENTICATION_OK = 0
CLEARTEXT_PASSWORD = 3
MD5_PASSWORD = 5
GSS, GSS_CONTINUE, SSPI = 7, 8, 9
SASL, SASL_CONTINUE, SASL_FINAL = 10, 11, 12


def message(tag: str, body: bytes = b"", length: int | None = None) -> bytes:
    """A message of type `tag`; a `length` makes it claim that instead of the true one."""
    return tag.encode("latin-1") + pack("!i", 4 + len(body) if length is None else length) + body


def string(text: str | bytes) -> bytes:
    return (text.encode() if isinstance(text, str) else text) + b"\0"


def int2(number: int) -> bytes:
    return pack("!h", number)


def int4(number: int) -> bytes:
    return pack("!i", number)


# Messages without a body.

PARSE_COMPLETE = message("1")
BIND_COMPLETE = message("2")
CLOSE_COMPLETE = message("3")
EMPTY_QUERY_RESPONSE = message("I")
NO_DATA = message("n")
PORTAL_SUSPENDED = message("s")
COPY_DONE = message("c")


# Startup.


def authentication(kind: int, data: bytes = b"") -> bytes:
    return message("R", int4(kind) + data)


def authentication_sasl(*mechanisms: str) -> bytes:
    return authentication(SASL, b"".join([string(name) for name in mechanisms]) + b"\0")


def backend_key_data(pid: int, key: bytes) -> bytes:
    return message("K", int4(pid) + key)


def parameter_status(name: str | bytes, value: str | bytes) -> bytes:
    return message("S", string(name) + string(value))


def negotiate_protocol_version(version: int, *options: str) -> bytes:
    return message(
        "v", int4(version) + int4(len(options)) + b"".join([string(name) for name in options])
    )


def ready_for_query(status: str = "I") -> bytes:
    return message("Z", status.encode())


# Statements.


def parameter_description(*oids: int) -> bytes:
    return message("t", pack(f"!H{len(oids)}I", len(oids), *oids))


def column(name: str | bytes, oid: int, format: int = 1) -> bytes:
    """One column of a RowDescription, of no table and of a type with any size and no modifier."""
    return string(name) + pack("!IhIhih", 0, 0, oid, -1, -1, format)


def row_description(*columns: tuple[str, int]) -> bytes:
    return message("T", pack("!H", len(columns)) + b"".join([column(*each) for each in columns]))


def data_row(*values: bytes | None) -> bytes:
    fields = [int4(-1) if value is None else int4(len(value)) + value for value in values]
    return message("D", pack("!H", len(values)) + b"".join(fields))


def command_complete(tag: str) -> bytes:
    return message("C", string(tag))


def copy_response(kind: str, *formats: int, format: int = 0) -> bytes:
    """CopyInResponse (G), CopyOutResponse (H) or CopyBothResponse (W); in text by default."""
    return message(kind, pack(f"!bH{len(formats)}h", format, len(formats), *formats))


def copy_data(data: bytes) -> bytes:
    return message("d", data)


# What the data of a COPY in binary begins with, and ends with.
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + int4(0) + int4(0)
COPY_TRAILER = int2(-1)


def copy_row(*values: bytes | None) -> bytes:
    """The data of one row in binary, which is the body of a DataRow."""
    return data_row(*values)[5:]


# Messages of no statement, and errors.


def _fields(fields: dict[str, str]) -> bytes:
    return b"".join([code.encode() + string(text) for code, text in fields.items()]) + b"\0"


def error_response(sqlstate: str, text: str, severity: str = "ERROR", **fields: str) -> bytes:
    """An ErrorResponse; more fields by their one-letter codes: `P="8"` is the position."""
    return message("E", _fields({"S": severity, "V": severity, "C": sqlstate, "M": text} | fields))


def notice_response(text: str, severity: str = "NOTICE", sqlstate: str = "00000") -> bytes:
    return message("N", _fields({"S": severity, "V": severity, "C": sqlstate, "M": text}))


def notification_response(pid: int, channel: str | bytes, payload: str | bytes) -> bytes:
    return message("A", int4(pid) + string(channel) + string(payload))


class ScramServer:
    """A server's side of SCRAM-SHA-256, from RFC 5802 and with none of the driver's functions."""

    def __init__(self, password: str, salt: bytes = b"NaCl", iterations: int = 2) -> None:
        key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
        client_key = hmac.digest(key, b"Client Key", "sha256")
        self._stored_key = hashlib.sha256(client_key).digest()
        self._server_key = hmac.digest(key, b"Server Key", "sha256")
        self._salt_and_count = b",s=" + base64.b64encode(salt) + b",i=%d" % iterations
        self._messages: list[bytes] = []

    def first(self, initial_response: bytes) -> bytes:
        """The server-first-message, for the body of a SASLInitialResponse."""
        mechanism, rest = initial_response.split(b"\0", 1)
        assert mechanism == b"SCRAM-SHA-256"
        client_first = rest[4:]
        assert rest[:4] == int4(len(client_first))
        assert client_first.startswith(b"n,,n=,r=")
        nonce = client_first.removeprefix(b"n,,n=,r=") + b"%of+the/server"
        answer = b"r=" + nonce + self._salt_and_count
        self._messages = [client_first.removeprefix(b"n,,"), answer]
        return answer

    def final(self, response: bytes) -> bytes:
        """The server-final-message for the body of a SASLResponse, whose proof must be right."""
        without_proof, proof = response.split(b",p=")
        assert without_proof == b"c=biws," + self._messages[1].split(b",")[0]
        signed = b",".join([*self._messages, without_proof])
        signature = hmac.digest(self._stored_key, signed, "sha256")
        pairs = zip(base64.b64decode(proof, validate=True), signature, strict=True)
        assert hashlib.sha256(bytes(a ^ b for a, b in pairs)).digest() == self._stored_key
        return b"v=" + base64.b64encode(hmac.digest(self._server_key, signed, "sha256"))
