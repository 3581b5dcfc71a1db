"""postgres.js on Node.js: tasks share connections, as pgallop's do. It needs no event loop of ours.

tools/fetch_postgresjs.py gets it.
"""

import asyncio
import json
import shutil
import subprocess
from pathlib import Path

from bench.drivers.foreign import Foreign
from bench.orders import Measure
from bench.results import Sample
from bench.work import NEAR, Work

_CHECKOUT = Path(__file__).resolve().parent.parent.parent
_PACKAGE = _CHECKOUT / "build" / "postgresjs" / "node_modules" / "postgres"
_PROGRAM = Path(__file__).with_suffix(".mjs")


def missing() -> str:
    """Return why it cannot be measured here; empty if it can."""
    if shutil.which("node") is None:
        return "Node.js is not installed"
    if not (_PACKAGE / "package.json").is_file():
        return "python tools/fetch_postgresjs.py gets it"
    return ""


class PostgresJs(Foreign):
    pools = True

    def version(self) -> str:
        package = json.loads((_PACKAGE / "package.json").read_text(encoding="utf-8"))
        node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
        return f"{package['version']} (Node.js {node.stdout.strip().removeprefix('v')})"

    def supports(self, work: Work) -> bool:
        """What it is known for: many tasks on few connections."""
        is_plain = work.place == NEAR and not work.bursts
        return super().supports(work) and is_plain and work.shares_connections

    async def measure(self, dsn: str, work: Work, order: Measure) -> Sample:
        told = {
            "module": (_PACKAGE / "src" / "index.js").as_uri(),
            "dsn": dsn,
            "query": work.query,
            "arguments": work.arguments,
            "connections": work.connections,
            "tasks": work.tasks,
            "warm_up": order.warm_up,
            "seconds": order.seconds,
        }
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            "node", str(_PROGRAM), stdin=pipe, stdout=pipe, stderr=pipe
        )
        try:
            answer, errors = await process.communicate(json.dumps(told).encode())
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise RuntimeError(errors.decode(errors="replace").strip())
        return Sample(**json.loads(answer))


DRIVER = PostgresJs()
