"""SCRAM-SHA-256 against the RFC's vector, a real server's transcript, a server of our own, lies."""

import base64
import doctest
import hashlib
import hmac
import itertools
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgallop.auth import saslprep as saslprep_module
from pgallop.auth import scram as scram_module
from pgallop.auth.saslprep import saslprep
from pgallop.auth.scram import (
    TRANSITIONS,
    KeyParameters,
    ScramClient,
    State,
    compute_proofs,
    derive_salted_password,
)
from pgallop.errors import ClientConfigurationError, InternalClientError, ProtocolError

NONCE = b"rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqOserverpart,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1"
SIGNATURE = b"v=" + base64.b64encode(bytes(32))

# All that a password given to this driver can be: no NUL, no surrogate.
passwords = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


class ScramServer:
    """The other side, written from RFC 5802 with none of the client's functions."""

    def __init__(self, password: bytes, salt: bytes = b"NaCl", iterations: int = 3) -> None:
        block = hmac.new(password, salt + b"\0\0\0\1", "sha256").digest()
        salted = int.from_bytes(block)
        for _ in range(iterations - 1):
            block = hmac.new(password, block, "sha256").digest()
            salted ^= int.from_bytes(block)
        key = salted.to_bytes(32)
        client_key = hmac.new(key, b"Client Key", "sha256").digest()
        self.stored_key = hashlib.sha256(client_key).digest()
        self.server_key = hmac.new(key, b"Server Key", "sha256").digest()
        self.salt = salt
        self.iterations = iterations
        self.messages: list[bytes] = []

    def first(self, client_first: bytes) -> bytes:
        assert client_first.startswith(b"n,,n=,r=")
        nonce = client_first.removeprefix(b"n,,n=,r=") + b"%server"
        salt = base64.b64encode(self.salt)
        answer = b"r=" + nonce + b",s=" + salt + b",i=" + str(self.iterations).encode()
        self.messages = [client_first.removeprefix(b"n,,"), answer]
        return answer

    def accepts(self, client_final: bytes) -> bool:
        without_proof, proof = client_final.split(b",p=")
        nonce = self.messages[1].split(b",")[0]
        assert without_proof == b"c=" + base64.b64encode(b"n,,") + b"," + nonce
        self.messages.append(without_proof)
        signature = hmac.new(self.stored_key, b",".join(self.messages), "sha256").digest()
        pairs = zip(base64.b64decode(proof, validate=True), signature, strict=True)
        return hashlib.sha256(bytes(a ^ b for a, b in pairs)).digest() == self.stored_key

    def final(self) -> bytes:
        signature = hmac.new(self.server_key, b",".join(self.messages), "sha256").digest()
        return b"v=" + base64.b64encode(signature)


def client_at(state: State) -> ScramClient:
    """A client with the password "hunter two" that waits for what `state` says."""
    client = ScramClient("hunter two", nonce=NONCE.decode())
    if state is State.START:
        return client
    client.client_first()
    if state is State.FIRST_SENT:
        return client
    if state is State.FAILED:
        with pytest.raises(ProtocolError):
            client.receive_server_first(b"")
        return client
    server = ScramServer(b"hunter two")
    parameters = client.receive_server_first(server.first(b"n,,n=,r=" + NONCE))
    if state is State.CHALLENGED:
        return client
    assert server.accepts(client.client_final(derive_salted_password("hunter two", parameters)))
    if state is State.VERIFIED:
        client.receive_server_final(server.final())
    return client


# --- the exchange ---------------------------------------------------------------------------------


def test_vector_of_rfc_7677() -> None:
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    salted = derive_salted_password("pencil", KeyParameters(salt, 4096))
    proof, signature = compute_proofs(
        salted,
        b"n=user,r=rOprNGfwEbeRWgbNEkqO,"
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    )
    assert base64.b64encode(proof) == b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_transcript_of_postgresql_18() -> None:
    client = ScramClient("I\xadⅨ ª", nonce="pgallop0123456789ABCDEFG")
    assert client.client_first() == b"n,,n=,r=pgallop0123456789ABCDEFG"
    nonce = b"pgallop0123456789ABCDEFGiCAsHK6cAda6FiSTkR5v93e2"
    parameters = client.receive_server_first(b"r=" + nonce + b",s=G98vLdyfxo1vm6vfpxSAWg==,i=4096")
    salted = derive_salted_password("I\xadⅨ ª", parameters)
    proof = b"gV7lwWHGMyLTAXwr1CA8s73K3GnO4B5XP89TANGvlGA="
    assert client.client_final(salted) == b"c=biws,r=" + nonce + b",p=" + proof
    client.receive_server_final(b"v=6WoMA/g2VxiLSs3Tk/K3Leluqrc5iYPf/QRvoGfFiLo=")
    assert client.verified


@settings(deadline=None)
@given(passwords, st.binary(min_size=1, max_size=100), st.integers(1, 20))
def test_any_password_is_proved_both_ways(password: str, salt: bytes, iterations: int) -> None:
    prepared = saslprep(password)
    server = ScramServer((password if prepared is None else prepared).encode(), salt, iterations)
    client = ScramClient(password)
    parameters = client.receive_server_first(server.first(client.client_first()))
    assert parameters == KeyParameters(salt, iterations)
    assert server.accepts(client.client_final(derive_salted_password(password, parameters)))
    assert not client.verified
    client.receive_server_final(server.final())
    assert client.verified


@settings(deadline=None)
@given(passwords)
def test_a_server_with_another_password_is_an_impostor(password: str) -> None:
    server = ScramServer(password.encode() + b"!")
    client = ScramClient(password)
    parameters = client.receive_server_first(server.first(client.client_first()))
    assert not server.accepts(client.client_final(derive_salted_password(password, parameters)))
    with pytest.raises(ProtocolError, match="signature is wrong"):
        client.receive_server_final(server.final())
    assert not client.verified


def test_nonces_are_new_and_have_18_bytes() -> None:
    nonces = {ScramClient("x").client_first().removeprefix(b"n,,n=,r=") for _ in range(100)}
    assert len(nonces) == 100
    assert {len(base64.b64decode(nonce, validate=True)) for nonce in nonces} == {18}


@pytest.mark.parametrize("nonce", ["", "a,b", "a b", "a\n", "ä", "a\x7f", "a\0"])
def test_a_bad_nonce_of_our_own_is_refused(nonce: str) -> None:
    with pytest.raises(InternalClientError, match="nonce"):
        ScramClient("x", nonce=nonce)


@pytest.mark.parametrize("password", ["hunter\0two", "hunter\ud800two"])
def test_a_password_that_cannot_be_sent_is_refused_at_once(password: str) -> None:
    with pytest.raises(ClientConfigurationError, match="the password contains") as caught:
        ScramClient(password)
    assert "hunter" not in str(caught.value)
    with pytest.raises(ClientConfigurationError, match="the password contains"):
        derive_salted_password(password, KeyParameters(b"salt", 1))


def test_a_password_that_is_not_utf8_keeps_its_bytes() -> None:
    assert derive_salted_password("p\udce4ss", KeyParameters(b"salt", 2)) == hashlib.pbkdf2_hmac(
        "sha256", b"p\xe4ss", b"salt", 2
    )


def test_a_key_of_another_size_is_refused() -> None:
    with pytest.raises(InternalClientError, match="32 bytes, not 31"):
        client_at(State.CHALLENGED).client_final(bytes(31))


@pytest.mark.parametrize("state", State)
def test_repr_has_the_state_and_no_secret(state: State) -> None:
    assert repr(client_at(state)) == f"<ScramClient SCRAM-SHA-256: {state.value}>"


# --- the order of the steps -----------------------------------------------------------------------

STEPS: dict[str, Callable[[ScramClient], object]] = {
    "client_first": lambda client: client.client_first(),
    "receive_server_first": lambda client: client.receive_server_first(SERVER_FIRST),
    "client_final": lambda client: client.client_final(bytes(32)),
    "receive_server_final": lambda client: client.receive_server_final(SIGNATURE),
}


OUT_OF_ORDER = [
    (step, state)
    for step, state in itertools.product(STEPS, State)
    if TRANSITIONS[step][0] is not state
]


@pytest.mark.parametrize(("step", "state"), OUT_OF_ORDER)
def test_a_step_out_of_order_is_refused_and_changes_nothing(step: str, state: State) -> None:
    client = client_at(state)
    with pytest.raises(InternalClientError, match=rf"{step}\(\) called while {state.value}"):
        STEPS[step](client)
    assert repr(client) == repr(client_at(state))
    assert client.verified is (state is State.VERIFIED)


# --- servers that lie -----------------------------------------------------------------------------

R = b"r=" + NONCE + b"server"
S = b"s=W22ZaJ0SNY7soEsUEjb6gQ=="

HOSTILE_FIRST = [
    (b"", "not a list of attributes"),
    (b",", "not a list of attributes"),
    (b"\0", "not a list of attributes"),
    (b"r", "not a list of attributes"),
    (b"r=", "not a list of attributes"),
    (b"=" + NONCE, "not a list of attributes"),
    (b"1=x", "not a list of attributes"),
    (R + b"," + S + b",i=1,", "not a list of attributes"),
    (b"," + R + b"," + S + b",i=1", "not a list of attributes"),
    (R + b",," + S + b",i=1", "not a list of attributes"),
    (R + b", " + S + b",i=1", "not a list of attributes"),
    (R + b"," + S + b",i=1\0", "not a list of attributes"),
    (R + b"," + S + b",i=1,rubbish", "not a list of attributes"),
    (R + b"," + S + b",i=1,\xc3\xa4=x", "not a list of attributes"),
    (R + b"\xff," + S + b",i=1", "not UTF-8"),
    (R + b"," + S + b",i=1,x=" + bytes(4096), "has 41.. bytes, more than 4096"),
    (R, "has the attributes r, expected r,s,i"),
    (R + b"," + S, "has the attributes r,s, expected r,s,i"),
    (R + b",i=1", "has the attributes r,i, expected"),
    (S + b"," + R + b",i=1", "has the attributes s,r,i, expected"),
    (R + b",i=1," + S, "has the attributes r,i,s, expected"),
    (R + b"," + R + b"," + S + b",i=1", "has the attributes r,r,s,i, expected"),
    (R + b"," + S + b",i=1,i=2", "has the attributes r,s,i,i, expected"),
    (R + b"," + S + b",i=1,v=x", "has the attributes r,s,i,v, expected"),
    (R.upper() + b"," + S + b",i=1", "has the attributes R,s,i, expected"),
    (b"e=invalid-proof", "has the attributes e, expected"),
    (b"m=x," + R + b"," + S + b",i=1", "extension that is not supported"),
    (R + b"," + S + b",i=1,m=x", "extension that is not supported"),
    (b"r=" + NONCE + b"," + S + b",i=1", "added nothing"),
    (b"r=" + NONCE[:-1] + b"," + S + b",i=1", "does not begin with the client's"),
    (b"r=x" + NONCE + b"," + S + b",i=1", "does not begin with the client's"),
    (b"r=" + NONCE.lower() + b"more," + S + b",i=1", "does not begin with the client's"),
    (R + b" ," + S + b",i=1", "forbidden character"),
    (R + b"\n," + S + b",i=1", "forbidden character"),
    (R + b"\x7f," + S + b",i=1", "forbidden character"),
    (R + b"\xc3\xa4," + S + b",i=1", "forbidden character"),
    (R + b",s=,i=1", "not a list of attributes"),
    (R + b",s=====,i=1", "salt is not base64"),
    (R + b",s=W,i=1", "salt is not base64"),
    (R + b",s=W22ZaJ0SNY7soEsUEjb6gQ,i=1", "salt is not base64"),
    (R + b",s=W22ZaJ0SNY7soEsUEjb6gQ=,i=1", "salt is not base64"),
    (R + b",s=W22ZaJ0SNY7soEsUEjb6gQ===,i=1", "salt is not base64"),
    (R + b",s=W22ZaJ0SNY7soEsUEjb6gR==,i=1", "salt is not base64 in its canonical form"),
    (R + b",s=W22Z aJ0S,i=1", "salt is not base64"),
    (R + b",s=W22Z\naJ0S,i=1", "salt is not base64"),
    (R + b",s=W22-aJ_S,i=1", "salt is not base64"),
    (R + b",s=W2==aJ0S,i=1", "salt is not base64"),
    (R + b",s=\xc3\xa4\xc3\xa4,i=1", "salt is not base64"),
    (R + b"," + S + b",i=0", "iteration count .* '0'"),
    (R + b"," + S + b",i=-1", "iteration count .* '-1'"),
    (R + b"," + S + b",i=+1", "iteration count"),
    (R + b"," + S + b",i= 1", "iteration count"),
    (R + b"," + S + b",i=1 ", "iteration count"),
    (R + b"," + S + b",i=1\n", "iteration count"),
    (R + b"," + S + b",i=01", "iteration count"),
    (R + b"," + S + b",i=1_000", "iteration count"),
    (R + b"," + S + b",i=0x10", "iteration count"),
    (R + b"," + S + b",i=1e3", "iteration count"),
    (R + b"," + S + b",i=1.0", "iteration count"),
    (R + b"," + S + b",i=4096x", "iteration count"),
    (R + b"," + S + ",i=\u0661".encode(), "iteration count"),
    (R + b"," + S + b",i=2147483648", "iteration count"),
    (R + b"," + S + b",i=" + b"9" * 4000, "iteration count .* '99999999999999999999'$"),
    (R + b"," + S + b",i=100001", "asks for 100001 .* 100000; .* scram_max_iterations"),
    (R + b"," + S + b",i=2147483647", "asks for 2147483647 .* scram_max_iterations"),
]

HOSTILE_FINAL = [
    (b"", "not a list of attributes"),
    (b"v", "not a list of attributes"),
    (b"v=", "not a list of attributes"),
    (b"e=", "not a list of attributes"),
    (b"\0", "not a list of attributes"),
    (SIGNATURE + b",", "not a list of attributes"),
    (SIGNATURE + b"\0", "not a list of attributes"),
    (b"," + SIGNATURE, "not a list of attributes"),
    (b"v=\xff", "not UTF-8"),
    (b"v=" + b"A" * 4095, "has 4097 bytes, more than 4096"),
    (b"x=1", "has the attributes x, expected v"),
    (b"x=1," + SIGNATURE, "has the attributes x,v, expected v"),
    (SIGNATURE + b"," + SIGNATURE, "has the attributes v,v, expected v"),
    (SIGNATURE + b",e=other-error", "has the attributes v,e, expected v"),
    (SIGNATURE.upper(), "has the attributes V, expected v"),
    (b"m=x," + SIGNATURE, "extension that is not supported"),
    (b"v=!!!!", "server signature is not base64"),
    (SIGNATURE[:-1], "server signature is not base64"),
    (SIGNATURE + b"=", "server signature is not base64"),
    (SIGNATURE[:-2] + b"B=", "server signature is not base64"),
    (SIGNATURE[:-4], "not base64|signature is wrong"),
    (SIGNATURE, "signature is wrong"),
    (b"v=" + base64.b64encode(bytes(31)), "signature is wrong"),
    (b"v=" + base64.b64encode(bytes(33)), "signature is wrong"),
    (b"e=invalid-proof", "not proved its identity, reports the error 'invalid-proof'"),
    (b"e=" + b"x" * 4000, "reports the error 'x{100}'$"),
    (b"e=\x1b[2J\xe2\x80\xae", r"reports the error '\\x1b\[2J\\u202e'$"),
    (b"e=other-error," + SIGNATURE, "has the attributes e,v, expected e"),
]


@pytest.mark.parametrize(("data", "words"), HOSTILE_FIRST)
def test_a_bad_server_first_message_ends_the_exchange(data: bytes, words: str) -> None:
    client = client_at(State.FIRST_SENT)
    with pytest.raises(ProtocolError, match=words) as caught:
        client.receive_server_first(data)
    assert len(str(caught.value)) < 200
    with pytest.raises(InternalClientError, match="the exchange has failed"):
        client.receive_server_first(SERVER_FIRST)
    with pytest.raises(InternalClientError, match="the exchange has failed"):
        client.client_final(bytes(32))
    assert not client.verified


@pytest.mark.parametrize(("data", "words"), HOSTILE_FINAL)
def test_a_bad_server_final_message_ends_the_exchange(data: bytes, words: str) -> None:
    client = client_at(State.FINAL_SENT)
    with pytest.raises(ProtocolError, match=words) as caught:
        client.receive_server_final(data)
    assert len(str(caught.value)) < 200
    with pytest.raises(InternalClientError, match="the exchange has failed"):
        client.receive_server_final(SIGNATURE)
    assert not client.verified


def test_the_iteration_cap_is_adjustable() -> None:
    for maximum, asked in [(100_000, 100_000), (2_000_000_000, 1_000_000_000), (1, 1)]:
        client = ScramClient("x", nonce=NONCE.decode(), max_iterations=maximum)
        client.client_first()
        parameters = client.receive_server_first(R + b"," + S + f",i={asked}".encode())
        assert parameters.iterations == asked


def test_a_long_iteration_count_is_no_matter_for_int() -> None:
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)  # as a program may: int() raises ValueError above it
    try:
        with pytest.raises(ProtocolError, match="iteration count"):
            client_at(State.FIRST_SENT).receive_server_first(R + b"," + S + b",i=" + b"9" * 700)
    finally:
        sys.set_int_max_str_digits(limit)


def test_optional_extensions_are_ignored_and_signed() -> None:
    client = client_at(State.FIRST_SENT)
    data = SERVER_FIRST + ",x=ä=,X=1".encode()
    parameters = client.receive_server_first(data)
    salted = derive_salted_password("hunter two", parameters)
    final = client.client_final(salted)
    message = b"n=,r=" + NONCE + b"," + data + b"," + final.split(b",p=")[0]
    signature = base64.b64encode(compute_proofs(salted, message)[1])
    client.receive_server_final(b"v=" + signature + b",y=1")
    assert client.verified


@given(st.binary(max_size=60), st.integers(0, len(SERVER_FIRST)), st.integers(0, 20))
def test_a_damaged_message_is_refused_or_understood(noise: bytes, at: int, removed: int) -> None:
    data = SERVER_FIRST[:at] + noise + SERVER_FIRST[at + removed :]
    client = client_at(State.FIRST_SENT)
    try:
        parameters = client.receive_server_first(data)
    except ProtocolError:
        return
    assert data.startswith(b"r=" + NONCE)
    assert base64.b64encode(parameters.salt) in data
    assert 1 <= parameters.iterations <= 100_000


@settings(max_examples=200)
@given(st.binary(max_size=64))
def test_no_other_signature_is_accepted(signature: bytes) -> None:
    client = client_at(State.FINAL_SENT)
    with pytest.raises(ProtocolError):
        client.receive_server_final(b"v=" + base64.b64encode(signature))
    assert not client.verified


# --- SASLprep -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        # RFC 4013, section 3.
        ("I\xadX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\xaa", "a"),
        ("\u2168", "IX"),
        ("\x07", None),
        ("\u0627\x31", None),
        # Spaces become one kind, also U+200B, which another table drops; others are dropped.
        ("a\xa0b\u3000c\u200bd", "a b c d"),
        ("a\u200cb\ufe0fc\ufeffd", "abcd"),
        ("  a  ", "  a  "),
        ("", None),
        ("\xad", None),
        # Composition, compatibility, and an ideograph that Unicode 4.0 corrected.
        ("A\u030a", "\xc5"),
        ("\ufb01\uff21", "fiA"),
        ("\U0002f868", "\u36fc"),
        # Prohibited: controls, private use, non-characters, surrogates, tags, display controls.
        ("ä\x00", None),
        ("ä\x7f", None),
        ("\x85", None),
        ("\ue000", None),
        ("\ufdd0", None),
        ("\ufffd", None),
        ("\u2ff0", None),
        ("\u202e", None),
        ("\U000e0041", None),
        ("\u0221", None),  # assigned after Unicode 3.2
        ("\U0001f600", None),
        # Right to left: first and last, and no letters of the other direction.
        ("\u0627\x31\u0628", "\u0627\x31\u0628"),
        ("\u05d0a\u05d0", None),
        ("1\u05d0", None),
        ("\u05d0", "\u05d0"),
        # As PostgreSQL does it, characters are judged before normalization makes a Hebrew letter.
        ("\u2135a", "\u05d0a"),
    ],
)
def test_saslprep(text: str, prepared: str | None) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("code", [0xD800, 0xDC80, 0xDFFF])
def test_a_lone_surrogate_has_no_saslprep_form(code: int) -> None:
    assert saslprep("a" + chr(code)) is None


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_saslprep_leaves_printable_ascii_alone(text: str) -> None:
    assert saslprep(text) == text


@given(st.text(st.characters(max_codepoint=127)))
def test_saslprep_changes_no_ascii(text: str) -> None:
    """So it need not be asked about a password of ASCII."""
    assert saslprep(text) in (text, None)


@pytest.mark.parametrize("password", ["\u0627\x31", "a\x07b", "\xad", "\u0221", ""])
def test_a_password_without_a_saslprep_form_is_used_as_it_is(password: str) -> None:
    assert derive_salted_password(password, KeyParameters(b"salt", 2)) == hashlib.pbkdf2_hmac(
        "sha256", password.encode(), b"salt", 2
    )


def test_examples_in_the_docstrings() -> None:
    assert doctest.testmod(scram_module) == (0, 5)
    assert doctest.testmod(saslprep_module) == (0, 1)
