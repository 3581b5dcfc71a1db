"""`python -m tests.hostile`: hold the probes, print what came of them, tell whether all is well.

They are held in a process of their own, which tells of each: one that crashes or hangs is counted,
and the next ones go on in a new process.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from event_loops import LOOPS
from hostile.catalogue import keys
from hostile.lines import LINES
from hostile.report import Report
from hostile.server import HostileServer, environment
from hostile.trial import Result, frozen_heap, hold

import pgallop

# A process that says nothing for so long hangs.
WATCHDOG_SECONDS = 30.0

WORKER = (
    *(sys.executable, "-P", "-W", "error", "-X", "faulthandler"),
    *("-m", "hostile.command", "--worker"),
)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.hostile", description="Servers that lie, and what the driver does."
    )
    parser.add_argument(
        "--probe",
        metavar="TEXT",
        action="append",
        help="hold only those with TEXT in `family: name`; may be given several times",
    )
    parser.add_argument(
        "--line",
        choices=sorted(LINES),
        action="append",
        help="run only this one: a server that is cut short or in pieces everywhere",
    )
    parser.add_argument("--list", action="store_true", help="name them, and hold none")
    parser.add_argument("--loop", choices=sorted(LOOPS), default="asyncio")
    parser.add_argument("--verbose", "-v", action="store_true", help="a line for each probe")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the results there, too")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def chosen(texts: Sequence[str] | None) -> list[str]:
    return [key for key in keys() if not texts or any(text in key for text in texts)]


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.worker:
        work(json.loads(sys.stdin.read()), options.loop, sys.stdout)
        return 0
    probes = chosen(options.probe)
    if options.list:
        print("\n".join(probes))
        return 0
    if not probes:
        print("no probe is called that", file=sys.stderr)
        return 2
    mode = "compiled" if pgallop.__compiled__ else "interpreted"
    report = Report(f"pgallop {mode}, {options.loop}", options.verbose)
    good = True
    if options.probe or not options.line:
        asyncio.run(supervise(probes, options.loop, report))
        report.finish()
        good = report.good
    if options.json is not None:
        results = [dataclasses.asdict(result) for result in report.results]
        options.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    if options.line or not options.probe:
        good = run_lines(options.loop, options.line or list(LINES)) and good
    return 0 if good else 1


def run_lines(loop: str, names: Sequence[str]) -> bool:
    """Have these lines run in a process of their own; whether they are good."""
    command = [sys.executable, "-P", "-W", "error", "-X", "faulthandler", "-m", "hostile.lines"]
    code = subprocess.run([*command, loop, *names], env=environment()).returncode
    if code < 0:
        print(f"    WRONG: the process crashed: {ended(code)}", flush=True)
    return code == 0


def work(probes: Sequence[str], loop: str, answers: IO[str]) -> None:
    """Hold these probes, and tell what came of each."""
    with (
        frozen_heap(),
        HostileServer() as server,
        asyncio.Runner(loop_factory=LOOPS[loop]) as runner,
    ):
        for key in probes:
            result = runner.run(hold(server, key))
            print(json.dumps(dataclasses.asdict(result)), file=answers, flush=True)


async def supervise(probes: Sequence[str], loop: str, report: Report) -> None:
    """Have all of them held, in as many processes as that takes."""
    left = list(probes)
    while left:
        left = await worker(left, loop, report)


async def worker(probes: list[str], loop: str, report: Report) -> list[str]:
    """Have these held in a new process; those that are left when it has ended."""
    left = list(probes)
    process = await asyncio.create_subprocess_exec(
        *WORKER,
        "--loop",
        loop,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(probes).encode())
    process.stdin.close()
    try:
        while line := await asyncio.wait_for(process.stdout.readline(), WATCHDOG_SECONDS):
            report.add(Result(**json.loads(line)))
            left.pop(0)
    except TimeoutError:
        process.kill()
        await process.wait()
        report.add_hang(left.pop(0), WATCHDOG_SECONDS)
    else:
        code = await process.wait()
        if left:
            report.add_crash(left.pop(0), ended(code))
    return left


def ended(code: int) -> str:
    """How a process ended, in words."""
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


if __name__ == "__main__":
    sys.exit(main())
