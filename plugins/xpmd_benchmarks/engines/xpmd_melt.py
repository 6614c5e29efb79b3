"""xpmd again, to melt the crystal that the fluid starts from."""

from __future__ import annotations

from typing import Any

from xpmd_benchmarks.engines.xpmd_fluid import Fluid, missing, versions

__all__ = ["missing", "prepare", "versions"]

#: Steps at twice the temperature, where the crystal melts, and at the temperature itself.
HOT, WARM = 300, 400


def prepare(task: dict[str, Any]) -> Any:
    return Melt(task)


class Melt(Fluid):
    """The fluid, kept at a temperature; the `times` of a run are the temperature."""

    def run(self, temperature: float) -> None:
        from xpmd import plugins
        from xpmd.simulate import simulate

        coupling = plugins.create("thermostat", "RescaleThermostat", temperature=temperature)
        simulator = plugins.create("simulator", "VelocityVerlet", dt=0.005, coupling=coupling)
        steps = HOT if temperature > 1.0 else WARM
        self._system = simulate(self._system, simulator, steps).system
