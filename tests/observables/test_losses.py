"""Losses against their definitions, and sums of them."""

from __future__ import annotations

import numpy as np
import pytest

import xpmd as md
import xpmd_observables as obs

NUMBERS = np.random.default_rng(0)
VALUE, TARGET = NUMBERS.normal(size=(2, 5))
SCALE, WEIGHT = NUMBERS.uniform(0.5, 2, size=(2, 5))


def test_squared_deviations(on, array):
    value = array(VALUE)
    plain = on.to_numpy(obs.squared_deviation(value, TARGET))
    np.testing.assert_allclose(plain, np.mean((VALUE - TARGET) ** 2))
    found = on.to_numpy(obs.squared_deviation(value, TARGET, scale=SCALE, weight=WEIGHT))
    expected = np.sum(WEIGHT * ((VALUE - TARGET) / SCALE) ** 2) / WEIGHT.sum()
    np.testing.assert_allclose(found, expected)
    found = on.to_numpy(obs.squared_deviation(value, TARGET, tolerance=0.4))
    expected = np.mean(np.maximum(np.abs(VALUE - TARGET) - 0.4, 0) ** 2)
    np.testing.assert_allclose(found, expected)
    assert 0 < found < plain


def test_the_slope_within_the_tolerance_is_zero(on, array):
    def loss(x):
        return obs.squared_deviation(x, [0.0, 0.0, 0.0], tolerance=0.5), ()

    _, (slope,), _ = on.jit(lambda x: on.value_and_grad(loss, (x,)))(array([0.3, -0.5, 1.5]))
    np.testing.assert_allclose(on.to_numpy(slope), [0.0, 0.0, 2 / 3])


R = np.arange(0.05, 1.0, 0.1)
TARGET_R = np.asarray([0.2, 0.31, 0.5, 0.55, 0.8])
TARGET_G = np.asarray([0.0, 2.0, 1.1, 0.7, 1.0])


def test_a_radial_distribution_is_compared_where_the_target_is_given(on, array):
    g = NUMBERS.uniform(0.5, 1.5, size=(3, 10))
    inside = (R >= 0.2) & (R <= 0.8)
    away = g.mean(axis=0) - np.interp(R, TARGET_R, TARGET_G)
    match = on.jit(lambda r, g: obs.radial_distribution_match(r, g, TARGET_R, TARGET_G))
    found = match(array(R), array(g))
    np.testing.assert_allclose(on.to_numpy(found), np.mean(away[inside] ** 2))
    error = np.asarray([0.1, 0.2, 0.1, 0.3, 0.2])
    found = obs.radial_distribution_match(
        array(R), array(g.mean(axis=0)), TARGET_R, TARGET_G, error=error
    )
    expected = np.mean((away / np.interp(R, TARGET_R, error))[inside] ** 2)
    np.testing.assert_allclose(on.to_numpy(found), expected)
    same = obs.radial_distribution_match(array(R), array(g[0]), R, g[0], error=0.1)
    assert on.to_numpy(same) < 1e-25
    nowhere = obs.radial_distribution_match(array(R), array(g[0]), [5.0, 6.0], [1.0, 1.0])
    assert on.to_numpy(nowhere) == 0


def test_contacts_and_their_map(on, array):
    distances = np.asarray([[0.0, 0.5, 0.8], [0.5, 0.0, 3.0], [0.8, 3.0, 0.0]])
    found = on.to_numpy(obs.contacts(array(distances), distance=0.8, width=0.1))
    np.testing.assert_allclose(found, 1 / (1 + np.exp((distances - 0.8) / 0.1)), atol=1e-15)
    assert on.to_numpy(obs.contacts(array([1e6, 0.0]), width=1e-3)).tolist() == [0.0, 1.0]
    target = np.asarray([[1.0, 1, 0], [1, 1, 0], [0, 0, 1]])
    weight = 1.0 - np.eye(3)
    squared = on.to_numpy(obs.contact_map_match(array(found), target, weight=weight))
    np.testing.assert_allclose(squared, np.sum(weight * (found - target) ** 2) / 6)
    entropy = on.to_numpy(obs.contact_map_match(array(found), target, measure="cross_entropy"))
    expected = -target * np.log(found) - (1 - target) * np.log1p(-found)
    expected[1, 2] = expected[2, 1] = expected[2, 1]
    np.testing.assert_allclose(entropy, np.mean(expected), rtol=1e-4)


def test_the_logarithm_stays_finite_and_steep_where_a_contact_is_wrong(on, array):
    def loss(d):
        c = obs.contacts(d, distance=0.8, width=0.05)
        return obs.contact_map_match(c, [1.0, 0.0], measure="cross_entropy"), ()

    function = on.jit(lambda x: on.value_and_grad(loss, (x,)))
    value, (slope,), _ = function(array([1.2, 0.4]))
    assert np.isfinite(on.to_numpy(value))
    # -ln c = ln(1 + exp((d - d0)/w)): its slope is 1/w, halved by the mean.
    np.testing.assert_allclose(on.to_numpy(slope), [10.0, -10.0], rtol=1e-2)
    value, (slope,), _ = function(array([50.0, 0.0]))
    assert np.isfinite(on.to_numpy(value))
    assert np.isfinite(on.to_numpy(slope)).all()


def test_a_weighted_sum_adds_and_tells_its_terms_apart():
    loss = obs.WeightedSum(first=(2.0, lambda x: x**2), second=lambda x: 3 * x, third=(0.0, abs))
    assert loss(2.0) == 14.0
    total, terms = loss.with_terms(2.0)
    assert total == 14.0
    assert terms == {"first": 8.0, "second": 6.0, "third": 0.0}


def test_a_weighted_sum_as_a_loss_with_terms_beside_it():
    loss = obs.WeightedSum(
        size=(0.5, lambda p: obs.squared_deviation(p["a"], 1.0)),
        shape=lambda p: obs.squared_deviation(p["b"], [0.0, 2.0]),
    )
    parameters = {"a": np.asarray([3.0]), "b": np.asarray([1.0, 1.0])}
    (value, terms), slope = md.value_and_grad(loss.with_terms, has_aux=True)(parameters)
    assert value == pytest.approx(3.0)
    assert terms["size"] == pytest.approx(2.0)
    assert slope["a"].tolist() == [2.0]
    assert slope["b"].tolist() == [1.0, -1.0]


def test_weights_may_be_differentiated():
    def loss(weight):
        return obs.WeightedSum(only=(weight, lambda: 4.0))()

    assert md.grad(loss)(np.asarray(0.3)) == 4.0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: obs.WeightedSum(), TypeError, "needs one term at least"),
        (lambda: obs.WeightedSum(x=(1.0, 2.0)), TypeError, r"`x` = \(1.0, 2.0\) must be"),
        (
            lambda: obs.radial_distribution_match(R, R, TARGET_R, TARGET_G[:3]),
            ValueError,
            r"`target_r` has shape \(5,\) and `target_g` \(3,\)",
        ),
        (
            lambda: obs.contact_map_match(R, R[:3]),
            ValueError,
            r"`target` has shape \(3,\), the contacts \(10,\)",
        ),
        (lambda: obs.contact_map_match(R, R, measure="l1"), ValueError, "'squared' or 'cross_"),
    ],
)
def test_what_does_not_fit_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
