"""What `resolve` may ask of the file system; the reading itself is done by who calls it."""

from typing import Protocol

__all__ = ["NO_FILES", "Files"]


class Files(Protocol):
    """The user's files."""

    def home(self) -> str | None:
        """Return the user's home directory, None if there is none."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is a file of this name that can be seen."""
        ...

    def read(self, path: str) -> str | None:
        """Return the text of a file, None if there is no such file.

        Raises:
            ClientConfigurationError: it is there and cannot be read.
        """
        ...

    def read_secret(self, path: str) -> str | None:
        """Return the text of a file as `read` does; None, and a warning, if others may read it."""
        ...


class NoFiles:
    """A system without any files."""

    def home(self) -> str | None:
        return None

    def exists(self, path: str) -> bool:
        return False

    def read(self, path: str) -> str | None:
        return None

    def read_secret(self, path: str) -> str | None:
        return None


NO_FILES = NoFiles()


def in_home(files: Files, *parts: str) -> str | None:
    """Return the path of something in the user's home directory, None if there is no such."""
    home = files.home()
    return None if home is None else "/".join([home, *parts])
