"""xpmd on the fluid with a potential of a package that it knows nothing of, the example's."""

from __future__ import annotations

import math
import sys
from importlib import import_module
from typing import Any, ClassVar

from xpmd_benchmarks.engines import xpmd_fluid
from xpmd_benchmarks.engines.xpmd_fluid import missing, versions

__all__ = ["missing", "prepare", "versions"]

#: Steepness of exp-6 times the distance of its minimum, at which its curvature there is Lennard-Jones's.
STEEPNESS = 13.772


def prepare(task: dict[str, Any]) -> Any:
    makers = {"Buckingham": Stranger, "Lennard-Jones, energy alone": EnergyAlone}
    return makers.get(task["potential"], xpmd_fluid.Fluid)(task)


def parameters() -> dict[str, float]:
    """Return A, B and C whose minimum is that of Lennard-Jones: depth 1 at 2^(1/6)."""
    depth, place = 1.0, 2.0 ** (1 / 6)
    rest = STEEPNESS - 6.0
    return {
        "A": 6.0 * depth / rest * math.exp(STEEPNESS),
        "B": STEEPNESS / place,
        "C": STEEPNESS * depth / rest * place**6,
    }


class Stranger(xpmd_fluid.Fluid):
    """The fluid with the Buckingham potential instead, cut and listed alike."""

    def __init__(self, task: dict[str, Any]) -> None:
        super().__init__(task)
        sys.path.insert(0, task["folder"])
        from xpmd.atoms import Atoms
        from xpmd.cutoffs import DistanceCutoff

        potential = import_module("xpmd_buckingham.buckingham").Buckingham
        cutoff = DistanceCutoff(task["cutoff"])
        atoms = Atoms(mass=1.0, **parameters())
        self._system = self._system.replace(atoms=atoms, interactions=[potential(cutoff=cutoff)])


class EnergyAlone(xpmd_fluid.Fluid):
    """The fluid with the Lennard-Jones potential as a stranger would write it: V(r) and no more."""

    def __init__(self, task: dict[str, Any]) -> None:
        from xpmd import mixing
        from xpmd.cutoffs import Cutoff, DistanceCutoff, NoCutoff
        from xpmd.pairwise import PairwiseInteraction

        class LennardJones(PairwiseInteraction):
            """V(r) = 4 epsilon ((sigma/r)^12 - (sigma/r)^6)."""

            atom_parameters: ClassVar = {"sigma": mixing.lorentz, "epsilon": mixing.geometric}
            cutoff: Cutoff = NoCutoff()

            def energy(self, r: Any, sigma: Any, epsilon: Any, *, xp: Any) -> Any:
                inverse = (sigma / r) ** 6
                return 4.0 * epsilon * (inverse * inverse - inverse)

        super().__init__(task)
        potential = LennardJones(cutoff=DistanceCutoff(task["cutoff"]))
        self._system = self._system.replace(interactions=[potential])
