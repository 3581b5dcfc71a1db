"""Kerberos, for servers that ask for GSSAPI or SSPI: the client's side, without a socket.

What is said is made by a library that is installed apart (the extra `gss`): python-gssapi, over the
system's Kerberos, or on Windows sspilib. It is imported when a server asks for it.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol, TypeAlias

from pgallop.errors import GSSAuthenticationError

__all__ = ["GssClient", "GssLibrary", "GssService", "GssStep"]

GssLibrary: TypeAlias = Literal["gssapi", "sspi"]

KINIT: Final = "get a ticket with kinit; klist shows those that there are"
SERVICE: Final = (
    "the realm has to know the service by krbsrvname= (PGKRBSRVNAME) and by the host's name as it "
    "was given, and the server needs its key"
)
CENTRE: Final = "krb5.conf, or the file in KRB5_CONFIG, says where the key distribution centre is"
LOGIN: Final = "log in to the domain, whose controller has to be reachable"

# Minor codes of MIT's and Heimdal's libraries (krb5_err.et), which count from here.
_KRB5: Final = 2**32 - 1765328384
_GSSAPI_HINTS: Final = {
    _KRB5 + 7: SERVICE,  # KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN
    _KRB5 + 32: KINIT,  # KRB5KRB_AP_ERR_TKT_EXPIRED
    _KRB5 + 35: SERVICE,  # KRB5KRB_AP_ERR_NOT_US
    _KRB5 + 141: KINIT,  # KRB5_CC_NOTFOUND
    _KRB5 + 154: CENTRE,  # KRB5_REALM_UNKNOWN
    _KRB5 + 156: CENTRE,  # KRB5_KDC_UNREACH
}

# Microsoft's "SSPI Status Codes".
_SSPI_HINTS: Final = {
    0x80090303: SERVICE,  # SEC_E_TARGET_UNKNOWN
    0x8009030E: LOGIN,  # SEC_E_NO_CREDENTIALS
    0x80090311: LOGIN,  # SEC_E_NO_AUTHENTICATING_AUTHORITY
    0x80090322: SERVICE,  # SEC_E_WRONG_PRINCIPAL
}

_MAX_TEXT: Final = 500


@dataclass(frozen=True, slots=True)
class GssService:
    """Whom a ticket is for, and by which library it is shown.

    Attributes:
        name: of the service, libpq's krbsrvname.
        host: its host's name, as it was given to connect().
        library: "gssapi" or "sspi".
    """

    name: str
    host: str
    library: GssLibrary


class GssClient:
    """One exchange of tokens, at whose end both sides have proven who they are.

    Args:
        service: who the server has to be.
        negotiate: the server asked for SSPI's Negotiate and not for Kerberos. It counts with
            sspilib only, and may come to NTLM, in which the server proves nothing.

    Example:
        >>> client = GssClient(GssService("postgres", "db.example.org", "gssapi"))
        >>> client
        <GssClient for postgres@db.example.org>

    Source: RFC 2743, section 2.2; RFC 4121; PostgreSQL documentation, "GSSAPI Authentication",
    "SSPI Authentication".
    """

    __slots__ = ("_context", "_library", "_negotiate", "_service", "complete")

    complete: bool

    def __init__(self, service: GssService, *, negotiate: bool = False) -> None:
        self._service = service
        self._negotiate = negotiate
        self._library: _Library | None = None
        self._context: _Context | None = None
        self.complete = False

    def __repr__(self) -> str:
        return f"<GssClient for {self._service.name}@{self._service.host}>"

    def step(self, token: bytes | None) -> bytes:
        """Take the server's token and return ours; `complete` tells whether that was the end.

        It reads files and asks the key distribution centre, which can take half a minute where none
        answers. Run it in an executor's thread, beside the event loop.

        Args:
            token: the data of AuthenticationGSSContinue; None in the first step.

        Returns:
            What to send; b"" for nothing.

        Raises:
            GSSAuthenticationError: there is no ticket for the service, or the server has not proven
                to be it, or the library is not there; its error is the cause.
        """
        library = self._library
        if library is None:
            library = self._library = _LIBRARIES[self._service.library]()
        try:
            context = self._context
            if context is None:
                context = self._context = library.begin(self._service, self._negotiate)
            answer = context.step(token) or b""
            complete = context.complete  # gssapi keeps some errors for this question
            proven = complete and library.is_mutual(context)
        except library.error as error:
            self._context = None
            raise self._failure(library, error, token) from error
        if complete:
            self._context = None
            if not proven and not self._may_be_unproven():
                raise GSSAuthenticationError(
                    f"{library.title}: the server has not proven to be {self._target()}: "
                    "what was agreed upon has no mutual authentication"
                )
            self.complete = True
        return answer

    def _may_be_unproven(self) -> bool:
        return self._negotiate and self._service.library == "sspi"

    def _target(self) -> str:
        return f"{self._service.name}@{self._service.host}"

    def _failure(
        self, library: "_Library", error: Exception, token: bytes | None
    ) -> GSSAuthenticationError:
        if token is None:
            what = f"no ticket for {self._target()}"
        else:
            what = f"the server has not proven to be {self._target()}"
        text = shown_text(str(error))
        return GSSAuthenticationError(f"{library.title}: {what}: {text}", hint=library.hint(error))


@dataclass(frozen=True, slots=True)
class GssStep:
    """A step that is due: `client.step(token)`, which may wait for others."""

    client: GssClient
    token: bytes | None = field(repr=False)


class _Context(Protocol):
    """What both libraries call a security context, as far as it is used."""

    @property
    def complete(self) -> bool: ...
    def step(self, token: bytes | None, /) -> bytes | None: ...


class _Library(Protocol):
    """What has to be known of a library: its errors, and how a context is begun."""

    title: str
    error: type[Exception]

    def begin(self, service: GssService, negotiate: bool) -> _Context: ...
    def is_mutual(self, context: Any) -> bool: ...
    def hint(self, error: Any) -> str | None: ...


class _Gssapi:
    """python-gssapi. A server that asks for SSPI is told Kerberos' tokens as well, as by libpq."""

    title = "GSSAPI"

    def __init__(self) -> None:
        self._module = import_library("gssapi")
        self.error: type[Exception] = self._module.exceptions.GSSError
        self._missing = (
            self._module.exceptions.MissingCredentialsError,
            self._module.exceptions.ExpiredCredentialsError,
        )

    def begin(self, service: GssService, negotiate: bool) -> _Context:
        module = self._module
        target = f"{service.name}@{service.host}"
        context: _Context = module.SecurityContext(
            name=module.Name(target, module.NameType.hostbased_service),
            flags=module.RequirementFlag.mutual_authentication,
            usage="initiate",
        )
        return context

    def is_mutual(self, context: Any) -> bool:
        return self._module.RequirementFlag.mutual_authentication in context.actual_flags

    def hint(self, error: Any) -> str | None:
        if isinstance(error, self._missing):
            return KINIT
        return _GSSAPI_HINTS.get(error.min_code)


class _Sspi:
    """sspilib. Its errors are WindowsErrors, which are OSErrors."""

    title = "SSPI"

    def __init__(self) -> None:
        self._module = import_library("sspilib")
        self.error: type[Exception] = OSError

    def begin(self, service: GssService, negotiate: bool) -> _Context:
        module = self._module
        protocol = "Negotiate" if negotiate else "Kerberos"
        # Its default flags ask for mutual authentication.
        context: _Context = module.ClientSecurityContext(
            credential=module.UserCredential(protocol=protocol),
            target_name=f"{service.name}/{service.host}",
        )
        return context

    def is_mutual(self, context: Any) -> bool:
        return self._module.IscRet.ISC_RET_MUTUAL_AUTH in context.attributes

    def hint(self, error: Any) -> str | None:
        return _SSPI_HINTS.get(getattr(error, "winerror", 0) & 0xFFFFFFFF)


_LIBRARIES: Final[dict[GssLibrary, Callable[[], _Library]]] = {"gssapi": _Gssapi, "sspi": _Sspi}


def import_library(name: str) -> Any:
    """Return the module, or raise GSSAuthenticationError that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:  # it is not installed, or the system's library is not
        raise GSSAuthenticationError(
            f"the server asks for authentication by Kerberos, for which the module {name} cannot "
            f"be imported: {error}",
            hint="pip install 'pgallop[gss]'",
        ) from error


def shown_text(text: str) -> str:
    """Return a library's words without what could trick a terminal, and not too long."""
    plain = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return plain if len(plain) <= _MAX_TEXT else f"{plain[:_MAX_TEXT]}..."
