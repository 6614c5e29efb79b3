"""Cutoffs: each form against its formula, where it starts, where it ends and how it is differentiated."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import LennardJones

SIGMA, EPSILON, RA, RC = 0.3, 0.2, 0.6, 0.8
#: Inside ra, at it, between, just inside rc, at it, just beyond, and far beyond.
DISTANCES = np.array([0.28, 0.35, 0.6, 0.65, 0.7, 0.799, 0.8, 0.8000001, 0.95, 1.0])


def potential(r: Any) -> Any:
    sixth = (SIGMA / r) ** 6
    return 4.0 * EPSILON * (sixth * sixth - sixth)


def force(r: Any) -> Any:
    sixth = (SIGMA / r) ** 6
    return 24.0 * EPSILON / r * (2.0 * sixth * sixth - sixth)


# Energy and force within reach, written out by hand: V(r), F(r) = -V'(r) and the two distances.


def plain(r: Any, ra: float, rc: float) -> tuple[Any, Any]:
    return potential(r), force(r)


def shifted_potential(r: Any, ra: float, rc: float) -> tuple[Any, Any]:
    return potential(r) - potential(rc), force(r)


def shifted_force(r: Any, ra: float, rc: float) -> tuple[Any, Any]:
    return potential(r) + (r - rc) * force(rc) - potential(rc), force(r) - force(rc)


def cubic_spline(r: Any, ra: float, rc: float) -> tuple[Any, Any]:
    t, span, start, slope = (r - ra) / (rc - ra), rc - ra, potential(ra), -force(ra)
    energy = (2 * t**3 - 3 * t**2 + 1) * start + (t**3 - 2 * t**2 + t) * span * slope
    pull = -(6 * t**2 - 6 * t) * start / span - (3 * t**2 - 4 * t + 1) * slope
    return np.where(r <= ra, potential(r), energy), np.where(r <= ra, force(r), pull)


def polynomial(r: Any, ra: float, rc: float) -> tuple[Any, Any]:
    t = np.maximum((r - ra) / (rc - ra), 0.0)
    switch = 1 - 6 * t**5 + 15 * t**4 - 10 * t**3
    slope = (-30 * t**4 + 60 * t**3 - 30 * t**2) / (rc - ra)
    return switch * potential(r), switch * force(r) - slope * potential(r)


Formula = Callable[[Any, float, float], tuple[Any, Any]]
#: Cutoff, its formula, and F(0.7), V(0.7) as the Molly.jl tests store them.
CASES: dict[str, tuple[md.Cutoff, Formula, float, float]] = {
    "none": (md.NoCutoff(), plain, -0.04196301990, -0.00492640193),
    "distance": (md.DistanceCutoff(RC), plain, -0.04196301990, -0.00492640193),
    "shifted potential": (
        md.ShiftedPotentialCutoff(RC),
        shifted_potential,
        -0.04196301990,
        -0.00270785727,
    ),
    "shifted force": (md.ShiftedForceCutoff(RC), shifted_force, -0.02537033587, -0.00104858887),
    "cubic spline": (md.CubicSplineCutoff(RA, RC), cubic_spline, -0.06201171875, -0.00312500000),
    "polynomial": (md.PolynomialCutoff(RA, RC), polynomial, -0.06716652806, -0.00246320097),
}
SMOOTH = [name for name in CASES if name not in ("none", "distance")]


def inside(name: str) -> Any:
    return np.ones(len(DISTANCES), dtype=bool) if name == "none" else DISTANCES <= RC


def energy_of(cutoff: md.Cutoff, on: md.Backend) -> Callable[[Any], Any]:
    """The energy of a pair as a function of its distance alone."""
    return lambda r: cutoff.energy(potential, r, derivative=on.radial, xp=on.xp(r))


def pairs(array: Callable[..., Any], distances: Any, cutoff: md.Cutoff) -> md.System:
    """Pairs at given distances along x, each out of reach of the others, in open space.

    The first atom of each lies at x = 0, so that no distance is rounded.
    """
    coords = np.zeros((2 * len(distances), 3))
    coords[1::2, 0] = distances
    coords[:, 1] = 50.0 * np.repeat(np.arange(len(distances)), 2)
    return md.System(
        md.Atoms(sigma=SIGMA, epsilon=EPSILON),
        array(coords),
        md.CubicBoundary(math.inf),
        interactions=[LennardJones(cutoff=cutoff)],
    )


def evaluated(system: md.System) -> tuple[Any, Any]:
    """The energy and the forces, compiled where the backend does that."""
    on = system.backend

    def evaluate(coords: Any) -> tuple[Any, Any]:
        moved = system.replace(coords=coords)
        return md.potential_energy(moved), md.forces(moved)

    energy, forces = on.jit(evaluate)(system.coords)
    return on.to_numpy(energy), on.to_numpy(forces)


@pytest.mark.parametrize("name", CASES)
def test_energy_and_slope_are_those_of_the_formula(
    on: md.Backend, array: Callable[..., Any], name: str
) -> None:
    cutoff, formula, *_ = CASES[name]
    r = DISTANCES[inside(name)]
    energy, pull = formula(r, RA, RC)
    of_r = energy_of(cutoff, on)
    found = on.jit(lambda at: (of_r(at), on.radial(of_r, at)))(array(r))
    np.testing.assert_allclose(on.to_numpy(found[0]), energy, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(-on.to_numpy(found[1]), pull, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_published_numbers(on: md.Backend, array: Callable[..., Any], name: str) -> None:
    cutoff, _, pull, energy = CASES[name]
    found = evaluated(pairs(array, [0.7], cutoff))
    np.testing.assert_allclose(found[0], energy, atol=1e-11)
    np.testing.assert_allclose(found[1], [[-pull, 0.0, 0.0], [pull, 0.0, 0.0]], atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_a_system_sees_the_formula_within_reach_and_nothing_beyond(
    on: md.Backend, array: Callable[..., Any], name: str
) -> None:
    cutoff, formula, *_ = CASES[name]
    potential_energy, found = evaluated(pairs(array, DISTANCES, cutoff))
    energy, pull = (np.where(inside(name), part, 0.0) for part in formula(DISTANCES, RA, RC))
    total = np.sum(energy)
    # Without a cutoff the pairs see each other across the gaps, faintly.
    tolerance = 1e-9 if name == "none" else 1e-14
    np.testing.assert_allclose(potential_energy, total, rtol=1e-12, atol=tolerance)
    np.testing.assert_allclose(found[1::2, 0], pull, rtol=1e-12, atol=tolerance)
    np.testing.assert_allclose(found[::2, 0], -pull, rtol=1e-12, atol=tolerance)
    if name != "none":
        assert not found[:, 1:].any()
        assert not found[1::2, 0][DISTANCES > RC].any()


@pytest.mark.parametrize("rc", [0.8, 0.9, 1.0, 1.1, 1.2, 1.3])
def test_a_sharp_cutoff_includes_its_distance(
    on: md.Backend, array: Callable[..., Any], rc: float
) -> None:
    cutoff = md.DistanceCutoff(rc)
    distances = [rc, np.nextafter(rc, 2.0) + 1e-15]
    energy, forces = evaluated(pairs(array, distances, cutoff))
    assert energy == pytest.approx(potential(rc), rel=1e-13)
    assert forces[1, 0] == pytest.approx(force(rc), rel=1e-13)
    assert not forces[2:].any()


# The order of the first derivative that jumps, where the form starts and where it ends.
@pytest.mark.parametrize(
    ("name", "at_start", "at_end"),
    [
        ("distance", None, 0),
        ("shifted potential", None, 1),
        ("shifted force", None, 2),
        ("cubic spline", 2, 2),
        ("polynomial", 3, 3),
    ],
)
def test_continuity(
    on: md.Backend, array: Callable[..., Any], name: str, at_start: int | None, at_end: int
) -> None:
    cutoff = CASES[name][0]
    derivatives = [energy_of(cutoff, on)]
    for _ in range(2):
        derivatives.append(lambda r, of=derivatives[-1]: on.radial(of, r))
    scales = [potential(RA), force(RA), force(RA) / RA]
    values = on.jit(lambda r: tuple(each(r) for each in derivatives))(array([RA, RA + 1e-10, RC]))
    for order, value in enumerate(values):
        start, past, end = on.to_numpy(value)
        size = abs(scales[order])
        if at_start is not None:
            assert (abs(past - start) < 1e-6 * size) == (order < at_start)
        assert (abs(end) < 1e-12 * size) == (order < at_end)
    assert cutoff.continuous_force == (at_end > 1)


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_reach_the_distances_of_a_cutoff(
    on: md.Backend, array: Callable[..., Any], name: str
) -> None:
    cutoff, formula, *_ = CASES[name]
    fields = ("activation", "distance") if hasattr(cutoff, "activation") else ("distance",)
    # The pair at ra is left out: a difference across the kink there is off by its step.
    distances = DISTANCES[DISTANCES != RA]
    weights = np.linspace(0.5, 1.5, len(distances))

    def loss(at: dict[str, Any]) -> Any:
        system = pairs(array, distances, cutoff.replace(**at))
        energy = md.potential_energy(system)
        if not cutoff.continuous_force:  # forces have no derivative by where they jump
            return energy
        pull = md.forces(system)[1::2, 0]
        return energy + (array(weights) * pull).sum()

    def weighted(r: Any, w: Any, at: dict[str, float]) -> float:
        energy, pull = formula(r, at.get("activation", RA), at["distance"])
        return float(np.sum(energy + w * pull if cutoff.continuous_force else energy))

    at = {"activation": RA, "distance": RC}
    at = {field: at[field] for field in fields}
    gradient = md.grad(loss, backend=on, jit=True)(at)
    # A pair inside stays inside on either side of the difference, also the one at rc.
    r, w, h = distances[distances <= RC], weights[distances <= RC], 1e-6
    for field in fields:
        ends = [weighted(r, w, {**at, field: at[field] + sign * h}) for sign in (1, -1)]
        expected = (ends[0] - ends[1]) / (2 * h)
        assert float(gradient[field]) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("name", ["none", "distance", "cubic spline"])
def test_nothing_at_the_end_or_beyond_is_nan(
    on: md.Backend, array: Callable[..., Any], name: str
) -> None:
    cutoff = CASES[name][0]
    distances = [RA, RC, np.nextafter(RC, 1.0), 5.0]

    def loss(sigma: Any) -> Any:
        system = pairs(array, distances, cutoff)
        system = system.replace(atoms=md.Atoms(sigma=sigma, epsilon=EPSILON))
        return (md.forces(system) ** 2).sum() + md.potential_energy(system)

    value, slope = md.value_and_grad(loss, backend=on, jit=True)(SIGMA)
    assert math.isfinite(float(value))
    assert math.isfinite(float(slope))
    assert float(slope) != 0.0


@pytest.mark.parametrize("make", [md.DistanceCutoff, md.CutoffNeighborFinder])
def test_a_distance_without_a_derivative_is_no_parameter(on: md.Backend, make: Any) -> None:
    def loss(distance: Any) -> Any:
        make(distance)
        return distance

    with pytest.raises(
        TypeError, match=r"(?s)(distance|cutoff)`.*must be a plain number.*derivative"
    ):
        md.grad(loss, backend=on)(RC)


def test_a_cutoff_that_ends_before_it_starts_is_refused() -> None:
    for make in (md.CubicSplineCutoff, md.PolynomialCutoff):
        with pytest.raises(
            ValueError, match=r"`activation` = 0\.8 must be below `distance` = 0\.7"
        ):
            make(0.8, 0.7)
