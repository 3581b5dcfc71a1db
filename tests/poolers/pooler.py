"""A pooler in front of a server of the tests, which goes with the program that has started it.

A shell supervises it and holds the reading end of a pipe, so the operating system itself tells it
when its owner is gone, also after `kill -9`. Everything lies in one temporary folder, which the
shell removes. Poolers refuse to run as root, or should not: they get the account of the server.
"""

from __future__ import annotations

import abc
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import psycopg

from pgallop.cli.installation import (
    private_folder,
    server_environment,
    unprivileged_account,
)
from pgallop.cli.server import EmbeddedServer

ROOT = Path(__file__).parents[2]
FETCH = ROOT / "tools" / "fetch_poolers.py"
FETCHED = ROOT / "build" / "poolers"

START_SECONDS = 20.0
STOP_SECONDS = 10.0
PORT_ATTEMPTS = 5
POLL_SECONDS = 0.01

# Orders come on standard input, one a line: the name of a signal for the pooler, or LEAVE. At its
# end the pooler goes, and then the folder. Standard output carries nothing: only the pooler keeps
# it open, so its end says that it is gone.
SUPERVISOR = """
folder=$1 farewell=$2
shift 2
"$@" </dev/null &
exec >&-
while read -r order; do
  [ "$order" = LEAVE ] && exit
  kill -"$order" $!
done
kill -"$farewell" $!
wait
rm -rf "$folder"
"""


class PoolerError(RuntimeError):
    """A pooler does not start or does not stop."""


class Pooler(abc.ABC):
    """A pooler on 127.0.0.1 and on a Unix socket, which trusts everybody who is `postgres`.

    Args:
        server: the server behind it, which trusts its Unix socket.

    Raises:
        PoolerError: at the start, with its last words.
    """

    #: The program, as `tools/fetch_poolers.py` names it.
    program: ClassVar[str]
    #: The signal that ends it at once and in order.
    farewell: ClassVar[str]

    host = "127.0.0.1"

    def __init__(self, server: EmbeddedServer) -> None:
        self.server = server
        self.port = 0
        self._folder: Path | None = None
        self._shell: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """The temporary folder: configuration, log and Unix socket."""
        assert self._folder is not None, "the pooler is not running"
        return self._folder

    @property
    def dsn(self) -> str:
        """The URI that leads through it, on TCP."""
        return f"postgresql://postgres@{self.host}:{self.port}/postgres"

    @property
    def unix_dsn(self) -> str:
        """The URI that leads through it, on its Unix socket."""
        return f"postgresql://postgres@/postgres?host={self.folder}&port={self.port}"

    def log_tail(self, lines: int = 20) -> str:
        """The last lines that it has said."""
        text = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    @abc.abstractmethod
    def command(self, program: Path) -> list[str]:
        """Write the configuration; the command that runs it in the foreground."""

    # -- life ------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        try:
            self._account = unprivileged_account()
            self._folder = private_folder(self._account)
            self._program = self._bring(fetched(self.program))
            self._start_on_free_port()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def restart(self) -> None:
        """End it at once, and start it again with the same configuration at the same address."""
        self.order(self.farewell)
        if not self._is_gone(STOP_SECONDS):
            raise PoolerError(f"{self.program} is still there after {STOP_SECONDS:g} s")
        self._leave()
        if not self._launch():
            raise self._failure("did not start again")

    def order(self, name: str) -> None:
        """Send it a signal, such as "HUP"; LEAVE ends the shell and nothing else."""
        assert self._shell is not None
        assert self._shell.stdin is not None
        self._shell.stdin.write(f"{name}\n".encode())

    def stop(self) -> None:
        """End it and remove its folder; does nothing when there is none."""
        if self._shell is not None:
            self._dismiss()
        if self._folder is not None:
            if self._folder.exists():  # when the shell did not get to it
                shutil.rmtree(self._folder)
            self._folder = None

    # -- how -------------------------------------------------------------------------------------

    def _bring(self, program: Path) -> Path:
        """Copy what was fetched: the checkout may be closed to the account that runs it."""
        if FETCHED not in program.parents:
            return program
        place = self.folder / "program"
        shutil.copytree(program.parent, place)
        for path in (place, *place.iterdir()):
            path.chmod(0o755)
            if self._account is not None:  # else the shell could not remove it
                os.chown(path, self._account.uid, self._account.gid)
        return place / program.name

    def _start_on_free_port(self) -> None:
        for _ in range(PORT_ATTEMPTS):
            self.port = free_port()
            if self._launch():
                return
            # Another program may have taken the port since it was found free.
            if "Address already in use" not in self.log_tail():
                break
            self._leave()
        raise self._failure("did not start")

    def write(self, name: str, text: str) -> Path:
        """Write a file into the folder, for the account that runs it."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)
        return path

    def _launch(self) -> bool:
        """Run it; False when it ended instead of becoming ready."""
        command = self.command(self._program)
        account = self._account
        with (self.folder / "log").open("ab") as log:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", SUPERVISOR, "pooler", str(self.folder), self.farewell, *command],
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                # The libraries of a program that was fetched lie beside it.
                env={**server_environment(), "LD_LIBRARY_PATH": str(self._program.parent)},
                start_new_session=True,  # the terminal's Ctrl-C is for the tests alone
                umask=0o077,
                user=None if account is None else account.uid,
                group=None if account is None else account.gid,
                extra_groups=None if account is None else [],
            )
        assert self._shell.stdout is not None
        os.set_blocking(self._shell.stdout.fileno(), False)
        deadline = time.monotonic() + START_SECONDS
        while not self._is_gone(POLL_SECONDS):
            if self._is_ready():
                return True
            if time.monotonic() > deadline:
                raise self._failure(f"is not ready after {START_SECONDS:g} s")
        return False

    def _is_ready(self) -> bool:
        try:
            with psycopg.connect(self.dsn, autocommit=True, connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _is_gone(self, within: float) -> bool:
        """Wait at most so many seconds for its end."""
        assert self._shell is not None
        assert self._shell.stdout is not None
        deadline = time.monotonic() + within
        while self._shell.stdout.read(1) != b"":  # None: open, and empty as always
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _leave(self) -> None:
        """End the shell of a pooler that is gone, and keep the folder."""
        self.order("LEAVE")
        self._dismiss()

    def _dismiss(self) -> None:
        """Close the pipes, upon which the shell stops a pooler still there, and see it end."""
        shell, self._shell = self._shell, None
        assert shell is not None
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.close()
        try:
            shell.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
        shell.stdout.close()

    def _failure(self, what: str) -> PoolerError:
        return PoolerError(f"{self.program} {what}. Its last words:\n{self.log_tail()}")


def fetched(name: str) -> Path:
    """The program of a pooler, which is fetched if it is not installed."""
    command = [sys.executable, str(FETCH), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PoolerError(done.stderr.strip())
    return Path(done.stdout.strip())


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has taken yet."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
