"""Differentiable molecular simulation on any array library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from xpmd import mixing, units
from xpmd.atoms import Atoms
from xpmd.backend import Backend, Capabilities, backend, backend_of
from xpmd.boundary import Boundary
from xpmd.check_gradient import GradientRow, GradientTable, check_gradient
from xpmd.compiling import compiled
from xpmd.coupling import Coupling
from xpmd.cutoffs import (
    CubicSplineCutoff,
    Cutoff,
    DistanceCutoff,
    NoCutoff,
    PolynomialCutoff,
    ShiftedForceCutoff,
    ShiftedPotentialCutoff,
)
from xpmd.errors import (
    BackendError,
    GradientError,
    NeighborOverflowError,
    PluginError,
    ReplicaError,
    SimulationError,
    XpmdError,
)
from xpmd.exclusions import Exclusions, bonded_pairs
from xpmd.general import GeneralInteraction
from xpmd.gradient import grad, value_and_grad
from xpmd.gradient_statistics import GradientStatistics, gradient_statistics
from xpmd.gradient_strategy import (
    EnsembleStrategy,
    GradientStrategy,
    LossStrategy,
    TrajectoryStrategy,
)
from xpmd.kernels import without_kernels
from xpmd.minimize import minimize
from xpmd.module import Module, indices, static
from xpmd.neighbor_finder import CutoffNeighborFinder, NeighborFinder
from xpmd.neighbor_list import NeighborList
from xpmd.observables.mean_min_separation import mean_min_separation
from xpmd.observables.radial_distribution import radial_distribution
from xpmd.observables.radius_of_gyration import radius_of_gyration
from xpmd.observe import Observe
from xpmd.orthorhombic_boundary import CubicBoundary, RectangularBoundary
from xpmd.pairwise import PairwiseInteraction
from xpmd.placement import place_atoms
from xpmd.progress import Progress
from xpmd.properties import (
    forces,
    kinetic_energy,
    potential_energy,
    pressure,
    temperature,
    virial,
)
from xpmd.reporter import Reporter
from xpmd.result import Result
from xpmd.run_many import run_many
from xpmd.sensitivity_growth import (
    SensitivityGrowth,
    SensitivityWarning,
    sensitivity_growth,
)
from xpmd.simulate import simulate
from xpmd.simulator import Simulator, State
from xpmd.special_pairs import SpecialPairs
from xpmd.specific import SpecificInteraction
from xpmd.system import System
from xpmd.triclinic_boundary import TriclinicBoundary
from xpmd.velocities import random_velocities
from xpmd.visualize import animate

if TYPE_CHECKING:
    from xpmd import plugins
    from xpmd.hookspecs import Component, hookimpl
    from xpmd.plugins import create

__version__ = "0.1.0"

# The registry reads the metadata of what is installed, a third of the time of this import; it is
# imported when something is asked of it.
_LATER = {
    "Component": "xpmd.hookspecs",
    "create": "xpmd.plugins",
    "hookimpl": "xpmd.hookspecs",
    "plugins": "xpmd.plugins",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _LATER:
        raise AttributeError(f"module 'xpmd' has no attribute {name!r}")
    module = importlib.import_module(_LATER[name])
    return module if name == "plugins" else getattr(module, name)


__all__ = [
    "Atoms",
    "Backend",
    "BackendError",
    "Boundary",
    "Capabilities",
    "Component",
    "Coupling",
    "CubicBoundary",
    "CubicSplineCutoff",
    "Cutoff",
    "CutoffNeighborFinder",
    "DistanceCutoff",
    "EnsembleStrategy",
    "Exclusions",
    "GeneralInteraction",
    "GradientError",
    "GradientRow",
    "GradientStatistics",
    "GradientStrategy",
    "GradientTable",
    "LossStrategy",
    "Module",
    "NeighborFinder",
    "NeighborList",
    "NeighborOverflowError",
    "NoCutoff",
    "Observe",
    "PairwiseInteraction",
    "PluginError",
    "PolynomialCutoff",
    "Progress",
    "RectangularBoundary",
    "ReplicaError",
    "Reporter",
    "Result",
    "SensitivityGrowth",
    "SensitivityWarning",
    "ShiftedForceCutoff",
    "ShiftedPotentialCutoff",
    "SimulationError",
    "Simulator",
    "SpecialPairs",
    "SpecificInteraction",
    "State",
    "System",
    "TrajectoryStrategy",
    "TriclinicBoundary",
    "XpmdError",
    "animate",
    "backend",
    "backend_of",
    "bonded_pairs",
    "check_gradient",
    "compiled",
    "create",
    "forces",
    "grad",
    "gradient_statistics",
    "hookimpl",
    "indices",
    "kinetic_energy",
    "mean_min_separation",
    "minimize",
    "mixing",
    "place_atoms",
    "plugins",
    "potential_energy",
    "pressure",
    "radial_distribution",
    "radius_of_gyration",
    "random_velocities",
    "run_many",
    "sensitivity_growth",
    "simulate",
    "static",
    "temperature",
    "units",
    "value_and_grad",
    "virial",
    "without_kernels",
]
