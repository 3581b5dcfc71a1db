"""The traffic of a connection in human words, one line a message: for logs and for tests.

    F Parse statement='s1' sql='SELECT name FROM users WHERE id = $1' types=[]
    B DataRow values=['Ada']

F is what the frontend sends, B what the backend sends. Nothing is shared with the modules whose
work is shown, so that a trace can show their mistakes; and no byte is trusted: what cannot be read
is called malformed.

Passwords, SASL data and secret keys are never shown, nor what stands behind the word PASSWORD in
SQL. Other SQL and the values of rows are: a trace is as confidential as the data.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Message Formats". The idea
is that of libpq's PQtrace.
"""

from collections.abc import Mapping
from typing import Final

from pgallop.wire.describe import (
    ANSWERS,
    BACKEND,
    FRONTEND,
    REPLIES,
    STARTUP,
    Describe,
    described,
    startup_message,
    unknown,
)

# Longer messages are named and measured only, so that nobody can make a trace hoard bytes.
MAX_SHOWN: Final = 1 << 20
# MAX_STARTUP_PACKET_LENGTH in the server's pqcomm.h, which does not count the length itself.
MAX_STARTUP: Final = 10_004


class _Side:
    """One direction: what has arrived of its next message."""

    def __init__(self, messages: Mapping[bytes, tuple[str, Describe]]) -> None:
        self.messages = messages
        self.buffer = bytearray()
        self.passing = 0  # bytes of a long message that are still to go by
        self.passing_line = ""
        self.lost = False

    def next_long(self) -> str | None:
        gone = min(self.passing, len(self.buffer))
        del self.buffer[:gone]
        self.passing -= gone
        return None if self.passing else self.passing_line

    def take(self, size: int) -> bytes | None:
        """So many bytes off the buffer when they are all there."""
        if len(self.buffer) < size:
            return None
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def lose(self, line: str) -> str:
        """Where this message ends, and so where the next one begins, nobody can tell."""
        self.lost = True
        self.buffer.clear()
        return f"{line}, and what follows cannot be read"


class Trace:
    """Turn the bytes of one connection, split anywhere, into a line for each message.

    The bytes are those inside of TLS. One trace follows one connection, since what some messages
    are depends on earlier ones. At most about `MAX_SHOWN` bytes are held for each direction.

    Args:
        startup: whether the frontend's first message is a StartupMessage (or SSLRequest, or
            CancelRequest); False for a connection that has been through it.

    Example:
        >>> trace = Trace(startup=False)
        >>> trace.feed("F", b"Q\\0\\0\\0\\rSELECT 1\\0")
        ["F Query sql='SELECT 1'"]
    """

    def __init__(self, *, startup: bool = True) -> None:
        self._sides = {"F": _Side(FRONTEND), "B": _Side(BACKEND)}
        self._startup = startup
        self._reply: str | None = None  # the name of a one-byte answer that is due
        self._method: int | None = None  # of the last Authentication message

    def feed(self, direction: str, data: bytes) -> list[str]:
        """Return the lines of the messages that `data` completes.

        Args:
            direction: "F" for bytes of the frontend, "B" for bytes of the backend.
            data: any number of bytes.

        Raises:
            ValueError: there is no such direction. No bytes raise anything.
        """
        side = self._sides.get(direction)
        if side is None:
            raise ValueError(f"direction {direction!r}: expected 'F' or 'B'")
        lines: list[str] = []
        if not side.lost:
            side.buffer += data
        while not side.lost and (line := self._next(direction, side)) is not None:
            lines.append(f"{direction} {line}")
        return lines

    def _next(self, direction: str, side: _Side) -> str | None:
        if side.passing:
            return side.next_long()
        if direction == "F" and self._startup:
            return self._next_startup(side)
        if direction == "B" and self._reply is not None:
            return self._next_reply(side, self._reply)
        return self._next_message(direction, side)

    def _next_startup(self, side: _Side) -> str | None:
        """A message of a frontend that has not introduced itself: it has no type."""
        if len(side.buffer) < 8:
            return None
        length, code = (int.from_bytes(side.buffer[i : i + 4], "big") for i in (0, 4))
        name, describe = STARTUP.get(code, ("StartupMessage", startup_message))
        if not 8 <= length <= MAX_STARTUP:
            return side.lose(f"{name} malformed: its length is {length}")
        data = side.take(length)
        if data is None:
            return None
        self._startup = code in STARTUP
        self._reply = REPLIES.get(name)
        return described(name, describe, data[4:])

    def _next_reply(self, side: _Side, name: str) -> str | None:
        """The byte that answers a request for encryption, if it is not an ErrorResponse's type."""
        if not side.buffer:
            return None
        self._reply = None
        if side.buffer[0] == 69:  # E
            return self._next_message("B", side)
        answer = side.take(1)
        if answer not in (b"S", b"G", b"N"):
            return side.lose(f"{name} malformed: {answer!r}")
        return f"{name} {answer.decode()}"

    def _next_message(self, direction: str, side: _Side) -> str | None:
        if len(side.buffer) < 5:
            return None
        tag, length = bytes(side.buffer[:1]), int.from_bytes(side.buffer[1:5], "big", signed=True)
        name, describe = side.messages.get(tag, (f"message {tag!r}", unknown))
        if direction == "F" and tag == b"p" and self._method is not None:
            name, describe = ANSWERS.get(self._method, (name, describe))
        if length < 4:
            return side.lose(f"{name} malformed: its length is {length}")
        if length > MAX_SHOWN:
            side.passing, side.passing_line = length + 1, f"{name} of {length} bytes"
            return side.next_long()
        data = side.take(length + 1)
        if data is None:
            return None
        if direction == "B" and tag == b"R":
            self._method = int.from_bytes(data[5:9], "big")
        return described(name, describe, data[5:])
