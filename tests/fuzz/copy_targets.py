"""COPY to the client: bytes, rows and the texts of arguments, one behind the other."""

from __future__ import annotations

from collections.abc import Sequence

import scripts
from fuzz.grammar import Messages
from fuzz.session_targets import MAX_MESSAGE_SIZE, Told, Waiter, hold_twice
from fuzz.target import Outcome, Target

from pgallop.codecs.builtin import builtin_registry
from pgallop.session.copy_out import CopyOut
from pgallop.session.copy_rows import CopyRows
from pgallop.session.session import Session
from pgallop.session.texts import Texts

QUERY = "SELECT n, name FROM t"
COPY = f"COPY ({QUERY}\n) TO STDOUT"
REGISTRY = builtin_registry()

# So many rows of a few bytes: nobody takes them, and behind 4096 the session would wait for that.
MOST = 4000


class Copied:
    """Three requests, perhaps with a BEGIN in front of the first."""

    def __init__(self, begins: bool, into: object) -> None:
        self.session = Session(MAX_MESSAGE_SIZE)
        self._asked = [Waiter() for _ in range(3)]
        self._out = CopyOut(self._asked[0], COPY, QUERY)
        self._rows = CopyRows(self._asked[1], COPY, QUERY, QUERY, REGISTRY, into)
        if begins:
            self._out.carry("BEGIN")
            self._rows.carry("BEGIN")
        texts = Texts(self._asked[2], [(scripts.INT4, scripts.int4(1))], begins)
        for request in (self._out, self._rows, texts):
            self.session.submit(request)

    def take(self) -> bytes:
        return self.session.take()

    def waiters(self) -> Sequence[Told]:
        return self._asked

    def report(self) -> list[str]:
        words = [waiter.words for waiter in self._asked]
        rows = [] if self._rows.has_failed else self._rows.take_rows()
        return [*words, repr(self._out.take()), repr(rows), repr(self._out.status)]


def answer_copies(data: bytes) -> Outcome:
    choice = data[0] if data else 0
    said = data[1:]
    if said.count(b"d") > MOST:
        said = b""
    return hold_twice(lambda: Copied(bool(choice & 1), dict if choice & 2 else None), said)


def copies() -> list[bytes]:
    row = scripts.copy_row(scripts.int4(1), b"Ada")
    done = scripts.ready_for_query()
    out = (
        scripts.copy_response("H", 0, 0)
        + scripts.copy_data(b"1\tAda\n") * 3
        + scripts.COPY_DONE
        + scripts.command_complete("COPY 3")
        + done
    )
    described = (
        scripts.PARSE_COMPLETE
        + scripts.parameter_description()
        + scripts.row_description(("n", scripts.INT4), ("name", scripts.TEXT))
        + scripts.PARSE_COMPLETE
        + scripts.BIND_COMPLETE
    )
    rows = (
        scripts.copy_response("H", 1, 1, format=1)
        + scripts.copy_data(scripts.COPY_HEADER + row)
        + scripts.copy_data(row) * 3
        + scripts.copy_data(scripts.copy_row(None, b""))
        + scripts.copy_data(scripts.COPY_TRAILER)
        + scripts.COPY_DONE
        + scripts.command_complete("COPY 5")
        + done
    )
    ran = scripts.PARSE_COMPLETE + scripts.BIND_COMPLETE
    one = scripts.command_complete("SELECT 1")
    text = ran + scripts.data_row(b"ISO", b"postgres", b"3") + one
    text += ran + scripts.data_row(b"1") + one
    begun = scripts.command_complete("BEGIN")
    saved = ran + scripts.command_complete("SAVEPOINT")
    broken = scripts.error_response("22012", "division by zero")
    return [
        *(
            b"\0" + out + described + rows + text + done,
            b"\2" + out + described + rows + text + done,
        ),
        b"\1" + begun + out + ran + begun + described + rows + saved + text + saved * 2 + done,
        *(
            b"\0"
            + out[:40]
            + broken
            + done
            + described
            + rows[:60]
            + broken
            + done
            + broken
            + done,
        ),
    ]


TARGETS = [
    Target(name="copies", run=answer_copies, seeds=copies, grammar=Messages(prefix=1), share=3),
]
