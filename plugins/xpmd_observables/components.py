"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl

# module of this package, or of the core; name; summary
_ROWS = (
    ("angles", "bond_angles", "angles of listed triples"),
    ("angles", "dihedral_angles", "dihedral angles of listed quadruples"),
    ("box", "box_parameters", "the sides or vectors of the box"),
    ("mass_center", "center_of_mass", "sum m x / sum m"),
    ("smooth_contacts", "contacts", "smooth contacts of distances"),
    ("densities", "density", "mass over volume"),
    ("densities", "number_density", "atoms over volume"),
    ("densities", "volume", "volume of the box"),
    ("diffusion", "diffusion_from_displacements", "D from the slope of a mean-square displacement"),
    ("diffusion", "diffusion_from_velocities", "D from a velocity autocorrelation"),
    ("dipole", "dipole_moment", "sum q x"),
    ("all_distances", "distance_matrix", "all distances between two groups"),
    ("distance_deviation", "distance_rmsd", "deviation of distances from a reference"),
    ("fluctuations", "fluctuation", "RMSF of each atom along a run"),
    ("groups", "group_distance", "distance of centers, or of nearest or farthest atoms"),
    ("hexatic_order", "hexatic", "bond-orientational order psi_k in the plane"),
    ("kirkwood_radius", "hydrodynamic_radius", "Kirkwood's estimate"),
    ("displacements", "mean_square_displacement", "by lag, jumps taken out"),
    ("listed_pairs", "pair_distances", "distances of listed pairs"),
    ("deviation", "rmsd", "deviation from a reference after superposition"),
    ("pressure", "scalar_pressure", "tr(2 K + W)/(d V)"),
    ("nematic_order", "segment_order", "nematic order of the segments of chains"),
    ("steinhardt_order", "steinhardt", "bond-orientational order q_l"),
    ("chains", "straightness", "end-to-end distance over contour length of chains"),
    ("correlation", "running_integral", "integral from 0 to each point"),
    ("correlation", "time_correlation", "autocorrelation of records"),
    ("energy", "total_energy", "potential and kinetic energy"),
    ("unwrapping", "unwrapped", "positions along a run without jumps"),
    ("velocity_correlation", "velocity_autocorrelation", "by lag"),
    ("whole_molecules", "whole", "positions with molecules put together"),
    ("xpmd.observables.mean_min_separation", "mean_min_separation", "mean nearest distance"),
    ("xpmd.observables.radial_distribution", "radial_distribution", "g(r) with smooth bins"),
    ("xpmd.observables.radius_of_gyration", "radius_of_gyration", "about the center of mass"),
    ("xpmd.properties", "forces", "forces on the atoms"),
    ("xpmd.properties", "kinetic_energy", "1/2 sum m v^2"),
    ("xpmd.properties", "potential_energy", "energy of all interactions"),
    ("xpmd.properties", "pressure", "pressure tensor"),
    ("xpmd.properties", "temperature", "2 K / (n_dof k_B)"),
    ("xpmd.properties", "virial", "sum r (x) f"),
)


@hookimpl
def xpmd_components(api: tuple[int, int]) -> list[Component]:
    """Describe the observables."""
    return [
        Component(
            "observable",
            name,
            f"{module if '.' in module else f'xpmd_observables.{module}'}:{name}",
            summary=summary,
        )
        for module, name, summary in _ROWS
    ]
