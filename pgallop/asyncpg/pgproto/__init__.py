"""Where asyncpg has its values."""

from pgallop.asyncpg.pgproto import pgproto as pgproto
from pgallop.asyncpg.pgproto import types as types
