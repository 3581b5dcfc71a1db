"""Work that is done again and again must leave nothing behind."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable


def assert_nothing_leaks(work: Callable[[], None], *shared: object) -> None:
    """Do `work` twice; the second time may leave neither memory nor references to `shared` behind.

    It has to repeat itself a few hundred times: less than one leak each time goes unnoticed.
    """
    work()
    gc.collect()
    blocks = sys.getallocatedblocks()
    references = [sys.getrefcount(each) for each in shared]
    work()
    gc.collect()
    assert abs(sys.getallocatedblocks() - blocks) < 100
    for before, each in zip(references, shared, strict=True):
        assert abs(sys.getrefcount(each) - before) < 100
