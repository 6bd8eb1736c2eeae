"""Where a run keeps its files: in memory where there is room, for it asks of no disk what only a
disk does. What does (``make faults``, ``make bench``) keeps them where all programs do.
"""

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")  # noqa: S108
# What a run has at most at once, several times over; in bytes.
_NEEDED = 2 << 30


def settle(marks: str) -> None:
    """Have this run, of the tests with these ``marks``, and all that it starts, use memory."""
    if "TMPDIR" not in os.environ and marks not in ("fault", "bench") and _has_room():
        os.environ["TMPDIR"] = f"{_MEMORY}"
        tempfile.tempdir = None


def _has_room() -> bool:
    return (
        os.access(_MEMORY, os.W_OK)
        and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
        and min(shutil.disk_usage(_MEMORY).free, _available()) >= _NEEDED
    )


def _available() -> int:
    """How much memory is not in use, in bytes."""
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    told = dict(line.split(":") for line in lines)
    return int(told["MemAvailable"].split()[0]) << 10
