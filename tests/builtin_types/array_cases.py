"""Arrays of each type, of up to three dimensions, and the two vectors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from builtin_types.case import Case
from hypothesis import strategies as st

# The types whose values are lists themselves: of their arrays only tuples are levels.
SEQUENCES = frozenset({"json", "jsonb", "int2vector", "oidvector"})

Container = Callable[[list[Any]], Any]


@st.composite
def nested(draw: st.DrawFn, elements: st.SearchStrategy[Any], level: Container) -> Any:
    """An array of one to three dimensions, with NULLs, or an empty one."""
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3) | st.just([0]))
    count = math.prod(shape)
    items = draw(st.lists(elements | st.none(), min_size=count, max_size=count))
    return arranged(items, shape, level)


def arranged(items: list[Any], shape: list[int], level: Container) -> Any:
    """The items row by row in an array of that shape."""
    if len(shape) == 1:
        return level(items)
    step = len(items) // shape[0]
    parts = [items[i : i + step] for i in range(0, len(items), step)]
    return level([arranged(part, shape[1:], level) for part in parts])


def over(value: Any, is_level: Callable[[Any], bool], convert: Callable[[Any], Any]) -> Any:
    """The array as a list of lists, with what `convert` makes of each element but the NULLs."""

    def item_of(item: Any) -> Any:
        if is_level(item):
            return over(item, is_level, convert)
        return None if item is None else convert(item)

    return list(map(item_of, value))


def is_list(item: Any) -> bool:
    return isinstance(item, list)


def is_tuple(item: Any) -> bool:
    return isinstance(item, tuple)


def is_list_of_lists(item: Any) -> bool:
    """Not a multirange, which is a list of ranges, or of nothing."""
    return isinstance(item, list) and len(item) > 0 and isinstance(item[0], list | None)


def array_text(value: Any, delimiter: str = ",") -> str:
    """An array of text forms as PostgreSQL reads it, with quotes around each."""
    return f"{{{delimiter.join(item_text(item, delimiter) for item in value)}}}"


def item_text(item: Any, delimiter: str) -> str:
    if item is None:
        return "NULL"
    if isinstance(item, list):
        return array_text(item, delimiter)
    escaped = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def array_of(element: Case) -> Case:
    """The case of a type's array."""
    level: type = tuple if element.name in SEQUENCES else list
    is_level = is_tuple if element.name in SEQUENCES else is_list
    if element.name.endswith("multirange"):
        is_level = is_list_of_lists
    delimiter = ";" if element.name == "box" else ","
    first, *_, last = element.edges
    flat = [level([]), level([None]), level([first]), level(list(element.edges))]
    cube = arranged([first, last, None, first] * 2, [2, 2, 2], level)

    def literal(value: Any) -> str:
        assert element.literal is not None
        return array_text(over(value, is_level, element.literal), delimiter)

    def expected(value: Any) -> Any:
        assert element.expected is not None
        return over(value, is_level, element.expected)

    def in_simple(value: Any) -> Any:
        return over(value, is_list, element.in_simple)

    return Case(
        f"{element.name}[]",
        [*flat, cube],
        nested(element.values | st.sampled_from(element.edges), level),
        literal if element.literal else None,
        expected if element.expected else None,
        element.alike_in_records,
        in_simple,
        {since: [level(list(edges))] for since, edges in element.later.items()},
        element.since,
    )


def spaced(value: list[int]) -> str:
    return " ".join(map(str, value))


def vector(name: str, edges: list[int], low: int, high: int) -> Case:
    numbers = st.lists(st.integers(low, high), min_size=1, max_size=5)
    return Case(name, [[edge] for edge in edges] + [edges], numbers, spaced)


VECTORS = [
    vector("int2vector", [0, -(2**15), 2**15 - 1], -(2**15), 2**15 - 1),
    vector("oidvector", [0, 2**32 - 1], 0, 2**32 - 1),
]
