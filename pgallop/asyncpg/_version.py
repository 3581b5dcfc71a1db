"""The version of asyncpg that this stands in for."""

__version__ = "0.32.0"
