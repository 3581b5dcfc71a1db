"""The entry: `python -m tests.fuzz`, from the checkout."""

import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent


def put_checkout_last() -> None:
    """Let a pgallop from PYTHONPATH win over the sources in the checkout, which are interpreted."""
    checkout = TESTS.parent
    others = [entry for entry in sys.path if Path(entry or ".").resolve() != checkout]
    sys.path[:] = [*others, str(TESTS), str(checkout)]


if __name__ == "__main__":
    put_checkout_last()
    from fuzz.command import main

    sys.exit(main())
