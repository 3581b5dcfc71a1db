"""The processes of a server, to be stopped and continued as a whole."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgallop.cli.server import EmbeddedServer


def first_process(server: EmbeddedServer) -> int:
    """The process that accepts connections and is the parent of all others."""
    return int((server.folder / "data" / "postmaster.pid").read_text("ascii").split()[0])


def children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        with suppress(OSError):  # it has ended meanwhile
            # The command's name, in parentheses, may hold anything; the parent comes after that.
            after_name = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2]
            if int(after_name.split()[1]) == parent:
                found.append(int(entry.name))
    return found


@contextmanager
def frozen(server: EmbeddedServer) -> Iterator[None]:
    """Stop all processes of the server with SIGSTOP during the block."""
    first = first_process(server)
    os.kill(first, signal.SIGSTOP)  # before the others, so that it makes no more of them
    stopped = [first]
    try:
        for pid in children(first):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        yield
    finally:
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
