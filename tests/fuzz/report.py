"""What a run found, as a table, and the inputs to find it again with."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from pathlib import Path

from fuzz.target import FINDINGS

# How many findings of one target and kind are told and kept.
EVIDENCE = 5

MIB = 1 << 20


class Report:
    """Gathers what the jobs tell; `findings` counts by kind. `folder`: where inputs are kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._told: Counter[tuple[str, str]] = Counter()
        self._rows: dict[tuple[str, str], tuple[int, float, Counter[str]]] = {}
        self._peaks: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()

    def add(self, job: str, target: str, inputs: int, seconds: float, kinds: Counter[str]) -> None:
        """So much more was done."""
        with self._lock:
            before = self._rows.get((job, target), (0, 0.0, Counter[str]()))
            self._rows[job, target] = before[0] + inputs, before[1] + seconds, before[2] + kinds

    def peak(self, job: str, size: int) -> None:
        """The process has had so many bytes of memory."""
        self._peaks[job] = max(self._peaks[job], size)

    def find(self, job: str, target: str, kind: str, detail: str, data: bytes) -> None:
        """Tell of a finding, and keep the input."""
        with self._lock:
            self.findings[kind] += 1
            self._told[target, kind] += 1
            if self._told[target, kind] > EVIDENCE:
                return
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"{kind.upper()} {target}, {job}: {detail[:2000]}", flush=True)
            print(f"    again: make fuzz ARGS='--reproduce {path}'", flush=True)

    @property
    def inputs(self) -> int:
        return sum(inputs for inputs, _, _ in self._rows.values())

    def lines(self) -> list[str]:
        """The table."""
        lines = [f"{'':12} {'target':12} {'inputs':>10} {'a second':>9}  outcomes"]
        for (job, target), (inputs, seconds, kinds) in self._rows.items():
            outcomes = " ".join(f"{kind}={count}" for kind, count in kinds.most_common())
            speed = inputs / seconds if seconds else 0
            lines.append(f"{job:12} {target:12} {inputs:10,} {speed:9,.0f}  {outcomes}")
        counts = " ".join(f"{NAMES[kind]}={self.findings[kind]}" for kind in FINDINGS)
        peaks = ", ".join(f"{job} {size // MIB} MiB" for job, size in self._peaks.items())
        return [*lines, f"inputs={self.inputs:,} {counts}; peak memory: {peaks}"]


NAMES = {"crash": "crashes", "hang": "hangs", "memory": "memory", "untyped": "untyped"} | {
    "wrong": "wrong"
}
