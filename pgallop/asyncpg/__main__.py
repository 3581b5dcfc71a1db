"""`python -m pgallop.asyncpg program.py ...`: run a program of asyncpg's on pgallop, as it is."""

import runpy
import sys
from pathlib import Path

from pgallop.asyncpg.installation import install

USAGE = """\
usage: python -m pgallop.asyncpg PROGRAM [ARGUMENT...]
       python -m pgallop.asyncpg -m MODULE [ARGUMENT...]

Runs a Python program, or a module as `python -m` does, with pgallop in place of asyncpg."""


def main(arguments: list[str]) -> int:
    """Run what the command line names; the exit status if there is nothing to run."""
    if arguments[:1] in (["-h"], ["--help"]):
        print(USAGE)
        return 0
    is_module = arguments[:1] == ["-m"]
    rest = arguments[1:] if is_module else arguments
    if not rest or (rest[0].startswith("-") and not is_module):
        print(USAGE, file=sys.stderr)
        return 2
    install()
    sys.argv[:] = rest
    if is_module:
        # `python -m` has put the current directory in front.
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        path = Path(rest[0])
        is_source = path.is_file() and path.suffix in (".py", ".pyc", ".pyw", "")
        if is_source and not sys.flags.safe_path:
            sys.path[0] = str(path.resolve().parent)  # as `python program.py` has it
        runpy.run_path(rest[0], run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
