"""The command line of `python -m bench.scale`."""

import argparse
import importlib.util
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pgallop
from bench.command import INTERPRETED, tables
from bench.machine import machine
from bench.measure import BenchError, Plan, run
from bench.places import PlaceError, execute, open_places
from bench.progress import Progress
from bench.results import RIVAL, Results
from bench.scale.figures import lines_of, table
from bench.scale.sweeps import SWEEPS, Sweep, delays
from bench.targets import SUBJECT
from bench.work import NEAR
from pgallop.cli.server import EmbeddedServerError

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_JSON = _CHECKOUT / "build" / "bench" / "scale.json"
_PLOTS = _CHECKOUT / "build" / "bench"

_ROUNDS, _SECONDS = 3, 0.5
_QUICK_ROUNDS, _QUICK_SECONDS = 1, 0.05

# More than the greatest number of connections, for those that prepare and look.
_SETTINGS = {"max_connections": "260"}


def main() -> int:
    """Measure and draw; return the exit status.

    2: it cannot run; 130: interrupted.
    """
    arguments = _arguments()
    if not pgallop.__compiled__ and not arguments.interpreted:
        print(INTERPRETED, file=sys.stderr)
        return 2
    sweeps = [SWEEPS[name] for name in SWEEPS if name in arguments.sweep]
    try:
        document = _measure(arguments, sweeps)
    except (
        BenchError,
        EmbeddedServerError,
        PlaceError,
        pgallop.CannotConnectError,
        pgallop.PostgresError,
    ) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    print(arguments.json)
    if importlib.util.find_spec("matplotlib"):
        from bench.scale.plot import draw_all

        for path in draw_all(document["sweeps"], arguments.plots):
            print(path)
    else:
        print("no pictures: matplotlib is not installed")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale",
        description=f"Measure what {SUBJECT}'s cost depends on, beside {RIVAL}'s: "
        + ", ".join(SWEEPS)
        + ". Only ratios within one run count, and only on an otherwise idle machine.",
    )
    parser.add_argument("--dsn", help="the server; by default one is started")
    parser.add_argument(
        "--sweep",
        nargs="+",
        choices=list(SWEEPS),
        default=list(SWEEPS),
        metavar="SWEEP",
        help=f"which to measure, of {', '.join(SWEEPS)} (default: all)",
    )
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    parser.add_argument("--rounds", type=int, help=f"turns of a driver ({_ROUNDS})")
    parser.add_argument("--seconds", type=float, help=f"length of a turn ({_SECONDS:g})")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"few numbers, {_QUICK_ROUNDS} round of {_QUICK_SECONDS:g} s: to see it work",
    )
    parser.add_argument("--json", type=Path, default=_JSON, metavar="PATH", help=f"({_JSON})")
    parser.add_argument(
        "--plots",
        type=Path,
        default=_PLOTS,
        metavar="FOLDER",
        help=f"where scale-*.svg go ({_PLOTS}); those of the documentation are in docs/_static",
    )
    parser.add_argument("--interpreted", action="store_true", help="measure pgallop uncompiled")
    arguments = parser.parse_args()
    if arguments.rounds is None:
        arguments.rounds = _QUICK_ROUNDS if arguments.quick else _ROUNDS
    if arguments.seconds is None:
        arguments.seconds = _QUICK_SECONDS if arguments.quick else _SECONDS
    if arguments.rounds < 1 or arguments.seconds <= 0:
        parser.error("--rounds and --seconds have to be positive")
    return arguments


def _measure(arguments: argparse.Namespace, sweeps: Sequence[Sweep]) -> dict[str, Any]:
    """Measure sweep after sweep, and print the figures of each; all of them."""
    numbers = {sweep.name: sweep.quick if arguments.quick else sweep.numbers for sweep in sweeps}
    works = {sweep.name: sweep.works(numbers[sweep.name]) for sweep in sweeps}
    everything = [work for some in works.values() for work in some]
    wanted = [work.place for work in everything]
    lines = {}
    with open_places(arguments.dsn, wanted, delays(), _SETTINGS) as places:
        dsn = places.dsns[NEAR]
        facts = machine([arguments.loop], str(execute(dsn, "SHOW server_version")))
        results = Results(facts, arguments.rounds, arguments.seconds)
        with tables(dsn, everything):
            for sweep in sweeps:
                drivers, loops = [SUBJECT, RIVAL], [arguments.loop]
                length = (arguments.rounds, arguments.seconds)
                plan = Plan(places, works[sweep.name], drivers, loops, *length)
                progress = Progress(plan.works, arguments.rounds)
                for _ in run(plan, results, progress):
                    pass
                progress.clear()
                found = lines_of(sweep, numbers[sweep.name], results, arguments.loop)
                lines[sweep.name] = found
                print(f"{table(sweep, found)}\n", flush=True)
    return {
        "machine": results.machine,
        "versions": results.versions,
        "loop": arguments.loop,
        "rounds": arguments.rounds,
        "seconds": arguments.seconds,
        "sweeps": lines,
    }
