"""Observables and losses, one a file: functions of a System or of arrays, differentiable."""

from xpmd.observables.mean_min_separation import mean_min_separation
from xpmd.observables.radial_distribution import radial_distribution
from xpmd.observables.radius_of_gyration import radius_of_gyration
from xpmd_observables.angles import bond_angles, dihedral_angles
from xpmd_observables.box_parameters import box_parameters
from xpmd_observables.center_of_mass import center_of_mass
from xpmd_observables.contacts import contacts
from xpmd_observables.density import density, number_density, volume
from xpmd_observables.diffusion import diffusion_from_displacements, diffusion_from_velocities
from xpmd_observables.dipole_moment import dipole_moment
from xpmd_observables.distance_matrix import distance_matrix
from xpmd_observables.distance_rmsd import distance_rmsd
from xpmd_observables.fluctuation import fluctuation
from xpmd_observables.group_distance import group_distance
from xpmd_observables.hexatic import hexatic
from xpmd_observables.hydrodynamic_radius import hydrodynamic_radius
from xpmd_observables.losses import (
    WeightedSum,
    contact_map_match,
    radial_distribution_match,
    squared_deviation,
)
from xpmd_observables.mean_square_displacement import mean_square_displacement
from xpmd_observables.pair_distances import pair_distances
from xpmd_observables.rmsd import rmsd
from xpmd_observables.scalar_pressure import scalar_pressure
from xpmd_observables.segment_order import segment_order
from xpmd_observables.steinhardt import steinhardt
from xpmd_observables.straightness import straightness
from xpmd_observables.time_correlation import running_integral, time_correlation
from xpmd_observables.total_energy import total_energy
from xpmd_observables.unwrapped import unwrapped
from xpmd_observables.velocity_autocorrelation import velocity_autocorrelation
from xpmd_observables.whole import whole

__all__ = [
    "WeightedSum",
    "bond_angles",
    "box_parameters",
    "center_of_mass",
    "contact_map_match",
    "contacts",
    "density",
    "diffusion_from_displacements",
    "diffusion_from_velocities",
    "dihedral_angles",
    "dipole_moment",
    "distance_matrix",
    "distance_rmsd",
    "fluctuation",
    "group_distance",
    "hexatic",
    "hydrodynamic_radius",
    "mean_min_separation",
    "mean_square_displacement",
    "number_density",
    "pair_distances",
    "radial_distribution",
    "radial_distribution_match",
    "radius_of_gyration",
    "rmsd",
    "running_integral",
    "scalar_pressure",
    "segment_order",
    "squared_deviation",
    "steinhardt",
    "straightness",
    "time_correlation",
    "total_energy",
    "unwrapped",
    "velocity_autocorrelation",
    "volume",
    "whole",
]
