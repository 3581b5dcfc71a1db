"""The password file: its lines, which of them fits, and when it is asked; libpq as the oracle."""

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
from pgallop.config.passfile import find_password, parse_passfile
from pgallop.errors import ClientConfigurationError, InterfaceWarning
from pgallop.files import LocalFiles

ask: Callable[..., ConnectOptions] = partial(resolve, environ={}, default_user=lambda: "ada")
HOST = Host("db", 5432)


def found(text: str, host: Host = HOST, database: str = "shop", user: str = "ada") -> str | None:
    return find_password(list(parse_passfile(text)), host, database, user)


@pytest.mark.parametrize(
    ("line", "password"),
    [
        ("db:5432:shop:ada:secret", "secret"),
        ("*:*:*:*:secret", "secret"),
        ("db:5432:shop:ada:secret\r", "secret"),
        ("db:5432:shop:ada: two words ", " two words "),
        (r"db:5432:shop:ada:se\:c\\ret\x", r"se:c\retx"),
        ("db:5432:shop:ada:se:cret", "se:cret"),
        ("db:5432:shop:ada:a\u2028b", "a\u2028b"),
        (r"d\b:5432:sh\op:ada:secret", "secret"),
        ("#db:5432:shop:ada:secret", None),
        (" db:5432:shop:ada:secret", None),
        ("db:5432:shop:ada", None),
        ("", None),
        ("other:5432:shop:ada:secret", None),
        ("db:5433:shop:ada:secret", None),
        ("db:05432:shop:ada:secret", None),
        ("db:5432:Shop:ada:secret", None),
        ("db:5432:shop:bob:secret", None),
        (r"\*:5432:shop:ada:secret", None),
    ],
)
def test_a_line(line: str, password: str | None) -> None:
    assert found(line) == password
    assert found(f"# a comment\n\nnonsense\n{line}\n*:*:*:*:last") == (password or "last")


def test_the_first_that_fits() -> None:
    assert found("db:*:*:bob:no\n*:5432:*:ada:first\ndb:5432:shop:ada:second") == "first"


def test_an_empty_one_ends_the_search() -> None:
    assert found("db:*:*:ada:\n*:*:*:*:for others") is None
    assert found("db:*:*:bob:\n*:*:*:*:secret") == "secret"


@pytest.mark.parametrize("host", ["localhost", "/var/run/postgresql", "*"])
def test_a_unix_socket_is_localhost_or_its_directory(host: str) -> None:
    assert found(f"{host}:*:*:*:secret", Host("/var/run/postgresql", 5432)) == "secret"
    assert found("/tmp:*:*:*:secret", Host("/var/run/postgresql", 5432)) is None


@given(
    st.lists(st.text(st.characters(exclude_characters="\n\r"), min_size=1), min_size=5, max_size=5)
)
def test_every_text_can_be_written(fields: list[str]) -> None:
    host, database, user, password, _ = fields
    escaped = [text.replace("\\", r"\\").replace(":", r"\:") for text in fields]
    # What a comment or "*" looks like has a backslash before it.
    escaped = [rf"\{text}" if text[0] in "#*" else text for text in escaped]
    line = f"{escaped[0]}:5432:{escaped[1]}:{escaped[2]}:{escaped[3]}"
    assert found(line, Host(host, 5432), database, user) == password


@given(st.text())
def test_no_text_is_an_error(text: str) -> None:
    for line in parse_passfile(text):
        assert line.password not in repr(line) or not line.password.strip("'\\ N")


# When it is asked

USUAL = {"/home/ada/.pgpass": "db:*:*:*:usual\nother:6:*:*:other's"}


def test_it_is_asked_where_no_password_was_given() -> None:
    files = DictFiles(USUAL)
    options = ask(host=["db", "other", "third"], port=[5, 6, 7], files=files)
    assert options.password is None
    assert options.host_passwords == {Host("db", 5): "usual", Host("other", 6): "other's"}
    assert "usual" not in repr(options)
    given_passwords: list[dict[str, Any]] = [
        {"password": "x"},
        {"password": ""},
        {"password": lambda: None},
        {"dsn": "password=x"},
        {"environ": {"PGPASSWORD": "x"}},
    ]
    for way in given_passwords:
        assert ask(**{"host": "db", "files": files, **way}).host_passwords == {}
    assert ask(host="db", files=DictFiles(USUAL, home=None)).host_passwords == {}
    assert ask(host="db").host_passwords == {}


def test_where_it_is() -> None:
    files = DictFiles({**USUAL, **{f"/{name}": f"db:*:*:*:{name}" for name in "abc"}})
    environ = {"PGPASSFILE": "/c"}

    def password(**given: Any) -> str | None:
        return ask(**{"host": "db", "files": files, **given}).host_passwords.get(HOST)

    assert password() == "usual"
    assert password(environ=environ) == "c"
    assert password(environ=environ, dsn="passfile=/b") == "b"
    assert password(environ=environ, dsn="passfile=/b", passfile="/a") == "a"
    assert password(passfile=Path("/a")) == "a"
    assert password(passfile="/nowhere") is None
    assert password(files=DictFiles(USUAL, open_to_all=USUAL)) is None


@pytest.mark.parametrize("bad", [1, b"/a", ["/a"], "a\0b"])
def test_bad_names(bad: Any) -> None:
    with pytest.raises(ClientConfigurationError, match=r"^passfile: expected"):
        ask(host="db", passfile=bad)


# On the disk


def test_a_file_that_others_may_read_is_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "pgpass"
    path.write_text("*:*:*:*:secret")
    for mode in (0o600, 0o400):
        path.chmod(mode)
        assert ask(host="db", passfile=path, files=LocalFiles()).host_passwords == {HOST: "secret"}
    for mode in (0o640, 0o604, 0o610):
        path.chmod(mode)
        with pytest.warns(InterfaceWarning, match="can be read by others: .* 0600"):
            assert ask(host="db", passfile=path, files=LocalFiles()).host_passwords == {}
    with pytest.warns(InterfaceWarning, match="is no plain file"):
        assert ask(host="db", passfile=tmp_path, files=LocalFiles()).host_passwords == {}
    assert ask(host="db", passfile=path / "x", files=LocalFiles()).host_passwords == {}


def test_bytes_that_are_not_utf8_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "pgpass"
    path.write_bytes(b"*:*:*:*:caf\xe9")
    path.chmod(0o600)
    password = ask(host="db", passfile=path, files=LocalFiles()).host_passwords[HOST]
    assert password.encode("utf-8", "surrogateescape") == b"caf\xe9"
