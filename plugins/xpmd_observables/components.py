"""What this package offers to the registry."""

from xpmd.hookspecs import Component, hookimpl

# module of this package, or of the core; name; summary
_ROWS = (
    ("angles", "bond_angles", "angles of listed triples"),
    ("angles", "dihedral_angles", "dihedral angles of listed quadruples"),
    ("box_parameters", "box_parameters", "the sides or vectors of the box"),
    ("center_of_mass", "center_of_mass", "sum m x / sum m"),
    ("contacts", "contacts", "smooth contacts of distances"),
    ("density", "density", "mass over volume"),
    ("density", "number_density", "atoms over volume"),
    ("density", "volume", "volume of the box"),
    ("diffusion", "diffusion_from_displacements", "D from the slope of a mean-square displacement"),
    ("diffusion", "diffusion_from_velocities", "D from a velocity autocorrelation"),
    ("dipole_moment", "dipole_moment", "sum q x"),
    ("distance_matrix", "distance_matrix", "all distances between two groups"),
    ("distance_rmsd", "distance_rmsd", "deviation of distances from a reference"),
    ("fluctuation", "fluctuation", "RMSF of each atom along a run"),
    ("group_distance", "group_distance", "distance of centers, or of nearest or farthest atoms"),
    ("hexatic", "hexatic", "bond-orientational order psi_k in the plane"),
    ("hydrodynamic_radius", "hydrodynamic_radius", "Kirkwood's estimate"),
    ("mean_square_displacement", "mean_square_displacement", "by lag, jumps taken out"),
    ("pair_distances", "pair_distances", "distances of listed pairs"),
    ("rmsd", "rmsd", "deviation from a reference after superposition"),
    ("scalar_pressure", "scalar_pressure", "tr(2 K + W)/(d V)"),
    ("segment_order", "segment_order", "nematic order of the segments of chains"),
    ("steinhardt", "steinhardt", "bond-orientational order q_l"),
    ("straightness", "straightness", "end-to-end distance over contour length of chains"),
    ("time_correlation", "running_integral", "integral from 0 to each point"),
    ("time_correlation", "time_correlation", "autocorrelation of records"),
    ("total_energy", "total_energy", "potential and kinetic energy"),
    ("unwrapped", "unwrapped", "positions along a run without jumps"),
    ("velocity_autocorrelation", "velocity_autocorrelation", "by lag"),
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
