"""The prepared statements of one connection, by text, the least recently used leaving first."""

from collections import OrderedDict

from pgallop.session.statement import Statement


class StatementCache:
    """At most `size` statements; those that left wait in `evicted` until the server is told.

    `size`: 0 keeps none.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._statements: OrderedDict[str, Statement] = OrderedDict()
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
        while len(self._statements) > self.size:
            _, oldest = self._statements.popitem(last=False)
            self.evicted.append(oldest.name)

    def remove(self, query: str) -> None:
        """Forget a statement that has become invalid."""
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
