"""What a simulator of one's own may be made of."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest

import xpmd as md

START = np.array([[0.1, 0.2, 0.3], [0.5, 0.1, 0.0]])


class Scaling(md.Simulator):
    """x <- factor x, which takes no time."""

    factor: Any
    stochastic: ClassVar[bool] = False

    def step(
        self, state: Any, forces: Any, system: Any, t: Any, noise: Any, *, xp: Any
    ) -> tuple[Any, Any]:
        coords = self.factor * state.coords
        return state._replace(coords=coords, forces=forces(coords)), ()


class Timed(Scaling):
    dt: Any = 0.1


class Misspelled(Scaling):
    positive_fields: ClassVar[dict[str, bool]] = {"facter": False}


def end(factor: Any, array: Any) -> Any:
    system = md.System(
        atoms=md.Atoms(mass=1.0), coords=array(START), boundary=md.CubicBoundary(float("inf"))
    )
    coords = md.simulate(system, Scaling(factor=factor), 3).coords
    return system.backend.xp(coords).sum(coords)


def test_one_without_a_time_step(on: md.Backend, array: Any) -> None:
    value, slope = md.value_and_grad(lambda factor: end(factor, array))(array(1.1))
    assert float(value) == pytest.approx(1.1**3 * START.sum(), rel=1e-13)
    assert float(slope) == pytest.approx(3 * 1.1**2 * START.sum(), rel=1e-13)


@pytest.mark.parametrize("dt", [0.0, -1.0, float("nan")])
def test_a_time_step_is_positive(dt: float) -> None:
    with pytest.raises(ValueError, match=r"`dt` = .* must be finite and positive"):
        Timed(factor=1.0, dt=dt)
    with pytest.raises(TypeError, match=r"`dt` is .*must be one number"):
        Timed(factor=1.0, dt=[0.1, 0.2])


def test_what_must_be_positive_must_be_a_field() -> None:
    with pytest.raises(AttributeError, match="facter"):
        Misspelled(factor=1.0)
