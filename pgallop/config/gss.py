"""What Kerberos has to know of a server: the name of its service, and the library to use."""

import sys
from dataclasses import dataclass, field
from typing import Final, cast, get_args

from pgallop.auth.gss import GssLibrary
from pgallop.config.sources import Given, Sources, either

__all__ = ["GssOptions", "resolve_gss"]

_LIBRARIES: Final = get_args(GssLibrary)


def _usual_library() -> GssLibrary:
    return "sspi" if sys.platform == "win32" else "gssapi"


@dataclass(frozen=True, slots=True, kw_only=True)
class GssOptions:
    """Whom a ticket is asked for, and by what; for servers that ask for GSSAPI or SSPI.

    Args:
        krbsrvname: the service's name, to which the host's is added.
        gsslib: "gssapi", or "sspi", which is Windows' own.

    Example:
        >>> GssOptions(gsslib="gssapi")
        GssOptions(krbsrvname='postgres', gsslib='gssapi')

    Source: PostgreSQL documentation, libpq, "Parameter Key Words".
    """

    krbsrvname: str = "postgres"
    gsslib: GssLibrary = field(default_factory=_usual_library)


def resolve_gss(sources: Sources, krbsrvname: object, gsslib: object) -> GssOptions:
    """Return the options from connect()'s arguments, None where not given, and the other places.

    Raises:
        ClientConfigurationError: the service's name is no text, or there is no such library.
    """
    service = sources.find("krbsrvname", Given("krbsrvname", krbsrvname))
    library = sources.find("gsslib", Given("gsslib", gsslib))
    default = GssOptions()
    if library is not None and library.value not in _LIBRARIES:
        raise library.bad(either(_LIBRARIES))
    return GssOptions(
        krbsrvname=default.krbsrvname if service is None else service.text(),
        gsslib=default.gsslib if library is None else cast("GssLibrary", library.text()),
    )
