"""What a server says in the place of its answer to SSLRequest, and how far that is believed.

A server that cannot even fork says so before it has read anything, and in the form of protocol 2:
`E`, a text, NUL (report_fork_failure_to_client in postmaster.c). One that is too old for TLS does
the same, poolers send the ErrorResponse of protocol 3.

It comes in clear text from whoever is on the way, and long texts with line breaks have been made
to look like the answer to something (CVE-2024-10977; libpq shows nothing of them since, nor does
the documentation want that). Which error it is helps though. So the SQLSTATE chooses the class as
always, and of the rest one line is shown that says how much it is worth.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "SSL Session Encryption".
"""

import asyncio
import socket

from pgallop import errors
from pgallop.errors import PostgresError
from pgallop.limits import MAX_REFUSAL_SIZE
from pgallop.wire import backend
from pgallop.wire.reader import Reader

# An ErrorResponse has at least one field and the zero that ends the message.
MIN_SIZE = 8
SHOWN_CHARACTERS = 200


async def read_refusal(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> PostgresError:
    """Read the error whose first byte, `E`, has been read; at most 30,000 bytes are.

    Raises ConnectionResetError if the connection ends before the message does, ProtocolError if it
    is malformed.
    """
    data = await receive(loop, sock, 4)
    size = int.from_bytes(data)
    # A text read as a length is far above it: four letters are more than 2^29.
    if MIN_SIZE <= size <= MAX_REFUSAL_SIZE:
        body = await receive(loop, sock, size - 4)
        fields = backend.error_fields(Reader(body))
    else:
        while b"\0" not in data and len(data) < MAX_REFUSAL_SIZE:
            received = await loop.sock_recv(sock, MAX_REFUSAL_SIZE - len(data))
            if not received:
                break
            data += received
        fields = {"S": "FATAL", "M": data.partition(b"\0")[0].decode("utf-8", "replace")}
    return unverified(fields)


async def receive(loop: asyncio.AbstractEventLoop, sock: socket.socket, size: int) -> bytes:
    """Exactly `size` bytes."""
    data = b""
    while len(data) < size:
        received = await loop.sock_recv(sock, size - len(data))
        if not received:
            raise ConnectionResetError("the server closed in the middle of an error message")
        data += received
    return data


def unverified(fields: dict[str, str]) -> PostgresError:
    """The error of these fields, in one short line of printable characters that says what it is."""
    text = " ".join(fields.get("M", "").split())
    shown = "".join(char if char.isprintable() else "?" for char in text[:SHOWN_CHARACTERS])
    dots = "..." if len(text) > SHOWN_CHARACTERS else ""
    kept = {code: fields[code] for code in "SVC" if code in fields}
    error = errors.from_fields({**kept, "M": f"unverified, said before TLS: {shown}{dots}"})
    error.hint = "it came in clear text from whoever answers there: the server's log may confirm it"
    return error
