"""`python -m bench.instructions`: count, and compare with what was counted before."""

import argparse
import json
import platform
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pgallop
from bench.instructions.counting import Count, CountingError, count

FIGURES = Path(__file__).with_name("figures.json")

# What may come on top before it counts as a regression.
TOLERANCE = 0.03


def main() -> int:
    """Count; exit status 1 if an operation takes more than before, 2 if nothing can be counted."""
    arguments = _arguments()
    if not pgallop.__compiled__:
        print("pgallop is interpreted here: run `make instructions`", file=sys.stderr)
        return 2
    if arguments.profile is not None:
        arguments.profile.mkdir(parents=True, exist_ok=True)
    try:
        counts = count(arguments.profile)
    except CountingError as error:
        print(error, file=sys.stderr)
        return 2
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    before = figures.get(_version(), {})
    worse = _report(counts, before)
    if arguments.update:
        figures[_version()] = {
            "interpreter": _interpreter(),
            "own": {name: each.own for name, each in counts.items()},
            "total": {name: each.total for name, each in counts.items()},
        }
        FIGURES.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n")
        return 0
    if not before:
        print(f"nothing was counted on Python {_version()} before: add --update", file=sys.stderr)
        return 2
    return 1 if worse else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions",
        description="Count the instructions of a few operations, and compare them with"
        f" {FIGURES.name}. More than {TOLERANCE:.0%} on top is an error.",
    )
    parser.add_argument("--update", action="store_true", help=f"write {FIGURES.name} anew")
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="keep callgrind's files for its annotate"
    )
    return parser.parse_args()


def _version() -> str:
    return ".".join(platform.python_version_tuple()[:2])


def _interpreter() -> str:
    """What the total depends on, beside pgallop: this build of Python."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    kind = "optimized" if "--enable-optimizations" in options else "plain"
    return f"{platform.python_version()} {platform.python_compiler()} {kind}"


def _report(counts: dict[str, Count], before: dict[str, Any]) -> list[str]:
    """Print a table; the operations that have become worse."""
    is_same = before.get("interpreter") == _interpreter()
    worse = []
    print(f"{'instructions':<18}{'own':>12}{'before':>12}{'':>9}{'total':>14}{'before':>12}")
    for name, each in counts.items():
        line = f"{name:<18}{each.own:>12,}"
        line += _comparison(each.own, before.get("own", {}).get(name))
        line += f"{each.total:>14,}"
        line += _comparison(each.total, before.get("total", {}).get(name) if is_same else None)
        print(line)
        for kind, value in (("own", each.own), ("total", each.total)):
            was = before.get(kind, {}).get(name)
            if was and value > was * (1 + TOLERANCE) and (kind == "own" or is_same):
                worse.append(name)
    for name in worse:
        print(f"{name} takes more than {TOLERANCE:.0%} more than before", file=sys.stderr)
    return worse


def _comparison(now: int, before: int | None) -> str:
    return f"{before:>12,}{now / before - 1:>+9.1%}" if before else f"{'':>12}{'':>9}"


if __name__ == "__main__":
    sys.exit(main())
