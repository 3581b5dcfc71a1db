"""Tests that measure what something takes, where all of it takes more."""

from __future__ import annotations

import os

import pytest

#: For tests whose whole point is how much time or memory something takes, or what fits in a turn of
#: the event loop: the sanitizers take several times that of all three.
measures = pytest.mark.skipif(
    os.environ.get("PGALLOP_TEST_UNBOUNDED") == "1",
    reason="time and memory under the sanitizers say nothing",
)
