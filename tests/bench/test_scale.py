"""`python -m bench.scale`: its figures, made up, and a run as short as can be."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import pgallop
from bench.results import CPU, PEAK, THROUGHPUT, Results, Sample, Series
from bench.scale.figures import lines_of, table
from bench.scale.plot import draw_all, short
from bench.scale.sweeps import SWEEPS, delays

pytestmark = pytest.mark.once

CHECKOUT = Path(__file__).parents[2]
TIMEOUT = 50


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.25, "0.25"), (5000.0, "5,000"), (24_000.0, "24k"), (12_345.0, "12,345"), (1e7, "10M")],
)
def test_numbers_at_an_axis(value: float, text: str) -> None:
    assert short(value) == text


def test_each_curve_has_works_of_its_own() -> None:
    for sweep in SWEEPS.values():
        works = sweep.works(sweep.numbers)
        assert len({work.name for work in works}) == len(works) > 0
        assert len({work.family for work in works}) == 1
        assert set(sweep.quick) <= set(sweep.numbers)
        assert {work.place for work in works} <= {"near", *delays()}


def test_figures_are_for_one_row() -> None:
    sweep = SWEEPS["rows"]
    streamed, fetched = (curve.make(1000).name for curve in sweep.curves)
    measured = [
        Series(streamed, "asyncio", "pgallop", "", None, 40_000_000, [Sample(10, 1, 0.5)]),
        Series(fetched, "asyncio", "pgallop", "", None, None, [Sample(100, 1, 0.5)]),
    ]
    lines = lines_of(sweep, [1000], Results({}, 1, 1.0, series=measured), "asyncio")
    points = {(line["curve"], line["driver"]): line["points"] for line in lines}
    assert points["streamed", "asyncpg"] == []
    medians = points["streamed", "pgallop"][0]["medians"]
    assert medians[CPU] == pytest.approx(50)  # 0.5 s for 10,000 rows
    assert medians[THROUGHPUT] == pytest.approx(10_000)
    assert medians[PEAK] == 40
    assert points["fetched", "pgallop"][0]["medians"][CPU] == pytest.approx(5)
    assert "1,000  streamed  pgallop" in table(sweep, lines)


def test_what_takes_too_much_is_left_out_of_a_curve() -> None:
    streamed, fetched = SWEEPS["rows"].curves
    assert streamed.numbers([1, 10_000_000]) == [1, 10_000_000]
    assert fetched.numbers([1, 10_000_000]) == [1]


@pytest.mark.timeout(TIMEOUT + 10)
def test_a_short_run_measures_and_draws(tmp_path: Path) -> None:
    options = ("--quick", "--seconds", "0.01", "--sweep", "connections", "trips", "--interpreted")
    files = ("--json", str(tmp_path / "new" / "scale.json"), "--plots", str(tmp_path / "plots"))
    run = subprocess.run(
        [sys.executable, "-m", "bench.scale", *options, *files],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(Path(pgallop.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert (run.returncode, run.stderr) == (0, "")
    document = json.loads((tmp_path / "new" / "scale.json").read_text("utf-8"))
    assert set(document["sweeps"]) == {"connections", "trips"}
    for name, lines in document["sweeps"].items():
        for line in lines:
            assert [point["number"] for point in line["points"]] == list(SWEEPS[name].quick)
    texts = {
        element.text
        for name in ("connections", "trips")
        for element in ET.parse(tmp_path / "plots" / f"scale-{name}.svg").iter()
    }
    assert texts >= {"connections", "round trip, ms", "pgallop", "asyncpg a statement"}


def test_the_same_figures_give_the_same_picture(tmp_path: Path) -> None:
    point = {"number": 10.0, "medians": {CPU: 10.0, THROUGHPUT: 5.0}}
    sweeps = {"connections": [{"curve": "", "driver": "pgallop", "points": [point, point]}]}
    (first,) = draw_all(sweeps, tmp_path / "first")  # type: ignore[arg-type]
    (second,) = draw_all(sweeps, tmp_path / "second")  # type: ignore[arg-type]
    assert first.read_bytes() == second.read_bytes()
