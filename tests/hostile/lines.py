"""Two lines of the robustness suite: every split and every prefix of what a server says.

    python -m hostile.lines LOOP LINE...

prints their figures, and what is wrong with them; the probes' command does that.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from chaos.figures import Figures
from conversation import one_byte_each, split_at
from event_loops import LOOPS, run_watched
from hostile.cut_connections import Findings, Recording, cut_at, record
from hostile.prefixes import EndedSession, places_of
from hostile.replay_server import Ending, ReplayServer
from recorded import RECORDINGS, outcomes_of, random_cut, replay, said_in, traffic_of

from pgallop.cli.server import EmbeddedServer

SEED = 1986
RANDOM_CUTS = 200

# A call that has a deadline may take so much longer, in seconds, and as much as any timer was late.
MAX_OVERRUN = 0.1


ENDINGS: tuple[Ending, ...] = ("close", "reset", "stall")


class Line(Protocol):
    async def __call__(self, recording: Recording, port: int) -> Figures: ...


def changed_by_cuts(name: str) -> Iterator[str]:
    """The recorded conversation with each split; what of it comes out differently, or nothing."""
    traffic, outcomes = traffic_of(name), outcomes_of(name)
    chance = random.Random(SEED)
    cuts = {f"at {place}": split_at(place) for place in range(1, said_in(traffic))}
    cuts["into bytes"] = one_byte_each
    for i in range(RANDOM_CUTS):
        cuts[f"at random, {i}"] = random_cut(chance)
    for how, cut in cuts.items():
        yield "" if replay(name, traffic, cut) == outcomes else f"{name} cut {how}"


async def splits(recording: Recording, port: int) -> Figures:
    """Cut anywhere, the same comes out."""
    figures = Figures(8, "splits")
    results = [text for name in RECORDINGS for text in changed_by_cuts(name)]
    changed = [text for text in results if text]
    figures.show("recordings", len(RECORDINGS))
    figures.show("identical", f"{len(results) - len(changed)}/{len(results)}")
    figures.zero("changed", changed)
    show_sockets(figures, await cut_at(port, recording, "split", range(1, recording.size)))
    return figures.finish()


async def prefixes(recording: Recording, port: int) -> Figures:
    """Ended anywhere, everybody is told in time."""
    figures = Figures(9, "prefixes")
    ended = waiting = told = 0
    faults: list[str] = []
    for name in RECORDINGS:
        for place in places_of(name):
            session = EndedSession(name, place)
            ended += 1
            waiting += session.waiting
            told += session.told
            faults += [f"{name}, {place} bytes: {fault}" for fault in session.faults]
    figures.show("sessions", ended)
    figures.show("raises", f"{told}/{waiting}")
    figures.zero("wrong", faults)
    findings = Findings()
    for ending in ENDINGS:
        findings.add(await cut_at(port, recording, ending, range(recording.size)))
    show_sockets(figures, findings)
    figures.show("late_seconds", findings.late)
    figures.below("overrun_seconds", findings.overrun, MAX_OVERRUN + findings.late)
    return figures.finish()


def show_sockets(figures: Figures, findings: Findings) -> None:
    """What came of cutting connections."""
    figures.show("on_sockets", f"{findings.right}/{findings.cut}")
    figures.zero("wrong_on_sockets", findings.faults)
    figures.zero("hangs", findings.hangs)
    figures.show("again", findings.again)


LINES: Mapping[str, Line] = MappingProxyType({"splits": splits, "prefixes": prefixes})


def run(loop: str, names: Sequence[str]) -> bool:
    """Run these lines on that event loop and print their figures; whether they are good."""
    with EmbeddedServer(listen=True, auth="trust") as server:
        recording = asyncio.run(record(server.tcp_host, server.port))
    good = True

    async def run_line(name: str, port: int) -> None:
        nonlocal good
        figures = await LINES[name](recording, port)
        print(figures, flush=True)
        for text in figures.wrong:
            print(f"    WRONG: {text}", flush=True)
        good = good and not figures.wrong

    with ReplayServer(recording.said) as replay:
        for name in names:
            run_watched(LOOPS[loop], run_line(name, replay.port))
    return good


if __name__ == "__main__":
    sys.exit(0 if run(sys.argv[1], sys.argv[2:]) else 1)
