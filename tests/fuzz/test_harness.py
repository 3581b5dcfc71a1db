"""The harness: what it has to notice it notices, and a seed fixes what it does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fuzz import grammar
from fuzz.grammar import Bytes, Dice, Fields, Grammar, Messages, Words, mutations
from fuzz.target import MAX_SIZE, Target
from fuzz.targets import TARGETS

import pgallop

CHECKOUT = Path(__file__).parents[2]
# The pgallop that is tested: another one may be installed.
TREE = Path(pgallop.__file__).parents[1]
MODE = "compiled" if pgallop.__compiled__ else "interpreted"

pytestmark = pytest.mark.once


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "tests.fuzz", "--targets=fuzz.faulty", *arguments],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TREE), str(CHECKOUT)])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("name", "figure", "told"),
    [
        ("crash", "crashes", "the process ended with status -11"),
        ("stuck", "hangs", "1 seconds and no end"),
        ("slow", "hangs", " seconds for "),
        ("hungry", "memory", "fuzz.faulty:"),
        ("untyped", "untyped", "KeyError: 'a surprise'"),
        ("wrong", "wrong", "that cannot be"),
    ],
)
def test_a_finding(tmp_path: Path, name: str, figure: str, told: str) -> None:
    folder = tmp_path / "found"
    patience = 1 if name == "stuck" else 20
    limits = ("--seconds=2", "--inputs=3", f"--patience={patience}")
    found = run(f"--target={name}", *limits, f"--folder={folder}")
    assert found.returncode == 1, found.stderr
    assert told in found.stdout
    assert f" {figure}=0" not in found.stdout.splitlines()[-1]
    kept = sorted(folder.glob(f"{name}-*"))
    assert kept
    assert f"--reproduce {kept[0]}" in found.stdout
    if name != "stuck":
        assert run(f"--reproduce={kept[0]}").returncode != 0


def test_nothing_found(tmp_path: Path) -> None:
    found = run("--target=harmless", "--inputs=1000", f"--folder={tmp_path}")
    assert found.returncode == 0, found.stderr
    last = found.stdout.splitlines()[-1]
    assert last.startswith(
        f"inputs=1,000 crashes=0 hangs=0 memory=0 untyped=0 wrong=0; peak memory: {MODE} "
    )
    assert not list(tmp_path.iterdir())


def test_an_unknown_target() -> None:
    assert "no target x; there are harmless, crash" in run("--target=x").stderr


SHORT = b"\x01S\0\0\0\x06a\0N\0\0\0\x05\0"


@pytest.mark.parametrize("each", [Bytes(), Bytes(1), Words([b"word"]), Messages(1), Fields(1)])
def test_mutations_change_and_are_fixed_by_the_seed(each: Grammar) -> None:
    for seeds in ([SHORT], [b""], [SHORT, b"\xff" * 300]):
        first, second = ([mutations(dice, each, seeds, 64) for _ in range(500)] for dice in twins())
        assert first == second
        assert len(set(first)) > 20
        assert max(map(len, first)) <= 64


def twins() -> tuple[Dice, Dice]:
    return Dice("seed"), Dice("seed")


def test_messages_are_split_as_they_say() -> None:
    messages = [b"S\0\0\0\x06a\0", b"Z\0\0\0\5I", b"D\0\0\0\4"]
    assert grammar.split_messages(b"".join(messages)) == messages
    assert grammar.split_messages(b"S\0\0\0\3abc") == [b"S\0\0\0\3abc"]
    assert grammar.split_messages(b"S\xff\xff\xff\xffabc") == [b"S\xff\xff\xff\xffabc"]
    assert grammar.split_messages(b"S\0\0\0\x09ab") == [b"S\0\0\0\x09ab"]
    assert grammar.split_fields(b"\0\0\0\1a\xff\xff\xff\xff\0\0") == [
        *(b"\0\0\0\1a", b"\xff\xff\xff\xff", b"\0\0"),
    ]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds_are_short(target: Target) -> None:
    seeds = target.seeds()
    assert len(seeds) > 2
    assert max(map(len, seeds)) < MAX_SIZE // 4
