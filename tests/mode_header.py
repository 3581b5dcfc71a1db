"""A pytest plugin: say which build of pgallop is under test, and refuse to test another one.

With `PGALLOP_EXPECT_COMPILED=1` (or `0`) a run ends at once when pgallop is not compiled (or is): a
suite that means to test the compiled modules must not pass on the interpreted ones.
"""

import os
from pathlib import Path

import pytest

try:
    import pgallop
except ModuleNotFoundError as error:
    if error.name != "pgallop":
        raise
    raise pytest.UsageError(
        "pgallop is not on the path: `make build`, then PYTHONPATH=build/compiled pytest"
    ) from error


def mode(compiled: bool) -> str:
    return "compiled" if compiled else "interpreted"


def pytest_configure() -> None:
    expected = os.environ.get("PGALLOP_EXPECT_COMPILED")
    if expected is None:
        return
    if expected not in ("0", "1"):
        raise pytest.UsageError(f"PGALLOP_EXPECT_COMPILED={expected}: expected 0 or 1")
    if pgallop.__compiled__ is not (expected == "1"):
        raise pytest.UsageError(
            f"PGALLOP_EXPECT_COMPILED={expected}, but the pgallop under test is"
            f" {mode(pgallop.__compiled__)}: {pgallop.__file__}"
        )


def pytest_report_header() -> str:
    folder = Path(pgallop.__file__).parent
    return f"pgallop: {pgallop.__version__}, {mode(pgallop.__compiled__)}, from {folder}"
