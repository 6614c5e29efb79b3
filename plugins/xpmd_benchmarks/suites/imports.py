"""What an import costs, in fresh interpreters."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any, ClassVar

from xpmd.benchmark import Benchmark, BenchmarkReport, BenchmarkSettings, BenchmarkTable
from xpmd_benchmarks import machine
from xpmd_benchmarks.backends import chosen_backends
from xpmd_benchmarks.ratios import Side, standing

ROUNDS, QUICK_ROUNDS = 3, 2
COLUMNS = ("what", "CPU ms", "wall ms", "beyond NumPy, CPU ms", "modules")
NOTES = (
    "Medians, in turns, of fresh interpreters with their files in the system's cache; the start of the "
    "interpreter is not counted.",
)
_CLOCK = """
import json, sys, time
before = set(sys.modules)
wall, processor = time.perf_counter(), time.process_time()
{code}
print(json.dumps([time.perf_counter() - wall, time.process_time() - processor,
                  len(set(sys.modules) - before)]))
"""
_FIRST_ARRAY = "import xpmd as md; md.backend('{name}').asarray([0.0])"
PACKAGES = ("xpmd_interactions", "xpmd_simulators", "xpmd_thermostats", "xpmd_neighbors")


class Imports(Benchmark):
    """Seconds until `import xpmd` is done, and until there is a first array of each backend."""

    description: ClassVar[str] = "imports in fresh interpreters"

    def run(self, settings: BenchmarkSettings) -> BenchmarkReport:
        found = machine.setting(settings.threads)
        codes = {
            "import numpy": "import numpy",
            "import xpmd": "import xpmd",
            "and the plugins' packages": f"import xpmd, {', '.join(PACKAGES)}",
            "a list of the plugins": "import xpmd as md; md.plugins.list()",
        }
        for name in chosen_backends(settings):
            codes[f"a first array of {name}"] = _FIRST_ARRAY.format(name=name)
        rounds = settings.rounds or (QUICK_ROUNDS if settings.quick else ROUNDS)
        taken: dict[str, list[Any]] = {what: [] for what in codes}
        for turn in range(rounds):
            settings.tell(f"round {turn + 1} of {rounds}")
            for what, code in codes.items():
                taken[what].append(_clocked(code))
        rows = [_row(what, times, taken["import numpy"]) for what, times in taken.items()]
        found["load at the end"] = machine.load()
        table = BenchmarkTable(self.description, COLUMNS, tuple(rows), NOTES)
        others = {what: {"what": what} for what in codes if what != "import numpy"}
        beyond = Side("CPU beyond `import numpy`", {})
        ratios = standing(rows, "beyond NumPy, CPU ms", beyond, others, unit="ms")
        return BenchmarkReport("import", [table], summary=(), setting=found, ratios=ratios)


def _clocked(code: str) -> tuple[float, float, int]:
    """Return wall time, processor time and modules of some code in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", _CLOCK.format(code=code)], capture_output=True, text=True, check=True
    )
    wall, processor, modules = json.loads(done.stdout.splitlines()[-1])
    return wall, processor, modules


def _row(what: str, times: list[Any], of_numpy: list[Any]) -> dict[str, Any]:
    wall, processor, modules = (statistics.median(column) for column in zip(*times, strict=True))
    numpys = statistics.median(each[1] for each in of_numpy)
    return {
        "what": what,
        "CPU ms": 1e3 * processor,
        "wall ms": 1e3 * wall,
        "beyond NumPy, CPU ms": 1e3 * (processor - numpys),
        "modules": round(modules),
    }
