"""The proxy that delays, counts round trips and breaks things; the bench has it too."""

from bench.proxy import DelayProxy, End

__all__ = ["DelayProxy", "End"]
