"""What the run prints: a line for each family or each probe, every fault, and the sum."""

from __future__ import annotations

import dataclasses

from hostile.catalogue import families, find
from hostile.probe import Probe
from hostile.trial import Result

# The bounds of a probe that names none.
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Probe)}


class Report:
    """Prints results as they come, and adds them up."""

    def __init__(self, title: str, verbose: bool) -> None:
        self.results: list[Result] = []
        self.crashes = 0
        self.hangs = 0
        self._verbose = verbose
        self._family = ""
        print(title, flush=True)

    @property
    def good(self) -> bool:
        """Whether nothing was wrong."""
        return bool(self.results) and not any(result.faults for result in self.results)

    def add(self, result: Result) -> None:
        """A probe was held."""
        self._enter(result.key)
        self.hangs += result.hung
        self.results.append(result)
        if self._verbose:
            name = result.key.partition(": ")[2]
            print(f"    {self._figures(result)}  {name}: {result.outcome}", flush=True)
        if result.faults:
            print(f"    WRONG: {result.key}", flush=True)
            for fault in result.faults:
                print(f"        {fault}", flush=True)

    def add_crash(self, key: str, how: str) -> None:
        """The process that held it is dead."""
        self.crashes += 1
        self.add(self._lost(key, f"the process crashed: {how}"))

    def add_hang(self, key: str, seconds: float) -> None:
        """The process that held it did not come back."""
        result = self._lost(key, f"the process hung for {seconds:g} s")
        result.hung = True
        self.add(result)

    def finish(self) -> None:
        """Print the sum."""
        self._leave()
        print(self.sum(), flush=True)

    def sum(self) -> str:
        parts = []
        for word, refused in (("refused", True), ("survived", False)):
            these = [result for result in self.results if result.refused is refused]
            good = sum(not result.faults for result in these)
            parts.append(f"{word} {good}/{len(these)}")
        untyped = sum(not result.typed for result in self.results)
        again = sum(result.again for result in self.results)
        parts.append(f"crashes={self.crashes} hangs={self.hangs} untyped={untyped} again={again}")
        parts += self._worst("peak memory", "megabytes", "{:.1f} MiB", 1.0)
        parts += self._worst("longest block", "block", "{:.0f} ms", 1000.0)
        return "  ".join(parts)

    def _worst(self, what: str, name: str, form: str, factor: float) -> list[str]:
        """The largest of a figure, and where a probe allows more than usual the largest there."""
        default = DEFAULTS[name]
        found = []
        for words, more in ((what, False), ("where more is allowed", True)):
            values = [
                (value, result.key)
                for result in self.results
                if (getattr(find(result.key), name) > default) is more
                and (value := getattr(result, name)) is not None
            ]
            if values:
                value, key = max(values)
                found.append(f"{words} {form.format(factor * value)} ({key})")
        return [", ".join(found) or f"{what} unknown: this system does not tell"]

    def _lost(self, key: str, fault: str) -> Result:
        refused = find(key).error is not None
        return Result(key, refused, outcome=fault, faults=[fault])

    def _enter(self, key: str) -> None:
        family = key.partition(": ")[0]
        if family != self._family:
            self._leave()
            self._family = family
            if self._verbose:
                print(f"  {family}", flush=True)

    def _leave(self) -> None:
        """Say what came of the family that is over."""
        if self._verbose or not self._family:
            return
        these = [each for each in self.results if each.key.startswith(f"{self._family}: ")]
        good = sum(not result.faults for result in these)
        seconds = sum(result.seconds for result in these)
        memory = max((result.megabytes or 0.0) for result in these)
        block = max(result.block for result in these)
        width = max(map(len, families()))
        print(
            f"  {self._family:<{width}}  {good:>3}/{len(these):<3}"
            f"  {memory:6.1f} MiB  {1000 * block:4.0f} ms block  {seconds:5.1f} s",
            flush=True,
        )

    @staticmethod
    def _figures(result: Result) -> str:
        memory = "  ? MiB" if result.megabytes is None else f"{result.megabytes:5.1f} MiB"
        return f"{1000 * result.seconds:5.0f} ms  {memory}  {1000 * result.block:4.0f} ms block"
