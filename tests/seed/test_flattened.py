"""The cutter of programs: it restores what can be known, and refuses to guess."""

from __future__ import annotations

import pytest
from seed.flattened import CuttingError, Program, cut, indented

TEXT = """\
A tutorial
Here is a program:
import asyncio
import asyncpg
async def all_kinds():
conn = await asyncpg.connect('postgresql://postgres:password@localhost/postgres')
try:
# a comment (with brackets
await conn.execute('''
CREATE TABLE t (
finally: int
)
''')
for row in await conn.fetch(
"TABLE t"
):
print(row)
finally:
await conn.close()
def second():
return 1

asyncio.run(all_kinds())
The end (of this one). Write async with asyncpg.connect(...) as conn: in yours.
"""

PROGRAM = """\
import asyncio
import pgallop as asyncpg
async def all_kinds():
    conn = await asyncpg.connect('postgresql://here/x')
    try:
# a comment (with brackets
        await conn.execute('''
CREATE TABLE t (
finally: int
)
''')
        for row in await conn.fetch(
"TABLE t"
):
            print(row)
    finally:
        await conn.close()
def second():
    return 1

asyncio.run(all_kinds())
"""


def test_programs_are_cut_and_indented() -> None:
    program, inline = cut(TEXT)
    assert program.name == "all_kinds"
    assert program.against("postgresql://here/x") == PROGRAM
    compile(PROGRAM, "program", "exec")
    assert inline.name == "async_with"
    source = inline.against("postgresql://here/x")
    compile(source, "program", "exec")
    assert "    async with asyncpg.connect('postgresql://here/x') as conn:\n" in source


@pytest.mark.parametrize("block", ["for row in rows:", "with x:", "if x:", "finally:"])
def test_a_line_that_may_be_in_the_block_or_behind_it(block: str) -> None:
    lines = ["def f():", "try:", "pass", block]
    assert indented([*lines, "one()", "asyncio.run(f())"]).endswith("one()\nasyncio.run(f())\n")
    with pytest.raises(CuttingError, match=r"two\(\)"):
        indented([*lines, "one()", "two()"])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("asyncio.run(", "await ", "does not end"),
        ("in yours", "or async with asyncpg.connect(...) as conn:", "2 blocks"),
        ("async with", "with", "0 blocks"),
    ],
)
def test_a_text_that_has_changed(old: str, new: str, message: str) -> None:
    with pytest.raises(CuttingError, match=message):
        cut(TEXT.replace(old, new))


@pytest.mark.parametrize(("old", "new"), [("postgres:password", "me"), ("import asyncpg", "")])
def test_a_program_that_has_changed(old: str, new: str) -> None:
    program = cut(TEXT)[0]
    changed = Program(program.name, program.source.replace(old, new))
    with pytest.raises(CuttingError, match="0 times"):
        changed.against("postgresql://here/x")
