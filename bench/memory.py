"""The memory of this process, as Linux counts it."""

import re
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")

# proc(5), "/proc/pid/clear_refs": 5 resets the peak to what there is now.
_RESET_PEAK = "5"


def peak() -> int | None:
    """Return the most bytes that this process has had in memory since `reset_peak`.

    None where the system does not tell. Source: proc(5), `VmHWM`.
    """
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    except OSError:  # not Linux
        return None
    return None if found is None else 1024 * int(found[1])


def reset_peak() -> None:
    """Forget what was before, where the system can; else the peak is that since the beginning."""
    try:
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")
    except OSError:  # not Linux, or a container that does not let it
        return
