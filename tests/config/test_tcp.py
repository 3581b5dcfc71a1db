"""Keepalives and their kin: arguments, both forms of DSN, defaults, and what is refused."""

import doctest
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import pgallop.config.tcp
from pgallop.config import ConnectOptions, TcpOptions, resolve
from pgallop.errors import ClientConfigurationError

ask: Callable[..., ConnectOptions] = partial(resolve, environ={}, default_user=lambda: "os_user")

NUMBERS = ["keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"]
LIMITS = list(zip(NUMBERS, [32767, 32767, 127, 2**31 - 1], strict=True))


def test_a_dead_peer_is_noticed_within_two_minutes_by_default() -> None:
    tcp = ask().tcp
    assert tcp == TcpOptions(
        keepalives=True,
        keepalives_idle=60,
        keepalives_interval=10,
        keepalives_count=6,
        tcp_user_timeout=0,
    )
    assert tcp.keepalives_idle + tcp.keepalives_interval * tcp.keepalives_count <= 120


@pytest.mark.parametrize(("name", "most"), LIMITS)
def test_numbers(name: str, most: int) -> None:
    for good in (0, 1, most):
        assert getattr(ask(**{name: good}).tcp, name) == good
        assert getattr(ask(f"host=h {name}={good}").tcp, name) == good
        assert getattr(ask(f"postgresql://h/d?{name}={good}").tcp, name) == good
    assert getattr(ask(f"{name}=' 7 '").tcp, name) == 7


@pytest.mark.parametrize("name", NUMBERS)
def test_absent_and_empty_are_the_default(name: str) -> None:
    assert ask(**{name: None}) == ask(f"{name}=''") == ask(f"postgresql://?{name}=") == ask()
    assert ask(f"{name}=5", **{name: 3}).tcp == ask(**{name: 3}).tcp


@pytest.mark.parametrize(("name", "most"), LIMITS)
def test_bad_numbers(name: str, most: int) -> None:
    for bad in (-1, most + 1, 10**5000, 1.5, True, "", "5", b"5", [5], object()):
        with pytest.raises(ClientConfigurationError, match=rf"^{name}: expected .*to {most}, got"):
            ask(**{name: bad})
    for text in ("-1", str(most + 1), "9" * 5000, "1.5", "soon", "0x5", "1_0", "\u0665", "5s"):
        with pytest.raises(ClientConfigurationError, match=rf"^{name} in the DSN: .*to {most}"):
            ask(f"{name}={text}")


@pytest.mark.parametrize(("unit", "name"), [("seconds", "keepalives_idle"), ("milli", NUMBERS[-1])])
def test_the_unit_is_named(unit: str, name: str) -> None:
    with pytest.raises(ClientConfigurationError, match=f"whole {unit}"):
        ask(**{name: -1})


@pytest.mark.parametrize(
    ("arguments", "on"),
    [
        ({}, True),
        ({"keepalives": True}, True),
        ({"keepalives": 1}, True),
        ({"keepalives": False}, False),
        ({"keepalives": 0}, False),
        ({"dsn": "keepalives=1"}, True),
        ({"dsn": "keepalives=0"}, False),
        ({"dsn": "postgresql://h?keepalives=0"}, False),
        ({"dsn": "keepalives=0", "keepalives": True}, True),
        ({"dsn": "keepalives=1", "keepalives": False}, False),
    ],
)
def test_keepalives_on_and_off(arguments: dict[str, Any], on: bool) -> None:
    assert ask(**arguments).tcp.keepalives is on


@pytest.mark.parametrize("bad", [2, -1, 30.0, "", "1", "on", b"1", object()])
def test_bad_keepalives(bad: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=r"^keepalives: expected True or False.*got"):
        ask(keepalives=bad)


@pytest.mark.parametrize("text", ["2", "-1", "on", "true", "1.0"])
def test_bad_keepalives_in_a_dsn(text: str) -> None:
    with pytest.raises(ClientConfigurationError, match=r"^keepalives in the DSN: expected 1 or 0"):
        ask(f"keepalives={text}")


def test_the_example_in_the_documentation_runs() -> None:
    result = doctest.testmod(pgallop.config.tcp)
    assert result.attempted > 0
    assert result.failed == 0
