"""The user's files, read from the disk."""

import os
import stat
import warnings
from functools import cached_property
from pathlib import Path

from pgallop.errors import ClientConfigurationError, InterfaceWarning

__all__ = ["LocalFiles", "os_user"]

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def os_user() -> str:
    """The operating system's name of who runs this; raises what getpass.getuser() does."""
    import getpass  # most programs say who they are, and it brings termios along

    return getpass.getuser()


class LocalFiles:
    """What `pgallop.config.files.Files` asks for; one for each time that options are resolved."""

    @cached_property
    def _home(self) -> str | None:
        home = os.path.expanduser("~")
        return None if home == "~" else home  # neither HOME nor the system's users know it

    def home(self) -> str | None:
        return self._home

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def read(self, path: str) -> str | None:
        # Bytes that are not UTF-8 come back as they were where they are sent: in a password.
        try:
            return Path(path).read_text("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise ClientConfigurationError(f"{path} cannot be read: {error.strerror}") from error

    def read_secret(self, path: str) -> str | None:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            return None
        problem = ""
        if not stat.S_ISREG(mode):
            problem = "is no plain file"
        elif os.name == "posix" and mode & _OTHERS:
            problem = "can be read by others: its permissions have to be 0600 or less"
        if problem:
            warnings.warn(
                f"the password file {path} is left aside: it {problem}",
                InterfaceWarning,
                stacklevel=2,
            )
            return None
        try:
            return self.read(path)
        except ClientConfigurationError:
            return None  # as libpq: the server may not want a password
