"""StartupMessage and authentication, up to the first ReadyForQuery.

Writes:  StartupMessage  (PasswordMessage | SASLInitialResponse SASLResponse | GSSResponse+)?
Reads:   Authentication*  BackendKeyData?  ReadyForQuery        (or ErrorResponse, and the end)

SCRAM's key takes milliseconds of pure computation, which is not this layer's to schedule: the
waiter gets the `KeyParameters` as an intermediate result, and `continue_sasl` goes on from the key.
A step of Kerberos can wait for others: in the same way the waiter gets a `GssStep`, and
`continue_gss` goes on from its token. Behind its last token a server says the rest of its welcome
at once, so that is read meanwhile, and counts when the step has shown that the token was good.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", section "Start-up".
"""

from typing import Any

from pgallop import errors
from pgallop.auth.gss import GssClient, GssService, GssStep
from pgallop.auth.password import encode_credential, md5_password
from pgallop.auth.sasl import choose_mechanism, parse_mechanisms
from pgallop.auth.scram import ScramClient
from pgallop.errors import (
    InternalClientError,
    InvalidPasswordError,
    ProtocolError,
    UnsupportedClientFeatureError,
)
from pgallop.session.request import Request, Waiter
from pgallop.session.session import IDLE
from pgallop.session.transitions import DONE, STARTUP, compile_table
from pgallop.wire import backend, frontend
from pgallop.wire.reader import Reader
from pgallop.wire.writer import Writer

TABLE = compile_table(STARTUP)

SETTINGS = 1  # the state behind AuthenticationOk

METHODS = {2: "Kerberos V5", 6: "SCM credentials"}
GSS_METHODS = {backend.AUTH_GSS: "GSS", backend.AUTH_SSPI: "SSPI"}


class Startup(Request):
    """Introduce ourselves with `parameters` (user, database, settings) and authenticate.

    `private`: the channel may carry a password as it is (TLS, a Unix socket, or the user's word).
    `answered`: whether a password, or what was made of it, has been given.
    `max_iterations`: the most rounds SCRAM may ask for; `nonce`: for SCRAM, a random one if None.
    `service`: for Kerberos, None where there can be no ticket; `stepping`: a step of it is taken.
    The result is None.
    """

    __slots__ = (
        "answered",
        "gss",
        "key",
        "max_iterations",
        "nonce",
        "parameters",
        "password",
        "pid",
        "private",
        "scram",
        "service",
        "stepping",
    )

    parameters: dict[str, str]
    password: str | None
    private: bool
    answered: bool
    scram: ScramClient | None
    gss: GssClient | None
    service: GssService | None
    stepping: bool
    max_iterations: int
    nonce: str | None
    pid: int
    key: bytes

    def __init__(
        self,
        waiter: Waiter | None,
        parameters: dict[str, str],
        password: str | None,
        private: bool,
        max_iterations: int,
        nonce: str | None = None,
        service: GssService | None = None,
    ) -> None:
        super().__init__(TABLE, waiter)
        self.parameters = parameters
        self.password = password
        self.private = private
        self.answered = False
        self.scram = None
        self.gss = None
        self.service = service
        self.stepping = False
        self.max_iterations = max_iterations
        self.nonce = nonce
        self.pid = 0
        self.key = b""

    def write(self, writer: Writer) -> None:
        frontend.startup_message(writer, self.parameters)

    def on_message(self, tag: int, reader: Reader) -> bool:
        done = self.step(tag) == DONE
        if tag == 82:  # Authentication
            self.authenticate(reader)
        elif tag == 75:  # BackendKeyData
            self.pid, self.key = backend.backend_key_data(reader)
        elif tag == 118:  # NegotiateProtocolVersion: 3.0 without options is what we asked for
            backend.negotiate_protocol_version(reader)
        elif tag == 69:  # ErrorResponse
            self.fail(errors.from_fields(backend.error_fields(reader)))
        return done

    def authenticate(self, reader: Reader) -> None:
        kind, data = backend.authentication(reader)
        if kind in (backend.AUTH_SASL_CONTINUE, backend.AUTH_SASL_FINAL):
            self.go_on_with_sasl(kind, data)
        elif kind == backend.AUTH_GSS_CONTINUE:
            self.go_on_with_gss(data)
        elif kind == backend.AUTH_OK:
            self.accept(data)
        elif self.scram is not None or self.gss is not None:
            name = "GSSAPI" if self.scram is None else "SCRAM"
            raise ProtocolError(
                f"the server asked for another authentication in the midst of {name}"
            )
        elif self.answered:
            raise ProtocolError("the server asked for a second password, having been given one")
        else:
            self.begin(kind, data)

    def accept(self, data: bytes) -> None:
        check_bare(data, "AuthenticationOk")
        # A server that skips its proof has not shown that it knows the password.
        if self.scram is not None and not self.scram.verified:
            raise ProtocolError("the server ended SCRAM without proving its identity")
        # While a step is taken nobody knows: `continue_gss` will see.
        if self.gss is not None and not self.gss.complete and not self.stepping:
            raise unproven_by_gss()
        self.state = SETTINGS

    def begin(self, kind: int, data: bytes) -> None:
        """Begin with the method that the server asks for."""
        if kind == backend.AUTH_CLEARTEXT:
            check_bare(data, "AuthenticationCleartextPassword")
            if not self.private:
                raise UnsupportedClientFeatureError(
                    "the server asks for the password in clear text over an unencrypted connection",
                    hint="use ssl='require', let the server ask for scram-sha-256, "
                    "or pass allow_cleartext_password=True",
                )
            self.send_password(encode_credential(self.required_password(), "password"))
        elif kind == backend.AUTH_MD5:
            password = self.required_password()
            self.send_password(md5_password(self.parameters["user"], password, data).encode())
        elif kind == backend.AUTH_SASL:
            self.begin_sasl(data)
        elif kind in GSS_METHODS:
            self.begin_gss(kind, data)
        else:
            name = METHODS.get(kind, f"method {kind}")
            raise UnsupportedClientFeatureError(
                f"the server asks for authentication by {name}, which pgallop does not speak",
                hint="in pg_hba.conf, scram-sha-256, md5, password, gss and trust work",
            )

    def required_password(self) -> str:
        if self.password is None:
            raise InvalidPasswordError(
                f"the server asks for a password for user {self.parameters['user']!r} "
                f"and none was given: pass password=, put it into the DSN or set PGPASSWORD"
            )
        return self.password

    def send_password(self, password: bytes) -> None:
        writer = Writer()
        frontend.password_message(writer, password)
        self.reply = writer.take()
        self.answered = True

    def begin_sasl(self, mechanisms: bytes) -> None:
        mechanism = choose_mechanism(parse_mechanisms(mechanisms))
        self.scram = ScramClient(
            self.required_password(), nonce=self.nonce, max_iterations=self.max_iterations
        )
        writer = Writer()
        frontend.sasl_initial_response(writer, mechanism, self.scram.client_first())
        self.reply = writer.take()

    def go_on_with_sasl(self, kind: int, data: bytes) -> None:
        if self.scram is None:
            raise ProtocolError("the server went on with SASL, which it had not begun")
        try:
            if kind == backend.AUTH_SASL_CONTINUE:
                self.ask(self.scram.receive_server_first(data))
            else:
                self.scram.receive_server_final(data)
        except ProtocolError:
            raise
        except InternalClientError as error:  # it is not the turn of this message
            raise ProtocolError(f"the server sent a SASL message out of turn: {error}") from error

    def ask(self, question: object) -> None:
        """Hand an intermediate result to the waiter; whoever answers it brings the next waiter."""
        waiter = self.waiter
        self.waiter = None
        if waiter is not None and not waiter.done():
            waiter.set_result(question)

    def continue_sasl(self, salted_password: bytes, waiter: Waiter) -> None:
        """Go on with SCRAM from its key; the session's `send_reply` then sends what it made."""
        if self.scram is None:
            raise ProtocolError("SASL was not begun")
        if self.error is not None:  # refused or lost while the key was computed
            raise self.error
        self.waiter = waiter
        writer = Writer()
        frontend.sasl_response(writer, self.scram.client_final(salted_password))
        self.reply = writer.take()

    def begin_gss(self, kind: int, data: bytes) -> None:
        check_bare(data, f"Authentication{GSS_METHODS[kind]}")
        if self.service is None:
            raise ProtocolError(
                "the server asks for GSSAPI through a Unix socket, where it has no host's name for "
                "a ticket"
            )
        self.gss = GssClient(self.service, negotiate=kind == backend.AUTH_SSPI)
        self.stepping = True
        self.ask(GssStep(self.gss, None))

    def go_on_with_gss(self, token: bytes) -> None:
        if self.gss is None:
            raise ProtocolError("the server went on with GSSAPI, which it had not begun")
        if self.stepping or self.gss.complete:
            raise ProtocolError("the server sent a GSSAPI token out of turn")
        if not token:
            raise ProtocolError("the server sent an empty GSSAPI token")
        self.stepping = True
        self.ask(GssStep(self.gss, token))

    def continue_gss(self, token: bytes, waiter: Waiter) -> bool:
        """Go on behind a step of GSSAPI; whether the session's `send_reply` has `token` to send."""
        if self.gss is None or not self.stepping:
            raise ProtocolError("no step of GSSAPI was due")
        self.stepping = False
        if self.error is not None:  # refused or lost while the step was taken
            raise self.error
        if self.state == SETTINGS and (token or not self.gss.complete):
            raise unproven_by_gss()
        self.waiter = waiter
        if self.finished:  # the rest of the welcome is there already
            self.tell()
            return False
        if not token:
            return False
        writer = Writer()
        frontend.gss_response(writer, token)
        self.reply = writer.take()
        return True

    def accepted(self) -> bool:
        """Whether the server has let us in; until then it may be anybody."""
        return self.state == SETTINGS and (self.gss is None or self.gss.complete)

    def result(self) -> Any:
        # A pooler that gives out a connection in the midst of somebody's transaction.
        if self.status != IDLE:
            raise ProtocolError("the server begins the session in a transaction")


def unproven_by_gss() -> ProtocolError:
    return ProtocolError("the server ended GSSAPI without proving its identity")


def check_bare(data: bytes, name: str) -> None:
    """Refuse what is left over in a message that ends with its code."""
    if data:
        raise ProtocolError(f"{len(data)} bytes are left over in {name}")
