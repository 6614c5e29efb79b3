"""Correlations, displacements and diffusion along a run, against double loops and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import cumulative_trapezoid

import xpmd as md
import xpmd_observables as obs

NUMBERS = np.random.default_rng(0)
SIDES = np.asarray([1.0, 1.2, 0.9])
# A walk with steps well below half a side, that leaves the box many times.
PATH = np.cumsum(NUMBERS.uniform(-0.3, 0.3, size=(17, 3, 3)), axis=0)
WRAPPED = PATH % SIDES
VELOCITIES = NUMBERS.normal(size=(17, 4, 3))


def box(array=np.asarray):
    return md.CubicBoundary(*(array(side) for side in SIDES))


def correlation_by_loops(records, n_lags):
    count = len(records)
    return np.asarray(
        [
            np.mean([np.sum(records[t] * records[t + k]) for t in range(count - k)])
            for k in range(n_lags)
        ]
    )


def displacement_by_loops(path, n_lags):
    return np.asarray(
        [np.mean(np.sum((path[k:] - path[: len(path) - k]) ** 2, axis=-1)) for k in range(n_lags)]
    )


@pytest.mark.parametrize("max_lag", [None, 0, 5, 16])
def test_correlations_agree_with_loops(max_lag, on, array):
    n_lags = 17 if max_lag is None else max_lag + 1
    found = on.jit(lambda x: obs.time_correlation(x, max_lag=max_lag))(array(VELOCITIES))
    expected = correlation_by_loops(VELOCITIES, n_lags)
    np.testing.assert_allclose(on.to_numpy(found), expected, rtol=1e-12, atol=1e-12)
    found = obs.velocity_autocorrelation(VELOCITIES, max_lag=max_lag)
    np.testing.assert_allclose(found, expected / 4, rtol=1e-12, atol=1e-12)
    normal = obs.velocity_autocorrelation(VELOCITIES, max_lag=max_lag, normalize=True)
    np.testing.assert_allclose(normal, expected / expected[0], rtol=1e-12, atol=1e-12)


def test_a_harmonic_oscillator_correlates_as_a_cosine():
    # Over whole periods the mean over starts of cos(a) cos(a + b) is cos(b)/2, at every lag here.
    t = np.arange(400) * 2 * np.pi / 40
    velocities = np.stack([np.cos(t), np.sin(t)], axis=-1)[:, None, :]
    found = obs.velocity_autocorrelation(velocities, max_lag=80)
    np.testing.assert_allclose(found, np.cos(t[:81]), atol=1e-12)


@pytest.mark.parametrize(
    "boundary",
    [
        None,
        md.CubicBoundary(*SIDES.tolist()),
        md.TriclinicBoundary([[1.0, 0, 0], [0.2, 1.2, 0], [-0.1, 0.3, 0.9]]),
    ],
)
def test_jumps_across_the_boundary_are_taken_out(boundary, on, array):
    split = PATH
    if boundary is not None:
        flat = PATH.reshape(-1, 3)
        split = np.asarray(boundary.wrap(flat, xp=md.backend("numpy").xp(flat))).reshape(PATH.shape)
        assert np.abs(split - PATH).max() > 0.5
    found = on.to_numpy(on.jit(lambda x: obs.unwrapped(x, boundary))(array(split)))
    np.testing.assert_allclose(found - found[0], PATH - PATH[0], atol=1e-12)
    displacement = on.to_numpy(
        on.jit(lambda x: obs.mean_square_displacement(x, boundary, max_lag=9))(array(split))
    )
    np.testing.assert_allclose(displacement, displacement_by_loops(PATH, 10), atol=1e-12)


def test_displacements_of_some_atoms_without_the_drift():
    drift = np.arange(17)[:, None, None] * np.asarray([0.1, -0.2, 0.05])
    moved = PATH + drift
    free = PATH[:, [0, 2]] - PATH[:, [0, 2]].mean(axis=1, keepdims=True)
    found = obs.mean_square_displacement(moved, atoms=[0, 2], remove_drift=True)
    np.testing.assert_allclose(found, displacement_by_loops(free, 17), atol=1e-12)


def test_small_displacements_far_from_the_origin_keep_their_digits():
    path = 1e-3 * PATH + 100.0
    found = obs.mean_square_displacement(path)
    np.testing.assert_allclose(found, 1e-6 * displacement_by_loops(PATH, 17), rtol=1e-8, atol=1e-18)


def test_a_box_that_changes_is_followed_record_by_record():
    # Each step ends in the box of its end, which it may leave on the other side.
    sides = np.linspace(2.0, 1.6, 9)
    steps = np.random.default_rng(5).uniform(-0.5, 0.7, size=(9, 2, 3))
    split = np.empty_like(steps)
    split[0] = 1.0 + steps[0]
    for k in range(1, 9):
        split[k] = (split[k - 1] + steps[k]) % sides[k]
    boxes = np.repeat(sides[:, None], 3, axis=1)
    boundary = md.CubicBoundary(2.0)
    found = obs.unwrapped(split, boundary, boxes=boxes)
    np.testing.assert_allclose(np.diff(found, axis=0), steps[1:], atol=1e-12)
    # The box of the start would find steps wrong by what it lost since.
    assert np.abs(np.diff(obs.unwrapped(split, boundary), axis=0) - steps[1:]).max() > 0.2


def test_records_of_the_box_by_the_observable_that_makes_them():
    boundary = md.TriclinicBoundary([[1.0, 0, 0], [0.2, 1.2, 0], [-0.1, 0.3, 0.9]])
    system = md.System(md.Atoms(), WRAPPED[0], boundary)
    parameters = obs.box_parameters(system)
    np.testing.assert_allclose(parameters, [1.0, 0.2, 1.2, -0.1, 0.3, 0.9])
    boxes = np.repeat(np.asarray(parameters)[None], 17, axis=0)
    flat = PATH.reshape(-1, 3)
    split = np.asarray(boundary.wrap(flat, xp=md.backend("numpy").xp(flat))).reshape(PATH.shape)
    found = obs.unwrapped(split, boundary, boxes=boxes)
    np.testing.assert_allclose(found - found[0], PATH - PATH[0], atol=1e-12)


def test_diffusion_of_a_straight_line_and_of_an_exponential():
    lags = np.arange(50) * 0.2
    line = 0.3 + 6 * 0.7 * lags
    assert obs.diffusion_from_displacements(line, 0.2) == pytest.approx(0.7)
    assert obs.diffusion_from_displacements(line, 0.2, dimensions=2) == pytest.approx(1.05)
    bent = np.where(lags < 3, 0.0, line)
    found = obs.diffusion_from_displacements(bent, 0.2, start=15, stop=50)
    assert found == pytest.approx(0.7)
    assert obs.diffusion_from_displacements(bent, 0.2, start=0, stop=50) != pytest.approx(0.7)
    # C(t) = 3 kT/m exp(-t/tau) has D = kT tau/m.
    fine = np.arange(4001) * 0.01
    found = obs.diffusion_from_velocities(3 * 2.5 * np.exp(-fine / 1.5), 0.01)
    assert found == pytest.approx(2.5 * 1.5, rel=1e-5)


def test_a_running_integral_is_that_of_the_trapezoidal_rule(on, array):
    values = np.random.default_rng(1).normal(size=9)
    found = on.to_numpy(obs.running_integral(array(values), 0.5))
    expected = cumulative_trapezoid(values, dx=0.5, initial=0.0)
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_both_ways_to_diffusion_agree_for_brownian_particles():
    # Ornstein-Uhlenbeck velocities: D = kT/(m gamma) = 0.5, known in closed form.
    numbers = np.random.default_rng(2)
    steps, atoms, dt, gamma, spread = 4000, 200, 0.1, 2.0, 1.0
    decay = np.exp(-gamma * dt)
    kicks = numbers.normal(size=(steps, atoms, 3)) * spread * np.sqrt(1 - decay**2)
    velocities = np.empty_like(kicks)
    velocities[0] = numbers.normal(size=(atoms, 3)) * spread
    for k in range(1, steps):
        velocities[k] = decay * velocities[k - 1] + kicks[k]
    # Displacement of an Ornstein-Uhlenbeck step given its ends is close to the trapezoid.
    path = np.cumsum(0.5 * dt * (velocities[1:] + velocities[:-1]), axis=0)
    correlation = obs.velocity_autocorrelation(velocities, max_lag=60)
    by_velocities = obs.diffusion_from_velocities(correlation, dt)
    displacement = obs.mean_square_displacement(path, max_lag=400)
    by_displacements = obs.diffusion_from_displacements(displacement, dt)
    exact = spread**2 * dt / np.tanh(gamma * dt / 2) / 2  # of the trapezoid; 0.5 as dt -> 0
    assert exact == pytest.approx(0.5, rel=0.01)
    # Relative errors: sqrt(2 * 60/4000/600) and about sqrt(400/4000/600).
    assert by_velocities == pytest.approx(exact, rel=0.04)
    assert by_displacements == pytest.approx(exact, rel=0.04)


ALONG_A_RUN = {
    "velocity_autocorrelation": lambda x, sides, b: obs.velocity_autocorrelation(x, max_lag=5),
    "normalized": lambda x, sides, b: obs.velocity_autocorrelation(x, normalize=True, max_lag=5),
    "mean_square_displacement": lambda x, sides, b: obs.mean_square_displacement(
        x, md.CubicBoundary(*(sides[k] for k in range(3))), max_lag=6
    ),
    "in a changing box": lambda x, sides, b: obs.mean_square_displacement(
        x, md.CubicBoundary(*(sides[k] for k in range(3))), boxes=b, max_lag=3
    ),
    "diffusion": lambda x, sides, b: obs.diffusion_from_displacements(
        obs.mean_square_displacement(x, md.CubicBoundary(*(sides[k] for k in range(3)))), 0.5
    ),
    "diffusion by velocities": lambda x, sides, b: obs.diffusion_from_velocities(
        obs.velocity_autocorrelation(x, max_lag=8), 0.5
    ),
}


@pytest.mark.parametrize("name", ALONG_A_RUN)
def test_slopes_by_records_and_box(name, on, array):
    function = ALONG_A_RUN[name]
    boxes = SIDES * (1 + 0.01 * np.random.default_rng(3).normal(size=(17, 1)))
    arguments = (WRAPPED, SIDES, boxes)
    weight = np.asarray(np.random.default_rng(4).normal(size=np.shape(function(*arguments))))

    def loss(*xs):
        found = function(*xs)
        return on.xp(found).sum(found * array(weight)), ()

    gradient = on.jit(lambda *xs: on.value_and_grad(loss, xs))
    _, slopes, _ = gradient(*(array(x) for x in arguments))
    step = 1e-6
    for place, slope in enumerate(slopes):
        along = np.random.default_rng(place).normal(size=arguments[place].shape)
        moved = []
        for sign in (1, -1):
            changed = list(arguments)
            changed[place] = arguments[place] + sign * step * along
            moved.append(np.sum(weight * function(*changed)))
        expected = (moved[0] - moved[1]) / (2 * step)
        found = np.sum(on.to_numpy(slope) * along)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: obs.velocity_autocorrelation(VELOCITIES[0]), r"has shape \(4, 3\); it must be"),
        (
            lambda: obs.mean_square_displacement(WRAPPED, max_lag=17),
            "`max_lag` = 17 must be 0 to 16",
        ),
        (lambda: obs.unwrapped(WRAPPED, box(), boxes=SIDES), r"17 records of a CubicBoundary"),
        (lambda: obs.diffusion_from_displacements(np.ones(9), 0.1, start=7, stop=8), "leave two"),
        (lambda: obs.diffusion_from_displacements(np.ones(9), 0.1, stop=10), "of the 9 lags"),
    ],
)
def test_records_and_lags_that_cannot_be_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
