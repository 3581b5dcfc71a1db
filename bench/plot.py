"""The results as a picture: each driver's client CPU per work, as a ratio to asyncpg's."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.results import CPU, RIVAL, Results
from bench.targets import SUBJECT, TARGETS

_COLOURS = {
    SUBJECT: "#1b6ca8",
    "psycopg": "#a3adb8",
    "psqlpy": "#d6b998",
    "postgresjs": "#b7cfa3",
}
_TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50)
_BAR = 0.27
_LABEL_SIZE = 8


def draw(results: Results, path: Path) -> None:
    """Write the picture, in the format that the name's ending says (.svg, .png)."""
    loops = list(dict.fromkeys(series.loop for series in results.series))
    works = list(dict.fromkeys(series.work for series in results.series))
    drivers = [driver for driver in _COLOURS if driver in results.versions]
    # Text stays text, and the same results give the same file.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": SUBJECT}):
        size = (1.5 + 5 * len(loops), 2 + 0.16 * len(works) * (len(drivers) + 1))
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(loops), sharex=True, sharey=True, squeeze=False)[0]
        for loop, panel in zip(loops, panels, strict=True):
            _prepare(panel, loop, works)
            for place, work in enumerate(works):
                _draw_work(panel, place, results, work, loop)
        panels[0].set_ylim(len(works) - 0.5, -0.5)  # the first work on top
        panels[0].margins(x=0.12)  # room for the figures beside the bars
        figure.suptitle(f"Client CPU per run as a multiple of {RIVAL}'s: left of the line is less")
        figure.legend(
            handles=[
                *(
                    Patch(color=_COLOURS[name], label=f"{name} {results.versions[name]}")
                    for name in drivers
                ),
                Line2D([], [], color="black", label=f"{RIVAL} {results.versions.get(RIVAL, '')}"),
                Line2D([], [], color="#c0392b", label=f"{SUBJECT}'s target"),
            ],
            loc="outside lower center",
            ncols=len(drivers) + 2,
            frameon=False,
        )
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _prepare(panel: Axes, loop: str, works: list[str]) -> None:
    panel.set_title(loop)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(FixedLocator(_TICKS))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    panel.set_yticks(range(len(works)), works)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="x", color="#e8eaed")
    panel.set_axisbelow(True)
    panel.axvline(1, color="black", linewidth=1)


def _draw_work(panel: Axes, place: int, results: Results, work: str, loop: str) -> None:
    """Draw one bar for each driver, from the line at 1, and the target across pgallop's."""
    bars = []
    for driver in _COLOURS:
        series = results.find(work, loop, driver)
        ratio = None if series is None else results.ratio(series, CPU)
        if ratio is not None:
            bars.append((driver, ratio))
    for i, (driver, ratio) in enumerate(bars):
        y = place + (i - (len(bars) - 1) / 2) * _BAR
        panel.barh(y, ratio - 1, _BAR * 0.9, left=1, color=_COLOURS[driver])
        below = ratio < 1
        panel.annotate(
            f"{ratio:.2f}",
            (ratio, y),
            xytext=(-3 if below else 3, 0),
            textcoords="offset points",
            ha="right" if below else "left",
            va="center",
            fontsize=_LABEL_SIZE,
            bbox={"boxstyle": "square,pad=0.05", "color": "white"},
        )
        if driver == SUBJECT:
            panel.vlines(_targets(work, loop), y - _BAR / 2, y + _BAR / 2, color="#c0392b")


def _targets(work: str, loop: str) -> list[float]:
    """The bounds that can be drawn here: for CPU, against the rival on the same loop."""
    return [
        target.bound
        for target in TARGETS
        if (target.work, target.loop, target.metric) == (work, loop, CPU)
        and target.rival == RIVAL
        and not target.rival_loop
    ]
