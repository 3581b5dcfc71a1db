"""The embedded server: starts everywhere, says what is wrong, leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from pgallop.cli import installation, server
from pgallop.cli.server import Auth, EmbeddedServer, EmbeddedServerError, RestartMode

pytestmark = pytest.mark.once


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary folders, which a test must leave empty.

    pytest's tmp_path will not do: it is closed to the account that runs the server for root.
    """
    folder = Path(tempfile.mkdtemp(prefix="pgallop-test-", dir="/tmp"))
    folder.chmod(0o1777)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    left_over = [path.name for path in folder.iterdir()]
    shutil.rmtree(folder)
    assert left_over == []


def value(dsn: str, query: str, *, after: str = "") -> object:
    """The first value of a query, which may come after other statements."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(after.encode())
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def first_process(running: EmbeddedServer) -> int:
    return int((running.folder / "data" / "postmaster.pid").read_text().split()[0])


def all_processes(running: EmbeddedServer) -> list[int]:
    with psycopg.connect(running.dsn) as connection:
        others = connection.execute("SELECT pid FROM pg_stat_activity").fetchall()
    return [first_process(running), *(pid for (pid,) in others)]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


# -- a running server ------------------------------------------------------------------------------


def test_answers_through_tcp_and_unix_socket(server: EmbeddedServer, dsn: str) -> None:
    assert value(server.dsn, "SELECT inet_client_addr() IS NULL")
    assert value(dsn, "SELECT host(inet_server_addr())") == server.tcp_host
    assert (Path(server.host) / f".s.PGSQL.{server.port}").is_socket()


def test_cluster_does_not_depend_on_the_machine(unix_dsn: str) -> None:
    assert value(unix_dsn, "SHOW timezone") == "UTC"
    assert value(unix_dsn, "SHOW server_encoding") == "UTF8"
    assert value(unix_dsn, "SHOW lc_messages") in ("C.UTF-8", "C")


def test_folder_is_closed_to_others(server: EmbeddedServer) -> None:
    assert server.folder.stat().st_mode & 0o777 == 0o700


def test_other_installation(pg15_bin_dir: Path | None, base: Path) -> None:
    with EmbeddedServer(pg15_bin_dir) as other:
        version = value(other.dsn, "SELECT current_setting('server_version_num')::int / 10000")
    assert version == (18 if pg15_bin_dir is None else 15)


@pytest.mark.parametrize("auth", ["password", "md5", "scram-sha-256"])
def test_password(auth: Auth, bin_dir: Path | None, base: Path) -> None:
    with EmbeddedServer(bin_dir, listen=True, auth=auth) as guarded:
        rules = "SELECT DISTINCT auth_method FROM pg_hba_file_rules WHERE type = 'host'"
        assert value(guarded.tcp_dsn, rules) == auth
        stored = value(guarded.dsn, "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'")
        assert str(stored).startswith("md5" if auth == "md5" else "SCRAM-SHA-256$")
        wrong = guarded.tcp_dsn.replace(guarded.password, "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_settings_hba_and_no_tcp(bin_dir: Path | None, base: Path) -> None:
    prefix = r"it's 100\% 'quoted' "
    settings = {"work_mem": "7MB", "fsync": "on", "log_line_prefix": prefix}
    hba = ["local template1 all reject"]
    with EmbeddedServer(bin_dir, settings=settings, hba=hba) as special:
        assert value(special.dsn, "SHOW work_mem") == "7MB"
        assert value(special.dsn, "SHOW fsync") == "on"
        assert value(special.dsn, "SHOW log_line_prefix") == prefix
        assert value(special.dsn, "SHOW listen_addresses") == ""
        with pytest.raises(psycopg.OperationalError, match="rejects connection"):
            psycopg.connect(special.dsn, dbname="template1")
        with pytest.raises(EmbeddedServerError, match="listen=True"):
            _ = special.tcp_dsn


@pytest.mark.parametrize("mode", ["fast", "immediate", "crash"])
def test_restart_keeps_data_and_address(
    mode: RestartMode, bin_dir: Path | None, base: Path
) -> None:
    with EmbeddedServer(bin_dir, listen=True, auth="trust") as restarted:
        address = restarted.tcp_dsn
        before = first_process(restarted)
        value(address, "TABLE kept", after="CREATE TABLE kept AS SELECT 42")
        restarted.restart(mode)
        assert first_process(restarted) != before
        assert value(address, "TABLE kept") == 42


# -- the end ---------------------------------------------------------------------------------------


def test_stop_leaves_nothing_and_start_begins_anew(bin_dir: Path | None, base: Path) -> None:
    again = EmbeddedServer(bin_dir, listen=True)
    for _ in range(2):
        again.start()
        with pytest.raises(EmbeddedServerError, match="already running"):
            again.start()
        folder = again.folder
        processes = all_processes(again)
        with psycopg.connect(again.dsn):  # a session does not hold up the end
            again.stop()
        assert not folder.exists()
        assert not any(is_alive(pid) for pid in processes)
        again.stop()
        with pytest.raises(EmbeddedServerError, match="not running"):
            _ = again.dsn


def test_stop_of_a_frozen_server(bin_dir: Path | None, base: Path) -> None:
    with EmbeddedServer(bin_dir) as frozen:
        processes = all_processes(frozen)
        os.kill(processes[0], signal.SIGSTOP)
    assert not any(is_alive(pid) for pid in processes)


def test_stop_without_its_supervisor(bin_dir: Path | None, base: Path) -> None:
    with EmbeddedServer(bin_dir) as orphan:
        processes = all_processes(orphan)
        supervisor = os.getpgid(processes[0])
        assert supervisor != processes[0]
        os.kill(supervisor, signal.SIGKILL)
        os.waitid(os.P_PID, supervisor, os.WEXITED | os.WNOWAIT)
    # The first process has lost its parent: whoever adopted it may leave it a zombie.
    assert not any(is_alive(pid) for pid in processes[1:])


def test_stop_in_a_fork_is_not_for_the_owner(bin_dir: Path | None, base: Path) -> None:
    with EmbeddedServer(bin_dir) as kept:
        child = os.fork()
        if child == 0:
            kept.stop()
            os._exit(0)
        assert os.waitpid(child, 0) == (child, 0)
        assert value(kept.dsn, "SELECT 1") == 1


OWNER = """
import pathlib, sys, time
from pgallop.cli.server import EmbeddedServer

bin_dir = pathlib.Path(sys.argv[1]) if sys.argv[1] else None
with EmbeddedServer(bin_dir) as running:
    try:
        process = (running.folder / "data" / "postmaster.pid").read_text().split()[0]
        print(process, running.dsn, flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        running.restart()  # it must still be there to obey
        raise
"""


@pytest.fixture
def owner(bin_dir: Path | None, base: Path) -> Iterator[subprocess.Popen[str]]:
    """A program of its own, in its own process group, that runs a server and waits."""
    root = Path(server.__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), str(bin_dir or "")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_ctrl_c_reaches_the_program_alone(owner: subprocess.Popen[str]) -> None:
    assert owner.stdout is not None
    pid = int(owner.stdout.readline().split()[0])
    os.killpg(owner.pid, signal.SIGINT)  # what a terminal does
    _, errors = owner.communicate(timeout=20)
    assert errors.endswith("KeyboardInterrupt\n")
    assert "EmbeddedServerError" not in errors
    assert not is_alive(pid)


@pytest.mark.parametrize("has_session", [False, True])
def test_nothing_outlives_a_killed_program(
    owner: subprocess.Popen[str], base: Path, has_session: bool
) -> None:
    assert owner.stdout is not None
    pid, dsn = owner.stdout.readline().split()
    session = psycopg.connect(dsn) if has_session else None
    owner.kill()
    assert wait_until(lambda: not is_alive(int(pid)))
    assert wait_until(lambda: list(base.iterdir()) == [])
    if session is not None:
        session.close()


def test_nothing_outlives_a_program_killed_at_the_start(
    owner: subprocess.Popen[str], base: Path
) -> None:
    assert wait_until(lambda: any(base.glob("*/data/base")))  # initdb is at work
    owner.kill()
    assert wait_until(lambda: list(base.iterdir()) == [])


# -- what can be in the way ------------------------------------------------------------------------


def test_failed_start_shows_the_log(bin_dir: Path | None, base: Path) -> None:
    with pytest.raises(EmbeddedServerError, match='parameter "no_such_setting"'):
        EmbeddedServer(bin_dir, settings={"no_such_setting": "1"}).start()


def test_slow_start_ends_in_time(bin_dir: Path | None, base: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"not ready after 0\.01 s"):
        EmbeddedServer(bin_dir, timeout=0.01).start()


def test_failed_initdb_shows_its_words(base: Path) -> None:
    programs = base / "programs" / "bin"
    programs.mkdir(parents=True)
    for name in ("initdb", "postgres"):
        (programs / name).write_text('#!/bin/sh\n[ "$1" = --version ] || { echo broken; exit 1; }')
        (programs / name).chmod(0o755)
    with pytest.raises(EmbeddedServerError, match=r"did not start.*\nbroken"):
        EmbeddedServer(programs).start()
    shutil.rmtree(base / "programs")


def test_missing_package(monkeypatch: pytest.MonkeyPatch, base: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(EmbeddedServerError, match=r'pip install "pgallop\[demo\]"'):
        EmbeddedServer().start()


def test_folder_without_programs(base: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="no program initdb in"):
        EmbeddedServer(Path("/nonexistent")).start()


def test_other_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "geteuid")  # Windows has none
    with pytest.raises(EmbeddedServerError, match="POSIX"):
        EmbeddedServer().start()


def test_port_taken_in_the_meantime(
    monkeypatch: pytest.MonkeyPatch, bin_dir: Path | None, base: Path
) -> None:
    with socket.create_server((EmbeddedServer.tcp_host, 0)) as occupant:
        taken: int = occupant.getsockname()[1]
        free = server._free_port()
        ports = iter([taken, free])
        monkeypatch.setattr(server, "_free_port", lambda: next(ports))
        with EmbeddedServer(bin_dir, listen=True) as second_choice:
            assert second_choice.port == free
            assert value(second_choice.tcp_dsn, "SELECT 1") == 1


def test_long_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, bin_dir: Path | None, base: Path
) -> None:
    deep = base / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with EmbeddedServer(bin_dir) as embedded:
        assert embedded.folder.parent == Path("/tmp")
        assert value(embedded.dsn, "SELECT 1") == 1
    deep.rmdir()  # fails if something is left in it


def test_programs_in_a_closed_folder(base: Path) -> None:
    """As root, with a virtual environment below a home folder of mode 0700: they are copied."""
    original = installation.wheel_bin_dir().parent
    closed = base / "home"
    closed.mkdir(0o700)
    package = closed / "site-packages" / original.parent.name
    shutil.copytree(original, package / original.name)
    libraries = original.parent.with_name(f"{original.parent.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, package.with_name(libraries.name))
    with EmbeddedServer(package / original.name / "bin") as embedded:
        # share/ and lib/ are there too.
        assert value(embedded.dsn, "SELECT 'a=>b'::hstore -> 'a'", after="CREATE EXTENSION hstore")
        assert (embedded.folder / "installation").exists() == (os.geteuid() == 0)
    shutil.rmtree(closed)


@pytest.mark.parametrize("obstacle", ["refused", "no account"])
def test_root_without_means(
    monkeypatch: pytest.MonkeyPatch, bin_dir: Path | None, base: Path, obstacle: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    if obstacle == "no account":
        monkeypatch.setattr(installation, "_UNPRIVILEGED_ACCOUNTS", ("no-such-account",))
        expected = "refuses to run as root"
    else:
        monkeypatch.setattr(os, "chown", refuse)
        expected = "no temporary folder.*Operation not permitted"
    with pytest.raises(EmbeddedServerError, match=expected):
        EmbeddedServer(bin_dir).start()


def refuse(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")
