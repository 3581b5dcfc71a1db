"""Those of asyncpg's exceptions that no SQLSTATE stands for."""

from pgallop._message import ExplainedError as InterfaceMessage
from pgallop.errors import (
    ClientConfigurationError,
    DataError,
    FatalPostgresError,
    InterfaceError,
    InterfaceWarning,
    InternalClientError,
    OutdatedSchemaCacheError,
    PostgresError,
    PostgresLogMessage,
    PostgresMessage,
    ProtocolError,
    TargetServerAttributeNotMatched,
    UnknownPostgresError,
    UnsupportedClientFeatureError,
    UnsupportedServerFeatureError,
)

__all__ = [
    "ClientConfigurationError",
    "DataError",
    "FatalPostgresError",
    "InterfaceError",
    "InterfaceMessage",
    "InterfaceWarning",
    "InternalClientError",
    "OutdatedSchemaCacheError",
    "PostgresError",
    "PostgresLogMessage",
    "PostgresMessage",
    "ProtocolError",
    "TargetServerAttributeNotMatched",
    "UnknownPostgresError",
    "UnsupportedClientFeatureError",
    "UnsupportedServerFeatureError",
]
