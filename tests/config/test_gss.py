"""What Kerberos has to know: krbsrvname and gsslib, from all places."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from dict_files import DictFiles

from pgallop.config import ConnectOptions, GssOptions, resolve
from pgallop.errors import ClientConfigurationError

ask: Callable[..., ConnectOptions] = partial(resolve, environ={}, default_user=lambda: "os_user")
FILES = DictFiles({"/home/ada/.pg_service.conf": "[shop]\nkrbsrvname=service\ngsslib=gssapi"})
ENVIRON = {"PGKRBSRVNAME": "variable", "PGGSSLIB": "sspi"}


@pytest.mark.parametrize(("platform", "library"), [("linux", "gssapi"), ("win32", "sspi")])
def test_defaults(monkeypatch: pytest.MonkeyPatch, platform: str, library: Any) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert ask().gss == GssOptions(krbsrvname="postgres", gsslib=library) == GssOptions()


@pytest.mark.parametrize(
    ("dsn", "arguments", "service", "library"),
    [
        (None, {}, "variable", "sspi"),
        ("service=shop", {}, "service", "gssapi"),
        ("postgresql:///?service=shop&krbsrvname=dsn", {}, "dsn", "gssapi"),
        ("service=shop krbsrvname=dsn gsslib=sspi", {}, "dsn", "sspi"),
        ("krbsrvname=dsn gsslib=sspi", {"krbsrvname": "mine"}, "mine", "sspi"),
        ("krbsrvname=dsn", {"krbsrvname": "mine", "gsslib": "gssapi"}, "mine", "gssapi"),
        ("krbsrvname='' gsslib=''", {"krbsrvname": "", "gsslib": ""}, "variable", "sspi"),
    ],
)
def test_the_strongest_place_counts(
    dsn: str | None, arguments: dict[str, Any], service: str, library: Any
) -> None:
    options = ask(dsn, **arguments, environ=ENVIRON, files=FILES)
    assert options.gss == GssOptions(krbsrvname=service, gsslib=library)


@pytest.mark.parametrize("unknown_as_settings", [False, True])
def test_they_are_no_settings_of_the_session(unknown_as_settings: bool) -> None:
    options = ask("krbsrvname=pg gsslib=sspi", unknown_as_settings=unknown_as_settings)
    assert options.gss == GssOptions(krbsrvname="pg", gsslib="sspi")
    assert set(options.server_settings) == {"client_encoding"}


def test_an_unknown_library() -> None:
    with pytest.raises(
        ClientConfigurationError, match=r'^gsslib: expected "gssapi" or "sspi", got'
    ):
        ask(gsslib="GSSAPI")
    with pytest.raises(ClientConfigurationError, match=r"^gsslib in the DSN: expected"):
        ask("gsslib=kerberos")
    with pytest.raises(ClientConfigurationError, match=r"variable PGGSSLIB: .* got 'heimdal'"):
        ask(environ={"PGGSSLIB": "heimdal"})


@pytest.mark.parametrize("bad", [1, b"gssapi", ["gssapi"], object()])
def test_what_is_no_text(bad: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=r"^gsslib: expected"):
        ask(gsslib=bad)
    with pytest.raises(ClientConfigurationError, match=r"^krbsrvname: expected a str"):
        ask(krbsrvname=bad)


def test_a_service_that_cannot_be_named() -> None:
    with pytest.raises(ClientConfigurationError, match=r"^krbsrvname: .*NUL"):
        ask(krbsrvname="post\0gres")
