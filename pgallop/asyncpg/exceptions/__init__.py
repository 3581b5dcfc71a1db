"""asyncpg's exceptions: those of `pgallop.errors`, which has them under the same names."""

from pgallop import errors
from pgallop._sqlstate import *  # noqa: F403 (mypy does not see them through errors, in a cycle)
from pgallop.errors import *  # noqa: F403 (all of them)

__all__ = errors.__all__  # pyright: ignore
