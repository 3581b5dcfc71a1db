"""`gssapi` and `sspilib` without Kerberos: as much of them as is used, with tokens one can read.

    fake = FakeKerberos()
    monkeypatch.setitem(sys.modules, "gssapi", fake.gssapi)

The client's first token is `b"ticket for postgres@host"` (SSPI: `postgres/host`). The server proves
that it is the one by `proof(token)`; anything else is an error of the library.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

TICKET = b"ticket for "
PROOF = b"proven to "

# Minor codes as MIT's library has them, and an SSPI status as Windows has it.
SERVICE_UNKNOWN = 2529638919
TICKET_EXPIRED = 2529638944
CENTRE_UNREACHABLE = 2529639068
BAD_TOKEN = 100001
SEC_E_NO_CREDENTIALS = -2146893042
SEC_E_TARGET_UNKNOWN = -2146893053
SEC_E_INVALID_TOKEN = -2146893048


def proof(token: bytes) -> bytes:
    """What an honest server answers to the client's token."""
    return PROOF + token


class GSSError(Exception):
    def __init__(self, text: str, min_code: int = 0) -> None:
        super().__init__(text)
        self.min_code = min_code


class MissingCredentialsError(GSSError):
    pass


class ExpiredCredentialsError(GSSError):
    pass


class InvalidTokenError(GSSError):
    pass


class RequirementFlag(enum.IntEnum):
    delegate_to_peer = 1
    mutual_authentication = 2


class IscRet(enum.IntFlag):
    ISC_RET_MUTUAL_AUTH = 2
    ISC_RET_CONFIDENTIALITY = 16


def windows_error(winerror: int) -> OSError:
    """As Windows and sspilib make it."""
    error = OSError(winerror, "it went wrong")
    error.winerror = winerror  # type: ignore[attr-defined, unused-ignore]
    return error


def module(name: str) -> Any:
    return ModuleType(name)


class FakeKerberos:
    """What the libraries do, and what they were asked for.

    Args:
        rounds: so many tokens of the server's are needed.
        mutual: the context says that the server has proven itself.
        farewell: the client's token behind the last one of the server's.
        error: raised by the first step.
        deferred: an error of a step is kept until the context is asked whether it is complete, as
            python-gssapi does with those that have a token.
        before: called in each step.
    """

    def __init__(
        self,
        *,
        rounds: int = 1,
        mutual: bool = True,
        farewell: bytes = b"",
        error: Exception | None = None,
        deferred: bool = False,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self.rounds = rounds
        self.mutual = mutual
        self.farewell = farewell
        self.error = error
        self.deferred = deferred
        self.before = before
        self.begun: list[Mapping[str, Any]] = []
        self.gssapi = module("gssapi")
        self.gssapi.exceptions = SimpleNamespace(
            GSSError=GSSError,
            MissingCredentialsError=MissingCredentialsError,
            ExpiredCredentialsError=ExpiredCredentialsError,
        )
        self.gssapi.NameType = SimpleNamespace(hostbased_service="hostbased")
        self.gssapi.RequirementFlag = RequirementFlag
        self.gssapi.Name = lambda text, kind: f"{kind} {text}"
        self.gssapi.SecurityContext = self._gssapi_context
        self.sspilib = module("sspilib")
        self.sspilib.IscRet = IscRet
        self.sspilib.UserCredential = lambda protocol: protocol
        self.sspilib.ClientSecurityContext = self._sspi_context

    def _gssapi_context(self, *, name: str, usage: str, flags: int = 0) -> Any:
        # asyncpg names no flags; mutual authentication is the default then.
        self.begun.append({"name": name, "usage": usage, "flags": flags})
        context: Any = Context(self, name.split()[1], InvalidTokenError("a bad token", BAD_TOKEN))
        context.actual_flags = {RequirementFlag.mutual_authentication} if self.mutual else set()
        return context

    def _sspi_context(self, *, credential: str, target_name: str) -> Any:
        self.begun.append({"name": target_name, "protocol": credential})
        context: Any = Context(self, target_name, windows_error(SEC_E_INVALID_TOKEN))
        context.attributes = IscRet.ISC_RET_CONFIDENTIALITY
        if self.mutual:
            context.attributes |= IscRet.ISC_RET_MUTUAL_AUTH
        return context


class Context:
    """A security context, as both libraries have it."""

    def __init__(self, fake: FakeKerberos, target: str, bad_token: Exception) -> None:
        self._fake = fake
        self._bad_token = bad_token
        self._said = TICKET + target.encode()
        self._left = fake.rounds
        self._kept: Exception | None = None
        self._complete = False

    @property
    def complete(self) -> bool:
        if self._kept is not None:
            raise self._kept
        return self._complete

    def step(self, token: bytes | None = None) -> bytes:
        self._fake.before()
        if token is None:
            if self._fake.error is not None:
                raise self._fake.error
            return self._said
        if token != proof(self._said):
            if not self._fake.deferred:
                raise self._bad_token
            self._kept = self._bad_token
            return b"what is wrong with it"
        self._left -= 1
        if self._left == 0:
            self._complete = True
            return self._fake.farewell
        self._said += b"!"
        return self._said
