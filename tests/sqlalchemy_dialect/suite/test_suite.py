"""SQLAlchemy's tests of dialects, as they are.

One of them looks for the name of the driver, to know what a cursor of the server's is in it.
"""

from typing import Any

from sqlalchemy.testing import suite
from sqlalchemy.testing.suite import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary]


class ServerSideCursorsTest(suite.ServerSideCursorsTest):  # type: ignore[no-redef]
    def _is_server_side(self, cursor: Any) -> bool:
        if hasattr(cursor, "server_side") and self.engine.dialect.driver == "pgallop":
            return bool(cursor.server_side)
        return bool(super()._is_server_side(cursor))  # type: ignore[no-untyped-call]
