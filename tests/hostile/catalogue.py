"""All probes: each file in `probes/` is a family, and its `PROBES` are what is in it."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from hostile.probe import Probe

FOLDER = Path(__file__).parent / "probes"


@cache
def families() -> Mapping[str, Mapping[str, Probe]]:
    """The probes by family and name."""
    found: dict[str, dict[str, Probe]] = {}
    for path in sorted(FOLDER.glob("[a-z]*.py")):
        probes: list[Probe] = importlib.import_module(f"hostile.probes.{path.stem}").PROBES
        family = found.setdefault(path.stem, {})
        for probe in probes:
            assert probe.name not in family, f"{path.name}: {probe.name!r} is there twice"
            family[probe.name] = probe
    return found


def keys() -> list[str]:
    """`family: name` of each probe."""
    return [f"{family}: {name}" for family, probes in families().items() for name in probes]


def find(key: str) -> Probe:
    """The probe of that key."""
    family, _, name = key.partition(": ")
    return families()[family][name]
