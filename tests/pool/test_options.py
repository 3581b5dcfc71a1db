"""The parameters of a pool are the same wherever they are told."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

import pgallop
from pgallop import ClientConfigurationError
from pgallop.pool.options import PARAMETERS, PoolOptions, taken_from


def test_one_list() -> None:
    signature = inspect.signature(pgallop.create_pool).parameters
    told = {name: each.default for name, each in signature.items()}
    del told["dsn"], told["connect_kwargs"]
    assert told == {name: default for name, (default, _) in PARAMETERS.items()}
    assert [each.name for each in dataclasses.fields(PoolOptions)] == list(PARAMETERS) == list(told)


def test_they_are_taken_out() -> None:
    arguments: dict[str, Any] = {"max_size": 3, "user": "ada", "min_size": 1}
    options = taken_from(arguments)
    assert arguments == {"user": "ada"}
    assert (options.min_size, options.max_size, options.init_size) == (1, 3, 1)


def test_none_is_connect_s() -> None:
    """What both have would not get to `connect`, but for those that the pool passes on."""
    both = set(inspect.signature(pgallop.connect).parameters) & set(PARAMETERS)
    assert both == {"connection_class", "record_class"}


@pytest.mark.parametrize("name", ["init_size", "min_size", "max_size", "max_queries", "warm_up"])
def test_what_makes_no_sense(name: str) -> None:
    with pytest.raises(ClientConfigurationError, match=rf"^{name}: "):
        taken_from({name: "many"})
