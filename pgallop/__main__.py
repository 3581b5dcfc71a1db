"""`python -m pgallop`, which is also installed as the command `pgallop`."""

import sys

from pgallop.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
