"""What TLS parameters come to: modes, files with their defaults, versions, contradictions."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dict_files import DictFiles

from pgallop.config import ConnectOptions, TlsOptions, resolve
from pgallop.errors import ClientConfigurationError, UnsupportedClientFeatureError

ask: Callable[..., ConnectOptions] = partial(
    resolve, host="h", environ={}, default_user=lambda: "me"
)
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
HOME = "/home/ada/.postgresql"
USUAL = DictFiles(
    dict.fromkeys([f"{HOME}/{name}" for name in ("root.crt", "root.crl", "postgresql.crt")], "")
)


def test_nothing_given() -> None:
    assert ask().tls == TlsOptions()
    assert ask(ssl="disable", files=USUAL).tls == TlsOptions()
    assert ask(ssl=CONTEXT, files=USUAL).tls == TlsOptions()


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_verification_needs_authorities(mode: str) -> None:
    ways: list[dict[str, Any]] = [
        {"dsn": f"sslmode={mode}"},
        {"environ": {"PGSSLMODE": mode}},
        {"ssl": mode},
    ]
    for way in ways:
        with pytest.raises(ClientConfigurationError, match=f"{mode} needs .* sslrootcert=system"):
            ask(**way)
        options = ask(**way, sslrootcert="/ca")
        assert (options.ssl, options.tls) == (mode, TlsOptions(root_cert="/ca"))
        usual = ask(**way, files=USUAL)
        assert (usual.ssl, usual.tls.root_cert) == (mode, f"{HOME}/root.crt")
        assert usual.tls.crl == f"{HOME}/root.crl"


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_unix_socket_needs_no_authorities(mode: str) -> None:
    """As libpq, which takes no notice of sslmode there."""
    options = ask(environ={"PGSSLMODE": mode}, host="/tmp")
    assert options.ssl_for(options.hosts[0]) == "disable"
    with pytest.raises(ClientConfigurationError, match=f"{mode} needs"):
        ask(environ={"PGSSLMODE": mode}, host=["/tmp", "db"])


def test_require_with_authorities_checks_the_certificate() -> None:
    assert ask(ssl="require").ssl == "require"
    assert ask(ssl="require", sslrootcert="/ca").ssl == "verify-ca"
    assert ask(ssl="require", files=USUAL).ssl == "verify-ca"
    for mode in ("allow", "prefer"):
        options = ask(ssl=mode, sslrootcert="/ca", files=USUAL)
        assert (options.ssl, options.tls.root_cert) == (mode, None)


def test_modes_as_asyncpg_takes_them() -> None:
    for mode in ("verify-ca", "verify-full"):
        name = mode.replace("-", "_")
        for way in ({"ssl": name}, {"dsn": f"sslmode={name}"}, {"environ": {"PGSSLMODE": name}}):
            assert ask(**way, sslrootcert="/ca").ssl == mode


def test_the_systems_authorities() -> None:
    for way in ({"ssl": True}, {"sslrootcert": "system"}, {"dsn": "sslrootcert=system"}):
        options = ask(**way, files=USUAL)
        assert (options.ssl, options.tls.root_cert) == ("verify-full", "system")
    assert ask(ssl=True, sslrootcert="/ca").tls.root_cert == "/ca"
    for mode in ("allow", "prefer", "require", "verify-ca"):
        with pytest.raises(
            ClientConfigurationError, match=f'can only be "verify-full", got "{mode}'
        ):
            ask(ssl=mode, sslrootcert="system")
    assert ask(ssl="disable", sslrootcert="system").ssl == "disable"


def test_all_of_them() -> None:
    arguments = {
        "sslrootcert": Path("/ca"),
        "sslcert": "/cert",
        "sslkey": "/key",
        "sslpassword": "secret",
        "sslcrl": "/crl",
        "sslcrldir": "/crls",
        "ssl_min_protocol_version": "tlsv1.1",
        "ssl_max_protocol_version": "TLSv1.3",
        "sslkeylogfile": "/keys",
    }
    expected = TlsOptions(
        root_cert="/ca",
        cert="/cert",
        key="/key",
        password="secret",
        crl="/crl",
        crl_dir="/crls",
        min_version="TLSv1.1",
        max_version="TLSv1.3",
        key_log_file="/keys",
    )
    assert ask(ssl="verify-full", **arguments).tls == expected
    assert "secret" not in repr(expected)
    dsn = " ".join(f"{name}={value}" for name, value in arguments.items())
    assert ask(f"{dsn} sslmode=verify-full", files=USUAL).tls == expected
    variables = {
        "PGSSLROOTCERT": "/ca",
        "PGSSLCERT": "/cert",
        "PGSSLKEY": "/key",
        "PGSSLCRL": "/crl",
        "PGSSLCRLDIR": "/crls",
        "PGSSLMINPROTOCOLVERSION": "TLSv1.1",
        "PGSSLMAXPROTOCOLVERSION": "TLSv1.3",
        "PGSSLMODE": "verify-full",
    }
    found = ask("sslpassword=secret sslkeylogfile=/keys", environ=variables, files=USUAL)
    assert found.tls == expected


def test_the_clients_certificate() -> None:
    files = DictFiles({f"{HOME}/postgresql.crt": "", f"{HOME}/postgresql.key": ""})
    for mode in ("allow", "prefer", "require"):
        tls = ask(ssl=mode, files=files).tls
        assert (tls.cert, tls.key) == (f"{HOME}/postgresql.crt", f"{HOME}/postgresql.key")
        assert ask(ssl=mode, sslcertmode="disable", sslcert="/c", files=files).tls.cert is None
    tls = ask(ssl="require", sslcert="/c", sslcertmode="allow").tls
    assert (tls.cert, tls.key) == ("/c", None)
    with pytest.raises(UnsupportedClientFeatureError, match="sslcertmode is not supported; it can"):
        ask(ssl="require", sslcertmode="require")
    with pytest.raises(ClientConfigurationError, match='sslcertmode in the DSN: expected "disable'):
        ask("sslcertmode=never", ssl="require")


def test_a_class_is_no_context() -> None:
    with pytest.raises(ClientConfigurationError, match=r"^ssl: expected .* or an SSLContext, got"):
        ask(ssl=ssl.SSLContext)


def test_direct() -> None:
    for way in ({"direct_tls": True}, {"dsn": "sslnegotiation=direct"}):
        modes: tuple[Any, ...] = ("require", True, CONTEXT)
        for mode in modes:
            assert ask(ssl=mode, **way).tls.direct
        for mode in (None, False, "disable", "allow", "prefer"):
            with pytest.raises(ClientConfigurationError, match="expected TLS to be required"):
                ask(ssl=mode, **way)
    assert not ask("sslnegotiation=direct", ssl="require", direct_tls=False).tls.direct
    assert not ask("sslnegotiation=postgres", ssl="require").tls.direct
    assert ask(ssl="require", environ={"PGSSLNEGOTIATION": "direct"}).tls.direct
    with pytest.raises(ClientConfigurationError, match="sslnegotiation in the DSN: expected"):
        ask("sslnegotiation=indirect", ssl="require")
    with pytest.raises(ClientConfigurationError, match="direct_tls: expected True, False or None"):
        ask(ssl="require", direct_tls="yes")


@pytest.mark.parametrize("bad", ["SSLv3", "TLSv1.4", "1.2", 1, ""])
def test_bad_versions(bad: Any) -> None:
    if bad == "":
        assert ask(ssl="require", ssl_min_protocol_version=bad).tls == TlsOptions()
        return
    for name in ("ssl_min_protocol_version", "ssl_max_protocol_version"):
        with pytest.raises(ClientConfigurationError, match=f'^{name}: expected "TLSv1", "TLSv1.1"'):
            ask(ssl="require", **{name: bad})


def test_no_version_is_left() -> None:
    with pytest.raises(
        ClientConfigurationError, match=r"max_protocol_version: expected TLSv1.2 or"
    ):
        ask(ssl="require", ssl_max_protocol_version="TLSv1.1")
    with pytest.raises(ClientConfigurationError, match=r"expected TLSv1.3 or newer"):
        ask(ssl="require", ssl_min_protocol_version="TLSv1.3", ssl_max_protocol_version="TLSv1.2")


@pytest.mark.parametrize("name", ["sslrootcert", "sslcert", "sslcrl", "sslkeylogfile"])
@pytest.mark.parametrize("bad", [1, b"/ca", "a\0b"])
def test_bad_names_of_files(name: str, bad: Any) -> None:
    arguments = {"sslrootcert": "/ca", name: bad}
    with pytest.raises(ClientConfigurationError, match=f"^{name}: expected"):
        ask(ssl="verify-ca", **arguments)
