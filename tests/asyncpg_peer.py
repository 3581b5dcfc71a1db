"""asyncpg on the session's server: what it takes for a type, and what it makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import asyncpg


def echoes(dsn: str, type_name: str, values: Sequence[object]) -> list[Any]:
    """What asyncpg returns for each value sent to the server and back as a value of that type.

    Where it does not take the value, or the server does not, that is an asyncpg.DataError.
    """

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            statement = await connection.prepare(f"SELECT $1::{type_name}")
            answers: list[Any] = []
            for value in values:
                try:
                    answers.append(await statement.fetchval(value))
                except asyncpg.DataError as error:
                    answers.append(error)
            return answers
        finally:
            await connection.close()

    return asyncio.run(ask())


def selected(dsn: str, type_name: str, texts: Sequence[str]) -> list[Any]:
    """What asyncpg returns for values of a type that are given as text."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            statement = await connection.prepare(f"SELECT $1::text::{type_name}")
            return [await statement.fetchval(text) for text in texts]
        finally:
            await connection.close()

    return asyncio.run(ask())
