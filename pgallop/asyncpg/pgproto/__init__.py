"""Where asyncpg has its values."""
