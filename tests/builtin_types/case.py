"""`Case`: what is known of a type of PostgreSQL without pgallop, for the tests of every type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st


def unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Case:
    """A type, with values to send to it and what is expected back.

    `edges`: values that are tried in each run, and again among the others; `later`: more of them,
    by the version of PostgreSQL that has them first. `values`: any others.
    `literal`: the text of a value, made without pgallop; None where the value is that text.
    `expected`: the value that is read back; None where only the server can tell (which of the
    many spellings of a value it keeps). `alike_in_records`: whether it is the same as the field of
    a record; `in_simple`: what the simple protocol gives for a value that was read otherwise.
    `since`: the first version of PostgreSQL that has the type.
    """

    name: str
    edges: Sequence[Any]
    values: st.SearchStrategy[Any]
    literal: Callable[[Any], str] | None = None
    expected: Callable[[Any], Any] | None = unchanged
    alike_in_records: bool = True
    in_simple: Callable[[Any], Any] = unchanged
    later: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    since: int = 10

    @property
    def sql(self) -> str:
        """The type in SQL; in quotes, because bit stands for bit(1) and char for char(1)."""
        base = self.name.removesuffix("[]")
        return f'"{base}"{self.name[len(base) :]}'

    def edges_in(self, version: int) -> list[Any]:
        """The edges that a server of this version has."""
        later = [edge for since, edges in self.later.items() if version >= since for edge in edges]
        return [*self.edges, *later]

    def any_value(self, version: int) -> st.SearchStrategy[Any]:
        """Edges and others, about as often."""
        return st.sampled_from(self.edges_in(version)) | self.values

    def __repr__(self) -> str:
        return self.name
