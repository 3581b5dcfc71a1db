"""TLS by libpq's parameters: files of certificates, modes that try twice, handshakes first."""

from __future__ import annotations

import datetime
import os
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from live import Monitor
from tls_front import TlsFront

import pgallop
from pgallop.cli.installation import unprivileged_account
from pgallop.cli.server import EmbeddedServer
from pgallop.connecting import ConnectCall

DEBIAN = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
AUTHORITY = trustme.CA()
STRANGER = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("localhost", "127.0.0.1")
SERIAL = x509.load_pem_x509_certificate(CERTIFICATE.cert_chain_pems[0].bytes()).serial_number


def serving(certificate: trustme.LeafCert, *, ask_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    if ask_client:
        context.verify_mode = ssl.CERT_REQUIRED
        AUTHORITY.configure_trust(context)
    return context


def revocation_list(authority: trustme.CA, *serials: int) -> bytes:
    """A list that says that the authority has revoked these certificates."""
    now = datetime.datetime.now(datetime.UTC)
    certificate = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    key: Any = serialization.load_pem_private_key(authority.private_key_pem.bytes(), None)
    builder = x509.CertificateRevocationListBuilder().issuer_name(certificate.subject)
    builder = builder.last_update(now).next_update(now + datetime.timedelta(days=1))
    for serial in serials:
        revoked = x509.RevokedCertificateBuilder(serial, now).build()
        builder = builder.add_revoked_certificate(revoked)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Files:
    """The files of a user in a folder."""

    def __init__(self, folder: Path) -> None:
        self.ca = str(folder / "ca.pem")
        self.stranger = str(folder / "stranger.pem")
        self.cert = str(folder / "me.crt")
        self.key = str(folder / "me.key")
        self.locked_key = str(folder / "locked.key")
        self.both = str(folder / "both.pem")
        self.empty_crl = str(folder / "empty.crl")
        self.crl = str(folder / "revoked.crl")
        self.garbage = str(folder / "garbage")
        self.nowhere = str(folder / "nowhere")
        mine = AUTHORITY.issue_cert("ada@example.org")
        key = mine.private_key_pem.bytes()
        certificate = mine.cert_chain_pems[0].bytes()
        locked = serialization.load_pem_private_key(key, None).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"sesame"),
        )
        for path, content in (
            (self.ca, AUTHORITY.cert_pem.bytes()),
            (self.stranger, STRANGER.cert_pem.bytes()),
            (self.cert, certificate),
            (self.key, key),
            (self.locked_key, locked),
            (self.both, key + certificate),
            (self.empty_crl, revocation_list(AUTHORITY)),
            (self.crl, revocation_list(AUTHORITY, SERIAL)),
            (self.garbage, b"no certificate"),
        ):
            Path(path).write_bytes(content)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def front(server: EmbeddedServer) -> Iterator[TlsFront]:
    with TlsFront(server, serving(CERTIFICATE)) as front:
        yield front


@pytest.fixture(scope="module")
def demanding(server: EmbeddedServer) -> Iterator[TlsFront]:
    """It wants a certificate of the client's."""
    with TlsFront(server, serving(CERTIFICATE, ask_client=True)) as front:
        yield front


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("PG")]:
        if not name.startswith("PGALLOP"):
            monkeypatch.delenv(name)
    return tmp_path


def call(port: int, **options: Any) -> ConnectCall:
    options = {"host": "localhost", "user": "postgres", "timeout": 10, **options}
    return pgallop.connect(port=port, database="postgres", **options)


async def encrypted(attempt: ConnectCall) -> bool:
    async with attempt as conn:
        assert await conn.fetchval("SELECT 1") == 1
        return conn._stream.tls is not None


# Whom to trust


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full", "require"])
async def test_an_authority(front: TlsFront, files: Files, mode: str) -> None:
    assert await encrypted(call(front.port, ssl=mode, sslrootcert=files.ca))
    dsn = f"postgresql://postgres@localhost:{front.port}/postgres?sslmode={mode}&sslrootcert="
    assert await encrypted(pgallop.connect(dsn + files.ca))
    with pytest.raises(pgallop.CannotConnectError, match="certificate verify failed"):
        await call(front.port, ssl=mode, sslrootcert=files.stranger)


async def test_the_usual_file(front: TlsFront, files: Files, empty_home: Path) -> None:
    with pytest.raises(pgallop.ClientConfigurationError, match="verify-full needs"):
        await call(front.port, ssl="verify-full")
    folder = empty_home / ".postgresql"
    folder.mkdir()
    (folder / "root.crt").write_bytes(AUTHORITY.cert_pem.bytes())
    assert await encrypted(call(front.port, ssl="verify-full"))
    (folder / "root.crl").write_bytes(Path(files.crl).read_bytes())
    with pytest.raises(pgallop.CannotConnectError, match="certificate revoked"):
        await call(front.port, ssl="verify-full")


async def test_the_name_in_the_certificate(server: EmbeddedServer, files: Files) -> None:
    other = AUTHORITY.issue_cert("db.example.org")
    with TlsFront(server, serving(other)) as front:
        assert await encrypted(call(front.port, ssl="verify-ca", sslrootcert=files.ca))
        with pytest.raises(pgallop.CannotConnectError, match="not valid for 'localhost'"):
            await call(front.port, ssl="verify-full", sslrootcert=files.ca)


async def test_the_systems_authorities(
    front: TlsFront, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    for way in ({"ssl": True}, {"sslrootcert": "system"}):
        with pytest.raises(pgallop.CannotConnectError, match="certificate verify failed"):
            await call(front.port, **way)
    monkeypatch.setenv("SSL_CERT_FILE", files.ca)
    for way in ({"ssl": True}, {"sslrootcert": "system"}):
        assert await encrypted(call(front.port, **way))


async def test_revoked(front: TlsFront, files: Files) -> None:
    trusted = {"ssl": "verify-full", "sslrootcert": files.ca}
    assert await encrypted(call(front.port, **trusted, sslcrl=files.empty_crl))
    with pytest.raises(pgallop.CannotConnectError, match="certificate revoked"):
        await call(front.port, **trusted, sslcrl=files.crl)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sslrootcert", "certificates in PEM"),
        ("sslcrl", "certificates in PEM"),
        ("sslcert", "a certificate and its private key"),
    ],
)
async def test_files_that_are_none(front: TlsFront, files: Files, name: str, expected: str) -> None:
    for path, reason in ((files.nowhere, "No such file"), (files.garbage, "")):
        options = {"ssl": "verify-full", "sslrootcert": files.ca, name: path}
        with pytest.raises(
            pgallop.ClientConfigurationError,
            match=f"^{name}: expected {expected}, in {path}.*{reason}",
        ):
            await call(front.port, **options)


# What is shown to the server


async def test_a_certificate_of_ours(demanding: TlsFront, files: Files) -> None:
    trusted: dict[str, Any] = {"ssl": "verify-full", "sslrootcert": files.ca}
    with pytest.raises(pgallop.CannotConnectError):
        await call(demanding.port, **trusted)
    assert await encrypted(call(demanding.port, **trusted, sslcert=files.cert, sslkey=files.key))
    assert await encrypted(call(demanding.port, **trusted, sslcert=files.both))
    assert await encrypted(call(demanding.port, ssl="require", sslcert=files.both))
    with pytest.raises(pgallop.CannotConnectError):
        await call(demanding.port, **trusted, sslcert=files.both, sslcertmode="disable")


async def test_a_key_with_a_password(demanding: TlsFront, files: Files) -> None:
    locked = {"ssl": "require", "sslcert": files.cert, "sslkey": files.locked_key}
    assert await encrypted(call(demanding.port, **locked, sslpassword="sesame"))
    # Without one nobody is asked at the terminal.
    for wrong in ({}, {"sslpassword": "wrong"}, {"sslpassword": "long" * 1000}):
        with pytest.raises(pgallop.ClientConfigurationError, match=r"^sslcert: expected"):
            await call(demanding.port, **locked, **wrong)


async def test_the_usual_certificate(demanding: TlsFront, files: Files, empty_home: Path) -> None:
    folder = empty_home / ".postgresql"
    folder.mkdir()
    (folder / "postgresql.crt").write_bytes(Path(files.cert).read_bytes())
    (folder / "postgresql.key").write_bytes(Path(files.key).read_bytes())
    assert await encrypted(call(demanding.port, ssl="require"))


@pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])
async def test_versions(front: TlsFront, version: str) -> None:
    options = {"ssl_min_protocol_version": version, "ssl_max_protocol_version": version}
    assert await encrypted(call(front.port, ssl="require", **options))
    assert front.versions[-1] == version


async def test_the_keys_are_logged(front: TlsFront, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    assert await encrypted(call(front.port, ssl="require", sslkeylogfile=path))
    assert "CLIENT_TRAFFIC_SECRET_0" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(pgallop.ClientConfigurationError, match=r"^sslkeylogfile: expected a file"):
        await call(front.port, ssl="require", sslkeylogfile=tmp_path / "no" / "folder")


# The handshake first


async def test_direct(server: EmbeddedServer, files: Files) -> None:
    context = serving(CERTIFICATE)
    context.set_alpn_protocols(["postgresql"])
    with TlsFront(server, context, direct=True) as front:
        trusted = {"ssl": "verify-full", "sslrootcert": files.ca, "direct_tls": True}
        async with call(front.port, **trusted) as conn:
            assert front.protocols == ["postgresql"]
            start = time.monotonic()
            with pytest.raises(TimeoutError):
                await conn.fetch("SELECT pg_sleep(30)", timeout=0.1)
            assert await conn.fetchval("SELECT 1", timeout=5) == 1
            assert time.monotonic() - start < 3
        assert len(front.versions) == 2  # so is the cancel request's
        dsn = f"postgresql://postgres@localhost:{front.port}/postgres?sslmode=require"
        assert await encrypted(pgallop.connect(f"{dsn}&sslnegotiation=direct"))


async def test_direct_where_it_is_not_understood(server: EmbeddedServer) -> None:
    with pytest.raises(pgallop.CannotConnectError) as caught:
        await call(server.port, ssl="require", direct_tls=True)
    assert [note for note in caught.value.__notes__ if "PostgreSQL understands since 17" in note]


# A context of the program's


class Foreign:
    """A context of another class, as libraries put in the place of Python's."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


async def test_a_context_of_another_class_is_one(front: TlsFront, files: Files) -> None:
    context = Foreign(ssl.create_default_context(cafile=files.ca))
    assert await encrypted(call(front.port, ssl=context))
    assert front.versions[-1]
    stranger = Foreign(ssl.create_default_context(cafile=files.stranger))
    with pytest.raises(pgallop.CannotConnectError, match="certificate verify failed"):
        await call(front.port, ssl=stranger)


# Modes that leave it to the server


@pytest.fixture(scope="module")
def picky(monitors: list[Monitor]) -> Iterator[EmbeddedServer]:
    """A server that wants TLS from one role, and none from another."""
    if not DEBIAN:
        pytest.skip("needs a PostgreSQL with TLS")
    hba = [
        "hostssl all wants_tls all trust",
        "hostnossl all wants_none all trust",
        "host all wants_tls,wants_none,wants_nothing all reject",
        "host all with_password all scram-sha-256",
    ]
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        paths = {"ssl_cert_file": Path(folder, "crt"), "ssl_key_file": Path(folder, "key")}
        paths["ssl_cert_file"].write_bytes(CERTIFICATE.cert_chain_pems[0].bytes())
        paths["ssl_key_file"].write_bytes(CERTIFICATE.private_key_pem.bytes())
        account = unprivileged_account()
        for path in paths.values():
            path.chmod(0o600)
            if account is not None:
                os.chown(path, account.uid, account.gid)
        Path(folder).chmod(0o755)
        settings = {"ssl": "on", **{name: str(path) for name, path in paths.items()}}
        with (
            EmbeddedServer(
                max(DEBIAN), listen=True, auth="trust", settings=settings, hba=hba
            ) as server,
            psycopg.connect(server.dsn, autocommit=True) as connection,
        ):
            for role in ("wants_tls", "wants_none", "wants_nothing", "with_password"):
                connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
            monitors.append(Monitor(connection))
            yield server
            monitors.pop()


@pytest.mark.parametrize(
    ("mode", "role", "expected"),
    [
        ("prefer", "wants_tls", True),
        ("prefer", "wants_none", False),
        ("prefer", "postgres", True),
        ("allow", "wants_tls", True),
        ("allow", "wants_none", False),
        ("allow", "postgres", False),
        ("require", "wants_tls", True),
        ("disable", "wants_none", False),
    ],
)
async def test_which_one_the_server_takes(
    picky: EmbeddedServer, mode: str, role: str, expected: bool
) -> None:
    dsn = f"postgresql://{role}@localhost:{picky.port}/postgres?sslmode={mode}"
    assert await encrypted(pgallop.connect(dsn)) is expected
    assert await encrypted(pgallop.connect(dsn, host="127.0.0.1")) is expected


@pytest.mark.parametrize(
    ("mode", "role", "noted"),
    [
        ("prefer", "wants_nothing", "tried before, with TLS: pg_hba.conf rejects"),
        ("allow", "wants_nothing", "tried before, without TLS: pg_hba.conf rejects"),
        ("require", "wants_none", ""),
        ("disable", "wants_tls", ""),
    ],
)
async def test_neither_is_taken(picky: EmbeddedServer, mode: str, role: str, noted: str) -> None:
    with pytest.raises(pgallop.InvalidAuthorizationSpecificationError) as caught:
        await call(picky.port, user=role, ssl=mode)
    notes = [note for note in caught.value.__notes__ if note.startswith("tried before")]
    assert len(notes) == bool(noted)
    assert all(note.startswith(noted) and "(unverified: " in note for note in notes)


@pytest.mark.parametrize("mode", ["prefer", "allow"])
async def test_a_wrong_password_is_told_once(picky: EmbeddedServer, mode: str) -> None:
    with pytest.raises(pgallop.InvalidPasswordError) as caught:
        await call(picky.port, user="with_password", password="wrong", ssl=mode)
    assert not any("tried before" in note for note in caught.value.__notes__)


async def test_a_handshake_that_fails_where_tls_is_optional(server: EmbeddedServer) -> None:
    """As libpq does: `prefer` promises nothing."""
    ancient = serving(CERTIFICATE)
    ancient.minimum_version = ancient.maximum_version = ssl.TLSVersion.TLSv1_2
    with TlsFront(server, ancient) as front:
        modern = {"ssl_min_protocol_version": "TLSv1.3"}
        assert not await encrypted(call(front.port, ssl="prefer", **modern))
        with pytest.raises(pgallop.CannotConnectError):
            await call(front.port, ssl="require", **modern)
