"""`Ledger`: the counted table, and what must be in it.

Every operation that writes has a nonce of its own and numbers its rows by `step`. What it may have
left behind is known from how it ended: an acknowledged one all of its rows, each once; one whose
outcome is unknown what its transactions allow; one that provably never reached the server nothing.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from chaos.administrator import Administrator

# The steps that are there for one nonce, in ascending order.
Steps = tuple[int, ...]

NOTHING: Collection[Steps] = ((),)

TABLE = """
    DROP TABLE IF EXISTS {table};
    CREATE TABLE {table} (nonce int NOT NULL, step int NOT NULL)
"""

ROWS = """
    SELECT nonce, array_agg(step ORDER BY step), array_agg(DISTINCT xmin::text)
    FROM {table} GROUP BY nonce
"""


class Faults(NamedTuple):
    """What the table must not hold; a description each."""

    doubled: list[str]  # a step that is there twice
    lost: list[str]  # acknowledged, and not there
    torn: list[str]  # part of a transaction, or what was said never to have been sent
    mixed: list[str]  # rows of two operations that one transaction has stored


class Ledger:
    """What is expected of the rows of each nonce."""

    def __init__(self, table: str) -> None:
        self.table = table
        self._expected: dict[int, tuple[str, Collection[Steps], bool]] = {}

    async def create(self, administrator: Administrator) -> None:
        await administrator.run(TABLE.format(table=self.table))

    def expect(
        self, nonce: int, name: str, allowed: Collection[Steps], *, acknowledged: bool = False
    ) -> None:
        """One of the `allowed` combinations of steps must be there for this nonce."""
        self._expected[nonce] = name, allowed, acknowledged

    async def check(self, administrator: Administrator) -> Faults:
        """Compare the table with what is expected, then empty both."""
        rows = await administrator.ask(ROWS.format(table=self.table))
        found: dict[int, Steps] = {}
        writers: dict[str, list[int]] = {}
        for nonce, steps, transactions in rows:
            found[nonce] = tuple(steps)
            for transaction in transactions:
                writers.setdefault(transaction, []).append(nonce)
        faults = self._compare(found)
        faults.mixed.extend(
            f"transaction {transaction} has rows of {[self._name(nonce) for nonce in nonces]}"
            for transaction, nonces in writers.items()
            if len(nonces) > 1
        )
        await administrator.run(f"TRUNCATE {self.table}")
        self._expected.clear()
        return faults

    def _compare(self, found: dict[int, Steps]) -> Faults:
        faults = Faults([], [], [], [])
        for nonce in found.keys() | self._expected.keys():
            steps = found.get(nonce, ())
            _, allowed, acknowledged = self._expected.get(nonce, ("", NOTHING, False))
            if steps in allowed:
                continue
            text = f"{self._name(nonce)} left the steps {steps}, expected one of {list(allowed)}"
            if len(set(steps)) < len(steps):
                faults.doubled.append(text)
            elif acknowledged and all(len(steps) < len(complete) for complete in allowed):
                faults.lost.append(text)
            else:
                faults.torn.append(text)
        return faults

    def _name(self, nonce: int) -> str:
        name = self._expected[nonce][0] if nonce in self._expected else "nobody's"
        return f"{name} {nonce}"
