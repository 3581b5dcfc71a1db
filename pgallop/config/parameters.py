"""libpq's connection parameters as one table: names, variables, and how much of each pgallop has.

Source: PostgreSQL documentation, "Parameter Key Words" and "Environment Variables" of the libpq
chapter; a test compares the table with the one inside libpq itself (PQconndefaults).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__ = [
    "KEYWORDS",
    "PARAMETERS",
    "SETTING_VARIABLES",
    "UNSUPPORTED",
    "Parameter",
    "nearest_parameter",
]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One connection parameter of libpq.

    Args:
        variable: the environment variable that also sets it, or None.
        harmless: None when pgallop implements the parameter. Otherwise the values that ask for
            nothing but what pgallop does anyway; every other value has to be refused, since
            ignoring it would connect elsewhere, or less safely, than the user asked.
        tls: an SSLContext given by the program says the same thing and takes its place.
        secret: its value belongs in no message.

    Example:
        >>> sorted(PARAMETERS["channel_binding"].harmless)
        ['disable', 'prefer']
    """

    variable: str | None = None
    harmless: frozenset[str] | None = None
    tls: bool = False
    secret: bool = False


def _missing(
    variable: str | None = None, *harmless: str, tls: bool = False, secret: bool = False
) -> Parameter:
    return Parameter(variable, frozenset(harmless), tls, secret)


PARAMETERS: Final[Mapping[str, Parameter]] = MappingProxyType(
    {
        "host": Parameter("PGHOST"),
        "port": Parameter("PGPORT"),
        "user": Parameter("PGUSER"),
        "password": Parameter("PGPASSWORD", secret=True),
        "dbname": Parameter("PGDATABASE"),
        "sslmode": Parameter("PGSSLMODE"),
        "application_name": Parameter("PGAPPNAME"),
        "fallback_application_name": Parameter(),
        "options": Parameter("PGOPTIONS"),
        "client_encoding": Parameter("PGCLIENTENCODING"),
        "connect_timeout": Parameter("PGCONNECT_TIMEOUT"),
        # where to connect
        "hostaddr": _missing("PGHOSTADDR"),
        "service": Parameter("PGSERVICE"),
        "passfile": Parameter("PGPASSFILE"),
        "target_session_attrs": Parameter("PGTARGETSESSIONATTRS"),
        "load_balance_hosts": _missing("PGLOADBALANCEHOSTS", "disable"),
        "replication": _missing(None, "false", "off", "no", "0"),
        # who the server is, and who we are
        "require_auth": _missing("PGREQUIREAUTH"),
        "channel_binding": _missing("PGCHANNELBINDING", "disable", "prefer"),
        "requirepeer": _missing("PGREQUIREPEER"),
        "gssencmode": _missing("PGGSSENCMODE", "disable", "prefer"),
        "gsslib": Parameter("PGGSSLIB"),
        "gssdelegation": _missing("PGGSSDELEGATION", "0"),
        "krbsrvname": Parameter("PGKRBSRVNAME"),
        "scram_client_key": _missing(secret=True),
        "scram_server_key": _missing(secret=True),
        "oauth_issuer": _missing(),
        "oauth_client_id": _missing(),
        "oauth_client_secret": _missing(secret=True),
        "oauth_scope": _missing(),
        # TLS
        "sslnegotiation": Parameter("PGSSLNEGOTIATION"),
        "sslsni": _missing("PGSSLSNI", "1"),
        "sslcompression": _missing("PGSSLCOMPRESSION", "0", tls=True),
        "sslcert": Parameter("PGSSLCERT"),
        "sslkey": Parameter("PGSSLKEY"),
        "sslpassword": Parameter(secret=True),
        "sslcertmode": Parameter("PGSSLCERTMODE"),
        "sslrootcert": Parameter("PGSSLROOTCERT"),
        "sslcrl": Parameter("PGSSLCRL"),
        "sslcrldir": Parameter("PGSSLCRLDIR"),
        "sslkeylogfile": Parameter(),
        "ssl_min_protocol_version": Parameter("PGSSLMINPROTOCOLVERSION"),
        "ssl_max_protocol_version": Parameter("PGSSLMAXPROTOCOLVERSION"),
        # the protocol: pgallop speaks 3.0, which every maximum allows
        "min_protocol_version": _missing("PGMINPROTOCOLVERSION", "3.0"),
        "max_protocol_version": _missing("PGMAXPROTOCOLVERSION", "3.0", "3.2", "latest"),
        # the socket
        "keepalives": Parameter(),
        "keepalives_idle": Parameter(),
        "keepalives_interval": Parameter(),
        "keepalives_count": Parameter(),
        "tcp_user_timeout": Parameter(),
    }
)

# The parameters by their variables.
KEYWORDS: Final[Mapping[str, str]] = MappingProxyType(
    {each.variable: keyword for keyword, each in PARAMETERS.items() if each.variable is not None}
)

# Those that pgallop does not have.
UNSUPPORTED: Final = tuple(
    [keyword for keyword, each in PARAMETERS.items() if each.harmless is not None]
)

# Variables that libpq turns into settings of the session (fe-connect.c, EnvironmentOptions).
SETTING_VARIABLES: Final[Mapping[str, str]] = MappingProxyType(
    {"PGDATESTYLE": "datestyle", "PGTZ": "timezone", "PGGEQO": "geqo"}
)


def nearest_parameter(keyword: str) -> str:
    """Return the part of a message that asks whether another name was meant, "" if none is near."""
    import difflib  # needed for a message only

    nearest = difflib.get_close_matches(keyword, PARAMETERS, n=1, cutoff=0.7)
    return f' (did you mean "{nearest[0]}"?)' if nearest else ""
