"""Derivatives of equilibrium averages by reweighting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from xpmd.concrete import concrete
from xpmd.ensemble import EnsembleBack, energies
from xpmd.errors import GradientError
from xpmd.gradient_strategy import EnsembleStrategy
from xpmd.module import static
from xpmd.walk import Walk

Array = Any
Arrays = tuple[Any, ...]


class Reweighting(EnsembleStrategy):
    """d<O>/dp = <dO/dp> - (<O dU/dp> - <O><dU/dp>)/kT, for averages in equilibrium.

    Records must be samples of the canonical ensemble at the temperature of the simulator or its
    thermostat: leave the way to equilibrium out, and let records be far enough apart. With `reuse` a
    trajectory serves later gradients as well, with weights exp(-(U_p - U_old)/kT), as long as these
    leave enough effective samples, exp(-sum w log w); otherwise a new one is sampled.

    `diagnostics` holds the `effective_sample_size` of the latest gradient, of how many `records`, and
    whether they were `resampled`.

    Args:
        reuse: whether to keep trajectories.
        least: fraction of effective samples below which a new trajectory is sampled.

    Source: S. Thaler and J. Zavadlav, Nat. Commun. 12, 6884 (2021).
    """

    reuse: bool = static(default=False)
    least: float = static(default=0.9)
    diagnostics: dict[str, Any] = static(default_factory=dict)
    memory: dict[str, Any] = static(default_factory=dict)

    unkeyed: ClassVar[frozenset[str]] = frozenset({"diagnostics", "memory"})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 < self.least <= 1.0:
            raise ValueError(f"`least` = {self.least} must be over 0 and at most 1.")

    def forward(self, walk: Walk) -> tuple[Arrays, Sequence[float], Any]:
        beta = 1.0 / (walk.system.units.boltzmann * _temperature(walk.simulator))
        if self.reuse and self._fits(walk):
            weights = self._weights(walk, beta)
            size = math.exp(-sum(w * math.log(w) for w in weights if w > 0.0))
            self._note(size, len(weights), resampled=False)
            if size >= self.least * len(weights):
                return self.memory["outputs"], weights, (self.memory["records"], beta)
        walk.run()
        count = len(walk.records)
        if self.reuse:
            self.memory.update(
                outputs=walk.outputs(),
                records=list(walk.records),
                energies=energies(walk, walk.records),
                run=_run_of(walk),
            )
        self._note(float(count), count, resampled=True)
        return walk.outputs(), [1.0 / max(count, 1)] * count, (list(walk.records), beta)

    def backward(self, back: EnsembleBack, kept: Any) -> list[Array | None]:
        records, beta = kept
        for snapshot, cotangent in zip(records, back.of_logs, strict=True):
            if cotangent:
                back.add_energy(snapshot, -beta * cotangent)
        return back.found()

    def _fits(self, walk: Walk) -> bool:
        return bool(self.memory.get("run") == _run_of(walk))

    def _weights(self, walk: Walk, beta: float) -> list[float]:
        now = energies(walk, self.memory["records"])
        logs = [-beta * (a - b) for a, b in zip(now, self.memory["energies"], strict=True)]
        top = max(logs, default=0.0)
        raw = [math.exp(each - top) for each in logs]
        return [each / sum(raw) for each in raw]

    def _note(self, size: float, count: int, *, resampled: bool) -> None:
        self.diagnostics.update(effective_sample_size=size, records=count, resampled=resampled)


def _run_of(walk: Walk) -> Any:
    """Return what a trajectory must have in common with another to stand in for it."""
    structure = walk.program.structure
    return (
        structure.backend.name,
        structure.spec,
        structure.interval,
        walk.n_steps,
        walk.start_step,
        walk.backend.known(walk.keys).tolist(),
    )


def _temperature(simulator: Any) -> float:
    """Return the one temperature that a simulator or its couplings keep, K.

    Raises:
        GradientError: the ensemble is not canonical, or there are several temperatures.
    """
    owners = [each for each in (simulator, *simulator.couplings) if hasattr(each, "temperature")]
    names = [type(each).__name__ for each in (simulator, *simulator.couplings)]
    found = {concrete(each.temperature) for each in owners}
    others = [type(each).__name__ for each in owners if not each.canonical]
    if others:
        reason = f"{others[0]} does not sample the canonical ensemble"
    elif len(found) != 1 or None in found:
        reason = f"{' with '.join(names)} has not one temperature, but {sorted(map(str, found))}"
    else:
        return float(found.pop())
    raise GradientError(
        f"The strategy 'reweighting' cannot be used here: {reason}. Use a simulator or a thermostat that "
        "is canonical, such as Langevin or AndersenThermostat, and one temperature."
    )
