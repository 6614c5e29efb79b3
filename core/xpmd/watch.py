"""Watching a walk: reporters, and what is said when numbers stop making sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from xpmd.errors import SimulationError
from xpmd.explosion import acceleration_limit, worst_atom
from xpmd.neighbor_list import NeighborList
from xpmd.properties import check_forces
from xpmd.reporter import Reporter

Array = Any
Arrays = tuple[Any, ...]


@dataclass(frozen=True)
class Watch:
    """Who is told of what happens on a walk."""

    reporters: Sequence[Reporter] = ()

    def check_start(self, walk: Any, floats: Arrays, neighbors: NeighborList) -> None:
        """Raise `SimulationError` if the first state has forces that no step can be taken with."""
        system = walk.program.system_at(walk.leaves, floats)
        xp = walk.backend.xp(*walk.leaves)
        limit = acceleration_limit(system, getattr(walk.simulator, "dt", None))
        check_forces(system, floats[2], neighbors, xp=xp, step=walk.start_step, limit=limit)

    def report(self, walk: Any, step: int, snapshot: Arrays) -> None:
        """Show a snapshot to the reporters that are due."""
        due = self._due(walk, step)
        if not due:
            return
        # A snapshot has no forces; those of the state are not looked at.
        floats = (*snapshot[:2], snapshot[0], *snapshot[2:])
        system = walk.program.system_at(walk.leaves, floats)
        for reporter in due:
            reporter.report(step, system)

    def report_records(
        self, walk: Any, chunk: Any, records: Arrays, before: int | None = None
    ) -> None:
        """Show the records that a chunk made.

        Args:
            records: snapshots, stacked.
            before: only those with fewer steps done than this.
        """
        interval = walk.program.structure.interval or 1
        for k in range(chunk.records):
            done = chunk.done + (k + 1) * interval
            if (before is None or done < before) and self._due(walk, walk.start_step + done):
                self.report(walk, walk.start_step + done, tuple(part[k, ...] for part in records))

    def _due(self, walk: Any, step: int) -> list[Reporter]:
        return [r for r in self.reporters if (step - walk.start_step) % r.every == 0]

    def finish(self, walk: Any, step: int, floats: Arrays) -> None:
        """Tell the reporters that the walk has ended."""
        if not self.reporters:
            return
        system = walk.program.system_at(walk.leaves, floats)
        for reporter in self.reporters:
            reporter.finish(step, system)

    def fail(self, walk: Any, chunk: Any, floats: Arrays, records: Arrays) -> None:
        """Find the first step of a chunk after which the state is not sane, and raise.

        Records of the steps before it are reported as if the chunk had ended there.

        Raises:
            SimulationError: always; holds the last good state.
        """
        good, bad = 0, chunk.active
        last = floats
        while bad - good > 1:
            middle = (good + bad) // 2
            there, sane = walk.steps(floats, chunk, middle)
            if sane:
                good, last = middle, there
            else:
                bad = middle
        broken, _ = walk.steps(floats, chunk, bad)
        known = walk.backend.known
        system = walk.program.system_at(walk.leaves, last)
        forces = known(last[2])
        atom, fate = worst_atom(
            (system, forces), (walk.program.system_at(walk.leaves, broken), known(broken[2]))
        )
        step = walk.start_step + chunk.done + bad
        self.report_records(walk, chunk, records, before=chunk.done + bad)
        for reporter in self.reporters:
            reporter.failed(step - 1, system)
        raise SimulationError(
            f"The simulation exploded at step {step} with atom {atom}: {fate}. The largest force "
            f"component on it one step before was {float(abs(forces[atom]).max()):.3g}. Use a smaller "
            "time step, minimize the energy first, or check the parameters; the error's `system` is "
            "the last good state.",
            step=step,
            atom=atom,
            system=system,
        )
