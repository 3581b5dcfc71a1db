"""Kerberos: the exchange of tokens, over libraries that are none."""

from __future__ import annotations

import doctest
import sys
from typing import Any

import fake_kerberos
import pytest
from fake_kerberos import FakeKerberos, proof, windows_error

from pgallop.auth import gss
from pgallop.auth.gss import GssClient, GssLibrary, GssService
from pgallop.errors import GSSAuthenticationError, InterfaceError, InternalClientError

TICKETS: dict[GssLibrary, bytes] = {
    "gssapi": b"ticket for postgres@db",
    "sspi": b"ticket for postgres/db",
}
MODULES = {"gssapi": "gssapi", "sspi": "sspilib"}


@pytest.fixture(params=["gssapi", "sspi"])
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


def client(
    monkeypatch: pytest.MonkeyPatch,
    fake: FakeKerberos,
    library: GssLibrary = "gssapi",
    negotiate: bool = False,
) -> GssClient:
    monkeypatch.setitem(sys.modules, "gssapi", fake.gssapi)
    monkeypatch.setitem(sys.modules, "sspilib", fake.sspilib)
    return GssClient(GssService("postgres", "db", library), negotiate=negotiate)


@pytest.mark.parametrize("rounds", [1, 2, 5])
def test_both_sides_are_proven(
    monkeypatch: pytest.MonkeyPatch, library: GssLibrary, rounds: int
) -> None:
    talk = client(monkeypatch, FakeKerberos(rounds=rounds), library)
    said = talk.step(None)
    assert said == TICKETS[library]
    for number in range(1, rounds):
        assert not talk.complete
        said = talk.step(proof(said))
        assert said == TICKETS[library] + b"!" * number
    assert talk.step(proof(said)) == b""
    assert talk.complete


def test_a_token_behind_the_last_one(monkeypatch: pytest.MonkeyPatch, library: GssLibrary) -> None:
    talk = client(monkeypatch, FakeKerberos(farewell=b"thanks"), library)
    assert talk.step(proof(talk.step(None))) == b"thanks"
    assert talk.complete


def test_what_gssapi_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeKerberos()
    client(monkeypatch, fake).step(None)
    flags = fake_kerberos.RequirementFlag.mutual_authentication
    assert fake.begun == [{"name": "hostbased postgres@db", "usage": "initiate", "flags": flags}]


@pytest.mark.parametrize(("negotiate", "protocol"), [(False, "Kerberos"), (True, "Negotiate")])
def test_what_sspi_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, negotiate: bool, protocol: str
) -> None:
    fake = FakeKerberos()
    client(monkeypatch, fake, "sspi", negotiate).step(None)
    assert fake.begun == [{"name": "postgres/db", "protocol": protocol}]


@pytest.mark.parametrize("negotiate", [False, True])
def test_a_server_that_has_proven_nothing(
    monkeypatch: pytest.MonkeyPatch, library: GssLibrary, negotiate: bool
) -> None:
    """Kerberos can do without; it must not. NTLM, which Negotiate may come to, cannot do it."""
    talk = client(monkeypatch, FakeKerberos(mutual=False), library, negotiate)
    token = proof(talk.step(None))
    if library == "sspi" and negotiate:
        assert talk.step(token) == b""
        assert talk.complete
        return
    with pytest.raises(GSSAuthenticationError, match=r"postgres@db: .* no mutual authentication"):
        talk.step(token)
    assert not talk.complete


@pytest.mark.parametrize("token", [b"", b"nonsense", bytes(60_000)])
@pytest.mark.parametrize("deferred", [False, True])
def test_a_token_that_is_none(
    monkeypatch: pytest.MonkeyPatch, library: GssLibrary, token: bytes, deferred: bool
) -> None:
    talk = client(monkeypatch, FakeKerberos(deferred=deferred), library)
    talk.step(None)
    with pytest.raises(GSSAuthenticationError, match="has not proven to be postgres@db") as caught:
        talk.step(token)
    assert isinstance(caught.value.__cause__, fake_kerberos.GSSError | OSError)
    assert not talk.complete


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (fake_kerberos.MissingCredentialsError("No credentials"), gss.KINIT),
        (fake_kerberos.ExpiredCredentialsError("They are old"), gss.KINIT),
        (fake_kerberos.GSSError("Expired", fake_kerberos.TICKET_EXPIRED), gss.KINIT),
        (fake_kerberos.GSSError("Not found", fake_kerberos.SERVICE_UNKNOWN), gss.SERVICE),
        (fake_kerberos.GSSError("Nobody", fake_kerberos.CENTRE_UNREACHABLE), gss.CENTRE),
        (fake_kerberos.GSSError("Something", 1), None),
    ],
)
def test_no_ticket(monkeypatch: pytest.MonkeyPatch, error: Exception, hint: str | None) -> None:
    with pytest.raises(
        GSSAuthenticationError, match="GSSAPI: no ticket for postgres@db: "
    ) as found:
        client(monkeypatch, FakeKerberos(error=error)).step(None)
    assert found.value.__cause__ is error
    assert found.value.hint == hint
    assert isinstance(found.value, InterfaceError)
    assert isinstance(found.value, InternalClientError)  # as with asyncpg


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (windows_error(fake_kerberos.SEC_E_NO_CREDENTIALS), gss.LOGIN),
        (windows_error(fake_kerberos.SEC_E_TARGET_UNKNOWN), gss.SERVICE),
        (windows_error(fake_kerberos.SEC_E_INVALID_TOKEN), None),
        (OSError("a file cannot be read"), None),
    ],
)
def test_no_ticket_on_windows(
    monkeypatch: pytest.MonkeyPatch, error: Exception, hint: str | None
) -> None:
    with pytest.raises(GSSAuthenticationError, match="SSPI: no ticket for postgres@db: ") as caught:
        client(monkeypatch, FakeKerberos(error=error), "sspi").step(None)
    assert caught.value.__cause__ is error
    assert caught.value.hint == hint


def test_a_fault_of_the_library_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, library: GssLibrary
) -> None:
    with pytest.raises(ZeroDivisionError):
        client(monkeypatch, FakeKerberos(error=ZeroDivisionError()), library).step(None)


def test_words_that_would_trick_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    error = fake_kerberos.GSSError("\x1b[31mred\n\0" + "é" + 600 * "x")
    with pytest.raises(GSSAuthenticationError) as caught:
        client(monkeypatch, FakeKerberos(error=error)).step(None)
    text = str(caught.value)
    assert r"\x1b[31mred\n\x00éxxx" in text
    assert text.endswith("xxx...")
    assert len(text) < 600


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, library: GssLibrary) -> None:
    talk = client(monkeypatch, FakeKerberos(), library)
    monkeypatch.setitem(sys.modules, MODULES[library], None)
    with pytest.raises(GSSAuthenticationError) as caught:
        talk.step(None)
    assert f"the module {MODULES[library]} cannot be imported" in str(caught.value)
    assert caught.value.hint == "pip install 'pgallop[gss]'"
    assert isinstance(caught.value.__cause__, ImportError)


def test_nothing_is_imported_before_a_server_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gssapi", None)
    assert not GssClient(GssService("postgres", "db", "gssapi")).complete


def test_examples_in_the_docstrings() -> None:
    assert doctest.testmod(gss) == (0, 2)
