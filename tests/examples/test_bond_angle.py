"""The bond angle example: the published table, digit by digit, and gradients to 1e-9."""

from __future__ import annotations

import cmath
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from PIL import Image

from xpmd_gradients import FiniteDifference

Example = Callable[[str], ModuleType]

# Printed by the same simulation in Julia: Molly.jl, page "Differentiable simulation with Molly".
PUBLISHED = """\
Epoch 1  |  θ 110.0°  |  Final dist 1.16  |  Loss 0.155  |  Grad 0.41
Epoch 2  |  θ 107.7°  |  Final dist 1.14  |  Loss 0.138  |  Grad 0.43
Epoch 3  |  θ 105.2°  |  Final dist 1.12  |  Loss 0.119  |  Grad 0.45
Epoch 4  |  θ 102.6°  |  Final dist 1.1  |  Loss 0.099  |  Grad 0.47
Epoch 5  |  θ 100.0°  |  Final dist 1.08  |  Loss 0.077  |  Grad 0.49
Epoch 6  |  θ 97.2°  |  Final dist 1.05  |  Loss 0.049  |  Grad 0.71
Epoch 7  |  θ 93.1°  |  Final dist 1.01  |  Loss 0.012  |  Grad 0.52
Epoch 8  |  θ 90.1°  |  Final dist 0.98  |  Loss 0.015  |  Grad -0.54
Epoch 9  |  θ 93.2°  |  Final dist 1.01  |  Loss 0.013  |  Grad 0.52
Epoch 10  |  θ 90.2°  |  Final dist 0.99  |  Loss 0.015  |  Grad -0.54
Epoch 11  |  θ 93.3°  |  Final dist 1.01  |  Loss 0.014  |  Grad 0.52
Epoch 12  |  θ 90.3°  |  Final dist 0.99  |  Loss 0.014  |  Grad -0.54
Epoch 13  |  θ 93.4°  |  Final dist 1.01  |  Loss 0.015  |  Grad 0.52
Epoch 14  |  θ 90.4°  |  Final dist 0.99  |  Loss 0.013  |  Grad -0.54
Epoch 15  |  θ 93.5°  |  Final dist 1.02  |  Loss 0.016  |  Grad 0.52
Epoch 16  |  θ 90.5°  |  Final dist 0.99  |  Loss 0.012  |  Grad -0.54
Epoch 17  |  θ 93.6°  |  Final dist 1.02  |  Loss 0.016  |  Grad 0.52
Epoch 18  |  θ 90.6°  |  Final dist 0.99  |  Loss 0.011  |  Grad -0.53
Epoch 19  |  θ 93.7°  |  Final dist 1.02  |  Loss 0.017  |  Grad 0.52
Epoch 20  |  θ 90.7°  |  Final dist 0.99  |  Loss 0.01  |  Grad -0.53
"""

# Angle (radian), distance, loss and gradient of some epochs, by a program in NumPy that shares nothing
# with this library, differentiated by complex steps.
FULL_PRECISION = {
    1: (1.9198621771937625, 1.1554692871442023, 0.15546928714420227, 0.409792938411525),
    2: (1.8788828833526101, 1.1382680781955388, 0.13826807819553877, 0.429054024255603),
    5: (1.7447473981993715, 1.0769475752122164, 0.0769475752122164, 0.487896127057954),
    6: (1.6959577854935761, 1.048795605063869, 0.04879560506386893, 0.707418821299426),
    7: (1.6252159033636335, 1.012146088325282, 0.012146088325281967, 0.520775177017278),
    8: (1.5731383856619057, 0.9845781460721099, 0.015421853927890083, -0.537134189165138),
    20: (1.5835359663565458, 0.9901481624131461, 0.009851837586853929, -0.534244639733846),
}

# Gradient by angle in degrees. The first and the last two were also computed with 60 digits, because
# there, where the molecule folds up or stretches out, a rounding error in the forces is amplified.
SWEEP = {
    3: -0.660942440115035,
    30: -0.640435941505,
    60: -0.597849724593,
    87: -0.549977224225,
    90: -0.537762829473,
    93: +0.521519789059,
    120: +0.339818635885,
    150: +0.154792131706,
    177: -0.062730762338185,
    180: +0.284936507049690,
}

# A step as small as the curve needs, and large enough for rounding errors to vanish in the differences.
# Where the molecule folds up or stretches out no step does both to 1e-9.
BLACK_BOX = FiniteDifference(step=1e-5)
BLACK_BOX_ANGLES = range(30, 178, 3)


@pytest.mark.parametrize(
    ("library", "strategy"),
    [
        ("numpy", ""),
        ("numpy", BLACK_BOX),
        pytest.param("numpy", "reverse", marks=pytest.mark.slow),
        ("jax", ""),
        pytest.param("jax", "forward", marks=pytest.mark.slow),
        pytest.param("torch", "", marks=pytest.mark.slow),
    ],
    ids=lambda value: value if isinstance(value, str) else "black box",
)
def test_training_gives_the_published_table(library: str, strategy: Any, example: Example) -> None:
    pytest.importorskip(library)
    bond_angle = example("bond_angle")
    epochs = list(bond_angle.training(bond_angle.evaluated_on(library, strategy)))
    printed = [f"Epoch {number}  |  {epoch}" for number, epoch in enumerate(epochs, start=1)]
    assert printed == PUBLISHED.splitlines()
    for number, expected in FULL_PRECISION.items():
        assert epochs[number - 1] == pytest.approx(expected, rel=0.0, abs=1e-9), number


@pytest.mark.parametrize(
    ("library", "strategy", "degrees"),
    [
        *(
            (library, "", degrees)
            for library in ("numpy", "jax", "torch")
            for degrees in (3, 93, 180)
        ),
        *(("numpy", BLACK_BOX, degrees) for degrees in (30, 93, 177)),
    ],
    ids=lambda value: "black box" if value is BLACK_BOX else str(value),
)
def test_gradients_along_the_sweep(
    library: str, strategy: Any, degrees: int, example: Example
) -> None:
    pytest.importorskip(library)
    epoch = example("bond_angle").evaluated_on(library, strategy)(math.radians(degrees))
    assert epoch.gradient == pytest.approx(SWEEP[degrees], rel=0.0, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("library", "strategy"),
    [("numpy", ""), ("numpy", "reverse"), ("numpy", BLACK_BOX), ("jax", ""), ("torch", "")],
    ids=lambda value: value if isinstance(value, str) else "black box",
)
def test_the_whole_sweep(library: str, strategy: Any, example: Example) -> None:
    pytest.importorskip(library)
    evaluate = example("bond_angle").evaluated_on(library, strategy)
    angles = BLACK_BOX_ANGLES if strategy is BLACK_BOX else range(3, 181, 3)
    gradients = {degrees: evaluate(math.radians(degrees)).gradient for degrees in angles}
    expected = {degrees: triatomic_gradient(math.radians(degrees)) for degrees in gradients}
    assert gradients == pytest.approx(expected, rel=0.0, abs=1e-9)
    # The sign leads to the angle of the isosceles triangle, except at the very end.
    assert all(gradient < 0 for degrees, gradient in gradients.items() if degrees <= 90)
    assert all(gradient > 0 for degrees, gradient in gradients.items() if 93 <= degrees <= 174)


def test_the_independent_program_gives_the_reference_values() -> None:
    for angle, _, _, gradient in FULL_PRECISION.values():
        assert triatomic_gradient(angle) == pytest.approx(gradient, rel=0.0, abs=1e-12)
    for degrees, gradient in SWEEP.items():
        assert triatomic_gradient(math.radians(degrees)) == pytest.approx(gradient, abs=1e-12)


@pytest.mark.slow
def test_the_script_prints_the_table_and_draws_the_pictures(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "examples" / "bond_angle.py"
    command = [sys.executable, str(script), "--backend", "jax", "--out", str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    assert run.stderr == ""
    assert run.stdout.startswith(PUBLISHED)
    assert run.stdout.partition("Pictures: ")[2].split() == [
        f"{tmp_path / 'out' / 'grad_angle.png'},",
        str(tmp_path / "out" / "sim_angle.gif"),
    ]
    with Image.open(tmp_path / "out" / "sim_angle.gif") as film:
        assert film.n_frames == 150 // 2 + 1
    with Image.open(tmp_path / "out" / "grad_angle.png") as figure:
        assert min(figure.size) > 500


def triatomic_gradient(theta: float) -> float:
    """Return dL/dtheta by a complex step through a program of its own, in plain Python.

    The two molecules of the example are copies of each other and lie in a plane, so one is followed;
    both count in the temperature, with 3 * 6 - 3 degrees of freedom.
    """
    step = 1e-30
    distance = _end_to_end(complex(theta, step))
    return math.copysign(1.0, distance.real - 1.0) * distance.imag / step


def _end_to_end(theta: complex) -> complex:
    """Return the distance of the outer atoms after 150 steps; positions are x + iy, as pairs."""
    k_boltzmann, mass, dt, target, tau = 0.008314462618, 10.0, 0.05, 0.05, 0.5
    x: list[tuple[complex, complex]] = [(0.8, 0.75), (1.5, 0.70), (2.3, 0.75)]
    v: list[tuple[complex, complex]] = [(0.0, 0.0)] * 3
    f = _forces(x, theta)
    for _ in range(150):
        v = [_plus(p, q, 0.5 * dt / mass) for p, q in zip(v, f, strict=True)]
        x = [_plus(p, q, dt) for p, q in zip(x, v, strict=True)]
        f = _forces(x, theta)
        v = [_plus(p, q, 0.5 * dt / mass) for p, q in zip(v, f, strict=True)]
        kinetic = 2 * sum(0.5 * mass * (a * a + b * b) for a, b in v)
        ratio = target / (2.0 * kinetic / (15 * k_boltzmann))
        scale = cmath.sqrt(1.0 + dt / tau * (ratio - 1.0))
        v = [(scale * a, scale * b) for a, b in v]
    a, b = _plus(x[2], x[0], -1.0)
    return cmath.sqrt(a * a + b * b)


def _forces(x: list[tuple[complex, complex]], theta: complex) -> list[tuple[complex, complex]]:
    """Return -dV/dx for V = 50 (r - 0.7)^2 a bond + 5 (angle - theta)^2."""
    f: list[tuple[complex, complex]] = [(0.0, 0.0)] * 3
    u, w = _plus(x[0], x[1], -1.0), _plus(x[2], x[1], -1.0)
    for end, arm in ((0, u), (2, w)):
        r = cmath.sqrt(arm[0] ** 2 + arm[1] ** 2)
        pull = -100.0 * (r - 0.7) / r
        f[end] = _plus(f[end], arm, pull)
        f[1] = _plus(f[1], arm, -pull)
    area, dot = u[0] * w[1] - u[1] * w[0], u[0] * w[0] + u[1] * w[1]
    sign = math.copysign(1.0, area.real)
    slope = (area.imag * dot.real - dot.imag * area.real) / (area.real**2 + dot.real**2)
    angle = complex(math.atan2(sign * area.real, dot.real), sign * slope)
    torque = -10.0 * (angle - theta) * sign
    for end, arm, turn in ((0, u, 1.0), (2, w, -1.0)):
        squared = arm[0] ** 2 + arm[1] ** 2
        across = (arm[1] / squared, -arm[0] / squared)
        f[end] = _plus(f[end], across, turn * torque)
        f[1] = _plus(f[1], across, -turn * torque)
    return f


def _plus(
    p: tuple[complex, complex], q: tuple[complex, complex], factor: complex
) -> tuple[complex, complex]:
    return p[0] + factor * q[0], p[1] + factor * q[1]
