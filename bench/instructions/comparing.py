"""What was counted before, and whether it has become more."""

import json
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from bench.instructions.counting import Count

FIGURES: Final = Path(__file__).with_name("figures.json")

# What may come on top before it counts as a regression; and where another compiler, or another
# Cython, has made the code.
TOLERANCE: Final = 0.03
TOLERANCE_ELSEWHERE: Final = 0.10


def python_version() -> str:
    """Return the version of Python that figures are kept for."""
    return ".".join(platform.python_version_tuple()[:2])


def compiler() -> str:
    """Return what pgallop's own instructions depend on, beside its sources."""
    command = str(sysconfig.get_config_var("CC") or "cc").split()[0]
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    lines = told.stdout.splitlines() or [f"{command} does not tell"]
    return f"{lines[0]}, Cython {version('cython')}"


def interpreter() -> str:
    """Return what all other instructions depend on: this build of Python."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    kind = "optimized" if "--enable-optimizations" in options else "plain"
    return f"{platform.python_version()} {platform.python_compiler()} {kind}"


def figures() -> dict[str, Any]:
    """Return what was counted before, by Python's version."""
    found: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    return found


def keep(counts: Mapping[str, Count]) -> None:
    """Put these counts in the place of what was counted before on this version of Python."""
    found = figures()
    found[python_version()] = {
        "compiler": compiler(),
        "interpreter": interpreter(),
        "own": {name: each.own for name, each in counts.items()},
        "total": {name: each.total for name, each in counts.items()},
    }
    FIGURES.write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")


def report(counts: Mapping[str, Count], before: Mapping[str, Any]) -> list[str]:
    """Print a table; return what has become worse, in words, which are printed, too."""
    made_by = compiler()
    is_ours = before.get("compiler") == made_by
    is_same = is_ours and before.get("interpreter") == interpreter()
    tolerance = TOLERANCE if is_ours else TOLERANCE_ELSEWHERE
    if before and not is_ours:
        print(f"counted before with {before['compiler']}, now with {made_by}")
    if before and not is_same:
        print(f"counted before on {before['interpreter']}, now on {interpreter()}")
    worse: list[str] = []
    print(f"{'instructions':<18}{'own':>12}{'before':>12}{'':>9}{'total':>14}{'before':>12}")
    for name, each in counts.items():
        own = before.get("own", {}).get(name)
        total = before.get("total", {}).get(name) if is_same else None
        print(f"{name:<18}{_compared(each.own, own, 12)}{_compared(each.total, total, 14)}")
        for now, was in ((each.own, own), (each.total, total)):
            if was is not None and now > was * (1 + tolerance):
                worse.append(f"{name} takes more than {tolerance:.0%} more than before")
    for line in worse:
        print(line, file=sys.stderr)
    return worse


def _compared(now: int, before: int | None, width: int) -> str:
    if not before:
        return f"{now:>{width},}{'':>21}"
    return f"{now:>{width},}{before:>12,}{now / before - 1:>+9.1%}"
