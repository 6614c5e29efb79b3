"""Derivatives of minima against finite differences of minima found anew."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xpmd as md
from xpmd_interactions import HarmonicAngle, HarmonicBond, LennardJones

RNG = np.random.default_rng(4)
CLUSTER = np.array(
    [[0.0, 0.0, 0.0], [0.38, 0.0, 0.0], [0.19, 0.33, 0.0], [0.19, 0.11, 0.31], [0.2, 0.1, -0.3]]
)


def cluster(params: dict[str, Any], like: Any, boundary: Any) -> md.System:
    return md.System(
        atoms=md.Atoms(mass=40.0, sigma=params["sigma"], epsilon=params["epsilon"]),
        coords=like(CLUSTER + 1.0),
        boundary=boundary,
        interactions=[
            LennardJones(cutoff=md.PolynomialCutoff(0.7, 0.95)),
            HarmonicBond(atoms=[[0, 1]], k=500.0, r0=params["r0"]),
        ],
    )


def shape(params: dict[str, Any], like: Any, boundary: Any) -> Any:
    """Return a number that depends on distances at the minimum only."""
    found = md.minimize(
        cluster(params, like, boundary), tolerance=5.0, max_steps=100, gradient="implicit"
    )
    x = found.coords
    xp = found.backend.xp(x)
    return xp.sum((x[0, :] - x[2, :]) ** 2) + 2.0 * xp.sqrt(xp.sum((x[3, :] - x[4, :]) ** 2))


@pytest.mark.parametrize(
    "boundary", [md.CubicBoundary(4.0), md.CubicBoundary(float("inf"))], ids=["box", "open"]
)
def test_against_minima_found_anew(on: md.Backend, array: Any, boundary: Any) -> None:
    params = {
        "sigma": array([0.34, 0.33, 0.35, 0.34, 0.36]),
        "epsilon": array(1.1),
        "r0": array(0.4),
    }
    value, found = md.value_and_grad(shape)(params, array, boundary)
    plain = {name: on.to_numpy(each) for name, each in params.items()}
    same, wanted = md.value_and_grad(shape, "finite_difference")(plain, np.asarray, boundary)
    assert float(value) == pytest.approx(float(same), rel=1e-10)
    for name in params:
        one, other = on.to_numpy(found[name]), np.asarray(wanted[name])
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6 * abs(other).max())


def test_bond_length_at_rest_is_followed_exactly() -> None:
    """A bent chain at rest: the ends are 2 r0 sin(theta0/2) apart."""

    def ends(params: dict[str, Any]) -> Any:
        chain = md.System(
            atoms=md.Atoms(mass=10.0),
            coords=[[0.0, 0.0, 0.0], [0.1, 0.02, 0.0], [0.21, 0.0, 0.0]],
            boundary=md.CubicBoundary(float("inf")),
            interactions=[
                HarmonicBond(atoms=[[0, 1], [1, 2]], k=1000.0, r0=params["r0"]),
                HarmonicAngle(atoms=[[0, 1, 2]], k=50.0, theta0=params["theta0"]),
            ],
        )
        x = md.minimize(chain, tolerance=0.1, max_steps=2000, gradient="implicit").coords
        return np.sqrt(np.sum((x[2, :] - x[0, :]) ** 2))

    value, slope = md.value_and_grad(ends)({"r0": 0.12, "theta0": 1.9})
    assert float(value) == pytest.approx(0.24 * np.sin(0.95), rel=1e-12)
    assert float(slope["r0"]) == pytest.approx(2.0 * np.sin(0.95), rel=1e-9)
    assert float(slope["theta0"]) == pytest.approx(0.12 * np.cos(0.95), rel=1e-9)


def test_a_loss_that_the_energy_does_not_fix_raises() -> None:
    """The place of a free cluster in its box is no function of the parameters."""

    def orientation(sigma: Any) -> Any:
        params = {"sigma": sigma, "epsilon": 1.1, "r0": 0.4}
        system = cluster(params, np.asarray, md.CubicBoundary(float("inf")))
        x = md.minimize(system, tolerance=5.0, max_steps=100, gradient="implicit").coords
        return x[0, 1] - 3.0 * x[2, 0]

    with pytest.raises(md.GradientError, match="minimum has no derivative"):
        md.grad(orientation)(0.34)


def test_gradient_must_be_asked_for() -> None:
    def loss(sigma: Any) -> Any:
        params = {"sigma": sigma, "epsilon": 1.1, "r0": 0.4}
        return np.sum(md.minimize(cluster(params, np.asarray, md.CubicBoundary(4.0))).coords)

    with pytest.raises(md.GradientError, match="gradient='implicit'"):
        md.grad(loss)(0.34)
    with pytest.raises(ValueError, match="'explicit' must be 'implicit'"):
        md.minimize(
            cluster({"sigma": 0.34, "epsilon": 1.0, "r0": 0.4}, np.asarray, md.CubicBoundary(4.0)),
            gradient="explicit",
        )
