"""Hosts and ports: pairing, stand-ins, bad ones; asyncpg as the oracle of where we connect."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import pytest

from pgallop.config import ConnectOptions, Host, resolve
from pgallop.config.parameters import PARAMETERS
from pgallop.errors import ClientConfigurationError

ask: Callable[..., ConnectOptions] = partial(resolve, environ={}, default_user=lambda: "os_user")
VARIABLES = [each.variable for each in PARAMETERS.values() if each.variable]


def addresses(options: ConnectOptions) -> list[tuple[str, int]]:
    return [(host.host, host.port) for host in options.hosts]


DIRECTORIES = ("/one", "/two")


@pytest.mark.parametrize(
    ("dsn", "environ", "arguments", "expected"),
    [
        (None, {}, {}, [("/one", 5432), ("/two", 5432), ("localhost", 5432)]),
        (None, {"PGPORT": "6"}, {}, [("/one", 6), ("/two", 6), ("localhost", 6)]),
        (None, {}, {"host": "a,b"}, [("a", 5432), ("b", 5432)]),
        (None, {}, {"host": ["a", "b"], "port": 6}, [("a", 6), ("b", 6)]),
        (None, {}, {"host": ("a", "b"), "port": [6, "7"]}, [("a", 6), ("b", 7)]),
        (None, {}, {"host": "a,b", "port": " 6 ,7"}, [("a", 6), ("b", 7)]),
        (None, {}, {"host": "/tmp,@x,::1"}, [("/tmp", 5432), ("@x", 5432), ("::1", 5432)]),
        (None, {}, {"host": "fe80::1%eth0"}, [("fe80::1%eth0", 5432)]),
        (None, {"PGHOST": "a,b", "PGPORT": "6,7"}, {}, [("a", 6), ("b", 7)]),
        ("postgresql://a:6,b/", {}, {}, [("a", 6), ("b", 5432)]),
        ("postgresql://a:6,b/", {"PGPORT": "7"}, {}, [("a", 6), ("b", 7)]),
        ("postgresql://a:6,b/", {"PGPORT": "8,9"}, {}, [("a", 6), ("b", 9)]),
        ("postgresql://a,b/", {"PGPORT": "7"}, {}, [("a", 7), ("b", 7)]),
        # what is not needed is not looked at
        ("postgresql://a:6,b:7/", {"PGPORT": "1,2,3"}, {}, [("a", 6), ("b", 7)]),
        ("postgresql://a:6/", {}, {"port": 7}, [("a", 7)]),
        ("postgresql://a:6/", {}, {"host": "b"}, [("b", 6)]),
        (
            "postgresql://,b:7/",
            {},
            {},
            [("/one", 5432), ("/two", 5432), ("localhost", 5432), ("b", 7)],
        ),
        ("host=a port=05432", {}, {}, [("a", 5432)]),
        ("host=a port=' 1 '", {}, {}, [("a", 1)]),
        ("host=a port=65535", {}, {}, [("a", 65535)]),
    ],
)
def test_hosts_and_ports(
    dsn: str | None,
    environ: Mapping[str, str],
    arguments: dict[str, Any],
    expected: list[tuple[str, int]],
) -> None:
    options = ask(dsn, environ=environ, socket_directories=DIRECTORIES, **arguments)
    assert addresses(options) == expected


def test_a_host_knows_its_socket() -> None:
    assert Host("/tmp", 5433).is_unix
    assert Host("@abstract", 5433).is_unix
    assert not Host("localhost", 5433).is_unix
    assert Host("/tmp", 5433).socket_path == "/tmp/.s.PGSQL.5433"
    assert Host("@abstract", 1).socket_path == "@abstract/.s.PGSQL.1"
    assert Host("/run/.s.PGSQL.5433", 1).socket_path == "/run/.s.PGSQL.5433"


@pytest.mark.parametrize(
    ("dsn", "arguments", "message"),
    [
        (None, {"host": 5}, "host: expected a host name, .* got 5"),
        (None, {"host": b"h"}, "host: .* got an object of type bytes"),
        (None, {"host": []}, "host: .* got an object of type list"),
        (None, {"host": ["h", 5]}, "host: expected a str, got 5"),
        (None, {"host": "a\0"}, "host: .* without NUL"),
        (None, {"host": "/a\0"}, "host: .* without NUL"),
        (None, {"host": "a b"}, "host: expected a host name .* got 'a b'"),
        (None, {"host": "a, b"}, "host: expected a host name .* got ' b'"),
        (None, {"host": "[::1]"}, r"host: expected a host name .* got '\[::1\]'"),
        (None, {"host": "a/b"}, "host: expected a host name"),
        (None, {"host": "a:5432"}, "the port goes into port.*got 'a:5432'"),
        (None, {"port": 0}, "port: expected a port from 1 to 65535.*got 0"),
        (None, {"port": -1}, "port: .* got -1"),
        (None, {"port": 65536}, "port: .* got 65536"),
        (None, {"port": "abc"}, "port: .* got 'abc'"),
        (None, {"port": "5_4"}, "port: .* got '5_4'"),
        (None, {"port": "-5"}, "port: .* got '-5'"),
        (None, {"port": "\u0665"}, "port: .* got"),
        (None, {"port": "9" * 5000}, r"port: .* got '9+'\.\.\.$"),
        (None, {"port": 10**5000}, "port: .* got an object of type int"),
        (None, {"port": True}, "port: .* got True"),
        (None, {"port": 5432.0}, "port: .* got 5432.0"),
        (None, {"port": []}, "port: .* got an object of type list"),
        (None, {"port": [None]}, "port: .* got None"),
        (None, {"port": [True]}, "port: .* got True"),
        (None, {"host": "a", "port": [1, 2]}, "port: .* got 2 ports for 1 host"),
        (None, {"host": "a,b,c", "port": "1,2"}, "port: .* got 2 ports for 3 hosts"),
        (None, {"port": "1,2"}, "port: .* got 2 ports for 1 host"),
        ("postgresql://u:a/b@h", {}, "port in the DSN: expected a port .* %2F"),
        ("host=a,b port=1,2,3", {}, "port in the DSN: .* got 3 ports for 2 hosts"),
        ("host='a b'", {}, r"host in the DSN: expected a host name [^']*dsn=\)$"),
    ],
)
def test_bad_hosts_and_ports(dsn: str | None, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientConfigurationError, match=message):
        ask(dsn, **arguments)


@pytest.mark.parametrize("host", ["postgresql://ada:hunter2@db", "ada:hunter2@db", "a:hunter2,b@c"])
@pytest.mark.parametrize("place", ["argument", "list", "environment"])
def test_a_dsn_in_the_place_of_the_host_is_not_shown(host: str, place: str) -> None:
    ways: dict[str, Callable[[], ConnectOptions]] = {
        "argument": lambda: ask(host=host),
        "list": lambda: ask(host=host.split(",")),
        "environment": lambda: ask(environ={"PGHOST": host}),
    }
    with pytest.raises(ClientConfigurationError, match="host") as caught:
        ways[place]()
    assert "hunter2" not in str(caught.value)


def by_asyncpg(dsn: str | None, **given_arguments: Any) -> tuple[list[Any], Any]:
    arguments = dict.fromkeys(
        [
            *["host", "port", "user", "password", "passfile", "database", "ssl", "service"],
            *["servicefile", "direct_tls", "server_settings", "target_session_attrs"],
            *["krbsrvname", "gsslib"],
        ]
    )
    # asyncpg has no type information, so it is not imported by name.
    parse: Callable[..., tuple[list[Any], Any]]
    parse = import_module("asyncpg.connect_utils")._parse_connect_dsn_and_args
    return parse(dsn=dsn, **(arguments | given_arguments))


@pytest.mark.parametrize(
    ("dsn", "environ", "arguments"),
    [
        ("postgresql://ada:pw@h:6/shop", {}, {}),
        ("postgres://ada:p%40w@h/shop", {}, {}),
        ("postgresql://ada@h1:6,h2:7/shop", {}, {}),
        ("postgresql://ada@h1:6,h2/shop", {"PGPORT": "8"}, {}),
        ("postgresql://ada@h1,h2/shop", {"PGPORT": "8,9"}, {}),
        ("postgresql://ada@[::1]:6/shop", {}, {}),
        ("postgresql://ada@%2Ftmp:6/shop", {}, {}),
        ("postgresql://ada@/shop?host=/tmp&port=6", {}, {}),
        ("postgresql://ada@h/shop", {"PGHOST": "x", "PGPORT": "7", "PGUSER": "y"}, {}),
        ("postgresql://h?user=ada&password=pw&dbname=shop", {}, {}),
        ("postgresql://ada@h/shop?database=other", {}, {"database": "x"}),
        ("postgresql://ada@h/shop", {}, {"user": "bob", "password": "pw", "port": 7}),
        (None, {"PGHOST": "h", "PGUSER": "ada", "PGPASSWORD": "pw"}, {}),
        (None, {}, {"host": "h", "user": "ada"}),
        (None, {}, {"host": ["h1", "h2"], "port": [6, 7], "user": "ada"}),
        (None, {}, {"host": ["h1", "h2"], "port": 6, "user": "ada"}),
        (None, {}, {"host": "", "user": "ada"}),
        (None, {"PGPORT": "7"}, {"user": "ada"}),
        (None, {}, {"host": "/run/.s.PGSQL.6", "user": "ada"}),
    ],
)
@pytest.mark.parametrize("others", [False, True])
def test_the_same_place_as_asyncpg(
    monkeypatch: pytest.MonkeyPatch,
    dsn: str | None,
    environ: dict[str, str],
    arguments: dict[str, Any],
    others: bool,
) -> None:
    for variable in [*VARIABLES, *environ]:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environ.items():
        monkeypatch.setenv(variable, value)
    places, parameters = by_asyncpg(dsn, ssl="disable", **arguments)
    # asyncpg also looks where macOS has /tmp
    theirs = [place for place in places if not str(place).startswith("/private/tmp")]
    ours = ask(dsn, environ=environ, unknown_as_settings=others, **arguments)
    assert [
        host.socket_path if host.is_unix else (host.host, host.port) for host in ours.hosts
    ] == theirs
    assert ours.user == parameters.user
    assert ours.password == parameters.password
    assert ours.database == parameters.database


@pytest.mark.parametrize(
    ("dsn", "environ", "arguments"),
    [
        ("postgresql://ada@/shop?host=h1:6,h2:7", {}, {}),
        ("postgresql://ada@/shop?host=h1:6,h2", {"PGPORT": "8"}, {}),
        ("postgresql://ada@/shop?host=h1:6,h2:7&port=8,9", {}, {}),
        ("postgresql://ada@/shop?host=h1:6,h2:7", {}, {"port": 8}),
        ("postgresql://ada@/shop?host=[::1]:6,[::1]", {}, {}),
        ("postgresql://ada@/shop?host=/tmp,h:6", {}, {}),
        (None, {"PGHOST": "h:6", "PGPORT": "8"}, {"user": "ada"}),
        (None, {"PGHOST": "h:6"}, {"user": "ada", "host": "g"}),
    ],
)
def test_hosts_with_their_ports_as_in_asyncpg(
    monkeypatch: pytest.MonkeyPatch,
    dsn: str | None,
    environ: dict[str, str],
    arguments: dict[str, Any],
) -> None:
    test_the_same_place_as_asyncpg(monkeypatch, dsn, environ, arguments, True)
    if "host" not in arguments:
        with pytest.raises(ClientConfigurationError, match=r"the port goes into port|brackets"):
            ask(dsn, environ=environ, **arguments)


@pytest.mark.parametrize("host", ["h:x", "h:99999", "u@h:6"])
def test_bad_ports_in_hosts(host: str) -> None:
    with pytest.raises(ClientConfigurationError, match="PGHOST: expected a"):
        ask(environ={"PGHOST": host}, unknown_as_settings=True)
