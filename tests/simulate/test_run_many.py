"""Many simulations at once: in threads, in processes, on a cluster; in order, and if some fail."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import xpmd as md
from xpmd.kernels import KERNELS
from xpmd.run_many import _portable
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet

BOUNDARY = md.CubicBoundary(2.0)
BATH = Langevin(dt=0.002, temperature=120.0, friction=2.0)
#: The strict backend is known to this process only.
IN_PROCESSES = ["numpy", "torch", "jax"]


def system_on(backend, *, apart=0.4, dtype="float64"):
    coords = md.place_atoms(12, BOUNDARY, min_dist=apart, seed=1)
    if apart < 0.1:
        coords[1] = coords[0] + 1e-5
    return md.System(
        atoms=md.Atoms(mass=20.0, sigma=0.3, epsilon=0.8),
        coords=backend.asarray(np.asarray(coords), dtype=dtype),
        boundary=BOUNDARY,
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.6))],
        neighbor_finder=CellListNeighborFinder(cutoff=0.7),
    )


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes():
    loky = pytest.importorskip("loky")
    executor = loky.ProcessPoolExecutor(max_workers=2)
    yield executor
    executor.shutdown()


@pytest.fixture(scope="module")
def cluster():
    """A cluster in this machine, its workers in processes of their own."""
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        yield client.get_executor()


def assert_as_one_by_one(backend, executor, seeds=(7, 3, 7)):
    system = system_on(backend)
    observe = {"t": md.Observe(lambda system: md.temperature(system), every=2)}
    found = md.run_many(system, BATH, 6, executor=executor, seeds=seeds, observe=observe)
    assert len(found) == len(seeds)
    for seed, result in zip(seeds, found, strict=True):
        alone = md.simulate(system, BATH, 6, seed=seed, observe=observe)
        assert result.system.backend is backend
        assert result.step == 6
        for name in ("coords", "velocities"):
            ours, theirs = getattr(result, name), getattr(alone, name)
            assert backend.dtype_name(ours) == "float64"
            np.testing.assert_allclose(
                backend.to_numpy(ours), backend.to_numpy(theirs), rtol=0, atol=1e-12
            )
        assert tuple(result.observations["t"].shape) == (4,)
    first, other, again = (backend.to_numpy(each.coords) for each in found)
    np.testing.assert_array_equal(first, again)
    assert abs(first - other).max() > 1e-6


def test_threads(on, threads):
    assert_as_one_by_one(on, threads)


@pytest.mark.parametrize("name", IN_PROCESSES)
def test_processes(name):
    """In double precision on JAX, too; each in its own, for loky ends those that grow by a library."""
    pytest.importorskip(name)
    loky = pytest.importorskip("loky")
    with loky.ProcessPoolExecutor(max_workers=2) as executor:
        assert_as_one_by_one(md.backend(name), executor)


@pytest.mark.parametrize(
    "name", ["numpy", *(pytest.param(name, marks=pytest.mark.slow) for name in ("torch", "jax"))]
)
def test_a_cluster(name, cluster):
    pytest.importorskip(name)
    assert_as_one_by_one(md.backend(name), cluster)


def test_loky_is_taken_where_nothing_is_said():
    pytest.importorskip("loky")
    system = system_on(md.backend("numpy"))
    own = os.getpid()
    observe = {"process": md.Observe(lambda system: float(os.getpid()), every=5)}
    for _ in range(2):
        found = md.run_many([system] * 3, VelocityVerlet(dt=0.002), 5, observe=observe)
        assert all(result.observations["process"][0] != own for result in found)


def test_without_loky_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "loky", None)
    with pytest.raises(ImportError, match=r"pip install 'xpmd\[parallel\]', or give an executor"):
        md.run_many(system_on(md.backend("numpy")), BATH, 1, seeds=[1])


def test_systems_and_simulators_one_each(threads):
    on = md.backend("numpy")
    systems = [system_on(on, apart=apart) for apart in (0.40, 0.41, 0.42)]
    simulators = [VelocityVerlet(dt=dt) for dt in (0.001, 0.002, 0.003)]
    found = md.run_many(iter(systems), simulators, 3, executor=threads, start_step=10)
    for system, simulator, result in zip(systems, simulators, found, strict=True):
        alone = md.simulate(system, simulator, 3, start_step=10)
        np.testing.assert_array_equal(result.coords, alone.coords)
        assert result.step == 13


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_one_failure_loses_nothing(executor, request):
    runner = request.getfixturevalue(executor)
    on = md.backend("numpy")
    systems = [system_on(on), system_on(on, apart=0.01), system_on(on)]
    found = md.run_many(systems, BATH, 4, executor=runner, seeds=[5, 6, 7], on_error="return")
    assert [type(each).__name__ for each in found] == ["Result", "ReplicaError", "Result"]
    failed = found[1]
    assert (failed.replica, failed.seed) == (1, 6)
    assert str(failed).startswith("replica 1, seed 6: SimulationError: ")
    assert isinstance(failed.__cause__, md.SimulationError)
    assert failed.__cause__.step is not None
    assert "simulate(task.system" in failed.__notes__[0]
    with pytest.raises(
        md.ReplicaError, match=r"1 of 3 replicas failed\. The first is replica 1"
    ) as e:
        md.run_many(systems, BATH, 4, executor=runner, seeds=[5, 6, 7])
    assert (e.value.replica, e.value.seed) == (1, 6)
    assert isinstance(e.value.__cause__, md.SimulationError)
    for ours, theirs in zip(e.value.results, found, strict=True):
        assert type(ours) is type(theirs)
    np.testing.assert_array_equal(e.value.results[2].coords, found[2].coords)


def test_errors_that_do_not_travel(processes):
    """A class that another process cannot make again becomes what it says."""

    class OddError(Exception):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def odd(system):
        raise OddError("this", "that")

    system, observe = system_on(md.backend("numpy")), {"odd": md.Observe(odd, every=1)}
    (found,) = md.run_many(
        [system], BATH, 1, executor=processes, observe=observe, on_error="return"
    )
    assert str(found) == "replica 0, seed 0: RuntimeError: OddError: this and that"
    assert "in odd" in found.__notes__[0]
    assert str(_portable(ValueError("it"))) == "it"


def test_a_process_that_dies():
    loky = pytest.importorskip("loky")
    system = system_on(md.backend("numpy"))
    observe = {"end": md.Observe(lambda system: os._exit(3), every=1)}
    with loky.ProcessPoolExecutor(max_workers=1) as executor:
        (found,) = md.run_many(
            [system], BATH, 1, executor=executor, observe=observe, on_error="return"
        )
    assert str(found).startswith("replica 0, seed 0: TerminatedWorkerError")


def test_what_does_not_pickle_is_a_failure_of_its_replica():
    system = system_on(md.backend("numpy"))
    observe = {"t": md.Observe(lambda system: 1.0, every=1)}
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as executor:
        (found,) = md.run_many(
            [system], BATH, 1, executor=executor, observe=observe, on_error="return"
        )
    assert "replica 0" in str(found)
    assert "pickle" in str(found)


def test_of_nothing_comes_nothing(threads):
    assert md.run_many([], BATH, 1, executor=threads) == []


def test_kernels_are_left_out_elsewhere_too(threads):
    system = system_on(md.backend("numpy"))
    observe = {"kernels": md.Observe(lambda system: float(KERNELS.get()), every=1)}
    for wanted in (1.0, 0.0):
        if wanted:
            found = md.run_many([system], BATH, 1, executor=threads, observe=observe)
        else:
            with md.without_kernels():
                found = md.run_many([system], BATH, 1, executor=threads, observe=observe)
        assert found[0].observations["kernels"][0] == wanted


def test_it_is_not_differentiated(on, threads):
    system = system_on(on)

    def loss(epsilon):
        atoms = system.atoms.replace(epsilon=epsilon)
        (found,) = md.run_many([system.replace(atoms=atoms)], BATH, 2, executor=threads)
        return md.potential_energy(found.system)

    with pytest.raises(md.GradientError, match="Replica 0 of run_many is being differentiated"):
        md.value_and_grad(loss)(on.asarray(0.8, dtype="float64"))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ([], {"seeds": [1]}, ValueError, "`systems` has 0, `seeds` has 1"),
        (None, {}, ValueError, "of one length: there is none"),
        (None, {"seeds": [1, 2], "on_error": "skip"}, ValueError, "`on_error` = 'skip' must be"),
        (3, {}, TypeError, "run_many: 3 must be a System, or a list of them"),
        ([None], {"seeds": [1]}, TypeError, "None must be a System"),
        (None, {"seeds": [1], "reporters": []}, TypeError, "`reporters` is none of its arguments"),
        ("two", {"seeds": [1]}, ValueError, "`systems` has 2, `seeds` has 1"),
    ],
)
def test_what_is_wrong(arguments, options, error, message, threads):
    system = system_on(md.backend("numpy"))
    systems = {"None": system, "two": [system, system]}.get(str(arguments), arguments)
    with pytest.raises(error, match=message.replace("(", r"\(")):
        md.run_many(systems, BATH, 1, executor=threads, **options)
