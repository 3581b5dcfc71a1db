"""`Figures`: what one line of the suite found, in one line of text, and whether it is good."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

# How many cases of each kind of fault are told in full.
EVIDENCE_PER_FIGURE = 5


class Figures:
    """The figures of one line, in the order in which they were found.

    Those given to `zero`, `below` and `at_least` have to be so; `wrong` lists those that are not.
    """

    def __init__(self, line: int, title: str) -> None:
        self.line = line
        self.title = title
        self.wrong: list[str] = []
        self._values: dict[str, str] = {}
        self._start = time.monotonic()

    def show(self, name: str, value: object) -> None:
        """A figure that may be anything."""
        if isinstance(value, float):
            value = f"{value:.3g}" if value < 1 else f"{value:.1f}"
        self._values[name] = str(value)

    def zero(self, name: str, cases: int | Sequence[object]) -> None:
        """A number of faults, or the faults themselves: there may be none."""
        count = cases if isinstance(cases, int) else len(cases)
        self.show(name, count)
        if count:
            self.wrong.append(f"{name}={count}, must be 0")
        if not isinstance(cases, int):
            self.wrong += [f"  {name}: {case}" for case in cases[:EVIDENCE_PER_FIGURE]]

    def below(self, name: str, value: float, limit: float) -> None:
        """A figure with an upper limit."""
        self.show(name, value)
        if not value < limit:
            self.wrong.append(f"{name}={value:.3g}, must be below {limit:g}")

    def at_least(self, name: str, value: int, least: int) -> None:
        """A figure that shows that the line did what it is for.

        Under the sanitizers (PGALLOP_TEST_UNBOUNDED) it is only shown: what has to coincide rarely
        does when one side is slow.
        """
        self.show(name, value)
        if value < least and os.environ.get("PGALLOP_TEST_UNBOUNDED") != "1":
            self.wrong.append(f"{name}={value}, must be at least {least}")

    def finish(self) -> Figures:
        """Add the time that it took; returns itself."""
        self.show("seconds", round(time.monotonic() - self._start))
        return self

    def __str__(self) -> str:
        figures = " ".join(f"{name}={value}" for name, value in self._values.items())
        return f"line {self.line} {self.title}: {figures}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent of the values do not exceed; 0.0 of none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
