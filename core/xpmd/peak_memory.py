"""Peak memory of a piece of work, as the operating system sees it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_STATM = Path("/proc/self/statm")


class PeakMemory:
    """Memory used at most during a block, beyond that at its start.

    Attributes:
        bytes: the peak; `None` where the operating system does not tell.
    """

    def __init__(self) -> None:
        self.bytes: int | None = None


def _resident() -> int | None:
    """Return the bytes of this process that are in memory."""
    import mmap

    try:
        return int(_STATM.read_text().split()[1]) * mmap.PAGESIZE
    except OSError:
        return None


@contextmanager
def peak_memory(seconds_between: float = 0.002) -> Iterator[PeakMemory]:
    """Watch the memory of this process from a thread while the block runs.

    Peaks shorter than `seconds_between` may be missed, and memory that libraries keep for later use
    counts once only.
    """
    found, start, done = PeakMemory(), _resident(), threading.Event()
    if start is None:
        yield found
        return
    found.bytes = 0

    def watch() -> None:
        while not done.wait(seconds_between):
            now = _resident()
            if now is not None and now - start > (found.bytes or 0):
                found.bytes = now - start

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()
        now = _resident()
        if now is not None:
            found.bytes = max(found.bytes or 0, now - start)
