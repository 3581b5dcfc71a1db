"""StartupMessage and authentication, against a script."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest
from conversation import Answer, Conversation, at_every_split
from scripts import (
    AUTHENTICATION_OK,
    CLEARTEXT_PASSWORD,
    MD5_PASSWORD,
    SASL,
    SASL_CONTINUE,
    SASL_FINAL,
    ScramServer,
    authentication,
    authentication_sasl,
    backend_key_data,
    error_response,
    message,
    negotiate_protocol_version,
    parameter_status,
    ready_for_query,
    string,
)

from pgallop.auth.scram import KeyParameters
from pgallop.errors import (
    ClientConfigurationError,
    ConnectionDoesNotExistError,
    InterfaceError,
    InternalClientError,
    InvalidPasswordError,
    ProtocolError,
    QueryCanceledError,
    UnsupportedClientFeatureError,
)
from pgallop.session.startup import Startup

PASSWORD = "correct horse"

OK = authentication(AUTHENTICATION_OK)
WELCOME = (
    OK,
    parameter_status("server_version", "18.6"),
    parameter_status("client_encoding", "UTF8"),
    backend_key_data(4711, b"\1\2\3\4"),
    ready_for_query(),
)
SASL_REQUEST = authentication_sasl("SCRAM-SHA-256")

STARTUP_MESSAGE = "F StartupMessage version=3.0 user='ada' database='shop'"


def assert_welcomed(talk: Conversation, answer: Answer) -> None:
    assert answer.result is None
    assert (answer.request.pid, answer.request.key) == (4711, b"\1\2\3\4")
    assert talk.session.parameters["server_version"] == "18.6"
    assert not talk.session.requests
    assert answer.request.status == talk.session.status == ord("I")


@at_every_split
def test_trust(talk: Conversation) -> None:
    answer = talk.startup()
    assert talk.written_bytes() == b"\0\0\0\x20\0\3\0\0user\0ada\0database\0shop\0\0"
    talk.server(*WELCOME)
    assert_welcomed(talk, answer)
    assert talk.written() == []


@at_every_split
def test_a_server_without_cancellation_keys(talk: Conversation) -> None:
    answer = talk.startup()
    talk.server(OK, ready_for_query())
    assert answer.result is None
    assert (answer.request.pid, answer.request.key) == (0, b"")


@at_every_split
def test_a_server_that_speaks_about_its_version(talk: Conversation) -> None:
    answer = talk.startup()
    talk.server(negotiate_protocol_version(196608, "_pq_.option"), *WELCOME)
    assert_welcomed(talk, answer)


# --- passwords ------------------------------------------------------------------------------------


@at_every_split
def test_a_clear_password_on_a_private_channel(talk: Conversation) -> None:
    answer = talk.startup("grüße", private=True)
    assert talk.written() == [STARTUP_MESSAGE]
    talk.server(authentication(CLEARTEXT_PASSWORD))
    assert talk.written_bytes() == b"p\0\0\0\x0cgr\xc3\xbc\xc3\x9fe\0"
    talk.server(*WELCOME)
    assert_welcomed(talk, answer)


@at_every_split
def test_a_clear_password_on_a_channel_that_is_not(talk: Conversation) -> None:
    talk.startup(PASSWORD)
    talk.written()
    with pytest.raises(UnsupportedClientFeatureError, match="password in clear text") as raised:
        talk.server(authentication(CLEARTEXT_PASSWORD))
    assert talk.written_bytes() == b""
    assert PASSWORD not in str(raised.value)


@at_every_split
def test_md5(talk: Conversation) -> None:
    answer = talk.startup(PASSWORD)
    talk.written()
    talk.server(authentication(MD5_PASSWORD, b"\1\2\3\xff"))
    stored = hashlib.md5(PASSWORD.encode() + b"ada").hexdigest()
    salted = hashlib.md5(stored.encode() + b"\1\2\3\xff").hexdigest()
    assert talk.written_bytes() == message("p", string(f"md5{salted}"))
    talk.server(*WELCOME)
    assert_welcomed(talk, answer)


@pytest.mark.parametrize("salt", [b"", b"abc", b"abcde"])
@at_every_split
def test_md5_with_another_salt(talk: Conversation, salt: bytes) -> None:
    talk.startup(PASSWORD)
    with pytest.raises(ProtocolError, match=f"salt of {len(salt)} bytes instead of 4"):
        talk.server(authentication(MD5_PASSWORD, salt))


@pytest.mark.parametrize(
    "question",
    [authentication(CLEARTEXT_PASSWORD), authentication(MD5_PASSWORD, b"salt"), SASL_REQUEST],
)
@at_every_split
def test_no_password_at_hand(talk: Conversation, question: bytes) -> None:
    talk.startup(private=True)
    talk.written()
    with pytest.raises(InvalidPasswordError, match="for user 'ada' and none was given"):
        talk.server(question)
    assert talk.written_bytes() == b""


@pytest.mark.parametrize("question", [authentication(CLEARTEXT_PASSWORD), SASL_REQUEST])
@at_every_split
def test_a_password_that_cannot_be_sent(talk: Conversation, question: bytes) -> None:
    talk.startup("a\0b", private=True)
    talk.written()
    with pytest.raises(ClientConfigurationError, match="NUL"):
        talk.server(question)
    assert talk.written_bytes() == b""


# --- SCRAM ----------------------------------------------------------------------------------------


def sasl_body(talk: Conversation) -> bytes:
    """The body of the one message of type `p` that was written."""
    data = talk.written_bytes()
    assert data[:1] == b"p"
    assert int.from_bytes(data[1:5], "big") == len(data) - 1
    return data[5:]


def challenge(talk: Conversation, server: ScramServer, **options: Any) -> Answer:
    """SCRAM up to the question for the key."""
    answer = talk.startup(PASSWORD, **options)
    assert talk.written() == [STARTUP_MESSAGE]
    talk.server(SASL_REQUEST)
    talk.server(authentication(SASL_CONTINUE, server.first(sasl_body(talk))))
    return answer


def prove(talk: Conversation, asked: Answer, password: str = PASSWORD) -> Answer:
    """Bring the key that SCRAM asked for; the returned answer waits for the end of the startup."""
    question = asked.result
    assert isinstance(question, KeyParameters)
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), question.salt, question.iterations)
    answer = Answer()
    answer.request = asked.request
    talk.answers.append(answer)
    asked.request.continue_sasl(key, answer)
    talk.session.send_reply(asked.request)
    return answer


@at_every_split
def test_scram(talk: Conversation) -> None:
    server = ScramServer(PASSWORD)
    asked = challenge(talk, server)
    assert asked.result == KeyParameters(b"NaCl", 2)
    assert talk.written() == []
    answer = prove(talk, asked)
    final = server.final(sasl_body(talk))
    talk.server(authentication(SASL_FINAL, final), *WELCOME)
    assert_welcomed(talk, answer)
    assert answer.request is asked.request


@at_every_split
def test_scram_in_words(talk: Conversation) -> None:
    talk.startup(PASSWORD)
    talk.server(SASL_REQUEST)
    assert talk.written() == [
        STARTUP_MESSAGE,
        "F SASLInitialResponse mechanism='SCRAM-SHA-256' ***",
    ]


@at_every_split
def test_scram_beside_other_mechanisms(talk: Conversation) -> None:
    talk.startup(PASSWORD)
    talk.server(authentication_sasl("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "OAUTHBEARER"))
    assert talk.written()[1:] == ["F SASLInitialResponse mechanism='SCRAM-SHA-256' ***"]


@pytest.mark.parametrize("mechanisms", [("SCRAM-SHA-256-PLUS",), ("PLAIN", "EXTERNAL")])
@at_every_split
def test_only_other_mechanisms(talk: Conversation, mechanisms: tuple[str, ...]) -> None:
    talk.startup(PASSWORD)
    with pytest.raises(UnsupportedClientFeatureError, match=mechanisms[0]):
        talk.server(authentication_sasl(*mechanisms))


@pytest.mark.parametrize("data", [b"", b"\0", b"SCRAM-SHA-256", b"SCRAM-SHA-256\0", b"a b\0\0"])
@at_every_split
def test_a_malformed_list_of_mechanisms(talk: Conversation, data: bytes) -> None:
    talk.startup(PASSWORD)
    with pytest.raises(ProtocolError, match="AuthenticationSASL"):
        talk.server(authentication(SASL, data))


@at_every_split
def test_scram_with_a_wrong_signature(talk: Conversation) -> None:
    server = ScramServer(PASSWORD)
    answer = prove(talk, challenge(talk, server))
    final = server.final(sasl_body(talk))
    forged = b"v=" + base64.b64encode(bytes(32))
    assert forged != final
    with pytest.raises(ProtocolError, match="signature is wrong"):
        talk.server(authentication(SASL_FINAL, forged), *WELCOME)
    assert not answer.done()


@at_every_split
def test_the_signature_of_another_password(talk: Conversation) -> None:
    """The server knows another password, and pretends that our proof was right."""
    server = ScramServer("another")
    prove(talk, challenge(talk, server))
    response = sasl_body(talk)
    with pytest.raises(AssertionError):
        server.final(response)
    signature = b"v=" + base64.b64encode(hashlib.sha256(response).digest())
    with pytest.raises(ProtocolError, match="signature is wrong"):
        talk.server(authentication(SASL_FINAL, signature), *WELCOME)


@at_every_split
def test_success_in_place_of_the_challenge(talk: Conversation) -> None:
    answer = talk.startup(PASSWORD)
    talk.server(SASL_REQUEST)
    with pytest.raises(ProtocolError, match="ended SCRAM without proving its identity"):
        talk.server(*WELCOME)
    assert not answer.done()


@at_every_split
def test_success_while_the_key_is_computed(talk: Conversation) -> None:
    challenge(talk, ScramServer(PASSWORD))
    with pytest.raises(ProtocolError, match="ended SCRAM without proving its identity"):
        talk.server(*WELCOME)


@at_every_split
def test_success_in_place_of_the_proof(talk: Conversation) -> None:
    answer = prove(talk, challenge(talk, ScramServer(PASSWORD)))
    with pytest.raises(ProtocolError, match="ended SCRAM without proving its identity"):
        talk.server(*WELCOME)
    assert not answer.done()


@at_every_split
def test_ready_in_place_of_success(talk: Conversation) -> None:
    server = ScramServer(PASSWORD)
    prove(talk, challenge(talk, server))
    final = server.final(sasl_body(talk))
    with pytest.raises(ProtocolError, match="illegal b'Z' message"):
        talk.server(authentication(SASL_FINAL, final), ready_for_query())


@at_every_split
def test_the_proof_while_the_key_is_computed(talk: Conversation) -> None:
    challenge(talk, ScramServer(PASSWORD))
    with pytest.raises(InternalClientError, match="SCRAM"):
        talk.server(authentication(SASL_FINAL, b"v=" + base64.b64encode(bytes(32))))


@at_every_split
def test_a_second_challenge(talk: Conversation) -> None:
    server = ScramServer(PASSWORD)
    asked = challenge(talk, server)
    first = b"r=" + b"x" * 30 + b",s=TmFDbA==,i=2"
    with pytest.raises(ProtocolError, match="out of turn"):
        talk.server(authentication(SASL_CONTINUE, first))
    assert asked.done()


@at_every_split
def test_sasl_a_second_time(talk: Conversation) -> None:
    talk.startup(PASSWORD)
    with pytest.raises(ProtocolError, match="in the midst of SCRAM"):
        talk.server(SASL_REQUEST, SASL_REQUEST)


@pytest.mark.parametrize("iterations", [101, 100_000_000, 2**31 - 1])
@at_every_split
def test_more_rounds_than_are_allowed(talk: Conversation, iterations: int) -> None:
    talk.startup(PASSWORD, max_iterations=100)
    talk.written()
    talk.server(SASL_REQUEST)
    nonce = sasl_body(talk).split(b"r=")[1] + b"more"
    first = b"r=" + nonce + b",s=TmFDbA==,i=%d" % iterations
    with pytest.raises(ProtocolError, match=f"asks for {iterations} iterations, more than 100"):
        talk.server(authentication(SASL_CONTINUE, first))


@at_every_split
def test_a_nonce_that_is_not_ours(talk: Conversation) -> None:
    talk.startup(PASSWORD)
    talk.server(SASL_REQUEST)
    with pytest.raises(ProtocolError, match="does not begin with the client's"):
        talk.server(authentication(SASL_CONTINUE, b"r=abcdefghijkl,s=TmFDbA==,i=2"))


# --- methods --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (1, "method 1"),
        (2, "Kerberos V5"),
        (4, "method 4"),
        (6, "SCM credentials"),
        (13, "method 13"),
        (-1, "method -1"),
        (2**31 - 1, "method 2147483647"),
    ],
)
@at_every_split
def test_an_unknown_method(talk: Conversation, kind: int, name: str) -> None:
    talk.startup(PASSWORD, private=True)
    talk.written()
    with pytest.raises(UnsupportedClientFeatureError, match=f"authentication by {name}, which"):
        talk.server(authentication(kind, b"data"))
    assert talk.written_bytes() == b""


@pytest.mark.parametrize("kind", [SASL_CONTINUE, SASL_FINAL])
@at_every_split
def test_the_middle_of_sasl_without_its_beginning(talk: Conversation, kind: int) -> None:
    talk.startup(PASSWORD)
    with pytest.raises((ProtocolError, UnsupportedClientFeatureError)):
        talk.server(authentication(kind, b"r=abc,s=abc,i=1"))


@pytest.mark.parametrize("size", range(4))
@at_every_split
def test_an_authentication_without_its_code(talk: Conversation, size: int) -> None:
    talk.startup()
    with pytest.raises(ProtocolError, match=f"announced 4 bytes where {size} remain"):
        talk.server(message("R", bytes(size)))


@at_every_split
def test_ready_before_authentication(talk: Conversation) -> None:
    talk.startup()
    with pytest.raises(ProtocolError, match="illegal b'Z' message"):
        talk.server(ready_for_query())


@at_every_split
def test_a_key_before_authentication(talk: Conversation) -> None:
    talk.startup()
    with pytest.raises(ProtocolError, match="illegal b'K' message"):
        talk.server(backend_key_data(1, b"1234"))


@at_every_split
def test_authentication_after_success(talk: Conversation) -> None:
    talk.startup(PASSWORD, private=True)
    talk.written()
    with pytest.raises(ProtocolError, match="illegal b'R' message"):
        talk.server(OK, authentication(CLEARTEXT_PASSWORD))
    assert talk.written_bytes() == b""


# --- refusals -------------------------------------------------------------------------------------

REFUSAL = error_response("28P01", 'password authentication failed for user "ada"', "FATAL")


@at_every_split
def test_refused_at_once(talk: Conversation) -> None:
    answer = talk.startup()
    talk.server(error_response("3D000", 'database "shop" does not exist', "FATAL"))
    assert type(answer.error).__name__ == "InvalidCatalogNameError"
    assert answer.error.severity == "FATAL"
    talk.session.lost(ConnectionResetError("closed"))


@at_every_split
def test_refused_after_the_password(talk: Conversation) -> None:
    answer = talk.startup(PASSWORD)
    talk.server(authentication(MD5_PASSWORD, b"salt"))
    talk.server(REFUSAL)
    assert isinstance(answer.error, InvalidPasswordError)
    assert answer.error.query is None


@at_every_split
def test_refused_after_the_proof(talk: Conversation) -> None:
    asked = challenge(talk, ScramServer("another"))
    answer = prove(talk, asked)
    talk.server(REFUSAL)
    assert isinstance(answer.error, InvalidPasswordError)


@at_every_split
def test_refused_after_authentication(talk: Conversation) -> None:
    answer = talk.startup()
    talk.server(OK, error_response("53300", "sorry, too many clients already", "FATAL"))
    assert type(answer.error).__name__ == "TooManyConnectionsError"


@at_every_split
def test_refused_while_the_key_is_computed(talk: Conversation) -> None:
    """As authentication_timeout does: whoever brings the key must learn it."""
    asked = challenge(talk, ScramServer(PASSWORD))
    talk.server(error_response("57014", "canceling authentication due to timeout", "FATAL"))
    with pytest.raises(QueryCanceledError, match="canceling authentication due to timeout"):
        prove(talk, asked)


@at_every_split
def test_lost_while_the_key_is_computed(talk: Conversation) -> None:
    asked = challenge(talk, ScramServer(PASSWORD))
    talk.session.lost(ConnectionResetError("the server closed"))
    with pytest.raises(ConnectionDoesNotExistError, match="the server closed"):
        prove(talk, asked)


@at_every_split
def test_lost_in_the_middle(talk: Conversation) -> None:
    answer = talk.startup(PASSWORD)
    talk.server(authentication(MD5_PASSWORD, b"salt"))
    talk.session.lost(ConnectionResetError("the server closed"))
    assert "the server closed" in str(answer.error)
    assert not answer.error.safe_to_retry


def test_the_key_for_a_conversation_that_asked_for_none() -> None:
    startup = Startup(None, {"user": "ada"}, PASSWORD, False, 4096)
    with pytest.raises(ProtocolError, match="SASL was not begun"):
        startup.continue_sasl(bytes(32), Answer())


@at_every_split
def test_a_parameter_that_cannot_be_sent(talk: Conversation) -> None:
    for parameters in ({"user": "a\0b"}, {"us\0er": "a"}, {"user": "\ud800"}):
        with pytest.raises(InterfaceError, match="connection parameter"):
            talk.submit(Startup(None, parameters, None, False, 1))
    assert talk.written_bytes() == b""
    assert not talk.session.requests
    talk.startup()
    talk.server(*WELCOME, parameter_status("a", "b"))
    assert talk.session.parameters["a"] == "b"


def test_no_password_in_any_word() -> None:
    startup = Startup(None, {"user": "ada"}, PASSWORD, True, 4096)
    assert PASSWORD not in repr(startup)
