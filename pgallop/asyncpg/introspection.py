"""How asyncpg asks the catalogue about types: nothing of it is needed here."""
