"""The run around the probes: it counts what crashes, hangs or is out of bounds, and goes on."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path

import pytest
from hostile import command
from hostile.catalogue import find, keys
from hostile.report import Report
from hostile.server import HostileServer
from hostile.trial import Result, hold

# Told by a worker that holds nothing, of the first probe it is given; then what `{0}` says.
WORKER = """
import dataclasses, json, os, signal, sys, time
key = json.load(sys.stdin)[0]
{0}
print(json.dumps({{"key": key, "refused": True, "outcome": "ProtocolError"}}), flush=True)
"""


@pytest.fixture
def report() -> Report:
    return Report("a run", verbose=False)


def supervise(
    monkeypatch: pytest.MonkeyPatch, report: Report, behaviour: str, probes: list[str]
) -> None:
    monkeypatch.setattr(command, "WORKER", (sys.executable, "-c", WORKER.format(behaviour)))
    monkeypatch.setattr(command, "WATCHDOG_SECONDS", 2.0)
    asyncio.run(command.supervise(probes, "asyncio", report))


@pytest.mark.once
def test_a_crash_is_counted_and_the_next_probe_held(
    monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    first, second = keys()[:2]
    crash = f"if key == {first!r}: os.kill(os.getpid(), signal.SIGSEGV)"
    supervise(monkeypatch, report, crash, [first, second])
    assert [result.key for result in report.results] == [first, second]
    assert report.results[0].faults == ["the process crashed: SIGSEGV"]
    assert not report.results[1].faults
    assert "crashes=1 hangs=0" in report.sum()
    assert not report.good


@pytest.mark.once
def test_a_hang_is_counted_and_the_next_probe_held(
    monkeypatch: pytest.MonkeyPatch, report: Report
) -> None:
    first, second = keys()[:2]
    hang = f"if key == {first!r}: time.sleep(60)"
    supervise(monkeypatch, report, hang, [first, second])
    assert report.results[0].faults == ["the process hung for 2 s"]
    assert "crashes=0 hangs=1" in report.sum()


@pytest.mark.once
def test_the_sum(report: Report, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad, other = keys()[:3]
    report.add(Result(good, True, megabytes=1.5, block=0.004))
    report.add(Result(bad, True, megabytes=None, block=0.002, typed=False, faults=["no"]))
    report.add(Result(other, False, megabytes=0.5, block=0.001))
    report.finish()
    assert report.sum() == (
        "refused 1/2  survived 1/1  crashes=0 hangs=0 untyped=1 again=0  "
        f"peak memory 1.5 MiB ({good})  longest block 4 ms ({good})"
    )
    assert f"WRONG: {bad}" in capsys.readouterr().out
    assert not report.good


@pytest.mark.once
def test_memory_that_cannot_be_known(report: Report) -> None:
    report.add(Result(keys()[0], True))
    assert "peak memory unknown" in report.sum()


@pytest.mark.once
def test_the_whole_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    probe = "framing: a row of one byte more than max_message_size"
    assert command.main(["--probe", probe, "--json", str(file), "-v"]) == 0
    (result,) = json.loads(file.read_text("utf-8"))
    assert result["key"] == probe
    assert (
        "refused 1/1  survived 0/0  crashes=0 hangs=0 untyped=0 again=" in capsys.readouterr().out
    )
    assert command.main(["--probe", "no such probe"]) == 2


@pytest.mark.once
@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"words": "something else"}, "does not say 'something else'"),
        ({"error": LookupError}, "came out, not LookupError"),
        ({"error": None}, "came out, not no error"),
        ({"usable": True}, "the connection cannot be used any more"),
        ({"seconds": 0.0}, "more than 0"),
        ({"block": 0.0}, "the loop was blocked"),
        ({"megabytes": -1.0}, "MiB, more than -1"),
    ],
)
def test_what_is_wrong_is_found(
    monkeypatch: pytest.MonkeyPatch, change: dict[str, object], fault: str
) -> None:
    key = "framing: a row of one byte more than max_message_size"
    probe = dataclasses.replace(find(key), **change)  # type: ignore[arg-type]
    monkeypatch.setattr("hostile.trial.find", lambda key: probe)
    with HostileServer() as server:
        result = asyncio.run(hold(server, key))
    assert any(fault in each for each in result.faults), result.faults
