"""Messages a server sends, one parser each, named as in the protocol's documentation.

Each takes a `Reader` clamped to the body of its message and reads it to the end. DataRow is not
here: `pgallop.rows.decode` reads it straight into records.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Message Formats".
"""

from typing import NamedTuple

from pgallop.errors import ProtocolError
from pgallop.limits import MAX_COLUMNS, MAX_SECRET_KEY_SIZE
from pgallop.wire.reader import Reader

# What Authentication messages ask for (the int32 after the length).
AUTH_OK = 0
AUTH_CLEARTEXT = 3
AUTH_MD5 = 5
AUTH_GSS = 7
AUTH_GSS_CONTINUE = 8
AUTH_SSPI = 9
AUTH_SASL = 10
AUTH_SASL_CONTINUE = 11
AUTH_SASL_FINAL = 12


class Field(NamedTuple):
    """One column of a RowDescription."""

    name: str
    table_oid: int
    column_number: int
    type_oid: int
    type_size: int
    type_modifier: int
    format: int


def authentication(reader: Reader) -> tuple[int, bytes]:
    """The kind of authentication asked for and the rest of the message (salt, mechanisms, data)."""
    kind = reader.read_int32()
    return kind, reader.read_bytes(reader.end - reader.pos)


def backend_key_data(reader: Reader) -> tuple[int, bytes]:
    """The process id of the server's backend and the secret key that cancels its queries."""
    pid = reader.read_int32()
    size = reader.end - reader.pos
    if size < 4 or size > MAX_SECRET_KEY_SIZE:
        raise ProtocolError(
            f"the server's secret key has {size} bytes, 4 to {MAX_SECRET_KEY_SIZE} expected"
        )
    return pid, reader.read_bytes(size)


def parameter_status(reader: Reader) -> tuple[str, str]:
    name = reader.read_cstring().decode("utf-8", "replace")
    value = reader.read_cstring().decode("utf-8", "replace")
    reader.expect_end()
    return name, value


def ready_for_query(reader: Reader) -> int:
    """The transaction status: I (73) outside, T (84) inside, E (69) inside a failed one."""
    status = reader.read_byte()
    reader.expect_end()
    if status not in b"ITE":
        raise ProtocolError(
            f"ReadyForQuery with the unknown transaction status {bytes([status])!r}"
        )
    return status


def command_complete(reader: Reader) -> str:
    """The command tag, such as `INSERT 0 1`."""
    tag = reader.read_cstring().decode("utf-8", "replace")
    reader.expect_end()
    return tag


def error_fields(reader: Reader) -> dict[str, str]:
    """The fields of an ErrorResponse or a NoticeResponse by their one-letter codes."""
    fields: dict[str, str] = {}
    while True:
        code = reader.read_byte()
        if code == 0:
            break
        # Text before authentication may be in any encoding.
        fields[chr(code)] = reader.read_cstring().decode("utf-8", "replace")
    reader.expect_end()
    return fields


def notification_response(reader: Reader) -> tuple[int, str, str]:
    """The process id of the sender, the channel, the payload."""
    pid = reader.read_int32()
    channel = reader.read_cstring().decode("utf-8", "surrogateescape")
    payload = reader.read_cstring().decode("utf-8", "surrogateescape")
    reader.expect_end()
    return pid, channel, payload


def parameter_description(reader: Reader) -> tuple[int, ...]:
    """The type OIDs of a statement's parameters, of which the server can have too many to count."""
    announced = reader.read_uint16()
    count = (reader.end - reader.pos) // 4
    if count * 4 != reader.end - reader.pos or count & 0xFFFF != announced:
        raise ProtocolError(
            f"ParameterDescription of {announced} types in {reader.end - reader.pos} bytes"
        )
    return tuple([reader.read_uint32() for _ in range(count)])


def row_description(reader: Reader) -> list[Field]:
    count = reader.read_uint16()
    if count > MAX_COLUMNS:
        raise ProtocolError(f"RowDescription of {count} columns, {MAX_COLUMNS} are allowed")
    # A column takes 19 bytes at the least: refuse the count before anything is allocated for it.
    if count * 19 > reader.end - reader.pos:
        raise ProtocolError(f"RowDescription of {count} columns in {reader.end - reader.pos} bytes")
    fields: list[Field] = []
    for _ in range(count):
        name = reader.read_cstring().decode("utf-8", "surrogateescape")
        table_oid = reader.read_uint32()
        column_number = reader.read_int16()
        type_oid = reader.read_uint32()
        type_size = reader.read_int16()
        type_modifier = reader.read_int32()
        code = reader.read_int16()
        if code not in (0, 1):
            raise ProtocolError(f"column {name!r} has the unknown format code {code}")
        fields.append(
            Field(name, table_oid, column_number, type_oid, type_size, type_modifier, code)
        )
    reader.expect_end()
    return fields


def copy_response(reader: Reader) -> tuple[int, int]:
    """Of a CopyInResponse or CopyOutResponse: the format, 0 or 1 for binary, and how many columns.

    The columns have the format of the whole: "all must be zero if the overall copy format is
    textual".
    """
    format = reader.read_byte()
    count = reader.read_uint16()
    if count > MAX_COLUMNS or 2 * count != reader.end - reader.pos:
        raise ProtocolError(
            f"a response to COPY has {count} columns in {reader.end - reader.pos} bytes"
        )
    formats = {format, *[reader.read_uint16() for _ in range(count)]}
    if len(formats) > 1 or format not in (0, 1):
        raise ProtocolError(f"a response to COPY has the unknown formats {sorted(formats)}")
    return format, count


def negotiate_protocol_version(reader: Reader) -> tuple[int, list[str]]:
    """The newest minor version the server speaks and the protocol options it does not know."""
    version = reader.read_int32()
    count = reader.read_int32()
    if count < 0 or count > reader.end - reader.pos:
        raise ProtocolError(f"NegotiateProtocolVersion with {count} options")
    options = [reader.read_cstring().decode("utf-8", "replace") for _ in range(count)]
    reader.expect_end()
    return version, options
