"""The training of Lennard-Jones atoms: one gradient by every strategy, and where training ends."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

import xpmd as md
from xpmd_gradients import Checkpointed, Forward, Reverse, Reversible


def test_exact_strategies_agree_at_100_steps(example: Callable[[str], ModuleType]) -> None:
    """With the neighbor list, the thermostat and the jumps of the plain cutoff."""
    module = example("lennard_jones_sigma")
    wanted = module.evaluated_on("numpy", Reverse(), n_steps=100)(0.5, 1)
    for strategy in (Checkpointed(), Reversible(), Forward()):
        found = module.evaluated_on("numpy", strategy, n_steps=100)(0.5, 1)
        assert found.loss == wanted.loss
        assert found.gradient == pytest.approx(wanted.gradient, rel=1e-10)


def test_rows_and_picture(example: Callable[[str], ModuleType], tmp_path: object) -> None:
    module = example("lennard_jones_sigma")
    evaluate = module.evaluated_on("numpy", "reverse", n_steps=20)
    first, second = module.training(evaluate, 2, seed=1)
    assert str(first).startswith("σ 0.535  |  Mean min sep expected 0.6  |  Mean min sep end ")
    assert second.sigma == pytest.approx(first.sigma - 0.01 * first.gradient, rel=1e-14)
    path = tmp_path / "rdf_lj.png"  # type: ignore[operator]
    module.draw(second.coords, path)
    assert path.stat().st_size > 5000


@pytest.mark.slow
@pytest.mark.parametrize("library", ["numpy", "jax"])
def test_most_seeds_end_near_the_minimum(
    example: Callable[[str], ModuleType], library: str
) -> None:
    """The distance of least energy is 0.5 nm for sigma = 0.445 nm."""
    module = example("lennard_jones_sigma")
    evaluate = module.evaluated_on(library)
    ends = [list(module.training(evaluate, 15, seed))[-1] for seed in range(1, 11)]
    assert sum(0.43 <= end.sigma <= 0.46 for end in ends) >= 8
    # The first peak of g(r) stands at the minimum of the potential.
    r, g = md.radial_distribution(
        ends[0].coords, module.boundary, r_max=1.0, n_bins=200, width=0.02
    )
    known = md.backend_of(r).to_numpy
    peak = known(r)[np.argmax(known(g))]
    assert peak == pytest.approx(ends[0].sigma * module.MINIMUM, abs=0.03)
