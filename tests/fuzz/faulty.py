"""Targets that do what none may do, so that the harness can be seen to notice."""

from __future__ import annotations

import os
import signal
import time

from fuzz.grammar import Bytes
from fuzz.target import Outcome, Target, Wrong


def harmless(data: bytes) -> Outcome:
    return Outcome("fine", data)


def crash(data: bytes) -> Outcome:
    os.kill(os.getpid(), signal.SIGSEGV)
    return Outcome("survived")


def stuck(data: bytes) -> Outcome:
    while True:
        time.sleep(1)


def slow(data: bytes) -> Outcome:
    end = time.process_time() + 1.1
    while time.process_time() < end:
        pass
    return Outcome("slow")


def hungry(data: bytes) -> Outcome:
    return Outcome("full", len(bytearray(1 << 40)))


def untyped(data: bytes) -> Outcome:
    raise KeyError("a surprise")


def wrong(data: bytes) -> Outcome:
    raise Wrong("that cannot be")


TARGETS = {
    run.__name__: Target(
        name=run.__name__, run=run, seeds=lambda: [b"seed"], grammar=Bytes(), raises=(ValueError,)
    )
    for run in (harmless, crash, stuck, slow, hungry, untyped, wrong)
}
