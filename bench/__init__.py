"""`python -m bench`: pgallop beside asyncpg, psycopg and psqlpy, in one run on one server."""
