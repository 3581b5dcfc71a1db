"""Search the model of the conversation with spin: it has to hold, and each of its variants to fail.

    python model/check.py                  what every change has to pass
    python model/check.py --all            larger searches too
    python model/check.py block NO_HOLD    only these
    python model/check.py --trail NO_HOLD  a counterexample, step by step

A search passes if it was complete and found nothing. A variant has one rule broken and passes if it
fails with the property that the rule is there for. A cover asserts that something never happens and
passes if it does happen, so that the model does not hold for want of anything to go wrong. Needs
spin and a C compiler. Sources, searches and trails stay in `build/model/<name>/`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

MODEL = Path(__file__).parent
FIRST = "conversation.pml"  # it includes the others
FOLDER = Path(__file__).parent.parent / "build" / "model"

MEMORY_MB = 2000  # per search
MAX_DEPTH = 5000  # steps of a run; the longest so far has under 600, and a longer one is told of
PATIENCE_SECONDS = 600  # per search

INVALID_END = "invalid end state"
CYCLE = "non-progress cycle"

SHARED = ("CALLERS_OF=SHARED",)
BLOCK = ("CALLERS_OF=BLOCK", "SIGNALS=1")
TURNS = ("CALLERS_OF=TURNS", "SIGNALS=1")
FAMILY = ("CALLERS_OF=FAMILY",)
PREPARING = ("CALLERS_OF=PREPARING", "SIGNALS=1")
FLOW = ("CALLERS_OF=FLOW",)


class Kind(Enum):
    SOUND = "model"
    ENDING = "ending"
    VARIANT = "variant"
    COVER = "cover"


@dataclass(frozen=True)
class Check:
    """One search: its `definitions` for the preprocessor, and the property `expected` to fail."""

    name: str
    kind: Kind
    definitions: tuple[str, ...]
    expected: str = ""


@dataclass(frozen=True)
class Verdict:
    """What pan found. `failed`: the property that did not hold; `complete`: all was searched."""

    states: int
    depth: int
    errors: int
    failed: str
    complete: bool


SOUND = {
    "shared": SHARED,
    "block": BLOCK,
    "turns": TURNS,
    "family": FAMILY,
    "preparing": PREPARING,
    "flow": (*FLOW, "CAPACITY=2", "HIGH_WATER=2", "LOSS=1"),
    "shared-lossy": (*SHARED, "SIGNALS=1", "LOSS=1"),
    "shared-administrator": (*SHARED, "SIGNALS=1", "ADMINISTRATOR=1"),
}

# Searches of a minute and of nearly all the memory.
LARGE = {
    "block-signals": ("CALLERS_OF=BLOCK", "SIGNALS=2"),
    "block-lossy": (*BLOCK, "LOSS=1"),
    "block-administrator": (*BLOCK, "ADMINISTRATOR=1"),
    "turns-lossy": (*TURNS, "LOSS=1"),
    "preparing-signals": ("CALLERS_OF=PREPARING", "SIGNALS=2", "LOSS=1"),
}

# That no run goes on for ever. As none ends badly either, every caller is answered.
ENDING = ("flow", "preparing", "turns")
LARGE_ENDING = ("shared", "block")

OTHERS_CANCELLED = "only_administrators_cancel_others"
STRAYED = "runs_in_its_own_transaction"

VARIANTS = {
    "NO_HOLD": (SHARED, OTHERS_CANCELLED),
    "NO_EOF": (SHARED, OTHERS_CANCELLED),
    "LOST_IS_EOF": (SHARED, OTHERS_CANCELLED),
    "TWO_CANCELS": (SHARED, OTHERS_CANCELLED),
    "NO_WINDOW": (SHARED, OTHERS_CANCELLED),
    "EXPOSED_IF_SENT": (SHARED, OTHERS_CANCELLED),
    "RERUN_ANY": (SHARED, "takes_effect_once"),
    "RERUN_IN_TRANSACTION": (TURNS, STRAYED),
    "RERUN_AT_ONCE": (TURNS, STRAYED),
    "BEGIN_ALONE": (BLOCK, STRAYED),
    "COMMIT_BEHIND_BEGIN": (BLOCK, "commit_means_committed"),
    "NO_ROLLBACK": (BLOCK, STRAYED),
    "DROP_BEGIN": (BLOCK, STRAYED),
    "DROP_COMMIT": (BLOCK, INVALID_END),
    "RELEASE_EARLY": (BLOCK, STRAYED),
    "END_IS_ANSWER": (BLOCK, "end_means_ended"),
    "LATE_JOIN": (BLOCK, STRAYED),
    "DROP_SENT": (SHARED, "reply_is_the_heads"),
    "DROP_PARSE": (PREPARING, INVALID_END),
    "EXECUTE_EARLY": (PREPARING, "executes_what_was_parsed"),
    "NO_DRAIN_TIMEOUT": (SHARED, INVALID_END),
    "BLOCKING_SEND": (FLOW, INVALID_END),
    "RETRY_SENT": (SHARED, "safe_to_retry_means_never_ran"),
}

COVERS = {
    "RERUN": SHARED,
    "COLLATERAL": SHARED,
    "HIT_TWICE": SHARED,
    "LATE_HIT": SHARED,
    "REPEATED": SHARED,
    "HELD_BACK": SHARED,
    "DROPPED": SHARED,
    "ABANDONED_BEGIN": BLOCK,
    "ROLLED_BACK_AGAIN": BLOCK,
    "ABORTED_COMMIT": BLOCK,
    "COMMITTED": BLOCK,
    "REFUSED": BLOCK,
    "DRAIN_ABORTED": SHARED,
    "PREPARED_FOR_ALL": PREPARING,
    "PREPARED_AGAIN": PREPARING,
    "STRAY_HIT": SHARED,
    "SAFE_TO_RETRY": SHARED,
    "NOT_OUR_SIGNAL": (*SHARED, "ADMINISTRATOR=1"),
    "COLLATERAL_IN_BLOCK": FAMILY,
    "COLLATERAL_END": BLOCK,
    "PREPARE_RERUN": PREPARING,
}


def checks(large: bool) -> list[Check]:
    """All of them, in the order of the table; the `large` ones on demand."""
    sound = {**SOUND, **LARGE} if large else SOUND
    ending = (*ENDING, *LARGE_ENDING) if large else ENDING
    return [
        *(Check(name, Kind.SOUND, definitions) for name, definitions in sound.items()),
        *(Check(f"ending-{name}", Kind.ENDING, SOUND[name]) for name in ending),
        *(
            Check(name, Kind.VARIANT, (*definitions, f"BROKEN={name}"), failing)
            for name, (definitions, failing) in VARIANTS.items()
        ),
        *(
            Check(name, Kind.COVER, (*definitions, f"COVER={name}"), "never_happens")
            for name, definitions in COVERS.items()
        ),
    ]


def parse(output: str) -> Verdict:
    """Read what pan prints; a search that was cut off by any limit is not complete."""
    states = re.search(r"^ *(\d+) states, stored", output, re.MULTILINE)
    depth = re.search(r"depth reached (\d+), errors: (\d+)", output)
    if states is None or depth is None:
        raise ValueError(f"pan did not report on its search:\n{output}")
    failure = re.search(r"^pan:\d+: (?:assertion violated )?(.+) \(at depth", output, re.MULTILINE)
    # `max search depth too small` comes without a warning that the search is incomplete.
    cut = ("Search not completed", "max search depth too small", "out of memory", "-DMEMLIM")
    return Verdict(
        states=int(states[1]),
        depth=int(depth[1]),
        errors=int(depth[2]),
        failed="" if failure is None else failure[1].strip("()"),
        complete=not any(sign in output for sign in cut),
    )


def passes(check: Check, verdict: Verdict) -> bool:
    """Whether the search found what it should, and if that is nothing, looked everywhere."""
    if check.expected:
        return verdict.errors > 0 and verdict.failed == check.expected
    return verdict.errors == 0 and not verdict.failed and verdict.complete


def compile_flags(kind: Kind) -> list[str]:
    # A search that is to find something is over before an optimizing compiler is.
    optimize = "-O2" if kind in (Kind.SOUND, Kind.ENDING) else "-O0"
    # Without labels of progress every cycle is one without progress.
    search = ["-DNP", "-DNOFAIR"] if kind is Kind.ENDING else ["-DSAFETY"]
    return [optimize, "-w", f"-DMEMLIM={MEMORY_MB}", *search]


def run(command: list[str], folder: Path) -> str:
    """Run a program; what it prints. Raises RuntimeError if it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{command[0]} took more than {PATIENCE_SECONDS} seconds") from error
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed in {folder}:\n{done.stdout}")
    return done.stdout


def search(check: Check) -> tuple[Verdict, float]:
    """Build the searching program and run it; the verdict, and how many seconds the search took."""
    folder = FOLDER / check.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for part in MODEL.glob("*.pml"):
        shutil.copy(part, folder)
    run(["spin", *(f"-D{each}" for each in check.definitions), "-a", FIRST], folder)
    run(["cc", *compile_flags(check.kind), "-o", "pan", "pan.c"], folder)
    begin = time.monotonic()
    cycles = ["-l"] if check.kind is Kind.ENDING else []
    output = run(["./pan", *cycles, f"-m{MAX_DEPTH}", "-n"], folder)
    return parse(output), time.monotonic() - begin


def print_trail(check: Check) -> None:
    """Search again, and print the run that was found."""
    verdict, _ = search(check)
    if verdict.errors == 0:
        print(f"{check.name}: the search found nothing")
        return
    definitions = [f"-D{each}" for each in check.definitions]
    print(run(["spin", *definitions, "-t", "-T", "-B", FIRST], FOLDER / check.name))


def report(check: Check, verdict: Verdict, seconds: float) -> bool:
    """Print a line of the table; whether the check has passed."""
    passed = passes(check, verdict)
    found = verdict.failed or ("holds" if verdict.complete else "search cut off")
    print(
        f"{check.kind.value:<8}{check.name:<22}{verdict.states:>10,}{verdict.depth:>7}"
        f"{seconds:>9.1f}  {'ok' if passed else 'WRONG':<6}{found}",
        flush=True,
    )
    return passed


def main() -> int:
    parser = argparse.ArgumentParser(description="Search the model of the conversation with spin.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these")
    parser.add_argument("--all", action="store_true", help="the large searches too")
    parser.add_argument(
        "--sound", action="store_true", help="not the broken variants, nor what they cover"
    )
    parser.add_argument("--trail", action="store_true", help="print the counterexample of a check")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N")
    arguments = parser.parse_args()
    for program in ("spin", "cc"):
        if shutil.which(program) is None:
            parser.error(f"{program} is not installed")
    chosen = checks(arguments.all or bool(arguments.names))
    if arguments.sound:
        chosen = [check for check in chosen if check.kind in (Kind.SOUND, Kind.ENDING)]
    if arguments.names:
        unknown = set(arguments.names) - {check.name for check in chosen}
        if unknown:
            parser.error(f"no such check: {', '.join(sorted(unknown))}")
        chosen = [check for check in chosen if check.name in arguments.names]
    if arguments.trail:
        for check in chosen:
            print_trail(check)
        return 0
    try:
        return search_all(chosen, arguments.jobs)
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def search_all(chosen: list[Check], jobs: int) -> int:
    """Run the checks, so many at a time, and print the table; the exit status."""
    print(f"{'kind':<8}{'name':<22}{'states':>10}{'depth':>7}{'seconds':>9}  {'':<6}verdict")
    begin = time.monotonic()
    failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for check, (verdict, seconds) in zip(chosen, pool.map(search, chosen), strict=True):
            failed += not report(check, verdict, seconds)
    print(f"{len(chosen)} checks in {time.monotonic() - begin:.0f} seconds, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
