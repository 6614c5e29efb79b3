"""Systems and what belongs to them go to files and other processes, and come back the same."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import xpmd as md
from xpmd import program
from xpmd_interactions import HarmonicBond, LennardJones
from xpmd_neighbors import CellListNeighborFinder, DistanceNeighborFinder
from xpmd_simulators import Langevin

BATH = Langevin(dt=0.002, temperature=120.0, friction=2.0)


def system_on(backend, dtype="float64", finder=CellListNeighborFinder):
    boundary = md.CubicBoundary(2.0)
    coords = np.asarray(md.place_atoms(12, boundary, min_dist=0.4, seed=1))
    return md.System(
        atoms=md.Atoms(mass=20.0, sigma=0.3, epsilon=0.8),
        coords=backend.asarray(coords, dtype=dtype),
        boundary=boundary,
        interactions=[
            LennardJones(cutoff=md.ShiftedForceCutoff(0.6)),
            HarmonicBond(atoms=[[0, 1]], k=100.0, r0=0.4),
        ],
        neighbor_finder=finder(cutoff=0.7),
        exclusions=md.Exclusions.from_bonds([[0, 1]]),
    )


def through(value):
    return pickle.loads(pickle.dumps(value))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("finder", [CellListNeighborFinder, DistanceNeighborFinder])
def test_a_system_is_the_same_afterwards(on, dtype, finder):
    system = system_on(on, dtype, finder)
    found = through(system)
    assert repr(found) == repr(system)
    assert found.backend is on
    ours, theirs = (md.simulate(each, BATH, 5, seed=3) for each in (found, system))
    np.testing.assert_array_equal(on.to_numpy(ours.coords), on.to_numpy(theirs.coords))
    assert on.dtype_name(ours.coords) == dtype


def test_simulators_and_results_do_as_well(on):
    system = system_on(on)
    observe = {"t": md.Observe(md.temperature, every=1)}
    result = through(md.simulate(system, through(BATH), 3, observe=observe))
    assert tuple(result.observations["t"].shape) == (4,)
    assert result.system.backend is on


def test_nothing_is_compiled_again_for_what_was_pickled(on):
    system = system_on(on)
    md.simulate(system, BATH, 2)
    programs = list(program._programs)
    for _ in range(2):
        md.simulate(through(system), through(BATH), 2)
    assert set(program._programs) == set(programs)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies(on, copied):
    system = system_on(on)
    found = copied(system)
    assert found is not system
    assert found.backend is on
    assert (found.coords is system.coords) == (copied is copy.copy)
    np.testing.assert_array_equal(on.to_numpy(found.coords), on.to_numpy(system.coords))


def test_a_system_that_is_differentiated_does_not_pickle(on):
    system = system_on(on)

    def loss(epsilon):
        pickle.dumps(system.replace(atoms=system.atoms.replace(epsilon=epsilon)))
        return epsilon

    with pytest.raises(TypeError, match="is being differentiated"):
        md.value_and_grad(loss)(on.asarray(0.8, dtype="float64"))


def test_float64_is_not_read_as_float32(tmp_path):
    """JAX would do so where it was not told to keep 64 bits."""
    pytest.importorskip("jax")
    path = tmp_path / "system.pickle"
    path.write_bytes(pickle.dumps(system_on(md.backend("jax"))))
    code = (
        "import pickle, sys, warnings; warnings.simplefilter('ignore')\n"
        "pickle.load(open(sys.argv[1], 'rb'))"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "BackendError" in done.stderr
    assert "jax_enable_x64" in done.stderr
