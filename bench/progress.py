"""Whose turn it is, in a line on the terminal that the next one overwrites."""

import sys
from collections.abc import Sequence
from typing import TextIO

from bench.work import Work

# ECMA-48: to the beginning of the line (CR), and erase to its end (EL).
_ANEW = "\r\x1b[K"


class Progress:
    """Shows the turns of a run; says nothing where nobody looks.

    Args:
        works: all that are to come.
        rounds: the turns that each driver has in each work.
        stream: where to show it, if that is a terminal.
    """

    def __init__(self, works: Sequence[Work], rounds: int, stream: TextIO = sys.stderr) -> None:
        self._places = {work.name: place for place, work in enumerate(works, 1)}
        self._rounds = rounds
        self._stream = stream
        self._is_shown = stream.isatty()

    def __call__(self, work: Work, driver: str, loop: str, number: int) -> None:
        """Tell whose turn it is now."""
        place = f"{self._places[work.name]} of {len(self._places)}"
        turn = f"round {number + 1} of {self._rounds}"
        self._show(f"{_ANEW}{work.name} ({place}), {turn}: {driver} on {loop}")

    def clear(self) -> None:
        """Make room for something else."""
        self._show(_ANEW)

    def _show(self, text: str) -> None:
        if self._is_shown:
            self._stream.write(text)
            self._stream.flush()
