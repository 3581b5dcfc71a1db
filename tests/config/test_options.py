"""resolve(): precedence, defaults, each argument, and that bad input is named."""

import dataclasses
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgallop.config import NOT_GIVEN, ConnectOptions, Host, resolve
from pgallop.config.parameters import PARAMETERS
from pgallop.errors import ClientConfigurationError, InterfaceError, UnsupportedClientFeatureError

ask: Callable[..., ConnectOptions] = partial(resolve, environ={}, default_user=lambda: "os_user")


def addresses(options: ConnectOptions) -> list[tuple[str, int]]:
    return [(host.host, host.port) for host in options.hosts]


def test_the_defaults() -> None:
    assert ask() == ConnectOptions(
        hosts=(
            Host("/run/postgresql", 5432),
            Host("/var/run/postgresql", 5432),
            Host("/tmp", 5432),
            Host("localhost", 5432),
        ),
        user="os_user",
        password=None,
        database="os_user",
        server_settings={"client_encoding": "UTF8"},
        ssl="prefer",
        timeout=60.0,
        command_timeout=None,
        drain_timeout=5.0,
        statement_cache_size=100,
        max_cached_statement_lifetime=300.0,
        max_cacheable_statement_size=15360,
        statement_mode="named",
        describe_first=False,
        max_message_size=1024**3,
        scram_max_iterations=100_000,
        allow_cleartext_password=False,
    )


def test_an_option_that_was_left_out_has_the_same_default_in_both_places() -> None:
    least = ConnectOptions(
        hosts=ask().hosts, user="os_user", database="os_user", server_settings={}
    )
    assert dataclasses.replace(least, server_settings=ask().server_settings) == ask()


EVERYWHERE = {
    "PGHOST": "from.env",
    "PGPORT": "3",
    "PGUSER": "env_user",
    "PGPASSWORD": "env_password",
    "PGDATABASE": "env_database",
    "PGSSLMODE": "disable",
    "PGAPPNAME": "env_app",
    "PGOPTIONS": "-cenv=1",
    "PGCONNECT_TIMEOUT": "3",
    "PGCLIENTENCODING": "utf-8",
    "PGTZ": "Asia/Tokyo",
    "PGDATESTYLE": "ISO",
    "PGGEQO": "off",
}
DSN = (
    "postgresql://dsn_user:dsn_password@from.dsn:2/dsn_database?sslmode=require"
    "&application_name=dsn_app&options=-cdsn%3D1&connect_timeout=2&client_encoding=UTF8"
)


def test_the_environment_fills_in() -> None:
    options = ask(environ=EVERYWHERE)
    assert addresses(options) == [("from.env", 3)]
    assert (options.user, options.password) == ("env_user", "env_password")
    assert (options.database, options.ssl, options.timeout) == ("env_database", "disable", 3.0)
    assert options.server_settings == {
        "application_name": "env_app",
        "options": "-cenv=1",
        "timezone": "Asia/Tokyo",
        "datestyle": "ISO",
        "geqo": "off",
        "client_encoding": "UTF8",
    }


def test_the_dsn_wins_over_the_environment() -> None:
    options = ask(DSN, environ=EVERYWHERE)
    assert addresses(options) == [("from.dsn", 2)]
    assert (options.user, options.password) == ("dsn_user", "dsn_password")
    assert (options.database, options.ssl, options.timeout) == ("dsn_database", "require", 2.0)
    assert options.server_settings["application_name"] == "dsn_app"
    assert options.server_settings["options"] == "-cdsn=1"


def test_an_argument_wins_over_both() -> None:
    options = ask(
        DSN,
        environ=EVERYWHERE,
        host="from.argument",
        port=1,
        user="user",
        password="password",
        database="database",
        ssl="prefer",
        timeout=1,
        server_settings={"application_name": "app", "TimeZone": "UTC"},
    )
    assert addresses(options) == [("from.argument", 1)]
    assert (options.user, options.password) == ("user", "password")
    assert (options.database, options.ssl, options.timeout) == ("database", "prefer", 1.0)
    assert options.server_settings == {
        "application_name": "app",
        "TimeZone": "UTC",
        "options": "-cdsn=1",
        "datestyle": "ISO",
        "geqo": "off",
        "client_encoding": "UTF8",
    }


def test_empty_values_are_not_given() -> None:
    empty = dict.fromkeys(EVERYWHERE, "") | {"PGSERVICE": "", "PGREQUIREAUTH": ""}
    assert ask("", environ=empty) == ask()
    assert ask("host='' port='' user='' dbname='' sslmode='' options=''", environ=empty) == ask()
    assert ask("postgresql://:@:/?user=&sslcert=", host="", port="") == ask()
    assert ask(environ={"PGPASSWORD": "x"}, password="").password == ""


def test_the_os_is_asked_for_the_user_only_when_nobody_named_one() -> None:
    def nobody() -> str:
        raise AssertionError("asked")

    assert ask("user=a", default_user=nobody).user == "a"
    assert ask("user=a dbname=", default_user=nobody).database == "a"


@pytest.mark.parametrize("error", [KeyError("uid"), OSError("no name"), ImportError("pwd")])
def test_an_unknown_os_user_is_a_configuration_error(error: Exception) -> None:
    def unknown() -> str:
        raise error

    with pytest.raises(ClientConfigurationError, match="pass user= or set PGUSER") as caught:
        ask(default_user=unknown)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("name", ["", "a\0b", None])
def test_a_bad_os_user_is_a_configuration_error(name: Any) -> None:
    with pytest.raises(ClientConfigurationError, match="name of the operating system's user"):
        ask(default_user=lambda: name)


NOT_A_TIMEOUT = [0, -1, -0.5, math.nan, math.inf, 10**400, 2**31, True, "5", b"5", [5], object()]


@pytest.mark.parametrize("value", NOT_A_TIMEOUT)
@pytest.mark.parametrize("name", ["timeout", "command_timeout", "drain_timeout"])
def test_bad_timeouts(name: str, value: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=f"^{name}: expected seconds above 0.*got"):
        ask(**{name: value})


def test_good_timeouts() -> None:
    assert ask("connect_timeout=5", timeout=None).timeout is None
    assert ask("connect_timeout=5", timeout=NOT_GIVEN).timeout == 5.0
    options = ask(timeout=0.5, command_timeout=2, drain_timeout=1)
    assert (options.timeout, options.command_timeout, options.drain_timeout) == (0.5, 2.0, 1.0)
    assert ask(command_timeout=None).command_timeout is None
    with pytest.raises(ClientConfigurationError, match=r"drain_timeout: .* got None"):
        ask(drain_timeout=None)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5", 5.0), (" 5 ", 5.0), ("0", None), ("-1", None), ("2147483647", 2147483647.0)],
)
def test_connect_timeout_as_libpq_reads_it(text: str, seconds: float | None) -> None:
    assert ask(f"connect_timeout='{text}'").timeout == seconds


@pytest.mark.parametrize("text", ["x", "1.5", "2147483648", "9" * 5000, "\u0665", "1e3"])
def test_bad_connect_timeouts(text: str) -> None:
    with pytest.raises(ClientConfigurationError, match=r"^connect_timeout in the DSN: expected"):
        ask(f"connect_timeout={text}")
    name = "environment variable PGCONNECT_TIMEOUT"
    with pytest.raises(ClientConfigurationError, match=f"^{name}: expected whole seconds"):
        ask(environ={"PGCONNECT_TIMEOUT": text})


@pytest.mark.parametrize(
    ("name", "least"),
    [("statement_cache_size", 0), ("max_message_size", 1024), ("scram_max_iterations", 1)],
)
def test_counts(name: str, least: int) -> None:
    for good in (least, 2**31 - 1):
        assert getattr(ask(**{name: good}), name) == good
    for bad in (least - 1, 2**31, 10**5000, True, 5000.0, "5000", None):
        with pytest.raises(ClientConfigurationError, match=f"^{name}: expected an int from"):
            ask(**{name: bad})


@pytest.mark.parametrize("bad", [1, "yes", None])
def test_allow_cleartext_password_is_a_bool(bad: Any) -> None:
    assert ask(allow_cleartext_password=True).allow_cleartext_password
    with pytest.raises(ClientConfigurationError, match=r"^allow_cleartext_password: expected True"):
        ask(allow_cleartext_password=bad)


@pytest.mark.parametrize("name", ["user", "database"])
@pytest.mark.parametrize("bad", ["", "a\0b", "\ud800", b"a", 5, ["a"]])
def test_bad_names(name: str, bad: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=f"^{name}: expected"):
        ask(**{name: bad})


@pytest.mark.parametrize("variable", ["PGUSER", "PGDATABASE", "PGAPPNAME", "PGPASSWORD", "PGTZ"])
def test_a_variable_that_is_not_unicode_is_named(variable: str) -> None:
    value = b"hunter\xff".decode(errors="surrogateescape")
    with pytest.raises(ClientConfigurationError, match=f"environment variable {variable}:") as info:
        ask(environ={variable: value})
    assert ("hunter" in str(info.value)) is (variable != "PGPASSWORD")


@pytest.mark.parametrize("bad", [b"hunter2", 0x6C757, ["hunter2"], "hunter2\0", "hunter2\ud800"])
def test_a_bad_password_is_not_shown(bad: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=r"^password: expected") as caught:
        ask(password=bad)
    assert "hunter" not in str(caught.value)
    assert str(0x6C757) not in str(caught.value)


def test_a_password_may_be_a_function() -> None:
    def password() -> str:
        raise AssertionError("resolve() does not call it")

    assert ask(password=password).password is password


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (5, "server_settings: expected a mapping"),
        (["a"], "server_settings: expected a mapping"),
        ({1: "a"}, "server_settings: expected a str, got 1"),
        ({"": "a"}, "server_settings: expected the name of a setting"),
        ({"a\0": "b"}, "server_settings: .* without NUL"),
        ({"jit": 1}, r'server_settings\["jit"\]: expected a str'),
        ({"jit": None}, r'server_settings\["jit"\]: .* NoneType'),
        ({"jit": "off\0"}, r'server_settings\["jit"\]: .* without NUL'),
        ({"user": "a"}, r'server_settings\["user"\]: use the argument user='),
        ({"database": "a"}, r'server_settings\["database"\]: use the argument database='),
    ],
)
def test_bad_server_settings(settings: Any, message: str) -> None:
    with pytest.raises(ClientConfigurationError, match=message):
        ask(server_settings=settings)


@pytest.mark.parametrize(
    "settings",
    [{"replication": "database"}, {"_pq_.command": "1"}, {"Client_Encoding": "LATIN1"}],
)
def test_refused_server_settings(settings: dict[str, str]) -> None:
    with pytest.raises(UnsupportedClientFeatureError, match=f"{next(iter(settings))}"):
        ask(server_settings=settings)


def test_server_settings_are_a_copy_and_cannot_be_changed() -> None:
    settings = {"jit": "off", "CLIENT_ENCODING": "unicode"}
    options = ask(server_settings=settings)
    settings["jit"] = "on"
    assert options.server_settings == {"jit": "off", "client_encoding": "UTF8"}
    with pytest.raises(TypeError):
        options.server_settings["jit"] = "on"  # type: ignore[index]
    assert hash(options) == hash(ask(server_settings={"jit": "on"}))


def test_application_name() -> None:
    assert "application_name" not in ask().server_settings
    dsn = "fallback_application_name=fallback"
    assert ask(dsn).server_settings["application_name"] == "fallback"
    assert ask(dsn, environ={"PGAPPNAME": "app"}).server_settings["application_name"] == "app"


@pytest.mark.parametrize("encoding", ["UTF8", "utf-8", "Unicode", "UTF_8"])
def test_utf8_is_the_only_encoding(encoding: str) -> None:
    given_encoding = ask(f"client_encoding={encoding}").server_settings["client_encoding"]
    assert given_encoding == "UTF8"
    with pytest.raises(UnsupportedClientFeatureError, match="client_encoding in the DSN"):
        ask("client_encoding=LATIN1")
    with pytest.raises(UnsupportedClientFeatureError, match="PGCLIENTENCODING"):
        ask(environ={"PGCLIENTENCODING": "LATIN1"})


def test_the_repr_hides_the_password() -> None:
    for options in (ask(password="hunter2"), ask("postgresql://:hunter2@h")):
        assert options.password == "hunter2"
        assert "hunter2" not in repr(options)
    assert "os_user" in repr(ask())


def test_errors_are_what_asyncpg_programs_catch() -> None:
    with pytest.raises(ValueError, match="port") as caught:
        ask(port="x")
    assert isinstance(caught.value, InterfaceError)


class Odd:
    """An object that takes no part in comparisons, as arrays of numpy do."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("compared")

    def __repr__(self) -> str:
        raise RuntimeError("shown")

    __hash__ = object.__hash__


ARGUMENTS = [
    *["host", "port", "user", "password", "database", "timeout", "command_timeout", "ssl"],
    *["server_settings", "drain_timeout", "statement_cache_size", "max_message_size"],
    *["scram_max_iterations", "allow_cleartext_password", "keepalives", "keepalives_idle"],
    *["keepalives_interval", "keepalives_count", "tcp_user_timeout", "statement_mode"],
    *["max_cached_statement_lifetime", "max_cacheable_statement_size", "describe_first"],
]
VARIABLES = [each.variable for each in PARAMETERS.values() if each.variable]
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.binary(),
    st.lists(st.one_of(st.text(), st.integers(), st.none())),
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers())),
    st.just(Odd()),
    st.just(10**5000),
)


@given(
    st.dictionaries(st.sampled_from(ARGUMENTS), anything),
    st.dictionaries(st.sampled_from(VARIABLES), st.text(), max_size=3),
)
def test_nonsense_raises_nothing_else(arguments: dict[str, Any], environ: dict[str, str]) -> None:
    try:
        options = ask(environ=environ, **arguments)
    except (ClientConfigurationError, UnsupportedClientFeatureError) as error:
        message = str(error)
    else:
        assert options.hosts
        assert options.user
        assert options.database
        assert all("\0" not in f"{name}{text}" for name, text in options.server_settings.items())
        return
    culprits = [*arguments, *(f"environment variable {name}" for name in environ)]
    assert message.startswith(tuple(culprits)), message
