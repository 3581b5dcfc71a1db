"""What connect() was asked for: its arguments, the DSN and the environment, merged and checked.

Nothing that uses a `ConnectOptions` has to check a value again: `resolve` returns a complete one,
or raises an error that names the argument, the DSN's parameter or the environment variable.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from os import PathLike
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast, get_args

from pgallop.codecs.choices import CodecChoices
from pgallop.codecs.customization import Custom
from pgallop.config.codecs import Geometry, Json, OutOfRange, Vectors, resolve_codecs
from pgallop.config.dsn import parse_dsn
from pgallop.config.files import NO_FILES, Files
from pgallop.config.gss import GssOptions, resolve_gss
from pgallop.config.hosts import SOCKET_DIRECTORIES, Host, resolve_hosts
from pgallop.config.parameters import PARAMETERS, SETTING_VARIABLES, UNSUPPORTED
from pgallop.config.passfile import passwords_for
from pgallop.config.servicefile import add_service
from pgallop.config.sources import Given, Sources, either
from pgallop.config.tcp import TcpOptions, resolve_tcp
from pgallop.config.tls import SslMode, TlsOptions, is_context, resolve_tls
from pgallop.config.type_codecs import TypeCodecs, resolve_type_codecs
from pgallop.errors import ClientConfigurationError, UnsupportedClientFeatureError
from pgallop.limits import MAX_MESSAGE_SIZE, MAX_SCRAM_ITERATIONS
from pgallop.rows.record import Record, check_record_class

__all__ = [
    "CONNECT_TIMEOUT",
    "DRAIN_TIMEOUT",
    "NOT_GIVEN",
    "STATEMENT_CACHE_SIZE",
    "STATEMENT_LIFETIME",
    "STATEMENT_SIZE",
    "ConnectOptions",
    "NotGiven",
    "Password",
    "StatementMode",
    "resolve",
]

StatementMode: TypeAlias = Literal["named", "unnamed", "simple"]
SessionAttribute: TypeAlias = Literal[
    "any", "read-write", "read-only", "primary", "standby", "prefer-standby"
]
Password: TypeAlias = str | Callable[[], str | Awaitable[str]] | None


class NotGiven(Enum):
    """The type of `NOT_GIVEN`."""

    NOT_GIVEN = "not given"


# For arguments whose None has a meaning of its own (`timeout=None`: wait for ever).
NOT_GIVEN: Final = NotGiven.NOT_GIVEN

CONNECT_TIMEOUT: Final = 60.0
DRAIN_TIMEOUT: Final = 5.0
STATEMENT_CACHE_SIZE: Final = 100
STATEMENT_LIFETIME: Final = 300.0
STATEMENT_SIZE: Final = 15360

_MAX_INT32: Final = 2**31 - 1
_STATEMENT_MODES: Final = ("named", "unnamed", "simple")
_ATTRIBUTES: Final = get_args(SessionAttribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """Everything a connection has to know, checked and complete.

    Args:
        hosts: the servers to try, in this order; at least one.
        user: the role's name, never empty.
        password: text, or a function that returns it, now or when awaited, called for each
            connection. Not part of the repr.
        host_passwords: what the password file has for the hosts, where `password` is None. Not part
            of the repr.
        database: the database's name, never empty.
        server_settings: the parameters of the StartupMessage besides user and database.
        ssl: "disable", "allow", "prefer", "require" (encrypted, certificate not checked),
            "verify-ca" (certificate checked), "verify-full" (host name checked, too), or an
            SSLContext. See `ssl_for`.
        tls: what a TLS context is made of.
        gss: what Kerberos has to know.
        target_session_attrs: what kind of server it has to be: "any", "read-write", "read-only",
            "primary", "standby" or "prefer-standby".
        timeout: seconds for connecting, over all hosts; None waits for ever.
        command_timeout: seconds for a statement that is given no timeout of its own; None for ever.
        drain_timeout: seconds an abandoned request may take to finish before the socket is aborted.
        statement_cache_size: statements kept for a connection; 0 turns the cache off.
        max_cached_statement_lifetime: seconds that one is kept; 0 for no limit.
        max_cacheable_statement_size: characters of the longest text that is kept; 0 for no limit.
        statement_mode: "named", "unnamed" or "simple".
        describe_first: rely on nothing that is known of a statement's types.
        max_message_size: bytes; a server message larger than this ends the connection.
        scram_max_iterations: key derivation rounds a server may ask for.
        allow_cleartext_password: send the password itself over TCP without TLS if the server asks.
        strict: refuse an operation while another one is in progress, instead of queueing it.
        record_class: what rows are made into where nothing else is asked for.
        shared_transactions: statements of other tasks take part in an open transaction, instead of
            waiting for its end.
        tcp: keepalives and the like, for TCP only.
        codecs: how values of types are read and written.
        type_codecs: what was registered for single types, by their schemas and names.

    Example:
        >>> options = resolve("postgresql://ada@db/shop", environ={}, default_user=lambda: "me")
        >>> options.hosts, options.database, options.ssl
        ((Host(host='db', port=5432),), 'shop', 'prefer')
    """

    hosts: tuple[Host, ...]
    user: str
    password: Password = field(default=None, repr=False)
    host_passwords: Mapping[Host, str] = field(
        default_factory=dict[Host, str], hash=False, repr=False
    )
    database: str
    server_settings: Mapping[str, str] = field(hash=False)
    ssl: SslMode | object = "prefer"
    tls: TlsOptions = field(default_factory=TlsOptions)
    gss: GssOptions = field(default_factory=GssOptions)
    target_session_attrs: SessionAttribute = "any"
    timeout: float | None = CONNECT_TIMEOUT
    command_timeout: float | None = None
    drain_timeout: float = DRAIN_TIMEOUT
    statement_cache_size: int = STATEMENT_CACHE_SIZE
    max_cached_statement_lifetime: float = STATEMENT_LIFETIME
    max_cacheable_statement_size: int = STATEMENT_SIZE
    statement_mode: StatementMode = "named"
    describe_first: bool = False
    max_message_size: int = MAX_MESSAGE_SIZE
    scram_max_iterations: int = MAX_SCRAM_ITERATIONS
    allow_cleartext_password: bool = False
    strict: bool = False
    record_class: type[Record] = Record
    shared_transactions: bool = False
    tcp: TcpOptions = field(default_factory=TcpOptions)
    codecs: CodecChoices = field(default_factory=CodecChoices)
    type_codecs: Mapping[tuple[str, str], Custom] = field(
        default_factory=dict[tuple[str, str], Custom], hash=False
    )

    def ssl_for(self, host: Host) -> SslMode | object:
        """Return `ssl`, or "disable" for a Unix socket: the server offers no TLS there.

        Source: PostgreSQL documentation, libpq, "sslmode is ignored for Unix domain socket
        communication".
        """
        return "disable" if host.is_unix else self.ssl


def resolve(
    dsn: str | None = None,
    *,
    host: str | Sequence[str] | None = None,
    port: int | str | Sequence[int | str] | None = None,
    user: str | None = None,
    password: Password = None,
    passfile: str | PathLike[str] | None = None,
    service: str | None = None,
    servicefile: str | PathLike[str] | None = None,
    database: str | None = None,
    timeout: float | NotGiven | None = NOT_GIVEN,
    command_timeout: float | None = None,
    server_settings: Mapping[str, str] | None = None,
    ssl: str | bool | object = None,
    direct_tls: bool | None = None,
    sslrootcert: str | PathLike[str] | None = None,
    sslcert: str | PathLike[str] | None = None,
    sslkey: str | PathLike[str] | None = None,
    sslpassword: str | None = None,
    sslcertmode: str | None = None,
    sslcrl: str | PathLike[str] | None = None,
    sslcrldir: str | PathLike[str] | None = None,
    ssl_min_protocol_version: str | None = None,
    ssl_max_protocol_version: str | None = None,
    sslkeylogfile: str | PathLike[str] | None = None,
    krbsrvname: str | None = None,
    gsslib: str | None = None,
    target_session_attrs: str | None = None,
    drain_timeout: float = DRAIN_TIMEOUT,
    statement_cache_size: int = STATEMENT_CACHE_SIZE,
    max_cached_statement_lifetime: float = STATEMENT_LIFETIME,
    max_cacheable_statement_size: int = STATEMENT_SIZE,
    statement_mode: str | None = None,
    describe_first: bool = False,
    max_message_size: int = MAX_MESSAGE_SIZE,
    scram_max_iterations: int = MAX_SCRAM_ITERATIONS,
    allow_cleartext_password: bool = False,
    strict: bool = False,
    record_class: type[Record] = Record,
    keepalives: bool | int | None = None,
    keepalives_idle: int | None = None,
    keepalives_interval: int | None = None,
    keepalives_count: int | None = None,
    tcp_user_timeout: int | None = None,
    out_of_range: OutOfRange = "raise",
    json: Json = "stdlib",
    vectors: Vectors = "list",
    geometry: Geometry = "bytes",
    codecs: TypeCodecs | None = None,
    unknown_as_settings: bool = False,
    environ: Mapping[str, str],
    default_user: Callable[[], str],
    socket_directories: Sequence[str] = SOCKET_DIRECTORIES,
    files: Files = NO_FILES,
) -> ConnectOptions:
    """Merge connect()'s arguments, the DSN, the service and the environment, the strongest first.

    Args: those of `ConnectOptions`, `TcpOptions`, `GssOptions` and `resolve_codecs`; `host` and
        `port` as in `resolve_hosts`; what begins with `ssl` as in `resolve_tls`. `passfile`,
        `servicefile`: files to read instead of the usual ones, `service`: a name in the latter.
        `default_user` is asked when nobody named the role. `unknown_as_settings`: parameters of the
        DSN that libpq does not have are settings of the session, and hosts may have their ports
        with them, as in asyncpg.

    Raises:
        ClientConfigurationError: a value is malformed.
        InterfaceError: `record_class` is none.
        UnsupportedClientFeatureError: a parameter of libpq that pgallop does not have would change
            where or how safely it connects.

    Source: PostgreSQL documentation, libpq, "Parameter Key Words", "Environment Variables".
    """
    check_record_class(record_class)
    parameters = {} if dsn is None else parse_dsn(dsn, others=unknown_as_settings)
    others = {name: parameters[name] for name in parameters if name not in PARAMETERS}
    sources = Sources(parameters, environ)
    add_service(sources, service, servicefile, files, lenient=unknown_as_settings)
    _refuse_unsupported(sources, has_context=is_context(ssl))
    hosts = resolve_hosts(sources, host, port, socket_directories, others=unknown_as_settings)
    mode, tls = resolve_tls(
        sources,
        ssl,
        direct_tls,
        {
            "sslrootcert": sslrootcert,
            "sslcert": sslcert,
            "sslkey": sslkey,
            "sslpassword": sslpassword,
            "sslcertmode": sslcertmode,
            "sslcrl": sslcrl,
            "sslcrldir": sslcrldir,
            "ssl_min_protocol_version": ssl_min_protocol_version,
            "ssl_max_protocol_version": ssl_max_protocol_version,
            "sslkeylogfile": sslkeylogfile,
        },
        hosts,
        files,
    )
    cache_size = _count(Given("statement_cache_size", statement_cache_size), 0)
    role = _name(sources, "user", Given("user", user)) or _os_user(default_user)
    name = _name(sources, "dbname", Given("database", database)) or role
    secret = _password(sources, password)
    looked_up: Mapping[Host, str] = {}
    if secret is None:
        looked_up = passwords_for(sources, passfile, files, hosts, name, role)
    return ConnectOptions(
        hosts=hosts,
        user=role,
        password=secret,
        host_passwords=looked_up,
        database=name,
        server_settings=_settings(sources, server_settings, others),
        ssl=mode,
        tls=tls,
        gss=resolve_gss(sources, krbsrvname, gsslib),
        target_session_attrs=_attribute(sources, target_session_attrs),
        timeout=_connect_timeout(sources, timeout),
        command_timeout=_seconds_or_none(Given("command_timeout", command_timeout)),
        drain_timeout=_seconds(Given("drain_timeout", drain_timeout)),
        statement_cache_size=cache_size,
        max_cached_statement_lifetime=_lifetime(
            Given("max_cached_statement_lifetime", max_cached_statement_lifetime)
        ),
        max_cacheable_statement_size=_count(
            Given("max_cacheable_statement_size", max_cacheable_statement_size), 0
        ),
        statement_mode=_statement_mode(Given("statement_mode", statement_mode), cache_size),
        describe_first=_flag(Given("describe_first", describe_first)),
        max_message_size=_count(Given("max_message_size", max_message_size), 1024),
        scram_max_iterations=_count(Given("scram_max_iterations", scram_max_iterations), 1),
        allow_cleartext_password=_flag(Given("allow_cleartext_password", allow_cleartext_password)),
        strict=_flag(Given("strict", strict)),
        record_class=record_class,
        tcp=resolve_tcp(
            sources,
            keepalives,
            keepalives_idle,
            keepalives_interval,
            keepalives_count,
            tcp_user_timeout,
        ),
        codecs=resolve_codecs(out_of_range, json, vectors, geometry),
        type_codecs=resolve_type_codecs(codecs),
    )


def _refuse_unsupported(sources: Sources, *, has_context: bool) -> None:
    if sources.keywords.isdisjoint(UNSUPPORTED):
        return
    for keyword in UNSUPPORTED:
        parameter = PARAMETERS[keyword]
        given = sources.find(keyword)
        harmless = parameter.harmless or ()
        if given is None or given.value in harmless or (parameter.tls and has_context):
            continue
        advice = f"; it can only be {either(sorted(harmless))}" if harmless else ""
        raise UnsupportedClientFeatureError(f"{given.origin} is not supported{advice}")


def _attribute(sources: Sources, target_session_attrs: object) -> SessionAttribute:
    argument = Given("target_session_attrs", target_session_attrs)
    given = sources.find("target_session_attrs", argument)
    if given is None:
        return "any"
    if not isinstance(given.value, str) or given.value not in _ATTRIBUTES:
        raise given.bad(either(_ATTRIBUTES))
    return cast("SessionAttribute", str.__str__(given.value))


def _password(sources: Sources, password: object) -> Password:
    if callable(password):
        return cast("Callable[[], str | Awaitable[str]]", password)
    argument = Given("password", password, private=True)
    if password is not None and not isinstance(password, str):
        raise argument.bad("a str, a function that returns one, or None")
    # An empty password is a password here, while an empty PGPASSWORD is none.
    given = argument if password is not None else sources.find("password")
    return None if given is None else given.text()


def _name(sources: Sources, keyword: str, argument: Given) -> str | None:
    if argument.is_empty:
        raise argument.bad("a name, or None for the default")
    given = sources.find(keyword, argument)
    return None if given is None else given.text()


def _os_user(default_user: Callable[[], str]) -> str:
    try:
        name = default_user()
    except (KeyError, OSError, ImportError) as error:  # what getpass.getuser() raises
        raise ClientConfigurationError(
            "user: the operating system does not say who runs this; pass user= or set PGUSER"
        ) from error
    given = Given("name of the operating system's user", name)
    if not given.text():
        raise given.bad("a name; pass user= or set PGUSER")
    return name


def _settings(
    sources: Sources, server_settings: object, others: Mapping[str, str]
) -> Mapping[str, str]:
    settings = _checked_settings(others) | _checked_settings(server_settings)
    taken = {name.lower() for name in settings}  # the server folds their case
    found = {
        "client_encoding": sources.find("client_encoding"),
        "application_name": sources.find("application_name")
        or sources.find("fallback_application_name"),
        "options": sources.find("options"),
    }
    for variable, name in SETTING_VARIABLES.items():
        found[name] = sources.variable(variable)
    for name, given in found.items():
        if given is not None and name not in taken:
            settings[name] = given.text()
            if name == "client_encoding":
                _check_encoding(given)
    return MappingProxyType(settings | {"client_encoding": "UTF8"})


def _checked_settings(server_settings: object) -> dict[str, str]:
    argument = Given("server_settings", server_settings)
    if server_settings is None:
        return {}
    if not isinstance(server_settings, Mapping):
        raise argument.bad("a mapping of str to str, or None")
    settings: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", server_settings).items():
        key = argument.part(name).text()
        if not key:  # an empty name ends the StartupMessage
            raise argument.part(name).bad("the name of a setting")
        # Not shown: a setting can carry a secret, such as a token for row-level security.
        given = Given(f'server_settings["{key}"]', value, private=True)
        folded = key.lower()
        if folded in ("user", "database"):
            raise ClientConfigurationError(f"{given.origin}: use the argument {folded}=")
        if folded == "replication" or folded.startswith("_pq_."):
            raise UnsupportedClientFeatureError(f"{given.origin} is not supported")
        text = given.text()
        if folded == "client_encoding":
            _check_encoding(given)
        else:
            settings[key] = text
    return settings


def _check_encoding(given: Given) -> None:
    # The server reads names of encodings this way (encnames.c, clean_encoding_name).
    if re.sub("[^a-z0-9]", "", given.text().lower()) not in ("utf8", "unicode"):
        raise UnsupportedClientFeatureError(
            f"{given.origin} has to be UTF8: pgallop sends and reads UTF-8 only"
        )


def _connect_timeout(sources: Sources, timeout: object) -> float | None:
    if timeout is not NOT_GIVEN:
        return _seconds_or_none(Given("timeout", timeout))
    given = sources.find("connect_timeout")
    if given is None:
        return CONNECT_TIMEOUT
    text = given.text().strip()
    # libpq takes whole seconds, and waits for ever when told 0 or less.
    if not re.fullmatch("-?[0-9]{1,10}", text) or int(text) > _MAX_INT32:
        raise given.bad(f"whole seconds, at most {_MAX_INT32}; 0 waits for ever")
    return float(text) if int(text) > 0 else None


def _seconds_or_none(given: Given) -> float | None:
    return None if given.value is None else _seconds(given, " or None")


def _seconds(given: Given, alternative: str = "") -> float:
    value = given.value
    # NaN fails the comparison, and an int too large for a float never gets to float().
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < 2**31:
        raise given.bad(f"seconds above 0 and below 2**31{alternative}")
    return float(value)


def _lifetime(given: Given) -> float:
    value = given.value
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise given.bad("seconds from 0 (no limit) to 2**31")
    return float(value)


def _statement_mode(given: Given, cache_size: int) -> StatementMode:
    value = given.value
    if value is None:
        return "named" if cache_size else "unnamed"
    if not isinstance(value, str) or value not in _STATEMENT_MODES:
        raise given.bad(f"{either(_STATEMENT_MODES)}, or None for the default")
    return cast("StatementMode", str.__str__(value))


def _count(given: Given, least: int) -> int:
    value = given.value
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= _MAX_INT32:
        raise given.bad(f"an int from {least} to {_MAX_INT32}")
    return value


def _flag(given: Given) -> bool:
    if not isinstance(given.value, bool):
        raise given.bad("True or False")
    return given.value
