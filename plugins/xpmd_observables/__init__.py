"""Observables and losses, one a file: functions of a System or of arrays, differentiable."""

from typing import TYPE_CHECKING

from xpmd.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from xpmd.observables.mean_min_separation import mean_min_separation
    from xpmd.observables.radial_distribution import radial_distribution
    from xpmd.observables.radius_of_gyration import radius_of_gyration
    from xpmd_observables.all_distances import distance_matrix
    from xpmd_observables.angles import bond_angles, dihedral_angles
    from xpmd_observables.box import box_parameters
    from xpmd_observables.chains import straightness
    from xpmd_observables.correlation import running_integral, time_correlation
    from xpmd_observables.densities import density, number_density, volume
    from xpmd_observables.deviation import rmsd
    from xpmd_observables.diffusion import diffusion_from_displacements, diffusion_from_velocities
    from xpmd_observables.dipole import dipole_moment
    from xpmd_observables.displacements import mean_square_displacement
    from xpmd_observables.distance_deviation import distance_rmsd
    from xpmd_observables.energy import total_energy
    from xpmd_observables.fluctuations import fluctuation
    from xpmd_observables.groups import group_distance
    from xpmd_observables.hexatic_order import hexatic
    from xpmd_observables.kirkwood_radius import hydrodynamic_radius
    from xpmd_observables.listed_pairs import pair_distances
    from xpmd_observables.losses import (
        WeightedSum,
        contact_map_match,
        radial_distribution_match,
        squared_deviation,
    )
    from xpmd_observables.mass_center import center_of_mass
    from xpmd_observables.nematic_order import segment_order
    from xpmd_observables.pressure import scalar_pressure
    from xpmd_observables.smooth_contacts import contacts
    from xpmd_observables.steinhardt_order import steinhardt
    from xpmd_observables.unwrapping import unwrapped
    from xpmd_observables.velocity_correlation import velocity_autocorrelation
    from xpmd_observables.whole_molecules import whole

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

_LOSSES = "xpmd_observables.losses"

__getattr__ = lazy_exports(
    "xpmd_observables.components",
    WeightedSum=f"{_LOSSES}.weighted_sum",
    contact_map_match=f"{_LOSSES}.contact_map_match",
    radial_distribution_match=f"{_LOSSES}.radial_distribution_match",
    squared_deviation=f"{_LOSSES}.squared_deviation",
)
