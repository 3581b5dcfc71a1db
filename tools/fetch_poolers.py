"""Have PgBouncer and pgpool-II for tests, and print where they are.

    python tools/fetch_poolers.py pgbouncer pgpool

One that is installed is used. Otherwise it is Debian's: apt downloads the package and those of the
libraries that are missing here, which checks their signatures, and dpkg unpacks them; nothing is
installed, and no root is needed. Program and libraries lie side by side in `build/poolers/`, so it
runs with LD_LIBRARY_PATH set to its own folder. What is there already is not fetched again.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "build" / "poolers"

# Debian's packages, by the names of their programs.
PACKAGES = {"pgbouncer": "pgbouncer", "pgpool": "pgpool2"}

# Where a system keeps its servers; not everybody's PATH has that.
SYSTEM_PATHS = ("/usr/local/sbin", "/usr/sbin")


def installed(name: str) -> Path | None:
    """The program of the system, None if it has none."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *SYSTEM_PATHS])
    found = shutil.which(name, path=path)
    return None if found is None else Path(found)


def run(*command: str, folder: Path | None = None) -> str:
    """Run a program of Debian's; what it prints."""
    name = command[0]
    if shutil.which(name) is None:
        raise SystemExit(
            f"there is no {name} here to fetch poolers with: install "
            f"{' and '.join(PACKAGES.values())} as your system does it"
        )
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=folder, env=environment, check=False
    )
    if done.returncode != 0:
        hint = "" if name == "dpkg-deb" else "\n(apt-get update fetches the lists of packages)"
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr.strip()}{hint}")
    return done.stdout


def needed(package: str) -> list[str]:
    """The package, and those of libraries that apt would install with it on this machine."""
    plan = run("apt-get", "install", "--simulate", "--no-install-recommends", package)
    names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
    # The rest is about running it as a service: accounts, scripts, Perl.
    libraries = [name for name in names if name.startswith("lib") and not name.endswith("-perl")]
    return [package, *libraries]


def unpack(archives: list[Path], name: str, folder: Path) -> None:
    """Put the program and all libraries of the packages into `folder`."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as root:
        for archive in archives:
            run("dpkg-deb", "--extract", str(archive), root)
        for path in sorted(Path(root).rglob("*")):
            is_program = path.name == name and path.parent.name in ("bin", "sbin")
            is_library = path.suffix == ".so" or ".so." in path.name
            if path.is_file() and (is_program or is_library):
                shutil.copy(path, folder / path.name)  # a link as what it leads to
    if not (folder / name).is_file():
        raise SystemExit(f"there is no program {name} in {[path.name for path in archives]}")


def fetch(name: str, folder: Path = FOLDER) -> Path:
    """Have a pooler that can be run.

    Args:
        name: "pgbouncer" or "pgpool".
        folder: where those are kept that are not installed, a folder each.

    Returns:
        The program; what was fetched needs its own folder as LD_LIBRARY_PATH.
    """
    system = installed(name)
    if system is not None:
        return system
    place = folder / name
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            # Its downloads apt would otherwise leave to an account that may not write here.
            sandbox = ("-o", "APT::Sandbox::User=root") if os.geteuid() == 0 else ()
            packages = needed(PACKAGES[name])
            run("apt-get", "--quiet", *sandbox, "download", *packages, folder=Path(scratch))
            unpacked = Path(scratch, name)
            unpacked.mkdir()
            archives = sorted(Path(scratch).glob("*.deb"))
            unpack(archives, name, unpacked)
            try:
                unpacked.rename(place)
            except OSError:
                if not place.is_dir():
                    raise  # else another process has fetched it meanwhile
    return place / name


def main() -> None:
    names = sys.argv[1:]
    if not names or not set(names) <= set(PACKAGES):
        raise SystemExit(f"usage: python tools/fetch_poolers.py {{{','.join(PACKAGES)}}} ...")
    for name in names:
        print(fetch(name))


if __name__ == "__main__":
    main()
