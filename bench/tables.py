"""The figures of a run as Markdown, from the JSON that it has written."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.report import number
from bench.results import BLOCK, CPU, MEMORY, PEAK, RIVAL, THROUGHPUT, TIME, TRIPS
from bench.scale.sweeps import SWEEPS
from bench.targets import SUBJECT
from bench.works import WORKS

# What a run has written.
Figures = Mapping[str, Any]

# Those that do what a driver does; in the order of the tables.
_RIVALS = ("psycopg", "psqlpy", "postgresjs")
_LIMIT = "limit"

# The rows of the README's table.
_FIRST = (
    *("select1", "pk", "select1_tasks", "pk_tasks", "pk_pool", "pg_type", "series1000"),
    *("bytea100k", "arrays", "wide100k", "copy10k", "batch1k", "connect", "connect_scram"),
)

# What is measured in some works only, with the factor that makes it short.
_OTHERS = {
    "ms a run": (TIME, 1e-3),
    "round trips a run": (TRIPS, 1),
    "bytes a row": (MEMORY, 1),
    "peak MB of the process": (PEAK, 1),
    "longest block of the loop, ms": (BLOCK, 1e-3),
}


def numbers(run: Figures) -> str:
    """Return the table of the README: pgallop's figures, divided by asyncpg's."""
    loops = _loops(run)
    header = ["", *(f"CPU, {loop}" for loop in loops), *(f"runs/s, {loop}" for loop in loops)]
    rows = []
    for work in _FIRST:
        cells = [
            _ratio(_find(run, work, loop, SUBJECT), metric)
            for metric in (CPU, THROUGHPUT)
            for loop in loops
        ]
        if any(cells):
            rows.append([_title(work), *cells])
    return "\n".join([f"{_circumstances(run)}\n", *_table(header, rows)])


def results(run: Figures, source: Path) -> str:
    """Return the part of the page that a run fills: what ran where, all figures, what is missed.

    Args:
        source: where the figures are kept, as the page links to it.
    """
    parts = ["### The machine", "\n".join(_machine(run))]
    parts.append(
        f"{run['rounds']} rounds of {run['seconds']:g} s each. [All figures]({source.as_posix()})."
    )
    for loop in _loops(run):
        parts += [f"### On {loop}", "\n".join(_loop_table(run, loop))]
    parts += ["### What some works measure in addition", "\n".join(_other_table(run))]
    parts += ["### Where pgallop does not lead", "\n".join(_behind(run))]
    parts += ["### The targets", "\n".join(_targets(run))]
    if run["left_out"]:
        reasons = [f"- {reason}" for reason in run["left_out"]]
        parts += ["### What was left out", "\n".join(reasons)]
    return "\n\n".join(parts)


def scale(figures: Figures, source: Path) -> str:
    """Return the part of the page about scale: a plot of each sweep, and what bounds it."""
    versions = " and ".join(f"{name} {version}" for name, version in figures["versions"].items())
    rounds = figures["rounds"]
    measured = f"{rounds} round{'s' * (rounds > 1)} of {figures['seconds']:g} s"
    parts = [
        f"{versions}, on {figures['loop']}; {_facts(figures)}; {measured}."
        f" [All figures]({source.as_posix()})."
    ]
    for name in figures["sweeps"]:
        sweep = SWEEPS[name]
        picture = f"![{sweep.title}]({source.parent.as_posix()}/scale-{name}.svg)"
        parts += [f"### By {sweep.about}", picture, sweep.bounds]
    return "\n\n".join(parts)


def _machine(run: Figures) -> list[str]:
    facts = {**run["machine"], **run["versions"]}
    return _table(["", ""], [[name, fact] for name, fact in facts.items()])


def _circumstances(run: Figures) -> str:
    versions = run["versions"]
    return (
        f"{SUBJECT} {versions[SUBJECT]} beside {RIVAL} {versions[RIVAL]} in one run: {_facts(run)}."
        " Client CPU is user and system time of the client process; the numbers are pgallop's"
        " divided by asyncpg's."
    )


def _facts(run: Figures) -> str:
    machine = run["machine"]
    facts = [machine["CPU"], f"{machine['Python']}", f"PostgreSQL {machine['PostgreSQL']}"]
    if "uvloop" in machine:
        facts.append(f"uvloop {machine['uvloop']}")
    return ", ".join(facts)


def _loops(run: Figures) -> list[str]:
    return list(dict.fromkeys(series["loop"] for series in run["series"]))


def _works(run: Figures) -> list[str]:
    return list(dict.fromkeys(series["work"] for series in run["series"]))


def _find(run: Figures, work: str, loop: str, driver: str) -> Figures | None:
    wanted = (work, loop, driver)
    keys = ("work", "loop", "driver")
    return next((s for s in run["series"] if tuple(s[key] for key in keys) == wanted), None)


def _title(work: str) -> str:
    return WORKS[work].title if work in WORKS else work


def _loop_table(run: Figures, loop: str) -> list[str]:
    """Work by work: pgallop in microseconds of CPU, and all others as multiples of asyncpg."""
    others = [name for name in (*_RIVALS, _LIMIT) if name in run["versions"]]
    header = [
        *("work", "", "CPU µs", "spread", f"CPU x {RIVAL}"),
        *(f"{name} x {RIVAL}" for name in others),
        *("runs/s", f"runs/s x {RIVAL}"),
    ]
    rows = []
    for work in _works(run):
        mine = _find(run, work, loop, SUBJECT)
        if mine is None:
            continue
        spread = mine["spread"].get(CPU)
        rows.append(
            [
                f"`{work}`",
                _title(work),
                number(mine["median"][CPU]),
                "" if spread is None else f"±{spread:.0%}",
                _ratio(mine, CPU),
                *(_ratio(_find(run, work, loop, other), CPU) for other in others),
                number(mine["median"][THROUGHPUT]),
                _ratio(mine, THROUGHPUT),
            ]
        )
    return _table(header, rows)


def _other_table(run: Figures) -> list[str]:
    drivers = [name for name in (SUBJECT, RIVAL, *_RIVALS) if name in run["versions"]]
    rows = []
    for work in _works(run):
        for name, (metric, factor) in _OTHERS.items():
            if metric == TIME and not _is_about_time(work):
                continue
            for loop in _loops(run):
                found = [_find(run, work, loop, driver) for driver in drivers]
                medians = [one["median"].get(metric) if one else None for one in found]
                cells = [number(median, factor) for median in medians]
                if any(cells):
                    rows.append([f"`{work}`", loop, name, *cells])
    return _table(["work", "loop", "", *drivers], rows)


def _is_about_time(work: str) -> bool:
    return work in WORKS and (WORKS[work].is_far or WORKS[work].reconnects)


def _behind(run: Figures) -> list[str]:
    """Where another driver takes less CPU than pgallop, or does more in a second."""
    lines = []
    for mine in run["series"]:
        if mine["driver"] != SUBJECT:
            continue
        for driver in (RIVAL, *_RIVALS):
            other = _find(run, mine["work"], mine["loop"], driver)
            if other is None:
                continue
            cpu = mine["median"][CPU] / other["median"][CPU]
            speed = mine["median"][THROUGHPUT] / other["median"][THROUGHPUT]
            if cpu > 1 or speed < 1:
                lines.append(
                    f"- `{mine['work']}` on {mine['loop']}: {cpu:.2f} times the client CPU of"
                    f" {driver}, and {speed:.2f} times as many runs a second."
                )
    return lines or ["Nowhere in this run."]


def _targets(run: Figures) -> list[str]:
    targets = run["targets"]
    missed = [target for target in targets if not target["met"]]
    lines = [f"{len(targets) - len(missed)} of {len(targets)} are met."]
    if missed:
        lines += ["", "Missed:", ""]
        lines += [f"- {one['target']}: {number(one['measured'])}" for one in missed]
    return lines


def _ratio(series: Figures | None, metric: str) -> str:
    ratio = None if series is None else series[f"ratio to {RIVAL}"].get(metric)
    return "" if ratio is None else f"{ratio:.2f}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    cells = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(row)} |" for row in cells]
