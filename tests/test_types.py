"""Small public types: versions as servers and their kin write them, and as none should."""

from __future__ import annotations

import pytest

from pgallop.types import parse_server_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("18.6", (18, 6, 0, "final", 0)),
        ("15.2 (Debian 15.2-1)", (15, 2, 0, "final", 0)),
        ("9.6.24", (9, 6, 24, "final", 0)),
        ("17beta2", (17, 0, 0, "beta", 2)),
        ("16rc1", (16, 0, 0, "candidate", 1)),
        ("19devel", (19, 0, 0, "alpha", 0)),
        ("PostgreSQL 13.4 on x86_64", (13, 4, 0, "final", 0)),
        # Redshift, CockroachDB, YugabyteDB, EDB, Greenplum, Aurora, Supabase, Percona, QuestDB,
        # PgBouncer's console, KingbaseES.
        ("8.0.2", (8, 0, 2, "final", 0)),
        ("13.0.0", (13, 0, 0, "final", 0)),
        ("11.2-YB-2.20.1.0-b97", (11, 2, 0, "final", 0)),
        ("15.12-YB-2025.1.0.0-b137", (15, 12, 0, "final", 0)),
        ("15.2.0", (15, 2, 0, "final", 0)),
        ("9.6.2.7", (9, 6, 2, "final", 0)),
        ("9.4.26", (9, 4, 26, "final", 0)),
        ("16.4-limitless", (16, 4, 0, "final", 0)),
        ("15.1 (Ubuntu 15.1-1.pgdg20.04+1)", (15, 1, 0, "final", 0)),
        ("16.3 - Percona Distribution", (16, 3, 0, "final", 0)),
        ("11.3", (11, 3, 0, "final", 0)),
        ("1.18.0/bouncer", (1, 18, 0, "final", 0)),
        ("V008R006C008B0014", (0, 0, 0, "final", 0)),
        ("PostgreSQL 8.0.2 on i686-pc-linux-gnu, Redshift 1.0.56754", (8, 0, 2, "final", 0)),
        ("", (0, 0, 0, "final", 0)),
        ("unknown", (0, 0, 0, "final", 0)),
    ],
)
def test_versions(text: str, version: tuple[int, int, int, str, int]) -> None:
    assert parse_server_version(text) == version


def test_a_number_that_python_refuses() -> None:
    assert parse_server_version("9" * 5000).major == 999_999_999
    assert parse_server_version("1." + "9" * 5000).major == 1
