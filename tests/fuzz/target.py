"""`Target`: one piece of pgallop that reads bytes, what may come of them, and what may not."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fuzz.grammar import Grammar

# The longest input. What takes longer to go wrong is the business of the floods in tests/hostile.
MAX_SIZE = 1 << 16

# CPU time that one input may take, in seconds: other programs do not count.
MAX_SECONDS = 1.0


FINDINGS = ("crash", "hang", "memory", "untyped", "wrong")


class Outcome(NamedTuple):
    """What came of an input: its class, for the statistics, and all that can be seen of it."""

    kind: str
    detail: Any = None


class Finding(Exception):
    """An input that did what none may do.

    `kind` is one of `FINDINGS`: an exception that nobody declared is untyped, and where the target
    itself complains something is wrong.
    """

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


class Wrong(Exception):
    """What a target raises when what came of its input contradicts itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A function of bytes.

    `run` returns an Outcome, the same for the same bytes in both modes, or raises one of `raises`;
    everything else is a Finding. `seeds` makes good inputs, `grammar` bad ones of them. `share`:
    how much of the time it gets, in comparison with the others.
    """

    name: str
    run: Callable[[bytes], Outcome]
    raises: tuple[type[Exception], ...] = ()
    seeds: Callable[[], list[bytes]]
    grammar: Grammar
    share: int = 1


def examine(target: Target, data: bytes) -> Outcome:
    """Run `target` on `data`; raises Finding where it does what it may not."""
    start = time.process_time()
    try:
        outcome = target.run(data)
    except target.raises as error:
        outcome = Outcome(type(error).__name__, error)
    except Wrong as error:
        raise Finding("wrong", str(error)) from error
    except MemoryError as error:
        raise Finding("memory", f"{place(error)} for {len(data)} bytes") from error
    except Exception as error:  # the very thing that is looked for
        raise Finding("untyped", f"{place(error)} {type(error).__name__}: {error}") from error
    took = time.process_time() - start
    if took > MAX_SECONDS:
        raise Finding("hang", f"{took:.1f} seconds for {len(data)} bytes")
    return outcome


def place(error: BaseException) -> str:
    """Where an exception was raised: the module and line of its innermost frame."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return "?"
    return f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}"


def somewhere(data: bytes) -> int:
    """A place to cut `data` at: any, and always the same one."""
    return zlib.crc32(data) % (len(data) + 1)


def seen(outcome: Outcome) -> str:
    """All of an outcome in words, to compare it with another."""
    detail = outcome.detail
    shown = str(detail) if isinstance(detail, BaseException) else repr(detail)
    return f"{outcome.kind} {shown}"
