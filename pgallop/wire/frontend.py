"""Messages a client sends, one function each, named as in the protocol's documentation.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Message Formats".
"""

from pgallop.errors import InterfaceError
from pgallop.wire.writer import MAX_LENGTH, Writer

PROTOCOL_3_0 = 196608  # 3 << 16
CANCEL_REQUEST_CODE = 80877102  # 1234 << 16 | 5678
SSL_REQUEST_CODE = 80877103  # 1234 << 16 | 5679

BINARY = 1
TEXT = 0

# Bind counts its parameters and columns in 16 bits, which the server reads unsigned.
MAX_PARAMETERS = 65535

# MAX_STARTUP_PACKET_LENGTH in the server's pqcomm.h, the message's own length not counted. The
# server closes the connection over a longer one without a word.
MAX_STARTUP = 10000


def cstring(text: str, what: str) -> bytes:
    """`text` as the bytes of a string that ends in NUL on the wire (the NUL not included)."""
    # Each character takes a byte at least: before memory is taken for them.
    if len(text) > MAX_LENGTH:
        raise InterfaceError(
            f"{what} is too long: it has {len(text)} characters, and PostgreSQL takes {MAX_LENGTH} "
            f"bytes"
        )
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise InterfaceError(f"{what} cannot be encoded as UTF-8: {error}") from None
    if 0 in data:
        raise InterfaceError(
            f"{what} contains a NUL character (at position {text.index(chr(0))}): "
            f"PostgreSQL's strings end there, so it cannot be sent"
        )
    return data


def startup_message(writer: Writer, parameters: dict[str, str]) -> None:
    """`parameters`: user, database and settings; a name that is empty would end them."""
    strings: list[bytes] = []
    for name, value in parameters.items():
        if not name:
            raise InterfaceError("a connection parameter's name is empty")
        strings.append(cstring(name, "a connection parameter's name"))
        strings.append(cstring(value, f"the connection parameter {name!r}"))
    size = 5 + sum([len(string) + 1 for string in strings])
    if size > MAX_STARTUP:
        raise InterfaceError(
            f"the connection parameters are too long: with them the StartupMessage has {size} "
            f"bytes, and PostgreSQL takes {MAX_STARTUP}",
            hint="settings can be set by SET, too, or kept with ALTER ROLE",
        )
    start = writer.begin_message(0)
    writer.write_int32(PROTOCOL_3_0)
    for string in strings:
        writer.write_cstring(string, "a connection parameter")
    writer.write_byte(0)
    writer.finish_message(start)


def cancel_request(writer: Writer, pid: int, key: bytes) -> None:
    start = writer.begin_message(0)
    writer.write_int32(CANCEL_REQUEST_CODE)
    writer.write_int32(pid)
    writer.write_bytes(key)
    writer.finish_message(start)


def ssl_request(writer: Writer) -> None:
    start = writer.begin_message(0)
    writer.write_int32(SSL_REQUEST_CODE)
    writer.finish_message(start)


def password_message(writer: Writer, password: bytes) -> None:
    """`password`: in clear or hashed."""
    start = writer.begin_message(112)  # p
    writer.write_cstring(password, "the password")
    writer.finish_message(start)


def sasl_initial_response(writer: Writer, mechanism: str, response: bytes) -> None:
    name = cstring(mechanism, "the SASL mechanism")
    start = writer.begin_message(112)  # p
    writer.write_cstring(name, "the SASL mechanism")
    field = writer.begin_field()
    writer.write_bytes(response)
    writer.finish_field(field)
    writer.finish_message(start)


def sasl_response(writer: Writer, response: bytes) -> None:
    start = writer.begin_message(112)  # p
    writer.write_bytes(response)
    writer.finish_message(start)


def gss_response(writer: Writer, token: bytes) -> None:
    start = writer.begin_message(112)  # p
    writer.write_bytes(token)
    writer.finish_message(start)


def query(writer: Writer, sql: str, prefix: bytes = b"") -> None:
    """`prefix`: SQL of our own that stands in front of the caller's."""
    data = cstring(sql, "the query")
    start = writer.begin_message(81)  # Q
    writer.write_bytes(prefix)
    writer.write_cstring(data, "the query")
    writer.finish_message(start)


def parse(writer: Writer, name: bytes, sql: str, oids: tuple[int, ...]) -> None:
    """`oids`: the types of the first parameters, 0 where the server shall infer them."""
    _check_count(len(oids), "parameters")
    data = cstring(sql, "the query")
    start = writer.begin_message(80)  # P
    writer.write_cstring(name, "the statement's name")
    writer.write_cstring(data, "the query")
    writer.write_uint16(len(oids))
    for oid in oids:
        writer.write_uint32(oid)
    writer.finish_message(start)


def describe_statement(writer: Writer, name: bytes) -> None:
    _named(writer, 68, 83, name, "the statement's name")  # D, S


def describe_portal(writer: Writer, name: bytes) -> None:
    _named(writer, 68, 80, name, "the portal's name")  # D, P


def close_statement(writer: Writer, name: bytes) -> None:
    _named(writer, 67, 83, name, "the statement's name")  # C, S


def close_portal(writer: Writer, name: bytes) -> None:
    _named(writer, 67, 80, name, "the portal's name")  # C, P


def copy_done(writer: Writer) -> None:
    writer.finish_message(writer.begin_message(99))  # c


def copy_fail(writer: Writer, reason: str) -> None:
    """`reason`: what the server's error will quote, and its log."""
    data = cstring(reason, "the reason")
    start = writer.begin_message(102)  # f
    writer.write_cstring(data, "the reason")
    writer.finish_message(start)


def bind_head(portal: bytes, statement: bytes, formats: tuple[int, ...]) -> bytes:
    """What stands before the parameter values in a Bind message: constant for a statement."""
    _check_count(len(formats), "parameters")
    writer = Writer()
    writer.write_cstring(portal, "the portal's name")
    writer.write_cstring(statement, "the statement's name")
    _formats(writer, formats)
    writer.write_uint16(len(formats))
    return writer.take()


def bind_tail(formats: tuple[int, ...]) -> bytes:
    """What stands behind the parameter values in a Bind message: the formats of the result."""
    _check_count(len(formats), "columns")
    writer = Writer()
    _formats(writer, formats)
    return writer.take()


def bind(writer: Writer, head: bytes, tail: bytes) -> None:
    """Bind of a statement without arguments."""
    start = writer.begin_message(66)  # B
    writer.write_bytes(head)
    writer.write_bytes(tail)
    writer.finish_message(start)


def bind_execute(writer: Writer, head: bytes, tail: bytes, max_rows: int) -> None:
    """Bind and Execute of a statement without arguments, on the unnamed portal."""
    bind(writer, head, tail)
    execute(writer, b"", max_rows)


def execute(writer: Writer, portal: bytes, max_rows: int) -> None:
    """`max_rows`: suspend the portal after so many rows, 0 for no limit."""
    start = writer.begin_message(69)  # E
    writer.write_cstring(portal, "the portal's name")
    writer.write_int32(max_rows)
    writer.finish_message(start)


def flush(writer: Writer) -> None:
    writer.finish_message(writer.begin_message(72))  # H


def sync(writer: Writer) -> None:
    writer.finish_message(writer.begin_message(83))  # S


def terminate(writer: Writer) -> None:
    writer.finish_message(writer.begin_message(88))  # X


def _named(writer: Writer, tag: int, kind: int, name: bytes, what: str) -> None:
    start = writer.begin_message(tag)
    writer.write_byte(kind)
    writer.write_cstring(name, what)
    writer.finish_message(start)


def _formats(writer: Writer, formats: tuple[int, ...]) -> None:
    # One code stands for all columns when they agree; none at all means text.
    codes = set(formats)
    if BINARY not in codes:
        writer.write_uint16(0)
    elif TEXT not in codes:
        writer.write_uint16(1)
        writer.write_uint16(BINARY)
    else:
        writer.write_uint16(len(formats))
        for code in formats:
            writer.write_uint16(code)


def _check_count(count: int, what: str) -> None:
    if count > MAX_PARAMETERS:
        raise InterfaceError(f"{count} {what}, a statement may have {MAX_PARAMETERS}")
