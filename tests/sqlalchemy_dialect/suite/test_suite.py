"""SQLAlchemy's tests of dialects, as they are.

One of them looks for the name of the driver, to know what a cursor of the server's is in it.
"""

from typing import Any

from sqlalchemy.testing import config
from sqlalchemy.testing.suite import *  # noqa: F403
from sqlalchemy.testing.suite import ServerSideCursorsTest as _ServerSideCursorsTest


class ServerSideCursorsTest(_ServerSideCursorsTest):
    def _is_server_side(self, cursor: Any) -> bool:
        if config.db.dialect.driver == "pgallop":
            return bool(cursor.server_side)
        return bool(super()._is_server_side(cursor))
