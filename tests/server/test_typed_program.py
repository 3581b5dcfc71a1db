"""The program that is checked by mypy and pyright does what they say."""

from __future__ import annotations

import typed_program


async def test_it_runs(dsn: str) -> None:
    await typed_program.main(dsn)
