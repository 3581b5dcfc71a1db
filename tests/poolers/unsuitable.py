"""What of the server tests cannot make sense through a pooler, and why.

A pattern is a file, or a file and a test; a test of this folder sees that each of them exists.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import PurePath

# What goes through pgpool-II, which gives each client a session of its own: a part will do.
PGPOOL_FILES = (
    "test_begin.py",
    "test_cancellation.py",
    "test_errors.py",
    "test_pipeline_block.py",
    "test_pipelining.py",
    "test_queries.py",
    "test_statement_cache.py",
    "test_timeouts.py",
    "test_transactions.py",
)

# Through PgBouncer in any mode.
PGBOUNCER: Mapping[str, tuple[str, ...]] = {
    "PgBouncer refuses settings that it does not know": (
        "test_cancellation.py::test_the_servers_own_cancellation_is_the_callers",
        "test_connect.py::test_server_settings",
        "test_connect.py::test_unknown_setting",
        "test_pipeline_cancelled.py::test_a_statement_timeout",
        "test_regressions.py::test_3_*",
        "test_transactions.py::test_the_sessions_own_defaults",
        "test_written.py::test_a_setting_arrives_as_it_was_given",
        "test_written.py::test_the_longest_startup_message",
    ),
    "the backend outlives its client, who goes politely or not": (
        "test_closing.py::test_close",
        "test_closing.py::test_close_waits_for_statements_that_are_abandoned",
        "test_closing.py::test_terminate",
        "test_connect.py::test_block_closes_*",
        "test_foreign.py::test_forgotten*",
        "test_listeners.py::test_nobody_holds_the_connection",
        "test_regressions.py::test_4_cancelled_and_closed",
        "test_termination.py::test_garbage_collected",
    ),
    "PgBouncer has words of its own for wrong users and databases and for lost servers": (
        "test_connect.py::test_a_call_that_failed_cannot_be_repeated",
        "test_connect.py::test_missing_*",
        "test_unreachable.py::test_terminated_while_idle",
        "test_written.py::test_names_of_roles_and_databases",
    ),
    "looks for the server's own address, sockets or process ids": (
        "test_connect.py::test_both_kinds_of_socket",
        "test_connect.py::test_facts",
        "test_foreign.py::test_a_forked_child_is_refused",
        "test_keepalives.py::test_a_connection",
        "test_termination.py::test_as_asyncpg",
    ),
}

# What does not work when each transaction has another session.
TRANSACTION: Mapping[str, tuple[str, ...]] = {}

UNSUITABLE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "session": PGBOUNCER,
    "transaction": {**PGBOUNCER, **TRANSACTION},
    "pgpool": {},
}


def reason_against(nodeid: str, kind: str) -> str | None:
    """Why a test cannot make sense through this pooler; None if it can."""
    path, _, test = nodeid.partition("::")
    name = f"{PurePath(path).name}::{test.partition('[')[0]}"
    for reason, patterns in UNSUITABLE[kind].items():
        if any(fnmatch(name, pattern) for pattern in patterns):
            return reason
    return None
