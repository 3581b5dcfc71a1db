"""The connections of the tests of every type, and how many values they try.

By default those are the same in every run, and few. With PGALLOP_TEST_EXAMPLES=200 each type gets
200 statements of some thirty values, others in each run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from builtin_types.drivers import Drivers
from hypothesis import HealthCheck, Phase, settings

chosen = os.environ.get("PGALLOP_TEST_EXAMPLES")

settings.register_profile(
    "every type",
    max_examples=int(chosen or 4),
    derandomize=chosen is None,
    database=None,
    deadline=None,
    phases=[Phase.generate],  # shrinking would tell no more: it is said which value it was
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="session")
def drivers(dsn: str) -> Iterator[Drivers]:
    with Drivers(dsn) as drivers:
        yield drivers
