"""A database in which statements are asked about and run, and nothing is ever committed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from pgallop.cli.server import EmbeddedServer
from pgallop.sql.harmless import PROOF, candidate


class Database:
    """A transaction that is never committed, in a database of nobody else."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.version = connection.info.server_version // 10000

    def run(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def ask(self, sql: str) -> list[tuple[object, ...]]:
        return self._connection.execute(sql.encode()).fetchall()

    def proves(self, query: str, proof: str = PROOF) -> bool:
        found = candidate(query)
        assert found is not None
        with psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(proof.encode(), found.parameters())
            ((answer,),) = cursor.fetchall()
        assert isinstance(answer, bool)
        assert not self.is_locked()
        return answer

    def is_locked(self) -> bool:
        # Some tricks hide the operator =.
        return (
            self.ask(
                "SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
            )
            != []
        )

    def outlives_its_rollback(self, query: str) -> bool:
        """Run a statement, roll it back, and look whether the lock is still there."""
        self.run("SAVEPOINT before")
        with psycopg.RawCursor(self._connection) as cursor:
            cursor.execute(query.encode())
        self.run("SET CONSTRAINTS ALL IMMEDIATE")  # as a commit would
        self.run("ROLLBACK TO before")
        locked = self.is_locked()
        self.run("SELECT pg_catalog.pg_advisory_unlock_all()")
        return locked


@contextlib.contextmanager
def new_database(server: EmbeddedServer, name: str, schema: str) -> Iterator[psycopg.Connection]:
    """A session in a database that is dropped behind it."""
    with psycopg.connect(server.dsn, autocommit=True) as administrator:
        administrator.execute(f"CREATE DATABASE {name}".encode())
        with psycopg.connect(server.dsn, dbname=name) as connection:
            connection.execute(schema.encode())
            connection.commit()
            yield connection
        administrator.execute(f"DROP DATABASE {name}".encode())


@contextlib.contextmanager
def rolled_back(connection: psycopg.Connection) -> Iterator[Database]:
    """All that is done in it, and locks of the session, are gone behind it."""
    yield Database(connection)
    connection.rollback()
    connection.execute("SELECT pg_advisory_unlock_all()")
    connection.rollback()
