"""Files that are nowhere but in a dictionary."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class DictFiles:
    """The files of `texts` by path, in the home directory /home/ada; `open_to_all`: not secret."""

    def __init__(
        self,
        texts: Mapping[str, str],
        open_to_all: Collection[str] = (),
        home: str | None = "/home/ada",
    ) -> None:
        self._texts = texts
        self._open_to_all = open_to_all
        self._home = home

    def home(self) -> str | None:
        return self._home

    def exists(self, path: str) -> bool:
        return path in self._texts

    def read(self, path: str) -> str | None:
        return self._texts.get(path)

    def read_secret(self, path: str) -> str | None:
        return None if path in self._open_to_all else self.read(path)
