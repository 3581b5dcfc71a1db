"""Passwords: who asks for them, how, and in what order; SCRAM that is no SCRAM."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable

from hostile.probe import Probe, said, startup
from scripted_server import Flood, Step, close, expect, reply
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
    notice_response,
    ready_for_query,
)

import pgallop
from pgallop import limits

OK = authentication(AUTHENTICATION_OK)
GO = backend_key_data(7, b"key!") + ready_for_query()
ASK = authentication_sasl("SCRAM-SHA-256")

SERVER_ONLY = "+from/the/server"


def nonce(initial_response: bytes) -> bytes:
    """The client's nonce in the body of a SASLInitialResponse."""
    return initial_response.rpartition(b"r=")[2]


def challenged(make: Callable[[bytes], bytes], *then: bytes | Step) -> list[Step]:
    """SCRAM up to the server-first-message, which `make` makes of the client's nonce."""
    return [
        *startup(ASK),
        expect("SASLInitialResponse mechanism='SCRAM-SHA-256'"),
        reply(lambda bodies: authentication(SASL_CONTINUE, make(nonce(bodies[0])))),
        *said(*then),
    ]


def proved(finish: Callable[[ScramServer, bytes], bytes], iterations: int = 2) -> list[Step]:
    """SCRAM with an honest server, up to its last message, which `finish` makes."""
    server: list[ScramServer] = []

    def first(bodies: list[bytes]) -> bytes:
        server.append(ScramServer("secret", iterations=iterations))
        return authentication(SASL_CONTINUE, server[-1].first(bodies[0]))

    return [
        *startup(ASK),
        expect("SASLInitialResponse"),
        reply(first),
        expect("SASLResponse"),
        reply(lambda bodies: finish(server[-1], bodies[0])),
    ]


def signed(server: ScramServer, response: bytes) -> bytes:
    return authentication(SASL_FINAL, server.final(response))


def says(data: bytes) -> Callable[[ScramServer, bytes], bytes]:
    """A server-final-message that has nothing to do with what was said before."""
    return lambda server, response: authentication(SASL_FINAL, data)


def first_message(salt: bytes = b"TmFDbA==", iterations: bytes = b"2") -> Callable[[bytes], bytes]:
    return lambda nonce: b"r=%b+server,s=%b,i=%b" % (nonce, salt, iterations)


def scram(name: str, words: str, make: Callable[[bytes], bytes]) -> Probe:
    """A server-first-message that is refused."""
    return Probe(name=f"SCRAM: {name}", script=challenged(make), words=f"SCRAM: {words}")


REQUESTS = [
    Probe(
        name=f"authentication by {name}",
        script=startup(authentication(kind, data)),
        error=pgallop.UnsupportedClientFeatureError,
        words=words,
    )
    for name, kind, data, words in (
        ("Kerberos", 2, b"", "by Kerberos V5"),
        ("SCM credentials", 6, b"", "by SCM credentials"),
        ("method 4", 4, b"", "by method 4"),
        ("method 13", 13, b"", "by method 13"),
        ("method 2^31-1", 2**31 - 1, b"", "by method 2147483647"),
        ("method -1", -1, b"", "by method -1"),
        ("a clear password over TCP", CLEARTEXT_PASSWORD, b"", "in clear text"),
        (
            "SASL mechanisms nobody knows",
            SASL,
            b"OAUTHBEARER\0NTLM\0\0",
            "the SASL mechanisms OAUTHBEARER, NTLM",
        ),
    )
] + [
    Probe(
        name="an Authentication without a code",
        script=startup(message("R")),
        words="announced 4 bytes where 0 remain",
    ),
    Probe(
        name="an Authentication with half a code",
        script=startup(message("R", b"\0\0")),
        words="announced 4 bytes where 2 remain",
    ),
    Probe(
        name="a request for a clear password with bytes left over",
        script=startup(authentication(CLEARTEXT_PASSWORD, b"salt")),
        options={"allow_cleartext_password": True},
        words="left over",
    ),
    *(
        Probe(
            name=f"an MD5 salt of {size} bytes",
            script=startup(authentication(MD5_PASSWORD, bytes(size))),
            words=f"a salt of {size} bytes instead of 4",
        )
        for size in (0, 3, 5, 60_000)
    ),
    *(
        Probe(
            name=f"a list of mechanisms that {name}",
            script=startup(authentication(SASL, data)),
            words=words,
        )
        for name, data, words in (
            ("is empty", b"\0", "offers no mechanism"),
            ("is nothing", b"", "not terminated"),
            ("has no end", b"SCRAM-SHA-256\0", "not terminated"),
            ("has no NUL", b"SCRAM-SHA-256", "not terminated"),
            ("has an empty name", b"\0SCRAM-SHA-256\0\0", "not as RFC 4422 has them"),
            ("goes on behind its end", b"SCRAM-SHA-256\0\0more\0\0", "not as RFC 4422 has them"),
            ("has a name of control characters", b"\x1b[31m\0\0", "not as RFC 4422 has them"),
            ("is long", b"X\0" * 20_000 + b"\0", f"more than {limits.MAX_SASL_MECHANISMS_SIZE}"),
        )
    ),
]

ORDER = [
    Probe(
        name="a password asked for behind AuthenticationOk",
        script=startup(OK, authentication(CLEARTEXT_PASSWORD)),
        options={"allow_cleartext_password": True},
        words="illegal b'R'",
    ),
    Probe(
        name="a second password asked for",
        script=[
            *startup(authentication(MD5_PASSWORD, b"salt")),
            expect("PasswordMessage"),
            *said(authentication(MD5_PASSWORD, b"tlas")),
        ],
        words="asked for a second",
    ),
    Probe(
        name="passwords asked for without end",
        script=[
            *startup(authentication(MD5_PASSWORD, b"salt")),
            expect("PasswordMessage"),
            Flood(lambda: itertools.repeat(authentication(MD5_PASSWORD, b"salt"))),
        ],
        words="asked for a second",
    ),
    Probe(
        name="the clear password asked for behind its MD5",
        script=[
            *startup(authentication(MD5_PASSWORD, b"salt")),
            expect("PasswordMessage"),
            *said(authentication(CLEARTEXT_PASSWORD)),
        ],
        options={"allow_cleartext_password": True},
        words="asked for a second",
    ),
    Probe(
        name="SASL that goes on and was not begun",
        script=startup(authentication(SASL_CONTINUE, b"r=x,s=eA==,i=1")),
        words="went on with SASL, which it had not begun",
    ),
    Probe(
        name="SASL that ends and was not begun",
        script=startup(authentication(SASL_FINAL, b"v=eA==")),
        words="went on with SASL, which it had not begun",
    ),
    Probe(
        name="the end of SCRAM before its middle",
        script=[
            *startup(ASK),
            expect("SASLInitialResponse"),
            *said(authentication(SASL_FINAL, b"v=eA==")),
        ],
        words="out of turn",
    ),
    Probe(
        name="the middle of SCRAM twice",
        script=[
            *challenged(first_message()),
            expect("SASLResponse"),
            *said(authentication(SASL_CONTINUE, b"r=x,s=eA==,i=1")),
        ],
        words="out of turn",
    ),
    Probe(
        name="the middle of SCRAM twice at once",
        script=challenged(first_message(), authentication(SASL_CONTINUE, b"r=x,s=eA==,i=1")),
        words="out of turn",
    ),
    Probe(
        name="the end of SCRAM twice",
        script=proved(lambda server, response: 2 * signed(server, response)),
        words="out of turn",
    ),
    Probe(
        name="AuthenticationOk in the place of the server's first message",
        script=[*startup(ASK), expect("SASLInitialResponse"), *said(OK, GO)],
        words="without proving its identity",
    ),
    Probe(
        name="AuthenticationOk in the place of the server's signature",
        script=proved(lambda server, response: OK + GO),
        words="without proving its identity",
    ),
    Probe(
        name="AuthenticationOk while the key is computed",
        script=challenged(first_message(iterations=b"100000"), OK, GO),
        words="without proving its identity",
    ),
    Probe(
        name="another method in the midst of SCRAM",
        script=challenged(first_message(), authentication(CLEARTEXT_PASSWORD)),
        options={"allow_cleartext_password": True},
        words="in the midst of SCRAM",
    ),
    Probe(
        name="SCRAM begun twice",
        script=[*startup(ASK), expect("SASLInitialResponse"), *said(ASK)],
        words="in the midst of SCRAM",
    ),
    Probe(
        name="the end while the key is computed",
        script=challenged(first_message(iterations=b"100000"), close()),
        error=pgallop.errors.ConnectResetError,
        words="the connection was closed before",
    ),
    Probe(
        name="a refusal while the key is computed",
        script=challenged(
            first_message(iterations=b"100000"), error_response("28P01", "no", "FATAL"), close()
        ),
        error=pgallop.InvalidPasswordError,
        words="no",
    ),
    Probe(
        name="a thousand notices in the midst of SCRAM",
        script=[
            *proved(
                lambda server, response: (
                    notice_response("look out") * 1000 + signed(server, response) + OK + GO
                )
            )
        ],
        error=None,
        usable=True,
    ),
]

FIRST = [
    scram(
        "a nonce that is not ours",
        "the server's nonce does not begin",
        lambda nonce: b"r=another,s=TmFDbA==,i=2",
    ),
    scram(
        "our nonce and nothing more",
        "the server added nothing",
        lambda nonce: b"r=%b,s=TmFDbA==,i=2" % nonce,
    ),
    scram(
        "our nonce shortened",
        "the server's nonce does not begin",
        lambda nonce: b"r=%b,s=TmFDbA==,i=2" % nonce[:-1],
    ),
    scram(
        "an empty nonce", "the server-first-message is not a list", lambda nonce: b"r=,s=eA==,i=2"
    ),
    scram(
        "a nonce of control characters",
        "the server's nonce has a forbidden character",
        lambda nonce: b"r=%b\x07,s=TmFDbA==,i=2" % nonce,
    ),
    *(
        scram(f"{words} iterations", "the iteration count is not", first_message(iterations=count))
        for words, count in (
            ("0", b"0"),
            ("-1", b"-1"),
            ("2^31", b"2147483648"),
            ("01", b"01"),
            ("1e9", b"1e9"),
            ("Bengali", "২".encode()),
            ("10^4000", b"1" + b"0" * 4000),
        )
    ),
    *(
        scram(
            f"{words} iterations",
            f"the server asks for {int(count)}",
            first_message(iterations=count),
        )
        for words, count in (("2^31-1", b"2147483647"), ("100,001", b"100001"))
    ),
    scram("an empty salt", "the server-first-message is not a list", first_message(salt=b"")),
    scram("a salt that is not base64", "the salt is not base64", first_message(salt=b"a b")),
    scram(
        "a salt with spaces",
        "the salt is not base64 in its canonical form",
        first_message(salt=b"TmFD bA=="),
    ),
    scram("a salt without its padding", "the salt is not base64", first_message(salt=b"TmFDbA")),
    scram(
        "no salt",
        "the server-first-message has the attributes r,i",
        lambda nonce: b"r=%b+,i=2" % nonce,
    ),
    scram(
        "the attributes in another order",
        "the server-first-message has the attributes s,r,i",
        lambda nonce: b"s=TmFDbA==,r=%b+,i=2" % nonce,
    ),
    scram(
        "a mandatory extension",
        "the server-first-message needs an extension",
        lambda nonce: b"m=x,r=%b+,s=TmFDbA==,i=2" % nonce,
    ),
    scram(
        "an attribute twice",
        "the server-first-message has the attributes r,s,i,i",
        lambda nonce: b"r=%b+,s=TmFDbA==,i=2,i=1" % nonce,
    ),
    scram(
        "not UTF-8",
        "the server-first-message is not UTF-8",
        lambda nonce: b"r=%b\xff,s=TmFDbA==,i=2" % nonce,
    ),
    scram("nothing", "the server-first-message is not a list", lambda nonce: b""),
    scram(
        "a NUL",
        "the server-first-message is not a list",
        lambda nonce: b"r=%b+\0,s=TmFDbA==,i=2" % nonce,
    ),
    scram(
        "60 KB of nonce",
        "the server-first-message has 60",
        lambda nonce: b"r=%b,s=TmFDbA==,i=2" % (nonce + b"x" * 60_000),
    ),
]

LAST = [
    Probe(
        name=f"SCRAM: {name}",
        script=proved(says(data)),
        words=f"SCRAM: {words}",
    )
    for name, data, words in (
        (
            "a wrong signature",
            b"v=" + base64.b64encode(bytes(32)),
            "the server's signature is wrong",
        ),
        ("a short signature", b"v=eA==", "the server's signature is wrong"),
        ("an empty signature", b"v=", "the server-final-message is not a list"),
        ("no signature", b"", "the server-final-message is not a list"),
        ("a signature that is not base64", b"v=%%%", "the server signature is not base64"),
        ("something else", b"x=eA==", "the server-final-message has the attributes x"),
        ("an error", b"e=invalid-proof", "the server, which has not proved its identity"),
        (
            "an error with escapes",
            b"e=\x1b[31mred",
            "the server, which has not proved its identity",
        ),
        ("an error and a signature", b"e=x,v=eA==", "the server-final-message has the attributes"),
    )
] + [
    Probe(
        name="SCRAM: our own proof given back",
        script=proved(
            lambda server, response: authentication(
                SASL_FINAL, b"v=" + response.rpartition(b"p=")[2]
            )
        ),
        words="the server's signature is wrong",
    ),
    Probe(
        name="SCRAM: a million iterations, allowed",
        script=proved(
            lambda server, response: signed(server, response) + OK + GO, iterations=1_000_000
        ),
        options={"scram_max_iterations": 1_000_000, "timeout": 20},
        error=None,
        seconds=20.0,
        usable=True,
    ),
]

PROBES = [*REQUESTS, *ORDER, *FIRST, *LAST]
