"""PostgreSQL's types as Python's: one codec a type, one file a family."""
