"""The sweeps as pictures, which can be read on a light page and on a dark one."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.results import RIVAL
from bench.scale.figures import Line
from bench.scale.sweeps import SWEEPS, Sweep, View
from bench.targets import SUBJECT

# There is no background; these are seen on white and on black alike.
_INK = "#7d838c"
_GRID = "#7d838c40"
_COLOURS = {SUBJECT: "#2f8fd0", RIVAL: "#e07b39"}
_STYLES = ("-", "--", ":")

# The panels of a picture, in inches.
_WIDTH, _HEIGHT = 4.2, 3.4
_LEAST_WIDTH = 7.0  # room for what the curves are called


def draw_all(sweeps: Mapping[str, Sequence[Line]], folder: Path) -> list[Path]:
    """Draw what was measured of each sweep; return the files, `scale-NAME.svg`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, lines in sweeps.items():
        paths.append(folder / f"scale-{name}.svg")
        draw(SWEEPS[name], lines, paths[-1])
    return paths


def draw(sweep: Sweep, lines: Sequence[Line], path: Path) -> None:
    """Write the picture of a sweep, in the format that the name's ending says."""
    # Text stays text, and the same figures give the same file.
    with matplotlib.rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": sweep.name,
            "text.color": _INK,
            "axes.labelcolor": _INK,
            "axes.edgecolor": _INK,
            "xtick.color": _INK,
            "ytick.color": _INK,
        }
    ):
        size = (max(_LEAST_WIDTH, _WIDTH * len(sweep.views)), _HEIGHT)
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(1, len(sweep.views), squeeze=False)[0]
        for view, panel in zip(sweep.views, panels, strict=True):
            _draw_view(panel, sweep, view, lines)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside lower center", ncols=len(_COLOURS), frameon=False
        )
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, transparent=True, metadata=metadata)


def _draw_view(panel: Axes, sweep: Sweep, view: View, lines: Sequence[Line]) -> None:
    curves = [curve.name for curve in sweep.curves]
    for line in lines:
        points = [point for point in line["points"] if view.metric in point["medians"]]
        panel.plot(
            [point["number"] for point in points],
            [view.factor * point["medians"][view.metric] for point in points],
            _STYLES[curves.index(line["curve"])],
            color=_COLOURS[line["driver"]],
            marker=".",
            label=f"{line['driver']} {line['curve']}".rstrip(),
        )
    panel.set_title(view.title, fontsize="medium")
    panel.set_xlabel(sweep.axis)
    plain = FuncFormatter(lambda value, _: short(value))
    if sweep.is_logarithmic:
        panel.set_xscale("log")
        panel.xaxis.set_minor_locator(NullLocator())
    if view.is_logarithmic:
        panel.set_yscale("log")
        panel.yaxis.set_minor_locator(NullLocator())
    else:
        panel.set_ylim(bottom=0)
    panel.xaxis.set_major_formatter(plain)
    panel.yaxis.set_major_formatter(plain)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color=_GRID)
    panel.set_axisbelow(True)


def short(value: float) -> str:
    """A number as it stands at an axis, where there is little room.

    Example:
        >>> short(5000.0), short(25_000.0), short(10_000_000.0)
        ('5,000', '25k', '10M')
    """
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= max(size, 10_000) and value % (size / 10) == 0:
            return f"{value / size:,.9g}{unit}"
    return f"{value:,.9g}"
