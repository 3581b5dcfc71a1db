"""The figures of a run in the documentation, from figures made up for the purpose."""

import json
import shutil
from pathlib import Path

import pytest

from bench import page, tables
from bench.page import PageError, between, keep, pages
from bench.report import as_json
from bench.results import Results, Sample, Series
from bench.targets import judge

pytestmark = pytest.mark.once

CHECKOUT = Path(__file__).parents[2]

VERSIONS = {"pgallop": "0.1.0 (compiled)", "asyncpg": "0.32.0", "psycopg": "3.3.9", "limit": "-"}
MACHINE = {"CPU": "a fast one", "system": "Linux", "Python": "CPython 3.11.7", "PostgreSQL": "18.6"}


def series(driver: str, work: str, microseconds: float, peak: int | None = None) -> Series:
    """Two rounds of 1,000 runs, each of which takes as long as its CPU time."""
    seconds = microseconds / 1000
    samples = [Sample(1000, seconds, seconds), Sample(1000, seconds, seconds)]
    return Series(work, "asyncio", driver, "10 connections", None, peak, samples)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The file of a run."""
    measured = [
        series("pgallop", "select1", 6),
        series("asyncpg", "select1", 20),
        series("psycopg", "select1", 40),
        series("limit", "select1", 2),
        series("pgallop", "pk", 30),
        series("asyncpg", "pk", 20),
        series("pgallop", "burst5k", 10, 40_000_000),
        series("asyncpg", "burst5k", 20, 50_000_000),
    ]
    results = Results(MACHINE, 2, 0.8, VERSIONS, ["psqlpy: not there"], measured)
    path = tmp_path / "results.json"
    path.write_text(as_json(results, judge(results)), encoding="utf-8")
    return path


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    """The file of a scale."""
    medians = {"client CPU per run, us": 10.0}
    line = {"curve": "", "driver": "pgallop", "points": [{"number": 10, "medians": medians}]}
    figures = {
        "machine": MACHINE,
        "versions": {"pgallop": "0.1.0 (compiled)", "asyncpg": "0.32.0"},
        "loop": "asyncio",
        "rounds": 3,
        "seconds": 0.5,
        "sweeps": {"tasks": [line]},
    }
    path = tmp_path / "scale.json"
    path.write_text(json.dumps(figures), encoding="utf-8")
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the pages of this one, and no figures."""
    folder = tmp_path / "checkout"
    (folder / "docs" / "_static").mkdir(parents=True)
    for name in ("README.md", "docs/benchmarks.md"):
        shutil.copy(CHECKOUT / name, folder / name)
    return folder


def test_the_pages_are_those_of_the_figures_that_are_kept() -> None:
    for path, text in pages(CHECKOUT).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make page`"


def test_a_run_fills_the_pages(run: Path, scale: Path, checkout: Path) -> None:
    keep(run, checkout / page.RUN)
    keep(scale, checkout / page.SCALE)
    made = pages(checkout)
    text = made[checkout / "docs" / "benchmarks.md"]
    assert "| `select1` | SELECT 1+1 on 10 connections | 6 | ±0% | 0.30 | 2.00 | 0.10 |" in text
    assert "| `burst5k` | asyncio | peak MB of the process | 40 | 50 |" in text
    assert "- `pk` on asyncio: 1.50 times the client CPU of asyncpg, and 0.67 times as" in text
    assert "- `select1` on asyncio" not in text
    assert "- pk on asyncio: client CPU per run at most 0.32 x asyncpg: 1.5\n" in text
    assert "- psqlpy: not there" in text
    assert "](_static/benchmarks.json)" in text
    assert "![tasks that ask at once" in text
    assert "](_static/scale-tasks.svg)" in text
    readme = made[checkout / "README.md"]
    assert "pgallop 0.1.0 (compiled) beside asyncpg 0.32.0 in one run: a fast one" in readme
    assert "| SELECT 1+1 on 10 connections | 0.30 | 3.33 |" in readme
    assert readme.count("numbers: begin") == 1

    for path, content in made.items():
        path.write_text(content, encoding="utf-8")
    assert pages(checkout) == made


def test_where_pgallop_leads_nothing_is_said(run: Path) -> None:
    figures = json.loads(run.read_text(encoding="utf-8"))
    figures["series"] = [one for one in figures["series"] if one["work"] != "pk"]
    figures["targets"] = [one for one in figures["targets"] if one["met"]]
    text = tables.results(figures, Path("_static/benchmarks.json"))
    assert "Nowhere in this run." in text
    assert "Missed" not in text


@pytest.mark.parametrize(
    "text", ["", "<!-- a: begin -->\n", "<!-- a: begin -->\n<!-- a: end --><!-- a: end -->"]
)
def test_a_page_has_one_place_for_figures(text: str) -> None:
    with pytest.raises(PageError, match="one place for the a"):
        between(text, "a", "content")


def test_what_stands_there_is_replaced_as_it_is() -> None:
    text = "before\n<!-- a: begin -->\nold\nold\n<!-- a: end -->\nafter"
    content = r"new \1 \n"
    assert between(text, "a", content) == (
        f"before\n<!-- a: begin -->\n{content}\n<!-- a: end -->\nafter"
    )
