"""A realm, and Debian's PostgreSQL in it; without them all is skipped: `nox -s kerberos`."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from kerberos import realm
from kerberos.realm import PASSWORD, ROLE, STRANGER, Realm

from pgallop.cli.server import EmbeddedServer


def lacking(what: str) -> None:
    """There is no use in going on; a fault if all was to be there."""
    if os.environ.get("PGALLOP_TEST_KERBEROS") == "1":
        pytest.fail(f"not installed: {what}")
    pytest.skip(f"not installed: {what}; nox -s kerberos installs it")


@pytest.fixture(scope="session")
def the_realm() -> Iterator[Realm]:
    """The realm, to which the environment of this process leads; nobody has a ticket.

    The server has the keys of "postgres" and "other", and none of "lost".
    """
    missing = [name for name in realm.PROGRAMS if shutil.which(name, path=realm.SEARCHED) is None]
    if importlib.util.find_spec("gssapi") is None:
        missing.append("gssapi")
    if missing:
        lacking(", ".join(missing))
    with Realm() as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.environment.items():
            patch.setenv(name, value)
        for principal in (ROLE, STRANGER):
            found.add(principal, PASSWORD)
        found.add_service("postgres/127.0.0.1")
        found.add_service("other/127.0.0.1")
        found.add_service("lost/127.0.0.1", keep_key=False)
        yield found


@pytest.fixture(scope="session")
def guarded(the_realm: Realm, pg15_bin_dir: Path | None) -> Iterator[EmbeddedServer]:
    """A server that asks for Kerberos on TCP."""
    if pg15_bin_dir is None:
        lacking("PostgreSQL 15 of Debian's")
    hba = ["host all all 127.0.0.1/32 gss include_realm=0"]
    settings = {"krb_server_keyfile": f"FILE:{the_realm.keytab}"}
    with (
        EmbeddedServer(pg15_bin_dir, listen=True, hba=hba, settings=settings) as server,
        psycopg.connect(server.dsn, autocommit=True) as admin,
    ):
        admin.execute(f"CREATE ROLE {ROLE} LOGIN".encode())
        yield server


@pytest.fixture
def ticket(the_realm: Realm) -> Iterator[Realm]:
    """ada has one."""
    the_realm.log_in(ROLE, PASSWORD)
    yield the_realm
    the_realm.log_out()
