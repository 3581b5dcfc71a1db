"""The lying server, in a process of its own: what it has to say is no load on who is measured.

`HostileServer` starts the process and tells it which probe is next; `main` is that process. They
talk in lines: a probe's key, the port that serves it, "over", and what the client did wrong.
"""

from __future__ import annotations

import os
import subprocess
import sys
from types import TracebackType
from typing import IO, Self

from hostile.catalogue import find
from hostile.probe import ONE_ROW, description, finished
from scripted_server import FAREWELL, WELCOME, Script, ScriptedServer, expect, send
from scripts import BIND_COMPLETE

# What every connection but the first one gets.
HONEST: Script = [
    *WELCOME,
    expect("Parse", "Describe", "Sync"),
    send(description(("one", 23))),
    expect("Bind", "Execute", "Sync"),
    send(BIND_COMPLETE, ONE_ROW, finished()),
    *FAREWELL,
]


def environment() -> dict[str, str]:
    """What makes another Python find the same modules in the same places."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


class HostileServer:
    """The process, as its user sees it: a context manager, then `serve` and `over` in turn."""

    host = "127.0.0.1"

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hostile.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def serve(self, key: str) -> int:
        """Begin to serve that probe; the port."""
        return int(self._ask(key))

    def over(self) -> str:
        """End it; what the client did that the script does not expect, or nothing."""
        return self._ask("over")

    def _ask(self, line: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        print(line, file=stdin, flush=True)
        answer = stdout.readline()
        if not answer:
            raise ChildProcessError("the process of the hostile server has ended")
        return answer.strip()


def main(questions: IO[str], answers: IO[str]) -> None:
    """Serve one probe after the other."""
    while key := questions.readline().strip():
        deviation = ""
        try:
            with ScriptedServer(find(key).steps(), HONEST) as server:
                print(server.port, file=answers, flush=True)
                questions.readline()
        except Exception as error:
            deviation = " ".join(f"{type(error).__name__}: {error}".split())
        print(deviation, file=answers, flush=True)


if __name__ == "__main__":
    main(sys.stdin, sys.stdout)
