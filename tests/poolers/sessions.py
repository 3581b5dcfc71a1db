"""What is left in the sessions that a PgBouncer keeps, which only they themselves can tell."""

from __future__ import annotations

import collections
from contextlib import ExitStack

import psycopg
from poolers.pgbouncer import PgBouncer

# What the small PgBouncer of these tests has.
SESSIONS = 3

LOOK = """
    SELECT pg_backend_pid(), (SELECT count(*) FROM pg_prepared_statements),
        (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
"""


def left_in_sessions(pgbouncer: PgBouncer, count: int = SESSIONS) -> collections.Counter[str]:
    """How many "statements" and advisory "locks" are left in all of the `count` sessions."""
    left: collections.Counter[str] = collections.Counter()
    pids = set()
    with ExitStack() as stack:
        # In transactions and all at once: each look gets another session.
        for _ in range(count):
            # A ClientCursor prepares nothing itself.
            connection = psycopg.connect(pgbouncer.dsn, cursor_factory=psycopg.ClientCursor)
            stack.enter_context(connection)
            row = connection.execute(LOOK).fetchone()
            assert row is not None
            pid, statements, locks = row
            pids.add(pid)
            left.update(statements=statements, locks=locks)
    assert len(pids) == count
    return left
