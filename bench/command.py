"""The command line of `python -m bench`."""

import argparse
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pgallop
from bench import works
from bench.drivers import installed, missing
from bench.machine import machine
from bench.measure import BenchError, Plan, run
from bench.places import PlaceError, Places, execute, open_places
from bench.profiling import ProfilingError, Subject, profile
from bench.progress import Progress
from bench.report import as_json, heading, summary, verdict_table, work_table
from bench.results import Results
from bench.targets import SUBJECT, all_met, judge
from bench.work import NEAR, Work
from bench.works import WORKS
from pgallop.cli.server import EmbeddedServerError

_BUILD = Path(__file__).resolve().parent.parent / "build" / "bench"

_DEFAULT_ROUNDS, _DEFAULT_SECONDS = 5, 0.8
_QUICK_ROUNDS, _QUICK_SECONDS = 2, 0.15

_PROFILED_SECONDS = 5.0

INTERPRETED = f"""\
This would measure the interpreted pgallop in {Path(pgallop.__file__).parent}.
To measure the compiled one, run `make bench`, or install pgallop into this environment
(`pip install .`) and run `python -m bench`. To measure this one all the same, add --interpreted."""


def main() -> int:
    """Run the bench; return its exit status.

    1: a target is missed under --check; 2: it cannot run; 130: interrupted.
    """
    arguments = _arguments()
    if arguments.list:
        width = max(map(len, WORKS))
        print("\n".join(f"{work.name:<{width}}  {work.title}" for work in WORKS.values()))
        return 0
    if not pgallop.__compiled__ and not arguments.interpreted:
        print(INTERPRETED, file=sys.stderr)
        return 2
    chosen = [work for work in WORKS.values() if work.name in arguments.work]
    try:
        with open_places(arguments.dsn, [work.place for work in chosen]) as places:
            dsn = places.dsns[NEAR]
            postgresql = str(execute(dsn, "SHOW server_version"))
            results = Results(
                machine(arguments.loop, postgresql), arguments.rounds, arguments.seconds
            )
            with tables(dsn, chosen):
                if arguments.profile:
                    print(profile(_subject(arguments, places, chosen[0]), _BUILD))
                    return 0
                _measure(arguments, places, chosen, results)
    except (
        BenchError,
        EmbeddedServerError,
        PlaceError,
        ProfilingError,
        pgallop.CannotConnectError,
        pgallop.PostgresError,
    ) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return _conclude(arguments, results)


def _arguments() -> argparse.Namespace:
    loops = ["asyncio", "uvloop"] if importlib.util.find_spec("uvloop") else ["asyncio"]
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure pgallop beside other drivers, in turn and on the same server. Only"
        " ratios within one run count, and only on an otherwise idle machine.",
    )
    parser.add_argument("--dsn", help="the server; by default one is started for the bench")
    for option, known in (("--work", list(WORKS)), ("--driver", installed()), ("--loop", loops)):
        parser.add_argument(
            option,
            nargs="+",
            choices=known,
            default=known,
            metavar=option[2:].upper(),
            help=f"which to measure, of {', '.join(known)} (default: all)",
        )
    parser.add_argument("--rounds", type=int, help=f"turns of a driver ({_DEFAULT_ROUNDS})")
    parser.add_argument("--seconds", type=float, help=f"length of a turn ({_DEFAULT_SECONDS:g})")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{_QUICK_ROUNDS} rounds of {_QUICK_SECONDS:g} s: to see it work, not to compare",
    )
    parser.add_argument(
        "--profile",
        action="store_true",
        help=f"record what takes the time in one --work, with perf, callgrind or cProfile, and say"
        f" how to read it (--driver: {SUBJECT}; --seconds: {_PROFILED_SECONDS:g})",
    )
    parser.add_argument("--check", action="store_true", help="exit with 1 if a target is missed")
    for option, content in (("--json", "all figures"), ("--svg", "a picture of the ratios")):
        path = _BUILD / f"results.{option[2:]}"
        parser.add_argument(
            option, type=Path, default=path, metavar="PATH", help=f"where to put {content} ({path})"
        )
    parser.add_argument(
        "--interpreted", action="store_true", help="measure pgallop uncompiled, too"
    )
    parser.add_argument("--list", action="store_true", help="list the works and exit")
    arguments = parser.parse_args()
    arguments.loop = [loop for loop in loops if loop in arguments.loop]
    if arguments.rounds is None:
        arguments.rounds = _QUICK_ROUNDS if arguments.quick else _DEFAULT_ROUNDS
    if arguments.profile and len(arguments.work) != 1:
        parser.error("--profile needs one --work")
    if arguments.profile and arguments.seconds is None:
        arguments.seconds = _PROFILED_SECONDS
    if arguments.seconds is None:
        arguments.seconds = _QUICK_SECONDS if arguments.quick else _DEFAULT_SECONDS
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds have to be positive")
    return arguments


@contextmanager
def tables(dsn: str, chosen: Sequence[Work]) -> Iterator[None]:
    """Make the works' tables, and remove them in the end."""
    execute(dsn, *works.preparation(chosen))
    try:
        yield
    finally:
        execute(dsn, *works.removal())


def _measure(
    arguments: argparse.Namespace, places: Places, chosen: Sequence[Work], results: Results
) -> None:
    drivers = [driver for driver in installed() if driver in arguments.driver]
    results.left_out += [f"{driver}: {reason}" for driver, reason in missing().items()]
    plan = Plan(places, chosen, drivers, arguments.loop, arguments.rounds, arguments.seconds)
    progress = Progress(chosen, arguments.rounds)
    is_first = True
    for work, series in run(plan, results, progress):
        progress.clear()
        if is_first:
            print(heading(results))
        is_first = False
        print(f"\n{work_table(work, series, results)}", flush=True)


def _subject(arguments: argparse.Namespace, places: Places, work: Work) -> Subject:
    if reason := places.missing.get(work.place):
        raise PlaceError(f"{work.name}: {reason}")
    driver = arguments.driver[0] if len(arguments.driver) == 1 else SUBJECT
    dsn = places.dsns[work.place]
    return Subject(work.name, driver, arguments.loop[0], dsn, arguments.seconds)


def _conclude(arguments: argparse.Namespace, results: Results) -> int:
    """Judge, and write the files."""
    verdicts = judge(results)
    for reason in results.left_out:
        print(f"\nleft out: {reason}")
    print(f"\n{verdict_table(verdicts)}\n\n{summary(results)}")
    for path in (arguments.json, arguments.svg):
        path.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(as_json(results, verdicts), encoding="utf-8")
    print(f"\n{arguments.json}")
    if importlib.util.find_spec("matplotlib"):
        from bench.plot import draw

        draw(results, arguments.svg)
        print(arguments.svg)
    else:
        print("no picture: matplotlib is not installed")
    return int(arguments.check and not all_met(verdicts))
