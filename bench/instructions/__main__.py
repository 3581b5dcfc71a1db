"""`python -m bench.instructions`: count, and compare with what was counted before."""

import argparse
import sys
from pathlib import Path

import pgallop
from bench.instructions.comparing import (
    FIGURES,
    TOLERANCE,
    TOLERANCE_ELSEWHERE,
    figures,
    keep,
    python_version,
    report,
)
from bench.instructions.counting import CountingError, count


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
    before = figures().get(python_version(), {})
    worse = report(counts, before)
    if arguments.update:
        keep(counts)
        return 0
    if not before:
        print(f"nothing was counted on Python {python_version()} before: add --update")
    return 1 if worse else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench.instructions",
        description="Count the instructions of a few operations, and compare them with"
        f" {FIGURES.name}. More than {TOLERANCE:.0%} on top is an error, {TOLERANCE_ELSEWHERE:.0%}"
        " where another compiler was used.",
    )
    parser.add_argument("--update", action="store_true", help=f"write {FIGURES.name} anew")
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER", help="keep callgrind's files for its annotate"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
