"""TLS: how much of it is wanted, whom to trust, and what to show the server.

Source: PostgreSQL documentation, libpq, "SSL Support" and "Parameter Key Words".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from pgallop.config.files import Files, in_home
from pgallop.config.hosts import Host
from pgallop.config.sources import Given, Sources, either
from pgallop.errors import ClientConfigurationError, UnsupportedClientFeatureError

__all__ = ["SYSTEM", "SslMode", "TlsOptions", "is_context", "resolve_tls"]

SslMode: TypeAlias = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

#: In the place of a file of certificates: the authorities that the system trusts.
SYSTEM: Final = "system"

_MODES: Final = get_args(SslMode)
_STRICT_MODES: Final = ("require", "verify-ca", "verify-full")
_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_NEGOTIATIONS: Final = ("postgres", "direct")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """What a TLS context is made of, unless the program brings its own.

    Args:
        root_cert: a file with the certificates of the authorities to trust, "system" for the
            system's, None to check no certificate.
        cert: a file with the client's certificate, or None.
        key: a file with its private key, None if `cert` has it, too.
        password: of the private key; "" if it has none. Not part of the repr.
        crl: a file with certificates that were revoked, or None.
        crl_dir: a directory of such files, or None.
        min_version: "TLSv1", "TLSv1.1", "TLSv1.2" or "TLSv1.3".
        max_version: one of these, or None.
        key_log_file: where the keys of sessions are written, for those who analyse what was sent.
        direct: begin with the handshake instead of asking for it.

    Source: PostgreSQL documentation, libpq, "Parameter Key Words": sslrootcert, sslcert and others.
    """

    root_cert: str | None = None
    cert: str | None = None
    key: str | None = None
    password: str = field(default="", repr=False)
    crl: str | None = None
    crl_dir: str | None = None
    min_version: str = "TLSv1.2"
    max_version: str | None = None
    key_log_file: str | None = None
    direct: bool = False


def is_context(ssl: object) -> bool:
    """Whether this is an SSLContext."""
    # By its methods, as nothing in the layers below transport imports ssl.
    has_methods = callable(getattr(ssl, "wrap_bio", None)) and callable(
        getattr(ssl, "wrap_socket", None)
    )
    return has_methods and not isinstance(ssl, type)


def resolve_tls(
    sources: Sources,
    ssl: object,
    direct_tls: object,
    arguments: Mapping[str, object],
    hosts: Sequence[Host],
    files: Files,
) -> tuple[SslMode | object, TlsOptions]:
    """Return the mode, or the program's SSLContext, and what a context is made of.

    Args:
        sources: the DSN and the like.
        ssl: connect()'s argument: a mode, True, False, an SSLContext or None.
        direct_tls: connect()'s argument.
        arguments: those of connect() that begin with `ssl`, by libpq's names.
        hosts: the servers.
        files: the user's.

    Raises:
        ClientConfigurationError: a value is malformed, or two contradict each other.
    """

    def find(keyword: str) -> Given | None:
        value = arguments.get(keyword)
        if value is None:
            return sources.find(keyword)
        return sources.find(keyword, Given(keyword, value, private=keyword == "sslpassword"))

    def path(keyword: str, default: str = "") -> str | None:
        if (given := find(keyword)) is not None:
            return given.path()
        usual = in_home(files, ".postgresql", default) if default else None
        return usual if usual is not None and files.exists(usual) else None

    mode, origin = _mode(sources, ssl, find("sslrootcert"), hosts)
    direct = _direct(sources, direct_tls)
    if direct and mode in ("disable", "allow", "prefer"):
        raise ClientConfigurationError(
            f"{direct}: expected TLS to be required, as by ssl='require' or True, got ssl={mode!r}"
        )
    if is_context(mode) or mode == "disable":
        return mode, TlsOptions(direct=bool(direct))
    cert, key = _certificate(find("sslcertmode"), path)
    root: str | None = None
    if ssl is True:
        root = path("sslrootcert") or SYSTEM
    elif mode in _STRICT_MODES:
        root = path("sslrootcert", "root.crt")
    over_tcp = not all(host.is_unix for host in hosts)
    if root is None and mode in ("verify-ca", "verify-full") and over_tcp:
        raise ClientConfigurationError(
            f"{origin}: {mode} needs the certificates of authorities to trust, and there is no "
            "file ~/.postgresql/root.crt; name one in sslrootcert, or write sslrootcert=system for "
            "those that the system trusts"
        )
    if root is not None and mode == "require":
        mode = "verify-ca"  # for compatibility, says libpq's documentation
    password = find("sslpassword")
    least, most = _versions(find("ssl_min_protocol_version"), find("ssl_max_protocol_version"))
    return mode, TlsOptions(
        root_cert=root,
        cert=cert,
        key=key,
        password="" if password is None else password.text(),
        crl=path("sslcrl", "root.crl") if root is not None else None,
        crl_dir=path("sslcrldir") if root is not None else None,
        min_version=least,
        max_version=most,
        key_log_file=path("sslkeylogfile"),
        direct=bool(direct),
    )


def _mode(
    sources: Sources, ssl: object, root: Given | None, hosts: Sequence[Host]
) -> tuple[SslMode | object, str]:
    """The mode, and where it was written."""
    if is_context(ssl):
        return ssl, "ssl"
    if isinstance(ssl, bool):
        return "verify-full" if ssl else "disable", "ssl"
    given = Given("ssl", ssl) if ssl is not None else sources.find("sslmode")
    system = root is not None and root.value == SYSTEM
    if given is None:
        if system:
            return "verify-full", "sslrootcert"
        return "disable" if all(host.is_unix for host in hosts) else "prefer", "ssl"
    # asyncpg takes "verify_full", too.
    found = given.value.replace("_", "-") if isinstance(given.value, str) else None
    if found not in _MODES:
        other = ", True, False or an SSLContext" if given.origin == "ssl" else ""
        raise given.bad(f"{either(_MODES)}{other}")
    if system and found in ("allow", "prefer", "require", "verify-ca"):
        raise ClientConfigurationError(
            f"{given.origin}: with sslrootcert=system, which is to say where anybody can have a "
            f'certificate, it can only be "verify-full", got "{found}"'
        )
    return found, given.origin


def _direct(sources: Sources, direct_tls: object) -> str:
    """Where it was written that the handshake comes first; "" if it does not."""
    if direct_tls is not None:
        if not isinstance(direct_tls, bool):
            raise Given("direct_tls", direct_tls).bad("True, False or None")
        return "direct_tls" if direct_tls else ""
    given = sources.find("sslnegotiation")
    if given is None:
        return ""
    if given.value not in _NEGOTIATIONS:
        raise given.bad(either(_NEGOTIATIONS))
    return given.origin if given.value == "direct" else ""


def _certificate(
    mode: Given | None, path: Callable[..., str | None]
) -> tuple[str | None, str | None]:
    """The files of the client's certificate and of its key."""
    if mode is not None and mode.value not in ("disable", "allow"):
        if mode.value == "require":
            raise UnsupportedClientFeatureError(
                f'{mode.origin} is not supported; it can only be "allow" or "disable"'
            )
        raise mode.bad('"disable" or "allow"')
    if mode is not None and mode.value == "disable":
        return None, None
    cert = path("sslcert", "postgresql.crt")
    return cert, None if cert is None else path("sslkey", "postgresql.key")


def _versions(least: Given | None, most: Given | None) -> tuple[str, str | None]:
    def version(given: Given) -> str:
        names = {name.lower(): name for name in _VERSIONS}
        value = given.value
        if not isinstance(value, str) or value.lower() not in names:
            raise given.bad(either(_VERSIONS))
        return names[value.lower()]

    first = "TLSv1.2" if least is None else version(least)
    last = None if most is None else version(most)
    if last is not None and _VERSIONS.index(last) < _VERSIONS.index(first):
        assert most is not None
        raise most.bad(f"{first} or newer, which is the oldest version allowed")
    return first, last
