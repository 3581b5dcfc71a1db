"""The distributions: what is in them, and that they install and work in an empty environment."""

import email
import email.message
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import pgallop

CHECKOUT = Path(__file__).parents[2]
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
SWITCHES = {"compiled": "PGALLOP_REQUIRE_COMPILED", "pure": "PGALLOP_PURE"}

# The first test to need a wheel waits for a whole build.
pytestmark = [pytest.mark.once, pytest.mark.timeout(300)]


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PGALLOP_") and name != "PYTHONPATH"
    }
    process = subprocess.run(
        command,
        cwd=cwd,
        env=kept | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout
    return process.stdout


def build(source: Path, kind: str, into: Path, **variables: str) -> None:
    """Build with what is installed here, so that no package index is needed."""
    options = (f"--{kind}", "--no-isolation", "--outdir", into)
    run(sys.executable, "-m", "build", *options, cwd=source, **variables)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout as it would be cloned."""
    copy = tmp_path_factory.mktemp("sources") / "pgallop"
    generated = shutil.ignore_patterns(
        ".git", ".venv*", ".nox", "build", "dist", "*.egg-info", "*.so", "__pycache__", ".*_cache",
        ".hypothesis",
    )  # fmt: skip
    shutil.copytree(CHECKOUT, copy, ignore=generated)
    return copy


@pytest.fixture(scope="module")
def sdist(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    built = tmp_path_factory.mktemp("sdist")
    build(sources, "sdist", built)
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(built, filter="data")
    return built / f"pgallop-{pgallop.__version__}"


@pytest.fixture(scope="module")
def wheels(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The two wheels, made from the sdist: what it lacks would be missing here."""
    made = {}
    for mode, switch in SWITCHES.items():
        built = tmp_path_factory.mktemp(mode)
        # Unoptimised: it is the packaging that is tested, and this takes a third of the time.
        build(sdist, "wheel", built, CFLAGS="-O0", **{switch: "1"})
        (made[mode],) = built.glob("*.whl")
    return made


@pytest.fixture(params=SWITCHES)
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_sdist_holds_all_sources_and_nothing_generated(sources: Path, sdist: Path) -> None:
    packed = {name for name in contents(sdist) if "egg-info/" not in name}
    cloned = {name for name in contents(sources) if "egg-info/" not in name}
    needed = {name for name in cloned if not name.startswith(".") or name.startswith(".ci/")}
    assert needed <= packed, "MANIFEST.in names what goes into the sdist"
    assert packed <= needed | {"PKG-INFO", "setup.cfg"}


def test_a_wheel_holds_the_package_and_nothing_else(
    sources: Path, wheels: dict[str, Path], mode: str
) -> None:
    package = {f"pgallop/{name}" for name in contents(sources / "pgallop")}
    assert {"pgallop/py.typed", "pgallop/wire/bigendian.h", "pgallop/wire/reader.pxd"} <= package
    with zipfile.ZipFile(wheels[mode]) as wheel:
        names = set(wheel.namelist())
    described = {
        name for name in names if name.startswith(f"pgallop-{pgallop.__version__}.dist-info/")
    }
    compiled = {name for name in names if name.endswith(SUFFIX)}
    assert names - described - compiled == package
    headers = {name.removesuffix(".pxd") for name in package if name.endswith(".pxd")}
    twins = {name for name in headers if is_interpreted_twin(sources / f"{name}.pxd")}
    expected = {f"{name}{SUFFIX}" for name in headers - twins} if mode == "compiled" else set()
    assert compiled == expected


def is_interpreted_twin(header: Path) -> bool:
    return header.read_text(encoding="utf-8").startswith("# Interpreted twin:")


def test_a_wheel_is_tagged_for_what_is_in_it(wheels: dict[str, Path]) -> None:
    version = pgallop.__version__
    assert wheels["pure"].name == f"pgallop-{version}-py3-none-any.whl"
    cpython = "cp{}{}".format(*sys.version_info)
    assert wheels["compiled"].name.startswith(f"pgallop-{version}-{cpython}-{cpython}-")


def test_the_metadata(wheels: dict[str, Path], mode: str) -> None:
    described = f"pgallop-{pgallop.__version__}.dist-info"
    with zipfile.ZipFile(wheels[mode]) as wheel:
        metadata = email.message_from_bytes(wheel.read(f"{described}/METADATA"))
        assert f"{described}/licenses/LICENSE" in wheel.namelist()
    assert metadata["Name"] == "pgallop"
    assert metadata["Version"] == pgallop.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    always = [r for r in metadata.get_all("Requires-Dist", []) if "extra ==" not in r]
    assert always == [], "there is no runtime dependency"


def test_a_wheel_works_in_an_empty_environment(
    wheels: dict[str, Path], mode: str, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=os.name != "nt", with_pip=False)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = (sys.executable, "-m", "pip", "--python", scripts / "python")
    run(*pip, "install", "--no-index", wheels[mode], cwd=tmp_path)
    assert "No broken requirements found" in run(*pip, "check", cwd=tmp_path)

    code = "import pgallop; print(pgallop.__compiled__, pgallop.__version__, pgallop.__file__)"
    compiled, version, file = run(scripts / "python", "-I", "-c", code, cwd=tmp_path).split()
    assert compiled == str(mode == "compiled")
    assert version == pgallop.__version__
    assert Path(file).is_relative_to(environment)
    assert "demo" in run(scripts / "pgallop", "--help", cwd=tmp_path)
