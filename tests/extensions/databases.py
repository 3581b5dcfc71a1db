"""Databases that have extensions, and what their types are called there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import psycopg

from pgallop.codecs.choices import DEFAULT, CodecChoices
from pgallop.codecs.codec import Codec
from pgallop.codecs.extensions import CODECS, codec_for
from pgallop.codecs.introspection import ARRAY, TypeInfo
from pgallop.codecs.user_types import array

EXTENSIONS = ("citext", "cube", "hstore", "isn", "ltree", "seg", "vector", "postgis")

TYPES = """
    SELECT oid, typname, typarray, typsend <> 0 FROM pg_type
    WHERE typname = ANY (%s) AND typtype = 'b' AND oid >= 16384
"""


class Type(NamedTuple):
    """A type of an extension, as the catalogue has it."""

    oid: int
    name: str
    array_oid: int
    binary: bool

    def codec(self, choices: CodecChoices = DEFAULT) -> Codec:
        codec = codec_for(self.name, self.oid, choices, binary=self.binary)
        assert codec is not None
        return codec

    def array_codec(self, choices: CodecChoices = DEFAULT) -> Codec:
        return array_of(self.codec(choices), self.array_oid)


class Database(NamedTuple):
    """A database: where it is, which of the extensions and which of their types it has."""

    dsn: str
    extensions: frozenset[str]
    types: dict[str, Type]


@contextmanager
def extended_database(dsn: str) -> Iterator[Database]:
    """A database of its own on the server at `dsn`, with all extensions that this has."""
    with psycopg.connect(dsn, autocommit=True) as owner:
        owner.execute("CREATE DATABASE extended")
        try:
            yield described(f"{dsn.rpartition('/')[0]}/extended")
        finally:
            owner.execute("DROP DATABASE extended")


def described(dsn: str) -> Database:
    with psycopg.connect(dsn, autocommit=True) as connection:
        extensions = frozenset(name for name in EXTENSIONS if created(connection, name))
        types = [Type(*row) for row in connection.execute(TYPES, (list(CODECS),))]
        return Database(dsn, extensions, {each.name: each for each in types})


def created(connection: psycopg.Connection, name: str) -> bool:
    """Create an extension, if the server has it."""
    try:
        connection.execute(f"CREATE EXTENSION {name}".encode())
    except (psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
        return False  # before PostgreSQL 14 the file is missing, as it says
    return True


def known(name: str, choices: CodecChoices = DEFAULT, *, binary: bool = True) -> Codec:
    """The codec of a type, without a server that has it."""
    return Type(99999, name, 0, binary).codec(choices)


def array_of(element: Codec, oid: int = 88888) -> Codec:
    """The codec of arrays, made as that of a type which the catalogue has told."""
    info = TypeInfo(oid, "public", f"_{element.name}", ARRAY, element.oid)
    return array(info, element)
