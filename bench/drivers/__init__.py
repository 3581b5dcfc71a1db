"""The drivers that are compared, one file each, ending in its `DRIVER`.

Two beside them are no drivers: the limit shows what bytes prepared beforehand reach, and records
what pgallop takes for rows that it makes into nothing else. One is no Python.
"""

import importlib
import importlib.util

from bench.drivers import postgresjs
from bench.drivers.driver import AnyDriver
from bench.drivers.foreign import Foreign

# In the order in which they are measured. The second is the module that each needs.
DRIVERS = {
    "pgallop": "pgallop",
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psqlpy": "psqlpy",
    "postgresjs": "",
    "limit": "socket",
    "records": "pgallop",
}


def missing() -> dict[str, str]:
    """Return the drivers that cannot be measured here, and why."""
    reasons = {
        name: f"the package {module} is not installed"
        for name, module in DRIVERS.items()
        if module and not importlib.util.find_spec(module)
    }
    if reason := postgresjs.missing():
        reasons["postgresjs"] = reason
    return reasons


def installed() -> list[str]:
    """Return the names of the drivers that can be measured here."""
    return [name for name in DRIVERS if name not in missing()]


def load(name: str) -> AnyDriver | Foreign:
    """Return the driver of that name, one of `installed()`."""
    driver: AnyDriver | Foreign = importlib.import_module(f"bench.drivers.{name}").DRIVER
    return driver
