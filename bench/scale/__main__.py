"""The entry: decides which pgallop is measured, before anything imports it."""

import sys

from bench.__main__ import put_checkout_last


def main() -> int:
    put_checkout_last()
    from bench.scale.command import main

    return main()


if __name__ == "__main__":
    sys.exit(main())
