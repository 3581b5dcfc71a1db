"""The processes that do the work, each watched by a thread."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzz.report import MIB, Report
from fuzz.worker import Slate

CHECKOUT = Path(__file__).parents[2]

# Crashes after which a job gives up.
MAX_CRASHES = 20


def environment(tree: Path | None) -> dict[str, str]:
    """That of this process, with pgallop from another `tree`."""
    if tree is None:
        return dict(os.environ)
    kept = [
        entry
        for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep)
        if entry and not Path(entry, "pgallop").exists()
    ]
    path = os.pathsep.join([str(tree.resolve()), str(CHECKOUT), *kept])
    return {**os.environ, "PYTHONPATH": path}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-X", "faulthandler", "-m", "tests.fuzz", *arguments]


class Mutation:
    """Inputs of our own mutator, run in a process that is begun anew when one has killed it.

    `module`: where the `targets` are defined. `patience`: seconds after which an input is not
    waited for any longer. (What takes a second of CPU time the process notices by itself.)
    """

    def __init__(
        self,
        report: Report,
        tree: Path | None,
        targets: Sequence[str],
        module: str,
        patience: float,
    ) -> None:
        self._report = report
        self._environment = environment(tree)
        self._targets = targets
        self._module = module
        self._patience = patience
        self._mode = "?"
        self._tallies: dict[str, Any] = {}

    def run(self, seconds: float, inputs: int, seed: int) -> None:
        """Go on for so long, or for so many inputs."""
        end = time.monotonic() + seconds
        crashes = 0
        with tempfile.TemporaryDirectory() as folder:
            slate = Slate(Path(folder, "slate"))
            while crashes < MAX_CRASHES and (left := end - time.monotonic()) > 0 and inputs > 0:
                status, stuck = self._run_process(slate, Path(folder, "slate"), left, inputs, seed)
                inputs -= self._add_up()
                if status == 0:
                    break
                current = slate.read()
                if current.number == 0:
                    self._report.find("?", "all", "crash", f"never began: status {status}", b"")
                    break
                target = self._targets[current.target]
                if stuck:
                    kind, detail = "hang", f"{self._patience:.0f} seconds and no end"
                else:
                    kind, detail = "crash", f"the process ended with status {status}"
                self._report.find(self._mode, target, kind, detail, current.data)
                crashes += 1
                seed += 1
            slate.close()

    def _run_process(
        self, slate: Slate, path: Path, seconds: float, inputs: int, seed: int
    ) -> tuple[int, bool]:
        """Run one process to its end; its status, and whether it had to be killed."""
        arguments = [f"--worker={path}", f"--seconds={seconds}", f"--inputs={inputs}"]
        arguments += [f"--targets={self._module}", f"--seed={seed}"]
        arguments += [f"--target={name}" for name in self._targets]
        self._tallies = {}
        slate.clear()
        with subprocess.Popen(
            command(*arguments),
            cwd=CHECKOUT,
            env=self._environment,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ) as process:
            over = threading.Event()
            stuck = threading.Event()
            watcher = threading.Thread(
                target=watch, args=(process, slate, self._patience, over, stuck)
            )
            watcher.start()
            assert process.stdout is not None
            for line in process.stdout:
                self._hear(json.loads(line))
            status = process.wait()
            over.set()
            watcher.join()
        return status, stuck.is_set()

    def _hear(self, words: dict[str, Any]) -> None:
        self._mode = words.get("mode", self._mode)
        if "finding" in words:
            target, kind, detail, data = words["finding"]
            self._report.find(self._mode, target, kind, detail, bytes.fromhex(data))
        if "tallies" in words:
            self._tallies = words["tallies"]
            self._report.peak(self._mode, words["peak"])

    def _add_up(self) -> int:
        """Report what the process has told last; how many inputs that is."""
        for target, (inputs, seconds, kinds) in self._tallies.items():
            self._report.add(self._mode, target, inputs, seconds, Counter(kinds))
        return sum(inputs for inputs, _, _ in self._tallies.values())


def watch(
    process: subprocess.Popen[str],
    slate: Slate,
    patience: float,
    over: threading.Event,
    stuck: threading.Event,
) -> None:
    """Kill a process that does not get on, once it has begun."""
    number = 0
    while not over.wait(patience):
        now = slate.read().number
        if now == number > 0:
            stuck.set()
            process.kill()
            return
        number = now


class Coverage:
    """Inputs that atheris finds by what they reach, one target after the other."""

    def __init__(self, report: Report, tree: Path, shares: dict[str, int], folder: Path) -> None:
        self._report = report
        self._environment = environment(tree)
        self._shares = shares
        self._folder = folder / "coverage"

    def run(self, seconds: float, seed: int) -> None:
        """Go on for so long."""
        for name, share in self._shares.items():
            self._run_target(name, seconds * share / sum(self._shares.values()), seed)

    def _run_target(self, name: str, seconds: float, seed: int) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        log = self._folder / f"{name}.log"
        known = set(self._folder.glob(f"{name}-*"))
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as corpus, log.open("wb") as output:
            arguments = [f"--coverage={corpus}", f"--target={name}", f"--folder={self._folder}"]
            arguments += [f"--seconds={max(1, round(seconds))}", f"--seed={seed}"]
            process = subprocess.run(
                command(*arguments),
                cwd=CHECKOUT,
                env=self._environment,
                stdout=output,
                stderr=output,
                check=False,
            )
        told = log.read_text(encoding="utf-8", errors="replace")
        took = time.monotonic() - start
        self._report.add(
            "coverage", name, figure(told, "number_of_executed_units"), took, Counter()
        )
        self._report.peak("coverage", figure(told, "peak_rss_mb") * MIB)
        if process.returncode != 0:
            self._tell(name, set(self._folder.glob(f"{name}-*")) - known, told, process.returncode)

    def _tell(self, name: str, artifacts: set[Path], told: str, status: int) -> None:
        found = re.search(r"^(?:fuzz\.target\.)?Finding: (\w+): (.*)", told, re.MULTILINE)
        kind, detail = found.groups() if found else ("crash", f"ended with status {status}")
        for path in artifacts:
            data = path.read_bytes()
            path.unlink()
            self._report.find("coverage", name, kind, detail, data)
        if not artifacts:
            self._report.find("coverage", name, "crash", f"{detail}\n{told[-2000:]}", b"")


def figure(told: str, name: str) -> int:
    """One of libFuzzer's final figures."""
    found = re.search(rf"^stat::{name}: +(\d+)", told, re.MULTILINE)
    return int(found[1]) if found else 0
