"""Components as data: frozen, taken apart into leaves and put together again, nothing hidden."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import numpy as np
import optree
import pytest

import xpmd as md
from xpmd.module import NAMESPACE, flatten, unflatten


class Pair(NamedTuple):
    first: Any
    second: Any


class Inner(md.Module):
    weight: Any = 1.0
    label: str = md.static(default="inner")


class Outer(md.Module):
    number: Any
    table: dict[str, Any]
    row: list[Any]
    pair: Pair
    inner: Inner
    atoms: Any = md.indices()
    name: str = md.static(default="outer")
    nothing: Any = None
    rank: int = md.static(default=3)


def outer() -> Outer:
    return Outer(
        number=1.0,
        table={"b": 2.0, "a": 3.0},
        row=[4.0, 5.0],
        pair=Pair(6.0, 7.0),
        inner=Inner(8.0),
        atoms=9,
    )


def test_leaves_are_the_parameters_and_indices_in_order_of_declaration() -> None:
    leaves, _ = flatten(outer())
    # The entries of a dict come in the order of its keys; None holds nothing.
    assert leaves == [1.0, 3.0, 2.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9]


def test_a_round_trip_keeps_everything() -> None:
    leaves, structure = flatten(outer())
    again = unflatten(structure, leaves)
    assert isinstance(again, Outer)
    assert again.table == {"b": 2.0, "a": 3.0}
    assert again.row == [4.0, 5.0]
    assert isinstance(again.pair, Pair)
    assert again.pair == Pair(6.0, 7.0)
    assert again.inner.weight == 8.0
    assert (again.name, again.rank, again.inner.label, again.nothing) == ("outer", 3, "inner", None)
    assert flatten(again)[1] == structure


def test_a_map_over_the_leaves_checks_nothing() -> None:
    box = md.CubicBoundary(3.0)
    negated = optree.tree_map(lambda x: -x, box, namespace=NAMESPACE)
    assert isinstance(negated, md.CubicBoundary)
    assert negated.sides == (-3.0, -3.0, -3.0)


def test_structures_are_equal_when_what_is_compiled_in_is_equal() -> None:
    one, other = outer(), outer()
    assert flatten(one)[1] == flatten(other)[1]
    assert hash(flatten(one)[1]) == hash(flatten(other)[1])
    assert flatten(one.replace(number=2.0))[1] == flatten(one)[1]
    assert flatten(one.replace(name="another"))[1] != flatten(one)[1]
    assert flatten(one.replace(inner=Inner(8.0, "another")))[1] != flatten(one)[1]


def test_components_are_equal_to_themselves_only() -> None:
    """Comparing arrays is ambiguous, so components compare and hash by identity."""
    one, other = Inner(np.zeros(2)), Inner(np.zeros(2))
    assert one == one
    assert one != other
    assert len({one, other}) == 2


@pytest.mark.parametrize(
    "component",
    [outer(), md.Atoms(mass=1.0), md.CubicBoundary(1.0), md.DistanceCutoff(1.0)],
    ids=lambda component: type(component).__name__,
)
def test_components_are_frozen(component: md.Module) -> None:
    (field, *_) = dataclasses.fields(component)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"assign to field '{field.name}'"):
        setattr(component, field.name, 2.0)
    with pytest.raises(dataclasses.FrozenInstanceError, match=f"delete field '{field.name}'"):
        delattr(component, field.name)
    with pytest.raises(dataclasses.FrozenInstanceError, match="assign to field 'new'"):
        component.new = 1.0  # type: ignore[attr-defined]


def test_replacing_makes_a_checked_copy() -> None:
    cutoff = md.CubicSplineCutoff(0.8, 1.0)
    longer = cutoff.replace(distance=1.2)
    assert (longer.activation, longer.distance) == (0.8, 1.2)
    assert cutoff.distance == 1.0
    with pytest.raises(ValueError, match=r"`activation` = 0\.8 must be below `distance` = 0\.7"):
        cutoff.replace(distance=0.7)
    with pytest.raises(TypeError, match="unexpected keyword argument 'distanc'"):
        cutoff.replace(distanc=1.2)


def test_changed_fields_are_not_checked() -> None:
    assert md.DistanceCutoff(1.0).with_fields(distance="far").distance == "far"


class Hidden(md.PairwiseInteraction):
    """Keeps a parameter where no gradient would find it."""

    strength: Any = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "secret", 2.0)

    def energy(self, r: Any, *, xp: Any) -> Any:
        return self.strength / r


def test_an_attribute_that_is_no_field_is_found_at_first_use() -> None:
    message = (
        r"Hidden: `secret` is not declared as a field.*mark what is not a parameter with md.st"
    )
    with pytest.raises(TypeError, match=message):
        flatten(Hidden())
    coords = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    built = md.System(md.Atoms(), coords, md.CubicBoundary(3.0), interactions=[Hidden()])
    with pytest.raises(TypeError, match=message):
        md.forces(built)


def test_a_field_that_was_not_set_is_named_too() -> None:
    class Forgetful(md.Module):
        kept: Any
        forgotten: Any

        def __init__(self) -> None:
            object.__setattr__(self, "kept", 1.0)

    class Confused(Forgetful):
        def __init__(self) -> None:
            super().__init__()
            object.__setattr__(self, "other", 1.0)

    with pytest.raises(TypeError, match="Forgetful: the field `forgotten` is not set"):
        flatten(Forgetful())
    message = "Confused: `other` is not declared as a field and the field `forgotten` is not set"
    with pytest.raises(TypeError, match=message):
        flatten(Confused())


def test_a_static_field_holds_no_array(on: md.Backend) -> None:
    class Fixed(md.Module):
        value: Any = md.static()

    assert flatten(Fixed(2.0))[0] == []
    assert flatten(Fixed(np.float64(2.0)))[0] == []
    message = "Fixed: the static field `value` holds an array, which no gradient would reach"
    with pytest.raises(TypeError, match=message):
        flatten(Fixed(on.asarray([2.0], dtype="float64")))
    with pytest.raises(TypeError, match=message):
        md.grad(lambda x: flatten(Fixed(x)) and x, backend=on)(1.0)


class Radius(md.Module):
    """Has a constructor of its own, in other words than its fields."""

    squared: Any

    def __init__(self, radius: Any) -> None:
        object.__setattr__(self, "squared", radius * radius)

    def replace(self, **changes: Any) -> Radius:
        return type(self)(**{"radius": self.squared**0.5, **changes})


class Colored(Radius):
    """Inherits that constructor and adds to it."""

    color: str = md.static(default="red")

    def __init__(self, radius: Any, color: str = "blue") -> None:
        super().__init__(radius)
        object.__setattr__(self, "color", color)


class Plain(Radius):
    """Inherits that constructor as it is."""


def test_a_constructor_of_ones_own() -> None:
    assert Radius(3.0).squared == 9.0
    assert Radius(3.0).replace(radius=2.0).squared == 4.0
    leaves, structure = flatten(Colored(3.0, "green"))
    assert leaves == [9.0]
    again = unflatten(structure, [16.0])
    assert (again.squared, again.color) == (16.0, "green")
    assert isinstance(Plain(2.0).replace(radius=5.0), Plain)
    assert flatten(Plain(2.0))[0] == [4.0]


def test_a_subclass_inherits_fields_roles_and_checks() -> None:
    class Longer(md.CubicSplineCutoff):
        extra: Any = 0.5

    cutoff = Longer(0.8, 1.0)
    assert flatten(cutoff)[0] == [0.8, 1.0, 0.5]
    with pytest.raises(ValueError, match="`activation` = "):
        Longer(1.1, 1.0)

    class Named(md.DistanceCutoff):
        scale: Any = 2.0

    assert flatten(Named(1.0))[0] == [2.0]


def test_gradients_keep_the_structure(on: md.Backend) -> None:
    """Every leaf comes back as its derivative, in its place; indices have none."""

    def loss(tree: dict[str, Any]) -> Any:
        at = tree["outer"]
        weights = [at.number, at.table["a"], at.row[1], at.pair.second, at.inner.weight]
        return sum((k + 1.0) * w * w for k, w in enumerate(weights))

    tree = {"outer": outer().replace(atoms=None)}
    found = md.grad(loss, backend=on)(tree)["outer"]
    assert isinstance(found, Outer)
    assert float(found.number) == pytest.approx(2.0)
    assert {key: float(slope) for key, slope in found.table.items()} == {"b": 0.0, "a": 12.0}
    assert [float(slope) for slope in found.row] == [0.0, 30.0]
    assert [float(slope) for slope in found.pair] == [0.0, 56.0]
    assert float(found.inner.weight) == 80.0
    assert found.name == "outer"


def test_fields_of_every_kind_reach_a_potential(on: md.Backend, array: Any) -> None:
    """A dict, a list, a tuple and a named tuple of parameters inside one interaction."""

    class Mixed(md.PairwiseInteraction):
        table: dict[str, Any]
        row: list[Any]
        pair: Pair
        steps: tuple[Any, ...]

        def energy(self, r: Any, *, xp: Any) -> Any:
            total = self.table["a"] * r + self.pair.second * r**2
            return total + sum(c * r**3 for c in (*self.steps, *self.row))

    def loss(values: list[Any]) -> Any:
        a, b, c, d, e = values
        mixed = Mixed({"a": a}, [e, {"unused": 1}["unused"]], Pair(1, b), (c, d))
        coords = array([[0.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
        built = md.System(md.Atoms(), coords, md.CubicBoundary(3.0), interactions=[mixed])
        assert isinstance(built.interactions[0].pair, Pair)
        assert on.is_array(built.interactions[0].table["a"])
        return md.potential_energy(built)

    found = md.grad(loss, backend=on)([1.0, 2.0, 3.0, 4.0, 5.0])
    np.testing.assert_allclose([float(x) for x in found], [0.5, 0.25, 0.125, 0.125, 0.125])
