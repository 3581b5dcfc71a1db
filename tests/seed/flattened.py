"""Programs cut out of a tutorial's text that has lost its indentation.

Indentation says where a block ends, so it can be restored only where something else says it too.
That is so for all that the tutorials have; where it is not, cutting fails instead of guessing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

# The text that started the project, when it lies beside the checkout; it is no part of the project.
TEXTS = sorted(Path(__file__).parents[2].parent.joinpath("shared", "seed").glob("*.txt"))

# The DSN of all programs in the text, a server in a container.
TUTORIAL_DSN = "postgresql://postgres:password@localhost/postgres"

FIRST_LINES = ["import asyncio", "import asyncpg"]
LAST_LINE = re.compile(r"asyncio\.run\(.*\)")
INLINE = re.compile(r"async with asyncpg\.connect\(\.\.\.\) as conn:")

# Statements that a tutorial has outside of functions only: they end all blocks.
TOP_LEVEL = ("import ", "def ", "async def ", "asyncio.run(")
# Blocks whose end something else tells: the next function, `finally`.
OPEN_ENDED = ("def", "try")

INLINE_PROGRAM = """\
import asyncio
import asyncpg

async def main():
    {line}
        print(await conn.fetchval("SELECT 1"))
    print(conn.is_closed())

asyncio.run(main())
"""


class CuttingError(ValueError):
    """The text is not as it was when this was written."""


class Program(NamedTuple):
    """One program: its name in the text, and its source with the indentation back."""

    name: str
    source: str

    def against(self, dsn: str) -> str:
        """The source for pgallop and this server: only the import and the DSN change."""
        source = replace_once(self.source, "import asyncpg\n", "import pgallop as asyncpg\n")
        return replace_once(source, TUTORIAL_DSN, dsn)

    def unmodified(self, dsn: str) -> str:
        """The source for this server: only the DSN changes."""
        return replace_once(self.source, TUTORIAL_DSN, dsn)


def replace_once(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        raise CuttingError(f"{text.count(old)} times {old!r} in the program:\n{text}")
    return text.replace(old, new)


def cut(text: str) -> list[Program]:
    """All programs of a text in their order, last the block that it shows within a sentence."""
    lines = text.splitlines()
    starts = [at for at in range(len(lines)) if lines[at : at + 2] == FIRST_LINES]
    return [*(cut_program(lines[at:]) for at in starts), cut_inline(text)]


def cut_program(lines: list[str]) -> Program:
    """The program that the lines begin with."""
    ends = [at for at, line in enumerate(lines) if LAST_LINE.fullmatch(line)]
    if not ends:
        raise CuttingError("a program does not end with asyncio.run(...)")
    source = indented(lines[: ends[0] + 1])
    compile(source, "the text", "exec")
    names = re.findall(r"^async def (\w+)", source, re.MULTILINE)
    return Program("_".join(names), source)


def cut_inline(text: str) -> Program:
    lines = INLINE.findall(text)
    if len(lines) != 1:
        raise CuttingError(f"{len(lines)} blocks within a sentence")
    line = lines[0].replace("...", f"'{TUTORIAL_DSN}'")
    return Program("async_with", INLINE_PROGRAM.format(line=line))


def indented(lines: list[str]) -> str:
    """The lines as a program, each indented as the blocks around it demand."""
    blocks: list[str] = []  # what opened them: "def", "try", "for", ...; "" for one that is full
    brackets = 0
    statement = ""  # its first line
    source = ""
    for line in lines:
        if line.startswith("#") or not line:
            source += f"{line}\n"
            continue
        if brackets == 0:
            statement = line
            enter(blocks, statement)
            source += "    " * len(blocks)
        source += f"{line}\n"
        brackets += sum(map(line.count, "([{")) - sum(map(line.count, ")]}"))
        if brackets == 0 and line.endswith(":"):
            blocks.append(keyword(statement))
    return source


def keyword(line: str) -> str:
    return re.split(r"\W", line.removeprefix("async "), maxsplit=1)[0]


def enter(blocks: list[str], line: str) -> None:
    """Leave the blocks that this statement is not in."""
    if line.startswith(TOP_LEVEL):
        blocks.clear()
    elif line == "finally:":
        while blocks and blocks.pop() != "try":
            pass
    elif blocks and blocks[-1] == "":
        raise CuttingError(f"is this line still in the block before it? {line}")
    # Any other block is sure to have its first statement, and nothing tells of a second one.
    if blocks and blocks[-1] not in OPEN_ENDED:
        blocks[-1] = ""
