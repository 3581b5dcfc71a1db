"""A caller's `timeout`: checked before anything is sent under it, and what is raised at its end."""

from typing import Any

from pgallop.codecs.codec import shown
from pgallop.errors import ClientConfigurationError


def checked_seconds(timeout: Any) -> float:
    """A caller's `timeout`, refused if it is no number."""
    try:
        # float() would also parse text.
        number = float("nan" if isinstance(timeout, (str, bytes, bytearray)) else timeout)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if number != number:
        raise ClientConfigurationError(
            f"timeout: expected seconds or None, got {shown(timeout)}", safe_to_retry=True
        )
    return timeout if isinstance(timeout, (int, float)) else number


def seconds_to_wait(timeout: Any) -> float:
    """A caller's `timeout` for an answer; raises TimeoutError if it leaves no time to ask."""
    seconds = checked_seconds(timeout)
    if seconds <= 0:
        raise TimeoutError(f"a timeout of {shown(timeout)} seconds is over before anything is sent")
    return seconds


def timed_out(timeout: float | None) -> TimeoutError:
    return TimeoutError(f"no answer within {timeout} seconds; the statement may still have run")
