"""Migrations by Alembic through an async engine: upgrade, autogenerate, check, downgrade."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

pytest.importorskip("alembic")

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

# As `alembic init -t async` makes it, less the logging and the mode without a database.
ENV = """
import asyncio

from alembic import context
from sqlalchemy import pool
from sqlalchemy.ext.asyncio import async_engine_from_config

from models import Base

config = context.config


def migrate(connection):
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()


async def run():
    section = config.get_section(config.config_ini_section, {})
    engine = async_engine_from_config(section, prefix="sqlalchemy.", poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(run())
"""

TEMPLATE = """
from alembic import op
import sqlalchemy as sa
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
"""

MODELS = """
import enum

from sqlalchemy import ForeignKey, String, func
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class Account(Base):
    __tablename__ = "accounts"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    settings: Mapped[dict] = mapped_column(postgresql.JSONB, server_default="{}")
    tags: Mapped[list[str]] = mapped_column(postgresql.ARRAY(String), index=True)
"""

MORE_MODELS = """

class Entry(Base):
    __tablename__ = "entries"
    id: Mapped[int] = mapped_column(primary_key=True)
    account: Mapped[int] = mapped_column(ForeignKey("accounts.id"))
    amount: Mapped[float]
"""


@pytest.fixture
def database(dsn: str) -> Iterator[str]:
    """A database of its own, which is dropped with all that is left in it."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
        yield dsn.rpartition("/")[0] + "/migrated"
        connection.execute("DROP DATABASE migrated")


@pytest.fixture
def config(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    (tmp_path / "versions").mkdir()
    (tmp_path / "env.py").write_text(ENV)
    (tmp_path / "script.py.mako").write_text(TEMPLATE)
    monkeypatch.syspath_prepend(tmp_path)
    config = Config()
    config.set_main_option("script_location", str(tmp_path))
    config.set_main_option("path_separator", "os")
    url = database.replace("postgresql://", "postgresql+pgallop://", 1).replace("%", "%%")
    config.set_main_option("sqlalchemy.url", url)
    return config


def tables(database: str) -> set[str]:
    with psycopg.connect(database) as connection:
        rows = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        )
        return {name for (name,) in rows}


def write_models(folder: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "models.py").write_text(text)
    monkeypatch.delitem(sys.modules, "models", raising=False)
    importlib.invalidate_caches()


def test_migrations(
    config: Config, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # the models change within a second
    write_models(tmp_path, MODELS, monkeypatch)
    command.revision(config, "accounts", autogenerate=True)
    command.upgrade(config, "head")
    assert tables(database) == {"accounts", "alembic_version"}
    command.check(config)

    write_models(tmp_path, MODELS + MORE_MODELS, monkeypatch)
    with pytest.raises(CommandError, match="New upgrade operations detected"):
        command.check(config)
    command.revision(config, "entries", autogenerate=True)
    command.upgrade(config, "head")
    assert tables(database) == {"accounts", "alembic_version", "entries"}
    command.check(config)

    command.downgrade(config, "-1")
    assert tables(database) == {"accounts", "alembic_version"}
    command.downgrade(config, "base")
    assert tables(database) == {"alembic_version"}
