"""PgBouncer in front of a server of the tests, with its admin console."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import psycopg
from poolers.pooler import Pooler
from psycopg.rows import dict_row

from pgallop.cli.server import EmbeddedServer

PoolMode = Literal["session", "transaction", "statement"]


class PgBouncer(Pooler):
    """A PgBouncer, which is left by its clients in whatever state.

    In transaction mode each transaction gets the server connection that has rested longest, and
    not the one that was used last, as it is by default: what relies on a state that a transaction
    leaves in a session is found out by its second one.

    Args:
        server: the server behind it.
        pool_mode: when a server connection is given back.
        settings: more settings for the section [pgbouncer], which win over the defaults.

    Source: PgBouncer's documentation, "pgbouncer.ini".
    """

    program = "pgbouncer"
    farewell = "TERM"  # INT waits for the clients to go

    def __init__(
        self,
        server: EmbeddedServer,
        pool_mode: PoolMode,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(server)
        self.pool_mode = pool_mode
        self._settings: Mapping[str, object] = {
            "pool_mode": pool_mode,
            "server_round_robin": 1,
            "default_pool_size": 20,
            "max_client_conn": 1000,
            "server_login_retry": 1,  # seconds until it tries again to reach the server
            **(settings or {}),
        }

    @property
    def admin_dsn(self) -> str:
        """The URI of the admin console, whose commands are no SQL."""
        return f"postgresql://postgres@{self.host}:{self.port}/pgbouncer"

    def command(self, program: Path) -> list[str]:
        users = self.write("users", '"postgres" ""\n')
        fixed = {
            "listen_addr": self.host,
            "listen_port": self.port,
            "unix_socket_dir": self.folder,
            "auth_type": "trust",
            "auth_file": users,
            "admin_users": "postgres",
        }
        lines = [
            "[databases]",
            f"* = host={self.server.host} port={self.server.port}",
            "[pgbouncer]",
            *(f"{name} = {value}" for name, value in {**fixed, **self._settings}.items()),
        ]
        return [str(program), str(self.write("pgbouncer.ini", "\n".join(lines) + "\n"))]

    def ask(self, command: str) -> list[dict[str, Any]]:
        """Give the admin console a command, such as "SHOW POOLS"; its rows by their columns."""
        with (
            psycopg.connect(self.admin_dsn, autocommit=True) as connection,
            psycopg.ClientCursor(connection, row_factory=dict_row) as cursor,
        ):
            cursor.execute(command.encode())
            return cursor.fetchall() if cursor.description else []
