"""What the bench runs on: figures mean nothing without it."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def machine(loops: list[str], postgresql: str) -> dict[str, str]:
    """Return the machine, the interpreter and the server, each under its name.

    Args:
        postgresql: the server's version.
    """
    facts = {
        "CPU": f"{_cpu_model()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "PostgreSQL": postgresql,
    }
    if "uvloop" in loops:
        facts["uvloop"] = version("uvloop")
    return facts


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
