"""Freed records are used again; in interpreted code that is Python's own business.

Compiled modules cimport the same names from `recycling.pxd` and never reach this file.
"""

from pgallop.rows.record import Record


def recycle(kind: type) -> None:
    """Keep freed objects of `kind`, which is Record; called once."""


def kept(width: int) -> Record | None:
    """One that was kept, with `width` empty fields."""
    return None
