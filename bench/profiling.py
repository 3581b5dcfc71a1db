"""What takes the time in a work: recorded by the best tool that is there, while the work runs."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.drivers import load
from bench.drivers.driver import Driver
from bench.works import WORKS


class ProfilingError(Exception):
    """Nothing can be recorded of this."""


@dataclass(frozen=True)
class Subject:
    """What is recorded: a work, by its name, with a driver on an event loop, for some seconds."""

    work: str
    driver: str
    loop: str
    dsn: str
    seconds: float

    @property
    def command(self) -> list[str]:
        """What Python runs."""
        told = (self.work, self.driver, self.loop, str(self.seconds), self.dsn)
        return ["-m", "bench.alone", *told]


@dataclass(frozen=True)
class Tool:
    """A profiler.

    Args:
        name: of the program, and of the ending of its files.
        before: what stands in front of Python; `{path}` is where it writes to.
        options: what stands behind it.
        reading: how its file is read.
    """

    name: str
    before: Sequence[str]
    options: Sequence[str]
    reading: Sequence[str]

    @property
    def is_usable(self) -> bool:
        """Whether it is there, and may look at programs."""
        if not self.before:
            return True
        if shutil.which(self.name) is None:
            return False
        command = [part.format(path=os.devnull) for part in self.before]
        return subprocess.run([*command, "true"], capture_output=True).returncode == 0


# The best one first.
TOOLS = (
    Tool(
        "perf",
        ("perf", "record", "--quiet", "--call-graph", "fp", "--output", "{path}", "--"),
        (),
        ("perf report --no-children -i {path}", "perf report --children -i {path}"),
    ),
    Tool(
        "valgrind",
        ("valgrind", "--quiet", "--tool=callgrind", "--callgrind-out-file={path}", "--"),
        (),
        ("callgrind_annotate {path}", "kcachegrind {path}"),
    ),
    Tool(
        "cProfile",
        (),
        ("-m", "cProfile", "-o", "{path}"),
        ("python -m pstats {path}    # then: sort tottime, stats 30",),
    ),
)


def profile(subject: Subject, folder: Path, tools: Sequence[Tool] = TOOLS) -> str:
    """Record where the time goes while the subject runs; the way to read it.

    Args:
        folder: where the profiler's file goes.

    Raises:
        ProfilingError: the driver is no Python, does not do this work, or the program failed.
    """
    driver = load(subject.driver)
    if not isinstance(driver, Driver):
        raise ProfilingError(f"{subject.driver} runs by itself: use the profilers of its language")
    if not driver.supports(WORKS[subject.work]):
        raise ProfilingError(f"{subject.driver} does not take part in {subject.work}")
    tool = next(tool for tool in tools if tool.is_usable)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{subject.work}-{subject.driver}-{subject.loop}.{tool.name}"
    before = [part.format(path=path) for part in tool.before]
    options = [part.format(path=path) for part in tool.options]
    command = [*before, sys.executable, "-P", *options, *subject.command]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ProfilingError(f"{tool.name} ended with exit status {done.returncode}")
    ways = "\n".join(f"    {way.format(path=path)}" for way in tool.reading)
    return f"{done.stdout}{tool.name} recorded it, with Python's start. Read it by\n{ways}"
