"""The results in words, tables and JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from bench.results import (
    BLOCK,
    CPU,
    MEMORY,
    METRICS,
    PEAK,
    RIVAL,
    THROUGHPUT,
    TIME,
    TRIPS,
    Results,
    Series,
)
from bench.targets import SUBJECT, Verdict
from bench.work import Work

# Columns that some works have beside those of all.
_MORE = {
    "ms/run": (TIME, 1e-3),
    "round trips/run": (TRIPS, 1),
    "bytes/row": (MEMORY, 1),
    "peak MB": (PEAK, 1),
    "longest block ms": (BLOCK, 1e-3),
}


def heading(results: Results) -> str:
    """Return what ran where."""
    facts = {**results.machine, **results.versions}
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {fact}" for name, fact in facts.items()]
    lines.append(
        f"{'measured':<{width}}  {results.rounds} rounds of {results.seconds:g} s, medians"
    )
    return "\n".join(lines)


def work_table(work: Work, series: Sequence[Series], results: Results) -> str:
    """Return a work's results, one line for each driver on each loop."""
    header = [
        "loop",
        "driver",
        "over",
        "runs/s",
        "CPU us/run",
        "spread",
        f"CPU x {RIVAL}",
        f"runs/s x {RIVAL}",
    ]
    more = [
        (name, metric, factor)
        for name, (metric, factor) in _MORE.items()
        if any(one.rounds(metric) for one in series)
        and (metric != TIME or work.is_far or work.reconnects)
    ]
    rows = [header + [name for name, _, _ in more]]
    for one in series:
        row = [one.loop, one.driver, one.setting]
        row += [number(one.median(THROUGHPUT)), number(one.median(CPU))]
        row += [_spread(one.spread(CPU))]
        row += [_ratio(results.ratio(one, CPU)), _ratio(results.ratio(one, THROUGHPUT))]
        row += [number(one.median(metric), factor) for _, metric, factor in more]
        rows.append(row)
    return "\n".join([f"{work.name}: {work.title}", *aligned(rows, left=3)])


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Return the targets and whether they are met."""
    rows = [
        [_judgement(v), str(v.target), f"measured {number(v.measured)}", _limit(v)]
        for v in verdicts
    ]
    met = sum(v.met for v in verdicts)
    return "\n".join([f"Targets: {met} of {len(verdicts)} met", *aligned(rows, left=3)])


def _judgement(verdict: Verdict) -> str:
    if verdict.met:
        return "met"
    return "MISSED" if verdict.is_missed else "out of reach"


def _limit(verdict: Verdict) -> str:
    return "" if verdict.limit is None else f"the limit {number(verdict.limit)}"


def summary(results: Results) -> str:
    """Return in how many works pgallop takes less CPU than the rival, and where it does worst."""
    ratios = [
        (ratio, f"{series.work} on {series.loop}")
        for series in results.series
        if series.driver == SUBJECT and (ratio := results.ratio(series, CPU)) is not None
    ]
    if not ratios:
        return f"No work was measured on both {SUBJECT} and {RIVAL}."
    below = sum(ratio < 1 for ratio, _ in ratios)
    worst, where = max(ratios)
    return (
        f"{SUBJECT} takes less client CPU than {RIVAL} in {below} of {len(ratios)} measurements;"
        f" the highest ratio is {_ratio(worst)}, in {where}."
    )


def as_json(results: Results, verdicts: Sequence[Verdict]) -> str:
    """Return all of a run: every round, the medians, the ratios and the targets."""
    document = asdict(results)
    document["series"] = [_series_as_data(one, results) for one in results.series]
    document["targets"] = [
        {
            "target": str(v.target),
            **asdict(v.target),
            "measured": v.measured,
            "met": v.met,
            "limit": v.limit,
        }
        for v in verdicts
    ]
    return json.dumps(document, indent=2) + "\n"


def _series_as_data(series: Series, results: Results) -> dict[str, Any]:
    measured = [metric for metric in METRICS if series.rounds(metric)]
    return {
        **asdict(series),
        "median": {metric: series.median(metric) for metric in measured},
        "spread": {metric: series.spread(metric) for metric in measured},
        f"ratio to {RIVAL}": {metric: results.ratio(series, metric) for metric in measured},
    }


def aligned(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Lay rows out in columns, the first `left` of them flush left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            f"{cell:<{width}}" if i < left else f"{cell:>{width}}"
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def number(value: float | None, factor: float = 1) -> str:
    """Three digits or more, with a comma for the thousands."""
    if value is None:
        return ""
    value *= factor
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _spread(value: float | None) -> str:
    return "" if value is None else f"±{value:.0%}"
