"""`postgresql+pgallop`: the dialect, which SQLAlchemy finds by an entry point."""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import util
from sqlalchemy.dialects.postgresql.base import PGDialect, PGExecutionContext
from sqlalchemy.engine.url import URL
from sqlalchemy.pool import AsyncAdaptedQueuePool

from pgallop.codecs.customization import TypeCodec
from pgallop.connection import Connection
from pgallop.knowledge import Knowledge
from pgallop.sqlalchemy import types
from pgallop.sqlalchemy.adapter import AUTOCOMMIT, AdaptedConnection
from pgallop.sqlalchemy.dbapi import Dbapi, translations
from pgallop.sqlalchemy.url import options_of
from pgallop.wire.frontend import MAX_PARAMETERS

ISOLATION_LEVELS = (
    AUTOCOMMIT,
    "READ UNCOMMITTED",
    "READ COMMITTED",
    "REPEATABLE READ",
    "SERIALIZABLE",
)

# SQLAlchemy's types for these give and take text, those of pgvector's package do.
TEXT_TYPES = ("halfvec", "sparsevec", "vector")
AS_TEXT = TypeCodec(str, str)


class PgallopExecutionContext(PGExecutionContext):
    """What runs one statement."""

    def create_server_side_cursor(self) -> Any:
        return self._dbapi_connection.cursor(server_side=True)


class PgallopDialect(PGDialect):
    """PostgreSQL through pgallop.

    Args: those of SQLAlchemy's dialects of PostgreSQL, which `create_async_engine` takes:
        `json_serializer`, `json_deserializer`, `native_inet_types`.

    Example:
        >>> engine = create_async_engine("postgresql+pgallop://localhost/shop")
    """

    driver = "pgallop"
    is_async = True
    supports_statement_cache = True
    supports_server_side_cursors = True
    has_terminate = True
    default_paramstyle = "numeric_dollar"
    render_bind_cast = True
    supports_native_json_serialization = False
    supports_native_json_deserialization = True
    dialect_injects_custom_json_deserializer = True
    insertmanyvalues_max_parameters = MAX_PARAMETERS
    supports_sane_multi_rowcount = True
    execution_ctx_cls = PgallopExecutionContext
    colspecs = types.COLSPECS
    dbapi_exception_translation_map = translations()
    poolclass = AsyncAdaptedQueuePool

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        # One for each event loop, of which programs without a pool may have several.
        self._knowledge: WeakKeyDictionary[asyncio.AbstractEventLoop, Knowledge]
        self._knowledge = WeakKeyDictionary()
        self._has_addresses = options.get("native_inet_types") is not False
        given = (self._json_serializer, self._json_deserializer)
        self._json = types.JSON_FUNCTIONS if given == (None, None) else types.json_functions(*given)

    @classmethod
    def import_dbapi(cls) -> Any:
        return Dbapi()

    def retrieve_dbapi_version(self, dbapi: Any) -> Any:
        return util.parse_version_string(dbapi.pgallop.__version__)

    # Connecting

    def create_connect_args(self, url: URL) -> tuple[list[Any], dict[str, Any]]:
        options = options_of(url, *self._split_multihost_from_url(url))
        names: tuple[str, ...] = TEXT_TYPES
        if not self._has_addresses:
            names += ("cidr", "inet")
        codecs = dict.fromkeys(names, AS_TEXT)
        return [], {"json": self._json, "codecs": codecs, **options}

    def connect(self, *args: Any, **options: Any) -> Any:
        """Open a connection, which shares what it learns with the engine's others."""
        loop = asyncio.get_running_loop()
        knowledge = self._knowledge.get(loop)
        if knowledge is None:
            knowledge = self._knowledge[loop] = Knowledge()
        return super().connect(*args, **{"knowledge": knowledge, **options})

    def do_terminate(self, dbapi_connection: Any) -> None:
        dbapi_connection.terminate()

    def do_ping(self, dbapi_connection: Any) -> bool:
        dbapi_connection.ping()
        return True

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return connection is not None and connection.is_closed()

    def get_driver_connection(self, connection: Any) -> Connection:
        driver_connection: Connection = connection.driver_connection
        return driver_connection

    # Transactions

    def get_isolation_level_values(self, dbapi_conn: Any) -> Any:
        return ISOLATION_LEVELS

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        dbapi_connection.set_isolation_level(level)

    def get_isolation_level(self, dbapi_connection: Any) -> Any:
        is_new = dbapi_connection.transaction is None
        cursor = dbapi_connection.cursor()
        cursor.execute("SHOW transaction_isolation")
        (level,) = cursor.fetchone()
        if is_new:
            dbapi_connection.rollback()
        return level.upper()

    def detect_autocommit_setting(self, dbapi_conn: Any) -> bool:
        return bool(dbapi_conn.autocommit)

    def set_readonly(self, connection: Any, value: bool) -> None:
        connection.readonly = value

    def get_readonly(self, connection: Any) -> bool:
        readonly: bool = connection.readonly
        return readonly

    def set_deferrable(self, connection: Any, value: bool) -> None:
        connection.deferrable = value

    def get_deferrable(self, connection: Any) -> bool:
        deferrable: bool = connection.deferrable
        return deferrable

    def do_prepare_twophase(self, connection: Any, xid: str) -> None:
        adapted_of(connection).prepare_twophase(xid)

    def do_commit_twophase(
        self, connection: Any, xid: str, is_prepared: bool = True, recover: bool = False
    ) -> None:
        if is_prepared:
            adapted_of(connection).finish_twophase("COMMIT", xid)
        else:
            adapted_of(connection).commit()

    def do_rollback_twophase(
        self, connection: Any, xid: str, is_prepared: bool = True, recover: bool = False
    ) -> None:
        if is_prepared:
            adapted_of(connection).finish_twophase("ROLLBACK", xid)
        else:
            adapted_of(connection).rollback()


def adapted_of(connection: Any) -> AdaptedConnection:
    """What is behind a connection of SQLAlchemy's pool."""
    adapted: AdaptedConnection = connection.connection.dbapi_connection
    return adapted
