"""Pair forces on NumPy come in blocks of pairs, by closed forms: whatever the list, the same numbers."""

from __future__ import annotations

import gc
import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd.closed_form import has_closed_form
from xpmd.force_derivatives import force_jvp, force_vjp
from xpmd.force_field import pair_energy, pair_forces, pair_virial, total_forces
from xpmd.leaf_map import Cotangents, LeafMap
from xpmd.module import flatten
from xpmd.neighbor_list import NeighborList
from xpmd.neighbor_upkeep import neighbors_of
from xpmd_interactions import Coulomb, LennardJones
from xpmd_neighbors import AllPairs, CellListNeighborFinder, DistanceNeighborFinder
from xpmd_numpy import pair_kernels
from xpmd_numpy.runs import _remembered, runs_of, runs_of_blocks

N_ATOMS = 27
CUTOFFS = {
    "none": md.NoCutoff(),
    "distance": md.DistanceCutoff(0.8),
    "shifted potential": md.ShiftedPotentialCutoff(0.8),
    "shifted force": md.ShiftedForceCutoff(0.8),
    "spline": md.CubicSplineCutoff(0.6, 0.8),
    "polynomial": md.PolynomialCutoff(0.6, 0.8),
}
BOXES = {
    "cubic": md.CubicBoundary(1.8, 2.0, 2.2),
    "open": md.CubicBoundary(1.8, float("inf"), 2.2),
    "triclinic": md.TriclinicBoundary([[2.0, 0.0, 0.0], [0.3, 2.0, 0.0], [-0.2, 0.4, 2.1]]),
}


class Gaussian(md.PairwiseInteraction):
    """V = sum_k c_k exp(-r^2/w_k) size: a closed form that leaves its many fields out."""

    atom_parameters = {"size": md.mixing.lorentz}

    width: Any
    weights: Any
    cutoff: md.Cutoff = md.NoCutoff()

    def energy(self, r: Any, size: Any, *, xp: Any) -> Any:
        return size * sum(
            self.weights[k] * xp.exp(-r * r / (self.width * (k + 1))) for k in range(2)
        )

    def radial(self, r2: Any, size: Any, *, xp: Any) -> Any:
        widths = [self.width * (k + 1) for k in range(2)]
        terms = [2.0 * self.weights[k] * xp.exp(-r2 / w) / w for k, w in enumerate(widths)]
        f = size * (terms[0] + terms[1])
        return f, -size * (terms[0] / widths[0] + terms[1] / widths[1]), [f / size]


class Spring(md.PairwiseInteraction):
    """V = -k r^2/2, whose f is a number that all pairs share."""

    k: Any
    cutoff: md.Cutoff = md.NoCutoff()

    def energy(self, r: Any, *, xp: Any) -> Any:
        return -0.5 * self.k * r * r

    def radial(self, r2: Any, *, xp: Any) -> Any:
        return self.k, 0.0, [1.0]


INTERACTIONS = {
    "Lennard-Jones": lambda cutoff: [LennardJones(cutoff=cutoff)],
    "Coulomb": lambda cutoff: [Coulomb(cutoff=cutoff)],
    "fields left out": lambda cutoff: [Gaussian(0.2, [1.0, -0.5], cutoff=cutoff)],
    "all together": lambda cutoff: [
        Spring(k=2.0, cutoff=cutoff),
        LennardJones(cutoff=md.ShiftedForceCutoff(0.7)),
        Coulomb(cutoff=cutoff),
        Gaussian(0.2, [1.0, -0.5], cutoff=cutoff),
    ],
}
FINDERS = {
    "list": DistanceNeighborFinder(cutoff=0.9),
    "cells": CellListNeighborFinder(cutoff=0.9),
    "all pairs": AllPairs(),
}


def system_of(
    interactions: str = "all together",
    cutoff: str = "shifted force",
    box: str = "cubic",
    finder: str = "list",
    *,
    own: bool = True,
    dtype: str = "float64",
) -> md.System:
    """Return a shaken lattice; `own`: with parameters of each atom, and pairs excluded."""
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(*[np.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    coords = 0.55 * grid[:N_ATOMS] + rng.uniform(-0.08, 0.08, (N_ATOMS, 3)) - 0.1
    sizes = {"sigma": (0.3, 0.4), "epsilon": (0.5, 0.9), "charge": (-0.5, 0.5), "size": (0.5, 1.0)}
    parameters = {
        name: rng.uniform(*limits, N_ATOMS) if own else np.asarray(limits[1])
        for name, limits in sizes.items()
    }
    return md.System(
        atoms=md.Atoms(mass=10.0, **parameters),
        coords=coords,
        boundary=BOXES[box],
        interactions=INTERACTIONS[interactions](CUTOFFS[cutoff]),
        exclusions=md.Exclusions([(0, 1), (4, 9)]) if own else None,
        neighbor_finder=FINDERS["all pairs" if cutoff == "none" else finder],
        dtype=dtype,
    )


@pytest.fixture(params=[31, None], ids=["many blocks", "one block"])
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut lists in blocks that are no whole number of rows, or not at all."""
    if request.param is not None:
        monkeypatch.setattr("xpmd_numpy.pair_blocks.BLOCK", request.param)


def close(found: Any, wanted: Any, name: str, within: float = 1e-11) -> None:
    scale = max(float(np.abs(wanted).max()), 1e-3)
    np.testing.assert_allclose(found, wanted, rtol=within, atol=within * scale, err_msg=name)


def wanted_leaves(system: md.System) -> list[list[bool]]:
    """Return flags of no leaf, of each second leaf, of the others, and of all that have a derivative."""
    leaves = LeafMap(system)
    jumps = [each for each in leaves.numbers.pairwise if not each.cutoff.continuous_force]
    outside = {place for each in jumps for place in flatten(each.cutoff)[0]}
    every = [flag and place not in outside for place, flag in enumerate(leaves.wanted)]
    even = [flag and k % 2 == 0 for k, flag in enumerate(every)]
    odd = [flag and k % 2 == 1 for k, flag in enumerate(every)]
    return [[False] * len(every), even, odd, every]


@pytest.mark.parametrize(
    ("interactions", "cutoff", "box"), list(itertools.product(INTERACTIONS, CUTOFFS, BOXES))
)
@pytest.mark.usefixtures("blocks")
def test_as_the_generic_sums(interactions: str, cutoff: str, box: str) -> None:
    """For parameters of each atom and of all, and whichever derivatives are wanted."""
    w = np.random.default_rng(6).standard_normal((N_ATOMS, 3))
    for own, finder in ((True, "list"), (True, "all pairs"), (False, "cells")):
        system = system_of(interactions, cutoff, box, finder, own=own)
        neighbors, xp = neighbors_of(system)
        kernel = pair_kernels.pair_forces(system, system.coords, neighbors, xp=xp)
        assert kernel is not None
        of_energy = pair_kernels.pair_energy(system, system.coords, neighbors, xp=xp)
        of_virial = pair_kernels.pair_virial(system, system.coords, neighbors, xp=xp)
        assert of_energy is not None
        assert of_virial is not None
        with md.without_kernels():
            close(kernel, pair_forces(system, system.coords, neighbors, xp=xp), "forces")
            close(of_energy, pair_energy(system, system.coords, neighbors, xp=xp), "energy")
            close(of_virial, pair_virial(system, system.coords, neighbors, xp=xp), "virial")
        for wanted in wanted_leaves(system):
            forces, response, found = force_vjp(system, system.coords, neighbors, w, wanted)
            with md.without_kernels():
                expected = force_vjp(system, system.coords, neighbors, w, wanted)
            close(forces, expected[0], "forces of the VJP")
            close(response, expected[1], "J^T w")
            for k, (mine, other) in enumerate(zip(found, expected[2], strict=True)):
                assert (mine is None) == (other is None), k
                if mine is not None:
                    assert np.shape(mine) == np.shape(other)
                    close(mine, other, f"leaf {k}")


@pytest.mark.parametrize("interactions", INTERACTIONS)
@pytest.mark.parametrize("box", BOXES)
@pytest.mark.usefixtures("blocks")
def test_forward_as_the_generic_sums(interactions: str, box: str) -> None:
    rng = np.random.default_rng(7)
    direction = rng.standard_normal((N_ATOMS, 3))
    for own, cutoff in ((True, "shifted force"), (False, "polynomial")):
        system = system_of(interactions, cutoff, box, own=own)
        neighbors, _ = neighbors_of(system)
        leaves, _ = flatten(system)
        for wanted in wanted_leaves(system):
            tangents = [
                rng.standard_normal(leaf.shape) if flag else None
                for leaf, flag in zip(leaves, wanted, strict=True)
            ]
            found = force_jvp(system, system.coords, neighbors, direction, tangents)
            with md.without_kernels():
                expected = force_jvp(system, system.coords, neighbors, direction, tangents)
            close(found[0], expected[0], "forces")
            close(found[1], expected[1], "their change")


def test_single_precision_throughout() -> None:
    system = system_of(dtype="float32")
    exact = system_of()
    w = np.random.default_rng(6).standard_normal((N_ATOMS, 3))
    wanted = wanted_leaves(system)[-1]
    neighbors, _ = neighbors_of(system)
    forces, response, found = force_vjp(
        system, system.coords, neighbors, w.astype("float32"), wanted
    )
    of_exact = force_vjp(exact, exact.coords, neighbors_of(exact)[0], w, wanted)
    for name, one, other in (("forces", forces, of_exact[0]), ("J^T w", response, of_exact[1])):
        assert one.dtype == np.float32
        close(one, other, name, 1e-5)
    for k, (one, other) in enumerate(zip(found, of_exact[2], strict=True)):
        if one is not None:
            assert one.dtype == np.float32, k
            close(one, other, f"leaf {k}", 1e-4)
    for function in (md.potential_energy, md.virial, md.pressure):
        found = function(system)
        assert found.dtype == np.float32
        close(found, function(exact), function.__name__, 1e-5)


class Constant(md.PairwiseInteraction):
    """V = k: one number for all pairs."""

    k: Any

    def energy(self, r: Any, *, xp: Any) -> Any:
        return self.k


@pytest.mark.usefixtures("blocks")
def test_an_energy_that_all_pairs_share() -> None:
    system = system_of(finder="all pairs").replace(interactions=[Constant(k=0.25)])
    expected = 0.25 * (N_ATOMS * (N_ATOMS - 1) / 2 - 2)  # two pairs are excluded
    assert float(md.potential_energy(system)) == pytest.approx(expected, rel=1e-14)
    with md.without_kernels():
        assert float(md.potential_energy(system)) == pytest.approx(expected, rel=1e-14)


def test_what_nobody_wants_is_not_computed() -> None:
    system = system_of()
    neighbors, _ = neighbors_of(system)
    w = np.random.default_rng(6).standard_normal((N_ATOMS, 3))
    _, response, _ = force_vjp(system, system.coords, neighbors, w)
    none, same, _ = force_vjp(system, system.coords, neighbors, w, forces=False)
    assert none is None
    close(same, response, "J^T w")
    with md.without_kernels():
        none, same, _ = force_vjp(system, system.coords, neighbors, w, forces=False)
    assert none is None
    close(same, response, "J^T w")


def test_declines_what_it_cannot_do() -> None:
    """Arrays that are being differentiated, one that was captured included, and full lists."""
    system = system_of()
    neighbors, xp = neighbors_of(system)
    seen = []

    def loss(coords: Any) -> Any:
        space = system.backend.xp(coords)
        seen.append(pair_kernels.pair_forces(system, coords, neighbors, xp=space))
        return space.sum(total_forces(system, coords, neighbors, xp=space) ** 2)

    assert np.isfinite(md.grad(loss)(system.coords)).all()
    assert seen
    assert all(each is None for each in seen)
    full = NeighborList(
        *(neighbors.first, neighbors.second, neighbors.mask, neighbors.count),
        neighbors.overflow,
        neighbors.reference,
        layout="full",
    )
    for kernel in (pair_kernels.pair_energy, pair_kernels.pair_forces, pair_kernels.pair_virial):
        assert kernel(system, system.coords, full, xp=xp) is None


def test_declines_what_was_captured() -> None:
    plain = system_of(finder="all pairs")
    neighbors, xp = neighbors_of(plain)
    w, seen = np.ones((N_ATOMS, 3)), []

    def loss(k: Any) -> Any:
        class Captured(Spring):
            def energy(self, r: Any, *, xp: Any) -> Any:
                return -0.5 * k * r * r

            def radial(self, r2: Any, *, xp: Any) -> Any:
                return k, 0.0, [0.0]

        class WithoutRadial(Captured):
            def energy(self, r: Any, *, xp: Any) -> Any:
                return super().energy(r, xp=xp)

        for cls in (Captured, WithoutRadial):
            interactions = [LennardJones(cutoff=md.DistanceCutoff(0.8)), cls(k=0.0)]
            system = plain.replace(interactions=interactions)
            leaves = LeafMap(system)
            found = Cotangents(len(leaves))
            arguments = (system, system.coords, neighbors)
            seen.append(pair_kernels.pair_forces(*arguments, xp=xp))
            seen.append(pair_kernels.pair_energy(*arguments, xp=xp))
            seen.append(pair_kernels.pair_virial(*arguments, xp=xp))
            seen.append(pair_kernels.pair_force_vjp(*arguments, w, leaves, found))
            none = [None] * len(leaves)
            nothing = LeafMap(system, [False] * len(leaves))
            seen.append(pair_kernels.pair_force_jvp(*arguments, w, nothing, none))
            assert all(value is None for value in found.values)
        return k * k

    assert md.grad(loss)(np.asarray(2.0)) == 4.0
    assert len(seen) == 10
    assert all(each is None for each in seen)


def test_nan_is_passed_on() -> None:
    system = system_of(box="open")
    neighbors, xp = neighbors_of(system)
    broken = system.coords.copy()
    broken[5, 1] = np.nan
    forces = np.stack(pair_forces(system, broken, neighbors, xp=xp), axis=-1)
    assert np.isnan(forces[5]).all()


def test_a_list_of_nothing() -> None:
    system = system_of()
    neighbors, xp = neighbors_of(system)
    empty = neighbors.with_fields(first=neighbors.first[:0], second=neighbors.second[:0])
    empty = empty.with_fields(mask=None)
    forces = pair_kernels.pair_forces(system, system.coords, empty, xp=xp)
    assert pair_kernels.pair_energy(system, system.coords, empty, xp=xp) == 0.0
    virial = pair_kernels.pair_virial(system, system.coords, empty, xp=xp)
    np.testing.assert_array_equal(virial, np.zeros((3, 3)))
    assert forces is not None
    np.testing.assert_array_equal(forces, np.zeros((3, N_ATOMS)))


def test_threads_share_no_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xpmd_numpy.pair_blocks.BLOCK", 31)
    systems = [system_of(box=box) for box in BOXES]
    expected = [md.forces(system) for system in systems]

    def many(k: int) -> Any:
        return [md.forces(systems[k]) for _ in range(20)]

    with ThreadPoolExecutor(3) as pool:
        for wanted, found in zip(expected, pool.map(many, range(3)), strict=True):
            for each in found:
                np.testing.assert_array_equal(each, wanted)


class Softened(LennardJones):
    """Another energy with the closed form of Lennard-Jones inherited."""

    def energy(self, r: Any, sigma: Any, epsilon: Any, *, xp: Any) -> Any:
        return super().energy(r + 0.1, sigma, epsilon, xp=xp)


class Weakened(md.ShiftedForceCutoff):
    """Another cutoff with the closed form of the shifted force inherited."""

    def energy(self, potential: Any, r: Any, *, derivative: Any, xp: Any) -> Any:
        return 0.5 * super().energy(potential, r, derivative=derivative, xp=xp)


@pytest.mark.parametrize(
    "interaction",
    [Softened(cutoff=md.ShiftedForceCutoff(0.8)), LennardJones(cutoff=Weakened(0.8))],
    ids=["interaction", "cutoff"],
)
def test_an_inherited_closed_form_is_not_that_of_a_new_energy(interaction: Any) -> None:
    assert not has_closed_form(interaction)
    system = system_of().replace(interactions=[interaction])
    found = md.forces(system)
    with md.without_kernels():
        close(found, md.forces(system), "forces")
    plain = system.replace(interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.8))])
    assert np.abs(found - md.forces(plain)).max() > 0.1


class Short(LennardJones):
    """A closed form with one derivative too few."""

    def energy(self, r: Any, sigma: Any, epsilon: Any, *, xp: Any) -> Any:
        return super().energy(r, sigma, epsilon, xp=xp)

    def radial(self, r2: Any, sigma: Any, epsilon: Any, *, xp: Any) -> Any:
        f, slope, by_parameter = super().radial(r2, sigma, epsilon, xp=xp)
        return f, slope, by_parameter[:1]


def test_a_derivative_too_few() -> None:
    system = system_of().replace(interactions=[Short()], neighbor_finder=AllPairs())
    neighbors, _ = neighbors_of(system)
    with pytest.raises(
        TypeError, match=r"Short.radial gives 1 .* Give 2, one for each of \['sigma'"
    ):
        force_vjp(
            system, system.coords, neighbors, np.ones((N_ATOMS, 3)), wanted_leaves(system)[-1]
        )


def test_runs_of_first_atoms() -> None:
    values = np.random.default_rng(3).standard_normal(40)
    per_atom = np.arange(10.0)
    whole = np.repeat([2, 3, 4], [9, 20, 11])
    gaps = np.repeat([2, 5, 9], [9, 20, 11])
    for first in (whole, gaps):
        runs = runs_of(first)
        assert runs is not None
        assert isinstance(runs.atoms, slice) == (first is whole)
        np.testing.assert_array_equal(runs.spread(per_atom), per_atom[first])
        total = np.ones(10)
        runs.add(total, values)
        np.testing.assert_allclose(
            total, 1.0 + np.bincount(first, weights=values, minlength=10), rtol=0.0, atol=1e-14
        )
    assert runs_of(whole[::-1]) is None
    assert runs_of(np.arange(40)) is None
    assert runs_of(np.zeros(1, dtype=np.int64)) is None


def test_runs_are_found_once_a_list() -> None:
    first = np.repeat([2, 3, 4], [9, 20, 11])
    once = runs_of_blocks(first, 16)
    assert len(once) == 3
    assert runs_of_blocks(first, 16) is once
    assert len(runs_of_blocks(first, 40)) == 1
    assert runs_of_blocks(first.copy(), 40) is not runs_of_blocks(first, 40)


def test_runs_are_forgotten_with_their_list() -> None:
    before = len(_remembered)
    first = np.repeat([2, 3, 4], [9, 20, 11])
    runs_of_blocks(first, 40)
    assert len(_remembered) == before + 1
    del first
    gc.collect()
    assert len(_remembered) == before
