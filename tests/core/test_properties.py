"""Energy, forces, virial and pressure of every kind of interaction in every kind of box."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import HarmonicAngle, HarmonicBond, LennardJones, PeriodicTorsion

SIGMA, EPSILON, RA, RC = 0.3, 0.5, 0.7, 0.9
#: Cells as rows, zero along the directions that are open, and the boundary of each.
SKEWED = np.array([[2.1, 0.0, 0.0], [0.6, 2.0, 0.0], [-0.5, 0.4, 2.2]])
BOXES: dict[str, tuple[md.Boundary, Any]] = {
    "cubic": (md.CubicBoundary(2.0), np.diag([2.0, 2.0, 2.0])),
    "triclinic": (md.TriclinicBoundary(SKEWED), SKEWED),
    "plane": (md.RectangularBoundary(2.0, 2.4), np.diag([2.0, 2.4])),
    "slab": (md.CubicBoundary(2.0, 2.2, math.inf), np.diag([2.0, 2.2, 0.0])),
    "open": (md.CubicBoundary(math.inf), np.zeros((3, 3))),
    "open plane": (md.RectangularBoundary(math.inf), np.zeros((2, 2))),
}


class PullOfThree(md.SpecificInteraction):
    """k |(x_j - x_i) + 2 (x_k - x_i)|^4, written in positions."""

    k: Any

    def energy(self, x_i: Any, x_j: Any, x_k: Any, *, boundary: Any, xp: Any) -> Any:
        near, far = (boundary.displacement(x_i, x, xp=xp) for x in (x_j, x_k))
        both = near + 2.0 * far
        return self.k * xp.sum(both * both, axis=-1) ** 2


class Crowding(md.GeneralInteraction):
    """strength (sum over pairs of (1 - r^2/c^2)^4 for r < c)^2: no sum of pair energies."""

    strength: Any

    def energy(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        d = system.boundary.displacement(coords[:, None, :], coords[None, :, :], xp=xp)
        left = 1.0 - xp.sum(d * d, axis=-1) / RC**2
        overlap = xp.sum(xp.where(left > 0.0, left, xp.zeros_like(left)) ** 4)
        # Every pair occurs twice, and every atom once with itself.
        return self.strength * (0.5 * (overlap - coords.shape[0])) ** 2


class Box:
    """Atoms in a box with the energy of each kind of interaction, summed by hand over all images."""

    def __init__(self, name: str) -> None:
        self.boundary, self.cell = BOXES[name]
        self.d = len(self.cell)
        home = self.boundary if self.boundary.cell_vectors() else type(self.boundary)(2.0)
        self.coords = md.place_atoms(9, home, 0.35 if self.d == 3 else 0.4, seed=5)
        images = np.array(list(itertools.product((-1, 0, 1), repeat=self.d)), dtype=float)
        self.images = images[~images[:, ~self.cell.any(axis=1)].any(axis=1)]
        self.neighbors = [
            np.argsort(np.linalg.norm(self.table(self.coords, self.cell)[i], axis=1))[1:4]
            for i in range(9)
        ]
        self.bonds = [[i, int(self.neighbors[i][0])] for i in range(0, 9, 2)]
        self.angles = [[int(self.neighbors[i][1]), i, int(self.neighbors[i][0])] for i in (1, 4, 7)]
        self.torsions = [
            [int(self.neighbors[i][0]), i, int(self.neighbors[i][1]), int(self.neighbors[i][2])]
            for i in (2, 5)
        ]

    def table(self, coords: Any, cell: Any) -> Any:
        """The shortest image of x_j - x_i for all i and j."""
        between = coords[None, :, None, :] - coords[:, None, None, :] + self.images @ cell
        nearest = np.linalg.norm(between, axis=-1).argmin(axis=-1)
        return np.take_along_axis(between, nearest[:, :, None, None], axis=2)[:, :, 0, :]

    def interactions(self, kind: str) -> list[Any]:
        cutoff = md.PolynomialCutoff(RA, RC)
        kinds = {
            "pairwise": [LennardJones(cutoff=cutoff)],
            "bond": [HarmonicBond(self.bonds, k=500.0, r0=0.35)],
            "angle": [HarmonicAngle(self.angles, k=30.0, theta0=1.5)],
            "torsion": [PeriodicTorsion(self.torsions, periodicity=2, phase=0.4, k=8.0)],
            "positions": [PullOfThree(self.angles, k=20.0)],
            "general": [Crowding(3.0)],
        }
        if kind == "all":
            return [each for k in KINDS if k != "all" and self.has(k) for each in kinds[k]]
        return kinds[kind]

    def has(self, kind: str) -> bool:
        return self.d == 3 or kind != "torsion"

    def energy(self, kind: str, coords: Any, cell: Any) -> float:
        if kind == "all":
            return sum(self.energy(k, coords, cell) for k in KINDS if k != "all" and self.has(k))
        table = self.table(coords, cell)
        first, second = np.triu_indices(len(coords), 1)
        r = np.linalg.norm(table[first, second], axis=-1)
        if kind == "pairwise":
            t = np.clip((r - RA) / (RC - RA), 0.0, 1.0)
            switch = 1 - 6 * t**5 + 15 * t**4 - 10 * t**3
            sixth = (SIGMA / r) ** 6
            return float(np.sum(switch * 4 * EPSILON * (sixth**2 - sixth)))
        if kind == "bond":
            lengths = np.array([np.linalg.norm(table[a, b]) for a, b in self.bonds])
            return float(np.sum(250.0 * (lengths - 0.35) ** 2))
        if kind == "angle":
            angles = [between(table[j, i], table[j, k]) for i, j, k in self.angles]
            return float(np.sum(15.0 * (np.array(angles) - 1.5) ** 2))
        if kind == "torsion":
            found = [
                dihedral(table[i, j], table[j, k], table[k, m]) for i, j, k, m in self.torsions
            ]
            return float(np.sum(8.0 * (1 + np.cos(2 * np.array(found) - 0.4))))
        if kind == "positions":
            pulls = [table[i, j] + 2.0 * table[i, k] for i, j, k in self.angles]
            return float(20.0 * sum((p @ p) ** 2 for p in pulls))
        return float(3.0 * np.sum(np.maximum(1.0 - (r / RC) ** 2, 0.0) ** 4) ** 2)

    def system(self, kind: str, array: Callable[..., Any], **options: Any) -> md.System:
        return md.System(
            options.pop("atoms", md.Atoms(sigma=SIGMA, epsilon=EPSILON)),
            array(self.coords),
            self.boundary,
            interactions=self.interactions(kind),
            **options,
        )


KINDS = ["pairwise", "bond", "angle", "torsion", "positions", "general", "all"]


def between(u: Any, v: Any) -> float:
    return math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))


def dihedral(f: Any, g: Any, h: Any) -> float:
    """IUPAC: the angle between the planes of f, g and g, h."""
    a, b = np.cross(f, g), np.cross(g, h)
    return math.atan2(np.linalg.norm(g) * (f @ b), a @ b)


def difference(of: Callable[[float], float], step: float = 1e-4) -> float:
    """A derivative by central differences of the fourth order."""
    near, far = of(step) - of(-step), of(2 * step) - of(-2 * step)
    return (8.0 * near - far) / (12.0 * step)


def strained(box: Box, kind: str) -> Any:
    """W = -dE/d(strain), from energies of the strained box."""
    virial = np.zeros((box.d, box.d))
    for a, b in np.ndindex(virial.shape):

        def energy(size: float, a: int = a, b: int = b) -> float:
            deformation = np.eye(box.d)
            deformation[a, b] += size
            return box.energy(kind, box.coords @ deformation, box.cell @ deformation)

        virial[a, b] = -difference(energy)
    return virial


def displaced(box: Box, kind: str) -> Any:
    """F = -dE/dx, from energies of displaced atoms."""
    forces = np.zeros_like(box.coords)
    for place in np.ndindex(forces.shape):

        def energy(size: float, place: Any = place) -> float:
            coords = box.coords.copy()
            coords[place] += size
            return box.energy(kind, coords, box.cell)

        forces[place] = -difference(energy)
    return forces


def hold(found: Any, expected: Any, tolerance: float) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("kind", KINDS[:-1])
@pytest.mark.parametrize("name", BOXES)
def test_each_interaction_in_each_box(name: str, kind: str) -> None:
    box = Box(name)
    if not box.has(kind):
        with pytest.raises(ValueError, match="a dihedral angle needs three dimensions"):
            box.system(kind, np.asarray)
        return
    built = box.system(kind, np.asarray)
    energy = box.energy(kind, box.coords, box.cell)
    assert abs(energy) > 1e-3
    assert float(md.potential_energy(built)) == pytest.approx(energy, rel=1e-12)
    hold(md.forces(built), displaced(box, kind), 1e-8)
    virial = md.virial(built)
    hold(virial, strained(box, kind), 1e-7)
    # No energy here changes when everything is turned, so there is no torque.
    hold(virial, virial.T, 1e-12)
    np.testing.assert_allclose(md.forces(built).sum(axis=0), 0.0, atol=1e-10)


@pytest.fixture(scope="module")
def references() -> dict[str, Any]:
    boxes = {name: Box(name) for name in ("triclinic", "plane")}
    return {n: (b, displaced(b, "all"), strained(b, "all")) for n, b in boxes.items()}


@pytest.mark.parametrize("name", ["triclinic", "plane"])
def test_all_interactions_together_on_every_backend(
    on: md.Backend, array: Callable[..., Any], references: dict[str, Any], name: str
) -> None:
    box, forces, virial = references[name]
    velocities = np.random.default_rng(3).normal(size=box.coords.shape)
    mass = np.linspace(1.0, 3.0, len(box.coords))
    atoms = md.Atoms(mass=array(mass), sigma=SIGMA, epsilon=EPSILON)
    functions = {
        "energy": md.potential_energy,
        "forces": md.forces,
        "virial": md.virial,
        "pressure": md.pressure,
        "kinetic": md.kinetic_energy,
        "temperature": md.temperature,
    }

    def evaluate(moving: Any) -> dict[str, Any]:
        built = box.system("all", array, velocities=moving, atoms=atoms)
        return {key: function(built) for key, function in functions.items()}

    values = on.jit(evaluate)(array(velocities))  # compiled, where a backend does that
    found = {key: on.to_numpy(value) for key, value in values.items()}
    energy = box.energy("all", box.coords, box.cell)
    assert found["energy"] == pytest.approx(energy, rel=1e-12)
    hold(found["forces"], forces, 1e-8)
    hold(found["virial"], virial, 1e-7)
    kinetic = 0.5 * np.einsum("n,na,nb->ab", mass, velocities, velocities)
    volume = abs(np.linalg.det(box.cell))
    hold(found["pressure"], (2 * kinetic + virial) / volume, 1e-7)
    assert found["kinetic"] == pytest.approx(np.trace(kinetic), rel=1e-14)
    free = box.d * len(mass) - box.d
    warmth = 2 * np.trace(kinetic) / (free * 0.008314462618)
    assert found["temperature"] == pytest.approx(warmth, rel=1e-14)


def test_forces_are_the_gradient_of_the_energy(
    on: md.Backend, array: Callable[..., Any], references: dict[str, Any]
) -> None:
    box = references["plane"][0]
    built = box.system("all", array)
    slope = md.grad(lambda coords: md.potential_energy(built.replace(coords=coords)), jit=True)
    found = on.to_numpy(slope(array(box.coords)))
    hold(-found, references["plane"][1], 1e-8)


@pytest.mark.parametrize(
    ("name", "free"), [("cubic", 24), ("plane", 16), ("slab", 25), ("open", 27), ("open plane", 18)]
)
@pytest.mark.parametrize("units", [md.units.molar, md.units.reduced], ids=lambda units: units.name)
def test_temperature_counts_the_free_directions(name: str, free: int, units: Any) -> None:
    box = Box(name)
    velocities = np.random.default_rng(4).normal(size=box.coords.shape)
    built = md.System(md.Atoms(mass=2.0), box.coords, box.boundary, velocities, units=units)
    assert built.degrees_of_freedom == free
    kinetic = np.sum(velocities**2)
    assert float(md.kinetic_energy(built)) == pytest.approx(kinetic, rel=1e-14)
    assert float(md.temperature(built)) == pytest.approx(2 * kinetic / free / units.boltzmann)


def test_an_ideal_gas_has_the_pressure_of_its_motion() -> None:
    velocities = np.random.default_rng(5).normal(size=(9, 3))
    built = md.System(md.Atoms(mass=3.0), Box("cubic").coords, md.CubicBoundary(2.0), velocities)
    assert not md.virial(built).any()
    np.testing.assert_allclose(md.pressure(built), 3.0 * velocities.T @ velocities / 8.0)


def test_two_atoms_that_push_each_other_have_a_positive_virial() -> None:
    """The sign of LAMMPS: W = sum r (x) f."""
    coords = np.array([[0.1, 0.0, 0.0], [1.9, 0.0, 0.0]])  # 0.2 nm apart, across the boundary
    built = md.System(
        md.Atoms(sigma=SIGMA, epsilon=EPSILON),
        coords,
        md.CubicBoundary(2.0),
        interactions=[LennardJones(cutoff=md.DistanceCutoff(RC))],
    )
    sixth = (SIGMA / 0.2) ** 6
    expected = 24 * EPSILON * (2 * sixth**2 - sixth)
    np.testing.assert_allclose(md.virial(built), np.diag([expected, 0.0, 0.0]), rtol=1e-12)
    assert md.forces(built)[0, 0] == pytest.approx(expected / 0.2)


def test_forces_without_an_energy_have_no_virial() -> None:
    class Wind(md.GeneralInteraction):
        def forces(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
            return xp.ones_like(coords)

    built = md.System(md.Atoms(), Box("cubic").coords, md.CubicBoundary(2.0), interactions=[Wind()])
    assert (md.forces(built) == 1.0).all()
    with pytest.raises(NotImplementedError, match="Wind has forces but no energy"):
        md.potential_energy(built)
    with pytest.raises(md.XpmdError, match="no energy, so it has no virial: write `energy`"):
        md.pressure(built)
