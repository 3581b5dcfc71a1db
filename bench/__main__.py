"""The entry: decides which pgallop is measured, before anything imports it."""

import sys
from pathlib import Path


def put_checkout_last() -> None:
    """Let a pgallop from PYTHONPATH or the environment win over the sources beside this folder.

    `python -m` puts the current folder first, and from the checkout that is the interpreted
    pgallop, whatever is installed. The client processes inherit the path.
    """
    checkout = Path(__file__).resolve().parent.parent
    others = [entry for entry in sys.path if Path(entry or ".").resolve() != checkout]
    sys.path[:] = [*others, str(checkout)]


def main() -> int:
    put_checkout_last()
    from bench.command import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
