"""`md.value_and_grad` and the derivatives of the array libraries themselves: how a loss is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import optree
import pytest

import xpmd as md
from xpmd_gradients import FiniteDifference, Reverse
from xpmd_interactions import HarmonicBond
from xpmd_simulators import VelocityVerlet

COORDS = np.array([[0.1, 0.2, 0.3], [0.7, 0.2, 0.4], [0.7, 0.9, 0.2]])
VELOCITIES = np.array([[0.3, -0.2, 0.1], [-0.1, 0.4, 0.2], [-0.2, -0.2, -0.3]])
BONDS = [[0, 1], [1, 2]]
R0 = 0.6


def kinetic_energy(array: Callable[..., Any], r0: Any, k: Any = 40.0, n_steps: int = 4) -> Any:
    """Return the kinetic energy of three bonded atoms after a few steps, kJ/mol."""
    system = md.System(
        atoms=md.Atoms(mass=2.0),
        coords=array(COORDS),
        velocities=array(VELOCITIES),
        boundary=md.CubicBoundary(3.0),
        interactions=[HarmonicBond(atoms=BONDS, k=k, r0=r0)],
    )
    return md.kinetic_energy(md.simulate(system, VelocityVerlet(dt=0.05), n_steps).system)


def slope(function: Callable[[float], float], at: float, h: float = 1e-3) -> float:
    """Return a derivative by central differences of sixth order."""
    weights = ((1, 0.75), (2, -0.15), (3, 1.0 / 60.0))
    return sum(w * (function(at + n * h) - function(at - n * h)) / h for n, w in weights)


def of_r0(r0: float = R0, **options: Any) -> float:
    return slope(lambda x: float(kinetic_energy(np.asarray, x, **options)), r0)


def of_k(k: float = 40.0, **options: Any) -> float:
    return slope(lambda x: float(kinetic_energy(np.asarray, R0, x, **options)), k, h=0.1)


# -- parameters of any shape ------------------------------------------------------------------------


class Bond(NamedTuple):
    k: Any
    r0: Any


@pytest.mark.parametrize(
    ("params", "unpacked"),
    [
        (Bond(40.0, R0), lambda p: p),
        ({"r0": R0, "k": 40.0}, lambda p: (p["k"], p["r0"])),
        ([40.0, (R0,)], lambda p: (p[0], p[1][0])),
        ({"a": [{"b": (40.0,)}], "c": R0}, lambda p: (p["a"][0]["b"][0], p["c"])),
        ((40, R0), lambda p: p),
    ],
    ids=["named tuple", "dict", "list and tuple", "deep", "integer"],
)
def test_the_gradient_has_the_structure_of_the_parameters(
    on: md.Backend, array: Callable[..., Any], params: Any, unpacked: Callable[[Any], Any]
) -> None:
    """Plain numbers, too: the backend is then that of the System."""

    def loss(params: Any) -> Any:
        k, r0 = unpacked(params)
        return kinetic_energy(array, r0, k)

    value, gradient = md.value_and_grad(loss)(params)
    assert optree.tree_structure(gradient) == optree.tree_structure(params)
    assert all(on.is_array(leaf) for leaf in optree.tree_leaves(gradient))
    assert float(value) == pytest.approx(float(loss(params)), rel=1e-13)
    k, r0 = unpacked(gradient)
    assert float(k) == pytest.approx(of_k(), rel=1e-8)
    assert float(r0) == pytest.approx(of_r0(), rel=1e-8)


def test_a_component_as_parameters(on: md.Backend, array: Callable[..., Any]) -> None:
    """Its fields are parameters; the indices that say who is bonded are not."""
    system = md.System(
        atoms=md.Atoms(mass=2.0),
        coords=array(COORDS),
        velocities=array(VELOCITIES),
        boundary=md.CubicBoundary(3.0),
    )

    def loss(bonds: Any) -> Any:
        end = md.simulate(system.replace(interactions=[bonds]), VelocityVerlet(dt=0.05), 4).system
        return md.kinetic_energy(end)

    gradient = md.grad(loss)(HarmonicBond(atoms=BONDS, k=array(40.0), r0=array(R0)))
    assert isinstance(gradient, HarmonicBond)
    assert float(gradient.k) == pytest.approx(of_k(), rel=1e-8)
    assert float(gradient.r0) == pytest.approx(of_r0(), rel=1e-8)
    assert tuple(gradient.atoms.shape) == (2, 2)
    assert "int" in on.dtype_name(gradient.atoms)


def test_arrays_keep_their_shape(on: md.Backend, array: Callable[..., Any]) -> None:
    gradient = md.grad(lambda r0: kinetic_energy(array, r0))(array([R0, R0 + 0.1]))
    assert tuple(gradient.shape) == (2,)

    def along(place: int, change: float) -> float:
        r0 = np.array([R0, R0 + 0.1])
        r0[place] += change
        return float(kinetic_energy(np.asarray, r0))

    for place in (0, 1):
        expected = slope(lambda x, place=place: along(place, x), 0.0)  # type: ignore[misc]
        assert float(gradient[place]) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("params", [{}, [], ()])
def test_no_parameters(params: Any) -> None:
    with pytest.raises(md.GradientError, match="`params` holds no numbers to differentiate with"):
        md.grad(lambda p: kinetic_energy(np.asarray, R0))(params)


# -- what else a loss takes and returns -------------------------------------------------------------


def test_other_arguments(array: Callable[..., Any]) -> None:
    def loss(r0: Any, n_steps: int, *, k: float) -> Any:
        return kinetic_energy(array, r0, k, n_steps)

    gradient = md.grad(loss)(array(R0), 3, k=30.0)
    assert float(gradient) == pytest.approx(of_r0(n_steps=3, k=30.0), rel=1e-8)


def test_what_a_loss_returns_beside_its_value(on: md.Backend, array: Callable[..., Any]) -> None:
    def loss(r0: Any) -> Any:
        value = kinetic_energy(array, r0)
        return value * value, {"energy": value, "steps": 4, "name": ("kinetic", None)}

    (value, aux), gradient = md.value_and_grad(loss, has_aux=True)(array(R0))
    energy = float(kinetic_energy(np.asarray, R0))
    assert float(value) == pytest.approx(energy**2, rel=1e-12)
    assert float(aux["energy"]) == pytest.approx(energy, rel=1e-12)
    assert on.is_array(aux["energy"])
    assert aux["steps"] == 4
    assert aux["name"] == ("kinetic", None)
    assert float(gradient) == pytest.approx(2.0 * energy * of_r0(), rel=1e-8)
    only, aux = md.grad(loss, has_aux=True)(array(R0))
    assert float(only) == float(gradient)
    assert aux["steps"] == 4


def test_aux_by_finite_differences() -> None:
    def loss(r0: Any) -> Any:
        value = kinetic_energy(np.asarray, r0)
        return value, [value, "end"]

    (value, aux), gradient = md.value_and_grad(loss, "finite_difference", has_aux=True)(
        np.asarray(R0)
    )
    assert float(aux[0]) == float(value)
    assert aux[1] == "end"
    assert float(gradient) == pytest.approx(of_r0(), rel=1e-6)


@pytest.mark.parametrize(
    ("result", "options", "message"),
    [
        (
            lambda v: (v, v),
            {},
            "The loss returned a tuple; it must return a scalar, or use `has_aux`",
        ),
        (
            lambda v: v,
            {"has_aux": True},
            r"With `has_aux` the loss must return \(value, anything\)",
        ),
        (lambda v: v * np.ones(2), {}, r"The loss returned an array of shape \(2,\)"),
    ],
    ids=["tuple", "no aux", "array"],
)
def test_what_a_loss_may_return(result: Any, options: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        md.grad(lambda r0: result(kinetic_energy(np.asarray, r0)), **options)(np.asarray(R0))


# -- strategies -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy",
    [
        "reverse",
        "finite_difference",
        Reverse(),
        FiniteDifference(order=2),
        FiniteDifference(step=1e-3),
    ],
    ids=["name", "another name", "object", "second order", "long step"],
)
def test_strategies_by_name_and_by_object(array: Callable[..., Any], strategy: Any) -> None:
    gradient = md.grad(lambda r0: kinetic_energy(array, r0), strategy)(array(R0))
    assert float(gradient) == pytest.approx(of_r0(), rel=1e-4)


def test_the_order_of_finite_differences() -> None:
    """Halving the step divides the error by 2^order."""
    exact = float(md.grad(lambda r0: kinetic_energy(np.asarray, r0, n_steps=9))(np.asarray(R0)))
    for order in (2, 4, 6):
        errors = [
            abs(
                float(
                    md.grad(
                        lambda r0: kinetic_energy(np.asarray, r0, n_steps=9),
                        FiniteDifference(order=order, step=step),
                    )(np.asarray(R0))
                )
                - exact
            )
            for step in (0.025, 0.0125)
        ]
        assert errors[0] / errors[1] == pytest.approx(2.0**order, rel=0.15)


def test_a_strategy_for_losses_is_not_for_a_simulation(array: Callable[..., Any]) -> None:
    """It would be passed over in silence, or fail where nobody looks."""
    system = md.System(
        atoms=md.Atoms(mass=2.0), coords=array(COORDS), boundary=md.CubicBoundary(3.0)
    )
    for strategy in ("finite_difference", FiniteDifference()):
        with pytest.raises(ValueError, match=r"`gradient` = .*give it to md.value_and_grad"):
            md.simulate(system, VelocityVerlet(dt=0.05), 1, gradient=strategy)


def energy_of_forward_run(array: Callable[..., Any], r0: Any) -> Any:
    system = md.System(
        atoms=md.Atoms(mass=2.0),
        coords=array(COORDS),
        velocities=array(VELOCITIES),
        boundary=md.CubicBoundary(3.0),
        interactions=[HarmonicBond(atoms=BONDS, k=40.0, r0=r0)],
    )
    end = md.simulate(system, VelocityVerlet(dt=0.05), 4, gradient="forward")
    return md.kinetic_energy(end.system)


BACK = "differentiated in reverse.*Leave `gradient` out"


@pytest.mark.parametrize("strategy", ["reverse", "reversible"])
def test_nobody_goes_back_through_a_forward_run(
    on: md.Backend, array: Callable[..., Any], strategy: str
) -> None:
    with pytest.raises(md.GradientError, match=BACK):
        md.grad(lambda r0: energy_of_forward_run(array, r0), strategy)(array(R0))
    # A value alone is no matter, nor is the strategy that was meant.
    value, slope = md.value_and_grad(lambda r0: energy_of_forward_run(array, r0), "forward")(
        array(R0)
    )
    assert float(value) == pytest.approx(float(energy_of_forward_run(array, array(R0))), rel=1e-13)
    assert float(slope) == pytest.approx(of_r0(), rel=1e-8)


# -- losses that cannot be differentiated -----------------------------------------------------------


@pytest.mark.parametrize("jit", [False, True])
def test_a_loss_of_other_things(array: Callable[..., Any], jit: bool) -> None:
    """A zero would be believed."""

    def loss(r0: Any) -> Any:
        return kinetic_energy(array, array(R0))

    with pytest.raises(md.GradientError, match=r"depends on none of the (parameters|arguments)"):
        md.value_and_grad(loss, jit=jit)(array(R0))


def test_a_loss_of_some_parameters(array: Callable[..., Any]) -> None:
    """A parameter that is not used has the derivative zero, as long as another is."""
    gradient = md.grad(lambda p: kinetic_energy(array, p["r0"]))({"r0": R0, "spare": 2.0})
    assert float(gradient["spare"]) == 0.0
    assert float(gradient["r0"]) != 0.0


# -- finding the backend ----------------------------------------------------------------------------


class Counted(md.GeneralInteraction):
    """Count how often forces are asked for."""

    needs_neighbors = False
    calls = 0

    def forces(self, coords: Any, system: Any, neighbors: Any, *, xp: Any) -> Any:
        type(self).calls += 1
        return -coords


def test_finding_the_backend_computes_nothing(on: md.Backend, array: Callable[..., Any]) -> None:
    """Of plain numbers a loss is called as far as its first System, and again from the start."""
    reached: list[str] = []

    def loss(scale: Any) -> Any:
        reached.append("loss")
        system = md.System(
            atoms=md.Atoms(mass=1.0),
            coords=array(COORDS) * scale,
            boundary=md.CubicBoundary(np.inf),
            interactions=[Counted()],
        )
        reached.append("system")
        return md.kinetic_energy(md.simulate(system, VelocityVerlet(dt=0.1), 1).system)

    Counted.calls = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(on), "value_and_grad", lambda *_: pytest.fail("went on"))
        with pytest.raises(pytest.fail.Exception, match="went on"):
            md.grad(loss)(1.0)
    assert reached == ["loss"]
    assert Counted.calls == 0
    gradient = md.grad(loss)(1.0)
    assert on.is_array(gradient)
    assert reached[1:] == ["loss", "loss", "system"]


def test_the_backend_by_argument(on: md.Backend, array: Callable[..., Any]) -> None:
    for choice in (on, on.name):
        gradient = md.grad(lambda r0: kinetic_energy(array, r0), backend=choice)(R0)
        assert on.is_array(gradient)
        assert float(gradient) == pytest.approx(of_r0(), rel=1e-8)


def test_an_error_while_looking_for_the_backend_is_the_users() -> None:
    def loss(r0: Any) -> Any:
        raise RuntimeError("my own mistake")

    with pytest.raises(RuntimeError, match="my own mistake"):
        md.grad(loss)(R0)


# -- the libraries' own derivatives -----------------------------------------------------------------


def test_torch_backward() -> None:
    torch = pytest.importorskip("torch")

    def array(value: Any) -> Any:
        return torch.as_tensor(value, dtype=torch.float64)

    r0 = torch.tensor(R0, dtype=torch.float64, requires_grad=True)
    k = torch.tensor(40.0, dtype=torch.float64, requires_grad=True)
    loss = kinetic_energy(array, r0, k) ** 2
    loss.backward()
    energy = float(kinetic_energy(np.asarray, R0))
    assert float(r0.grad) == pytest.approx(2.0 * energy * of_r0(), rel=1e-8)
    assert float(k.grad) == pytest.approx(2.0 * energy * of_k(), rel=1e-8)


def test_torch_does_not_go_back_through_a_forward_run() -> None:
    torch = pytest.importorskip("torch")

    def array(value: Any) -> Any:
        return torch.as_tensor(value, dtype=torch.float64)

    loss = energy_of_forward_run(array, array(R0).requires_grad_(True))
    same = float(energy_of_forward_run(np.asarray, R0))
    assert float(loss.detach()) == pytest.approx(same, rel=1e-13)
    with pytest.raises(md.GradientError, match=BACK):
        loss.backward()


def test_jax_does_not_go_back_through_a_forward_run() -> None:
    jax = pytest.importorskip("jax")

    def loss(r0: Any) -> Any:
        return energy_of_forward_run(jax.numpy.asarray, r0)

    r0 = jax.numpy.asarray(R0)
    for back in (jax.grad(loss), jax.jit(jax.grad(loss))):
        with pytest.raises(md.GradientError, match=BACK):
            back(r0)
    with pytest.raises(md.GradientError, match=BACK):
        jax.vmap(jax.grad(loss))(r0[None])
    expected = pytest.approx(of_r0(), rel=1e-8)
    assert float(jax.jacfwd(loss)(r0)) == expected
    assert float(jax.jit(jax.jacfwd(loss))(r0)) == expected


def test_jax_transformations() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def loss(r0: Any) -> Any:
        return kinetic_energy(jnp.asarray, r0)

    r0 = jnp.asarray(R0)
    expected = pytest.approx(of_r0(), rel=1e-8)
    assert float(jax.grad(loss)(r0)) == expected
    assert float(jax.jit(jax.grad(loss))(r0)) == expected
    several = jax.vmap(loss)(jnp.asarray([R0, R0 + 0.1]))
    for found, each in zip(several, (R0, R0 + 0.1), strict=True):
        assert float(found) == pytest.approx(float(kinetic_energy(np.asarray, each)), rel=1e-12)


@pytest.mark.slow
def test_jax_derivatives_of_many_runs() -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy

    def loss(r0: Any) -> Any:
        return kinetic_energy(jnp.asarray, r0)

    starts = (R0, R0 + 0.1)
    for function in (jax.vmap(jax.grad(loss)), jax.jit(jax.vmap(jax.grad(loss)))):
        for found, each in zip(function(jnp.asarray(starts)), starts, strict=True):
            assert float(found) == pytest.approx(of_r0(each), rel=1e-8)


def test_compiled_losses_see_every_argument() -> None:
    """Arrays are arguments of the compiled code, everything else is compiled in."""
    jnp = pytest.importorskip("jax").numpy
    traced: list[int] = []

    def loss(r0: Any, n_steps: int, *, k: Any) -> Any:
        traced.append(n_steps)
        value = kinetic_energy(jnp.asarray, r0, k, n_steps)
        return value, {"n": n_steps, "k": k}

    gradient = md.value_and_grad(loss, has_aux=True, jit=True)
    for n_steps, k in ((3, 40.0), (5, 40.0), (3, 40.0), (3, 30.0)):
        (value, aux), found = gradient(jnp.asarray(R0), n_steps, k=jnp.asarray(k))
        assert float(value) == pytest.approx(
            float(kinetic_energy(np.asarray, R0, k, n_steps)), rel=1e-12
        )
        assert float(found) == pytest.approx(of_r0(n_steps=n_steps, k=k), rel=1e-8)
        assert (aux["n"], float(aux["k"])) == (n_steps, k)
    assert traced == [3, 5]
    with pytest.raises(TypeError, match=r"With `jit` the loss was given \{1, 2\}"):
        gradient(jnp.asarray(R0), {1, 2}, k=jnp.asarray(40.0))
