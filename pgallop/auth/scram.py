"""The client's side of SCRAM-SHA-256.

    client-first-message  ->      ScramClient.client_first()
                          <-      server-first-message: .receive_server_first()
                                  derive_salted_password(), slow: in another thread
    client-final-message  ->      ScramClient.client_final()
                          <-      server-final-message: .receive_server_final()

The server proves in the last message that it holds the user's verifier. A peer that has not is not
to be trusted, whatever AuthenticationOk it sends: `ScramClient.verified` tells.
"""

import base64
import binascii
import enum
import hashlib
import hmac
import re
import secrets
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pgallop.auth.password import encode_credential
from pgallop.errors import InternalClientError, ProtocolError
from pgallop.limits import MAX_SCRAM_ITERATIONS, MAX_SCRAM_MESSAGE_SIZE

_HASH: Final = "sha256"
_HASH_SIZE: Final = 32
_NONCE_SIZE: Final = 18  # random bytes, as in PostgreSQL's SCRAM_RAW_NONCE_LEN: 24 characters
_GS2_HEADER: Final = b"n,,"  # no channel binding, no authorization identity

_MAX_ERROR_LENGTH: Final = 100  # characters of a server's e= that are worth repeating
_MAX_INT: Final = 2**31 - 1  # an int in the server and in OpenSSL

# RFC 5802, section 7. `printable` has no comma; a decimal has no sign, space, underscore or zero
# in front and ASCII digits only, which int() alone would not insist on.
_ATTRIBUTE: Final = re.compile(r"([A-Za-z])=([^\0,]+)")
_NONCE: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_POSIT_NUMBER: Final = re.compile(r"[1-9][0-9]{0,9}")
_DEFINED_ATTRIBUTES: Final = frozenset("anmrcsipve")


class State(enum.Enum):
    """How far the conversation is."""

    START = "nothing has been sent"
    FIRST_SENT = "the server-first-message is due"
    CHALLENGED = "the client-final-message is due"
    FINAL_SENT = "the server-final-message is due"
    VERIFIED = "the server has proved itself"
    FAILED = "the exchange has failed"


TRANSITIONS: Final[Mapping[str, tuple[State, State]]] = {
    "client_first": (State.START, State.FIRST_SENT),
    "receive_server_first": (State.FIRST_SENT, State.CHALLENGED),
    "client_final": (State.CHALLENGED, State.FINAL_SENT),
    "receive_server_final": (State.FINAL_SENT, State.VERIFIED),
}
"""Per step the state it needs and the state it leads to; a step that fails leads to FAILED."""


@dataclass(frozen=True, slots=True)
class KeyParameters:
    """What the server wants the password mixed with.

    Attributes:
        salt: at least one byte.
        iterations: rounds of PBKDF2, from 1 to the client's `max_iterations`.
    """

    salt: bytes
    iterations: int


class ScramClient:
    """One SCRAM-SHA-256 exchange, without channel binding.

    The password is only checked here, so that one that no server can hold fails before anything is
    sent and not in a thread in the middle; it is not kept.

    Args:
        password: the user's password.
        nonce: printable ASCII without a comma, unpredictable; 18 random bytes in base64 by default.
        max_iterations: the most PBKDF2 rounds that the server may ask for.

    Raises:
        ClientConfigurationError: the password holds a NUL character or a lone surrogate.
        InternalClientError: `nonce` has a character that SCRAM does not allow.

    Example:
        >>> client = ScramClient("pencil", nonce="rOprNGfwEbeRWgbNEkqO")
        >>> client.client_first()
        b'n,,n=,r=rOprNGfwEbeRWgbNEkqO'

    Source: RFC 5802, RFC 7677; PostgreSQL documentation, "SASL Authentication".
    """

    __slots__ = (
        "_auth_message",
        "_max_iterations",
        "_nonce",
        "_server_signature",
        "_state",
    )

    def __init__(
        self,
        password: str,
        *,
        nonce: str | None = None,
        max_iterations: int = MAX_SCRAM_ITERATIONS,
    ) -> None:
        encode_credential(password, "password")
        if nonce is None:
            nonce = _to_base64(secrets.token_bytes(_NONCE_SIZE))
        elif not _NONCE.fullmatch(nonce):
            raise InternalClientError("SCRAM: the nonce is not printable ASCII without commas")
        self._nonce = nonce  # ours, then ours and the server's
        self._max_iterations = max_iterations
        self._auth_message = b""
        self._server_signature = b""
        self._state = State.START

    def __repr__(self) -> str:
        return f"<ScramClient SCRAM-SHA-256: {self._state.value}>"

    @property
    def verified(self) -> bool:
        """True once the server has proved that it knows the user's verifier."""
        return self._state is State.VERIFIED

    def client_first(self) -> bytes:
        """Return the client-first-message, the initial response of SASLInitialResponse.

        The user name in it is empty: PostgreSQL takes the StartupMessage's.

        Raises:
            InternalClientError: this is not the first step.
        """
        with self._step("client_first"):
            self._auth_message = f"n=,r={self._nonce}".encode("ascii")
        return _GS2_HEADER + self._auth_message

    def receive_server_first(self, data: bytes) -> KeyParameters:
        """Check the server-first-message and return what the key is derived from.

        Args:
            data: the data of AuthenticationSASLContinue.

        Returns:
            The parameters for `derive_salted_password`.

        Raises:
            ProtocolError: the message is malformed, its nonce is not an extension of ours, or it
                asks for more rounds than `max_iterations`.
            InternalClientError: the client-first-message was not the last step.

        Source: RFC 5802, section 7, server-first-message.
        """
        with self._step("receive_server_first"):
            nonce, salt, iterations = _read_attributes(data, "rsi", "server-first-message")
            if not _NONCE.fullmatch(nonce):
                raise ProtocolError("SCRAM: the server's nonce has a forbidden character")
            if not nonce.startswith(self._nonce):
                raise ProtocolError("SCRAM: the server's nonce does not begin with the client's")
            if len(nonce) == len(self._nonce):
                raise ProtocolError("SCRAM: the server added nothing to the client's nonce")
            parameters = KeyParameters(
                salt=_from_base64(salt, "salt"),
                iterations=_read_iterations(iterations, self._max_iterations),
            )
            self._nonce = nonce
            self._auth_message += b"," + data
        return parameters

    def client_final(self, salted_password: bytes) -> bytes:
        """Return the client-final-message with the proof that we know the password.

        Args:
            salted_password: the 32 bytes from `derive_salted_password`.

        Raises:
            InternalClientError: the server-first-message was not the last step, or the key has
                another size.

        Source: RFC 5802, section 3 (AuthMessage) and section 7, client-final-message.
        """
        with self._step("client_final"):
            if len(salted_password) != _HASH_SIZE:
                raise InternalClientError(
                    f"SCRAM: a salted password has {_HASH_SIZE} bytes, not {len(salted_password)}"
                )
            without_proof = f"c={_to_base64(_GS2_HEADER)},r={self._nonce}".encode("ascii")
            self._auth_message += b"," + without_proof
            proof, self._server_signature = compute_proofs(salted_password, self._auth_message)
        return without_proof + b",p=" + _to_base64(proof).encode("ascii")

    def receive_server_final(self, data: bytes) -> None:
        """Check the server's proof in the server-final-message; `verified` is true afterwards.

        Args:
            data: the data of AuthenticationSASLFinal.

        Raises:
            ProtocolError: the message is malformed, carries an error, or the proof is wrong.
            InternalClientError: the client-final-message was not the last step.

        Source: RFC 5802, section 7, server-final-message.
        """
        with self._step("receive_server_final"):
            if data.startswith(b"e="):
                (error,) = _read_attributes(data, "e", "server-final-message")
                raise ProtocolError(
                    "SCRAM: the server, which has not proved its identity, reports the error"
                    f" {error[:_MAX_ERROR_LENGTH]!a}"
                )
            (verifier,) = _read_attributes(data, "v", "server-final-message")
            signature = _from_base64(verifier, "server signature")
            if not hmac.compare_digest(signature, self._server_signature):
                raise ProtocolError(
                    "SCRAM: the server's signature is wrong: it does not hold this user's verifier,"
                    " so it may be an impostor"
                )

    @contextmanager
    def _step(self, name: str) -> Generator[None, None, None]:
        """Hold the body to `TRANSITIONS`: one that raises leaves the exchange failed for good."""
        needed, reached = TRANSITIONS[name]
        if self._state is not needed:
            raise InternalClientError(f"SCRAM: {name}() called while {self._state.value}")
        self._state = State.FAILED
        yield
        self._state = reached


def derive_salted_password(password: str, parameters: KeyParameters) -> bytes:
    """Return the key that SCRAM's proofs are made of.

    Slow on purpose (20 ms for 100,000 rounds on an EPYC core). Run it in an executor's thread,
    beside the event loop: `hashlib.pbkdf2_hmac` releases the GIL.

    Args:
        password: the user's password; its SASLprep form is used, or the password as it is where it
            has none, which is what PostgreSQL does when it stores the verifier.
        parameters: salt and rounds, from `ScramClient.receive_server_first`.

    Returns:
        SaltedPassword, 32 bytes; as secret as the password.

    Raises:
        ClientConfigurationError: the password holds a NUL character or a lone surrogate.

    Example:
        >>> derive_salted_password("pencil", KeyParameters(b"salt", 4096)).hex()[:16]
        '0997564f29292327'

    Source: RFC 5802, section 2.2, Hi(); PostgreSQL's `pg_fe_scram_build_secret`.
    """
    secret = encode_credential(_prepared(password), "password")
    return hashlib.pbkdf2_hmac(_HASH, secret, parameters.salt, parameters.iterations)


def compute_proofs(salted_password: bytes, auth_message: bytes) -> tuple[bytes, bytes]:
    """Return the proofs that both sides know the password.

    Args:
        salted_password: the 32 bytes from `derive_salted_password`.
        auth_message: client-first-message-bare, server-first-message and
            client-final-message-without-proof, joined by commas.

    Returns:
        ClientProof to send and ServerSignature to expect, 32 bytes each.

    Example:
        >>> proof, signature = compute_proofs(bytes(32), b"n=,r=ab,r=abcd,s=AA==,i=1,c=biws,r=abcd")
        >>> proof.hex()[:8], signature.hex()[:8]
        ('4e77cfa4', 'c8cd7194')

    Source: RFC 5802, section 3.
    """
    client_key = hmac.digest(salted_password, b"Client Key", _HASH)
    stored_key = hashlib.sha256(client_key).digest()
    client_signature = hmac.digest(stored_key, auth_message, _HASH)
    proof = bytes(a ^ b for a, b in zip(client_key, client_signature, strict=True))
    server_key = hmac.digest(salted_password, b"Server Key", _HASH)
    return proof, hmac.digest(server_key, auth_message, _HASH)


def _prepared(password: str) -> str:
    """Return the SASLprep form of a password, or where it has none the password."""
    if password.isascii():  # prohibited or left alone
        return password
    # Imported for the few that need its tables.
    from pgallop.auth.saslprep import saslprep

    prepared = saslprep(password)
    return password if prepared is None else prepared


def _read_attributes(data: bytes, names: str, message: str) -> list[str]:
    """Return the values of the attributes `names`, which must begin the message in that order."""
    if len(data) > MAX_SCRAM_MESSAGE_SIZE:
        raise ProtocolError(
            f"SCRAM: the {message} has {len(data)} bytes, more than {MAX_SCRAM_MESSAGE_SIZE}"
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ProtocolError(f"SCRAM: the {message} is not UTF-8") from error
    pairs = [match.groups() for match in map(_ATTRIBUTE.fullmatch, text.split(",")) if match]
    if len(pairs) != text.count(",") + 1:
        raise ProtocolError(f"SCRAM: the {message} is not a list of attributes")
    found = "".join(name for name, _ in pairs)
    if "m" in found:
        raise ProtocolError(f"SCRAM: the {message} needs an extension that is not supported (m=)")
    # Extensions behind the known attributes are optional and must be ignored (RFC 5802, section 7).
    if not found.startswith(names) or _DEFINED_ATTRIBUTES & set(found[len(names) :]):
        raise ProtocolError(
            f"SCRAM: the {message} has the attributes {','.join(found[:20])},"
            f" expected {','.join(names)}"
        )
    return [value for _, value in pairs[: len(names)]]


def _read_iterations(text: str, maximum: int) -> int:
    if not _POSIT_NUMBER.fullmatch(text) or int(text) > _MAX_INT:
        raise ProtocolError(
            f"SCRAM: the iteration count is not a decimal number from 1 to"
            f" {_MAX_INT}: {text[:20]!a}"
        )
    # No minimum: RFC 7677 asks servers for 4096, and PostgreSQL's scram_iterations goes down to 1.
    iterations = int(text)
    if iterations > maximum:
        raise ProtocolError(
            f"SCRAM: the server asks for {iterations} iterations, more than {maximum};"
            " if you trust it, raise the option scram_max_iterations"
        )
    return iterations


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _from_base64(text: str, what: str) -> bytes:
    # a2b_base64() skips what it does not know and forgives padding: encoding again finds all of it.
    try:
        data = binascii.a2b_base64(text)
    except ValueError as error:
        raise ProtocolError(f"SCRAM: the {what} is not base64") from error
    if _to_base64(data) != text:
        raise ProtocolError(f"SCRAM: the {what} is not base64 in its canonical form")
    return data
