"""`connect` to servers that ask for Kerberos, with and without a library for it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

from drop_in.case import Ask, Session, cases
from fake_kerberos import FakeKerberos, GSSError, proof
from scripted_server import FAREWELL, GREETING, ScriptedServer, Step, expect, reply, send, stall
from scripts import GSS, GSS_CONTINUE, SSPI, authentication

# The libraries, and that there are none.
Libraries = dict[str, Any]
NONE: Libraries = {"gssapi": None, "sspilib": None}


def asks(kind: int = GSS) -> list[Step]:
    return [expect("StartupMessage"), send(authentication(kind))]


def honest(kind: int = GSS, rest: bytes = GREETING) -> list[Step]:
    """A server that proves who it is, and goes on at once, as PostgreSQL does."""
    return [
        *asks(kind),
        expect("GSSResponse"),
        reply(lambda bodies: authentication(GSS_CONTINUE, proof(bodies[0])) + rest),
        *FAREWELL,
    ]


def connecting(
    script: list[Step],
    libraries: Libraries | None = None,
    error: Exception | None = None,
    **options: Any,
) -> Ask:
    """Connect to a server of this script; whom the library was asked for, or the error."""

    async def ask(s: Session) -> Any:
        fake = FakeKerberos(error=error)
        found = libraries or {"gssapi": fake.gssapi, "sspilib": fake.sspilib}
        with ScriptedServer(script) as server, mock.patch.dict(sys.modules, found):
            names = {"host": server.host, "port": server.port, "user": "ada", "ssl": "disable"}
            conn = await s.apg.connect(**{**names, **options}, timeout=5)
            await conn.close()
        return [each["name"] for each in fake.begun]

    return ask


async def through_a_unix_socket(s: Session) -> Any:
    """Which PostgreSQL does not do."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(authentication(GSS))
        await reader.read()
        writer.close()

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, ".s.PGSQL.5432")
        async with await asyncio.start_unix_server(serve, path):
            await s.apg.connect(host=folder, port=5432, user="ada", timeout=5)


cases(
    "connect",
    {
        "a ticket": connecting(honest()),
        "a ticket for a server that asks for SSPI": connecting(honest(SSPI)),
        "a ticket by SSPI": connecting(honest(), gsslib="sspi"),
        "a ticket by SSPI for SSPI": connecting(honest(SSPI), gsslib="sspi"),
        "a ticket for another service": connecting(honest(), krbsrvname="other"),
        "a ticket for a service without a name": connecting(honest(), krbsrvname=""),
        "a ticket for the service in the DSN": connecting(
            honest(), dsn="postgresql:///x?krbsrvname=other&gsslib=sspi"
        ),
        "a library that nobody knows": connecting(honest(), gsslib="heimdal"),
        "Kerberos without a library": connecting([*asks(), stall()], NONE),
        "SSPI without a library": connecting([*asks(SSPI), stall()], NONE, gsslib="sspi"),
        "Kerberos through a Unix socket": through_a_unix_socket,
    },
)
cases(
    "connect",
    {
        "no ticket": connecting([*asks(), stall()], error=GSSError("no ticket")),
        "no ticket by SSPI": connecting([*asks(), stall()], error=OSError("no"), gsslib="sspi"),
        "a server that is somebody else": connecting(
            [*asks(), expect("GSSResponse"), send(authentication(GSS_CONTINUE, b"x")), stall()]
        ),
    },
)
