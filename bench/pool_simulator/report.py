"""What came of the simulations: a table, and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.pool_simulator.simulation import Simulation

_COLOURS = {"pgallop": "#1b6ca8", "plain FIFO": "#d08a3c", "plain LIFO": "#a3adb8"}
_LINES = {"pgallop": "-", "plain FIFO": "--", "plain LIFO": "-"}  # two of them often coincide
_HEADINGS = (
    "pool", "served", "left", "late", "refused", "broken", "p50 ms", "p99 ms", "max ms",
    "inversions", "crowd", "opened", "attempts", "ns/decision", "longest us",
)  # fmt: skip
_POINTS = 400

# Fewer decisions than these tell more of the machine's other work than of themselves.
_ENOUGH = 1000


@dataclass(frozen=True)
class Run:
    """One pool under one load, when it is over."""

    pool: str
    simulation: Simulation


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value that so great a part of the others does not exceed; 0 if there are none."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0


def row(run: Run) -> list[str]:
    """The line of one run in the table."""
    simulation = run.simulation
    waited = sorted(simulation.waited)
    times = [1000 * quantile(waited, part) for part in (0.5, 0.99, 1.0)]
    return [
        run.pool,
        *(
            f"{number:,}"
            for number in (
                len(waited),
                simulation.went,
                simulation.expired,
                simulation.refused,
                simulation.broken,
            )
        ),
        *(f"{time:,.2f}" for time in times),
        f"{simulation.inversions:,}",
        f"{simulation.crowd:,}",
        f"{simulation.opened:,}",
        f"{simulation.attempts:,}",
        f"{simulation.watch.mean():,.0f}",
        f"{simulation.watch.longest / 1000:,.0f}",
    ]


def table(runs: Sequence[Run]) -> str:
    """The runs of one load, a line each."""
    lines = [list(_HEADINGS), *map(row, runs)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not place else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def draw(loads: Sequence[Sequence[Run]], path: Path) -> None:
    """Write a picture of all runs, in the format that the name's ending says (.svg, .png)."""
    # Text stays text, and the same results give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "pool"}):
        figure = Figure(figsize=(5 * len(loads), 8), layout="constrained")
        panels = figure.subplots(2, len(loads), squeeze=False)
        for column, runs in enumerate(loads):
            above, below = panels[0][column], panels[1][column]
            above.set_title(runs[0].simulation.scenario.title, fontsize="medium")
            _draw_waiting(above, runs)
            _draw_costs(below, runs)
        panels[0][0].legend(frameon=False)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _draw_waiting(panel: Axes, runs: Sequence[Run]) -> None:
    """For each time, the part of the requests that waited for longer."""
    for run in runs:
        waited = sorted(run.simulation.waited)
        # As many points in each order of magnitude of the part.
        parts = [10 ** (-6 * place / _POINTS) for place in range(_POINTS)]
        points = [(1000 * quantile(waited, 1 - part), part) for part in parts]
        times, shares = zip(*[point for point in points if point[0] > 0] or [(1, 1)], strict=True)
        line = _LINES[run.pool]
        panel.plot(times, shares, line, color=_COLOURS[run.pool], label=run.pool)
    panel.set(xscale="log", yscale="log", xlabel="ms", ylabel="waited for longer")


def _draw_costs(panel: Axes, runs: Sequence[Run]) -> None:
    """What a decision takes, by how many waited."""
    for run in runs:
        buckets = [
            (2.0**bucket, time / calls)
            for bucket, (calls, time) in sorted(run.simulation.watch.buckets.items())
            if calls >= _ENOUGH
        ]
        panel.plot(
            [waiting for waiting, _ in buckets],
            [cost for _, cost in buckets],
            _LINES[run.pool],
            color=_COLOURS[run.pool],
            marker=".",
        )
    panel.set(xscale="log", yscale="log", xlabel="waiting", ylabel="ns a decision")
