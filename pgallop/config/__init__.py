"""Connection parameters: libpq's strings, variables and names, merged into `ConnectOptions`."""

from pgallop.config.dsn import parse_dsn
from pgallop.config.gss import GssOptions
from pgallop.config.hosts import DEFAULT_PORT, SOCKET_DIRECTORIES, Host
from pgallop.config.options import NOT_GIVEN, ConnectOptions, NotGiven, Password, resolve
from pgallop.config.tcp import TcpOptions
from pgallop.config.tls import SslMode, TlsOptions

__all__ = [
    "DEFAULT_PORT",
    "NOT_GIVEN",
    "SOCKET_DIRECTORIES",
    "ConnectOptions",
    "GssOptions",
    "Host",
    "NotGiven",
    "Password",
    "SslMode",
    "TcpOptions",
    "TlsOptions",
    "parse_dsn",
    "resolve",
]
