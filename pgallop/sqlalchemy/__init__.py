"""The dialect `postgresql+pgallop` for SQLAlchemy 2.

    engine = create_async_engine("postgresql+pgallop://ada:secret@localhost/shop")

SQLAlchemy finds it by itself where pgallop is installed; nothing here is imported by pgallop. An
error of pgallop's is the `orig` of SQLAlchemy's, as it is. `docs/sqlalchemy.md` tells the rest.
"""
