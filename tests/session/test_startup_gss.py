"""Authentication by Kerberos, against a script and over a library that is none."""

from __future__ import annotations

import sys

import pytest
from conversation import Answer, Conversation, at_every_split
from fake_kerberos import FakeKerberos, proof
from scripts import (
    AUTHENTICATION_OK,
    CLEARTEXT_PASSWORD,
    GSS,
    GSS_CONTINUE,
    MD5_PASSWORD,
    SASL_CONTINUE,
    SSPI,
    authentication,
    authentication_sasl,
    backend_key_data,
    error_response,
    message,
    parameter_status,
    ready_for_query,
)

from pgallop.auth.gss import GssService, GssStep
from pgallop.errors import (
    ConnectionDoesNotExistError,
    InvalidAuthorizationSpecificationError,
    ProtocolError,
    TooManyConnectionsError,
)
from pgallop.session.startup import Startup

SERVICE = GssService("postgres", "db", "gssapi")
TICKET = b"ticket for postgres@db"

ASK = authentication(GSS)
OK = authentication(AUTHENTICATION_OK)
WELCOME = (
    OK,
    parameter_status("server_version", "18.6"),
    backend_key_data(4711, b"\1\2\3\4"),
    ready_for_query(),
)


def proven(token: bytes = TICKET) -> bytes:
    """What an honest server says to the client's token."""
    return authentication(GSS_CONTINUE, proof(token))


@pytest.fixture(autouse=True)
def kerberos(monkeypatch: pytest.MonkeyPatch) -> FakeKerberos:
    fake = FakeKerberos()
    monkeypatch.setitem(sys.modules, "gssapi", fake.gssapi)
    monkeypatch.setitem(sys.modules, "sspilib", fake.sspilib)
    return fake


def asked(talk: Conversation, ask: bytes = ASK) -> Answer:
    """The server has asked, and a step is due."""
    answer = talk.startup(service=SERVICE)
    talk.written()
    talk.server(ask)
    return answer


def take(talk: Conversation, asked: Answer) -> Answer:
    """Take the step that is due; the returned answer waits for what comes next."""
    question = asked.result
    assert isinstance(question, GssStep)
    return bring(talk, asked, question.client.step(question.token))


def bring(talk: Conversation, asked: Answer, token: bytes) -> Answer:
    """Bring what came of the step."""
    answer = Answer()
    answer.request = asked.request
    talk.answers.append(answer)
    if asked.request.continue_gss(token, answer):
        talk.session.send_reply(asked.request)
    return answer


def assert_welcomed(talk: Conversation, answer: Answer) -> None:
    assert answer.result is None
    assert (answer.request.pid, answer.request.key) == (4711, b"\1\2\3\4")
    assert answer.request.accepted()
    assert not talk.session.requests


@pytest.mark.parametrize("kind", [GSS, SSPI])
@at_every_split
def test_a_ticket_and_a_proof(talk: Conversation, kind: int) -> None:
    answer = take(talk, asked(talk, authentication(kind)))
    assert talk.written_bytes() == message("p", TICKET)
    talk.server(proven())
    assert not answer.request.accepted()
    answer = take(talk, answer)
    assert talk.written_bytes() == b""
    assert not answer.done()
    talk.server(*WELCOME)
    assert_welcomed(talk, answer)


@at_every_split
def test_in_words(talk: Conversation) -> None:
    take(talk, asked(talk))
    assert talk.written() == ["F GSSResponse ***"]


@pytest.mark.parametrize("count", range(len(WELCOME) + 1))
@at_every_split
def test_the_welcome_begins_behind_the_proof(talk: Conversation, count: int) -> None:
    """PostgreSQL waits for nothing behind its last token: all of it comes at once."""
    answer = take(talk, asked(talk))
    assert talk.written() == ["F GSSResponse ***"]
    talk.server(proven(), *WELCOME[:count])
    assert not answer.request.accepted()
    answer = take(talk, answer)
    assert answer.done() == (count == len(WELCOME))
    assert answer.request.accepted() == (count > 0)
    talk.server(*WELCOME[count:])
    assert_welcomed(talk, answer)
    assert talk.written() == []


@pytest.mark.parametrize("rounds", [2, 5])
def test_several_rounds(kerberos: FakeKerberos, rounds: int) -> None:
    kerberos.rounds = rounds
    talk = Conversation()
    answer = take(talk, asked(talk))
    for number in range(rounds):
        token = TICKET + b"!" * number
        assert talk.written_bytes() == message("p", token)
        talk.server(proven(token))
        answer = take(talk, answer)
    assert talk.written_bytes() == b""
    talk.server(*WELCOME)
    assert_welcomed(talk, answer)


def test_the_last_token_is_the_client_s(kerberos: FakeKerberos) -> None:
    kerberos.farewell = b"thanks"
    talk = Conversation()
    answer = take(talk, asked(talk))
    talk.written()
    talk.server(proven())
    answer = take(talk, answer)
    assert talk.written_bytes() == message("p", b"thanks")
    talk.server(*WELCOME)
    assert_welcomed(talk, answer)


def test_no_password_is_needed_and_none_is_sent() -> None:
    talk = Conversation()
    talk.startup("secret", private=True, service=SERVICE)
    talk.server(ASK)
    answer = take(talk, talk.answers[0])
    assert b"secret" not in talk.written_bytes()
    assert not answer.done()


# --- a server that has not proven itself ----------------------------------------------------------


@at_every_split
def test_success_in_the_place_of_the_proof(talk: Conversation) -> None:
    answer = take(talk, asked(talk))
    with pytest.raises(ProtocolError, match="ended GSSAPI without proving its identity"):
        talk.server(*WELCOME)
    assert not answer.done()
    assert not answer.request.accepted()


@pytest.mark.parametrize("count", range(1, len(WELCOME) + 1))
@at_every_split
def test_success_while_the_ticket_is_fetched(talk: Conversation, count: int) -> None:
    answer = asked(talk)
    talk.server(*WELCOME[:count])
    assert not answer.request.accepted()
    with pytest.raises(ProtocolError, match="ended GSSAPI without proving its identity"):
        take(talk, answer)
    assert not answer.request.accepted()
    assert talk.written_bytes() == b""


@pytest.mark.parametrize("rounds", [1, 2])
def test_success_before_the_last_token(kerberos: FakeKerberos, rounds: int) -> None:
    """The server's token is good, and not the last: or ours is to come, which it does not want."""
    kerberos.rounds = rounds
    kerberos.farewell = b"thanks"
    talk = Conversation()
    answer = take(talk, asked(talk))
    talk.written()
    talk.server(proven(), *WELCOME)
    with pytest.raises(ProtocolError, match="ended GSSAPI without proving its identity"):
        take(talk, answer)
    assert talk.written_bytes() == b""


def test_a_transaction_at_the_end() -> None:
    """A pooler that gives out a session in the midst of somebody's transaction."""
    talk = Conversation()
    answer = take(talk, asked(talk))
    talk.server(proven(), OK, ready_for_query("T"))
    answer = take(talk, answer)
    assert isinstance(answer.error, ProtocolError)
    assert "begins the session in a transaction" in str(answer.error)


# --- out of turn ----------------------------------------------------------------------------------


@at_every_split
def test_a_token_without_a_beginning(talk: Conversation) -> None:
    talk.startup(service=SERVICE)
    with pytest.raises(ProtocolError, match="went on with GSSAPI, which it had not begun"):
        talk.server(proven())


@pytest.mark.parametrize("begun", [False, True])
@at_every_split
def test_a_token_while_a_step_is_taken(talk: Conversation, begun: bool) -> None:
    answer = asked(talk)
    if begun:
        take(talk, answer)
        talk.server(proven())
    with pytest.raises(ProtocolError, match="a GSSAPI token out of turn"):
        talk.server(proven())


@at_every_split
def test_a_token_behind_the_last_one(talk: Conversation) -> None:
    answer = take(talk, asked(talk))
    talk.server(proven())
    take(talk, answer)
    with pytest.raises(ProtocolError, match="a GSSAPI token out of turn"):
        talk.server(proven())


@at_every_split
def test_an_empty_token(talk: Conversation) -> None:
    take(talk, asked(talk))
    with pytest.raises(ProtocolError, match="an empty GSSAPI token"):
        talk.server(authentication(GSS_CONTINUE))


@pytest.mark.parametrize("taken", [False, True])
@pytest.mark.parametrize(
    "another",
    [
        ASK,
        authentication(SSPI),
        authentication(CLEARTEXT_PASSWORD),
        authentication(MD5_PASSWORD, b"salt"),
        authentication_sasl("SCRAM-SHA-256"),
        authentication(13),
    ],
)
@at_every_split
def test_another_method_in_the_middle(talk: Conversation, another: bytes, taken: bool) -> None:
    answer = asked(talk)
    if taken:
        take(talk, answer)
        talk.written()
    with pytest.raises(ProtocolError, match="another authentication in the midst of GSSAPI"):
        talk.server(another)
    assert talk.written_bytes() == b""


@at_every_split
def test_sasl_in_the_middle(talk: Conversation) -> None:
    take(talk, asked(talk))
    with pytest.raises(ProtocolError, match="went on with SASL, which it had not begun"):
        talk.server(authentication(SASL_CONTINUE, b"r=x"))


@at_every_split
def test_kerberos_in_the_midst_of_scram(talk: Conversation) -> None:
    talk.startup("secret", service=SERVICE)
    with pytest.raises(ProtocolError, match="another authentication in the midst of SCRAM"):
        talk.server(authentication_sasl("SCRAM-SHA-256"), ASK)


@at_every_split
def test_kerberos_behind_a_password(talk: Conversation) -> None:
    talk.startup("secret", service=SERVICE)
    with pytest.raises(ProtocolError, match="asked for a second password"):
        talk.server(authentication(MD5_PASSWORD, b"salt"), ASK)


@pytest.mark.parametrize(("kind", "name"), [(GSS, "GSS"), (SSPI, "SSPI")])
@at_every_split
def test_bytes_left_over(talk: Conversation, kind: int, name: str) -> None:
    talk.startup(service=SERVICE)
    with pytest.raises(ProtocolError, match=f"4 bytes are left over in Authentication{name}$"):
        talk.server(authentication(kind, b"data"))


@pytest.mark.parametrize("kind", [GSS, SSPI])
@at_every_split
def test_through_a_unix_socket(talk: Conversation, kind: int) -> None:
    talk.startup("secret")
    with pytest.raises(ProtocolError, match="GSSAPI through a Unix socket"):
        talk.server(authentication(kind))


def test_a_token_for_a_conversation_that_asked_for_none() -> None:
    startup = Startup(None, {"user": "ada"}, None, False, 4096, service=SERVICE)
    with pytest.raises(ProtocolError, match="no step of GSSAPI was due"):
        startup.continue_gss(b"token", Answer())


# --- refusals and losses --------------------------------------------------------------------------

REFUSAL = error_response("28000", 'GSSAPI authentication failed for user "ada"', "FATAL")


@at_every_split
def test_refused_behind_the_ticket(talk: Conversation) -> None:
    answer = take(talk, asked(talk))
    talk.server(REFUSAL)
    assert isinstance(answer.error, InvalidAuthorizationSpecificationError)


@at_every_split
def test_refused_while_a_step_is_taken(talk: Conversation) -> None:
    answer = asked(talk)
    talk.server(REFUSAL)
    with pytest.raises(InvalidAuthorizationSpecificationError, match="GSSAPI authentication fail"):
        take(talk, answer)
    assert not answer.request.accepted()


@at_every_split
def test_refused_behind_the_proof(talk: Conversation) -> None:
    """By a server that has proven itself, as the step shows."""
    answer = take(talk, asked(talk))
    talk.server(proven(), OK, error_response("53300", "sorry, too many clients already", "FATAL"))
    with pytest.raises(TooManyConnectionsError):
        take(talk, answer)
    assert answer.request.accepted()


@pytest.mark.parametrize("count", range(len(WELCOME)))
@at_every_split
def test_lost_while_a_step_is_taken(talk: Conversation, count: int) -> None:
    answer = take(talk, asked(talk))
    talk.server(proven(), *WELCOME[:count])
    talk.session.lost(ConnectionResetError("the server closed"))
    with pytest.raises(ConnectionDoesNotExistError, match="the server closed"):
        take(talk, answer)
