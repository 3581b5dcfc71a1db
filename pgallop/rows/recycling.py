"""Freed records are used again; in interpreted code that is Python's own business.

Compiled modules cimport the same name from `recycling.pxd` and never reach this file.
"""


def recycle(kind: type) -> None:
    """Keep the memory of freed objects of `kind`, the only type this is called for."""
