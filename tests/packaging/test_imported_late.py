"""What `import pgallop` leaves out, because most programs have no use for it."""

import subprocess
import sys

LATE = (
    "pgallop.asyncpg",
    "pgallop.auth.saslprep",
    "pgallop.cli",
    "pgallop.codecs.custom",
    "pgallop.codecs.extensions",
    "pgallop.codecs.money",
    "pgallop.codecs.rare",
    "pgallop.codecs.ranges",
    "pgallop.codecs.records",
    "pgallop.codecs.textual",
    "pgallop.codecs.user_types",
    "pgallop.copy_arguments",
    "pgallop.copy_drain",
    "pgallop.copy_outputs",
    "pgallop.copy_rows",
    "pgallop.copy_transfer",
    "pgallop.cursor",
    "pgallop.pool.stats",
    "pgallop.rows.planning",
    "pgallop.session.copy_out",
    "pgallop.session.copy_rows",
    "pgallop.session.portal",
    "pgallop.session.texts",
    "pgallop.sqlalchemy",
    "pgallop.stream",
    "getpass",
    "shapely",
    "sqlalchemy",
    "stringprep",
)


def loaded_by(program: str) -> set[str]:
    told = f"{program}\nimport sys\nprint(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-Pc", told], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_import() -> None:
    loaded = loaded_by("import pgallop")
    assert not loaded.intersection(LATE)
    assert "pgallop.codecs.arrays" in loaded  # modules are seen


def test_codecs_of_usual_types_need_no_others() -> None:
    program = """
from pgallop.codecs._oids import ARRAYS, OIDS
from pgallop.codecs.builtin import builtin_registry
registry = builtin_registry()
for name in "bool int4 numeric text bytea timestamptz interval jsonb uuid".split():
    registry.get(OIDS[name])
    registry.get(ARRAYS[name])
"""
    assert not loaded_by(program).intersection(LATE)
    assert "pgallop.codecs.rare" in loaded_by(f"{program}\nregistry.get(OIDS['point'])")


def test_a_setting_of_a_session_needs_no_others() -> None:
    program = """
from pgallop.codecs.builtin import builtin_registry
from pgallop.knowledge import unresolve
from pgallop.statement_cache import StatementCache
unresolve(StatementCache(100, 1000, 0.0), builtin_registry().copy())
"""
    assert not loaded_by(program).intersection(LATE)
