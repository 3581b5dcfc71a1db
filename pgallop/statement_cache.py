"""The statements of one connection, by key, the least recently used leaving first."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Collection, Hashable

from pgallop.session.statement import Statement


class StatementCache:
    """At most `size` statements; those that left wait in `evicted` until the server is told.

    A statement's key is its text, or what `prepare()` has returned. While it is pinned it stays,
    however many there are: somebody is about to run it, and the server must not be told to forget
    it before it has been told to run it. `size`: 0 keeps only these. `max_text`: characters of the
    longest text that is kept, 0 for no limit. `lifetime`: seconds after which `expire` lets one go,
    0 for never; `timer`: what will call it. `has_others`: the session may have prepared
    statements that the program has made by PREPARE.
    """

    def __init__(self, size: int, max_text: int = 0, lifetime: float = 0) -> None:
        self.size = size
        self.max_text = max_text
        self.lifetime = lifetime
        self._statements: OrderedDict[Hashable, Statement] = OrderedDict()
        # When each one's lifetime is over, the earliest first; of none that has left: its text may
        # be long, and there may be many.
        self._ends: OrderedDict[Hashable, float] = OrderedDict()
        self._pins: dict[Hashable, int] = {}
        self.evicted: list[bytes] = []
        self.timer: asyncio.TimerHandle | None = None
        self.has_others = False

    def get(self, key: Hashable) -> Statement | None:
        statement = self._statements.get(key)
        if statement is not None:
            self._statements.move_to_end(key)
        return statement

    def put(self, statement: Statement, now: float) -> None:
        """Keep `statement`; the one that was used the longest ago may have to leave for it."""
        current = self._statements.get(statement.key)
        if current is not None and current.name != statement.name:
            self.remove(statement.key)
        self._statements[statement.key] = statement
        if self.lifetime:
            self._live_from(statement.key, now)
        self._shrink(statement.key)

    def pin(self, key: Hashable) -> None:
        """Let the statement of `key` stay until `unpin` was called as often."""
        self._pins[key] = self._pins.get(key, 0) + 1

    def unpin(self, key: Hashable) -> bool:
        """Undo one `pin`; whether it was the last one."""
        pins = self._pins[key] - 1
        if pins:
            self._pins[key] = pins
            return False
        del self._pins[key]
        self._shrink(key)
        return True

    def close(self) -> None:
        """The connection is closed: nothing will expire."""
        if self.timer is not None:
            self.timer.cancel()

    def is_pinned(self, key: Hashable) -> bool:
        """Whether somebody is about to run the statement of `key`."""
        return key in self._pins

    def is_too_long(self, text: str) -> bool:
        """Whether a statement of this text is not kept for long."""
        return 0 < self.max_text < len(text)

    def has(self, statement: Statement) -> bool:
        """Whether it is `statement` itself that is kept under its key."""
        return self._statements.get(statement.key) is statement

    def _shrink(self, key: Hashable) -> None:
        """Let go what must not stay, which may be `key`."""
        if isinstance(key, str) and self.is_too_long(key) and key not in self._pins:
            self.remove(key)
        if len(self._statements) <= self.size:
            return
        loose = [key for key in self._statements if key not in self._pins]
        for key in loose[: max(0, len(loose) - self.size)]:
            self.remove(key)

    def expire(self, now: float) -> float | None:
        """Forget what has been kept for its lifetime; when to come again, None if for nothing."""
        while self._ends:
            key, end = next(iter(self._ends.items()))
            if end > now:
                return end
            if key in self._pins:
                self._live_from(key, now)
            else:
                self.remove(key)
        return None

    def _live_from(self, key: Hashable, now: float) -> None:
        self._ends[key] = now + self.lifetime
        self._ends.move_to_end(key)

    def _take_out(self, key: Hashable) -> Statement | None:
        self._ends.pop(key, None)
        return self._statements.pop(key, None)

    def remove(self, key: Hashable) -> None:
        """Forget a statement, and let the server do so."""
        statement = self._take_out(key)
        if statement is not None and statement.name:
            self.evicted.append(statement.name)

    def forget(self, statement: Statement) -> None:
        """`statement` is of no use any more; one that took its place meanwhile stays."""
        current = self._statements.get(statement.key)
        # What was learnt of one with a name of ours has made another one of that name.
        has_name = isinstance(statement.key, str) and statement.name != b""
        if current is statement or (
            has_name and current is not None and current.name == statement.name
        ):
            self.remove(statement.key)

    def drop(self, statement: Statement) -> None:
        """`statement` was never made: the server has nothing to forget."""
        if self._statements.get(statement.key) is statement:
            self._take_out(statement.key)

    def clear(self, forgotten: bool) -> None:
        """Forget all that are prepared by now; `forgotten`: the server has done so already."""
        for key, statement in list(self._statements.items()):
            if statement.prepare is not None:
                continue
            if forgotten:
                self._take_out(key)
            else:
                self.remove(key)

    def outdate(self) -> None:
        """Have all bound anew before they are run again: types have other codecs now."""
        for statement in self._statements.values():
            statement.outdate()

    def forget_naming(self, names: Collection[str]) -> None:
        """Forget all that are prepared by now with any of these names in their text."""
        if not names:
            return
        # A name in small letters may stand there in others.
        found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, names))})(?!\w)", re.IGNORECASE)
        for key, statement in list(self._statements.items()):
            if statement.prepare is None and found.search(statement.query):
                self.remove(key)

    def take_evicted(self) -> tuple[bytes, ...]:
        """The names the server may forget; whoever takes them tells it."""
        names = tuple(self.evicted)
        self.evicted.clear()
        return names

    def __len__(self) -> int:
        return len(self._statements)
