"""What was measured in a sweep, as the table, the plot and the JSON want it."""

from collections.abc import Sequence
from typing import TypedDict

from bench.report import aligned, number
from bench.results import CPU, PEAK, RIVAL, THROUGHPUT, TIME, Results, Series
from bench.scale.sweeps import Sweep
from bench.targets import SUBJECT

_DRIVERS = (SUBJECT, RIVAL)

# What is per run and becomes per unit.
_PER_RUN = {CPU: -1, TIME: -1, THROUGHPUT: 1}


class Point(TypedDict):
    """The medians at one number of a sweep, by metric, each for one unit of the curve."""

    number: float
    medians: dict[str, float]


class Line(TypedDict):
    """What a driver has taken in one curve of a sweep."""

    curve: str
    driver: str
    points: list[Point]


def lines_of(sweep: Sweep, numbers: Sequence[float], results: Results, loop: str) -> list[Line]:
    """Return each driver's medians in each curve of a sweep."""
    lines: list[Line] = []
    for curve in sweep.curves:
        for driver in _DRIVERS:
            points: list[Point] = []
            for each in curve.numbers(numbers):
                series = results.find(curve.make(each).name, loop, driver)
                if series is not None:
                    points.append({"number": each, "medians": _medians(series, curve.units(each))})
            lines.append({"curve": curve.name, "driver": driver, "points": points})
    return lines


def _medians(series: Series, units: float) -> dict[str, float]:
    """The medians that there are, for one of so many units of a run."""
    medians = {metric: series.median(metric) for metric in (CPU, TIME, THROUGHPUT, PEAK)}
    return {
        metric: median * units ** _PER_RUN.get(metric, 0)
        for metric, median in medians.items()
        if median is not None
    }


def table(sweep: Sweep, lines: Sequence[Line]) -> str:
    """Return what the plot of a sweep shows, in figures."""
    header = [sweep.axis, "what", "driver", *(view.title for view in sweep.views)]
    rows = [header]
    for line in lines:
        for point in line["points"]:
            shown = [number(point["medians"].get(view.metric), view.factor) for view in sweep.views]
            rows.append([f"{point['number']:,.9g}", line["curve"], line["driver"], *shown])
    return "\n".join([f"{sweep.name}: {sweep.title}", *aligned(rows, left=3)])
