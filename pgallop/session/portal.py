"""A portal: a statement that runs as far as it is asked to, a number of rows at a time.

Writes:  [Bind]  [Execute]  Sync
Reads:   [BindComplete]  [DataRow*  (CommandComplete | PortalSuspended)]  ReadyForQuery

A statement without a name is parsed in front of Bind, and described behind it. Behind the last row
the server reports CommandComplete, before it PortalSuspended. A portal ends with its transaction.

Writes:  Close  Sync
Reads:   CloseComplete  ReadyForQuery

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Extended Query".
"""

from typing import Any

from pgallop import errors
from pgallop.errors import ProtocolError
from pgallop.session.execute import ROWS, Execute, wrong_count
from pgallop.session.request import Request, Waiter
from pgallop.session.statement import Statement
from pgallop.session.transitions import CLOSE, DONE, EXECUTE, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.framing import Framing
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(CLOSE)
EXECUTE_TABLE = compile_table(EXECUTE)

# The state behind Execute, in all tables of EXECUTE.
SYNC = 4


class FetchPortal(Execute):
    """Fetch up to `limit` rows of `portal`, which it `opens` before that; -1 to open it only.

    The `statement` must be the portal's own, for it reads the rows. `before`: how many were read
    already; `suspended`: whether there may be more of them.
    """

    __slots__ = ("limit", "opens", "portal", "suspended")

    portal: bytes
    limit: int
    opens: bool
    suspended: bool

    def __init__(
        self,
        waiter: Waiter | None,
        statement: Statement,
        arguments: tuple[Any, ...],
        portal: bytes,
        limit: int,
        opens: bool,
        into: Any = None,
        before: int = 0,
    ) -> None:
        super().__init__(waiter, statement, arguments, False, into)
        self.before = before
        self.portal = portal
        self.limit = limit
        self.opens = opens
        self.suspended = False
        if not opens:
            self.table = EXECUTE_TABLE
            self.state = ROWS
            self.bound = True

    def write(self, writer: Writer) -> None:
        if self.opens:
            self.write_bind(writer)
        if self.limit >= 0:
            frontend.execute(writer, self.portal, self.limit)
        frontend.sync(writer)

    def write_bind(self, writer: Writer) -> None:
        statement = self.statement
        if len(self.arguments) != len(statement.parameters):
            raise wrong_count(statement, self.arguments)
        writer.write_bytes(statement.parse)
        start = writer.begin_message(66)  # Bind
        writer.write_cstring(self.portal, "the portal's name")
        writer.write_bytes(statement.head[1:])  # without the empty name of the unnamed portal
        self.write_arguments(writer)
        writer.write_bytes(statement.tail)
        writer.finish_message(start)
        if statement.parse or statement.varies:
            frontend.describe_portal(writer, self.portal)

    def on_message(self, tag: int, reader: Reader) -> bool:
        done = Execute.on_message(self, tag, reader)
        if tag == 115:  # PortalSuspended
            if len(self.rows) != self.limit and self.error is None and not self.discarded:
                raise ProtocolError(
                    f"the server suspended a portal after {len(self.rows)} rows of {self.limit}"
                )
            self.suspended = True
        elif self.limit < 0 and self.state == ROWS:
            self.state = SYNC
        return done

    def on_rows(self, framing: Framing, most: int) -> int:
        return Request.on_rows(self, framing, most)

    def on_row(self, reader: Reader) -> None:
        if len(self.rows) == self.limit:
            raise ProtocolError(f"the server sent more than the {self.limit} rows asked for")
        Execute.on_row(self, reader)


class ClosePortal(Request):
    """Let the server forget a portal; one that is gone already is as good."""

    __slots__ = ("portal",)

    portal: bytes

    def __init__(self, waiter: Waiter | None, portal: bytes) -> None:
        super().__init__(TABLE, waiter)
        self.portal = portal
        self.helper = True

    def write(self, writer: Writer) -> None:
        frontend.close_portal(writer, self.portal)
        frontend.sync(writer)

    def runs(self) -> tuple[str, ...] | None:
        return ()

    def on_message(self, tag: int, reader: Reader) -> bool:
        if self.step(tag) == DONE:
            return True
        if tag == 69:  # ErrorResponse
            self.fail(errors.from_fields(backend.error_fields(reader)))
        else:  # CloseComplete
            reader.expect_end()
        return False
