"""How the reports of spin's searches are judged: a cut search and the wrong failure do not pass."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "model"

pytestmark = pytest.mark.once

# As pan prints them, shortened.
HOLDS = """
(Spin Version 6.5.2 -- 6 December 2019)
	+ Partial Order Reduction

Full statespace search for:
	never claim         	- (none specified)
	assertion violations	+
	invalid end states	+

State-vector 216 byte, depth reached 388, errors: 0
  3544311 states, stored
  7947895 states, matched
 11492206 transitions (= stored+matched)
"""
FAILS = """
pan:1: assertion violated {} (at depth 226)
pan: wrote conversation.pml.trail

(Spin Version 6.5.2 -- 6 December 2019)
Warning: Search not completed

State-vector 216 byte, depth reached 268, errors: 1
    57638 states, stored
"""


@pytest.fixture(scope="module")
def check() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("model_check", FOLDER / "check.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what annotations mean
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def of_kind(check: ModuleType, kind: str, expected: str = "") -> object:
    return check.Check("name", check.Kind[kind], (), expected)


def test_a_complete_search_without_errors(check: ModuleType) -> None:
    verdict = check.parse(HOLDS)
    assert verdict == check.Verdict(3544311, 388, 0, "", True)
    assert check.passes(of_kind(check, "SOUND"), verdict)


def test_a_variant_passes_by_failing_with_its_property_only(check: ModuleType) -> None:
    variant = of_kind(check, "VARIANT", "takes_effect_once")
    assert check.passes(variant, check.parse(FAILS.format("takes_effect_once")))
    assert not check.passes(variant, check.parse(FAILS.format("reply_is_the_heads")))
    assert not check.passes(variant, check.parse(HOLDS))


def test_the_sound_model_may_not_fail(check: ModuleType) -> None:
    verdict = check.parse(FAILS.format("(takes_effect_once)"))
    assert verdict.failed == "takes_effect_once"
    assert not check.passes(of_kind(check, "SOUND"), verdict)


@pytest.mark.parametrize("failure", ["invalid end state", "non-progress cycle"])
def test_failures_that_are_no_assertions(check: ModuleType, failure: str) -> None:
    report = FAILS.replace("assertion violated {}", failure)
    assert check.parse(report).failed == failure


@pytest.mark.parametrize(
    "sign",
    [
        "Warning: Search not completed",
        "error: max search depth too small",
        "pan: reached -DMEMLIM bound",
        "pan: out of memory",
    ],
)
def test_a_search_that_was_cut_off_does_not_pass(check: ModuleType, sign: str) -> None:
    verdict = check.parse(f"{sign}\n{HOLDS}")
    assert not verdict.complete
    assert not check.passes(of_kind(check, "SOUND"), verdict)


def test_no_report_is_no_verdict(check: ModuleType) -> None:
    with pytest.raises(ValueError, match="did not report"):
        check.parse("Segmentation fault")


@pytest.mark.parametrize(("kind", "first"), [("VARIANT", "NO_HOLD"), ("COVER", "RERUN")])
def test_all_of_the_model_is_checked(check: ModuleType, kind: str, first: str) -> None:
    model = (FOLDER / "conversation.pml").read_text()
    part = model[model.index(f"#define {first} 1") :]
    part = part[: part.index("#ifndef")]
    defined = re.findall(r"^#define ([A-Z_]+) \d+", part, re.MULTILINE)
    names = [each.name for each in check.checks(large=False) if each.kind is check.Kind[kind]]
    assert names == defined
