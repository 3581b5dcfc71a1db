"""`python -m bench.scale`: what pgallop's cost depends on, beside asyncpg's, and how much."""
