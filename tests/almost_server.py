"""A server that is almost PostgreSQL: what it reports, what it knows, and how it answers.

It follows no script: it takes statements in any order of messages that the protocol allows, by
Query or by Parse, Bind, Describe, Execute and Sync, and keeps track of its transaction.

    product = Product({"server_version": "8.0.2"}, refuses="UNLISTEN|CLOSE ALL")
    async with FakeServer(AlmostServer(product).serve) as server:
        ...  # connect to server.host, server.port
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

import scripts
from fake_server import Client

CANCEL_REQUEST = 80877102

# The number is the value of the only column; from `never` it comes when that is cancelled.
SELECT = re.compile(r"SELECT (\d+)")


@dataclass(frozen=True)
class Product:
    """What is peculiar to one product.

    Args:
        reported: what ParameterStatus says.
        refuses: a pattern of statements that it has no syntax for, or refuses as unsupported.
        key: what BackendKeyData says; None to send none.
        tags: command tags that are other ones than PostgreSQL's.
        cancels: whether it does what a CancelRequest asks for.
    """

    reported: dict[str, str]
    refuses: str = "(?!)"
    key: bytes | None = b"key!"
    tags: dict[str, str] = field(default_factory=dict)
    cancels: bool = True


class AlmostServer:
    """One session of such a product.

    `heard`: the statements that have run, or were refused; `queries`: the Query messages whole.
    `cancels`: how many CancelRequests have come; `late_hits`: how many statements behind the one
    that was cancelled are to be hit as well.
    """

    def __init__(self, product: Product) -> None:
        self.product = product
        self.heard: list[str] = []
        self.queries: list[str] = []
        self.cancels = 0
        self.late_hits = 0
        self.status = "I"
        self._statements: dict[bytes, str] = {}
        self._portal = ""
        self._skipping = False
        self._signal = asyncio.Event()

    async def serve(self, client: Client) -> None:
        """To be the handler of a fake server."""
        body = await client.startup()
        if int.from_bytes(body[:4]) == CANCEL_REQUEST:
            self.cancels += 1
            if self.product.cancels:
                self._signal.set()
            return
        client.send(scripts.authentication(scripts.AUTHENTICATION_OK))
        for name, value in self.product.reported.items():
            client.send(scripts.parameter_status(name, value))
        if self.product.key is not None:
            client.send(scripts.backend_key_data(7, self.product.key))
        client.send(scripts.ready_for_query())
        while True:
            tag, body = await client.message()
            if tag == "X":
                return
            if tag == "Q":
                client.send(await self._query(body[:-1].decode()), self._ready())
            elif tag == "S":
                self._skipping = False
                client.send(self._ready())
            elif not self._skipping:
                client.send(await self._extended(tag, body))

    def _ready(self) -> bytes:
        return scripts.ready_for_query(self.status)

    async def _query(self, script: str) -> bytes:
        self.queries.append(script)
        answers: list[bytes] = []
        for statement in script.split(";"):
            answer, failed = await self._run(statement.strip(), in_text=True)
            answers.append(answer)
            if failed:
                break
        return b"".join(answers)

    async def _extended(self, tag: str, body: bytes) -> bytes:
        if tag == "P":
            name, text, _ = body.split(b"\0", 2)
            self._statements[name] = text.decode()
            return scripts.PARSE_COMPLETE
        if tag == "B":
            _, name, _ = body.split(b"\0", 2)
            self._portal = self._statements[name]
            return scripts.BIND_COMPLETE
        if tag == "D":
            query = self._statements[body[1:-1]] if body[:1] == b"S" else self._portal
            columns = self._columns(query, 1)
            return scripts.parameter_description() + columns if body[:1] == b"S" else columns
        if tag == "E":
            answer, self._skipping = await self._run(self._portal, in_text=False)
            return answer
        assert tag == "C", tag
        return scripts.CLOSE_COMPLETE

    def _columns(self, query: str, format: int) -> bytes:
        if not SELECT.match(query):
            return scripts.NO_DATA
        column = scripts.column("number", scripts.INT4, format)
        return scripts.message("T", scripts.int2(1) + column)

    async def _run(self, statement: str, in_text: bool) -> tuple[bytes, bool]:
        """The answer to one statement, and whether it is an error."""
        self.heard.append(statement)
        ends = statement in ("ROLLBACK", "COMMIT")
        if self.status == "E" and not ends:
            return self._error("25P02", "current transaction is aborted")
        if statement.endswith("FROM never"):
            await self._signal.wait()
            return self._error("57014", "canceling statement due to user request")
        if self._signal.is_set() and self.late_hits:
            self.late_hits -= 1
            return self._error("57014", "canceling statement due to user request")
        if re.match(self.product.refuses, statement):
            return self._error("42601", f"syntax error at or near {statement!r}")
        if ends or statement == "BEGIN":
            self.status = "T" if statement == "BEGIN" else "I"
        found = SELECT.match(statement)
        rows = b""
        if found is not None:
            number = int(found[1])
            value = str(number).encode() if in_text else scripts.int4(number)
            rows = self._columns(statement, 0) if in_text else b""
            rows += scripts.data_row(value)
        tag = "SELECT 1" if statement.startswith("SELECT") else " ".join(statement.split()[:1])
        tag = self.product.tags.get(tag, tag)
        if not statement:
            return scripts.EMPTY_QUERY_RESPONSE, False
        return rows + scripts.command_complete(tag), False

    def _error(self, sqlstate: str, text: str) -> tuple[bytes, bool]:
        self.status = "I" if self.status == "I" else "E"
        return scripts.error_response(sqlstate, text), True
