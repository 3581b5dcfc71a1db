"""SQLAlchemy's plugin for pytest, which runs its tests of dialects (`tools/sqlalchemy_suite.py`).

PGALLOP_SUITE_INSTALL asks for the drop-in, in the place of asyncpg.

Source: README.dialects.rst of SQLAlchemy.
"""

import os
from importlib import import_module

import pytest
from sqlalchemy.dialects import registry

registry.register("postgresql.pgallop", "pgallop.sqlalchemy.dialect", "PgallopDialect")

if os.environ.get("PGALLOP_SUITE_INSTALL"):
    import_module("pgallop.asyncpg").install()

pytest.register_assert_rewrite("sqlalchemy.testing.assertions")

# How databases of PostgreSQL are made ready, whatever the driver.
import sqlalchemy.dialects.postgresql.provision  # noqa: E402, F401
from sqlalchemy.testing.plugin.pytestplugin import *  # noqa: E402, F403  # pyright: ignore[reportWildcardImportFromLibrary]
