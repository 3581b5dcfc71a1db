"""A host of its own on the other side of a link that can be taken down: needs root and `ip netns`.

The link is a veth pair with one end in a network namespace, and in that namespace a relay to the
server's Unix socket (which network namespaces share). With the far end down nothing arrives any
more, in either direction, and neither side is told: as when a cable is pulled or a firewall forgets
a connection.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pgallop.cli.server import EmbeddedServer

# From a block for documentation and examples (RFC 5737), which should be nobody's network.
NETWORK = "203.0.113.0/30"
NEAR, FAR = "203.0.113.1", "203.0.113.2"
PREFIX = 30
PORT = 5432
RELAY = Path(__file__).with_name("relay.py")


class NotPossible(Exception):
    """This process may not make network namespaces; the message says why."""


def ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotPossible(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


class Link:
    """The link; `up` and `down` change its far end."""

    def __init__(self) -> None:
        number = os.getpid() % 100_000
        self.namespace = f"pgallop-{number}"
        self._near, self._far = f"pgn{number}", f"pgf{number}"

    def make(self) -> None:
        if os.geteuid() != 0:
            raise NotPossible("needs root")
        if shutil.which("ip") is None:
            raise NotPossible("needs the program ip")
        if ip("-4", "address", "show", "to", NETWORK):
            raise NotPossible(f"{NETWORK} is in use here")
        ip("netns", "add", self.namespace)
        try:
            ip("link", "add", self._near, "type", "veth", "peer", "name", self._far)
            ip("link", "set", self._far, "netns", self.namespace)
            ip("address", "add", f"{NEAR}/{PREFIX}", "dev", self._near)
            ip("link", "set", self._near, "up")
            self._inside("address", "add", f"{FAR}/{PREFIX}", "dev", self._far)
            self.up()
        except NotPossible:
            self.remove()
            raise

    def up(self) -> None:
        self._inside("link", "set", self._far, "up")

    def down(self) -> None:
        self._inside("link", "set", self._far, "down")

    def remove(self) -> None:
        """The end in the namespace goes with it, and takes the other one along."""
        ip("netns", "delete", self.namespace)

    def _inside(self, *arguments: str) -> None:
        ip("-netns", self.namespace, *arguments)


@asynccontextmanager
async def far_server(server: EmbeddedServer) -> AsyncIterator[tuple[Link, str]]:
    """The link, and a DSN of the server on its other side; raises NotPossible."""
    link = Link()
    link.make()
    try:
        command = ["ip", "netns", "exec", link.namespace, sys.executable, "-P", str(RELAY)]
        command += [FAR, str(PORT), f"{server.host}/.s.PGSQL.{server.port}"]
        relay = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        assert relay.stdin is not None
        assert relay.stdout is not None
        try:
            ready = await relay.stdout.readline()
            if ready != b"ready\n":
                raise NotPossible("the relay did not start")
            yield link, f"postgresql://{server.user}@{FAR}:{PORT}/{server.database}?sslmode=disable"
        finally:
            relay.stdin.close()
            await relay.wait()
    finally:
        link.remove()
