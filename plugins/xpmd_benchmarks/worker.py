"""Runs one program in a process of its own: `python -P worker.py ENGINE.py CORES`.

Requests come as lines of JSON on standard input, answers go as lines of JSON to standard output; what
the program prints goes to standard error. Only the standard library is needed, so that any interpreter
with the program in it will do.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any


def engine_at(path: str) -> Any:
    """Return the module in a file."""
    spec = importlib.util.spec_from_file_location(f"engine_{Path(path).stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def stay_on(cores: int) -> None:
    """Keep this process to so many cores, where the operating system can."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


class Desk:
    """Answers requests; keeps the cases that were prepared."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.cases: dict[str, Any] = {}

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request."""
        wish, key = request["do"], request.get("key", "")
        if wish == "look":
            missing = self.engine.missing()
            versions = {} if missing else self.engine.versions()
            return {"missing": missing, "versions": versions}
        if wish == "prepare":
            start = time.perf_counter()
            self.cases[key] = self.engine.prepare(_with_arrays(request["task"]))
            return {"wall": time.perf_counter() - start}
        if wish == "run":
            return self._run(key, request["times"])
        if wish == "weigh":
            before = calmed_down()
            return {**self._run(key, request["times"]), "before_bytes": before}
        if wish == "save":
            import numpy as np

            np.savez(request["path"], **self.cases[key].arrays())
            return {}
        if wish == "drop":
            del self.cases[key]
            return {}
        raise ValueError(f"`do` = {wish!r}")

    def _run(self, key: str, times: Any) -> dict[str, Any]:
        wall, processor = time.perf_counter(), time.process_time()
        found = self.cases[key].run(times)
        so_far = time.process_time()
        return {
            "wall": time.perf_counter() - wall,
            "processor": so_far - processor,
            "processor_so_far": so_far,
            "found": found,
            "peak_bytes": peak_bytes(),
        }


def peak_bytes() -> int | None:
    """Return the most memory this process has had, where the operating system tells."""
    # What the system's accounting calls the peak counts the parent's memory from before this program.
    peak = _status("VmHWM")
    if peak is not None:
        return peak
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def calmed_down() -> int | None:
    """Give back memory that is free, forget the peak, and return the memory in use; `None` if unable."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return None
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def _status(name: str) -> int | None:
    """Return bytes that the operating system tells of this process under a name."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def _with_arrays(task: dict[str, Any]) -> dict[str, Any]:
    """Return a task with the arrays of the file it names."""
    if "arrays" not in task:
        return task
    import numpy as np

    with np.load(task["arrays"]) as stored:
        return {**task, **{name: stored[name] for name in stored.files}}


def main(path: str, cores: int) -> None:
    """Answer until there are no more requests."""
    stay_on(cores)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    desk = Desk(engine_at(path))
    for line in sys.stdin:
        try:
            answer = desk.answer(json.loads(line))
        except Exception as error:
            answer = {
                "error": f"{type(error).__name__}: {error}",
                "traceback": traceback.format_exc(),
            }
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
