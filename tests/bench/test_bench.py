"""`python -m bench` as a user runs it, with as few repetitions as there can be."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import psycopg
import pytest

import pgallop
from bench.drivers import installed, load, missing
from bench.work import TLS
from bench.works import SCHEMA, WORKS

CHECKOUT = Path(__file__).parents[2]
TIMEOUT = 50
TIMEOUT_OF_ALL = 200  # seconds for all works, which take some 30 on an idle machine

SHORTEST = ("--rounds", "1", "--seconds", "0.01")


def environment(package: Path) -> dict[str, str]:
    """What makes a new interpreter import the pgallop in this folder."""
    return {**os.environ, "PYTHONPATH": str(package.parent)}


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "bench", *map(str, arguments)]


def bench(*arguments: str | Path, timeout: float = TIMEOUT) -> subprocess.CompletedProcess[str]:
    """Run the bench from the checkout, as a developer would, on the pgallop under test."""
    return subprocess.run(
        command("--interpreted", *arguments),
        cwd=CHECKOUT,
        env=environment(Path(pgallop.__file__).parent),
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture
def files(tmp_path: Path) -> list[str | Path]:
    return ["--json", tmp_path / "new" / "results.json", "--svg", tmp_path / "new" / "results.svg"]


@pytest.mark.once  # what is run for an interpreted pgallop is the same, and takes twice as long
@pytest.mark.timeout(TIMEOUT_OF_ALL + 10)
def test_every_work_runs_on_a_server_of_its_own(tmp_path: Path, files: list[str | Path]) -> None:
    # More of the same, and it takes as long as all others together.
    works = [work for work in WORKS.values() if work.name != "burst24k"]
    names = [work.name for work in works]
    choice = ("--work", *names, "--loop", "asyncio")
    run = bench(*SHORTEST, *choice, *files, timeout=TIMEOUT_OF_ALL)
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""

    document = json.loads((tmp_path / "new" / "results.json").read_text("utf-8"))
    # A server with TLS is not on every machine.
    places = set() if list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) else {TLS}
    measured = {(one["work"], one["driver"]) for one in document["series"]}
    expected = {
        (work.name, driver)
        for work in works
        for driver in installed()
        if load(driver).supports(work) and work.place not in places
    }
    assert measured == expected
    for name in ("select1_tasks", "limit"), ("typed1000", "records"), ("batch1k", "psqlpy"):
        assert name in measured
    left_out = [reason.partition(":")[0] for reason in document["left_out"]]
    assert left_out == [*missing(), *(work.name for work in works if work.place in places)]
    assert set(document["versions"]) == set(installed())
    assert set(document["machine"]) >= {"CPU", "Python", "PostgreSQL"}
    mode = "compiled" if pgallop.__compiled__ else "interpreted"
    assert document["versions"]["pgallop"] == f"{pgallop.__version__} ({mode})"
    for one in document["series"]:
        assert len(one["samples"]) == 1
        assert one["median"]["client CPU per run, us"] > 0
        assert one["ratio to asyncpg"]["client CPU per run, us"] > 0
    assert {target["work"] for target in document["targets"]} == {
        work.name for work in works if work.place not in places
    }
    trips = {
        (one["work"], one["driver"]): one["median"]["round trips per run"]
        for one in document["series"]
        if WORKS[one["work"]].is_far
    }
    medians = {(one["work"], one["driver"]): one["median"] for one in document["series"]}
    assert medians["burst5k", "pgallop"]["peak memory, MB"] > 10
    assert 0 < medians["connect_scram", "asyncpg"]["longest block of the loop, us"] < 1e6
    assert {work for work, _ in trips} == {"first_plain", "first_args", "warm_up"}
    assert (trips["first_plain", "pgallop"], trips["first_plain", "asyncpg"]) == (1, 2)
    assert (trips["first_args", "pgallop"], trips["first_args", "asyncpg"]) == (2, 2)
    # Each of 10 connections asks for TLS and logs in; then 20 statements, two of them new to all
    # connections, or more where they get out of step.
    assert 240 <= trips["warm_up", "pgallop"] < 330
    assert trips["warm_up", "asyncpg"] == 420
    assert "round trips/run" in run.stdout

    svg = ET.parse(tmp_path / "new" / "results.svg").getroot()
    texts = {element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert texts >= {"asyncio", *(work.name for work in works if work.place not in places)}
    assert all(work.title in run.stdout for work in works if work.place not in places)


def schema_exists(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        query = "SELECT FROM pg_namespace WHERE nspname = %s"
        return connection.execute(query, (SCHEMA,)).rowcount == 1


@pytest.mark.once
def test_a_server_that_is_given_is_left_as_it_was(dsn: str, files: list[str | Path]) -> None:
    choice = ("--work", "pk", "--driver", "pgallop", "asyncpg", "--loop", "uvloop")
    run = bench(*SHORTEST, "--dsn", dsn, *choice, *files)
    assert run.returncode == 0, run.stderr
    assert "pk on uvloop: client CPU per run at most 0.55 x asyncpg" in run.stdout
    assert "select1" not in run.stdout
    assert not schema_exists(dsn)


@pytest.mark.once
def test_an_interrupt_ends_it_and_leaves_nothing(dsn: str, files: list[str | Path]) -> None:
    choice = ("--interpreted", "--work", "select1", "--driver", "pgallop", "--loop", "asyncio")
    process = subprocess.Popen(
        command("--dsn", dsn, *choice, "--seconds", "600", *files),
        cwd=CHECKOUT,
        env=environment(Path(pgallop.__file__).parent),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + TIMEOUT
    while not schema_exists(dsn):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the group
    _, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, errors) == (130, "")
    assert not schema_exists(dsn)


@pytest.mark.once
def test_the_check_fails_when_there_is_nothing_to_compare_with(
    dsn: str, files: list[str | Path]
) -> None:
    choice = ("--work", "select1", "--driver", "pgallop", "--loop", "asyncio")
    run = bench(*SHORTEST, "--dsn", dsn, *choice, *files, "--check")
    assert run.returncode == 1
    assert "Targets: 0 of 0 met" in run.stdout


@pytest.mark.once
def test_an_interpreted_pgallop_is_not_measured_by_mistake(tmp_path: Path) -> None:
    package = tmp_path / "pgallop"
    shutil.copytree(
        CHECKOUT / "pgallop", package, ignore=shutil.ignore_patterns("*.so", "__pycache__")
    )
    run = subprocess.run(
        command(),
        cwd=CHECKOUT,
        env=environment(package),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert run.returncode == 2
    assert str(package) in run.stderr
    assert "--interpreted" in run.stderr


@pytest.mark.once
def test_a_server_that_is_not_there_is_told_in_a_few_words() -> None:
    run = bench("--dsn", "postgresql://postgres@127.0.0.1:1/postgres")
    assert run.returncode == 2
    assert "127.0.0.1" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.once
def test_a_long_line_needs_an_address(unix_dsn: str, files: list[str | Path]) -> None:
    choice = ("--work", "first_plain", "--driver", "pgallop", "--loop", "asyncio")
    run = bench(*SHORTEST, "--dsn", unix_dsn, *choice, *files)
    assert run.returncode == 2
    assert "needs a DSN like postgresql://user@host/database" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.once
def test_the_works_are_listed() -> None:
    run = bench("--list")
    assert run.returncode == 0
    assert [line.split()[0] for line in run.stdout.splitlines()] == list(WORKS)


@pytest.mark.once
@pytest.mark.parametrize("wrong", [("--rounds", "0"), ("--seconds", "0"), ("--work", "nothing")])
def test_wrong_options_are_refused(wrong: tuple[str, str]) -> None:
    run = bench(*wrong)
    assert run.returncode == 2
    assert wrong[0] in run.stderr
