"""The prepared statements of one connection, by text, the least recently used leaving first."""

from collections import OrderedDict

from pgallop.session.statement import Statement


class StatementCache:
    """At most `size` statements; those that left wait in `evicted` until the server is told.

    A statement that somebody is about to run is pinned: it stays, however many there are, for the
    server must not be told to forget it before it has been told to run it. `size`: 0 keeps only
    these.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._statements: OrderedDict[str, Statement] = OrderedDict()
        self._pins: dict[str, int] = {}
        self.evicted: list[bytes] = []

    def get(self, query: str) -> Statement | None:
        statement = self._statements.get(query)
        if statement is not None:
            self._statements.move_to_end(query)
        return statement

    def put(self, statement: Statement) -> None:
        """Keep `statement`; the one that was used the longest ago may have to leave for it."""
        self.remove(statement.query)
        self._statements[statement.query] = statement
        self._shrink()

    def pin(self, query: str) -> None:
        """Let the statement of `query` stay until `unpin` was called as often."""
        self._pins[query] = self._pins.get(query, 0) + 1

    def unpin(self, query: str) -> bool:
        """Undo one `pin`; whether it was the last one."""
        pins = self._pins[query] - 1
        if pins:
            self._pins[query] = pins
            return False
        del self._pins[query]
        self._shrink()
        return True

    def _shrink(self) -> None:
        surplus = len(self._statements) - self.size
        if surplus <= 0:
            return
        oldest = [query for query in self._statements if query not in self._pins]
        for query in oldest[:surplus]:
            self.remove(query)

    def remove(self, query: str) -> None:
        """Forget a statement."""
        statement = self._statements.pop(query, None)
        if statement is not None:
            self.evicted.append(statement.name)

    def take_evicted(self) -> tuple[bytes, ...]:
        """The names the server may forget; whoever takes them tells it."""
        names = tuple(self.evicted)
        self.evicted.clear()
        return names

    def __len__(self) -> int:
        return len(self._statements)
