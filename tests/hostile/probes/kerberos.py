"""Kerberos: tokens that prove nothing, or come out of turn; over a library that is none."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from functools import partial
from types import ModuleType
from typing import Any

from fake_kerberos import FakeKerberos, GSSError, MissingCredentialsError, proof
from hostile.probe import Probe, said, startup
from scripted_server import Flood, Step, close, expect, reply
from scripts import (
    AUTHENTICATION_OK,
    CLEARTEXT_PASSWORD,
    GSS,
    GSS_CONTINUE,
    SASL,
    SSPI,
    authentication,
    backend_key_data,
    error_response,
    message,
    notice_response,
    parameter_status,
    ready_for_query,
)

import pgallop
from pgallop import limits

OK = authentication(AUTHENTICATION_OK)
GO = backend_key_data(7, b"key!") + ready_for_query()
ASK = authentication(GSS)
TOKEN = authentication(GSS_CONTINUE, b"a token")


def modules(**options: Any) -> Mapping[str, ModuleType]:
    """The libraries, in the place of those that are installed."""
    fake = FakeKerberos(**options)
    return {"gssapi": fake.gssapi, "sspilib": fake.sspilib}


THERE = modules()
# A step takes a while, in which the server says more.
SLOW = modules(before=partial(time.sleep, 0.05))


def ticket(*then: bytes | Step, ask: bytes = ASK) -> list[Step]:
    """The client has shown its ticket."""
    return [*startup(ask), expect("GSSResponse"), *said(*then)]


def proven(*then: bytes | Step) -> list[Step]:
    """The server has proven who it is, and goes on at once."""
    rest = b"".join(each for each in then if isinstance(each, bytes))
    steps = [each for each in then if not isinstance(each, bytes)]
    return [
        *ticket(),
        reply(lambda bodies: authentication(GSS_CONTINUE, proof(bodies[0])) + rest),
        *steps,
    ]


HONEST = [
    Probe(name="an honest server", script=proven(OK, GO), modules=THERE, error=None, usable=True),
    Probe(
        name="notices between all messages",
        script=proven(notice_response("look out") * 1000, OK, GO),
        modules=THERE,
        error=None,
        usable=True,
    ),
]

UNPROVEN = [
    Probe(name=name, script=script, modules=SLOW, words="without proving its identity")
    for name, script in (
        ("AuthenticationOk in the place of a token", ticket(OK, GO)),
        ("AuthenticationOk while the ticket is fetched", startup(ASK, OK, GO)),
        ("half of the welcome while the ticket is fetched", startup(ASK, OK)),
    )
] + [
    Probe(
        name="AuthenticationOk, of two tokens behind the first",
        script=proven(OK, GO),
        modules=modules(rounds=2),
        words="without proving its identity",
    ),
    Probe(
        name="AuthenticationOk before the client's last token",
        script=proven(OK, GO),
        modules=modules(farewell=b"thanks"),
        words="without proving its identity",
    ),
    Probe(
        name="no mutual authentication",
        script=proven(OK, GO),
        modules=modules(mutual=False),
        error=pgallop.GSSAuthenticationError,
        words="no mutual authentication",
    ),
    *(
        Probe(
            name=f"a token that {name}",
            script=ticket(authentication(GSS_CONTINUE, token), OK, GO),
            modules=modules(deferred=deferred),
            error=pgallop.GSSAuthenticationError,
            words="the server has not proven to be postgres@127.0.0.1: a bad token",
        )
        for name, token, deferred in (
            ("is none", b"nonsense", False),
            ("is none, of which the library tells late", b"nonsense", True),
            ("is the client's own", b"ticket for postgres@127.0.0.1", False),
            ("proves another service", proof(b"ticket for other@127.0.0.1"), False),
            ("has 60 KB", bytes(60_000), False),
        )
    ),
    Probe(
        name="a token longer than a message may be",
        script=ticket(authentication(GSS_CONTINUE, bytes(limits.MAX_SHORT_MESSAGE_SIZE))),
        modules=THERE,
        words="65544 bytes",
    ),
    Probe(
        name="a token that is announced with 1 GB",
        script=ticket(message("R", b"\0\0\0\x08", 1 << 30)),
        modules=THERE,
        words="1073741824 bytes",
    ),
    Probe(
        name="an empty token",
        script=ticket(authentication(GSS_CONTINUE)),
        modules=THERE,
        words="an empty GSSAPI token",
    ),
    *(
        Probe(
            name=f"a request for {name} with a token",
            script=startup(authentication(kind, b"x")),
            modules=THERE,
            words="left over",
        )
        for name, kind in (("GSSAPI", GSS), ("SSPI", SSPI))
    ),
]

ORDER = [
    Probe(
        name="a token without a beginning",
        script=startup(TOKEN),
        modules=THERE,
        words="went on with GSSAPI, which it had not begun",
    ),
    Probe(
        name="a token while the ticket is fetched",
        script=startup(ASK, TOKEN),
        modules=SLOW,
        words="a GSSAPI token out of turn",
    ),
    Probe(
        name="two tokens at once",
        script=proven(TOKEN),
        modules=SLOW,
        words="a GSSAPI token out of turn",
    ),
    Probe(
        name="tokens without end",
        script=proven(Flood(lambda: itertools.repeat(TOKEN))),
        modules=SLOW,
        words="a GSSAPI token out of turn",
    ),
    Probe(
        name="a token behind AuthenticationOk",
        script=proven(OK, TOKEN),
        modules=SLOW,
        words="illegal b'R'",
    ),
    *(
        Probe(
            name=f"{name} in the midst of it",
            script=ticket(another),
            modules=THERE,
            options={"allow_cleartext_password": True},
            words="another authentication in the midst of GSSAPI",
        )
        for name, another in (
            ("the beginning", ASK),
            ("SSPI", authentication(SSPI)),
            ("the password asked for", authentication(CLEARTEXT_PASSWORD)),
            ("SCRAM", authentication(SASL, b"SCRAM-SHA-256\0\0")),
        )
    ),
    Probe(
        name="Kerberos in the midst of SCRAM",
        script=[
            *startup(authentication(SASL, b"SCRAM-SHA-256\0\0")),
            expect("SASLInitialResponse"),
            *said(ASK),
        ],
        modules=THERE,
        words="another authentication in the midst of SCRAM",
    ),
    Probe(
        name="settings without end while a step is taken",
        script=proven(OK, b"".join(parameter_status(f"s{i}", "x") for i in range(1001))),
        modules=SLOW,
        words="more than 1000 settings",
    ),
]

ENDS = [
    Probe(
        name="the end while the ticket is fetched",
        script=startup(ASK, close()),
        modules=SLOW,
        error=pgallop.errors.ConnectResetError,
        words="the connection was closed before",
    ),
    Probe(
        name="the end behind the proof",
        script=proven(close()),
        modules=SLOW,
        error=pgallop.errors.ConnectResetError,
        words="the connection was closed before",
    ),
    Probe(
        name="a refusal behind the ticket",
        script=ticket(error_response("28000", "no", "FATAL"), close()),
        modules=THERE,
        error=pgallop.InvalidAuthorizationSpecificationError,
        words="unverified",
    ),
    Probe(
        name="a refusal behind the proof",
        script=proven(OK, error_response("53300", "sorry", "FATAL"), close()),
        modules=THERE,
        error=pgallop.errors.TooManyConnectionsError,
        words="sorry",
    ),
]

CLIENT = [
    Probe(
        name="a client without a ticket",
        script=startup(ASK),
        modules=modules(error=MissingCredentialsError("No credentials")),
        error=pgallop.GSSAuthenticationError,
        words="no ticket for postgres@127.0.0.1: No credentials\nHINT:  get a ticket with kinit",
    ),
    Probe(
        name="the library's words have escapes",
        script=startup(ASK),
        modules=modules(error=GSSError("\x1b[31mred")),
        error=pgallop.GSSAuthenticationError,
        words=r"\x1b[31mred",
    ),
]

PROBES = [*HONEST, *UNPROVEN, *ORDER, *ENDS, *CLIENT]
