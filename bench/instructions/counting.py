"""Runs the operations under callgrind and adds up what it has counted.

`--dump-before=getppid`: whenever the client calls that, callgrind writes what it has counted since
the last time. So one process counts all operations, and what it takes to start it counts for none.
"""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pgallop
from bench.instructions.operations import OPERATIONS
from bench.instructions.server import serve

MARKER = "getppid"

_TIMEOUT = 600.0


class CountingError(Exception):
    """Nothing could be counted."""


@dataclass(frozen=True)
class Count:
    """The instructions that one operation takes.

    Args:
        own: those of pgallop's compiled modules themselves.
        total: all of the process, the interpreter and the event loop included.
    """

    own: int
    total: int


def count(profile: Path | None = None) -> dict[str, Count]:
    """Count the instructions of each operation.

    Args:
        profile: a folder for callgrind's files, one an operation, for `callgrind_annotate`.

    Raises:
        CountingError: there is no valgrind, or the client has failed.
    """
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise CountingError("valgrind is not installed: `apt-get install valgrind`")
    with tempfile.TemporaryDirectory() as folder, _serving(Path(folder)):
        _run(valgrind, Path(folder))
        dumps = sorted(Path(folder).glob("counts.*"), key=_number)
        # What came before the first operation, and one for each of them.
        if len(dumps) != len(OPERATIONS) + 1:
            raise CountingError(f"{len(dumps)} dumps of {len(OPERATIONS)} operations")
        counts = {}
        for dump, (name, operation) in zip(dumps[1:], OPERATIONS.items(), strict=True):
            own, total = costs(dump.read_text(), Path(pgallop.__file__).parent)
            times = operation.times * operation.weight
            counts[name] = Count(own // times, total // times)
            if profile is not None:
                shutil.copy(dump, profile / f"callgrind.{name}")
        return counts


@contextmanager
def _serving(folder: Path) -> Iterator[None]:
    path = folder / ".s.PGSQL.5432"
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(path,), daemon=True)
    process.start()
    try:
        deadline = time.monotonic() + 30
        while not path.exists():
            if not process.is_alive() or time.monotonic() > deadline:
                raise CountingError("the scripted server does not start")
            time.sleep(0.02)
        yield
    finally:
        process.kill()
        process.join()


def _run(valgrind: str, folder: Path) -> None:
    command = [
        *(valgrind, "--tool=callgrind", f"--dump-before={MARKER}"),
        f"--callgrind-out-file={folder / 'counts'}",
        *(sys.executable, "-P", "-m", "bench.instructions.operations", str(folder)),
    ]
    # Hashes of texts decide how their dictionaries are searched.
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired:
        raise CountingError(f"the operations take more than {_TIMEOUT:g} s") from None
    if done.returncode:
        raise CountingError(f"the client has failed:\n{done.stderr[-2000:]}")


def _number(dump: Path) -> int:
    """The place of a dump among the others."""
    return int(dump.suffix.removeprefix("."))


_COST = re.compile(r"[\d*+-]\d* (\d+)")
_OBJECT = re.compile(r"ob=\((\d+)\)(?: (.*))?")


def costs(dump: str, package: Path) -> tuple[int, int]:
    """What one of callgrind's files tells: the cost of the modules in `package`, and all of it.

    A line of costs is a position and a number; behind `calls=` it is that of the function that was
    called, which is told there again. `ob=` names the file of the functions that follow, by a
    number if it was named before.

    Source: Valgrind's manual, "Callgrind Format Specification".
    """
    objects: dict[str, str] = {}
    own = total = 0
    is_ours = is_call = False
    for line in dump.splitlines():
        if match := _COST.fullmatch(line):
            if not is_call:
                cost = int(match[1])
                total += cost
                own += cost * is_ours
            is_call = False
        elif line.startswith("calls="):
            is_call = True
        elif match := _OBJECT.fullmatch(line.removeprefix("c")):
            number, name = match.groups()
            if name is not None:
                objects[number] = name
            if line.startswith("ob="):
                is_ours = objects[number].startswith(f"{package}{os.sep}")
    return own, total
