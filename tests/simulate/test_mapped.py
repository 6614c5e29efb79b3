"""Many simulations in one: `jax.vmap` over velocities, seeds and parameters, compiled or not."""

from __future__ import annotations

import numpy as np
import pytest

import xpmd as md
from xpmd.noise import stream_keys, traced_stream_keys
from xpmd_interactions import LennardJones
from xpmd_neighbors import CellListNeighborFinder
from xpmd_simulators import Langevin, VelocityVerlet

jax = pytest.importorskip("jax")
jnp = jax.numpy

BOUNDARY = md.CubicBoundary(2.0)
BATH = Langevin(dt=0.002, temperature=120.0, friction=2.0)
VERLET = VelocityVerlet(dt=0.002)
STEPS = 6


def start():
    return jnp.asarray(np.asarray(md.place_atoms(12, BOUNDARY, min_dist=0.4, seed=1)))


def velocities():
    drawn = [md.random_velocities(20.0, 120.0, 12, seed=seed) for seed in range(3)]
    return jnp.asarray(np.stack(drawn))


def system_with(speeds=None, sigma=0.3, finder=None):
    return md.System(
        atoms=md.Atoms(mass=20.0, sigma=sigma, epsilon=0.8),
        coords=start(),
        velocities=speeds,
        boundary=BOUNDARY,
        interactions=[LennardJones(cutoff=md.ShiftedForceCutoff(0.6))],
        neighbor_finder=finder,
    )


@pytest.mark.parametrize("compiled", [False, True])
def test_over_velocities(compiled):
    """With a list and with records."""
    observe = {"t": md.Observe(md.temperature, every=2)}

    def run(speeds):
        system = system_with(speeds, finder=CellListNeighborFinder(cutoff=0.7))
        result = md.simulate(system, VERLET, STEPS, observe=observe)
        return result.coords, result.observations["t"]

    mapped = jax.jit(jax.vmap(run)) if compiled else jax.vmap(run)
    coords, temperatures = mapped(velocities())
    for k, speeds in enumerate(velocities()):
        alone = run(speeds)
        np.testing.assert_allclose(coords[k], alone[0], rtol=0, atol=1e-13)
        np.testing.assert_allclose(temperatures[k], alone[1], rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int32", "uint32", "int64", "uint64"])
def test_over_seeds(dtype):
    def run(seed):
        return md.simulate(system_with(), BATH, STEPS, seed=seed).velocities

    seeds = [3, 0, 2**31 - 1] if dtype.endswith("32") else [3, 0, 2**40 + 5]
    found = jax.vmap(run)(jnp.asarray(seeds, dtype))
    for each, seed in zip(found, seeds, strict=True):
        np.testing.assert_allclose(each, run(seed), rtol=0, atol=1e-12)


def test_keys_of_seeds_that_are_not_known():
    known = [0, 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1]
    for seed in known:
        found = traced_stream_keys(jnp.asarray(seed), 3, xp=jnp)
        assert found.tolist() == stream_keys(seed, 3)
    assert traced_stream_keys(jnp.asarray(7, "uint8"), 2, xp=jnp).tolist() == stream_keys(7, 2)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["reverse", "checkpointed", "reversible", "forward"])
def test_the_gradient_of_a_mean_over_seeds(strategy):
    def energy(sigma, seed):
        return md.potential_energy(
            md.simulate(system_with(None, sigma), BATH, STEPS, seed=seed).system
        )

    def mean(sigma):
        return jnp.mean(jax.vmap(lambda seed: energy(sigma, seed))(jnp.arange(3)))

    value, slope = md.value_and_grad(mean, strategy)(jnp.asarray(0.3))
    alone = [md.value_and_grad(energy, strategy)(jnp.asarray(0.3), seed) for seed in range(3)]
    values, slopes = zip(*alone, strict=True)
    assert float(value) == pytest.approx(np.mean(values), rel=1e-12)
    assert float(slope) == pytest.approx(np.mean(slopes), rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_mapped_over_velocities(compiled):
    def energy(sigma, speeds):
        return md.potential_energy(md.simulate(system_with(speeds, sigma), VERLET, STEPS).system)

    mapped = jax.vmap(jax.grad(energy), in_axes=(None, 0))
    found = (jax.jit(mapped) if compiled else mapped)(0.3, velocities())
    for each, speeds in zip(found, velocities(), strict=True):
        assert float(each) == pytest.approx(float(jax.grad(energy)(0.3, speeds)), rel=1e-10)


def test_forward_mode_of_pairs_inside_a_compiled_function():
    """The rule of a kernel may not keep hold of a list that a loop passed in."""

    def energy(sigma, strategy):
        end = md.simulate(system_with(velocities()[0], sigma), VERLET, STEPS, gradient=strategy)
        return md.potential_energy(end.system)

    compiled = jax.jit(jax.jacfwd(lambda sigma: energy(sigma, "forward")))(0.3)
    assert float(compiled) == pytest.approx(float(jax.grad(energy)(0.3, "reverse")), rel=1e-10)


def test_a_seed_that_is_no_whole_number():
    def run(seed):
        return md.simulate(system_with(), BATH, 1, seed=seed).coords

    with pytest.raises(TypeError, match=r"array of float64 and shape .* must be one whole number"):
        jax.jit(run)(3.0)
    with pytest.raises(TypeError, match="`seed` is float, and must be a whole number"):
        run(3.0)


@pytest.mark.parametrize(
    "drawn",
    [
        lambda seed: md.random_velocities(20.0, 120.0, 12, seed=seed, like=start()),
        lambda seed: md.place_atoms(12, BOUNDARY, min_dist=0.4, seed=seed, like=start()),
    ],
    ids=["velocities", "places"],
)
def test_what_is_drawn_is_drawn_outside(drawn):
    with pytest.raises(TypeError, match="draw from them outside and pass that in"):
        jax.vmap(drawn)(jnp.arange(2))


@pytest.mark.parametrize("shown", [{"progress": True}, {"reporters": [md.Progress()]}])
def test_reporters_would_be_told_nothing(shown):
    def run(speeds):
        return md.simulate(system_with(speeds), VERLET, 2, **shown).coords

    with pytest.raises(ValueError, match="told of steps by the host, which sees nothing"):
        jax.jit(run)(velocities()[0])


@pytest.mark.parametrize("strategy", ["score", "reweighting"])
def test_sampling_strategies_say_that_they_are_not_mapped(strategy):
    def mean(epsilon):
        def average(seed):
            system = system_with()
            system = system.replace(atoms=system.atoms.replace(epsilon=epsilon))
            observe = {"energy": md.Observe(md.potential_energy, every=1)}
            return md.simulate(system, BATH, 2, seed=seed, observe=observe).average("energy")

        return jnp.mean(jax.vmap(average)(jnp.arange(2)))

    with pytest.raises(md.GradientError, match=r"leave out jax\.jit, jax\.vmap"):
        md.value_and_grad(mean, strategy)(jnp.asarray(0.8))
