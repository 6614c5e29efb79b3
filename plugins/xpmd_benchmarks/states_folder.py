"""Where starting states lie while this process measures: several suites start from the same ones."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path


@functools.cache
def states_folder() -> Path:
    """Return the folder; it is removed when this process ends."""
    folder = tempfile.mkdtemp(prefix="xpmd_bench_")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return Path(folder)
