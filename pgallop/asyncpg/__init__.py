"""asyncpg's modules on pgallop: the names, signatures, defaults and quirks of asyncpg 0.32.

`import pgallop.asyncpg as asyncpg` runs a program that was written for asyncpg; `install` lets
libraries that import asyncpg by its name have this instead; `python -m pgallop.asyncpg program.py`
runs a program as it is.

Where it differs from asyncpg on purpose, and from pgallop's own classes, is listed in
`pgallop.asyncpg.differences`.
"""

from pgallop.asyncpg import connect_utils as connect_utils
from pgallop.asyncpg import connection as connection
from pgallop.asyncpg import cursor as cursor
from pgallop.asyncpg import exceptions as exceptions
from pgallop.asyncpg import introspection as introspection
from pgallop.asyncpg import pgproto as pgproto
from pgallop.asyncpg import pool as pool
from pgallop.asyncpg import prepared_stmt as prepared_stmt
from pgallop.asyncpg import protocol as protocol
from pgallop.asyncpg import serverversion as serverversion
from pgallop.asyncpg import transaction as transaction
from pgallop.asyncpg import types as types
from pgallop.asyncpg import utils as utils
from pgallop.asyncpg._version import __version__ as __version__
from pgallop.asyncpg.connection import Connection, connect
from pgallop.asyncpg.exceptions import *  # noqa: F403 (they belong to asyncpg's vocabulary)
from pgallop.asyncpg.installation import install as install
from pgallop.asyncpg.installation import is_installed as is_installed
from pgallop.asyncpg.installation import uninstall as uninstall
from pgallop.asyncpg.pool import Pool, create_pool
from pgallop.asyncpg.protocol import Record
from pgallop.asyncpg.types import *  # noqa: F403 (so do the classes of values)

__all__ = ["Connection", "Pool", "Record", "connect", "create_pool"]
__all__ += exceptions.__all__  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
