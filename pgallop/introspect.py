"""What types are called: PostgreSQL's own are known, the catalogue tells of all others."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pgallop.codecs import introspection
from pgallop.codecs._oids import OIDS
from pgallop.rows.record import Record
from pgallop.types import Type

if TYPE_CHECKING:
    from pgallop.dispatch import Dispatch

# Nothing in it depends on search_path.
TYPES = """
    SELECT t.oid,
        CASE WHEN e.oid IS NULL THEN t.typname::pg_catalog.text
            ELSE pg_catalog.concat(e.typname, '[]') END,
        CASE WHEN e.oid IS NOT NULL THEN 'array'
            WHEN t.typtype OPERATOR(pg_catalog.=) 'c' THEN 'composite'
            WHEN t.typtype OPERATOR(pg_catalog.=) 'r' THEN 'range'
            WHEN t.typtype OPERATOR(pg_catalog.=) 'm' THEN 'multirange'
            ELSE 'scalar' END,
        n.nspname
    FROM pg_catalog.pg_type AS t
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace
        LEFT JOIN pg_catalog.pg_type AS e ON e.typarray OPERATOR(pg_catalog.=) t.oid
    WHERE t.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])
"""

OWN_SCHEMA = "pg_catalog"


def own_type(oid: int, name: str) -> Type:
    """One of PostgreSQL's own types, by its name in pg_type."""
    if name.startswith("_"):
        return Type(oid, f"{name[1:]}[]", "array", OWN_SCHEMA)
    for kind in ("multirange", "range"):
        if name.endswith(kind) and not name.startswith("any"):
            return Type(oid, name, kind, OWN_SCHEMA)
    return Type(oid, name, "scalar", OWN_SCHEMA)


OWN_TYPES = {oid: own_type(oid, name) for name, oid in OIDS.items()}


KINDS = {
    introspection.ARRAY: "array",
    introspection.COMPOSITE: "composite",
    introspection.RANGE: "range",
    introspection.MULTIRANGE: "multirange",
}


def known_type(types: introspection.Types, oid: int) -> Type | None:
    """A type of which the catalogue has told already."""
    info = types.get(oid)
    if info is None:
        return None
    name = info.name
    if info.kind == introspection.ARRAY:
        element = OWN_TYPES.get(info.part) or types.get(info.part)
        if element is None:
            return None
        name = f"{element.name}[]"
    return Type(oid, name, KINDS.get(info.kind, "scalar"), info.schema)


async def types_of(
    dispatch: "Dispatch", oids: Iterable[int], deadline: float | None, timeout: float | None
) -> dict[int, Type]:
    """The types with these OIDs, at the price of a round trip if they are not all PostgreSQL's.

    One that was dropped meanwhile is missing.
    """
    wanted = set(oids)
    types = {oid: OWN_TYPES[oid] for oid in wanted & OWN_TYPES.keys()}
    found = [known_type(dispatch.types.known, oid) for oid in wanted - OWN_TYPES.keys()]
    types |= {each.oid: each for each in found if each is not None}
    others = sorted(wanted - types.keys())
    if others:
        rows, _ = await dispatch.attempt(TYPES, (others,), False, timeout, deadline, into=Record)
        types |= {row[0]: Type(*row) for row in rows}
    return types
