"""The tool that fetches poolers; what Debian's programs would do is done to it here."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "fetch_poolers.py"

# What `apt-get install --simulate` says, shortened.
PLAN = """NOTE: This is only a simulation!
Inst libcares2 (1.18.1-3 Debian:12.0/stable [amd64])
Inst libjson-perl (4.10000-1 Debian:12.0/stable [all])
Inst postgresql-common (248 Debian:12.0/stable [all])
Inst pgbouncer (1.18.0-1 Debian:12.0/stable [amd64])
Conf libcares2 (1.18.1-3 Debian:12.0/stable [amd64])
"""

# The files of those packages.
CONTENTS = {
    "pgbouncer.deb": {"usr/sbin/pgbouncer": "program", "etc/init.d/pgbouncer": "script"},
    "libcares2.deb": {"usr/lib/libcares.so.2": "library", "usr/share/doc/libcares2/copyright": ""},
}

pytestmark = pytest.mark.once


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_poolers", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def asked(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What apt is asked for, whose programs do what Debian's would."""
    asked: list[str] = []

    def run(*command: str, folder: Path | None = None) -> str:
        if "--simulate" in command:
            asked.append("simulate")
            return PLAN
        if command[0] == "apt-get":
            asked.extend(command[command.index("download") + 1 :])
            assert folder is not None
            for name in CONTENTS:
                (folder / name).touch()
        else:
            archive, place = command[-2:]
            for name, content in CONTENTS[Path(archive).name].items():
                path = Path(place, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        return ""

    monkeypatch.setattr(tool, "installed", lambda name: None)
    monkeypatch.setattr(tool, "run", run)
    return asked


def check(folder: Path) -> None:
    """The pooler is there, and nothing beside it."""
    assert [path.name for path in folder.iterdir()] == ["pgbouncer"]
    files = {path.name: path.read_text() for path in (folder / "pgbouncer").iterdir()}
    assert files == {"pgbouncer": "program", "libcares.so.2": "library"}


def test_fetches_program_and_libraries_once(
    tool: ModuleType, tmp_path: Path, asked: list[str]
) -> None:
    for _ in range(2):
        assert tool.fetch("pgbouncer", tmp_path) == tmp_path / "pgbouncer" / "pgbouncer"
    assert asked == ["simulate", "pgbouncer", "libcares2"]
    check(tmp_path)


def test_two_fetch_at_once(
    tool: ModuleType, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the workers of a run do: the first one's is what the second one uses, too."""
    unpack = tool.unpack

    def unpack_late(archives: list[Path], name: str, folder: Path) -> None:
        unpack(archives, name, folder)
        monkeypatch.setattr(tool, "unpack", unpack)
        tool.fetch("pgbouncer", tmp_path)

    monkeypatch.setattr(tool, "unpack", unpack_late)
    assert tool.fetch("pgbouncer", tmp_path) == tmp_path / "pgbouncer" / "pgbouncer"
    assert asked == ["simulate", "pgbouncer", "libcares2"] * 2
    check(tmp_path)


def test_a_place_that_cannot_be_taken(tool: ModuleType, tmp_path: Path, asked: list[str]) -> None:
    (tmp_path / "pgbouncer").write_text("no folder")
    with pytest.raises(NotADirectoryError):
        tool.fetch("pgbouncer", tmp_path)
    assert (tmp_path / "pgbouncer").read_text() == "no folder"


def test_a_package_without_the_program(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool, "installed", lambda name: None)
    monkeypatch.setattr(tool, "run", lambda *command, folder=None: "")
    with pytest.raises(SystemExit, match="no program pgpool"):
        tool.fetch("pgpool", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_installed_one_is_used(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "pgbouncer"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool.fetch("pgbouncer", tmp_path / "fetched") == program
    assert not (tmp_path / "fetched").exists()


def test_a_machine_without_apt(tool: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SystemExit, match=r"no apt-get here .* install pgbouncer and pgpool2"):
        tool.run("apt-get", "download", "pgbouncer")
