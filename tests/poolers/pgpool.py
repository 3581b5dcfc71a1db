"""pgpool-II in front of a server of the tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from poolers.pooler import Pooler, free_port

from pgallop.cli.server import EmbeddedServer


class Pgpool(Pooler):
    """A pgpool-II with one server, as if it were the primary of a streaming replication.

    Each client has a process and a session of its own; DISCARD ALL comes in between.

    Args:
        server: the server behind it.
        settings: more settings, which win over the defaults.

    Source: pgpool-II's documentation, "Server Configuration".
    """

    program = "pgpool"
    farewell = "INT"  # TERM waits for the clients to go

    def __init__(
        self, server: EmbeddedServer, settings: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(server)
        self._settings: Mapping[str, object] = {
            "backend_clustering_mode": "streaming_replication",
            "num_init_children": 24,  # clients at a time; further ones wait
            "max_pool": 2,  # sessions that each of them keeps for its next client
            "sr_check_period": 0,
            "sr_check_user": "postgres",  # asks at the start whether this is the primary
            "log_min_messages": "warning",
            **(settings or {}),
        }

    def command(self, program: Path) -> list[str]:
        fixed = {
            "listen_addresses": self.host,
            "port": self.port,
            "socket_dir": self.folder,
            "pcp_listen_addresses": "",
            "pcp_port": free_port(),
            "pcp_socket_dir": self.folder,
            "wd_ipc_socket_dir": self.folder,
            "pid_file_name": self.folder / "pgpool.pid",
            "logdir": self.folder,
            "work_dir": self.folder,
            "backend_hostname0": self.server.host,
            "backend_port0": self.server.port,
            "backend_data_directory0": self.folder,
            "pool_passwd": "",
        }
        lines = [f"{name} = '{value}'" for name, value in {**fixed, **self._settings}.items()]
        configuration = self.write("pgpool.conf", "\n".join(lines) + "\n")
        commands = self.write("pcp.conf", "")
        # -n: in the foreground; -D: do not take over what it has known of its servers before.
        return [str(program), "-n", "-D", "-f", str(configuration), "-F", str(commands)]
