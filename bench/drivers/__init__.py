"""The drivers that are compared, one file each, ending in its `DRIVER`.

Two beside them are no drivers: the limit shows what bytes prepared beforehand reach, and records
what pgallop takes for rows that it makes into nothing else.
"""

import importlib
import importlib.util

from bench.drivers.driver import AnyDriver

# In the order in which they are measured. The second is what each needs.
DRIVERS = {
    "pgallop": "pgallop",
    "asyncpg": "asyncpg",
    "psycopg": "psycopg",
    "psqlpy": "psqlpy",
    "limit": "socket",
    "records": "pgallop",
}


def installed() -> list[str]:
    """Return the names of the drivers that can be measured here."""
    return [name for name, module in DRIVERS.items() if importlib.util.find_spec(module)]


def load(name: str) -> AnyDriver:
    """Return the driver of that name, one of `installed()`."""
    driver: AnyDriver = importlib.import_module(f"bench.drivers.{name}").DRIVER
    return driver
