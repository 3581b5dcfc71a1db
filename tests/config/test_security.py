"""TLS modes, and that nothing pgallop does not have is ignored where it matters."""

import ssl
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from pgallop.config import ConnectOptions, TlsOptions, resolve
from pgallop.config.parameters import PARAMETERS
from pgallop.errors import ClientConfigurationError, UnsupportedClientFeatureError

ask: Callable[..., ConnectOptions] = partial(resolve, environ={}, default_user=lambda: "os_user")
CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.mark.parametrize(
    ("dsn", "argument", "expected"),
    [
        ("host=h", None, "prefer"),
        ("host=/tmp", None, "disable"),
        ("host=@x,/tmp", None, "disable"),
        ("host=/tmp,h", None, "prefer"),
        ("host=h sslmode=disable", None, "disable"),
        ("host=h sslmode=allow", None, "allow"),
        ("host=h sslmode=require", "prefer", "prefer"),
        ("host=h sslmode=verify-full", True, "verify-full"),
        ("host=h sslmode=verify-full sslrootcert=system", CONTEXT, CONTEXT),
        ("host=h", False, "disable"),
        ("host=/tmp", "require", "require"),
    ],
)
def test_ssl(dsn: str, argument: Any, expected: object) -> None:
    assert ask(dsn, ssl=argument).ssl == expected


@pytest.mark.parametrize("mode", ["require", "prefer", True, CONTEXT])
def test_a_unix_socket_has_no_tls(mode: Any) -> None:
    options = ask("host=/tmp,h", ssl=mode)
    unix, tcp = options.hosts
    assert options.ssl_for(unix) == "disable"
    assert options.ssl_for(tcp) == options.ssl


@pytest.mark.parametrize("bad", ["on", "", "Require", 1, 0, [], object(), b"require"])
def test_bad_ssl(bad: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=r'^ssl: expected "disable", .* SSLContext'):
        ask(ssl=bad)


def test_bad_sslmode() -> None:
    with pytest.raises(ClientConfigurationError, match=r"^sslmode in the DSN: expected"):
        ask("sslmode=on")
    with pytest.raises(ClientConfigurationError, match=r"^environment variable PGSSLMODE: .*'on'"):
        ask(environ={"PGSSLMODE": "on"})


def refusals() -> Iterator[tuple[str, str]]:
    for keyword, parameter in PARAMETERS.items():
        if parameter.harmless is not None:
            yield keyword, "require"
            yield keyword, "1" if "1" not in parameter.harmless else "0"


@pytest.mark.parametrize(("keyword", "value"), list(refusals()))
def test_what_is_not_there_is_refused(keyword: str, value: str) -> None:
    with pytest.raises(UnsupportedClientFeatureError, match=f"^{keyword} in the DSN is not supp"):
        ask(f"{keyword}={value}")
    if variable := PARAMETERS[keyword].variable:
        with pytest.raises(UnsupportedClientFeatureError, match=f"variable {variable} is not supp"):
            ask(environ={variable: value})


def test_at_least_these_are_refused() -> None:
    required = {
        *["channel_binding", "require_auth", "gssencmode", "gssdelegation", "hostaddr"],
        *["load_balance_hosts", "replication"],
    }
    assert required <= {keyword for keyword, _ in refusals()}


@pytest.mark.parametrize(
    "dsn",
    [
        f"{keyword}={value}"
        for keyword, parameter in PARAMETERS.items()
        for value in sorted(parameter.harmless or ())
    ],
)
def test_a_value_that_asks_for_nothing_is_taken(dsn: str) -> None:
    assert ask(dsn) == ask()


def test_an_sslcontext_takes_the_place_of_the_files() -> None:
    environ = {"PGSSLROOTCERT": "ca.pem", "PGSSLCERT": "me.pem", "PGSSLCOMPRESSION": "1"}
    options = ask(environ=environ, ssl=CONTEXT)
    assert options.ssl is CONTEXT
    assert options.tls == TlsOptions()
    with pytest.raises(UnsupportedClientFeatureError, match="PGSSLCOMPRESSION is not supported"):
        ask(environ=environ, ssl="require")
