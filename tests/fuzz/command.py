"""`python -m tests.fuzz`: fuzz all targets, in both modes, and tell what was found."""

from __future__ import annotations

import argparse
import faulthandler
import importlib.util
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from fuzz.coverage import drive
from fuzz.jobs import CHECKOUT, Coverage, Mutation
from fuzz.report import Report
from fuzz.target import Finding, Target, examine, seen
from fuzz.worker import Slate, Worker

FOLDER = CHECKOUT / "build" / "fuzz"
UNLIMITED = 1 << 62


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description="Mutated bytes for all that reads bytes: see tests/fuzz/README.md.",
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="10 minutes by default")
    parser.add_argument("--inputs", type=int, default=UNLIMITED, help="by default as time allows")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="by default a new one")
    parser.add_argument("--target", action="append", help="only this one; may be given repeatedly")
    parser.add_argument(
        "--pure",
        type=Path,
        metavar="TREE",
        help="fuzz the interpreted pgallop in TREE at the same time, guided by coverage if atheris "
        "is installed",
    )
    parser.add_argument(
        "--reproduce", type=Path, metavar="FILE", help="run one input that was kept, and tell all"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where inputs are kept")
    parser.add_argument(
        "--patience",
        type=float,
        default=20.0,
        help="seconds after which an input is taken for one that never ends (20)",
    )
    parser.add_argument("--targets", default="fuzz.targets", metavar="MODULE")
    # How this command starts its own parts.
    parser.add_argument("--worker", type=Path, metavar="SLATE", help=argparse.SUPPRESS)
    parser.add_argument("--coverage", type=Path, metavar="CORPUS", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    if options.coverage is not None:  # imports pgallop in its own way
        drive(
            options.target[0],
            int(options.seconds),
            options.seed,
            options.coverage,
            options.folder,
        )
        return 0
    targets: dict[str, Target] = importlib.import_module(options.targets).TARGETS
    if options.reproduce is not None:
        return reproduce(targets, options.reproduce)
    names = options.target or list(targets)
    if unknown := set(names) - set(targets):
        raise SystemExit(f"no target {', '.join(unknown)}; there are {', '.join(targets)}")
    chosen = [targets[name] for name in names]
    if options.worker is not None:
        Worker(chosen, options.seed, Slate(options.worker)).run(options.seconds, options.inputs)
        return 0
    return fuzz(chosen, options)


def fuzz(targets: Sequence[Target], options: argparse.Namespace) -> int:
    """Run all jobs at the same time; 1 if anything was found."""
    print(f"seed {options.seed}, {len(targets)} targets", flush=True)
    folder = options.folder.resolve()
    report = Report(folder)
    names = [target.name for target in targets]
    trees = [None]
    jobs: list[Callable[[], None]] = []
    if options.pure is not None and importlib.util.find_spec("atheris") is not None:
        shares = {target.name: target.share for target in targets}
        coverage = Coverage(report, options.pure, shares, folder)
        jobs.append(partial(coverage.run, options.seconds, options.seed))
    elif options.pure is not None:
        print("atheris is not installed: the interpreted modules are fuzzed without its guidance")
        trees.append(options.pure)
    for i, tree in enumerate(trees):
        mutation = Mutation(report, tree, names, options.targets, options.patience)
        jobs.append(partial(mutation.run, options.seconds, options.inputs, options.seed + i))
    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
    print("\n".join(report.lines()))
    return 1 if report.findings else 0


def reproduce(targets: dict[str, Target], path: Path) -> int:
    """Run the input in a file whose name begins with that of its target."""
    faulthandler.enable()
    target = targets[path.name.partition("-")[0]]
    data = path.read_bytes()
    print(f"{target.name}: {data!r}", flush=True)
    try:
        print(seen(examine(target, data)))
    except Finding as finding:
        traceback.print_exception(finding)
        return 1
    return 0
