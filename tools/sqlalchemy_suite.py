"""SQLAlchemy's own tests of dialects: through pgallop, through its drop-in, and through asyncpg.

They run on an embedded server: with the dialect `postgresql+pgallop`, with SQLAlchemy's dialect
for asyncpg after `pgallop.asyncpg.install()`, and with asyncpg itself, which is the yardstick: what
fails with pgallop has to fail with asyncpg, too.

    python tools/sqlalchemy_suite.py                            # all three
    python tools/sqlalchemy_suite.py pgallop --pytest -k ServerSide    # one, and some tests

Ends with 1 if something fails that asyncpg passes. Which pgallop that is, compiled or not, is a
matter of PYTHONPATH.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import psycopg

import pgallop
from pgallop.cli.server import EmbeddedServer

SUITE = Path(__file__).parents[1] / "tests" / "sqlalchemy_dialect" / "suite"

YARDSTICK = "asyncpg"

# What is tested: the driver in the URL, and what the environment says besides.
WAYS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "pgallop": ("pgallop", {}),
    "drop-in": ("asyncpg", {"PGALLOP_SUITE_INSTALL": "1"}),
    YARDSTICK: ("asyncpg", {}),
}

# What SQLAlchemy puts behind the name of a class: database, driver and version.
DATABASE = re.compile(r"_postgresql\+\w+")


class Outcome(NamedTuple):
    """How many tests there were, and which of them failed: why, by their names."""

    passed: int
    skipped: int
    failed: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.passed} passed, {len(self.failed)} failed, {self.skipped} skipped"


def run(way: str, server: EmbeddedServer, arguments: Sequence[str]) -> Outcome:
    """Run the suite in one way, in a database of its own."""
    driver, environment = WAYS[way]
    database = f"suite_{way.replace('-', '_')}"
    address = server.tcp_dsn.rpartition("/")[0]
    with psycopg.connect(server.tcp_dsn, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {database}".encode())
    with psycopg.connect(f"{address}/{database}") as connection:
        connection.execute("CREATE SCHEMA test_schema")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [
            *(sys.executable, "-P", "-m", "pytest", "-c", str(SUITE / "pytest.ini")),
            *("--rootdir", str(SUITE), "-q", "--tb=short", "-p", "no:cacheprovider"),
            *("--dburi", f"{address.replace('://', f'+{driver}://')}/{database}"),
            *(f"--junitxml={report}", *arguments, str(SUITE)),
        ]
        subprocess.run(command, env={**os.environ, **environment}, check=False)
        if not report.exists():
            raise SystemExit(f"{way}: the suite did not run")
        return outcome_of(report)


def outcome_of(report: Path) -> Outcome:
    """What pytest's report tells."""
    failed: dict[str, str] = {}
    skipped = total = 0
    for case in ElementTree.parse(report).iter("testcase"):
        total += 1
        name = DATABASE.split(case.get("classname", ""))[0] + "." + case.get("name", "")
        for kind in ("failure", "error"):
            found = case.find(kind)
            if found is not None:
                failed[name] = found.get("message", "").partition("\n")[0]
        skipped += case.find("skipped") is not None
    return Outcome(total - skipped - len(failed), skipped, failed)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("ways", nargs="*", choices=[*WAYS, []], metavar="way", help=", ".join(WAYS))
    parser.add_argument("--pytest", nargs=argparse.REMAINDER, default=[], help="for pytest")
    options = parser.parse_args()
    ways: list[str] = options.ways or list(WAYS)
    print(f"pgallop {'compiled' if pgallop.__compiled__ else 'interpreted'}", pgallop.__file__)
    with EmbeddedServer(listen=True, auth="trust") as server:
        outcomes = {way: run(way, server, options.pytest) for way in ways}
    is_good = True
    for way, outcome in outcomes.items():
        print(f"{way:10} {outcome}")
        for name, message in outcome.failed.items():
            is_new = YARDSTICK in outcomes and name not in outcomes[YARDSTICK].failed
            is_good = is_good and not is_new
            print(f"{'':10} {'NEW ' if is_new else ''}{name}: {message}")
        is_good = is_good and outcome.passed > 0
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
