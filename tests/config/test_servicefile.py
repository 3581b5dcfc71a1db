"""Services: the file's lines, where it is looked for, and what a service's parameters are worth."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dict_files import DictFiles
from hypothesis import given
from hypothesis import strategies as st

from pgallop.config import ConnectOptions, Host, resolve
from pgallop.config.servicefile import parse_service
from pgallop.errors import ClientConfigurationError
from pgallop.files import LocalFiles

ask: Callable[..., ConnectOptions] = partial(resolve, environ={}, default_user=lambda: "me")

TEXT = """
# the shops
[shop]
host=one,two
port=5433
user = ada
password= with a blank before it
database=goods
keepalives_idle=7
connect_timeout=3
host=ignored

[other]
host=elsewhere
"""


def test_a_service() -> None:
    assert parse_service(TEXT, "shop", "f") == {
        "host": "one,two",
        "port": "5433",
        "user": "ada",
        "password": " with a blank before it",
        "dbname": "goods",
        "keepalives_idle": "7",
        "connect_timeout": "3",
    }
    assert parse_service(TEXT, "other", "f") == {"host": "elsewhere"}
    for name in ("Shop", "sho", "", "shop]"):
        assert parse_service(TEXT, name, "f") is None
    for heading in ("[a]\r", "[a] # mine", "[a] [b]"):
        assert parse_service(f"{heading}\nuser=x\r\n", "a", "f") == {"user": "x"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("host", "f, line 2: expected parameter=value"),
        ("hsot=x", r"f, line 2: there is no connection parameter 'hsot' \(did you mean \"host\"\?"),
        ("service=other", "f, line 2: a service cannot have 'service'"),
        ("servicefile=other", "a service cannot have 'servicefile'"),
        ("ldap://directory/dc=x", "a service cannot have 'ldap://directory/dc'"),
    ],
)
def test_bad_lines(line: str, message: str) -> None:
    with pytest.raises(ClientConfigurationError, match=message):
        parse_service(f"[a]\n{line}", "a", "f")
    assert parse_service(f"[b]\n{line}\n[a]\nuser=x", "a", "f") == {"user": "x"}


def test_what_asyncpg_overlooks() -> None:
    assert parse_service("[a]\nwork_mem=1MB\nuser=x", "a", "f", others=True) == {"user": "x"}
    text = "[a]\nUser=x\nSSLMODE = verify-full"
    found = {"user": "x", "sslmode": "verify-full"}
    assert parse_service(text, "a", "f", others=True) == found
    with pytest.raises(ClientConfigurationError, match="no connection parameter 'User'"):
        parse_service(text, "a", "f")


@given(st.text(), st.text())
def test_any_text(text: str, name: str) -> None:
    try:
        found = parse_service(text, name, "f")
    except ClientConfigurationError:
        return
    assert found is None or all(isinstance(value, str) for value in found.values())


# Where it is, and what counts more

FILES = DictFiles(
    {
        "/home/ada/.pg_service.conf": TEXT,
        "/etc/pg/pg_service.conf": "[system]\nuser=root\n[shop]\nuser=nobody",
        "/mine": "[shop]\nuser=mine",
    }
)


def test_its_parameters() -> None:
    options = ask(service="shop", files=FILES)
    assert options.hosts == (Host("one", 5433), Host("two", 5433))
    assert (options.user, options.database) == ("ada", "goods")
    assert (options.password, options.timeout) == (" with a blank before it", 3.0)
    assert options.tcp.keepalives_idle == 7


def test_what_counts_more() -> None:
    environ = {"PGUSER": "env", "PGDATABASE": "env", "PGAPPNAME": "env"}
    options = ask("user=dsn service=shop", database="argument", environ=environ, files=FILES)
    assert (options.user, options.database) == ("dsn", "argument")
    assert options.server_settings["application_name"] == "env"
    assert ask(environ={"PGSERVICE": "shop", **environ}, files=FILES).user == "ada"
    assert ask("service=none", service="shop", files=FILES).user == "ada"
    assert (
        ask("postgresql:///?service=shop", environ={"PGSERVICE": "none"}, files=FILES).user == "ada"
    )


def test_where_it_is() -> None:
    def user(**environ: str) -> str:
        return ask(service="shop", environ=environ, files=FILES).user

    assert user() == "ada"
    assert user(PGSERVICEFILE="/mine") == "mine"
    assert user(PGSYSCONFDIR="/etc/pg") == "ada"
    assert ask(service="shop", servicefile=Path("/mine"), files=FILES).user == "mine"
    assert ask(service="system", environ={"PGSYSCONFDIR": "/etc/pg"}, files=FILES).user == "root"
    with pytest.raises(ClientConfigurationError, match=r"^service: there is no such service in no"):
        ask(service="shop")
    with pytest.raises(
        ClientConfigurationError,
        match=r"^service: there is no such service in /home/ada/.pg_service.conf and /etc/pg/pg_",
    ):
        ask(service="none", environ={"PGSYSCONFDIR": "/etc/pg"}, files=FILES)
    with pytest.raises(
        ClientConfigurationError, match=r"^servicefile: expected the name of a file"
    ):
        ask(service="shop", servicefile="/nowhere", files=FILES)
    with pytest.raises(ClientConfigurationError, match=r"^environment variable PGSERVICEFILE: exp"):
        ask(service="shop", environ={"PGSERVICEFILE": "/nowhere"}, files=FILES)


@pytest.mark.parametrize("bad", [1, b"shop", "a\0b"])
def test_bad_names(bad: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=r"^service: expected a str"):
        ask(service=bad, files=FILES)


def test_values_that_are_wrong_name_the_service() -> None:
    files = DictFiles({"/f": "[s]\nport=x\nuser=u"})
    with pytest.raises(ClientConfigurationError, match=r'^port in service "s" of /f: expected'):
        ask(service="s", servicefile="/f", files=files)


def test_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / ".pg_service.conf"
    path.write_text("[shop]\nuser=éva")
    assert ask(service="shop", files=LocalFiles()).user == "éva"
    path.unlink()
    path.mkdir()
    with pytest.raises(ClientConfigurationError, match="cannot be read: Is a directory"):
        ask(service="shop", files=LocalFiles())
